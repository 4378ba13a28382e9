//! Objects in the form that they have once Go has read and printed them.

use serde_json::{Map, Value};

use super::{ANY, Field, Scalar, Schema, Struct, Type, TypeRef, Typed};

impl Typed {
    /// Drops what the types do not have and what Go does not print, adds what it always prints
    /// and the defaults of members that are a list's keys, and puts the fields in Go's order.
    ///
    /// Values of the wrong type are left alone.
    pub fn canonical(&self, mut value: Value) -> Value {
        if !self.schema.is_literal {
            return self.schema.canonical(self.root, value);
        }
        let place = self.schema.member(self.root, "metadata").unwrap_or_default();
        if let Some(metadata) = value.get_mut("metadata") {
            *metadata = self.schema.canonical(place, metadata.take());
        }
        value
    }

    /// An object in the [canonical](Self::canonical) form once it has been in the storage, whose
    /// protobuf does not tell an empty list from none.
    pub fn kept(&self, mut value: Value) -> Value {
        if !self.schema.is_literal {
            self.schema.forget_empty(self.root, &mut value);
        }
        value
    }

    /// What Go prints for a member of which nothing is set.
    pub fn zero_member(&self, name: &str) -> Value {
        let place = self.schema.member(self.root, name).unwrap_or_default();
        self.schema.canonical(place, Value::Object(Map::new()))
    }

    /// What Go prints for an object of which nothing is set.
    pub fn zero(&self) -> Value {
        self.canonical(Value::Object(Map::new()))
    }
}

impl Schema {
    fn canonical(&self, type_ref: TypeRef, value: Value) -> Value {
        match (self.resolve(type_ref), value) {
            (Type::Struct(fields), Value::Object(members)) => self.members(fields, members).into(),
            (Type::List { element, .. }, Value::Array(items)) => {
                items.into_iter().map(|item| self.element(*element, item)).collect()
            }
            (Type::Map { element, .. }, Value::Object(members)) if *element != ANY => {
                let mut members: Map<_, _> = members
                    .into_iter()
                    .map(|(key, value)| (key, self.element(*element, value)))
                    .collect();
                members.sort_keys();
                members.into()
            }
            (Type::Scalar(Scalar::Quantity), value) => quantity(value),
            (_, value) => value,
        }
    }

    fn forget_empty(&self, type_ref: TypeRef, value: &mut Value) {
        match (self.resolve(type_ref), value) {
            (Type::Struct(fields), Value::Object(members)) => {
                for field in &fields.fields {
                    let Some(value) = members.get_mut(&*field.name) else { continue };
                    if field.zero == Some(Value::Null) && is_empty(value) {
                        *value = Value::Null;
                    }
                    self.forget_empty(field.type_ref, value);
                }
            }
            (Type::List { element, .. }, Value::Array(items)) => {
                items.iter_mut().for_each(|item| self.forget_empty(*element, item));
            }
            (Type::Map { element, .. }, Value::Object(members)) => {
                members.values_mut().for_each(|member| self.forget_empty(*element, member));
            }
            _ => {}
        }
    }

    /// An element is never left out; Go has a zero struct where null is given.
    fn element(&self, type_ref: TypeRef, value: Value) -> Value {
        match (self.resolve(type_ref), value) {
            (Type::Struct(_), Value::Null) => self.canonical(type_ref, Value::Object(Map::new())),
            (_, value) => self.canonical(type_ref, value),
        }
    }

    fn members(&self, fields: &Struct, mut given: Map<String, Value>) -> Map<String, Value> {
        let mut members = Map::with_capacity(given.len());
        for field in &fields.fields {
            // The order of what is left does not matter, as its places are looked up by name.
            let given = given.swap_remove_entry(&*field.name);
            let value = match given {
                Some((key, value)) => self.given(field, value).map(|value| (key, value)),
                None => None,
            };
            if let Some((key, value)) = value {
                members.insert(key, value);
            } else if let Some(zero) = &field.zero {
                let zero = self.canonical(field.type_ref, zero.clone());
                members.insert(field.name.as_ref().into(), zero);
            } else if let Some(default) = &field.key_default {
                members.insert(field.name.as_ref().into(), default.clone());
            }
        }
        if let Some(rest) = fields.rest {
            let mut others: Vec<_> = given.into_iter().collect();
            others.sort_by(|(a, _), (b, _)| a.cmp(b));
            let others = others.into_iter().map(|(key, value)| (key, self.canonical(rest, value)));
            members.extend(others);
        }
        members
    }

    /// A field's value; nothing where Go prints it as it prints no value at all.
    fn given(&self, field: &Field, value: Value) -> Option<Value> {
        if value.is_null() {
            return None;
        }
        let value = self.canonical(field.type_ref, value);
        if field.is_pointer || field.zero.is_some() {
            return Some(value);
        }
        let is_zero = match &value {
            Value::Null => true,
            Value::Bool(flag) => !flag,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
        };
        (!is_zero).then_some(value)
    }
}

/// Whether there is nothing in a list or an object.
fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// An amount as Go prints it; what is none is left alone.
fn quantity(value: Value) -> Value {
    let canonical = match &value {
        Value::String(text) => crate::quantity::canonical(text),
        Value::Number(number) => crate::quantity::canonical(&number.to_string()),
        _ => None,
    };
    canonical.map_or(value, Value::String)
}
