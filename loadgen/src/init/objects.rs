//! Objects as JSON: from YAML, with kube-burner's labels, and whether they are ready.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Reads one YAML (or JSON) document.
pub(super) fn from_yaml(text: &str) -> Result<Value, String> {
    let first = |e: serde_saphyr::Error| {
        e.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    };
    serde_saphyr::from_str(text).map_err(first)
}

/// The text at a path such as `/metadata/name`; empty when it is not there.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The labels that kube-burner gives to an object it creates.
pub(super) fn burner_labels(
    uuid: &str,
    runid: &str,
    job: &str,
    index: usize,
    iteration: u64,
    replica: u64,
) -> BTreeMap<String, String> {
    [
        ("kube-burner-uuid", uuid.to_owned()),
        ("kube-burner-runid", runid.to_owned()),
        ("kube-burner-job", job.to_owned()),
        ("kube-burner-index", index.to_string()),
        ("kube-burner.io/job-iteration", iteration.to_string()),
        ("kube-burner.io/replica", replica.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Puts labels on an object and on what it makes. The object's own labels win, as in kube-burner:
/// a template that sets `kube-burner-job` itself keeps its value.
pub(super) fn set_labels(object: &mut Value, burner: &BTreeMap<String, String>) {
    let mut labels: BTreeMap<String, Value> =
        burner.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    if let Some(own) = object.pointer("/metadata/labels").and_then(Value::as_object) {
        labels.extend(own.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    let below: &[&[&str]] = match text(object, "/kind") {
        "Deployment" | "ReplicaSet" | "DaemonSet" => &[POD_LABELS],
        "StatefulSet" => &[POD_LABELS, &["spec", "selector", "matchLabels"]],
        _ => &[],
    };
    for path in [["metadata", "labels"].as_slice()].into_iter().chain(below.iter().copied()) {
        let map = entry(object, path);
        map.extend(labels.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
}

/// The map at `path`, made where it is missing.
fn entry<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut at = object;
    for step in path {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[*step];
    }
    if !at.is_object() {
        *at = json!({});
    }
    at.as_object_mut().expect("was made an object on the line before")
}

/// Container images of an object that runs pods.
pub(super) fn images(object: &Value) -> Vec<String> {
    let pointer = match text(object, "/kind") {
        "Deployment" | "DaemonSet" | "ReplicaSet" | "Job" | "StatefulSet" => {
            "/spec/template/spec/containers"
        }
        "Pod" => "/spec/containers",
        _ => return Vec::new(),
    };
    let containers = object.pointer(pointer).and_then(Value::as_array);
    containers
        .into_iter()
        .flatten()
        .map(|container| text(container, "/image").to_owned())
        .filter(|image| !image.is_empty())
        .collect()
}

/// How the readiness of a kind is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Readiness {
    /// Two numbers of the object agree.
    Counts(&'static str, &'static str),
    /// Running, and not unready.
    Pod,
    /// Phase Bound.
    Bound,
    /// A condition of this type is True.
    Condition(&'static str),
    /// Nothing is waited for.
    None,
}

impl Readiness {
    /// How kube-burner v1.17.3 tells it (`pkg/burner/waiters.go`, `consts.go`).
    pub(super) fn of_kind(kind: &str) -> Self {
        match kind {
            "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => {
                Self::Counts("/spec/replicas", "/status/readyReplicas")
            }
            "DaemonSet" => Self::Counts("/status/desiredNumberScheduled", "/status/numberReady"),
            "Pod" => Self::Pod,
            "PersistentVolumeClaim" => Self::Bound,
            "Job" => Self::Condition("Complete"),
            _ => Self::None,
        }
    }

    /// Whether one object is ready. Counts must be equal or both absent, so a Deployment without
    /// any status is not ready, unless it wants no replicas at all and says so nowhere.
    pub(super) fn is_met(self, object: &Value) -> bool {
        let conditions =
            || object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        match self {
            Self::Counts(wanted, ready) => object.pointer(wanted) == object.pointer(ready),
            Self::Pod => {
                text(object, "/status/phase") == "Running"
                    && !conditions()
                        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "False")
            }
            Self::Bound => text(object, "/status/phase") == "Bound",
            Self::Condition(kind) => {
                conditions().any(|c| text(c, "/type") == kind && text(c, "/status") == "True")
            }
            Self::None => true,
        }
    }
}

const POD_LABELS: &[&str] = &["spec", "template", "metadata", "labels"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_reach_the_pods_and_the_templates_own_win() {
        let mut object = json!({"kind": "Deployment", "metadata": {"labels":
            {"kube-burner-job": "own", "app": "x"}}, "spec": {"replicas": 1}});
        set_labels(&mut object, &burner_labels("u", "r", "job", 2, 7, 1));
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["kube-burner-job"], "own");
        assert_eq!(labels["kube-burner-index"], "2");
        assert_eq!(labels["kube-burner.io/job-iteration"], "7");
        assert_eq!(labels, &object["spec"]["template"]["metadata"]["labels"]);
        let mut object = json!({"kind": "ConfigMap"});
        set_labels(&mut object, &burner_labels("u", "r", "job", 0, 0, 1));
        assert_eq!(object["metadata"]["labels"]["kube-burner-uuid"], "u");
        assert!(object.get("spec").is_none());
    }

    #[test]
    fn odd_objects_are_labelled_without_a_panic() {
        for mut object in [json!(null), json!([1]), json!({"kind": "Deployment", "spec": 3})] {
            set_labels(&mut object, &burner_labels("u", "r", "j", 0, 0, 1));
            assert_eq!(object["metadata"]["labels"]["kube-burner-job"], "j");
        }
    }

    #[test]
    fn readiness_is_told_by_kind() {
        let deployment = Readiness::of_kind("Deployment");
        for (object, ready) in [
            (json!({"spec": {"replicas": 1}, "status": {"readyReplicas": 1}}), true),
            (json!({"spec": {"replicas": 1}, "status": {}}), false),
            (json!({"spec": {"replicas": 1}}), false),
            (json!({"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}), false),
        ] {
            assert_eq!(deployment.is_met(&object), ready, "{object}");
        }
        let pod = Readiness::of_kind("Pod");
        assert!(pod.is_met(&json!({"status": {"phase": "Running"}})));
        assert!(!pod.is_met(&json!({"status": {"phase": "Pending"}})));
        assert!(!pod.is_met(&json!({"status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}]}})));
        let job = Readiness::of_kind("Job");
        assert!(!job.is_met(&json!({})));
        assert!(job.is_met(&json!({"status": {"conditions":
            [{"type": "Complete", "status": "True"}]}})));
        assert_eq!(Readiness::of_kind("ConfigMap"), Readiness::None);
    }

    #[test]
    fn images_are_found_where_pods_are_described() {
        let spec = json!({"containers": [{"image": "a"}, {"image": ""}, {"image": "b"}]});
        assert_eq!(images(&json!({"kind": "Pod", "spec": spec})), ["a", "b"]);
        let deployment = json!({"kind": "Deployment", "spec": {"template": {"spec": spec}}});
        assert_eq!(images(&deployment), ["a", "b"]);
        assert!(images(&json!({"kind": "ConfigMap"})).is_empty());
    }
}
