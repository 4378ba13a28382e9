//! How an answer is compared with the recorded one.
//!
//! JSON by value: the order of arrays counts and that of keys does not, absent and null are
//! different, 3 equals 3.0. Text exactly. Protobuf field by field.

use std::{collections::BTreeMap, fmt, io::Read};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::{
    case::{Case, Volatile},
    placeholder::{self, Values},
    protobuf,
};

/// The first place where an answer is different.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) pointer: String,
    expected: String,
    got: String,
}

impl Difference {
    pub(crate) fn new(pointer: &str, expected: &str, got: &str) -> Self {
        Self { pointer: pointer.to_owned(), expected: expected.to_owned(), got: got.to_owned() }
    }

    fn of(pointer: &str, expected: Option<&Value>, got: Option<&Value>) -> Self {
        let text = |value: Option<&Value>| {
            value.map_or_else(|| "(absent)".to_owned(), ToString::to_string)
        };
        Self::new(pointer, &text(expected), &text(got))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, got) = (short(&self.expected), short(&self.got));
        write!(f, "{}: expected {expected}, got {got}", self.pointer)
    }
}

pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Headers that must be equal, or absent on both sides.
const EXACT: &[&str] = &[
    "content-type",
    "retry-after",
    "warning",
    "content-encoding",
    "vary",
    "allow",
    "location",
    "www-authenticate",
    "x-content-type-options",
];

/// Headers that must be there or not, whatever they are.
const PRESENT: &[&str] =
    &["etag", "x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid"];

