//! `pods/binding` and `bindings`: a pod gets its node.
//!
//! Source: `BindingREST` in `pkg/registry/core/pod/storage/storage.go`; recorded 1.33.2.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{canonical, set_pod_condition};
use crate::{Resource, Status, StatusCause, go, meta, status::Result};

/// Whether a Binding is one. `name` is the path's; empty for a POST to `bindings`.
pub fn check(binding: &Value, name: &str) -> Result<()> {
    if !name.is_empty() && meta::name(binding) != name {
        return Err(Status::bad_request("name in URL does not match name in Binding object"));
    }
    let target = |key: &str| {
        binding.get("target").and_then(|target| target.get(key)?.as_str()).unwrap_or_default()
    };
    let mut causes = Vec::new();
    if !matches!(target("kind"), "" | "Node") {
        let kind = go::quote(target("kind"));
        causes.push(StatusCause::not_supported("target.kind", kind, &["Node", "<empty>"]));
    }
    if target("name").is_empty() {
        causes.push(StatusCause::required("target.name", ""));
    }
    // The real one answers with a plain error here, so it is a 500.
    let lines: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    match lines.as_slice() {
        [] => Ok(()),
        [line] => Err(Status::plain_error(line.clone())),
        lines => Err(Status::plain_error(format!("[{}]", lines.join(", ")))),
    }
}

/// The pod with the node that a Binding gives it.
///
/// # Errors
///
/// 409 when it has one, is being deleted, may not be scheduled yet, or is not the pod meant.
pub fn bind(pods: &Resource, pod: &Value, binding: &Value, now: Timestamp) -> Result<Value> {
    let name = meta::name(pod);
    let of_binding = |key: &str| {
        binding.get("metadata").and_then(|metadata| metadata.get(key)?.as_str()).unwrap_or_default()
    };
    let invalid = |what: &str, wanted: &str, found: &str| {
        let detail = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/pods/{}/{name}, \
             ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: {what} in precondition: \
             {wanted}, {what} in object meta: {found}",
            meta::namespace(pod)
        );
        Err(Status::conflict("", "pods", name, &detail))
    };
    let revision = pod.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    for (what, key, found) in [
        ("UID", "uid", meta::uid(pod)),
        ("ResourceVersion", "resourceVersion", revision.unwrap_or_default()),
    ] {
        let wanted = of_binding(key);
        if !wanted.is_empty() && wanted != found {
            return invalid(what, wanted, found);
        }
    }
    let refuse = |detail: &str| Err(Status::conflict("", "pods/binding", name, detail));
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return refuse(&format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let node = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
    if !node.is_empty() {
        return refuse(&format!("pod {name} is already assigned to node {}", go::quote(node)));
    }
    let gates = pod.pointer("/spec/schedulingGates").and_then(Value::as_array);
    if gates.is_some_and(|gates| !gates.is_empty()) {
        return refuse(&format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let mut bound = pod.clone();
    let target = binding.pointer("/target/name").cloned().unwrap_or(Value::Null);
    if let Some(spec) = bound.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("nodeName".into(), target);
    }
    if let Some(Value::Object(given)) = binding.pointer("/metadata/annotations")
        && let Some(metadata) = bound.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(annotations) =
            metadata.entry("annotations").or_insert_with(|| json!({})).as_object_mut()
    {
        annotations.extend(given.clone());
        annotations.sort_keys();
    }
    let mut condition = Map::new();
    condition.insert("type".into(), "PodScheduled".into());
    condition.insert("status".into(), "True".into());
    set_pod_condition(&mut bound, condition, now);
    Ok(canonical(pods, bound))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Release, ResourceTable};

    #[test]
    fn bindings_are_refused_as_recorded() {
        let binding = |target: Value| json!({"metadata": {"name": "y"}, "target": target});
        let message = |binding: &Value, name| check(binding, name).unwrap_err().message;
        assert_eq!(message(&binding(json!({})), "y"), "target.name: Required value");
        assert_eq!(
            message(&binding(json!({"kind": "Pod"})), "y"),
            "[target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\", \
             target.name: Required value]"
        );
        assert_eq!(
            message(&binding(json!({"name": "n"})), "x"),
            "name in URL does not match name in Binding object"
        );
        assert!(check(&binding(json!({"name": "n"})), "").is_ok());
    }

    #[test]
    fn a_pod_is_bound_once() {
        let table = ResourceTable::for_release(Release::default());
        let pods = table.lookup("", "v1", "pods").unwrap();
        let pod = json!({"metadata": {"name": "x", "uid": "u"}, "spec": {"containers": []}});
        let binding = json!({"metadata": {"name": "x", "annotations": {"k": "v"}},
            "target": {"kind": "Node", "name": "n9"}});
        let bound = bind(pods, &pod, &binding, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(bound["spec"]["nodeName"], "n9");
        assert_eq!(bound["metadata"]["annotations"], json!({"k": "v"}));
        assert_eq!(
            bound["status"]["conditions"],
            json!([{"type": "PodScheduled", "status": "True", "lastProbeTime": null,
                "lastTransitionTime": "1970-01-01T00:00:00Z"}])
        );
        let again = bind(pods, &bound, &binding, Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(
            again.message,
            "Operation cannot be fulfilled on pods/binding \"x\": pod x is already assigned to \
             node \"n9\""
        );
    }
}
