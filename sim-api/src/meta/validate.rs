//! Validation of metadata, with the real causes.

use serde_json::{Map, Value};
use sim_store::LabelSelector;

use super::{go_time, names, str_of, strings};
use crate::{Resource, go, status::StatusCause};

/// What is wrong with an object that is created.
pub(super) fn on_create(
    resource: &Resource,
    members: &Map<String, Value>,
    metadata: &Map<String, Value>,
) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    let base = str_of(metadata, "generateName");
    if !base.is_empty() {
        for error in names::errors(resource, base, true) {
            causes.push(StatusCause::invalid_text("metadata.generateName", base, &error));
        }
    }
    match str_of(metadata, "name") {
        "" => {
            causes.push(StatusCause::required("metadata.name", "name or generateName is required"));
        }
        name => {
            for error in names::errors(resource, name, false) {
                causes.push(StatusCause::invalid_text("metadata.name", name, &error));
            }
        }
    }
    if resource.namespaced && str_of(metadata, "namespace").is_empty() {
        causes.push(StatusCause::required("metadata.namespace", ""));
    }
    common(metadata, &mut causes);
    kind_specific(resource, members, &mut causes);
    causes
}

/// What is wrong with an object that replaces `old`.
pub(super) fn on_update(
    resource: &Resource,
    members: &Map<String, Value>,
    metadata: &Map<String, Value>,
    old: &Map<String, Value>,
) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    // The real server checks what may not change twice, and lists it twice.
    for _ in 0..2 {
        immutable(metadata, old, &mut causes);
    }
    common(metadata, &mut causes);
    kind_specific(resource, members, &mut causes);
    causes
}

fn immutable(
    metadata: &Map<String, Value>,
    old: &Map<String, Value>,
    causes: &mut Vec<StatusCause>,
) {
    if old.contains_key("deletionTimestamp") {
        let before = strings(old, "finalizers");
        let mut added = strings(metadata, "finalizers");
        added.retain(|finalizer| !before.contains(finalizer));
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new \
                 finalizers {}",
                go::string_slice(&added)
            );
            causes.push(StatusCause::forbidden("metadata.finalizers", &detail));
        }
    }
    for key in ["name", "namespace", "uid"] {
        let value = str_of(metadata, key);
        if value != str_of(old, key) {
            let field = format!("metadata.{key}");
            causes.push(StatusCause::invalid_text(field, value, "field is immutable"));
        }
    }
    for key in ["creationTimestamp", "deletionTimestamp"] {
        let value = str_of(metadata, key);
        if value != str_of(old, key) {
            let field = format!("metadata.{key}");
            causes.push(StatusCause::invalid(field, go_time(value), "field is immutable"));
        }
    }
    let key = "deletionGracePeriodSeconds";
    if metadata.get(key) != old.get(key) {
        let value = metadata.get(key).map_or_else(|| "null".to_owned(), Value::to_string);
        let field = "metadata.deletionGracePeriodSeconds";
        causes.push(StatusCause::invalid(field, value, "field is immutable"));
    }
}

fn common(metadata: &Map<String, Value>, causes: &mut Vec<StatusCause>) {
    let pairs = |key: &str| {
        let map = metadata.get(key).and_then(Value::as_object);
        map.into_iter().flatten().map(|(k, v)| (k.as_str(), v.as_str().unwrap_or_default()))
    };
    for (key, value) in pairs("labels") {
        for error in LabelSelector::key_errors(key) {
            causes.push(StatusCause::invalid_text("metadata.labels", key, &error));
        }
        for error in LabelSelector::value_errors(value) {
            causes.push(StatusCause::invalid_text("metadata.labels", value, &error));
        }
    }
    let mut bytes = 0;
    for (key, value) in pairs("annotations") {
        for error in LabelSelector::key_errors(&key.to_lowercase()) {
            causes.push(StatusCause::invalid_text("metadata.annotations", key, &error));
        }
        bytes += key.len() + value.len();
    }
    if bytes > ANNOTATIONS_MAX {
        causes.push(StatusCause::too_long("metadata.annotations", ANNOTATIONS_MAX));
    }
    owner_references(metadata, causes);
    let finalizers = strings(metadata, "finalizers");
    for finalizer in &finalizers {
        for error in LabelSelector::key_errors(finalizer) {
            causes.push(StatusCause::invalid_text("metadata.finalizers", finalizer, &error));
        }
    }
    for (at, finalizer) in finalizers.iter().enumerate() {
        if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer.as_str()) {
            causes.push(StatusCause::invalid_text(
                format!("metadata.finalizers[{at}]"),
                finalizer,
                "name is neither a standard finalizer name nor is it fully qualified",
            ));
        }
    }
}

