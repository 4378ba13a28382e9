//! What becomes of a custom resource when it is read: defaults are set, unknown members and
//! nulls that may not be are dropped.
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apiserver/schema/{defaulting,pruning,objectmeta}`
//! and `unstructuredSchemaCoercer` in `customresource_handler.go`, release-1.33.

use serde_json::{Map, Value};

use super::{
    path::Path,
    props::{Additional, Props},
};

/// Sets what is missing, or null where null may not be, to its default.
pub(super) fn default(value: &mut Value, schema: &Props) {
    match value {
        Value::Object(members) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else { continue };
                if members.get(name).is_none_or(|value| value.is_null() && !property.nullable) {
                    members.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in members.iter_mut() {
                if let Some(property) = schema.properties.get(name) {
                    default(value, property);
                } else if let Some(additional) = schema.additional_schema() {
                    default_null(value, additional);
                    default(value, additional);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = &schema.items else { return };
            for item in items {
                default_null(item, schema);
                default(item, schema);
            }
        }
        _ => {}
    }
}

fn default_null(value: &mut Value, schema: &Props) {
    if value.is_null()
        && !schema.nullable
        && let Some(default) = &schema.default
    {
        *value = default.clone();
    }
}

/// Drops nulls that may not be null and have no default.
pub(super) fn drop_nulls(value: &mut Value, schema: Option<&Props>) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| {
                let schema = schema.and_then(|schema| {
                    schema.properties.get(name).or_else(|| schema.additional_schema())
                });
                match schema {
                    Some(schema) if value.is_null() => schema.nullable || schema.default.is_some(),
                    schema => {
                        drop_nulls(value, schema);
                        true
                    }
                }
            });
        }
        Value::Array(items) => {
            let schema = schema.and_then(|schema| schema.items.as_deref());
            items.iter_mut().for_each(|item| drop_nulls(item, schema));
        }
        _ => {}
    }
}

/// Drops the members of a whole object that its schema does not have, and tells their paths,
/// sorted.
pub(super) fn prune(object: &mut Value, schema: &Props) -> Vec<String> {
    let mut unknown = Vec::new();
    if schema.preserves_unknown() {
        skip(object, schema, true, &Path::ROOT, &mut unknown);
    } else {
        walk(object, Some(schema), true, &Path::ROOT, &mut unknown);
    }
    unknown.sort_unstable();
    unknown
}

/// As [`prune`], of a value that is no resource: a default.
pub(super) fn prune_value(value: &mut Value, schema: &Props) {
    let is_resource = schema.embedded_resource;
    if schema.preserves_unknown() {
        skip(value, schema, is_resource, &Path::ROOT, &mut Vec::new());
    } else {
        walk(value, Some(schema), is_resource, &Path::ROOT, &mut Vec::new());
    }
}

fn walk(
    value: &mut Value,
    schema: Option<&Props>,
    is_resource: bool,
    path: &Path<'_>,
    unknown: &mut Vec<String>,
) {
    match value {
        Value::Object(members) => members.retain(|name, value| {
            let at = path.member(name);
            let Some(schema) = schema else {
                unknown.push(at.to_string());
                return false;
            };
            if is_resource && is_meta(name) {
                return true;
            }
            if let Some(property) = schema.properties.get(name) {
                below(value, Some(property), &at, unknown);
            } else if let Some(additional) = &schema.additional {
                let schema = match additional {
                    Additional::Schema(schema) => Some(&**schema),
                    Additional::Allowed(_) => None,
                };
                below(value, schema, &at, unknown);
            } else {
                if !is_meta(name) || !path.is_root() {
                    unknown.push(at.to_string());
                }
                return false;
            }
            true
        }),
        Value::Array(items) => {
            let schema = schema.and_then(|schema| schema.items.as_deref());
            for (at, item) in items.iter_mut().enumerate() {
                below(item, schema, &path.index(at), unknown);
            }
        }
        _ => {}
    }
}

fn below(value: &mut Value, schema: Option<&Props>, path: &Path<'_>, unknown: &mut Vec<String>) {
    match schema {
        Some(schema) if schema.preserves_unknown() => {
            skip(value, schema, schema.embedded_resource, path, unknown);
        }
        schema => {
            let is_resource = schema.is_some_and(|schema| schema.embedded_resource);
            walk(value, schema, is_resource, path, unknown);
        }
    }
}

/// Below a schema that keeps what it does not know, what it does know is pruned all the same.
fn skip(
    value: &mut Value,
    schema: &Props,
    is_resource: bool,
    path: &Path<'_>,
    unknown: &mut Vec<String>,
) {
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                if is_resource && is_meta(name) {
                    continue;
                }
                let at = path.member(name);
                if let Some(property) = schema.properties.get(name) {
                    below(value, Some(property), &at, unknown);
                } else if let Some(additional) = schema.additional_schema() {
                    below(value, Some(additional), &at, unknown);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.items.as_deref() else { return };
            for (at, item) in items.iter_mut().enumerate() {
                skip(item, schema, schema.embedded_resource, &path.index(at), unknown);
            }
        }
        _ => {}
    }
}

fn is_meta(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

/// Puts the members of all objects in the order of their names, as Go prints maps.
pub(super) fn sort(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.sort_keys();
            members.values_mut().for_each(sort);
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}

/// Drops the members of the metadata that no object has, and tells their paths.
pub(super) fn metadata(metadata: &mut Map<String, Value>) -> Vec<String> {
    let mut unknown = Vec::new();
    metadata.retain(|name, _| {
        let known = crate::meta::is_member(name);
        if !known {
            unknown.push(format!("metadata.{name}"));
        }
        known
    });
    unknown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(value: &Value) -> Props {
        Props::parse(value).unwrap()
    }

    #[test]
    fn defaults_go_where_nothing_is() {
        let schema = schema(&json!({"type": "object", "properties": {
            "a": {"type": "integer", "default": 1},
            "n": {"type": "string", "nullable": true, "default": "x"},
            "o": {"type": "object", "default": {}, "properties": {"b": {"type": "string", "default": "y"}}},
            "l": {"type": "array", "items": {"type": "object", "properties": {"c": {"type": "integer", "default": 2}}}},
        }}));
        let mut value = json!({"a": null, "n": null, "l": [{}, {"c": 3}]});
        default(&mut value, &schema);
        assert_eq!(value, json!({"a": 1, "n": null, "o": {"b": "y"}, "l": [{"c": 2}, {"c": 3}]}));
    }

    #[test]
    fn unknown_members_go_but_where_they_are_kept() {
        let schema = schema(
            &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {"strict": {"type": "object", "properties": {"a": {"type": "string"}}}}},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "list": {"type": "array", "items": {"type": "object"}},
                "pod": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object"}}},
            }}}}),
        );
        let mut value = json!({
            "apiVersion": "v1", "kind": "K", "metadata": {"name": "x"}, "other": 1,
            "spec": {
                "free": {"x": 1, "strict": {"a": "1", "b": 2}},
                "map": {"k": {"a": "1", "z": 2}},
                "list": [{"q": 1}],
                "pod": {"kind": "Pod", "apiVersion": "v1", "metadata": {}, "status": {}, "spec": {"y": 1}},
            },
        });
        let unknown = prune(&mut value, &schema);
        assert_eq!(
            unknown,
            [
                "other",
                "spec.free.strict.b",
                "spec.list[0].q",
                "spec.map.k.z",
                "spec.pod.spec.y",
                "spec.pod.status"
            ]
        );
        assert_eq!(value["spec"]["free"], json!({"x": 1, "strict": {"a": "1"}}));
        assert_eq!(value["spec"]["pod"]["kind"], "Pod");
    }

    #[test]
    fn nulls_stay_where_they_may_be() {
        let schema = schema(&json!({"type": "object", "properties": {
            "a": {"type": "string"}, "n": {"type": "string", "nullable": true},
        }}));
        let mut value = json!({"a": null, "n": null, "free": null});
        drop_nulls(&mut value, Some(&schema));
        assert_eq!(value, json!({"n": null, "free": null}));
    }
}
