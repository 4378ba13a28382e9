//! The part of kubectl's JSONPath that columns and selectable fields use: members, indexes,
//! slices, wildcards, descent and simple filters.
//!
//! Source: k8s.io/client-go `util/jsonpath`. What is missing is never an error, as
//! `AllowMissingKeys` is set for both uses.

use serde_json::{Map, Value};

/// A path that has been read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Descend,
    Each,
    Filter { path: JsonPath, test: Option<(Compare, Value)> },
    Index(i64),
    Member(String),
    Slice(Option<i64>, Option<i64>, i64),
    Union(Vec<JsonPath>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Compare {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
}

impl JsonPath {
    /// Reads `.spec.a[0]['b.c'][?(@.type=="x")].d`; `None` where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        parse(text, 0)
    }

    /// What is at the path below the members of an object.
    pub(super) fn find_in<'a>(&self, members: &'a Map<String, Value>) -> Vec<&'a Value> {
        let Some((first, rest)) = self.0.split_first() else { return Vec::new() };
        let mut found = Vec::new();
        match first {
            Step::Member(name) => found.extend(members.get(name)),
            Step::Each => found.extend(members.values()),
            _ => return Vec::new(),
        }
        walk(rest, found)
    }

    /// What is at the path below a value.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        walk(&self.0, vec![value])
    }
}

fn walk<'a>(steps: &[Step], mut found: Vec<&'a Value>) -> Vec<&'a Value> {
    for step in steps {
        let mut next = Vec::new();
        for value in found {
            take(step, value, &mut next);
            if next.len() > FOUND_MAX {
                break;
            }
        }
        found = next;
    }
    found
}

fn take<'a>(step: &Step, value: &'a Value, next: &mut Vec<&'a Value>) {
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => next.extend(members.get(name)),
        (Step::Each, Value::Object(members)) => next.extend(members.values()),
        (Step::Each, Value::Array(items)) => next.extend(items),
        (Step::Index(index), Value::Array(items)) => {
            next.extend(place(*index, items.len()).and_then(|at| items.get(at)));
        }
        (Step::Slice(from, to, step), Value::Array(items)) => {
            let len = items.len();
            let bound = |at: Option<i64>, otherwise: usize| match at {
                None => otherwise,
                Some(at) => place(at, len).unwrap_or(if at < 0 { 0 } else { len }),
            };
            let (from, to) = (bound(*from, 0), bound(*to, len).min(len));
            let step = usize::try_from(*step).unwrap_or(1).max(1);
            if let Some(items) = items.get(from..to) {
                next.extend(items.iter().step_by(step));
            }
        }
        (Step::Filter { path, test }, Value::Array(items)) => {
            next.extend(items.iter().filter(|item| {
                let found = path.find(item);
                match (test, found.first()) {
                    (None, found) => found.is_some(),
                    (Some(_), None) => false,
                    (Some((compare, wanted)), Some(found)) => compare.holds(found, wanted),
                }
            }));
        }
        (Step::Union(paths), value) => {
            next.extend(paths.iter().flat_map(|path| path.find(value)));
        }
        (Step::Descend, value) => descend(value, next),
        _ => {}
    }
}

fn descend<'a>(value: &'a Value, next: &mut Vec<&'a Value>) {
    if next.len() > FOUND_MAX {
        return;
    }
    next.push(value);
    match value {
        Value::Object(members) => members.values().for_each(|value| descend(value, next)),
        Value::Array(items) => items.iter().for_each(|value| descend(value, next)),
        _ => {}
    }
}

fn place(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => (index <= len).then_some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

impl Compare {
    fn holds(self, found: &Value, wanted: &Value) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (found, wanted) {
            (Value::Number(a), Value::Number(b)) => super::validate::compare(a, b),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            (a, b) => (a == b).then_some(Equal),
        };
        match self {
            Self::Equal => order == Some(Equal),
            Self::NotEqual => order != Some(Equal),
            Self::Less => order == Some(Less),
            Self::LessOrEqual => matches!(order, Some(Less | Equal)),
            Self::Greater => order == Some(Greater),
            Self::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
        }
    }
}

fn parse(text: &str, depth: usize) -> Option<JsonPath> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Descend);
            rest = after;
            if !rest.starts_with('[') {
                rest = member(rest, &mut steps)?;
            }
        } else if let Some(after) = rest.strip_prefix('.') {
            // A lone dot is the object itself.
            if after.is_empty() || after.starts_with('[') {
                rest = after;
                continue;
            }
            rest = member(after, &mut steps)?;
        } else if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after)?;
            steps.push(bracket(after.get(..end)?.trim(), depth)?);
            rest = after.get(end + 1..)?;
        } else if steps.is_empty() {
            rest = member(rest, &mut steps)?;
        } else {
            return None;
        }
        if steps.len() > STEPS_MAX {
            return None;
        }
    }
    Some(JsonPath(steps))
}

