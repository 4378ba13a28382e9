//! CustomResourceDefinitions: their defaults, their validation and what the controllers do to
//! them.
//!
//! A definition goes through the write path of all objects; here is what is its own. What it
//! makes, the resources that it serves, is in [`crate::custom`].
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apis/apiextensions/{v1/defaults.go,validation}`,
//! `pkg/registry/customresourcedefinition` and `pkg/controller`, release-1.33.

pub(crate) mod approval;
mod conditions;
mod finalize;
mod names;
pub(crate) mod schema;
mod structural;

use serde_json::{Map, Value, json};

pub use self::{
    approval::approve,
    finalize::{FINALIZER, in_progress, is_terminating, released, terminate},
    names::{accept_names, establish},
};
use crate::Resource;

/// Whether these are the definitions.
pub fn is_definitions(resource: &Resource) -> bool {
    resource.is(GROUP, PLURAL)
}

/// What a client may leave out.
pub(crate) fn set_defaults(members: &mut Map<String, Value>) {
    let Some(spec) = members.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let text = |key: &str| names.get(key).and_then(Value::as_str).unwrap_or_default();
        let (kind, singular, list) = (text("kind"), text("singular"), text("listKind"));
        let (kind, no_singular, no_list) = (kind.to_owned(), singular.is_empty(), list.is_empty());
        if no_singular && !kind.is_empty() {
            names.insert("singular".into(), kind.to_lowercase().into());
        }
        if no_list && !kind.is_empty() {
            names.insert("listKind".into(), format!("{kind}List").into());
        }
    }
    if spec.get("conversion").is_none_or(Value::is_null) {
        spec.insert("conversion".into(), json!({"strategy": "None"}));
    }
    if let Some(service) = spec
        .get_mut("conversion")
        .and_then(|conversion| conversion.pointer_mut("/webhook/clientConfig/service"))
        .and_then(Value::as_object_mut)
    {
        service.entry("port").or_insert(json!(443));
    }
}

/// Adds the storage version to those that objects may be stored in.
pub(crate) fn add_stored_version(members: &mut Map<String, Value>) {
    let versions = members.get("spec").and_then(|spec| spec.get("versions")?.as_array());
    let stored = versions
        .into_iter()
        .flatten()
        .find(|version| version.get("storage").and_then(Value::as_bool) == Some(true));
    let Some(name) = stored.and_then(|version| version.get("name").cloned()) else { return };
    let Some(status) = members.get_mut("status").and_then(Value::as_object_mut) else { return };
    let known = status.entry("storedVersions").or_insert(Value::Null);
    match known {
        Value::Array(known) if known.contains(&name) => {}
        Value::Array(known) => known.push(name),
        known => *known = json!([name]),
    }
}

const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";
