//! Priority: a pod's priority is its class's.
//!
//! Source: `plugin/pkg/admission/priority/admission.go`; recorded 1.33.2.

use serde_json::{Map, Value};

use super::{Cluster, forbidden};
use crate::{Resource, meta, status::Result};

pub(super) fn on_create(
    resource: &Resource,
    object: &mut Value,
    cluster: &dyn Cluster,
) -> Result<()> {
    if resource.is("", "pods") { resolve(resource, object, cluster) } else { Ok(()) }
}

pub(super) fn on_update(resource: &Resource, subresource: &str, old: &Value, object: &mut Value) {
    if subresource.is_empty() && resource.is("", "pods") {
        keep(old, object);
    }
}

/// There is one default at most; one that is updated may stay it.
pub(super) fn check(
    resource: &Resource,
    object: &Value,
    is_update: bool,
    cluster: &dyn Cluster,
) -> Result<()> {
    if !is_class(resource) || !is_default(object) {
        return Ok(());
    }
    let known = default_class(cluster)
        .filter(|known| !is_update || meta::name(known) != meta::name(object));
    known.map_or(Ok(()), |known| Err(second_default(resource, object, &known)))
}

fn is_class(resource: &Resource) -> bool {
    resource.is(GROUP, CLASSES)
}

fn is_default(class: &Value) -> bool {
    class.get("globalDefault").and_then(Value::as_bool).unwrap_or_default()
}

fn second_default(resource: &Resource, object: &Value, known: &Value) -> crate::Status {
    let detail = format!(
        "PriorityClass {} is already marked as default. Only one default can exist",
        meta::name(known)
    );
    forbidden(resource, object, &detail)
}

/// The default with the lowest value; there may be several for a while.
fn default_class(cluster: &dyn Cluster) -> Option<Value> {
    let classes = cluster.list(GROUP, CLASSES, "");
    classes.into_iter().filter(is_default).min_by_key(value_of)
}

fn value_of(class: &Value) -> i64 {
    class.get("value").and_then(Value::as_i64).unwrap_or_default()
}

/// What an update leaves out stays.
fn keep(old: &Value, object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for key in ["priority", "preemptionPolicy"] {
        let given = spec.get(key).is_some_and(|value| !value.is_null());
        if !given && let Some(known) = old.get("spec").and_then(|spec| spec.get(key)) {
            spec.insert(key.into(), known.clone());
        }
    }
}

fn resolve(resource: &Resource, pod: &mut Value, cluster: &dyn Cluster) -> Result<()> {
    let text = |spec: Option<&Value>, key: &str| {
        spec.and_then(|spec| spec.get(key)?.as_str()).unwrap_or_default().to_owned()
    };
    let named = text(pod.get("spec"), "priorityClassName");
    let class = match named.as_str() {
        "" => default_class(cluster),
        name => match cluster.get(GROUP, CLASSES, "", name) {
            Some(class) => Some(class),
            None => {
                let detail = format!("no PriorityClass with name {name} was found");
                return Err(forbidden(resource, pod, &detail));
            }
        },
    };
    let computed = class.as_ref().map_or(0, value_of);
    let policy = match &class {
        None => PREEMPT.to_owned(),
        Some(class) => text(Some(class), "preemptionPolicy"),
    };
    let given = pod.pointer("/spec/priority").and_then(Value::as_i64);
    if let Some(given) = given.filter(|given| *given != computed) {
        let detail = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority \
             admission controller computed {computed} from the given PriorityClass name"
        );
        return Err(forbidden(resource, pod, &detail));
    }
    let given = text(pod.get("spec"), "preemptionPolicy");
    if !given.is_empty() && !policy.is_empty() && given != policy {
        let detail = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; \
             priority admission controller computed {policy} from the given PriorityClass name"
        );
        return Err(forbidden(resource, pod, &detail));
    }
    let spec = pod
        .as_object_mut()
        .and_then(|pod| pod.entry("spec").or_insert_with(|| Map::new().into()).as_object_mut());
    let Some(spec) = spec else { return Ok(()) };
    if let Some(class) = class {
        spec.insert("priorityClassName".into(), meta::name(&class).into());
    }
    spec.insert("priority".into(), computed.into());
    if !policy.is_empty() {
        spec.insert("preemptionPolicy".into(), policy.into());
    }
    Ok(())
}

const GROUP: &str = "scheduling.k8s.io";
const CLASSES: &str = "priorityclasses";
const PREEMPT: &str = "PreemptLowerPriority";
