//! What a write that is no apply does to who owns what.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    compare::{Comparison, compare},
    managed::{Managed, Manager, Owned},
    set::Set,
};
use crate::{
    Resource, meta,
    schema::{Schema, Typed},
};

/// Records that `manager` made `new` out of `live`: sets `new`'s managedFields.
///
/// `live` is nothing for an object that is created. Both are whole objects of the resource's
/// version, `new` with the managedFields that the client sent. Nothing is recorded for an object
/// whose managers are unknown; the entry `{}` alone asks for that.
pub fn track(
    resource: &Resource,
    subresource: &str,
    live: Option<&Value>,
    new: &mut Value,
    manager: &str,
    now: Timestamp,
) {
    let typed = Schema::of(resource);
    let sent = take(new);
    let known = live.and_then(entries);
    let managed = match live_or_sent(known, sent.as_ref(), !subresource.is_empty()) {
        managed if managed.is_empty() && live.is_some() => managed,
        managed => {
            let manager = Manager::update(manager, resource.api_version(), subresource);
            let zero = || bare(typed.zero());
            let live = live.map_or_else(zero, |live| bare(live.clone()));
            update(&typed, resource, &live, new, managed, manager, now)
        }
    };
    put(new, &managed);
    if let Some(known) = known
        && let Some(found) = entries(new)
        && is_same_but_for_times(known, found)
        && live.is_some_and(|live| equal_but_for_managed_fields(live, new))
    {
        put_value(new, known.clone());
    }
}

/// Takes what `manager` changed from all others and gives it to it.
pub(super) fn update(
    typed: &Typed,
    resource: &Resource,
    live: &Value,
    new: &Value,
    mut managed: Managed,
    manager: Manager,
    now: Timestamp,
) -> Managed {
    let ignored = ignored(resource, &manager.subresource);
    let comparison = compare(typed, live, new).without(&ignored);
    disown(&mut managed, &comparison, None);
    let changed = comparison.added.union(&comparison.modified).difference(&never_owned());
    if !changed.is_empty() {
        let owned = managed.0.entry(manager).or_insert_with(|| Owned {
            set: Set::default(),
            api_version: resource.api_version().to_owned(),
            time: None,
        });
        owned.set = owned.set.union(&changed);
        owned.time = Some(meta::time(now));
    }
    managed.cap_updates();
    managed
}

/// Takes what changed from everybody but `except`.
pub(super) fn disown(managed: &mut Managed, comparison: &Comparison, except: Option<&Manager>) {
    if comparison.is_same() {
        return;
    }
    let changed = comparison.added.union(&comparison.modified).union(&comparison.removed);
    managed.0.retain(|manager, owned| {
        if except == Some(manager) {
            return true;
        }
        owned.set = owned.set.difference(&changed);
        !owned.set.is_empty()
    });
}

/// The managers to begin with: what the client sent, or what was known where it sent none or
/// nonsense. A subresource cannot set them.
fn live_or_sent(known: Option<&Value>, sent: Option<&Value>, is_subresource: bool) -> Managed {
    let of_known = || Managed::decode(known).unwrap_or_default();
    if is_subresource {
        return of_known();
    }
    let is_reset = sent.and_then(Value::as_array).is_some_and(
        |entries| matches!(entries.as_slice(), [Value::Object(entry)] if entry.is_empty()),
    );
    if is_reset {
        return Managed::default();
    }
    match Managed::decode(sent) {
        Ok(managed) if !managed.is_empty() => managed,
        _ => of_known(),
    }
}

/// What the server sets whatever a client says, so that a write to this subresource does not
/// own it.
///
/// Source: `GetResetFields` of each kind's strategies, which agree on these but for a few
/// members of the metadata.
pub(super) fn ignored(resource: &Resource, subresource: &str) -> Set {
    match subresource {
        "" if resource.subresource("status").is_some() => Set::of_fields(&["status"]),
        "status" => match (&*resource.group, &*resource.plural) {
            ("", "pods") => {
                Set::of_fields(&["spec", "metadata.deletionTimestamp", "metadata.ownerReferences"])
            }
            ("apps", "deployments") => Set::of_fields(&["spec", "metadata.labels"]),
            ("admissionregistration.k8s.io" | "apiextensions.k8s.io", _)
            | ("apiregistration.k8s.io" | "flowcontrol.apiserver.k8s.io", _)
            | ("storage.k8s.io" | "resource.k8s.io", _) => Set::of_fields(&["spec", "metadata"]),
            _ => Set::of_fields(&["spec"]),
        },
        _ => Set::default(),
    }
}

/// Fields that nobody owns, as they are not anybody's to set. Source: `stripSet`.
pub(super) fn never_owned() -> Set {
    Set::of_fields(&[
        "apiVersion",
        "kind",
        "metadata",
        "metadata.name",
        "metadata.namespace",
        "metadata.creationTimestamp",
        "metadata.selfLink",
        "metadata.uid",
        "metadata.clusterName",
        "metadata.generation",
        "metadata.managedFields",
        "metadata.resourceVersion",
    ])
}

/// The managedFields of an object.
pub(super) fn entries(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("managedFields")
}

/// Takes the managedFields out of an object.
pub(super) fn take(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.shift_remove("managedFields")
}

/// An object without its managedFields.
pub(super) fn bare(mut object: Value) -> Value {
    take(&mut object);
    object
}

/// Puts managedFields into an object; none leave no trace.
pub(super) fn put(object: &mut Value, managed: &Managed) {
    if !managed.is_empty() {
        put_value(object, managed.encode());
    }
}

fn put_value(object: &mut Value, entries: Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("managedFields".into(), entries);
    }
}

pub(super) fn is_same_but_for_times(a: &Value, b: &Value) -> bool {
    match (a.as_array(), b.as_array()) {
        (Some(a), Some(b)) => {
            let others = |entry: &Value| -> Vec<(String, Value)> {
                let members = entry.as_object().into_iter().flatten();
                let others = members.filter(|(key, _)| *key != "time");
                let mut others: Vec<_> = others.map(|(k, v)| (k.clone(), v.clone())).collect();
                others.sort_by(|(a, _), (b, _)| a.cmp(b));
                others
            };
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| others(a) == others(b))
        }
        _ => a == b,
    }
}

fn equal_but_for_managed_fields(a: &Value, b: &Value) -> bool {
    bare(a.clone()) == bare(b.clone())
}