fn owner_references(metadata: &Map<String, Value>, causes: &mut Vec<StatusCause>) {
    let field = "metadata.ownerReferences";
    let owners = metadata.get("ownerReferences").and_then(Value::as_array);
    let mut controller = None;
    for owner in owners.into_iter().flatten() {
        let part = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        for (key, error) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if part(key).is_empty() {
                let error =
                    if key == "apiVersion" { error.to_owned() } else { format!("{key} {error}") };
                causes.push(StatusCause::invalid_text(format!("{field}.{key}"), "", &error));
            }
        }
        if owner.get("controller").and_then(Value::as_bool) == Some(true) {
            let this = format!("{}/{}", part("kind"), part("name"));
            match &controller {
                None => controller = Some(this),
                Some(first) => {
                    let error = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in \
                         references for {first} and {this}"
                    );
                    let value = go_owners(owners.map_or(&[], |owners| owners));
                    causes.push(StatusCause::invalid(field, value, &error));
                    return;
                }
            }
        }
    }
}

/// Go's `%#v` of the references. Where it prints an address there is a fixed one.
fn go_owners(owners: &[Value]) -> String {
    let pointer = |value: Option<&Value>| match value {
        Some(Value::Bool(_)) => "(*bool)(0xc000000000)",
        _ => "(*bool)(nil)",
    };
    let owners: Vec<String> = owners
        .iter()
        .map(|owner| {
            let text =
                |key: &str| go::quote(owner.get(key).and_then(Value::as_str).unwrap_or_default());
            format!(
                "v1.OwnerReference{{APIVersion:{}, Kind:{}, Name:{}, UID:{}, Controller:{}, \
                 BlockOwnerDeletion:{}}}",
                text("apiVersion"),
                text("kind"),
                text("name"),
                text("uid"),
                pointer(owner.get("controller")),
                pointer(owner.get("blockOwnerDeletion")),
            )
        })
        .collect();
    format!("[]v1.OwnerReference{{{}}}", owners.join(", "))
}

/// The few rules of kinds that keep the server itself healthy; the others come with the write
/// path proper.
fn kind_specific(resource: &Resource, members: &Map<String, Value>, causes: &mut Vec<StatusCause>) {
    if !resource.group.is_empty() || !matches!(&*resource.plural, "configmaps" | "secrets") {
        return;
    }
    let mut bytes = 0;
    for key in ["data", "binaryData"] {
        for (name, value) in members.get(key).and_then(Value::as_object).into_iter().flatten() {
            let is_key = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            if name.is_empty() || !name.chars().all(is_key) {
                let field = format!("{key}[{name}]");
                causes.push(StatusCause::invalid_text(field, name, CONFIG_KEY));
            }
            let text = value.as_str().unwrap_or_default();
            let is_base64 = resource.plural == "secrets" || key == "binaryData";
            bytes += if is_base64 { decoded_len(text) } else { text.len() };
        }
    }
    if bytes > DATA_MAX {
        let field = if resource.plural == "secrets" { "data" } else { "[]" };
        causes.push(StatusCause::too_long(field, DATA_MAX));
    }
}

fn decoded_len(base64: &str) -> usize {
    let padding = base64.bytes().rev().take_while(|&byte| byte == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

/// Bytes of all keys and values. Source: `TotalAnnotationSizeLimitB`.
const ANNOTATIONS_MAX: usize = 256 << 10;
/// Bytes. Source: `MaxSecretSize`, which holds for ConfigMaps too.
const DATA_MAX: usize = 1 << 20;
/// Source: `standardFinalizers` of `core/helper`.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or \
     '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
     '[-._a-zA-Z0-9]+')";
