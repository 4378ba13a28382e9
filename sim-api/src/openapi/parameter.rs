//! The parameters of operations.

use serde_json::{Value, json};

use super::Dialect;

/// A parameter, in the query unless its [`place`](Self::place) says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    name: &'static str,
    kind: &'static str,
    place: &'static str,
    description: &'static str,
}

impl Parameter {
    pub(super) fn to_value(self, dialect: Dialect) -> Value {
        let Self { name, kind, place, description } = self;
        let mut value = match dialect {
            Dialect::V2 => json!({
                "name": name, "in": place, "description": description,
                "type": kind, "uniqueItems": true,
            }),
            Dialect::V3 => json!({
                "name": name, "in": place, "description": description,
                "schema": {"type": kind, "uniqueItems": true},
            }),
        };
        if place == "path" {
            value["required"] = true.into();
        }
        value
    }
}

const fn query(name: &'static str, kind: &'static str, description: &'static str) -> Parameter {
    Parameter { name, kind, place: "query", description }
}

const fn path(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, kind: "string", place: "path", description }
}

pub(super) const NAME: Parameter = path("name", "The object's name.");
pub(super) const NAMESPACE: Parameter = path("namespace", "The object's namespace.");
pub(super) const PRETTY: Parameter = query("pretty", "string", "Whether to indent the answer.");

const DRY_RUN: Parameter = query("dryRun", "string", "`All` answers without storing anything.");
const FIELD_MANAGER: Parameter = query("fieldManager", "string", "Who makes the change.");
const FIELD_VALIDATION: Parameter = query(
    "fieldValidation",
    "string",
    "What to do about unknown and repeated fields: Ignore, Warn or Strict.",
);

/// Of POST and PUT.
pub(super) const WRITE: &[Parameter] = &[DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];

/// Of PATCH.
pub(super) const PATCH: &[Parameter] = &[
    DRY_RUN,
    FIELD_MANAGER,
    FIELD_VALIDATION,
    query("force", "boolean", "Whether an apply takes fields over from other managers."),
];

/// Of DELETE, of one object or of a collection.
pub(super) const DELETE: &[Parameter] = &[
    DRY_RUN,
    query("gracePeriodSeconds", "integer", "Seconds until the object is removed."),
    query("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    query("propagationPolicy", "string", "Background, Foreground or Orphan."),
];

/// Of a GET of a collection.
pub(super) const LIST: &[Parameter] = &[
    query("allowWatchBookmarks", "boolean", "Whether a watch may send bookmarks."),
    query("continue", "string", "Where the list before this one ended."),
    query("fieldSelector", "string", "Which objects, by fields."),
    query("labelSelector", "string", "Which objects, by labels."),
    query("limit", "integer", "The most objects to answer with."),
    query("resourceVersion", "string", "The version of the data asked for."),
    query("resourceVersionMatch", "string", "How resourceVersion is meant."),
    query("sendInitialEvents", "boolean", "Whether a watch begins with the objects there are."),
    query("timeoutSeconds", "integer", "How long the answer may take."),
    query("watch", "boolean", "Whether to send changes instead of a list."),
];
