//! `approval` of a CertificateSigningRequest: who approves writes conditions, who signs the rest
//! of the status.
//!
//! Source: `pkg/registry/certificates/certificates/strategy.go` (release-1.33).

use serde_json::{Map, Value, json};

/// Takes out of an update what its subresource may not change; `old` is what is stored.
pub(crate) fn keep(part: &str, members: &mut Map<String, Value>, old: &Map<String, Value>) {
    let before = old.get("status").cloned().unwrap_or_else(|| json!({}));
    match part {
        "approval" => {
            let given = conditions(members.get("status"));
            members.insert("status".into(), with_conditions(before, given));
        }
        "status" => {
            let mut given = conditions(members.get("status"));
            given.retain(|condition| !is_decision(condition));
            let mut kept = conditions(Some(&before));
            kept.retain(is_decision);
            kept.extend(given);
            let status = members.get("status").cloned().unwrap_or_else(|| json!({}));
            members.insert("status".into(), with_conditions(status, kept));
        }
        // The request itself does not change once it is made.
        _ => {
            if let Some(spec) = old.get("spec") {
                members.insert("spec".into(), spec.clone());
            }
        }
    }
}

fn conditions(status: Option<&Value>) -> Vec<Value> {
    let conditions = status.and_then(|status| status.get("conditions")?.as_array());
    conditions.cloned().unwrap_or_default()
}

fn with_conditions(mut status: Value, conditions: Vec<Value>) -> Value {
    if let Some(members) = status.as_object_mut() {
        if conditions.is_empty() {
            members.shift_remove("conditions");
        } else {
            members.insert("conditions".into(), conditions.into());
        }
    }
    status
}

fn is_decision(condition: &Value) -> bool {
    let kind = condition.get("type").and_then(Value::as_str);
    matches!(kind, Some("Approved" | "Denied"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approval_and_status_keep_to_their_parts() {
        let object = |conditions: Value, certificate: &str| {
            let status = json!({"conditions": conditions, "certificate": certificate});
            let object = json!({"spec": {"request": certificate}, "status": status});
            object.as_object().cloned().unwrap()
        };
        let condition = |kind: &str| json!({"type": kind, "status": "True"});
        let old = object(json!([condition("Approved")]), "old");
        let mut new = object(json!([condition("Denied")]), "new");
        keep("approval", &mut new, &old);
        assert_eq!(
            new["status"],
            json!({"conditions": [condition("Denied")], "certificate": "old"})
        );
        let mut new = object(json!([condition("Failed"), condition("Denied")]), "new");
        keep("status", &mut new, &old);
        assert_eq!(
            new["status"],
            json!({"conditions": [condition("Approved"), condition("Failed")],
                "certificate": "new"})
        );
        let mut new = object(json!([]), "new");
        keep("", &mut new, &old);
        assert_eq!(new["spec"]["request"], "old");
    }
}
