//! Taking fields away from an object.

use serde_json::{Map, Value};

use super::{path::PathElement, set::Set};
use crate::schema::{Schema, Type, TypeRef, Typed};

/// The object without the values at the paths of `unwanted`.
pub(super) fn remove(typed: &Typed, object: &Value, unwanted: &Set) -> Value {
    walk(&typed.schema, typed.root, object, unwanted)
}

fn walk(schema: &Schema, type_ref: TypeRef, value: &Value, unwanted: &Set) -> Value {
    if schema.is_atomic(type_ref) {
        return value.clone();
    }
    match (schema.resolve(type_ref), value) {
        (Type::List { element, list_type }, Value::Array(items)) => {
            let kept = items.iter().filter_map(|item| {
                let path = PathElement::of_item(schema, list_type, *element, item).ok()?;
                match unwanted.node(&path) {
                    None => Some(item.clone()),
                    Some(node) if node.is_member => None,
                    Some(node) => Some(walk(schema, *element, item, &node.below)),
                }
            });
            nothing_if_empty(Value::Array(kept.collect()))
        }
        (Type::Struct(_) | Type::Map { .. } | Type::Any, Value::Object(members)) => {
            let mut kept = Map::with_capacity(members.len());
            for (key, value) in members {
                let place = schema.member(type_ref, key).unwrap_or_default();
                let value = match unwanted.node(&PathElement::Field(key.as_str().into())) {
                    None => value.clone(),
                    Some(node) if node.is_member => continue,
                    Some(node) => walk(schema, place, value, &node.below),
                };
                kept.insert(key.clone(), value);
            }
            nothing_if_empty(Value::Object(kept))
        }
        _ => value.clone(),
    }
}

/// What has lost its last value is nothing.
fn nothing_if_empty(value: Value) -> Value {
    let is_empty = match &value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    if is_empty { Value::Null } else { value }
}
