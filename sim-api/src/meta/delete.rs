//! What a deletion does: remove at once, mark, or wait.
//!
//! Source: k8s.io/apiserver `pkg/registry/rest/delete.go`, `registry/generic/registry/store.go`;
//! `pkg/registry/core/{pod,namespace}` of Kubernetes.

use jiff::Timestamp;
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
    /// Store this version of it, then remove it: who watches sees both.
    UpdateAndRemove(Value),
}

/// Decides on a deletion. A precondition that does not hold is a 409.
pub fn plan_delete(
    resource: &Resource,
    object: &Value,
    options: &DeleteOptions,
    context: &WriteContext,
) -> Result<DeletePlan> {
    if resource.is("", "namespaces") {
        check_namespace(object, options)?;
        let is_new = object.pointer("/metadata/deletionTimestamp").is_none();
        if is_new || is_namespace_held(object) {
            return delete_namespace(resource, object, is_new, options, context);
        }
    }
    check_preconditions(resource, object, options)?;
    let (members, metadata) = split(object.clone())?;
    if crate::crd::is_definitions(resource) && !metadata.contains_key("deletionTimestamp") {
        return Ok(DeletePlan::Update(crate::crd::terminate(object, context.now)));
    }
    let mut marked = metadata.clone();
    let grace = if resource.is("", "pods") {
        match pod_grace(&members, &metadata, options) {
            Grace::Pending => return Ok(DeletePlan::Unchanged),
            Grace::None => None,
            Grace::Seconds(seconds) => Some(seconds),
        }
    } else {
        None
    };
    set_finalizers(resource, &mut marked, options.propagation);
    let is_held = !strings(&marked, "finalizers").is_empty();
    let Some(grace) = grace else {
        if !is_held {
            return Ok(DeletePlan::Remove);
        }
        mark_held(&mut marked, context);
        return Ok(if marked == metadata {
            DeletePlan::Unchanged
        } else {
            DeletePlan::Update(join(resource, members, marked))
        });
    };
    match deletion_time(&metadata) {
        None => {
            let at = context.now.checked_add(jiff::SignedDuration::from_secs(grace));
            mark(&mut marked, at.unwrap_or(context.now), grace);
            count_generation(&mut marked);
        }
        Some(end) => {
            // Shorter than before: the end moves by the difference, though not into the past.
            let old =
                metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
            let earlier = jiff::SignedDuration::from_secs(old.saturating_sub(grace));
            let moved = end.checked_sub(earlier).unwrap_or(context.now);
            mark(&mut marked, moved.max(context.now), grace);
        }
    }
    let marked = join(resource, members, marked);
    Ok(if grace > 0 || is_held {
        DeletePlan::Update(marked)
    } else {
        DeletePlan::UpdateAndRemove(marked)
    })
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

/// The namespaces that stay, and the preconditions in the words of their storage.
fn check_namespace(object: &Value, options: &DeleteOptions) -> Result<()> {
    let name = super::name(object);
    if IMMORTAL_NAMESPACES.contains(&name) {
        let detail = "this namespace may not be deleted";
        return Err(Status::forbidden("", "namespaces", name, detail));
    }
    let refuse = |what: &str, wanted: &str, found: &str| {
        let detail = format!(
            "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
        );
        Err(Status::conflict("", "namespaces", name, &detail))
    };
    match (&options.precondition_uid, &options.precondition_resource_version) {
        (Some(uid), _) if uid != super::uid(object) => refuse("UID", uid, super::uid(object)),
        (_, Some(revision)) if revision != super::text(object, "resourceVersion") => {
            refuse("ResourceVersion", revision, super::text(object, "resourceVersion"))
        }
        _ => Ok(()),
    }
}

fn is_namespace_held(object: &Value) -> bool {
    let finalizers = object.pointer("/spec/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|finalizers| !finalizers.is_empty())
}

/// A namespace is first of all terminated; what is in it goes before it.
fn delete_namespace(
    resource: &Resource,
    object: &Value,
    is_new: bool,
    options: &DeleteOptions,
    context: &WriteContext,
) -> Result<DeletePlan> {
    if !is_new {
        return Ok(DeletePlan::Unchanged);
    }
    let (mut members, mut metadata) = split(object.clone())?;
    set_finalizers(resource, &mut metadata, options.propagation);
    metadata.insert("deletionTimestamp".into(), time(context.now).into());
    let status = members.entry("status").or_insert_with(|| json!({}));
    if let Some(status) = status.as_object_mut() {
        status.insert("phase".into(), "Terminating".into());
    }
    Ok(DeletePlan::Update(join(resource, members, metadata)))
}

/// The time that a pod gets.
enum Grace {
    /// Its time is over or was never set: it goes like any other object.
    None,
    /// It has a term that this does not shorten.
    Pending,
    Seconds(i64),
}

fn pod_grace(
    members: &Map<String, Value>,
    metadata: &Map<String, Value>,
    options: &DeleteOptions,
) -> Grace {
    let part = |member: &str, key: &str| members.get(member).and_then(|value| value.get(key));
    let text = |member, key| part(member, key).and_then(Value::as_str).unwrap_or_default();
    let positive = |seconds: i64| if seconds < 0 { 1 } else { seconds };
    let asked = options.grace_period_seconds.map(positive);
    if metadata.contains_key("deletionTimestamp") {
        let current = metadata.get("deletionGracePeriodSeconds").and_then(Value::as_i64);
        return match (current.map(positive), asked) {
            (None | Some(0), _) => Grace::None,
            (Some(current), Some(asked)) if asked < current => Grace::Seconds(asked),
            _ => Grace::Pending,
        };
    }
    let own = part("spec", "terminationGracePeriodSeconds").and_then(Value::as_i64);
    let is_over = matches!(text("status", "phase"), "Succeeded" | "Failed");
    // Nothing runs where nothing was scheduled.
    if text("spec", "nodeName").is_empty() || is_over {
        return Grace::Seconds(0);
    }
    Grace::Seconds(positive(asked.or(own).unwrap_or(0)))
}

/// Marks an object that finalizers hold.
///
/// Source: `markAsDeleting`.
fn mark_held(metadata: &mut Map<String, Value>, context: &WriteContext) {
    let known = deletion_time(metadata);
    if known.is_none() {
        count_generation(metadata);
    }
    match known {
        Some(at) if at <= context.now => {
            metadata.insert("deletionGracePeriodSeconds".into(), 0.into());
        }
        _ => mark(metadata, context.now, 0),
    }
}

fn deletion_time(metadata: &Map<String, Value>) -> Option<Timestamp> {
    str_of(metadata, "deletionTimestamp").parse().ok()
}

fn count_generation(metadata: &mut Map<String, Value>) {
    let generation = generation(metadata);
    if generation > 0 {
        metadata.insert("generation".into(), generation.saturating_add(1).into());
    }
}

/// What becomes of the dependents of a kind when nobody says so.
///
/// Source: `DefaultGarbageCollectionPolicy` of the kinds' strategies.
fn default_propagation(resource: &Resource) -> Option<Propagation> {
    match (&*resource.group, &*resource.plural) {
        ("batch", "jobs") | ("", "replicationcontrollers") => Some(Propagation::Orphan),
        _ => None,
    }
}

/// Puts in or takes out the garbage collector's finalizers, as the policy says; without one, as
/// the object or its kind does.
///
/// Source: `deletionFinalizersForGarbageCollection`.
fn set_finalizers(
    resource: &Resource,
    metadata: &mut Map<String, Value>,
    propagation: Option<Propagation>,
) {
    let before = strings(metadata, "finalizers");
    let has = |name: &str| before.iter().any(|known| known == name);
    let is_event =
        matches!((&*resource.group, &*resource.plural), ("" | "events.k8s.io", "events"));
    let wanted = match propagation {
        _ if is_event => Vec::new(),
        Some(Propagation::Background) => Vec::new(),
        Some(Propagation::Foreground) => vec![FOREGROUND],
        Some(Propagation::Orphan) => vec![ORPHAN],
        None if has(ORPHAN) || has(FOREGROUND) => return,
        None if default_propagation(resource) == Some(Propagation::Orphan) => vec![ORPHAN],
        None => return,
    };
    let mut finalizers = before.clone();
    finalizers.retain(|name| !matches!(name.as_str(), ORPHAN | FOREGROUND));
    finalizers.extend(wanted.into_iter().map(str::to_owned));
    let (mut old, mut new) = (before, finalizers.clone());
    old.sort_unstable();
    new.sort_unstable();
    if old == new {
        return;
    }
    if finalizers.is_empty() {
        metadata.shift_remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), finalizers.into());
    }
}

fn mark(metadata: &mut Map<String, Value>, at: Timestamp, grace: i64) {
    metadata.insert("deletionTimestamp".into(), time(at).into());
    metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
}

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// Source: the NamespaceLifecycle admission plugin.
const IMMORTAL_NAMESPACES: [&str; 3] = ["default", "kube-system", "kube-public"];
