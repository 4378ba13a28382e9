//! Conditions of a definition.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::meta;

/// Whether a condition has the status.
pub(super) fn is(crd: &Value, kind: &str, status: &str) -> bool {
    find(crd, kind).is_some_and(|found| found.get("status").and_then(Value::as_str) == Some(status))
}

pub(super) fn find<'a>(crd: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = crd.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|found| found.get("type").and_then(Value::as_str) == Some(kind))
}

/// Sets a condition; its time stays where its status does.
///
/// Source: `SetCRDCondition`.
pub(super) fn set(
    crd: &mut Value,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    let old = find(crd, kind);
    let time = match old {
        Some(old) if old.get("status").and_then(Value::as_str) == Some(status) => {
            old.get("lastTransitionTime").cloned().unwrap_or_default()
        }
        _ => meta::time(now).into(),
    };
    let condition = json!({
        "type": kind,
        "status": status,
        "lastTransitionTime": time,
        "reason": reason,
        "message": message,
    });
    let Some(members) = crd.as_object_mut() else { return };
    let whole = members.entry("status").or_insert_with(|| json!({}));
    if !whole.is_object() {
        *whole = json!({});
    }
    let conditions = &mut whole["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    if let Some(conditions) = conditions.as_array_mut() {
        let of_kind = |found: &&mut Value| found.get("type").and_then(Value::as_str) == Some(kind);
        match conditions.iter_mut().find(of_kind) {
            Some(found) => *found = condition,
            None => conditions.push(condition),
        }
    }
}
