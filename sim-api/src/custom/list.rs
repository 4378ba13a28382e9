//! Lists that are sets or maps: what must not be there twice, and which element was which.
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apiserver/schema/listtype` and
//! `pkg/apiserver/schema/cel/maplist.go`, release-1.33.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{path::Path, props::Props};
use crate::{go, status::StatusCause};

/// The elements that lists of type set or map have twice.
pub(super) fn duplicates(value: &Value, schema: &Props) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    walk(value, schema, &Path::ROOT, &mut causes);
    causes
}

fn walk(value: &Value, schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if let Some(property) = schema.properties.get(name) {
                    walk(value, property, &path.member(name), causes);
                } else if let Some(additional) = schema.additional_schema() {
                    walk(value, additional, &path.key(name), causes);
                }
            }
        }
        Value::Array(items) => {
            match schema.list_type.as_deref() {
                Some("set") => {
                    let keys: Vec<String> = items.iter().map(Value::to_string).collect();
                    for at in repeated(&keys) {
                        let value = shown(&items[at]);
                        causes.push(StatusCause::duplicate(path.index(at).field(), value));
                    }
                }
                Some("map") => map(items, schema, path, causes),
                _ => {}
            }
            if let Some(element) = &schema.items {
                for (at, item) in items.iter().enumerate() {
                    walk(item, element, &path.index(at), causes);
                }
            }
        }
        _ => {}
    }
}

fn map(items: &[Value], schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    let odd = items.iter().position(|item| !item.is_object() && !item.is_null());
    if let Some(at) = odd {
        causes.push(StatusCause::invalid(
            path.index(at).field(),
            shown(&items[at]),
            "must be an object for an array of list-type map",
        ));
        return;
    }
    let keys: Vec<Value> = items.iter().map(|item| key(item, schema)).collect();
    let texts: Vec<String> = keys.iter().map(Value::to_string).collect();
    for at in repeated(&texts) {
        causes.push(StatusCause::duplicate(path.index(at).field(), shown(&keys[at])));
    }
}

/// The members that tell an element apart, of those that it has.
fn key(item: &Value, schema: &Props) -> Value {
    let found = schema.list_map_keys.iter().filter_map(|name| {
        let value = item.get(name)?;
        Some((name.clone(), value.clone()))
    });
    let mut key: Map<String, Value> = found.collect();
    key.sort_keys();
    Value::Object(key)
}

/// The places at which something is there for the second time; further times are not told.
fn repeated(keys: &[String]) -> Vec<usize> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    keys.iter()
        .enumerate()
        .filter(|(_, key)| !seen.insert(key) && told.insert(key))
        .map(|(at, _)| at)
        .collect()
}

/// The elements of a list of type map before a change, to be found by their keys.
pub(super) struct Correlated<'a> {
    schema: &'a Props,
    by_key: BTreeMap<String, &'a Value>,
}

impl<'a> Correlated<'a> {
    pub(super) fn new(schema: &'a Props, old: Option<&'a Value>) -> Self {
        let mut by_key = BTreeMap::new();
        if schema.list_type.as_deref() == Some("map") {
            for item in old.and_then(Value::as_array).into_iter().flatten() {
                by_key.entry(key(item, schema).to_string()).or_insert(item);
            }
        }
        Self { schema, by_key }
    }

    /// What an element was before.
    pub(super) fn get(&self, item: &Value) -> Option<&'a Value> {
        if self.by_key.is_empty() {
            return None;
        }
        self.by_key.get(&key(item, self.schema).to_string()).copied()
    }
}

/// How an error shows a value: single ones plainly, others as Go's `%#v`.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "\"null\"".to_owned(),
        value => go_value(value),
    }
}

fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => go::quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(members) => {
            let mut pairs: Vec<_> = members.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            let pairs: Vec<String> = pairs
                .into_iter()
                .map(|(key, value)| format!("{}:{}", go::quote(key), go_value(value)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", pairs.join(", "))
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_there_twice_is_told_once() {
        let schema = Props::parse(&json!({"type": "object", "properties": {
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "map": {"type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object"}},
        }}))
        .unwrap();
        let value =
            json!({"set": ["a", "b", "a", "a"], "map": [{"name": "x"}, {"name": "x", "v": 1}]});
        let causes = duplicates(&value, &schema);
        let texts: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        assert_eq!(
            texts,
            [
                r#"set[2]: Duplicate value: "a""#,
                r#"map[1]: Duplicate value: map[string]interface {}{"name":"x"}"#
            ]
        );
    }
}
