//! What may change of a pod's resources while it runs.
//!
//! Source: `ValidatePodResize`.

use serde_json::{Map, Value};

use crate::{
    StatusCause,
    field::{At, Errors, is_same},
    meta, quantity,
};

/// The rules on the whole pod.
pub(super) fn pod(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let forbids = |detail: &str| StatusCause::forbidden("", detail);
    let annotations = old.at("metadata").at("annotations");
    if annotations.map().is_some_and(|known| known.contains_key(MIRROR)) {
        e.truncate(0);
        return e.push(forbids("static pods cannot be resized"));
    }
    if old.at("spec").at("os").at("name").text() == "windows" {
        e.truncate(0);
        return e.push(forbids("windows pods cannot be resized"));
    }
    let (spec, old_spec) = (new.at("spec"), old.at("spec"));
    let class = old.at("status").at("qosClass");
    let asked = spec.value().as_object().map(meta::qos_class);
    if !class.is_empty() && asked.is_some_and(|asked| asked != class.text()) {
        let detail = "Pod QOS Class may not change as a result of resizing";
        e.invalid_text(&spec, class.text(), detail);
    }
    if !is_supported(old) {
        e.forbidden(&spec, "Pod running on node without support for resize");
    }
    let before = e.len();
    for list in ["containers", "initContainers"] {
        order(e, &spec.at(list), &old_spec.at(list), list);
    }
    if e.len() > before {
        return;
    }
    for (container, old) in spec.at("containers").items().zip(old_spec.at("containers").items()) {
        resources(e, &container, &old);
        if !is_same(&without_cpu_and_memory(container.value(), old.value()), old.value()) {
            e.forbidden(&spec, "only cpu and memory resources are mutable");
        }
    }
    let inits = spec.at("initContainers");
    for (container, old) in inits.items().zip(old_spec.at("initContainers").items()) {
        if old.at("restartPolicy").text() == "Always" {
            resources(e, &container, &old);
            if !is_same(&without_cpu_and_memory(container.value(), old.value()), old.value()) {
                let detail = "only cpu and memory resources for sidecar containers are mutable";
                e.forbidden(&spec, detail);
            }
        } else if !is_same(container.value(), old.value()) {
            e.forbidden(&spec, "resources for non-sidecar init containers are immutable");
        }
    }
}

/// A node that can do it tells what running containers have.
fn is_supported(pod: &At<'_>) -> bool {
    let statuses = pod.at("status").at("containerStatuses");
    let running = statuses.items().find(|status| status.at("state").at("running").is_set());
    running.is_none_or(|status| status.at("resources").is_set())
}

fn order(e: &mut Errors, new: &At<'_>, old: &At<'_>, list: &str) {
    if new.list().len() != old.list().len() {
        return e.forbidden(new, &format!("{list} may not be added or removed on resize"));
    }
    for (container, old) in new.items().zip(old.items()) {
        let name = container.at("name");
        if name.text() != old.at("name").text() {
            e.forbidden(&name, &format!("{list} may not be renamed or reordered on resize"));
        }
    }
}

/// `validateContainerResize`.
fn resources(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let (resources, before) = (new.at("resources"), old.at("resources"));
    for (list, what) in [("requests", "resource requests"), ("limits", "resource limits")] {
        let now = resources.at(list);
        let is_gone = |name: &str| now.map().is_none_or(|amounts| !amounts.contains_key(name));
        if before.at(list).map().is_some_and(|old| old.keys().any(|name| is_gone(name))) {
            e.forbidden(&now, &format!("{what} cannot be removed"));
        }
    }
    let restarts = new.at("resizePolicy").items().any(|policy| {
        policy.at("resourceName").text() == "memory"
            && policy.at("restartPolicy").text() == "RestartContainer"
    });
    let (limit, before) = (resources.at("limits").key("memory"), before.at("limits").key("memory"));
    let amount = |at: &At<'_>| quantity::nanos(at.text());
    if !restarts
        && let (Some(now), Some(before)) = (amount(&limit), amount(&before))
        && now < before
    {
        let detail = "memory limits cannot be decreased unless resizePolicy is RestartContainer";
        e.forbidden(&limit, detail);
    }
}

/// The container with the amounts of CPU and memory that it had.
fn without_cpu_and_memory(new: &Value, old: &Value) -> Value {
    let mut container = new.clone();
    let Some(members) = container.as_object_mut() else { return container };
    let mut resources = members.get("resources").and_then(Value::as_object).cloned();
    let resources = resources.get_or_insert_with(Map::new);
    for list in ["requests", "limits"] {
        let before = old.pointer(&format!("/resources/{list}")).and_then(Value::as_object);
        let mut amounts =
            resources.get(list).and_then(Value::as_object).cloned().unwrap_or_default();
        for name in ["cpu", "memory"] {
            match before.and_then(|before| before.get(name)) {
                Some(amount) => amounts.insert(name.into(), amount.clone()),
                None => amounts.shift_remove(name),
            };
        }
        if amounts.is_empty() && before.is_none() {
            resources.shift_remove(list);
        } else {
            resources.insert(list.into(), amounts.into());
        }
    }
    if resources.is_empty() && old.get("resources").is_none() {
        members.shift_remove("resources");
    } else {
        let resources = std::mem::take(resources);
        members.insert("resources".into(), resources.into());
    }
    container
}

const MIRROR: &str = "kubernetes.io/config.mirror";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(old: &Value, new: &Value, expected: &[&str]) {
        let mut errors = Errors::new();
        let object = |containers: &Value| json!({"spec": {"containers": containers}, "status": {"qosClass": "Burstable"}});
        let (old, new) = (object(old), object(new));
        pod(&mut errors, &At::root(&new), &At::root(&old));
        let causes: Vec<String> = errors
            .into_causes()
            .into_iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect();
        assert_eq!(causes, expected);
    }

    #[test]
    fn a_resize_is_of_cpu_and_memory_alone() {
        let container = |resources: Value| json!([{"name": "c", "resources": resources}]);
        let old = container(json!({"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}));
        let resized = json!({"requests": {"cpu": "2"}, "limits": {"memory": "3Gi"}});
        check(&old, &container(resized), &[]);
        let less = json!({"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}});
        check(
            &old,
            &container(less),
            &["spec.containers[0].resources.limits[memory]: Forbidden: memory limits cannot be \
               decreased unless resizePolicy is RestartContainer"],
        );
        check(
            &old,
            &container(json!({"limits": {"memory": "2Gi"}})),
            &["spec.containers[0].resources.requests: Forbidden: resource requests cannot be \
               removed"],
        );
        let other = json!({"requests": {"cpu": "1", "a/b": "1"}, "limits": {"memory": "2Gi"}});
        check(
            &old,
            &container(other),
            &["spec: Forbidden: only cpu and memory resources are mutable"],
        );
        check(
            &old,
            &json!([]),
            &[
                "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of \
                 resizing",
                "spec.containers: Forbidden: containers may not be added or removed on resize",
            ],
        );
    }
}
