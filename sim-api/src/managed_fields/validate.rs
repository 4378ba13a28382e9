//! Whether an applied object fits its type.

use serde_json::Value;

use super::path::PathElement;
use crate::{
    go,
    schema::{ListType, Scalar, Schema, Type, TypeRef, Typed},
};

/// What is wrong with an applied object, in the real words; `None` when nothing is.
pub(super) fn error(typed: &Typed, object: &Value) -> Option<String> {
    let mut errors = Vec::new();
    walk(&typed.schema, typed.root, object, "", &mut errors);
    match errors.as_slice() {
        [] => None,
        [error] => Some(error.clone()),
        errors => Some(format!("errors:\n  {}", errors.join("\n  "))),
    }
}

fn walk(schema: &Schema, type_ref: TypeRef, value: &Value, path: &str, errors: &mut Vec<String>) {
    let mut wrong = |error: &str| {
        let colon = if path.is_empty() { "" } else { ": " };
        errors.push(format!("{path}{colon}{error}"));
    };
    match (schema.resolve(type_ref), value) {
        (_, Value::Null) | (Type::Any, _) => {}
        (Type::Scalar(scalar), value) => {
            if let Some(error) = scalar_error(*scalar, value) {
                wrong(&error);
            }
        }
        (Type::List { element, list_type }, Value::Array(items)) => {
            let mut seen: Vec<PathElement> = Vec::with_capacity(items.len());
            for (at, item) in (0i64..).zip(items) {
                let element_path = match list_type {
                    ListType::Atomic => Ok(PathElement::Index(at)),
                    _ => PathElement::of_item(schema, list_type, *element, item),
                };
                match element_path {
                    Err(error) => {
                        errors.push(format!("{path}: element {at}: {error}"));
                        return;
                    }
                    Ok(found) => {
                        if seen.contains(&found) {
                            errors.push(format!("{path}: duplicate entries for key {found}"));
                        }
                        walk(schema, *element, item, &format!("{path}{found}"), errors);
                        seen.push(found);
                    }
                }
            }
        }
        (Type::Struct(_) | Type::Map { .. }, Value::Object(members)) => {
            for (key, value) in members {
                let path = format!("{path}.{key}");
                match schema.member(type_ref, key) {
                    Some(place) => walk(schema, place, value, &path, errors),
                    None => {
                        errors.push(format!("{path}: field not declared in schema"));
                        return;
                    }
                }
            }
        }
        (Type::List { .. }, value) => {
            wrong(&format!("expected list, got &{{{}}}", go::print(value)));
        }
        (Type::Struct(_) | Type::Map { .. }, value) => {
            wrong(&format!("expected map, got &{{{}}}", go::print(value)));
        }
    }
}

fn scalar_error(scalar: Scalar, value: &Value) -> Option<String> {
    let go_type = match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    let shown = || go::print(value);
    match (scalar, value) {
        (Scalar::Number(_), Value::Number(_))
        | (Scalar::String | Scalar::Bytes, Value::String(_))
        | (Scalar::Boolean, Value::Bool(_))
        | (
            Scalar::Quantity | Scalar::Untyped,
            Value::Bool(_) | Value::Number(_) | Value::String(_),
        ) => None,
        (Scalar::Number(_), _) => Some(format!("expected numeric (int or float), got {go_type}")),
        (Scalar::String | Scalar::Bytes, _) => {
            Some(format!("expected string, got &value.valueUnstructured{{Value:{}}}", shown()))
        }
        (Scalar::Boolean, _) => Some(format!("expected boolean, got &{{{}}}", shown())),
        (Scalar::Quantity | Scalar::Untyped, _) => {
            Some(format!("expected any scalar, got &{{{}}}", shown()))
        }
    }
}
