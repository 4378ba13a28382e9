//! `scale`: the replicas of a workload, as an `autoscaling/v1` Scale.
//!
//! Source: `pkg/registry/apps/{deployment,replicaset,statefulset}/storage/storage.go` and
//! `pkg/registry/core/replicationcontroller/storage`; recorded 1.33.2.

use serde_json::{Map, Value, json};

use crate::{
    Resource, Status, StatusCause, managed_fields, meta, status::Result, table::selector_text,
};

/// The resource whose objects a `scale` subresource takes and gives.
pub fn resource() -> Resource {
    Resource::new(
        "autoscaling".into(),
        "v1".into(),
        "scales".into(),
        "scale".into(),
        "Scale".into(),
    )
}

/// The Scale of a workload, or of a custom resource that has one.
pub fn of(resource: &Resource, parent: &Value) -> Value {
    if let Some(scale) = resource.custom.as_ref().and_then(|custom| custom.scale.as_ref()) {
        return scale.of(parent);
    }
    let mut metadata = Map::new();
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = parent.get("metadata").and_then(|metadata| metadata.get(key)) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    let part = |path: &str| parent.pointer(path);
    let count = |path: &str| part(path).and_then(Value::as_i64).unwrap_or(0);
    let mut spec = Map::new();
    if count("/spec/replicas") != 0 {
        spec.insert("replicas".into(), count("/spec/replicas").into());
    }
    let mut status = Map::new();
    status.insert("replicas".into(), count("/status/replicas").into());
    let selector = part("/spec/selector").unwrap_or(&Value::Null);
    let selector = match parent.get("kind").and_then(Value::as_str) {
        // Its selector is labels alone.
        Some("ReplicationController") => selector_text(&json!({"matchLabels": selector})),
        _ => selector_text(selector),
    };
    if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
        status.insert("selector".into(), selector.into());
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    })
}

/// The workload after its Scale was written: `change` makes the new Scale out of the present
/// one, and has settled its managedFields.
///
/// # Errors
///
/// What `change` refuses; 422 for replicas that are none, 409 for another object's uid.
pub fn write(
    resource: &Resource,
    parent: &Value,
    change: impl FnOnce(&Value) -> Result<Value>,
) -> Result<Value> {
    let entries = parent.pointer("/metadata/managedFields");
    let mut old = of(resource, parent);
    let of_scale = managed_fields::scale::to_scale(resource, entries)?;
    if of_scale.as_array().is_some_and(|entries| !entries.is_empty()) {
        old["metadata"]["managedFields"] = of_scale;
    }
    let new = change(&old)?;
    let replicas = new.pointer("/spec/replicas").cloned().unwrap_or(Value::Null);
    let replicas = match replicas {
        Value::Null => 0,
        other => other.as_i64().ok_or_else(|| {
            Status::bad_request(
                "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas is no number",
            )
        })?,
    };
    let name = meta::name(parent);
    if replicas < 0 {
        let detail = "must be greater than or equal to 0";
        let cause = StatusCause::invalid("spec.replicas", replicas.to_string(), detail);
        return Err(Status::invalid("autoscaling", "Scale", name, vec![cause]));
    }
    let (asked, found) = (meta::uid(&new), meta::uid(parent));
    if !asked.is_empty() && asked != found {
        let detail = format!(
            "Precondition failed: UID in precondition: {asked}, UID in object meta: {found}"
        );
        let plural = format!("{}/scale", resource.plural);
        return Err(Status::conflict(&resource.group, &plural, name, &detail));
    }
    let entries = managed_fields::scale::to_parent(
        resource,
        entries,
        new.pointer("/metadata/managedFields"),
    )?;
    let mut parent = parent.clone();
    if let Some(scale) = resource.custom.as_ref().and_then(|custom| custom.scale.as_ref()) {
        scale.set(&mut parent, replicas);
    } else if let Some(spec) = parent.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("replicas".into(), replicas.into());
    }
    if let Some(metadata) = parent.get_mut("metadata").and_then(Value::as_object_mut) {
        let revision = new.pointer("/metadata/resourceVersion").cloned().unwrap_or(Value::Null);
        metadata.insert("resourceVersion".into(), revision);
        match entries.as_array() {
            Some(list) if list.is_empty() => metadata.shift_remove("managedFields"),
            _ => metadata.insert("managedFields".into(), entries),
        };
    }
    Ok(parent)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{Release, ResourceTable};

    fn parent() -> Value {
        json!({
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"name": "x", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "managedFields": [{"manager": "golden", "operation": "Update",
                    "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}}}]},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"b": "2", "a": "1"},
                "matchExpressions": [{"key": "c", "operator": "In", "values": ["y", "x"]}]}},
        })
    }

    #[test]
    fn a_scale_tells_replicas_and_selector() {
        let table = ResourceTable::for_release(Release::default());
        let deployments = table.lookup("apps", "v1", "deployments").unwrap();
        let scale = of(deployments, &parent());
        assert_eq!(scale["spec"], json!({"replicas": 2}));
        assert_eq!(scale["status"], json!({"replicas": 0, "selector": "a=1,b=2,c in (x,y)"}));
        let controller = json!({"kind": "ReplicationController", "metadata": {"name": "x"},
            "spec": {"replicas": 0, "selector": {"app": "a"}}});
        let controllers = table.lookup("", "v1", "replicationcontrollers").unwrap();
        let scale = of(controllers, &controller);
        assert_eq!(scale["spec"], json!({}));
        assert_eq!(scale["status"]["selector"], "app=a");
    }

    #[test]
    fn who_scales_owns_the_replicas() {
        let table = ResourceTable::for_release(Release::default());
        let deployments = table.lookup("apps", "v1", "deployments").unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let written = write(deployments, &parent(), |old| {
            let mut new = old.clone();
            new["spec"]["replicas"] = 5.into();
            managed_fields::track(&resource(), "scale", Some(old), &mut new, "sc", now);
            Ok(new)
        })
        .unwrap();
        assert_eq!(written["spec"]["replicas"], 5);
        assert_eq!(
            written["metadata"]["managedFields"],
            json!([
                {"manager": "sc", "operation": "Update", "apiVersion": "apps/v1",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}},
                    "subresource": "scale"},
                {"manager": "golden", "operation": "Update", "apiVersion": "apps/v1",
                    "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:paused": {}}}},
            ])
        );
    }
}
