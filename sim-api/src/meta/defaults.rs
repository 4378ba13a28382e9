//! What the server fills in of an object that a client has left out.

mod kinds;
mod pod_spec;
mod workloads;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

pub(super) use self::workloads::select_pods_of_job;
use super::{join, split};
use crate::{Resource, schema::Typed, status::Result};

/// An object as Go has it once it is read and its defaults are set.
pub(super) fn defaulted(resource: &Resource, typed: &Typed, object: Value) -> Result<Value> {
    let (mut members, mut metadata) = split(typed.canonical(object))?;
    set(resource, &mut members);
    set_metadata(resource, &members, &mut metadata);
    Ok(typed.canonical(join(resource, members, metadata)))
}

/// What some kinds put into their metadata.
fn set_metadata(
    resource: &Resource,
    members: &Map<String, Value>,
    metadata: &mut Map<String, Value>,
) {
    if resource.is("", "replicationcontrollers") || resource.is("batch", "jobs") {
        let has_none = metadata.get("labels").and_then(Value::as_object).is_none_or(Map::is_empty);
        if let Some(labels) = workloads::template_labels(members).filter(|_| has_none) {
            metadata.insert("labels".into(), labels);
        }
    }
    // Once a member of the spec, now kept here. Source: `templateGeneration`.
    if resource.is("apps", "daemonsets") {
        put_default(metadata, "annotations", json!({}));
        if let Some(annotations) = object(metadata, "annotations") {
            put_default(annotations, TEMPLATE_GENERATION, json!("1"));
        }
    }
}

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// How often a DaemonSet's template has changed: only the server counts.
///
/// Source: `PrepareForUpdate` of `pkg/registry/apps/daemonset/strategy.go`.
pub(super) fn count_template(
    resource: &Resource,
    members: &Map<String, Value>,
    metadata: &mut Map<String, Value>,
    old_members: &Map<String, Value>,
    old_metadata: &Map<String, Value>,
) {
    if !resource.is("apps", "daemonsets") {
        return;
    }
    let template = |members: &Map<String, Value>| members.get("spec")?.get("template").cloned();
    let annotations = old_metadata.get("annotations");
    let count = annotations.and_then(|annotations| annotations.get(TEMPLATE_GENERATION));
    let count = count.and_then(Value::as_str).and_then(|count| count.parse::<i64>().ok());
    let changed = template(members) != template(old_members);
    let count = count.unwrap_or(1).saturating_add(i64::from(changed));
    put_default(metadata, "annotations", json!({}));
    if let Some(annotations) = object(metadata, "annotations") {
        annotations.insert(TEMPLATE_GENERATION.into(), count.to_string().into());
    }
}

/// Source: `defaults.go` of the groups in k8s.io/kubernetes `pkg/apis`.
fn set(resource: &Resource, members: &mut Map<String, Value>) {
    match (&*resource.group, &*resource.plural) {
        ("apiregistration.k8s.io", _) => crate::aggregation::set_defaults(members),
        ("apiextensions.k8s.io", "customresourcedefinitions") => crate::crd::set_defaults(members),
        ("", "endpoints") => kinds::endpoints(members),
        ("", "nodes") => kinds::node(members),
        ("", "persistentvolumes") => kinds::persistent_volume(members),
        ("", "pods") => pod_spec::pod(members),
        ("", "podtemplates") => workloads::template(members),
        ("", "replicationcontrollers") => workloads::replication_controller(members),
        ("", "secrets") => secret(members),
        ("coordination.k8s.io", "leases") => {
            members.entry("spec").or_insert_with(|| json!({}));
        }
        ("discovery.k8s.io", "endpointslices") => kinds::endpoint_slice(members),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            kinds::role_binding(members);
        }
        ("scheduling.k8s.io", "priorityclasses") => {
            put_default(members, "preemptionPolicy", json!("PreemptLowerPriority"));
        }
        ("storage.k8s.io", "storageclasses") => kinds::storage_class(members),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations") => {
            kinds::webhooks(members, true);
        }
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations") => {
            kinds::webhooks(members, false);
        }
        _ => {}
    }
    let Some(spec) = object(members, "spec") else { return };
    match (&*resource.group, &*resource.plural) {
        ("", "limitranges") => kinds::limit_range(spec),
        ("", "persistentvolumeclaims") => put_default(spec, "volumeMode", json!("Filesystem")),
        ("", "services") => kinds::service(spec),
        ("apps", "daemonsets") => workloads::daemon_set(spec),
        ("apps", "deployments") => workloads::deployment(spec),
        ("apps", "replicasets") => put_default(spec, "replicas", json!(1)),
        ("apps", "statefulsets") => workloads::stateful_set(spec),
        ("autoscaling", _) => workloads::autoscaler(spec, resource.version == "v1"),
        ("batch", "cronjobs") => workloads::cron_job(spec),
        ("batch", "jobs") => workloads::job(spec),
        ("flowcontrol.apiserver.k8s.io", "flowschemas") => kinds::flow_schema(spec),
        ("flowcontrol.apiserver.k8s.io", _) => kinds::priority_level(spec),
        ("networking.k8s.io", "ingressclasses") => kinds::ingress_class(spec),
        ("networking.k8s.io", "networkpolicies") => kinds::network_policy(spec),
        ("storage.k8s.io", "csidrivers") => kinds::csi_driver(spec),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies") => {
            kinds::admission_policy(spec);
        }
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings") => {
            kinds::match_resources(spec, "matchResources");
        }
        _ => {}
    }
    if matches!(&*resource.group, "apps" | "batch") || resource.is("", "replicationcontrollers") {
        workloads::template(spec);
    }
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

/// Guaranteed when every container's limits of CPU and memory equal its requests, BestEffort
/// when none has either, else Burstable.
pub(crate) fn qos_class(spec: &Map<String, Value>) -> &'static str {
    let containers = |list: &str| spec.get(list).and_then(Value::as_array).into_iter().flatten();
    let mut guaranteed = containers("containers").next().is_some();
    let mut best_effort = true;
    for container in containers("containers").chain(containers("initContainers")) {
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

/// A member that is an object.
fn object<'a>(
    members: &'a mut Map<String, Value>,
    key: &str,
) -> Option<&'a mut Map<String, Value>> {
    members.get_mut(key)?.as_object_mut()
}

/// The objects in a member that is a list.
fn array<'a>(
    members: &'a mut Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let items = members.get_mut(key).and_then(Value::as_array_mut);
    items.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn text<'a>(members: &'a Map<String, Value>, key: &str) -> &'a str {
    members.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn put_default(object: &mut Map<String, Value>, key: &str, value: Value) {
    match object.get(key) {
        None | Some(Value::Null) => {
            object.insert(key.to_owned(), value);
        }
        Some(_) => {}
    }
}
