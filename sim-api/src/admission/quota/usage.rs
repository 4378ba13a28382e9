//! How much of a quota an object uses.
//!
//! Source: k8s.io/kubernetes `pkg/quota/v1/evaluator/core` and k8s.io/apiserver
//! `pkg/quota/v1/generic` (release-1.33).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    Resource,
    admission::amount::{Amount, Amounts, amounts, of_pod},
    table::selector_text,
};

/// Counts the objects of one resource.
pub(super) struct Evaluator<'a> {
    resource: &'a Resource,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Claims,
    Count,
    Pods,
    Services,
}

impl<'a> Evaluator<'a> {
    /// `None` where a write of this kind is not counted.
    pub(super) fn of(resource: &'a Resource, subresource: &str, is_new: bool) -> Option<Self> {
        let kind = match (&*resource.group, &*resource.plural) {
            ("" | "events.k8s.io", "events") => return None,
            ("", "pods") => Kind::Pods,
            ("", "services") => Kind::Services,
            ("", "persistentvolumeclaims") => Kind::Claims,
            _ => Kind::Count,
        };
        let is_counted = match (kind, subresource) {
            (Kind::Pods, "resize") => true,
            (Kind::Claims | Kind::Services, "") => true,
            (_, "") => is_new,
            _ => false,
        };
        let is_known = resource.namespaced && resource.is_stored();
        (is_counted && is_known).then_some(Self { resource, kind })
    }

    /// The name under which the objects themselves are counted.
    fn count_name(&self) -> String {
        format!("count/{}", self.resource.group_resource())
    }

    /// Whether a quota of this name is about objects of the kind.
    pub(super) fn counts(&self, name: &str) -> bool {
        if name == self.count_name() {
            return true;
        }
        match self.kind {
            Kind::Pods => {
                POD_RESOURCES.contains(&name)
                    || name.starts_with(HUGE_PAGES)
                    || name
                        .strip_prefix(REQUESTS)
                        .is_some_and(|rest| rest.starts_with(HUGE_PAGES) || is_extended(rest))
            }
            Kind::Services => {
                matches!(name, "services" | "services.nodeports" | "services.loadbalancers")
            }
            Kind::Claims => {
                matches!(name, "persistentvolumeclaims" | STORAGE)
                    || name.ends_with(&format!("{OF_CLASS}{STORAGE}"))
                    || name.ends_with(&format!("{OF_CLASS}persistentvolumeclaims"))
            }
            Kind::Count => self.alias() == Some(name),
        }
    }

    /// The older name of a count that some core resources have.
    fn alias(&self) -> Option<&str> {
        let has = self.resource.group.is_empty()
            && matches!(
                &*self.resource.plural,
                "configmaps" | "resourcequotas" | "replicationcontrollers" | "secrets"
            );
        has.then_some(&*self.resource.plural)
    }

    /// Whether all scopes of a quota hold for the object; only pods have any.
    pub(super) fn is_in_scope(&self, quota: &Value, object: &Value) -> bool {
        let list = |path: &str| quota.pointer(path).and_then(Value::as_array).into_iter().flatten();
        let exists = |scope: &Value| json!({"scopeName": scope, "operator": "Exists"});
        let mut selectors: Vec<Value> = list("/spec/scopes").map(exists).collect();
        selectors.extend(list("/spec/scopeSelector/matchExpressions").cloned());
        selectors.iter().all(|selector| self.kind == Kind::Pods && matches(selector, object))
    }

