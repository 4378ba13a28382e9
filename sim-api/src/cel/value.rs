//! Values.

use std::{cmp::Ordering, net::IpAddr, ops::Deref, sync::Arc};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::time;
use crate::custom::Props;

/// A value: one of CEL's, or a part of an object that has not been looked at yet.
#[derive(Clone, Debug)]
pub(crate) enum Val<'a> {
    Bool(bool),
    Bytes(Arc<[u8]>),
    Cidr(IpAddr, u8),
    Double(f64),
    /// In nanoseconds.
    Duration(i64),
    Int(i64),
    Ip(IpAddr),
    /// A list or an object, with its schema where it has one.
    Json(&'a Value, Option<&'a Props>),
    List(Arc<Vec<Self>>),
    Map(Arc<Vec<(Self, Self)>>),
    Null,
    Optional(Option<Arc<Self>>),
    /// In units of 10⁻⁹.
    Quantity(i128),
    Text(Text<'a>),
    Time(Timestamp),
    Type(&'static str),
    Uint(u64),
    Url(Text<'a>),
}

/// A text, of the object or made on the way; a copy of it costs nothing.
#[derive(Clone, Debug)]
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl<'a> Val<'a> {
    /// A text.
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Text::Shared(text.as_ref().into()))
    }

    /// How much there is to look at in it, all levels together; no more than is worth counting.
    pub(super) fn weight(&self) -> u64 {
        fn of_json(value: &Value) -> u64 {
            1 + match value {
                Value::String(text) => text.len() as u64 / 10,
                Value::Array(items) => items.iter().map(of_json).sum(),
                Value::Object(members) => members.values().map(of_json).sum(),
                _ => 0,
            }
        }
        1 + match self {
            Self::Json(value, _) => of_json(value),
            Self::List(items) => items.iter().map(Self::weight).sum(),
            Self::Map(entries) => entries.iter().map(|(k, v)| k.weight() + v.weight()).sum(),
            Self::Text(text) | Self::Url(text) => text.len() as u64 / 10,
            Self::Bytes(bytes) => bytes.len() as u64 / 10,
            Self::Optional(Some(inner)) => inner.weight(),
            _ => 0,
        }
    }

    /// The element at a place of a list; `None` where it is no list.
    pub(super) fn nth(&self, place: Option<usize>) -> Option<Option<Self>> {
        match self {
            Self::List(items) => Some(place.and_then(|place| items.get(place).cloned())),
            Self::Json(Value::Array(items), schema) => {
                let schema = schema.and_then(|schema| schema.items.as_deref());
                let item = place.and_then(|place| items.get(place));
                Some(item.map(|item| Val::of(item, schema)))
            }
            _ => None,
        }
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items))
    }

    pub(super) fn some(value: Self) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    /// A part of an object; its schema says what its texts and numbers are.
    pub(crate) fn of(value: &'a Value, schema: Option<&'a Props>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => {
                let is_double = schema.is_some_and(|schema| schema.kind == "number");
                match (number.as_i64(), number.as_f64()) {
                    (Some(number), _) if !is_double => Self::Int(number),
                    (_, Some(number)) => {
                        let is_int = schema.is_some_and(|schema| schema.kind == "integer");
                        #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
                        if is_int && number.fract() == 0.0 && number.abs() < 9e18 {
                            Self::Int(number as i64)
                        } else {
                            Self::Double(number)
                        }
                    }
                    _ => Self::Null,
                }
            }
            Value::String(text) => {
                let format = schema.map_or("", |schema| schema.format.as_str());
                let read = match format {
                    "date-time" | "datetime" => text.parse().ok().map(Self::Time),
                    "date" => format!("{text}T00:00:00Z").parse().ok().map(Self::Time),
                    "duration" => time::parse_duration(text).map(Self::Duration),
                    "byte" => super::strings::decode_base64(text).map(|b| Self::Bytes(b.into())),
                    _ => None,
                };
                read.unwrap_or(Self::Text(Text::Borrowed(text)))
            }
            Value::Array(_) | Value::Object(_) => Self::Json(value, schema),
        }
    }

    /// The elements of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.to_vec()),
            Self::Json(Value::Array(items), schema) => {
                let schema = schema.and_then(|schema| schema.items.as_deref());
                Some(items.iter().map(|item| Val::of(item, schema)).collect())
            }
            _ => None,
        }
    }

    /// The entries of a map, in the order of their keys.
    pub(super) fn entries(&self) -> Option<Vec<(Self, Self)>> {
        match self {
            Self::Map(entries) => Some(entries.to_vec()),
            Self::Json(Value::Object(members), schema) => Some(
                members
                    .iter()
                    .map(|(name, value)| {
                        (Self::Text(Text::Borrowed(name)), Val::of(value, below(*schema, name)))
                    })
                    .collect(),
            ),
            _ => None,
        }
    }

    /// How many elements, entries, characters or bytes it has.
    pub(super) fn len(&self) -> Option<usize> {
        Some(match self {
            Self::Text(text) => text.chars().count(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) => items.len(),
            Self::Map(entries) => entries.len(),
            Self::Json(Value::Array(items), _) => items.len(),
            Self::Json(Value::Object(members), _) => members.len(),
            _ => return None,
        })
    }

    /// A member of an object or a map. Names that are no identifiers are escaped in expressions.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        match self {
            Self::Json(Value::Object(members), schema) => get(members, *schema, name),
            Self::Map(_) => self.entry(&Self::text(name)),
            Self::Optional(Some(inner)) => inner.member(name),
            _ => None,
        }
    }

    /// The value of a key.
    pub(super) fn entry(&self, key: &Self) -> Option<Self> {
        match (self, key) {
            (Self::Map(entries), key) => {
                let mut entries = entries.iter();
                entries.find(|(found, _)| found.equals(key)).map(|(_, value)| value.clone())
            }
            (Self::Json(Value::Object(members), schema), Self::Text(name)) => {
                members.get(&**name).map(|value| Val::of(value, below(*schema, name)))
            }
            _ => None,
        }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_) | Self::Json(Value::Object(_), _))
    }

    /// Whether two values are the same; numbers of different types are compared as numbers.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Text(a), Self::Text(b)) | (Self::Url(a), Self::Url(b)) => **a == **b,
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Cidr(a, n), Self::Cidr(b, m)) => a == b && n == m,
            (Self::Quantity(a), Self::Quantity(b)) => a == b,
            (Self::Optional(a), Self::Optional(b)) => match (a, b) {
                (None, None) => true,
                (Some(a), Some(b)) => a.equals(b),
                _ => false,
            },
            (Self::Json(a, sa), Self::Json(b, sb)) if sa.is_none() && sb.is_none() => a == b,
            (a, b) => {
                if let (Some(a), Some(b)) = (a.items(), b.items()) {
                    let is_set = self.is_unordered() || other.is_unordered();
                    return a.len() == b.len()
                        && match is_set {
                            true => a.iter().all(|a| b.iter().any(|b| a.equals(b))),
                            false => a.iter().zip(&b).all(|(a, b)| a.equals(b)),
                        };
                }
                if let (Some(a), Some(b)) = (a.entries(), b.entries()) {
                    return a.len() == b.len()
                        && a.iter().all(|(key, value)| {
                            let found = b.iter().find(|(other, _)| key.equals(other));
                            found.is_some_and(|(_, other)| value.equals(other))
                        });
                }
                self.number_order(other) == Some(Ordering::Equal)
            }
        }
    }

    /// Whether it is a list whose order does not count.
    pub(super) fn is_unordered(&self) -> bool {
        let Self::Json(_, Some(schema)) = self else { return false };
        matches!(schema.list_type.as_deref(), Some("set" | "map"))
    }

    /// The order of two values, where they have one.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some((**a).cmp(&**b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            _ => self.number_order(other),
        }
    }

    fn number_order(&self, other: &Self) -> Option<Ordering> {
        let whole = |value: &Self| match value {
            Self::Int(number) => Some(i128::from(*number)),
            Self::Uint(number) => Some(i128::from(*number)),
            _ => None,
        };
        match (whole(self), whole(other)) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => self.double()?.partial_cmp(&other.double()?),
        }
    }

    /// The number as a floating point one.
    #[expect(clippy::cast_precision_loss, reason = "as cel-go compares")]
    pub(super) fn double(&self) -> Option<f64> {
        match self {
            Self::Double(number) => Some(*number),
            Self::Int(number) => Some(*number as f64),
            Self::Uint(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// The name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Bytes(_) => "bytes",
            Self::Cidr(..) => "net.CIDR",
            Self::Double(_) => "double",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Int(_) => "int",
            Self::Ip(_) => "net.IP",
            Self::Json(Value::Array(_), _) | Self::List(_) => "list",
            Self::Json(..) | Self::Map(_) => "map",
            Self::Null => "null_type",
            Self::Optional(_) => "optional_type",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Text(_) => "string",
            Self::Time(_) => "google.protobuf.Timestamp",
            Self::Type(_) => "type",
            Self::Uint(_) => "uint",
            Self::Url(_) => "kubernetes.URL",
        }
    }

    /// Whether it is what its type has for nothing.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Null | Self::Optional(None) | Self::Bool(false) => true,
            Self::Int(0) | Self::Uint(0) | Self::Duration(0) => true,
            Self::Double(number) => *number == 0.0,
            value => value.len() == Some(0),
        }
    }
}

fn below<'a>(schema: Option<&'a Props>, name: &str) -> Option<&'a Props> {
    let schema = schema?;
    schema.properties.get(name).or_else(|| schema.additional_schema())
}

fn get<'a>(
    members: &'a Map<String, Value>,
    schema: Option<&'a Props>,
    name: &str,
) -> Option<Val<'a>> {
    let found = members.get_key_value(name).or_else(|| members.get_key_value(&unescape(name)));
    found.map(|(name, value)| Val::of(value, below(schema, name)))
}

/// The name of a member from what an expression calls it.
///
/// Source: `Unescape` of k8s.io/apiserver `pkg/cel/escaping.go`.
pub(super) fn unescape(name: &str) -> String {
    if let Some(word) = name.strip_prefix("__").and_then(|name| name.strip_suffix("__"))
        && KEYWORDS.contains(&word)
    {
        return word.to_owned();
    }
    name.replace("__dot__", ".")
        .replace("__dash__", "-")
        .replace("__slash__", "/")
        .replace("__underscores__", "__")
}

const KEYWORDS: [&str; 20] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
];
