//! Field paths and lists of field errors, as validation collects them.
//!
//! Source: k8s.io/apimachinery `pkg/util/validation/field/{path,errors}.go` (release-1.33). The
//! texts are those of [`StatusCause`].

use std::fmt::{self, Write};

use serde_json::{Map, Value};
use smallvec::SmallVec;

use crate::{go, go_syntax, status::StatusCause};

/// A value within an object, and how to get there.
///
/// A member that is not there is [`Value::Null`], and so are the members below it: validation
/// can ask for what it likes.
#[derive(Clone, Debug)]
pub struct At<'a> {
    value: &'a Value,
    path: SmallVec<[Step<'a>; 8]>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Index(usize),
    Key(&'a str),
    Member(&'a str),
}

static NULL: Value = Value::Null;

impl<'a> At<'a> {
    /// A whole object; its own path prints as `<nil>`.
    pub fn root(value: &'a Value) -> Self {
        Self { value, path: SmallVec::new() }
    }

    /// A member of an object; `name` may have dots, which are then only printed.
    #[must_use]
    pub fn at(&self, name: &'a str) -> Self {
        self.step(self.value.get(name).unwrap_or(&NULL), Step::Member(name))
    }

    /// The same value under a further name: the path of an error that the real server reports
    /// somewhere else than the value is.
    #[must_use]
    pub fn named(&self, name: &'a str) -> Self {
        self.step(self.value, Step::Member(name))
    }

    /// The same value with `[index]` after its path.
    #[must_use]
    pub fn indexed(&self, index: usize) -> Self {
        self.step(self.value, Step::Index(index))
    }

    /// The same path with another value.
    #[must_use]
    pub fn holding<'b>(&self, value: &'b Value) -> At<'b>
    where
        'a: 'b,
    {
        At { value, path: self.path.iter().copied().map(|step| step as Step<'b>).collect() }
    }

    /// A value as that of a map's key: `path[key]`.
    #[must_use]
    pub fn key_named<'b>(&self, key: &'b str, value: &'b Value) -> At<'b>
    where
        'a: 'b,
    {
        let mut at = self.holding(value);
        at.path.push(Step::Key(key));
        at
    }

    /// The value of a map's key: `path[key]`.
    #[must_use]
    pub fn key(&self, key: &'a str) -> Self {
        self.step(self.value.get(key).unwrap_or(&NULL), Step::Key(key))
    }

    /// The elements of a list.
    pub fn items(&self) -> impl ExactSizeIterator<Item = At<'a>> + use<'a> {
        let this = self.clone();
        self.list().iter().enumerate().map(move |(at, value)| this.step(value, Step::Index(at)))
    }

    /// The entries of a map.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + use<'a> {
        let this = self.clone();
        self.map()
            .into_iter()
            .flatten()
            .map(move |(key, value)| (key.as_str(), this.step(value, Step::Key(key))))
    }

    fn step(&self, value: &'a Value, step: Step<'a>) -> Self {
        let mut path = self.path.clone();
        path.push(step);
        Self { value, path }
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// The text; empty where there is none.
    pub fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    /// The number; 0 where there is none.
    pub fn int(&self) -> i64 {
        self.value.as_i64().unwrap_or_default()
    }

    /// The number, if there is one.
    pub fn opt_int(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// Whether it is `true`.
    pub fn flag(&self) -> bool {
        self.value.as_bool().unwrap_or_default()
    }

    /// Whether there is a value other than null.
    pub fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Whether there is nothing: no value, or one without length.
    pub fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// The list; empty where there is none.
    pub fn list(&self) -> &'a [Value] {
        self.value.as_array().map_or(&[], |items| items)
    }

    /// The texts of a list.
    pub fn texts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.list().iter().filter_map(Value::as_str)
    }

    /// The object, if it is one.
    pub fn map(&self) -> Option<&'a Map<String, Value>> {
        self.value.as_object()
    }

    /// The path, such as `spec.containers[0].name`.
    pub fn field(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str("<nil>");
        }
        for (at, step) in self.path.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key}]")?,
                Step::Member(name) => {
                    if at > 0 {
                        f.write_char('.')?;
                    }
                    f.write_str(name)?;
                }
            }
        }
        Ok(())
    }
}

