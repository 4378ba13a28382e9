//! The fields that an object sets.

use serde_json::Value;

use super::{
    compare::index,
    path::PathElement,
    set::{Node, Set},
};
use crate::schema::{ListType, Schema, Type, TypeRef, Typed};

/// The paths of all values of an object.
pub(super) fn field_set(typed: &Typed, object: &Value) -> Set {
    walk(&typed.schema, typed.root, object).below
}

fn walk(schema: &Schema, type_ref: TypeRef, value: &Value) -> Node {
    if schema.is_atomic(type_ref) {
        return Node::member();
    }
    let mut node = Node::default();
    match (schema.resolve(type_ref), value) {
        (Type::Map { .. } | Type::Struct(_) | Type::Any, Value::Object(members)) => {
            for (key, value) in members {
                let (place, is_field) = match schema.resolve(type_ref) {
                    Type::Struct(fields) => match fields.field(key) {
                        Some(field) => (field.type_ref, true),
                        None => (fields.rest.unwrap_or_default(), false),
                    },
                    Type::Map { element, .. } => (*element, false),
                    _ => (TypeRef::default(), false),
                };
                let mut inner = walk(schema, place, value);
                let is_empty = match value {
                    Value::Null => true,
                    Value::Object(members) => members.is_empty(),
                    _ => false,
                };
                inner.is_member |= is_empty || !is_field;
                node.below.attach(PathElement::Field(key.as_str().into()), inner);
            }
        }
        (Type::List { element, list_type }, Value::Array(items))
            if *list_type != ListType::Atomic =>
        {
            for (path, items) in index(schema, *element, list_type, items) {
                let inner = match items.as_slice() {
                    [item] => Node { is_member: true, ..walk(schema, *element, item) },
                    _ => Node::member(),
                };
                node.below.attach(path, inner);
            }
        }
        (Type::Map { is_atomic: false, .. } | Type::Struct(_), _) => {}
        (Type::List { list_type, .. }, _) if *list_type != ListType::Atomic => {}
        _ => node.is_member = true,
    }
    node
}
