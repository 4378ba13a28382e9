//! What may change of a pod that exists.
//!
//! Source: `ValidatePodUpdate`.

use serde_json::{Map, Value};

use crate::{
    field::{At, Errors, is_same},
    go_diff, go_syntax,
    validation::{metadata::same, text},
};

/// The rules on the specification that ask what it was before.
pub(super) fn spec(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    for list in ["containers", "initContainers"] {
        let containers = new.at(list);
        if containers.list().len() != old.at(list).list().len() {
            return e.forbidden(&containers, "pod updates may not add or remove containers");
        }
        for container in containers.items() {
            if container.at("image").is_empty() {
                e.required(&container.at("image"), "");
            }
            super::container::only_for_pod(e, &container);
        }
    }
    if !deadline(e, &new.at("activeDeadlineSeconds"), &old.at("activeDeadlineSeconds")) {
        return;
    }
    tolerations(e, &new.at("tolerations"), &old.at("tolerations"));
    scheduling_gates(e, &new.at("schedulingGates"), &old.at("schedulingGates"));
    if same(new, old) {
        return;
    }
    let munged = without_allowed(e, new, old);
    if !is_same(&munged, old.value()) {
        let internal = |value: &Value| go_syntax::internal_form("core.PodSpec", value);
        let (before, after) = (internal(old.value()), internal(&munged));
        let diff = go_diff::diff(
            "core.PodSpec",
            before.as_ref().unwrap_or_else(|| old.value()),
            after.as_ref().unwrap_or(&munged),
        );
        e.forbidden(
            new,
            &format!("pod updates may not change fields other than {ALLOWED}\n{diff}"),
        );
    }
}

/// Whether to go on.
fn deadline(e: &mut Errors, new: &At<'_>, old: &At<'_>) -> bool {
    let Some(seconds) = new.opt_int() else {
        if old.is_set() {
            let detail = "must not update from a positive integer to nil value";
            e.invalid_as(new, "*int64", detail);
        }
        return true;
    };
    if !(0..=i64::from(i32::MAX)).contains(&seconds) {
        e.invalid(new, &text::between(0, i32::MAX.into()));
        return false;
    }
    if old.opt_int().is_some_and(|old| old < seconds) {
        e.invalid(new, "must be less than or equal to previous value");
        return false;
    }
    true
}

/// `validateOnlyAddedTolerations`.
fn tolerations(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let but_seconds = |value: &Value| {
        let mut members = value.as_object().cloned().unwrap_or_default();
        members.shift_remove("tolerationSeconds");
        Value::Object(members)
    };
    for before in old.list() {
        let before = but_seconds(before);
        if !new.list().iter().any(|after| is_same(&before, &but_seconds(after))) {
            let detail = "existing toleration can not be modified except its tolerationSeconds";
            return e.forbidden(new, detail);
        }
    }
    super::tolerations(e, new);
}

/// `validateOnlyDeletedSchedulingGates`.
fn scheduling_gates(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    for gate in new.items() {
        let name = gate.at("name");
        if !old.items().any(|known| known.at("name").text() == name.text()) {
            let detail = format!(
                "only deletion is allowed, but found new scheduling gate '{}'",
                name.text()
            );
            e.forbidden(&name, &detail);
        }
    }
}

/// The new specification with what may change as it was before.
fn without_allowed(e: &mut Errors, new: &At<'_>, old: &At<'_>) -> Value {
    let mut munged = new.value().as_object().cloned().unwrap_or_default();
    for list in ["containers", "initContainers"] {
        let containers = munged.get_mut(list).and_then(Value::as_array_mut);
        for (container, before) in containers.into_iter().flatten().zip(old.at(list).list()) {
            if let Some(container) = container.as_object_mut() {
                restore(container, "image", before);
            }
        }
    }
    for key in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        restore(&mut munged, key, old.value());
    }
    let key = "terminationGracePeriodSeconds";
    if old.at(key).int() < 0 && new.at(key).int() == 1 {
        restore(&mut munged, key, old.value());
    }
    if !old.at("schedulingGates").is_empty() {
        gated(e, &mut munged, new, old);
    }
    Value::Object(munged)
}