/// What is wrong with an object, in the order in which it was found; `field.ErrorList`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors(Vec<StatusCause>);

impl Errors {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The causes of an [`invalid`](crate::Status::invalid) status.
    pub fn into_causes(self) -> Vec<StatusCause> {
        self.0
    }

    /// Adds one.
    pub fn push(&mut self, cause: StatusCause) {
        self.0.push(cause);
    }

    /// Forgets what was found after the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Something must be there; `detail` may be empty.
    pub fn required(&mut self, at: &At<'_>, detail: &str) {
        self.0.push(StatusCause::required(at.field(), detail));
    }

    /// Something must not be there, or not be changed.
    pub fn forbidden(&mut self, at: &At<'_>, detail: &str) {
        self.0.push(StatusCause::forbidden(at.field(), detail));
    }

    /// A single value is wrong: a text, a number or a truth value. Nothing prints as an empty
    /// text; where it is a pointer in Go, see [`invalid_as`](Self::invalid_as).
    pub fn invalid(&mut self, at: &At<'_>, detail: &str) {
        self.0.push(StatusCause::invalid(at.field(), simple(at.value), detail));
    }

    /// A value is wrong, of which the real server prints something else.
    pub fn invalid_value(&mut self, at: &At<'_>, value: impl Into<String>, detail: &str) {
        self.0.push(StatusCause::invalid(at.field(), value, detail));
    }

    /// A text is wrong, of which the real server prints something else.
    pub fn invalid_text(&mut self, at: &At<'_>, text: &str, detail: &str) {
        self.0.push(StatusCause::invalid_text(at.field(), text, detail));
    }

    /// A value is wrong that Go prints by its type, such as `*v1.LabelSelector`.
    pub fn invalid_as(&mut self, at: &At<'_>, go_type: &'static str, detail: &str) {
        self.0.push(StatusCause::invalid(
            at.field(),
            go_syntax::bad_value(go_type, at.value),
            detail,
        ));
    }

    /// A value is wrong in a way that no value explains.
    pub fn invalid_omitted(&mut self, at: &At<'_>, detail: &str) {
        self.0.push(StatusCause::invalid_omitted(at.field(), detail));
    }

    /// One error for each message about a text.
    pub fn each_invalid(&mut self, at: &At<'_>, messages: Vec<String>) {
        for message in messages {
            self.invalid_text(at, at.text(), &message);
        }
    }

    /// A value is not one of `supported`.
    pub fn not_supported(&mut self, at: &At<'_>, supported: &[&str]) {
        self.0.push(StatusCause::not_supported(at.field(), simple(at.value), supported));
    }

    /// As [`not_supported`](Self::not_supported), where Go prints the value by its type.
    pub fn not_supported_as(&mut self, at: &At<'_>, go_type: &'static str, supported: &[&str]) {
        let value = go_syntax::bad_value(go_type, at.value);
        self.0.push(StatusCause::not_supported(at.field(), value, supported));
    }

    /// A value is there twice.
    pub fn duplicate(&mut self, at: &At<'_>) {
        self.0.push(StatusCause::duplicate(at.field(), simple(at.value)));
    }

    /// As [`duplicate`](Self::duplicate), of a text that is put together.
    pub fn duplicate_text(&mut self, at: &At<'_>, text: &str) {
        self.0.push(StatusCause::duplicate(at.field(), go::quote(text)));
    }

    /// A value refers to nothing.
    pub fn not_found(&mut self, at: &At<'_>, detail: &str) {
        self.0.push(StatusCause::not_found(at.field(), simple(at.value), detail));
    }

    /// A text is longer than `max` bytes.
    pub fn too_long(&mut self, at: &At<'_>, max: usize) {
        self.0.push(StatusCause::too_long(at.field(), max));
    }

