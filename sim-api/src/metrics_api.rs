//! `metrics.k8s.io`: what nodes and pods use, for `kubectl top` and autoscalers.
//!
//! No kubelet measures anything here, so usage is told by the objects themselves:
//!
//! - a pod or node with the annotation `apisim.dev/cpu-usage` or `apisim.dev/memory-usage` uses
//!   that quantity (a pod's is shared out evenly among its containers);
//! - else a container uses half of what it requests, or 1m and 10Mi where it requests nothing;
//! - else a node uses what the pods on it use, and 100m and 500Mi of its own.
//!
//! Pods that are not Running and nodes that are not there have no metrics.
//!
//! Source: k8s.io/metrics `pkg/apis/metrics/v1beta1`, metrics-server's answers.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{Resource, meta, quantity, resources::Str};

/// The group that is played.
pub const GROUP: &str = "metrics.k8s.io";

/// The APIService that turns the group on.
pub const SERVICE: &str = "v1beta1.metrics.k8s.io";

/// The resources of the group.
pub fn resources() -> Vec<Arc<Resource>> {
    [("nodes", "NodeMetrics", false), ("pods", "PodMetrics", true)]
        .into_iter()
        .map(|(plural, kind, namespaced)| {
            let text = |text: &'static str| -> Str { text.into() };
            let mut resource =
                Resource::new(text(GROUP), text("v1beta1"), text(plural), text(""), text(kind));
            resource.namespaced = namespaced;
            resource.verbs = vec![text("get"), text("list")];
            resource.stored_as = text("");
            Arc::new(resource)
        })
        .collect()
}

/// The APIService of the group, for servers that are to have it from the start.
pub fn service() -> Value {
    json!({
        "kind": "APIService",
        "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {"name": SERVICE},
        "spec": {
            "service": {"namespace": "kube-system", "name": "metrics-server", "port": 443},
            "group": GROUP,
            "version": "v1beta1",
            "insecureSkipTLSVerify": true,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    })
}

/// What a pod uses; nothing for one that does not run.
pub fn pod(pod: &Value, now: Timestamp) -> Option<Value> {
    if pod.pointer("/status/phase").and_then(Value::as_str) != Some("Running") {
        return None;
    }
    let containers: Vec<Value> = containers(pod)
        .into_iter()
        .map(|(name, usage)| json!({"name": name, "usage": usage.to_value()}))
        .collect();
    Some(metrics("PodMetrics", pod, now, "containers", containers.into()))
}

/// What a node uses, with these pods on it.
pub fn node<'a>(node: &Value, pods: impl Iterator<Item = &'a Value>, now: Timestamp) -> Value {
    let mut usage = Usage { cpu: 100 * MILLI, memory: 500 * MEBI };
    for pod in pods {
        if pod.pointer("/status/phase").and_then(Value::as_str) != Some("Running") {
            continue;
        }
        for (_, of_container) in containers(pod) {
            usage.cpu = usage.cpu.saturating_add(of_container.cpu);
            usage.memory = usage.memory.saturating_add(of_container.memory);
        }
    }
    usage.cpu = annotated(node, CPU).unwrap_or(usage.cpu);
    usage.memory = annotated(node, MEMORY).unwrap_or(usage.memory);
    metrics("NodeMetrics", node, now, "usage", usage.to_value())
}

fn metrics(kind: &str, of: &Value, now: Timestamp, key: &str, value: Value) -> Value {
    let mut metadata = Map::new();
    for key in ["name", "namespace"] {
        let found = of.get("metadata").and_then(|metadata| metadata.get(key));
        metadata.extend(found.map(|found| (key.to_owned(), found.clone())));
    }
    metadata.insert("creationTimestamp".into(), meta::time(now).into());
    let labels = of.get("metadata").and_then(|metadata| metadata.get("labels"));
    metadata.extend(labels.map(|labels| ("labels".to_owned(), labels.clone())));
    json!({
        "kind": kind,
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": metadata,
        "timestamp": meta::time(now),
        "window": "15s",
        key: value,
    })
}

/// In units of 10⁻⁹.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Usage {
    cpu: i128,
    memory: i128,
}

impl Usage {
    fn to_value(self) -> Value {
        json!({"cpu": format!("{}n", self.cpu), "memory": format!("{}Ki", self.memory / KIBI)})
    }
}

fn containers(pod: &Value) -> Vec<(&str, Usage)> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let containers = containers.map(Vec::as_slice).unwrap_or_default();
    let count = i128::try_from(containers.len()).unwrap_or(1).max(1);
    let (cpu, memory) = (annotated(pod, CPU), annotated(pod, MEMORY));
    containers
        .iter()
        .map(|container| {
            let requested = |name: &str| {
                let amount = container.pointer(&format!("/resources/requests/{name}"))?;
                amount_of(amount).map(|nanos| nanos / 2)
            };
            let usage = Usage {
                cpu: cpu.map(|nanos| nanos / count).or_else(|| requested("cpu")).unwrap_or(MILLI),
                memory: memory
                    .map(|nanos| nanos / count)
                    .or_else(|| requested("memory"))
                    .unwrap_or(10 * MEBI),
            };
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
            (name, usage)
        })
        .collect()
}

fn annotated(object: &Value, name: &str) -> Option<i128> {
    let annotations = object.get("metadata")?.get("annotations")?;
    quantity::nanos(annotations.get(name)?.as_str()?)
}

fn amount_of(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => quantity::nanos(text),
        Value::Number(number) => quantity::nanos(&number.to_string()),
        _ => None,
    }
}

const CPU: &str = "apisim.dev/cpu-usage";
const MEMORY: &str = "apisim.dev/memory-usage";
const MILLI: i128 = 1_000_000;
const KIBI: i128 = 1_024 * 1_000_000_000;
const MEBI: i128 = 1_024 * KIBI;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_annotated_or_half_of_what_is_requested() {
        let now = Timestamp::UNIX_EPOCH;
        let running = json!({
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {"containers": [
                {"name": "a", "resources": {"requests": {"cpu": "500m", "memory": "64Mi"}}},
                {"name": "b"},
            ]},
            "status": {"phase": "Running"},
        });
        let found = pod(&running, now).unwrap();
        assert_eq!(
            found["containers"],
            json!([
                {"name": "a", "usage": {"cpu": "250000000n", "memory": "32768Ki"}},
                {"name": "b", "usage": {"cpu": "1000000n", "memory": "10240Ki"}},
            ])
        );
        let mut named = json!({"metadata": {"name": "node", "annotations": {CPU: "2"}}});
        let found = node(&named, [&running].into_iter(), now);
        assert_eq!(found["usage"], json!({"cpu": "2000000000n", "memory": "555008Ki"}));
        named["metadata"]["annotations"] = json!({MEMORY: "1Gi"});
        let found = node(&named, [].into_iter(), now);
        assert_eq!(found["usage"], json!({"cpu": "100000000n", "memory": "1048576Ki"}));
        assert!(pod(&json!({"status": {"phase": "Pending"}}), now).is_none());
    }
}
