//! Selectable fields: which a kind has, their values, and what they are called in the store.
//!
//! Source: each kind's `ToSelectableFields` and field label conversion; the names are those
//! that a recorded 1.33.2 accepts.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use sim_store::StrMap;

use crate::{Resource, resources::Conversion};

/// The values of an object's selectable fields, by their names in the store.
pub(super) fn selectable(
    resource: &Resource,
    metadata: &Map<String, Value>,
    members: &Map<String, Value>,
) -> StrMap {
    let mut pairs: Vec<(&str, Cow<'_, str>)> = Vec::new();
    pairs.push(("metadata.name", scalar(metadata.get("name"))));
    if resource.namespaced {
        pairs.push(("metadata.namespace", scalar(metadata.get("namespace"))));
    }
    for field in resource.selectable_fields.iter().flatten() {
        let Some(name) = stored_name(resource, field) else { continue };
        if resource.custom.is_some()
            || name.starts_with("metadata.")
            || pairs.iter().any(|(known, _)| *known == name)
        {
            continue;
        }
        let value = match (&*resource.plural, name) {
            ("events", "source") => event_source(members),
            // Elsewhere than in pods an address list cannot be selected by.
            ("pods", "status.podIP") => scalar(at(members, "status.podIP")),
            // Known but never set (recorded): only the empty text matches.
            ("pods", "status.podIPs") => "".into(),
            ("pods", "spec.hostNetwork") | ("nodes", "spec.unschedulable") => {
                scalar(at(members, name).or(Some(&Value::Bool(false))))
            }
            ("replicationcontrollers", "status.replicas") | ("jobs", "status.successful") => {
                let path = if name == "status.successful" { "status.succeeded" } else { name };
                scalar(at(members, path).or(Some(&ZERO)))
            }
            _ => scalar(at(members, name)),
        };
        pairs.push((name, value));
    }
    if let Some(custom) = &resource.custom {
        let selectable = custom.selectable_values(members);
        pairs.extend(selectable.map(|(name, value)| (name, Cow::Owned(value))));
    }
    if resource.conversion == Conversion::EventsV1 {
        // The stored version can be selected by it, though this one cannot.
        pairs.push(("source", event_source(members)));
    }
    StrMap::from_pairs(pairs.iter().map(|(name, value)| (*name, &**value)))
}

/// What a field of this version is called in the store; `None` when the kind has no such field.
pub(super) fn stored_name<'a>(resource: &Resource, field: &'a str) -> Option<&'a str> {
    let known = match &resource.selectable_fields {
        Some(fields) => fields.iter().any(|known| known == field),
        None => matches!(field, "metadata.name" | "metadata.namespace"),
    };
    if !known {
        return None;
    }
    Some(match (resource.conversion, field) {
        (_, "spec.host") => "spec.nodeName",
        (Conversion::EventsV1, field) => {
            let renamed = EVENTS_V1.iter().find(|(new, _)| *new == field);
            renamed.map_or(field, |(_, stored)| stored)
        }
        (_, field) => field,
    })
}

/// What a kind's zero value prints besides kind, apiVersion and metadata, for bookmarks.
pub(super) fn zero_value(resource: &Resource) -> Map<String, Value> {
    let value = match &*resource.plural {
        "pods" => json!({"spec": {"containers": null}, "status": {}}),
        "services" => json!({"spec": {}, "status": {"loadBalancer": {}}}),
        "namespaces"
        | "nodes"
        | "persistentvolumes"
        | "persistentvolumeclaims"
        | "resourcequotas" => json!({"spec": {}, "status": {}}),
        "leases" | "networkpolicies" => json!({"spec": {}}),
        _ => json!({}),
    };
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn at<'a>(members: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let mut value = members.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value)
}

fn scalar(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        Some(Value::String(text)) => text.as_str().into(),
        Some(Value::Bool(flag)) => if *flag { "true" } else { "false" }.into(),
        Some(Value::Number(number)) => number.to_string().into(),
        _ => "".into(),
    }
}

/// An event's source is told by its component alone, or else by who reports it.
fn event_source(members: &Map<String, Value>) -> Cow<'_, str> {
    match scalar(at(members, "source.component")) {
        source if source.is_empty() => scalar(members.get("reportingComponent")),
        source => source,
    }
}

static ZERO: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::from(0));

/// Names of `events.k8s.io/v1` and what the core version calls them.
const EVENTS_V1: [(&str, &str); 8] = [
    ("regarding.kind", "involvedObject.kind"),
    ("regarding.namespace", "involvedObject.namespace"),
    ("regarding.name", "involvedObject.name"),
    ("regarding.uid", "involvedObject.uid"),
    ("regarding.apiVersion", "involvedObject.apiVersion"),
    ("regarding.resourceVersion", "involvedObject.resourceVersion"),
    ("regarding.fieldPath", "involvedObject.fieldPath"),
    ("reportingController", "reportingComponent"),
];
