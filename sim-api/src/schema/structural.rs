//! A CustomResourceDefinition's schema as types.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ANY, Field, ListType, Scalar, Schema, Struct, Type, TypeRef};

impl Schema {
    /// The types of a structural schema (`openAPIV3Schema`) for a kind.
    ///
    /// What the schema does not say is taken as it comes. The metadata is that of the built-in
    /// kinds.
    ///
    /// Source: structural schemas of k8s.io/apiextensions-apiserver, and how they become types
    /// for apply.
    pub fn from_structural(api_version: &str, kind: &str, openapi: &Value) -> Self {
        let builtin = Self::builtin();
        let mut schema = Self { is_literal: true, ..Self::default() };
        schema.push(Type::Any);
        let metadata = builtin
            .root("", super::UNKNOWN_KIND)
            .and_then(|unknown| builtin.member(unknown, "metadata"))
            .map_or(ANY, |metadata| schema.import(builtin, metadata, &mut BTreeMap::new()));
        let string = schema.push(Type::Scalar(Scalar::String));
        let (mut fields, rest) = match openapi.get("properties") {
            Some(_) => schema.fields(openapi, 0),
            None => (Vec::new(), Some(ANY)),
        };
        fields.retain(|field| !matches!(&*field.name, "kind" | "apiVersion" | "metadata"));
        let mut meta = Field::new("metadata", metadata);
        meta.zero = Some(Value::Object(serde_json::Map::new()));
        let head = [Field::new("kind", string), Field::new("apiVersion", string), meta];
        fields.splice(0..0, head);
        let root = schema.push(Type::Struct(Struct::new(kind, fields, rest)));
        schema.kinds.insert((api_version.into(), kind.into()), root);
        schema
    }

    /// Takes over a type of another schema, with all that it refers to.
    fn import(
        &mut self,
        other: &Self,
        type_ref: TypeRef,
        known: &mut BTreeMap<u32, u32>,
    ) -> TypeRef {
        if type_ref.id == ANY.id {
            return type_ref;
        }
        if let Some(&id) = known.get(&type_ref.id) {
            return TypeRef { id, ..type_ref };
        }
        let place = self.push(Type::Any);
        known.insert(type_ref.id, place.id);
        let imported = match other.resolve(type_ref).clone() {
            Type::List { element, list_type } => {
                Type::List { element: self.import(other, element, known), list_type }
            }
            Type::Map { element, is_atomic } => {
                Type::Map { element: self.import(other, element, known), is_atomic }
            }
            Type::Struct(mut found) => {
                for field in &mut found.fields {
                    field.type_ref = self.import(other, field.type_ref, known);
                }
                found.rest = found.rest.map(|rest| self.import(other, rest, known));
                Type::Struct(found)
            }
            plain => plain,
        };
        if let Some(found) = self.types.get_mut(place.id as usize) {
            *found = imported;
        }
        TypeRef { id: place.id, ..type_ref }
    }

    fn fields(&mut self, openapi: &Value, depth: usize) -> (Vec<Field>, Option<TypeRef>) {
        let mut fields = Vec::new();
        for (name, property) in
            openapi.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let mut field = Field::new(name, self.property(property, depth + 1));
            field.key_default = property.get("default").cloned();
            // A custom resource keeps what it is given, zero or not.
            field.is_pointer = true;
            fields.push(field);
        }
        (fields, is_true(openapi, "x-kubernetes-preserve-unknown-fields").then_some(ANY))
    }

    fn property(&mut self, openapi: &Value, depth: usize) -> TypeRef {
        let text = |key: &str| openapi.get(key).and_then(Value::as_str).unwrap_or_default();
        if depth > DEPTH_MAX {
            return ANY;
        }
        if is_true(openapi, "x-kubernetes-int-or-string") {
            return self.push(Type::Scalar(Scalar::Untyped));
        }
        let found = match text("type") {
            "string" if text("format") == "byte" => Type::Scalar(Scalar::String),
            "string" if !text("format").is_empty() => Type::Scalar(Scalar::Untyped),
            "string" => Type::Scalar(Scalar::String),
            "boolean" => Type::Scalar(Scalar::Boolean),
            "integer" => Type::Scalar(Scalar::Number("int64")),
            "number" => Type::Scalar(Scalar::Number("float64")),
            "array" => {
                let element =
                    openapi.get("items").map_or(ANY, |items| self.property(items, depth + 1));
                let list_type = match text("x-kubernetes-list-type") {
                    "set" => ListType::Set,
                    "map" => {
                        let keys =
                            openapi.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
                        let keys = keys.into_iter().flatten().filter_map(Value::as_str);
                        ListType::Map(keys.map(Into::into).collect())
                    }
                    _ => ListType::Atomic,
                };
                Type::List { element, list_type }
            }
            "object" if openapi.get("properties").is_some() => {
                let (fields, rest) = self.fields(openapi, depth);
                let mut place = self.push(Type::Struct(Struct::new("", fields, rest)));
                place.is_atomic = text("x-kubernetes-map-type") == "atomic";
                return place;
            }
            "object" => match openapi.get("additionalProperties") {
                Some(values @ Value::Object(_)) => Type::Map {
                    element: self.property(values, depth + 1),
                    is_atomic: text("x-kubernetes-map-type") == "atomic",
                },
                _ => return ANY,
            },
            _ => return ANY,
        };
        self.push(found)
    }
}

fn is_true(openapi: &Value, key: &str) -> bool {
    openapi.get(key).and_then(Value::as_bool) == Some(true)
}

/// Levels of a schema that are read; a deeper one is no schema that anybody wrote.
const DEPTH_MAX: usize = 128;
