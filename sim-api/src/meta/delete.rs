//! What a deletion does: remove at once, mark, or wait.
//!
//! Source: k8s.io/apiserver `pkg/registry/rest/delete.go`, `registry/generic/registry/store.go`;
//! `pkg/registry/core/{pod,namespace}` of Kubernetes.

use serde_json::{Map, Value, json};

use super::{WriteContext, generation, join, split, str_of, strings, time};
use crate::{
    Resource, Status,
    list_options::{DeleteOptions, Propagation},
    status::Result,
};

/// What to do with an object that is to be deleted.
#[derive(Clone, Debug, PartialEq)]
pub enum DeletePlan {
    /// Remove it.
    Remove,
    /// It is being deleted already, and this asks for nothing more.
    Unchanged,
    /// Store this version of it; somebody removes it later.
    Update(Value),
}

/// Decides on a deletion. A precondition that does not hold is a 409.
pub fn plan_delete(
    resource: &Resource,
    object: &Value,
    options: &DeleteOptions,
    context: &WriteContext,
) -> Result<DeletePlan> {
    check_preconditions(resource, object, options)?;
    let (members, metadata) = split(object.clone())?;
    if resource.is("", "namespaces") {
        return delete_namespace(resource, members, metadata, options, context);
    }
    if crate::crd::is_definitions(resource) && !metadata.contains_key("deletionTimestamp") {
        return Ok(DeletePlan::Update(crate::crd::terminate(object, context.now)));
    }
    let mut marked = metadata.clone();
    set_finalizers(&mut marked, options.propagation);
    let grace = if resource.is("", "pods") {
        match pod_grace(&members, &metadata, options) {
            Some(seconds) => seconds,
            None if marked == metadata => return Ok(DeletePlan::Unchanged),
            None => return Ok(DeletePlan::Update(join(resource, members, marked))),
        }
    } else {
        0
    };
    if grace == 0 && strings(&marked, "finalizers").is_empty() {
        return Ok(DeletePlan::Remove);
    }
    if !metadata.contains_key("deletionTimestamp") {
        let at = context.now + jiff::SignedDuration::from_secs(grace);
        mark(&mut marked, &time(at), grace);
        let generation = generation(&metadata);
        if generation > 0 {
            marked.insert("generation".into(), (generation + 1).into());
        }
    } else if metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64) != Some(grace) {
        // Shorter than before: the end moves by the difference, though not into the past.
        let old = metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
        let end = str_of(&metadata, "deletionTimestamp").parse().unwrap_or(context.now);
        let moved = end - jiff::SignedDuration::from_secs(old - grace);
        mark(&mut marked, &time(moved.max(context.now)), grace);
    }
    if marked == metadata {
        return Ok(DeletePlan::Unchanged);
    }
    Ok(DeletePlan::Update(join(resource, members, marked)))
}

/// Whether nothing holds an object any longer: it is marked, has no finalizer and no time left.
/// Ask this after an update; the caller then removes it instead of storing it.
pub fn is_released(object: &Value) -> bool {
    let Some(metadata) = object.get("metadata").and_then(Value::as_object) else { return false };
    let spec_finalizers = object.get("spec").and_then(|spec| spec.get("finalizers")?.as_array());
    let is_namespace = object.get("kind").and_then(Value::as_str) == Some("Namespace");
    let grace = metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64);
    metadata.contains_key("deletionTimestamp")
        && grace.unwrap_or(0) == 0
        && strings(metadata, "finalizers").is_empty()
        && (!is_namespace || spec_finalizers.is_none_or(Vec::is_empty))
}

/// Whether an object is the one that is to be deleted.
///
/// # Errors
///
/// 409 when it has another uid or resourceVersion.
pub fn check_preconditions(
    resource: &Resource,
    object: &Value,
    options: &DeleteOptions,
) -> Result<()> {
    let refuse = |detail: String| {
        let name = super::name(object);
        Err(Status::conflict(&resource.group, &resource.kind, name, &detail))
    };
    if let Some(uid) = &options.precondition_uid {
        let found = super::uid(object);
        if uid != found {
            return refuse(format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({found}). \
                 The object might have been deleted and then recreated"
            ));
        }
    }
    if let Some(revision) = &options.precondition_resource_version {
        let found = super::text(object, "resourceVersion");
        if revision != found {
            return refuse(format!(
                "the ResourceVersion in the precondition ({revision}) does not match the \
                 ResourceVersion in record ({found}). The object might have been modified"
            ));
        }
    }
    Ok(())
}