    /// A list has more than `max` elements.
    pub fn too_many(&mut self, at: &At<'_>, count: usize, max: usize) {
        self.0.push(StatusCause::too_many(at.field(), count, max));
    }

    /// A number must not be negative.
    pub fn non_negative(&mut self, at: &At<'_>) {
        if at.int() < 0 {
            self.invalid(at, NOT_NEGATIVE);
        }
    }

    /// A number must be above zero.
    pub fn positive(&mut self, at: &At<'_>) {
        if at.int() <= 0 {
            self.invalid_value(at, at.int().to_string(), "must be greater than 0");
        }
    }

    /// A value must be what it was before.
    pub fn immutable(&mut self, at: &At<'_>, old: &At<'_>, go_type: &'static str) {
        if !is_same(at.value, old.value) {
            self.invalid_as(at, go_type, IMMUTABLE);
        }
    }
}

/// Whether Go holds two values for the same: nothing and empty are.
///
/// Source: `apiequality.Semantic.DeepEqual`. Values are in canonical form, so quantities and
/// times are compared as texts.
pub fn is_same(a: &Value, b: &Value) -> bool {
    fn nothing(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        }
    }
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let has = |of: &Map<String, Value>, key: &str, value: &Value| {
                is_same(value, of.get(key).unwrap_or(&NULL))
            };
            a.iter().all(|(key, value)| has(b, key, value))
                && b.iter().all(|(key, value)| a.contains_key(key) || nothing(value))
        }
        (a, b) => a == b || (nothing(a) && nothing(b)),
    }
}

/// How Go prints a single value in an error.
fn simple(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::String(text) => go::quote(text),
        other => other.to_string(),
    }
}

/// Source: `api/validation.IsNegativeErrorMsg`.
pub const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
/// Source: `api/validation.FieldImmutableErrorMsg`.
pub const IMMUTABLE: &str = "field is immutable";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_print_as_in_go() {
        let object = json!({"spec": {"containers": [{"name": "a"}], "limits": {"cpu": "1"}}});
        let spec = At::root(&object).at("spec");
        let first = spec.at("containers").items().next().unwrap();
        assert_eq!(first.at("name").field(), "spec.containers[0].name");
        assert_eq!(first.at("name").text(), "a");
        assert_eq!(spec.at("limits").key("cpu").field(), "spec.limits[cpu]");
        assert_eq!(spec.at("none").at("deeper").field(), "spec.none.deeper");
        assert_eq!(At::root(&object).field(), "<nil>");
    }

    #[test]
    fn errors_have_gos_words() {
        let object = json!({"a": "x", "n": -1, "l": [1]});
        let root = At::root(&object);
        let mut errors = Errors::new();
        errors.required(&root.at("b"), "");
        errors.non_negative(&root.at("n"));
        errors.not_supported(&root.at("a"), &["y", "z"]);
        errors.duplicate(&root.at("a"));
        errors.not_found(&root.at("a"), "");
        errors.too_many(&root.at("l"), 1, 0);
        errors.invalid_omitted(&root.at("a"), "no");
        let texts: Vec<String> = errors.into_causes().into_iter().map(|c| c.message).collect();
        assert_eq!(
            texts,
            [
                "Required value",
                "Invalid value: -1: must be greater than or equal to 0",
                "Unsupported value: \"x\": supported values: \"y\", \"z\"",
                "Duplicate value: \"x\"",
                "Not found: \"x\"",
                "Too many: 1: must have at most 0 items",
                "Invalid value: no",
            ]
        );
    }

    #[test]
    fn nothing_and_empty_are_the_same() {
        assert!(is_same(&json!({"a": []}), &json!({})));
        assert!(is_same(&json!(null), &json!({})));
        assert!(!is_same(&json!({"a": ""}), &json!({"a": "x"})));
        assert!(!is_same(&json!([1]), &json!([1, 2])));
    }
}
