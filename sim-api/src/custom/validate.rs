//! Validation of a value against a schema, with the real messages.
//!
//! Source: k8s.io/kube-openapi `pkg/validation/{errors,validate}`, and how
//! k8s.io/apiextensions-apiserver `pkg/apiserver/validation` makes field errors of them;
//! ratcheting from `ratcheting.go` there. Properties are looked at in the order of their names,
//! where Go has none.

mod format;

use serde_json::{Number, Value};

use super::{
    list,
    path::Path,
    pattern::Patterns,
    props::{Additional, Props},
};
use crate::{go, status::StatusCause};

/// What is wrong with a value that is new.
pub(super) fn on_create(value: &Value, schema: &Props, patterns: &Patterns) -> Vec<StatusCause> {
    let validator = Validator { patterns };
    validator.check(schema, &Path::ROOT, value, None).into_causes(&Path::ROOT)
}

/// What is wrong with a value that was another before; a part that has not changed is left as it
/// is, right or wrong.
///
/// The paths in the causes begin at `at`, those in their texts do not: the real server validates
/// a status on its own.
pub(super) fn on_update(
    value: &Value,
    old: Option<&Value>,
    schema: &Props,
    patterns: &Patterns,
    at: &Path<'_>,
) -> Vec<StatusCause> {
    let validator = Validator { patterns };
    validator.check(schema, &Path::ROOT, value, old).into_causes(at)
}

struct Validator<'a> {
    patterns: &'a Patterns,
}

/// What was found, and how much fitted: of alternatives the one that fits best is told.
#[derive(Debug, Default)]
struct Found {
    errors: Vec<Error>,
    matches: usize,
}

#[derive(Debug)]
struct Error {
    path: Option<String>,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Choice { value: String, choices: Vec<String> },
    Invalid { value: String, message: String },
    Missing,
    TooLong(i64),
    TooMany { count: i64, max: i64 },
    Type { value: String, message: String },
}

impl Found {
    fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.matches += other.matches;
    }

    fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    fn push(&mut self, path: &Path<'_>, problem: Problem) {
        self.errors.push(Error { path: Some(path.to_string()), problem });
    }

    /// An error of the whole, which the real server knows no field of.
    fn push_plain(&mut self, message: String) {
        let problem = Problem::Invalid { value: "\"\"".to_owned(), message };
        self.errors.push(Error { path: None, problem });
    }

    fn invalid(&mut self, path: &Path<'_>, value: String, what: &str) {
        let message = format!("{path} in body {what}");
        self.push(path, Problem::Invalid { value, message });
    }

    fn into_causes(self, at: &Path<'_>) -> Vec<StatusCause> {
        self.errors.into_iter().map(|error| error.into_cause(at)).collect()
    }
}

impl Error {
    fn into_cause(self, at: &Path<'_>) -> StatusCause {
        let field = match self.path.filter(|path| !path.is_empty()) {
            Some(path) => at.member(&path).field(),
            None => at.field(),
        };
        match self.problem {
            Problem::Choice { value, choices } => {
                let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
                StatusCause::not_supported(field, value, &choices)
            }
            Problem::Invalid { value, message } => StatusCause::invalid(field, value, &message),
            Problem::Missing => StatusCause::required(field, ""),
            Problem::TooLong(max) => {
                StatusCause::too_long(field, usize::try_from(max).unwrap_or_default())
            }
            Problem::TooMany { count, max } => StatusCause::too_many(
                field,
                usize::try_from(count).unwrap_or_default(),
                usize::try_from(max).unwrap_or_default(),
            ),
            Problem::Type { value, message } => StatusCause::type_invalid(field, value, &message),
        }
    }
}