/// A pod that is not to be scheduled yet may get narrower.
fn gated(e: &mut Errors, munged: &mut Map<String, Value>, new: &At<'_>, old: &At<'_>) {
    let (selector, before) = (new.at("nodeSelector"), old.at("nodeSelector"));
    if !same(&selector, &before) {
        let kept = |(key, value): (&str, At<'_>)| {
            selector.value().get(key).is_some_and(|found| found == value.value())
        };
        if !before.entries().all(kept) {
            let detail =
                "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            e.invalid_as(&selector, "{map[string]string}string", detail);
        }
        restore(munged, "nodeSelector", old.value());
    }
    let (affinity, before) =
        (new.at("affinity").at("nodeAffinity"), old.at("affinity").at("nodeAffinity"));
    if same(&affinity, &before) {
        return;
    }
    node_terms(e, &affinity, &before);
    let others = |at: &At<'_>| at.at("podAffinity").is_set() || at.at("podAntiAffinity").is_set();
    if !old.at("affinity").is_set() && !others(&new.at("affinity")) {
        munged.shift_remove("affinity");
        return;
    }
    let whole = munged.entry("affinity").or_insert_with(|| Value::Object(Map::new()));
    if let Some(whole) = whole.as_object_mut() {
        restore(whole, "nodeAffinity", old.at("affinity").value());
    }
}

/// `validateNodeAffinityMutation`.
fn node_terms(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let key = "requiredDuringSchedulingIgnoredDuringExecution";
    let new = new.at(key).at("nodeSelectorTerms");
    let old = old.at(key).at("nodeSelectorTerms");
    let before = old.list();
    if before.is_empty() {
        return;
    }
    if before.len() != new.list().len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        return e.invalid_as(&new, "[]core.NodeSelectorTerm", detail);
    }
    for (term, before) in new.items().zip(before) {
        let begins = |key: &str| {
            let list = |of: &Value| of.get(key).and_then(Value::as_array).cloned();
            let (now, was) =
                (list(term.value()).unwrap_or_default(), list(before).unwrap_or_default());
            now.len() >= was.len() && now.iter().zip(&was).all(|(a, b)| is_same(a, b))
        };
        let is_empty = |of: &Value| {
            let has = |key: &str| of.get(key).is_some_and(|list| list != &Value::Array(vec![]));
            !has("matchExpressions") && !has("matchFields")
        };
        let widened = is_empty(before) && !is_empty(term.value());
        if widened || !begins("matchExpressions") || !begins("matchFields") {
            let detail = "only additions are allowed (no mutations or deletions)";
            e.invalid_as(&term, "core.NodeSelectorTerm", detail);
        }
    }
}

/// `ValidatePodEphemeralContainersUpdate`: they may only be added.
pub(super) fn ephemeral_containers(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let at = new.at("ephemeralContainers");
    for before in old.at("ephemeralContainers").items() {
        let name = before.at("name").text();
        let quoted = crate::go::quote(name);
        match at.items().find(|after| after.at("name").text() == name) {
            None => {
                let detail = format!("existing ephemeral containers {quoted} may not be removed\n");
                e.forbidden(&at, &detail);
            }
            Some(after) if !same(&after, &before) => {
                let diff = go_diff::diff("core.EphemeralContainer", before.value(), after.value());
                let detail =
                    format!("existing ephemeral containers {quoted} may not be changed\n{diff}");
                e.forbidden(&at, &detail);
            }
            Some(_) => {}
        }
    }
}

fn restore(members: &mut Map<String, Value>, key: &str, old: &Value) {
    match old.get(key) {
        Some(value) => members.insert(key.to_owned(), value.clone()),
        None => members.shift_remove(key),
    };
}

/// Source: `updatablePodSpecFields`.
const ALLOWED: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,\
     `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
