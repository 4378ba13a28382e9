//! One step on the way to a field.

use std::fmt;

use serde_json::Value;

use crate::{
    encode, go,
    schema::{ListType, Schema, Type, TypeRef},
};

/// What leads from an object or list to one of its values.
///
/// The order is that of FieldsV1: fields, then keys, values, places.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PathElement {
    /// A member of an object.
    Field(Box<str>),
    /// The element of a list whose members have these values; sorted by name.
    Key(Vec<(Box<str>, KeyValue)>),
    /// The element of a set with this value.
    Value(KeyValue),
    /// The element at a place of a list.
    Index(i64),
}

/// A single value that tells elements of a list apart.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum KeyValue {
    /// A whole number.
    Int(i64),
    /// A text.
    String(Box<str>),
    /// `true` or `false`.
    Bool(bool),
    /// Anything else, as JSON.
    Other(Box<str>),
}

impl PathElement {
    /// Reads the key of a FieldsV1 object, such as `f:spec` or `k:{"name":"c"}`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.into())),
            "k" => {
                let Value::Object(members) = serde_json::from_str(rest).ok()? else { return None };
                let keys = members.iter().map(|(name, value)| (name.as_str().into(), value.into()));
                Some(Self::key(keys.collect()))
            }
            "v" => Some(Self::Value((&serde_json::from_str::<Value>(rest).ok()?).into())),
            "i" => Some(Self::Index(rest.parse().ok()?)),
            _ => None,
        }
    }

    /// The text that [`Self::parse`] reads.
    pub fn to_text(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => {
                let mut text = "k:{".to_owned();
                for (at, (name, value)) in keys.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    push_json(&mut text, &Value::from(&**name));
                    text.push(':');
                    text.push_str(&value.to_json());
                }
                text.push('}');
                text
            }
            Self::Value(value) => format!("v:{}", value.to_json()),
            Self::Index(at) => format!("i:{at}"),
        }
    }

    fn key(mut keys: Vec<(Box<str>, KeyValue)>) -> Self {
        keys.sort();
        Self::Key(keys)
    }

    /// What tells an element of a list apart from the others; an error in the real words where
    /// nothing does.
    pub(super) fn of_item(
        schema: &Schema,
        list_type: &ListType,
        element: TypeRef,
        item: &Value,
    ) -> Result<Self, String> {
        match (list_type, item) {
            (ListType::Map(_), Value::Null) => {
                Err("associative list with keys may not have a null element".to_owned())
            }
            (ListType::Map(names), Value::Object(members)) => {
                let mut keys = Vec::with_capacity(names.len());
                for name in names {
                    let default = || match schema.resolve(element) {
                        Type::Struct(fields) => fields.field(name)?.key_default.as_ref(),
                        _ => None,
                    };
                    let value = members.get(&**name).or_else(default).ok_or_else(|| {
                        format!(
                            "associative list with keys has an element that omits key field {} \
                             (and doesn't have default value)",
                            go::quote(name)
                        )
                    })?;
                    keys.push((name.clone(), value.into()));
                }
                Ok(Self::key(keys))
            }
            (ListType::Map(_), _) => {
                Err("associative list with keys may not have non-map elements".to_owned())
            }
            (_, Value::Object(_)) => {
                Err("associative list without keys has an element that's a map type".to_owned())
            }
            (_, Value::Array(_)) => {
                Err("not supported: associative list with lists as elements".to_owned())
            }
            (_, Value::Null) => {
                Err("associative list without keys has an element that's an explicit null"
                    .to_owned())
            }
            (_, value) => Ok(Self::Value(value.into())),
        }
    }
}

/// As paths in errors have it: `.spec`, `[name="c"]`, `[="x"]`, `[0]`.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(keys) => {
                f.write_str("[")?;
                for (at, (name, value)) in keys.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={value}")?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(at) => write!(f, "[{at}]"),
        }
    }
}

impl KeyValue {
    fn to_json(&self) -> String {
        match self {
            Self::String(text) => {
                let mut json = String::new();
                push_json(&mut json, &Value::from(&**text));
                json
            }
            Self::Int(number) => number.to_string(),
            Self::Bool(flag) => flag.to_string(),
            Self::Other(json) => json.as_ref().to_owned(),
        }
    }
}

impl From<&Value> for KeyValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::String(text.as_str().into()),
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Other(number.to_string().into()),
            },
            value => Self::Other(value.to_string().into()),
        }
    }
}

impl fmt::Display for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(&go::quote(text)),
            Self::Int(number) => number.fmt(f),
            Self::Bool(flag) => flag.fmt(f),
            Self::Other(json) => f.write_str(json),
        }
    }
}

fn push_json(text: &mut String, value: &Value) {
    text.push_str(&String::from_utf8_lossy(&encode::to_json(value)));
}