impl Validator<'_> {
    fn check(&self, schema: &Props, path: &Path<'_>, value: &Value, old: Option<&Value>) -> Found {
        let found = self.check_all(schema, path, value, old);
        if !found.is_valid() && old.is_some_and(|old| old == value) {
            return Found { errors: Vec::new(), matches: found.matches };
        }
        found
    }

    fn check_all(
        &self,
        schema: &Props,
        path: &Path<'_>,
        value: &Value,
        old: Option<&Value>,
    ) -> Found {
        let mut found = Found::default();
        type_of(schema, path, value, &mut found);
        if value.is_null() {
            choice(schema, path, value, &mut found);
            return found;
        }
        self.combined(schema, path, value, old, &mut found);
        match value {
            Value::String(text) => {
                self.text(schema, path, text, &mut found);
                format(schema, path, text, &mut found);
            }
            Value::Number(number) => numeric(schema, path, number, &mut found),
            Value::Array(items) => self.items(schema, path, items, old, &mut found),
            _ => {}
        }
        choice(schema, path, value, &mut found);
        if let Value::Object(members) = value {
            self.members(schema, path, members, old, &mut found);
        }
        found.matches += 1;
        found
    }

    fn combined(
        &self,
        schema: &Props,
        path: &Path<'_>,
        value: &Value,
        old: Option<&Value>,
        found: &mut Found,
    ) {
        let shown = || go::quote(&path.to_string());
        if !schema.any_of.is_empty() {
            let mut best: Option<Found> = None;
            for alternative in &schema.any_of {
                let result = self.check_all(alternative, path, value, old);
                if result.is_valid() {
                    best = Some(result);
                    break;
                }
                if best.as_ref().is_none_or(|best| result.matches > best.matches) {
                    best = Some(result);
                }
            }
            if best.as_ref().is_some_and(|best| !best.is_valid()) {
                found.push_plain(format!("{} must validate at least one schema (anyOf)", shown()));
            }
            found.merge(best.unwrap_or_default());
        }
        if !schema.one_of.is_empty() {
            let mut valid = 0;
            let mut best: Option<Found> = None;
            for alternative in &schema.one_of {
                let result = self.check_all(alternative, path, value, old);
                if result.is_valid() {
                    valid += 1;
                    best = Some(result);
                } else if valid == 0
                    && best.as_ref().is_none_or(|best| result.matches > best.matches)
                {
                    best = Some(result);
                }
            }
            if valid != 1 {
                let detail = match valid {
                    0 => "Found none valid".to_owned(),
                    valid => format!("Found {valid} valid alternatives"),
                };
                found.push_plain(format!(
                    "{} must validate one and only one schema (oneOf). {detail}",
                    shown()
                ));
            }
            found.merge(best.unwrap_or_default());
        }
        if !schema.all_of.is_empty() {
            let mut valid = 0;
            for part in &schema.all_of {
                let result = self.check_all(part, path, value, old);
                valid += usize::from(result.is_valid());
                found.merge(result);
            }
            if valid != schema.all_of.len() {
                let detail = if valid == 0 { ". None validated" } else { "" };
                found.push_plain(format!(
                    "{} must validate all the schemas (allOf){detail}",
                    shown()
                ));
            }
        }
        if let Some(not) = &schema.not
            && self.check_all(not, path, value, old).is_valid()
        {
            found.push_plain(format!("{} must not validate the schema (not)", shown()));
        }
        found.matches += 1;
    }

    fn text(&self, schema: &Props, path: &Path<'_>, text: &str, found: &mut Found) {
        let length = || i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if let Some(max) = schema.max_length
            && length() > max
        {
            found.push(path, Problem::TooLong(max));
            return;
        }
        if let Some(min) = schema.min_length
            && length() < min
        {
            let what = format!("should be at least {min} chars long");
            found.invalid(path, go::quote(text), &what);
            return;
        }
        if !schema.pattern.is_empty() && !self.patterns.matches(&schema.pattern, text) {
            found.invalid(path, go::quote(text), &format!("should match '{}'", schema.pattern));
            return;
        }
        found.matches += 1;
    }

    fn items(
        &self,
        schema: &Props,
        path: &Path<'_>,
        items: &[Value],
        old: Option<&Value>,
        found: &mut Found,
    ) {
        if let Some(element) = &schema.items {
            let before = list::Correlated::new(schema, old);
            for (at, item) in items.iter().enumerate() {
                let old = before.get(item);
                found.merge(self.check(element, &path.index(at), item, old));
            }
        }
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if let Some(min) = schema.min_items
            && count < min
        {
            let what = format!("should have at least {min} items");
            found.invalid(path, count.to_string(), &what);
        }
        if let Some(max) = schema.max_items
            && count > max
        {
            found.push(path, Problem::TooMany { count, max });
        }
        found.matches += 1;
    }

    fn members(
        &self,
        schema: &Props,
        path: &Path<'_>,
        members: &serde_json::Map<String, Value>,
        old: Option<&Value>,
        found: &mut Found,
    ) {
        let count = i64::try_from(members.len()).unwrap_or(i64::MAX);
        if let Some(min) = schema.min_properties
            && count < min
        {
            let what = format!("should have at least {min} properties");
            found.invalid(path, count.to_string(), &what);
        }
        if let Some(max) = schema.max_properties
            && count > max
        {
            found.push(path, Problem::TooMany { count, max });
        }
        // Whether a member that is there was there before; the type of an object never ratchets.
        let before = |name: &str| {
            let is_type = path.is_root() && matches!(name, "kind" | "apiVersion");
            old.filter(|_| !is_type).and_then(|old| old.get(name))
        };
        for (name, value) in members {
            if schema.properties.contains_key(name) {
                continue;
            }
            match &schema.additional {
                Some(Additional::Allowed(false)) => {
                    let value = go::quote(name);
                    let message = format!("{path}.{name} in body is a forbidden property");
                    found.push(path, Problem::Invalid { value, message });
                }
                Some(Additional::Schema(additional)) => {
                    let at = path.member(name);
                    found.merge(self.check(additional, &at, value, before(name)));
                }
                _ => {}
            }
        }
        for (name, property) in &schema.properties {
            if let Some(value) = members.get(name) {
                let at = path.member(name);
                found.merge(self.check(property, &at, value, before(name)));
            }
        }
        for name in &schema.required {
            if !members.contains_key(name) {
                found.push(&path.member(name), Problem::Missing);
            }
        }
    }
}