/// Reads a name up to the next dot or bracket; `\.` is a dot in it.
fn member<'a>(text: &'a str, steps: &mut Vec<Step>) -> Option<&'a str> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    let mut end = text.len();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '.' | '[' => {
                end = at;
                break;
            }
            c => name.push(c),
        }
    }
    match name.as_str() {
        "" => return None,
        "*" => steps.push(Step::Each),
        _ => steps.push(Step::Member(name)),
    }
    text.get(end..)
}

/// Where the bracket that has been opened is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut open, mut quote) = (0, None);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => open += 1,
            (None, ']') if open == 0 => return Some(at),
            (None, ']') => open -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(text: &str, depth: usize) -> Option<Step> {
    if let Some(filter) = text.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        return self::filter(filter, depth);
    }
    if text == "*" {
        return Some(Step::Each);
    }
    if let Some(name) = quoted(text) {
        return Some(Step::Member(name));
    }
    if text.contains(',') {
        let parts = text.split(',').map(|part| {
            let step = bracket(part.trim(), depth + 1).filter(|_| depth < DEPTH_MAX)?;
            Some(JsonPath(vec![step]))
        });
        return parts.collect::<Option<Vec<_>>>().map(Step::Union);
    }
    if text.contains(':') {
        let mut parts = text.split(':').map(|part| match part.trim() {
            "" => Some(None),
            part => part.parse().ok().map(Some),
        });
        let mut part = || parts.next().unwrap_or(Some(None));
        let (from, to, step) = (part()?, part()?, part()?.unwrap_or(1));
        return Some(Step::Slice(from, to, step));
    }
    text.parse().ok().map(Step::Index)
}

fn filter(text: &str, depth: usize) -> Option<Step> {
    let operators = [
        ("==", Compare::Equal),
        ("!=", Compare::NotEqual),
        ("<=", Compare::LessOrEqual),
        (">=", Compare::GreaterOrEqual),
        ("<", Compare::Less),
        (">", Compare::Greater),
    ];
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '=' | '!' | '<' | '>') => {
                let rest = text.get(at..)?;
                let (sign, compare) =
                    operators.into_iter().find(|(sign, _)| rest.starts_with(sign))?;
                let path = operand(text.get(..at)?, depth)?;
                let wanted = literal(rest.get(sign.len()..)?.trim())?;
                return Some(Step::Filter { path, test: Some((compare, wanted)) });
            }
            _ => {}
        }
    }
    Some(Step::Filter { path: operand(text, depth)?, test: None })
}

fn operand(text: &str, depth: usize) -> Option<JsonPath> {
    parse(text.trim().strip_prefix('@')?, depth + 1)
}

fn literal(text: &str) -> Option<Value> {
    match quoted(text) {
        Some(text) => Some(text.into()),
        None => serde_json::from_str(text).ok(),
    }
}

fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.get(1..)?.strip_suffix(quote)?;
    let mut name = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?),
            c if c == quote => return None,
            c => name.push(c),
        }
    }
    Some(name)
}

/// Values that one path finds at most.
const FOUND_MAX: usize = 10_000;
const STEPS_MAX: usize = 100;
const DEPTH_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn find(path: &str) -> Vec<String> {
        let object = json!({
            "spec": {"a": 1, "b.c": "x", "list": [1, 2, 3], "items": [{"n": "p", "v": 5}, {"n": "q", "v": 7}]},
            "status": {"conditions": [
                {"type": "Ready", "status": "True"}, {"type": "Done", "status": "False"},
            ]},
        });
        JsonPath::parse(path).unwrap().find(&object).iter().map(|v| v.to_string()).collect()
    }

    #[test]
    fn paths_find_what_they_name() {
        for (path, found) in [
            (".spec.a", vec!["1"]),
            (".spec['b.c']", vec![r#""x""#]),
            (r".spec.b\.c", vec![r#""x""#]),
            (".spec.list[0]", vec!["1"]),
            (".spec.list[-1]", vec!["3"]),
            (".spec.list[0:2]", vec!["1", "2"]),
            (".spec.list[*]", vec!["1", "2", "3"]),
            (r#".status.conditions[?(@.type=="Ready")].status"#, vec![r#""True""#]),
            (".status.conditions[?(@.type=='Done')].status", vec![r#""False""#]),
            (".spec.items[?(@.v>5)].n", vec![r#""q""#]),
            ("..v", vec!["5", "7"]),
            (".spec.none.deeper", vec![]),
        ] {
            assert_eq!(find(path), found, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_not(text in "[.\\[\\]@?()'\"a*:,0-9=<\\\\]{0,30}") {
            if let Some(path) = JsonPath::parse(&text) {
                path.find(&json!({"a": [{"a": 1}]}));
            }
        }
    }
}
