//! Subresources that are more than a part of their object: what they take, and what becomes of
//! the object.
//!
//! All of it is pure. The caller stores what comes back, and tries again when somebody else was
//! faster.

pub(crate) mod approval;
pub mod binding;
pub mod connect;
pub mod eviction;
pub mod pod;
pub mod scale;

use serde_json::{Map, Value, json};

use crate::{Resource, meta, schema::Schema};

/// Sets a condition of a pod. Its transition time changes only with its status.
///
/// Source: `podutil.UpdatePodCondition`.
fn set_pod_condition(pod: &mut Value, mut condition: Map<String, Value>, now: jiff::Timestamp) {
    let now = meta::time(now);
    let Some(conditions) = pod
        .as_object_mut()
        .map(|members| members.entry("status").or_insert_with(|| json!({})))
        .and_then(Value::as_object_mut)
        .map(|status| status.entry("conditions").or_insert_with(|| json!([])))
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    let wanted = condition.get("type").cloned();
    let known = conditions.iter_mut().find(|known| known.get("type") == wanted.as_ref());
    let since = known
        .as_deref()
        .filter(|known| known.get("status") == condition.get("status"))
        .and_then(|known| known.get("lastTransitionTime").cloned());
    condition.insert("lastTransitionTime".into(), since.unwrap_or_else(|| now.into()));
    match known {
        Some(known) => *known = condition.into(),
        None => conditions.push(condition.into()),
    }
}

/// The object with its members in the order of the types, and what Go always prints.
fn canonical(resource: &Resource, object: Value) -> Value {
    Schema::of(resource).canonical(object)
}