fn type_of(schema: &Props, path: &Path<'_>, value: &Value, found: &mut Found) {
    let kinds: &[&str] = match schema.kind.as_str() {
        _ if schema.int_or_string => &["integer", "string"],
        "" => &[],
        kind => &[kind],
    };
    let mut refuse = |wanted: &str, actual: &str| {
        let actual = go::quote(actual);
        let message = format!("{path} in body must be of type {wanted}: {actual}");
        found.push(path, Problem::Type { value: actual, message });
    };
    let actual = match value {
        Value::Null => {
            if !kinds.is_empty() && !kinds.contains(&"null") && !schema.nullable {
                refuse(&kinds.join(","), "null");
            }
            return;
        }
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if kinds.is_empty() {
        return;
    }
    let has = |kind: &str| kinds.contains(&kind);
    let is_numeric_type = has("number") || has("integer");
    let is_format_known = format::is_known(&schema.format);
    if !is_numeric_type && is_format_known && matches!(value, Value::String(_) | Value::Array(_)) {
        return;
    }
    let whole = value.as_f64().is_some_and(|number| number.fract() == 0.0);
    let fits = has(actual)
        || (actual == "number" && whole && has("integer"))
        || (actual == "integer" && has("number"));
    if fits {
        found.matches += 1;
    } else {
        refuse(&kinds.join(","), actual);
    }
}

fn choice(schema: &Props, path: &Path<'_>, value: &Value, found: &mut Found) {
    if schema.choices.is_empty() {
        return;
    }
    let same = |choice: &Value| match (choice, value) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(std::cmp::Ordering::Equal),
        (a, b) => a == b,
    };
    if schema.choices.iter().any(same) {
        return;
    }
    let text = |choice: &Value| match choice {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let choices = schema.choices.iter().map(text).collect();
    found.push(path, Problem::Choice { value: list::shown(value), choices });
}

fn numeric(schema: &Props, path: &Path<'_>, number: &Number, found: &mut Found) {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let value = || number.to_string();
    if let Some(factor) = &schema.multiple_of
        && !is_multiple(number, factor)
    {
        found.invalid(path, value(), &format!("should be a multiple of {}", shown(factor)));
    }
    if let Some(max) = &schema.maximum {
        match compare(number, max) {
            Some(Greater) if !schema.exclusive_maximum => {
                let what = format!("should be less than or equal to {}", shown(max));
                found.invalid(path, value(), &what);
            }
            Some(Greater | Equal) if schema.exclusive_maximum => {
                found.invalid(path, value(), &format!("should be less than {}", shown(max)));
            }
            _ => {}
        }
    }
    if let Some(min) = &schema.minimum {
        match compare(number, min) {
            Some(Less) if !schema.exclusive_minimum => {
                let what = format!("should be greater than or equal to {}", shown(min));
                found.invalid(path, value(), &what);
            }
            Some(Less | Equal) if schema.exclusive_minimum => {
                found.invalid(path, value(), &format!("should be greater than {}", shown(min)));
            }
            _ => {}
        }
    }
    found.matches += 1;
}

/// How a bound is printed: whole numbers without a fraction.
fn shown(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
        _ => number.to_string(),
    }
}

pub(super) fn compare(a: &Number, b: &Number) -> Option<std::cmp::Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn is_multiple(number: &Number, factor: &Number) -> bool {
    if let (Some(number), Some(factor)) = (number.as_i64(), factor.as_i64()) {
        return factor != 0 && number.checked_rem(factor) == Some(0);
    }
    let (Some(number), Some(factor)) = (number.as_f64(), factor.as_f64()) else { return true };
    factor > 0.0 && (number / factor).fract() == 0.0
}

fn format(schema: &Props, path: &Path<'_>, text: &str, found: &mut Found) {
    if schema.format.is_empty() || format::holds(&schema.format, text) {
        return;
    }
    let value = go::quote(text);
    let message = format!("{path} in body must be of type {}: {value}", schema.format);
    found.push(path, Problem::Type { value, message });
}

#[cfg(test)]
mod tests;
