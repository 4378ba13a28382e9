//! Reading of stored objects by paths.

use jiff::Timestamp;
use serde_json::Value;

use super::human_duration;

/// An object or a part of one, and the time at which it is printed. What is missing reads as
/// empty, as in Go's structs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    value: &'a Value,
    now: Timestamp,
}

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a Value, now: Timestamp) -> Self {
        Self { value, now }
    }

    /// The part at a path of names between dots.
    pub(super) fn get(self, path: &str) -> Self {
        path.split('.').fold(self, Self::key)
    }

    /// The member of that name, which may have dots.
    pub(super) fn key(self, name: &str) -> Self {
        Self { value: self.value.get(name).unwrap_or(&NULL), now: self.now }
    }

    /// The element at that place.
    pub(super) fn at(self, index: usize) -> Self {
        Self { value: self.value.get(index).unwrap_or(&NULL), now: self.now }
    }

    pub(super) fn exists(self) -> bool {
        !self.value.is_null()
    }

    /// Itself as text.
    pub(super) fn str(self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    pub(super) fn text(self, path: &str) -> &'a str {
        self.get(path).str()
    }

    /// The text at `path`, or `otherwise` where it is missing or empty.
    pub(super) fn text_or(self, path: &str, otherwise: &'a str) -> &'a str {
        match self.text(path) {
            "" => otherwise,
            text => text,
        }
    }

    /// The text at `path`, or `otherwise` where it is missing.
    pub(super) fn some_text(self, path: &str, otherwise: &'a str) -> &'a str {
        self.get(path).value.as_str().unwrap_or(otherwise)
    }

    pub(super) fn int(self, path: &str) -> i64 {
        self.get(path).value.as_i64().unwrap_or_default()
    }

    /// The number at `path`, or `otherwise` where it is missing.
    pub(super) fn int_or(self, path: &str, otherwise: &str) -> Value {
        match self.get(path).value.as_i64() {
            Some(number) => number.into(),
            None => otherwise.into(),
        }
    }

    pub(super) fn flag(self, path: &str) -> Option<bool> {
        self.get(path).value.as_bool()
    }

    /// A quantity, or what is a number or a text: missing is `0`, as Go prints a zero quantity.
    pub(super) fn quantity(self, path: &str) -> String {
        self.get(path).as_quantity()
    }

    /// Itself as a [`quantity`](Self::quantity).
    pub(super) fn as_quantity(self) -> String {
        match self.value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => "0".to_owned(),
        }
    }

    /// The elements of the list at `path`.
    pub(super) fn items(self, path: &str) -> impl DoubleEndedIterator<Item = Self> {
        let items = self.get(path).value.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().map(move |value| Self { value, now: self.now })
    }

    /// The members of the map at `path`, in the order of their names.
    pub(super) fn members(self, path: &str) -> Vec<(&'a str, Self)> {
        self.get(path).members_here()
    }

    /// The members of this map, in the order of their names.
    pub(super) fn members_here(self) -> Vec<(&'a str, Self)> {
        let members = self.value.as_object().into_iter().flatten();
        let mut members: Vec<_> =
            members.map(|(key, value)| (key.as_str(), Self { value, now: self.now })).collect();
        members.sort_by_key(|(key, _)| *key);
        members
    }

    /// How many elements or members there are at `path`.
    pub(super) fn count(self, path: &str) -> usize {
        match self.get(path).value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        }
    }

    /// The texts of the list at `path`.
    pub(super) fn texts(self, path: &str) -> Vec<&'a str> {
        self.items(path).map(Self::str).collect()
    }

    pub(super) fn time(self, path: &str) -> Option<Timestamp> {
        self.text(path).parse().ok()
    }

    /// How long ago the time at `path` is.
    pub(super) fn since(self, path: &str) -> String {
        match self.time(path) {
            Some(time) => self.since_time(time),
            None => "<unknown>".to_owned(),
        }
    }

    /// How long ago `time` is.
    pub(super) fn since_time(self, time: Timestamp) -> String {
        human_duration(self.now.duration_since(time))
    }

    pub(super) fn name(self) -> &'a str {
        self.text("metadata.name")
    }

    pub(super) fn age(self) -> String {
        self.since("metadata.creationTimestamp")
    }

    pub(super) fn is_deleted(self) -> bool {
        self.get("metadata.deletionTimestamp").exists()
    }

    /// The condition of that type.
    pub(super) fn condition(self, kind: &str) -> Option<Self> {
        self.items("status.conditions").find(|condition| condition.text("type") == kind)
    }

    /// Whether the condition of that type is true.
    pub(super) fn is_true(self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.text("status") == "True")
    }
}

static NULL: Value = Value::Null;
