//! Whether Go can read a patched object back into its type.

use serde_json::Value;

use super::{Scalar, Schema, Type, TypeRef, Typed};

impl Typed {
    /// What Go says when it cannot read the value into the type, if so.
    ///
    /// Source: `DefaultUnstructuredConverter` of k8s.io/apimachinery `pkg/runtime/converter.go`;
    /// where it names a type of its own, the plain type stands here.
    pub(crate) fn restore_error(&self, value: &Value) -> Option<String> {
        self.schema.restore_error(self.root, value)
    }
}

impl Schema {
    fn restore_error(&self, type_ref: TypeRef, value: &Value) -> Option<String> {
        let kind = match value {
            Value::Null => return None,
            Value::Bool(_) => "bool",
            Value::Number(number) if number.is_f64() => "float64",
            Value::Number(_) => "int64",
            Value::String(_) => "string",
            Value::Array(_) => "slice",
            Value::Object(_) => "map",
        };
        match (self.resolve(type_ref), value) {
            (Type::Struct(fields), Value::Object(members)) => {
                members.iter().find_map(|(key, value)| {
                    let place = fields.field(key).map(|field| field.type_ref).or(fields.rest)?;
                    self.restore_error(place, value)
                })
            }
            (Type::Map { element, .. }, Value::Object(members)) => {
                members.values().find_map(|value| self.restore_error(*element, value))
            }
            (Type::List { element, .. }, Value::Array(items)) => {
                items.iter().find_map(|item| self.restore_error(*element, item))
            }
            (Type::Struct(_), _) => Some(format!("cannot restore struct from: {kind}")),
            (Type::Map { .. }, _) => Some(format!("cannot restore map from {kind}")),
            (Type::List { .. }, _) => Some(format!("cannot restore slice from {kind}")),
            (Type::Scalar(Scalar::Boolean), Value::Bool(_))
            | (Type::Scalar(Scalar::String | Scalar::Bytes), Value::String(_))
            | (Type::Scalar(Scalar::Number(_)), Value::Number(_))
            | (Type::Scalar(Scalar::Quantity | Scalar::Untyped) | Type::Any, _) => None,
            (Type::Scalar(Scalar::String), Value::Number(number)) if !number.is_f64() => {
                Some("cannot convert int64 to string".to_owned())
            }
            (Type::Scalar(Scalar::Bytes), _) => Some(format!("cannot restore slice from {kind}")),
            (Type::Scalar(scalar), _) => {
                let wanted = match scalar {
                    Scalar::Boolean => "bool",
                    Scalar::Number(name) => name,
                    _ => "string",
                };
                Some(format!("unrecognized type: {wanted}"))
            }
        }
    }
}
