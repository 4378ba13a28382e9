//! The few defaults that clients cannot do without.
//!
//! This is not the defaulting of the real server: only what kubectl, kube-burner and
//! controllers are seen to read is filled in, for pods and for what makes pods. The rest comes
//! with the write path proper.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{join, split};
use crate::{Resource, schema::Typed, status::Result};

/// An object as Go has it once it is read and its defaults are set.
pub(super) fn defaulted(resource: &Resource, typed: &Typed, object: Value) -> Result<Value> {
    let (mut members, metadata) = split(typed.canonical(object))?;
    set(resource, &mut members);
    Ok(typed.canonical(join(resource, members, metadata)))
}

fn set(resource: &Resource, members: &mut Map<String, Value>) {
    match (&*resource.group, &*resource.plural) {
        ("apiregistration.k8s.io", _) => crate::aggregation::set_defaults(members),
        ("apiextensions.k8s.io", "customresourcedefinitions") => crate::crd::set_defaults(members),
        ("", "pods") => pod(members),
        ("", "secrets") => secret(members),
        ("", "replicationcontrollers") | ("apps", "replicasets" | "statefulsets") => {
            workload(members, &[("replicas", json!(1))]);
        }
        ("apps", "deployments") => {
            strategy(members);
            workload(
                members,
                &[
                    ("replicas", json!(1)),
                    ("revisionHistoryLimit", json!(10)),
                    ("progressDeadlineSeconds", json!(600)),
                ],
            );
        }
        ("apps", "daemonsets") | ("batch", "jobs") => workload(members, &[]),
        ("coordination.k8s.io", "leases") => {
            members.entry("spec").or_insert_with(|| json!({}));
        }
        _ => {}
    }
}

fn pod(members: &mut Map<String, Value>) {
    let Some(spec) = members.get_mut("spec").and_then(Value::as_object_mut) else { return };
    pod_spec(spec);
    put_default(spec, "enableServiceLinks", json!(true));
}

/// What admission plugins and the kind's strategy add to an object that is created.
pub(super) fn admit(resource: &Resource, members: &mut Map<String, Value>) {
    if !resource.is("", "pods") {
        return;
    }
    let Some(spec) = members.get_mut("spec").and_then(Value::as_object_mut) else { return };
    add_tolerations(spec);
    put_default(spec, "priority", json!(0));
    put_default(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    let class = qos_class(spec);
    if let Some(status) = members.get_mut("status").and_then(Value::as_object_mut) {
        put_default(status, "qosClass", json!(class));
    }
}

/// What admission fills in of a pod that is replaced: tolerations as for a new one, and the
/// priority that the old one had.
///
/// Source: the DefaultTolerationSeconds and Priority admission plugins.
pub(super) fn admit_update(members: &mut Map<String, Value>, old: &Map<String, Value>) {
    let Some(spec) = members.get_mut("spec").and_then(Value::as_object_mut) else { return };
    add_tolerations(spec);
    for key in ["priority", "preemptionPolicy"] {
        if let Some(value) = old.get("spec").and_then(|spec| spec.get(key)) {
            put_default(spec, key, value.clone());
        }
    }
}

/// The DefaultTolerationSeconds admission plugin: 300 s of what is not tolerated already.
fn add_tolerations(spec: &mut Map<String, Value>) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(tolerations) = tolerations.as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let is_tolerated = tolerations.iter().any(|known| {
            let text = |key: &str| known.get(key).and_then(Value::as_str).unwrap_or_default();
            (text("key") == key || text("key").is_empty())
                && matches!(text("effect"), "NoExecute" | "")
        });
        if !is_tolerated {
            tolerations.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }));
        }
    }
}

/// Defaults of the template that a workload makes pods from, and of its own spec.
fn workload(members: &mut Map<String, Value>, defaults: &[(&str, Value)]) {
    let Some(spec) = members.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for (key, value) in defaults {
        put_default(spec, key, value.clone());
    }
    let template = spec.get_mut("template").and_then(|template| template.get_mut("spec"));
    if let Some(template) = template.and_then(Value::as_object_mut) {
        pod_spec(template);
    }
}

/// The strategy of a Deployment.
fn strategy(members: &mut Map<String, Value>) {
    let strategy = members.get_mut("spec").and_then(|spec| spec.get_mut("strategy"));
    let Some(strategy) = strategy.and_then(Value::as_object_mut) else { return };
    put_default(strategy, "type", json!("RollingUpdate"));
    if strategy.get("type").is_some_and(|name| name == "RollingUpdate") {
        put_default(strategy, "rollingUpdate", json!({}));
        if let Some(update) = strategy.get_mut("rollingUpdate").and_then(Value::as_object_mut) {
            put_default(update, "maxUnavailable", json!("25%"));
            put_default(update, "maxSurge", json!("25%"));
        }
    }
}

fn pod_spec(spec: &mut Map<String, Value>) {
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(container) = container.as_object_mut() else { continue };
            let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
            let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
            put_default(container, "resources", json!({}));
            put_default(container, "terminationMessagePath", json!("/dev/termination-log"));
            put_default(container, "terminationMessagePolicy", json!("File"));
            put_default(container, "imagePullPolicy", json!(policy));
        }
    }
    put_default(spec, "restartPolicy", json!("Always"));
    put_default(spec, "terminationGracePeriodSeconds", json!(30));
    put_default(spec, "dnsPolicy", json!("ClusterFirst"));
    put_default(spec, "securityContext", json!({}));
    put_default(spec, "schedulerName", json!("default-scheduler"));
}

/// Whether an image has the tag `latest`, which one without tag and digest has.
fn is_latest(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains('@') {
        return false;
    }
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// Guaranteed when every container's limits of CPU and memory equal its requests, BestEffort
/// when none has either, else Burstable.
pub(crate) fn qos_class(spec: &Map<String, Value>) -> &'static str {
    let containers = spec.get("containers").and_then(Value::as_array);
    let mut guaranteed = containers.is_some_and(|containers| !containers.is_empty());
    let mut best_effort = true;
    for container in containers.into_iter().flatten() {
        for name in ["cpu", "memory"] {
            let amount = |part: &str| container.get("resources")?.get(part)?.get(name);
            let (request, limit) = (amount("requests"), amount("limits"));
            best_effort &= request.is_none() && limit.is_none();
            guaranteed &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (best_effort, guaranteed) {
        (true, _) => "BestEffort",
        (false, true) => "Guaranteed",
        (false, false) => "Burstable",
    }
}

/// stringData goes into data, and the type defaults to Opaque.
fn secret(members: &mut Map<String, Value>) {
    if let Some(Value::Object(texts)) = members.shift_remove("stringData") {
        let data = members.entry("data").or_insert_with(|| json!({}));
        if data.is_null() {
            *data = json!({});
        }
        if let Some(data) = data.as_object_mut() {
            for (key, value) in texts {
                let text = value.as_str().unwrap_or_default();
                data.insert(key, BASE64_STANDARD.encode(text).into());
            }
            data.sort_keys();
        }
    }
    put_default(members, "type", json!("Opaque"));
}

fn put_default(object: &mut Map<String, Value>, key: &str, value: Value) {
    match object.get(key) {
        None | Some(Value::Null) => {
            object.insert(key.to_owned(), value);
        }
        Some(_) => {}
    }
}