/// Compares the answers of one case.
pub(crate) struct Comparison<'a> {
    pub(crate) values: Values,
    volatile: &'a [Volatile],
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(case: &'a Case) -> Self {
        Self { values: Values::new(case), volatile: &case.volatile }
    }

    pub(crate) fn headers(
        &mut self,
        expected: &BTreeMap<String, String>,
        got: &HeaderMap,
    ) -> Result<(), Difference> {
        let expected: BTreeMap<String, &String> =
            expected.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        for &name in EXACT {
            let pointer = format!("/headers/{name}");
            let all: Vec<&str> =
                got.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect();
            match (expected.get(name), all.last()) {
                (None, None) => {}
                // The recording kept one of several.
                (Some(wanted), Some(_)) if name == "warning" => {
                    if !all.contains(&wanted.as_str()) {
                        return Err(Difference::new(&pointer, wanted, &all.join(" ")));
                    }
                }
                (Some(wanted), Some(last)) => {
                    self.values.compare(wanted, &Value::from(*last), &pointer)?;
                }
                (wanted, last) => {
                    let text = |value: Option<&str>| value.unwrap_or("(absent)").to_owned();
                    let wanted = text(wanted.map(|wanted| wanted.as_str()));
                    return Err(Difference::new(&pointer, &wanted, &text(last.copied())));
                }
            }
        }
        for &name in PRESENT {
            let (wanted, value) = (expected.get(name), got.get(name));
            let pointer = format!("/headers/{name}");
            if wanted.is_some() != value.is_some() {
                let text = |there| if there { "present" } else { "(absent)" };
                let (wanted, there) = (text(wanted.is_some()), text(value.is_some()));
                return Err(Difference::new(&pointer, wanted, there));
            }
            if let (Some(wanted), Some(value)) = (wanted, value)
                && placeholder::is_in(wanted)
            {
                let value = Value::from(value.to_str().unwrap_or_default());
                self.values.compare(wanted, &value, &pointer)?;
            }
        }
        Ok(())
    }

    /// Compares a value of step `step`; absent on either side is `None`.
    pub(crate) fn value(
        &mut self,
        step: usize,
        expected: Option<&Value>,
        got: Option<&Value>,
        pointer: &str,
    ) -> Result<(), Difference> {
        let differs = || Difference::of(pointer, expected, got);
        let rule = self.rule(step, pointer);
        match (rule, got) {
            (Some("ignore"), _) => return Ok(()),
            (Some("present"), got) => return got.map(|_| ()).ok_or_else(differs),
            _ => {}
        }
        let (Some(wanted), Some(have)) = (expected, got) else { return Err(differs()) };
        match (rule, wanted, have) {
            (Some("type"), ..) => {
                let same = std::mem::discriminant(wanted) == std::mem::discriminant(have);
                if same { Ok(()) } else { Err(differs()) }
            }
            (Some("words"), Value::String(wanted), Value::String(have)) => {
                if words(wanted) == words(have) { Ok(()) } else { Err(differs()) }
            }
            (Some("spaces"), Value::String(wanted), Value::String(have)) => {
                let have = Value::from(spaces(have));
                self.values.compare(&spaces(wanted), &have, pointer)
            }
            (Some(rule @ ("set" | "superset")), Value::Array(wanted), Value::Array(have)) => {
                self.named(step, rule == "set", wanted, have, pointer)
            }
            (_, Value::Object(wanted), Value::Object(have)) => {
                self.members(step, wanted, have, pointer)
            }
            (_, Value::Array(wanted), Value::Array(have)) => {
                for (index, (wanted, have)) in wanted.iter().zip(have).enumerate() {
                    self.value(step, Some(wanted), Some(have), &format!("{pointer}/{index}"))?;
                }
                same_length(wanted, have, pointer)
            }
            (_, Value::String(wanted), have) => self.values.compare(wanted, have, pointer),
            (_, Value::Number(wanted), Value::Number(have))
                if wanted == have || wanted.as_f64() == have.as_f64() =>
            {
                Ok(())
            }
            (_, wanted, have) if wanted == have => Ok(()),
            _ => Err(differs()),
        }
    }

    fn members(
        &mut self,
        step: usize,
        wanted: &Map<String, Value>,
        have: &Map<String, Value>,
        pointer: &str,
    ) -> Result<(), Difference> {
        let mut named = Vec::new();
        for (key, value) in wanted {
            let key = match placeholder::is_in(key) {
                // Managed fields are keyed by uid.
                true => {
                    let values = &mut self.values;
                    let found = have.keys().find(|other| {
                        values.compare(key, &Value::from(other.as_str()), pointer).is_ok()
                    });
                    found.unwrap_or(key)
                }
                false => key,
            };
            named.push(key);
            self.value(step, Some(value), have.get(key), &below(pointer, key))?;
        }
        for (key, value) in have.iter().filter(|(key, _)| !named.contains(key)) {
            self.value(step, None, Some(value), &below(pointer, key))?;
        }
        Ok(())
    }

    /// Arrays whose elements are found by name: the same ones, or more in the same order.
    fn named(
        &mut self,
        step: usize,
        is_whole: bool,
        wanted: &[Value],
        have: &[Value],
        pointer: &str,
    ) -> Result<(), Difference> {
        let there: BTreeMap<String, &Value> = have.iter().map(|item| (name(item), item)).collect();
        let names: Vec<String> = wanted.iter().map(name).collect();
        for (name, item) in names.iter().zip(wanted) {
            let pointer = format!("{pointer}/[{name}]");
            self.value(step, Some(item), there.get(name).copied(), &pointer)?;
        }
        if is_whole {
            return same_length(wanted, have, pointer);
        }
        let order: Vec<String> =
            have.iter().map(name).filter(|name| names.contains(name)).collect();
        if order == names {
            return Ok(());
        }
        Err(Difference::new(pointer, &names.join(" "), &order.join(" ")))
    }

    fn rule(&self, step: usize, pointer: &str) -> Option<&'a str> {
        let holds =
            |rule: &&Volatile| (rule.step == "*" || rule.step == step) && glob(&rule.ptr, pointer);
        self.volatile.iter().find(holds).map(|rule| rule.rule.as_str())
    }
}

fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn same_length(wanted: &[Value], have: &[Value], pointer: &str) -> Result<(), Difference> {
    if wanted.len() == have.len() {
        return Ok(());
    }
    let (wanted, have) = (wanted.len().to_string(), have.len().to_string());
    Err(Difference::new(&format!("{pointer}#length"), &wanted, &have))
}

/// Namespace and name where there are such, else all of it.
fn name(item: &Value) -> String {
    let within = |key: &str| {
        let metadata = item.pointer(key)?.as_object()?;
        (!metadata.is_empty()).then_some(metadata)
    };
    let named = within("/metadata").or_else(|| within("/object/metadata")).or(item.as_object());
    match named.and_then(|named| Some((named.get("namespace"), named.get("name")?.as_str()?))) {
        Some((Some(Value::String(namespace)), name)) => format!("{namespace}/{name}"),
        Some((_, name)) => name.to_owned(),
        None => sorted(item).to_string(),
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&String, Value> =
                members.iter().map(|(key, value)| (key, sorted(value))).collect();
            json!(members)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// `*` is any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| glob(tail, rest)))
}

fn words(text: &str) -> Vec<&str> {
    let separates = |char: char| char.is_whitespace() || matches!(char, ',' | '[' | ']');
    let mut words: Vec<_> = text.split(separates).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words
}

fn spaces(text: &str) -> String {
    let mut spaced = String::new();
    for char in text.chars() {
        match char.is_whitespace() {
            true if spaced.ends_with(' ') => {}
            true => spaced.push(' '),
            false => spaced.push(char),
        }
    }
    spaced
}

/// A body without its gzip.
pub(crate) fn unpack(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Difference> {
    if headers.get("content-encoding").is_none_or(|coding| coding != "gzip") || body.is_empty() {
        return Ok(body.to_owned());
    }
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(body).read_to_end(&mut plain) {
        Ok(_) => Ok(plain),
        Err(error) => Err(Difference::new("/response", "a gzip stream", &error.to_string())),
    }
}

/// A body as a value: what it is depends on its type.
pub(crate) fn decode(headers: &HeaderMap, body: &[u8]) -> Value {
    let text = || Value::from(String::from_utf8_lossy(body));
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    if content_type.contains("json") {
        return serde_json::from_slice(body).unwrap_or_else(|_| text());
    }
    if content_type.starts_with("text/") || body.is_empty() {
        return text();
    }
    if content_type.contains("yaml") {
        return json!({"$yaml": text()});
    }
    match protobuf::decode(body) {
        Some(message) => json!({"$protobuf": message}),
        None => json!({"$base64": BASE64_STANDARD.encode(body)}),
    }
}

/// What the recording kept of an answer.
pub(crate) fn project(how: &str, answer: Value) -> Value {
    let Some(members) = answer.as_object() else { return answer };
    let member = |key: &str| members.get(key).cloned().unwrap_or_default();
    let items = members.get("items").and_then(Value::as_array);
    let count = items.map_or(0, Vec::len);
    match how {
        "names" | "count" if member("kind") == "Status" => answer,
        "names" => {
            let name = |item: &Value| item.pointer("/metadata/name").cloned().unwrap_or_default();
            let names: Vec<Value> = items.into_iter().flatten().map(name).collect();
            json!({"kind": member("kind"), "items": names})
        }
        "count" => json!({"kind": member("kind"), "apiVersion": member("apiVersion"), "n": count}),
        "kindcount" if items.is_some() => json!({"kind": member("kind"), "n": count}),
        "kindcount" => json!({"kind": member("kind")}),
        "head" => {
            let mut metadata = member("metadata");
            if let Some(members) = metadata.as_object_mut() {
                members.shift_remove("managedFields");
            }
            let (kind, status, message) = (member("kind"), member("status"), member("message"));
            json!({"kind": kind, "metadata": metadata, "status": status, "message": message})
        }
        _ => answer,
    }
}