    /// What containers must say for the quota to be kept, as `cpu for: a,b; memory for: a`.
    pub(super) fn missing(&self, restricted: &[&str], object: &Value) -> Option<String> {
        if self.kind != Kind::Pods {
            return None;
        }
        let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for list in ["containers", "initContainers"] {
            let containers = object.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
            for container in containers.into_iter().flatten() {
                let usage = compute(
                    &amounts(container.pointer("/resources/requests")),
                    &amounts(container.pointer("/resources/limits")),
                );
                let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
                for wanted in restricted.iter().filter(|name| MUST_BE_SET.contains(name)) {
                    if !usage.contains_key(*wanted) {
                        missing.entry(wanted).or_default().push(name);
                    }
                }
            }
        }
        let parts: Vec<String> = missing
            .into_iter()
            .map(|(name, mut containers)| {
                containers.sort_unstable();
                containers.dedup();
                format!("{name} for: {}", containers.join(","))
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// What the object uses.
    pub(super) fn usage(&self, object: &Value, now: Timestamp) -> Amounts {
        let one = Amount::whole(1);
        let mut usage = Amounts::from([(self.count_name(), one)]);
        let mut put = |name: &str, amount: Amount| {
            usage.insert(name.to_owned(), amount);
        };
        match self.kind {
            Kind::Count => {
                if let Some(alias) = self.alias() {
                    put(alias, one);
                }
            }
            Kind::Services => {
                put("services", one);
                let ports = object.pointer("/spec/ports").and_then(Value::as_array);
                let ports = ports.map_or(&[][..], Vec::as_slice);
                match object.pointer("/spec/type").and_then(Value::as_str) {
                    Some("NodePort") => put("services.nodeports", Amount::whole(ports.len())),
                    Some("LoadBalancer") => {
                        put("services.loadbalancers", one);
                        let allocates = object.pointer("/spec/allocateLoadBalancerNodePorts");
                        let allocates = allocates.and_then(Value::as_bool).unwrap_or(true);
                        let counted = ports.iter().filter(|port| {
                            let given = port.get("nodePort").and_then(Value::as_i64);
                            allocates || given.unwrap_or(0) != 0
                        });
                        put("services.nodeports", Amount::whole(counted.count()));
                    }
                    _ => {}
                }
            }
            Kind::Claims => {
                put("persistentvolumeclaims", one);
                let class = storage_class(object);
                if let Some(class) = class {
                    put(&format!("{class}{OF_CLASS}persistentvolumeclaims"), one);
                }
                let amount = |path: &str| object.pointer(path).and_then(Amount::read);
                if let Some(requested) = amount("/spec/resources/requests/storage") {
                    let allocated = amount("/status/allocatedResources/storage");
                    let requested = allocated.map_or(requested, |other| requested.max(other));
                    put(STORAGE, requested);
                    if let Some(class) = class {
                        put(&format!("{class}{OF_CLASS}{STORAGE}"), requested);
                    }
                }
            }
            Kind::Pods => {
                if is_alive(object, now) {
                    usage.extend(compute(&of_pod(object, "requests"), &of_pod(object, "limits")));
                }
            }
        }
        usage
    }
}

/// Whether a pod still uses anything: it has not ended, and is not stuck in ending.
fn is_alive(pod: &Value, now: Timestamp) -> bool {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    if matches!(phase, Some("Failed" | "Succeeded")) {
        return false;
    }
    let ends = pod.pointer("/metadata/deletionTimestamp").and_then(Value::as_str);
    let grace = pod.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64);
    match (ends.and_then(|text| text.parse::<Timestamp>().ok()), grace) {
        (Some(end), Some(grace)) => {
            end.checked_add(SignedDuration::from_secs(grace)).is_ok_and(|last| now <= last)
        }
        _ => true,
    }
}

fn compute(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut usage = Amounts::from([("pods".to_owned(), Amount::whole(1))]);
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(request) = requests.get(name) {
            usage.insert(name.to_owned(), *request);
            usage.insert(format!("{REQUESTS}{name}"), *request);
        }
        if let Some(limit) = limits.get(name) {
            usage.insert(format!("limits.{name}"), *limit);
        }
    }
    for (name, request) in requests {
        if name.starts_with(HUGE_PAGES) {
            usage.insert(name.clone(), *request);
            usage.insert(format!("{REQUESTS}{name}"), *request);
        }
        if is_extended(name) {
            usage.insert(format!("{REQUESTS}{name}"), *request);
        }
    }
    usage
}

/// Source: `IsExtendedResourceName`.
fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with(REQUESTS)
}

fn storage_class(claim: &Value) -> Option<&str> {
    let annotation = claim.get("metadata").and_then(|metadata| {
        metadata.get("annotations")?.get("volume.beta.kubernetes.io/storage-class")?.as_str()
    });
    let named = claim.pointer("/spec/storageClassName").and_then(Value::as_str);
    annotation.or(named).filter(|class| !class.is_empty())
}

fn matches(selector: &Value, pod: &Value) -> bool {
    let text = |key: &str| selector.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("scopeName") {
        "Terminating" => ends(pod),
        "NotTerminating" => !ends(pod),
        "BestEffort" => is_best_effort(pod),
        "NotBestEffort" => !is_best_effort(pod),
        "PriorityClass" => {
            let class = pod.pointer("/spec/priorityClassName").and_then(Value::as_str);
            let class = class.filter(|class| !class.is_empty());
            let mut requirement = selector.clone();
            if let Some(members) = requirement.as_object_mut() {
                members.insert("key".into(), "PriorityClass".into());
            }
            let labels = class.map(|class| ("PriorityClass", class));
            selector_text(&json!({"matchExpressions": [requirement]}))
                .and_then(|text| sim_store::LabelSelector::parse(text.as_ref()).ok())
                .is_some_and(|selector| selector.matches(&sim_store::StrMap::from_pairs(labels)))
        }
        "CrossNamespacePodAffinity" => crosses_namespaces(pod),
        _ => false,
    }
}

fn ends(pod: &Value) -> bool {
    let deadline = pod.pointer("/spec/activeDeadlineSeconds").and_then(Value::as_i64);
    deadline.is_some_and(|seconds| seconds >= 0)
}

fn is_best_effort(pod: &Value) -> bool {
    let has = |part: &str| {
        let amounts = of_pod(pod, part);
        ["cpu", "memory"].iter().any(|name| amounts.get(*name).is_some_and(|a| !a.is_zero()))
    };
    !has("requests") && !has("limits")
}

fn crosses_namespaces(pod: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let terms = |list: &str| {
            let path =
                format!("/spec/affinity/{kind}/{list}DuringSchedulingIgnoredDuringExecution");
            pod.pointer(&path).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let crosses = |term: &Value| {
            let names = term.get("namespaces").and_then(Value::as_array);
            names.is_some_and(|names| !names.is_empty())
                || term.get("namespaceSelector").is_some_and(|selector| !selector.is_null())
        };
        terms("required").iter().any(crosses)
            || terms("preferred")
                .iter()
                .any(|term| term.get("podAffinityTerm").is_some_and(crosses))
    })
}

const POD_RESOURCES: [&str; 10] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
];
/// Source: `validationSet`.
const MUST_BE_SET: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
const REQUESTS: &str = "requests.";
const HUGE_PAGES: &str = "hugepages-";
const STORAGE: &str = "requests.storage";
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";