fn delete_namespace(
    resource: &Resource,
    mut members: Map<String, Value>,
    mut metadata: Map<String, Value>,
    options: &DeleteOptions,
    context: &WriteContext,
) -> Result<DeletePlan> {
    let name = str_of(&metadata, "name");
    if IMMORTAL_NAMESPACES.contains(&name) {
        let detail = "this namespace may not be deleted";
        return Err(Status::forbidden("", "namespaces", name, detail));
    }
    let before = metadata.clone();
    set_finalizers(&mut metadata, options.propagation);
    let spec_finalizers = members.get("spec").and_then(|spec| spec.get("finalizers")?.as_array());
    let is_held = spec_finalizers.is_some_and(|finalizers| !finalizers.is_empty())
        || !strings(&metadata, "finalizers").is_empty();
    if !is_held {
        return Ok(DeletePlan::Remove);
    }
    if before.contains_key("deletionTimestamp") && metadata == before {
        return Ok(DeletePlan::Unchanged);
    }
    metadata.entry("deletionTimestamp").or_insert_with(|| time(context.now).into());
    let status = members.entry("status").or_insert_with(|| json!({}));
    if let Some(status) = status.as_object_mut() {
        status.insert("phase".into(), "Terminating".into());
    }
    Ok(DeletePlan::Update(join(resource, members, metadata)))
}

/// Seconds that a pod gets; `None` when it has a term that this does not shorten.
fn pod_grace(
    members: &Map<String, Value>,
    metadata: &Map<String, Value>,
    options: &DeleteOptions,
) -> Option<i64> {
    let part = |member: &str, key: &str| members.get(member).and_then(|value| value.get(key));
    let text = |member, key| part(member, key).and_then(Value::as_str).unwrap_or_default();
    let asked = options.grace_period_seconds.map(|seconds| if seconds < 0 { 1 } else { seconds });
    if metadata.contains_key("deletionTimestamp") {
        let current = metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64)?;
        return asked.filter(|&asked| asked < current);
    }
    let own = part("spec", "terminationGracePeriodSeconds").and_then(Value::as_i64);
    let asked = asked.or(own).unwrap_or(POD_GRACE_SECONDS);
    let is_over = matches!(text("status", "phase"), "Succeeded" | "Failed");
    // Nothing runs where nothing was scheduled.
    Some(if text("spec", "nodeName").is_empty() || is_over {
        0
    } else {
        if asked < 0 { 1 } else { asked }
    })
}

/// Puts in or takes out the garbage collector's finalizers, as the policy says.
fn set_finalizers(metadata: &mut Map<String, Value>, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else { return };
    let wanted = match propagation {
        Propagation::Background => "",
        Propagation::Foreground => "foregroundDeletion",
        Propagation::Orphan => "orphan",
    };
    let mut finalizers = strings(metadata, "finalizers");
    finalizers.retain(|name| !matches!(name.as_str(), "orphan" | "foregroundDeletion"));
    if !wanted.is_empty() {
        finalizers.push(wanted.to_owned());
    }
    if finalizers.is_empty() {
        metadata.shift_remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), finalizers.into());
    }
}

fn mark(metadata: &mut Map<String, Value>, at: &str, grace: i64) {
    metadata.insert("deletionTimestamp".into(), at.into());
    metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
}

/// Seconds. Source: `DefaultTerminationGracePeriodSeconds`.
const POD_GRACE_SECONDS: i64 = 30;
/// Source: the NamespaceLifecycle admission plugin.
const IMMORTAL_NAMESPACES: [&str; 3] = ["default", "kube-system", "kube-public"];
