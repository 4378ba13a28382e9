//! What Go's strict decoder finds in an object.
//!
//! Source: sigs.k8s.io/json, which reads case-sensitively, names what it does not know and what
//! comes twice in the order of the text, and stops at what has the wrong type.

use std::{collections::BTreeSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Scalar, Schema, Struct, Type, TypeRef, Typed};

impl Typed {
    /// `unknown field "…"` and `duplicate field "…"`, in the order of the text; what is no text
    /// of this form is not looked at further.
    pub(crate) fn strict_errors<'de>(&self, text: impl Deserializer<'de>) -> Vec<String> {
        let mut found = Vec::new();
        let place = Some(self.root);
        let walk = Walk { schema: &self.schema, place, path: String::new(), found: &mut found };
        // Whether the text is well-formed others have found out.
        let _ = walk.deserialize(text);
        found
    }

    /// Why Go cannot read the object into its type, if so.
    pub(crate) fn type_error(&self, value: &Value) -> Option<String> {
        let mut path = Vec::new();
        self.schema.type_error(self.root, "", value, &mut path)
    }
}

impl Schema {
    /// `holder` is the struct that the field belongs to.
    fn type_error<'a>(
        &'a self,
        type_ref: TypeRef,
        holder: &'a str,
        value: &'a Value,
        path: &mut Vec<&'a str>,
    ) -> Option<String> {
        let given = match value {
            Value::Null => return None,
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        let given = match (self.resolve(type_ref), value) {
            (Type::Any | Type::Scalar(Scalar::Quantity | Scalar::Untyped), _)
            | (Type::Scalar(Scalar::Boolean), Value::Bool(_))
            | (Type::Scalar(Scalar::String | Scalar::Bytes), Value::String(_)) => return None,
            (Type::Struct(fields), Value::Object(members)) => {
                return members.iter().find_map(|(key, value)| {
                    let place = fields.field(key)?.type_ref;
                    path.push(key);
                    let error = self.type_error(place, short(&fields.name), value, path);
                    path.pop();
                    error
                });
            }
            (Type::Map { element, .. }, Value::Object(members)) => {
                return members
                    .values()
                    .find_map(|value| self.type_error(*element, holder, value, path));
            }
            (Type::List { element, .. }, Value::Array(items)) => {
                return items.iter().find_map(|item| self.type_error(*element, holder, item, path));
            }
            (Type::Scalar(Scalar::Number(name)), Value::Number(number)) => {
                let fits = match *name {
                    "int32" => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
                    "int64" => number.as_i64().is_some(),
                    _ => true,
                };
                if fits {
                    return None;
                }
                format!("number {number}")
            }
            _ => given,
        };
        let wanted = self.go_type(type_ref);
        Some(match holder {
            "" => format!("json: cannot unmarshal {given} into Go value of type {wanted}"),
            holder => format!(
                "json: cannot unmarshal {given} into Go struct field {holder}.{} of type {wanted}",
                path.join(".")
            ),
        })
    }

    /// The name of a type in Go, as far as it is known: named texts are texts here.
    fn go_type(&self, type_ref: TypeRef) -> String {
        match self.resolve(type_ref) {
            Type::Any | Type::Scalar(Scalar::Quantity | Scalar::Untyped) => {
                "interface {}".to_owned()
            }
            Type::List { element, .. } => format!("[]{}", self.go_type(*element)),
            Type::Map { element, .. } => format!("map[string]{}", self.go_type(*element)),
            Type::Scalar(Scalar::Boolean) => "bool".to_owned(),
            Type::Scalar(Scalar::Bytes) => "[]uint8".to_owned(),
            Type::Scalar(Scalar::Number(name)) => (*name).to_owned(),
            Type::Scalar(Scalar::String) => "string".to_owned(),
            Type::Struct(Struct { name, .. }) => match name.split_once('.') {
                Some((_, name)) => name.to_owned(),
                None => name.to_string(),
            },
        }
    }
}

/// `Container` of `core.v1.Container`.
fn short(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, name)| name)
}

/// Reads one value of a type that may be known.
struct Walk<'a> {
    schema: &'a Schema,
    place: Option<TypeRef>,
    path: String,
    found: &'a mut Vec<String>,
}

/// Source: `strictErrors` of the decoder.
const FOUND_MAX: usize = 100;

impl Walk<'_> {
    fn report(&mut self, what: &str, key: &str) {
        if self.found.len() < FOUND_MAX {
            self.found.push(format!("{what} field {}", crate::go::quote(&self.below(key))));
        }
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let place = match self.place.map(|place| self.schema.resolve(place)) {
            Some(Type::List { element, .. }) => Some(*element),
            _ => None,
        };
        for index in 0.. {
            let path = format!("{}[{index}]", self.path);
            let walk = Walk { schema: self.schema, place, path, found: self.found };
            if items.next_element_seed(walk)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let known = self.place.map(|place| self.schema.resolve(place));
        let mut seen = BTreeSet::new();
        while let Some(key) = members.next_key::<String>()? {
            let place = match known {
                Some(Type::Struct(fields)) => {
                    match fields.field(&key).map(|field| field.type_ref).or(fields.rest) {
                        Some(place) => Some(place),
                        None => {
                            self.report("unknown", &key);
                            members.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    }
                }
                Some(Type::Map { element, .. }) => Some(*element),
                _ => None,
            };
            let path = self.below(&key);
            if seen.contains(&key) {
                self.report("duplicate", &key);
            }
            seen.insert(key);
            let walk = Walk { schema: self.schema, place, path, found: self.found };
            members.next_value_seed(walk)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_unknown_or_twice_is_told_in_the_order_of_the_text() {
        let typed = Schema::of_kind("v1", "Pod");
        let text = r#"{"Kind": "Pod", "spec": {"containers": [{"name": "c", "image": "i",
            "image": "j", "nope": {"x": 1}}]}, "metadata": {"labels": {"any": "x"}, "foo": 1}}"#;
        let mut parser = serde_json::Deserializer::from_str(text);
        assert_eq!(
            typed.strict_errors(&mut parser),
            [
                r#"unknown field "Kind""#,
                r#"duplicate field "spec.containers[0].image""#,
                r#"unknown field "spec.containers[0].nope""#,
                r#"unknown field "metadata.foo""#,
            ]
        );
        let typed = Schema::unknown();
        assert!(typed.strict_errors(json!({"spec": {"any": 1}})).is_empty());
    }

    #[test]
    fn wrong_types_are_told_as_recorded() {
        for (kind, value, expected) in [
            (
                ("v1", "Pod"),
                json!({"spec": {"containers": "no"}}),
                "string into Go struct field PodSpec.spec.containers of type []v1.Container",
            ),
            (
                ("v1", "ConfigMap"),
                json!({"data": {"a": 1}}),
                "number into Go struct field ConfigMap.data of type string",
            ),
            (
                ("apps/v1", "Deployment"),
                json!({"spec": {"replicas": 3.0}}),
                "number 3.0 into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                ("apps/v1", "Deployment"),
                json!({"spec": {"replicas": 99_999_999_999_i64}}),
                "number 99999999999 into Go struct field DeploymentSpec.spec.replicas of type \
                 int32",
            ),
        ] {
            let error = Schema::of_kind(kind.0, kind.1).type_error(&value).unwrap();
            assert_eq!(error, format!("json: cannot unmarshal {expected}"));
        }
        let fine = json!({"spec": {"containers": [{"resources": {"limits": {"cpu": 1}}}]}});
        assert_eq!(Schema::of_kind("v1", "Pod").type_error(&fine), None);
    }
}
