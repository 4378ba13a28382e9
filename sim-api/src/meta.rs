//! The rules that all objects share: metadata, creation, update, deletion.
//!
//! Everything from outside (the time, random names and uids) comes in as a [`WriteContext`], so
//! that the same request gives the same object.
//!
//! Source: k8s.io/apiserver `pkg/registry/rest/{create,update,delete}.go`,
//! k8s.io/apimachinery `pkg/api/validation/objectmeta.go` (release-1.33).

mod adopt;
mod create;
mod defaults;
mod delete;
pub(crate) mod names;
mod update;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

pub(crate) use self::defaults::qos_class;
pub use self::{
    adopt::adopt,
    create::{prepare_admitted_create, prepare_applied_create, prepare_create},
    delete::{DeletePlan, check_preconditions, is_released, plan_delete},
    update::{
        check_applied, check_uid, expected_revision, prepare_admitted_update,
        prepare_applied_update, prepare_update,
    },
};
use crate::{Release, Status, status::Result};

/// What a write needs from outside.
#[derive(Clone, Debug)]
pub struct WriteContext {
    /// The wall clock.
    pub now: Timestamp,
    /// The uid of an object that is created.
    pub uid: Uuid,
    /// What generateName appends: five characters.
    pub name_suffix: String,
    /// The field manager: `fieldManager`, or what the user agent has before its first slash.
    pub manager: String,
    /// The release to behave like.
    pub release: Release,
}

/// `metadata.name`; empty where there is none.
pub fn name(object: &Value) -> &str {
    text(object, "name")
}

/// `metadata.namespace`; empty where there is none.
pub fn namespace(object: &Value) -> &str {
    text(object, "namespace")
}

/// `metadata.uid`; empty where there is none.
pub fn uid(object: &Value) -> &str {
    text(object, "uid")
}

/// `metadata.generateName` where it decides the name, that is where no name is given.
pub fn generate_name(object: &Value) -> Option<&str> {
    let base = text(object, "generateName");
    (name(object).is_empty() && !base.is_empty()).then_some(base)
}

/// `new` with the metadata that a client may leave out of an update, from `old`.
///
/// The resourceVersion is not filled in: without one the update is unconditional.
#[must_use]
pub fn filled(new: &Value, old: &Value) -> Value {
    let mut filled = new.clone();
    let metadata = filled.as_object_mut().and_then(|members| {
        members.entry("metadata").or_insert_with(|| Map::new().into()).as_object_mut()
    });
    let Some(metadata) = metadata else { return filled };
    for key in ["name", "namespace", "uid", "creationTimestamp"] {
        let given = metadata.get(key).and_then(Value::as_str).unwrap_or_default();
        if given.is_empty()
            && let Some(known) = old.get("metadata").and_then(|old| old.get(key))
        {
            metadata.insert(key.to_owned(), known.clone());
        }
    }
    filled
}

/// A whole object in the request's namespace, with its members in order.
///
/// # Errors
///
/// 400 where the object names another namespace, or is none.
pub(crate) fn in_namespace(
    resource: &crate::Resource,
    namespace: &str,
    object: Value,
) -> Result<Value> {
    let (members, mut metadata) = split(object)?;
    create::set_namespace(resource, namespace, &mut metadata)?;
    Ok(join(resource, members, metadata))
}

/// A time as metadata has it: RFC 3339, in seconds.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The metadata with its members in the order in which Go prints them, without those that Go
/// leaves out: unknown, null or empty.
pub(crate) fn ordered(metadata: Option<&Value>) -> Map<String, Value> {
    let mut ordered = Map::new();
    let Some(members) = metadata.and_then(Value::as_object) else { return ordered };
    for key in MEMBERS {
        if let Some(value) = members.get(key).filter(|value| !is_empty(value, key)) {
            ordered.insert(key.to_owned(), value.clone());
        }
    }
    ordered
}

/// Whether a member is printed after resourceVersion.
pub(crate) fn comes_after_resource_version(key: &str) -> bool {
    let place = |wanted: &str| MEMBERS.iter().position(|known| *known == wanted);
    place(key) > place("resourceVersion")
}

fn is_empty(value: &Value, key: &str) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        // A grace period of zero is a fact, a generation of zero is not.
        Value::Number(number) => key == "generation" && number.as_i64() == Some(0),
        Value::Bool(_) => false,
    }
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get("metadata").and_then(|metadata| metadata.get(key)?.as_str()).unwrap_or_default()
}

/// Takes a whole object apart: its members, with the metadata out of them.
fn split(object: Value) -> Result<(Map<String, Value>, Map<String, Value>)> {
    let Value::Object(mut members) = object else {
        return Err(Status::bad_request("the object is not a JSON object"));
    };
    let metadata = match members.shift_remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(Status::bad_request("metadata is not a JSON object")),
    };
    Ok((members, metadata))
}

/// Puts an object together: kind, apiVersion, metadata in order, then the rest.
fn join(
    resource: &crate::Resource,
    mut members: Map<String, Value>,
    metadata: Map<String, Value>,
) -> Value {
    let mut object = Map::new();
    object.insert("kind".into(), resource.kind.as_ref().into());
    object.insert("apiVersion".into(), resource.api_version().into());
    object.insert("metadata".into(), Value::Object(ordered(Some(&Value::Object(metadata)))));
    members.shift_remove("kind");
    members.shift_remove("apiVersion");
    // Types print spec before status and data last; what a client sends may be in any order.
    for key in ["spec", "status"] {
        if let Some(value) = members.shift_remove(key) {
            object.insert(key.to_owned(), value);
        }
    }
    object.append(&mut members);
    Value::Object(object)
}

fn generation(metadata: &Map<String, Value>) -> i64 {
    metadata.get("generation").and_then(Value::as_i64).unwrap_or(0)
}

fn str_of<'a>(metadata: &'a Map<String, Value>, key: &str) -> &'a str {
    metadata.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn strings(metadata: &Map<String, Value>, key: &str) -> Vec<String> {
    let items = metadata.get(key).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Whether metadata has a member of that name.
pub(crate) fn is_member(name: &str) -> bool {
    MEMBERS.contains(&name)
}

/// The members of ObjectMeta in the order of the Go struct.
const MEMBERS: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

#[cfg(test)]
mod tests;
