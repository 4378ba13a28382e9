//! What stands for values that the server makes up.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use regex::{Captures, Regex};
use serde_json::Value;

use crate::{case::Case, compare::Difference};

/// The values that the placeholders of one case have so far.
#[derive(Default)]
pub(crate) struct Values {
    bound: HashMap<String, String>,
    /// By kind and value.
    back: HashMap<(String, String), String>,
    /// The place of a version among the object versions of the case.
    order: HashMap<String, usize>,
}

/// Kinds, and what their values look like.
const KINDS: &[(&str, &str)] = &[
    ("rv", r"[1-9]\d*"),
    ("lrv", r"[1-9]\d*"),
    ("uid", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    ("cont", r"\S+"),
    ("etag", r".+"),
    ("ts", TIME),
    ("tsv", TIME),
    ("tsm", MICRO_TIME),
    ("tsmv", MICRO_TIME),
    ("ip", r"\d{1,3}(?:\.\d{1,3}){3}"),
    ("port", r"[1-9]\d{3,4}"),
    ("sfx", r"[bcdfghjklmnpqrstvwxz2456789]{5}"),
    ("num", r"\d+"),
    ("age", r"(?:\d+[smhdy])+|<invalid>"),
    ("addr", r#"[^/\s"]+"#),
    ("jwt", r"[\w-]+\.[\w-]+\.[\w-]+"),
    ("hex", r"0x[0-9a-f]+"),
    ("mgr", r"\S.*"),
    ("text", r"[\s\S]+"),
];
const TIME: &str = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)";
const MICRO_TIME: &str = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)";

/// Kinds that are the same value wherever the same number is.
const NUMBERED: &[&str] =
    &["rv", "lrv", "uid", "cont", "etag", "tsv", "tsmv", "ip", "port", "sfx", "mgr"];

/// Of those, the ones whose numbers are different values.
const DISTINCT: &[&str] = &["rv", "uid", "ip", "port", "sfx"];

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    let kinds = "rv|lrv|uid|cont|etag|tsv|tsmv|tsm|ts|ip|port|sfx|num|age|addr|jwt|mgr|hex|text";
    Regex::new(&format!(r"<({kinds})(\d*)>")).unwrap()
});

/// What a text that is one placeholder stands for, by kind.
static WHOLE: LazyLock<BTreeMap<&str, Regex>> = LazyLock::new(|| {
    let whole = |(kind, form): &(&'static str, &str)| {
        (*kind, Regex::new(&format!("^(?:{form})$")).unwrap())
    };
    KINDS.iter().map(whole).collect()
});

/// Whether there is a placeholder in a text.
pub(crate) fn is_in(text: &str) -> bool {
    text.contains('<') && PLACEHOLDER.is_match(text)
}

fn form(kind: &str) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).unwrap().1
}

/// The placeholder that a text is.
fn only(text: &str) -> Option<Captures<'_>> {
    PLACEHOLDER.captures(text).filter(|found| found[0].len() == text.len())
}

impl Values {
    pub(crate) fn new(case: &Case) -> Self {
        let order = case.rv_order.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
        Self { order, ..Self::default() }
    }

    /// A text to be sent, with the values.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        self.fill_with(text, str::to_owned)
    }

    /// A path, with the values in it escaped.
    pub(crate) fn fill_path(&self, path: &str) -> Result<String, String> {
        self.fill_with(path, |value| {
            let escape = |byte: u8| match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            };
            value.bytes().map(escape).collect()
        })
    }

    fn fill_with(&self, text: &str, form: impl Fn(&str) -> String) -> Result<String, String> {
        let mut filled = String::new();
        let mut end = 0;
        for found in PLACEHOLDER.find_iter(text) {
            let name = found.as_str();
            let value =
                self.bound.get(name).ok_or_else(|| format!("no earlier answer has {name}"))?;
            filled.push_str(&text[end..found.start()]);
            filled.push_str(&form(value));
            end = found.end();
        }
        filled.push_str(&text[end..]);
        Ok(filled)
    }

    /// A body to be sent.
    pub(crate) fn fill_value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => {
                let filled = self.fill(text)?;
                match only(text).filter(|found| &found[1] == "port") {
                    Some(_) => filled.parse::<u32>().map_err(|error| error.to_string())?.into(),
                    None => Value::String(filled),
                }
            }
            Value::Array(items) => Value::Array(
                items.iter().map(|item| self.fill_value(item)).collect::<Result<_, _>>()?,
            ),
            Value::Object(members) => {
                let filled =
                    members.iter().map(|(key, value)| Ok((key.clone(), self.fill_value(value)?)));
                Value::Object(filled.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    /// Takes a value from the answer to an unrecorded request.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        if let Some(found) = only(name) {
            self.back.insert((found[1].to_owned(), value.clone()), name.to_owned());
        }
        self.bound.insert(name.to_owned(), value);
    }

    /// The newest object version there has been.
    pub(crate) fn newest(&self) -> u64 {
        let bound = self.bound.iter().filter(|(name, _)| self.order.contains_key(*name));
        bound.filter_map(|(_, value)| value.parse().ok()).max().unwrap_or(0)
    }

    /// Compares a recorded text with a value, and takes values from it.
    pub(crate) fn compare(
        &mut self,
        expected: &str,
        got: &Value,
        pointer: &str,
    ) -> Result<(), Difference> {
        let differs = || Difference::new(pointer, expected, &got.to_string());
        if let Some(found) = only(expected) {
            let got = match got {
                Value::Number(number) if &found[1] == "port" && !number.is_f64() => {
                    number.to_string()
                }
                Value::String(text) if &found[1] != "port" => text.clone(),
                _ => return Err(differs()),
            };
            if !WHOLE[&found[1]].is_match(&got) {
                return Err(differs());
            }
            return self.bind(&found, &got, pointer);
        }
        let got = got.as_str().ok_or_else(differs)?;
        if !is_in(expected) {
            return if expected == got { Ok(()) } else { Err(differs()) };
        }
        let mut form_of_all = String::from("^");
        let mut end = 0;
        for found in PLACEHOLDER.captures_iter(expected) {
            let whole = found.get(0).unwrap();
            form_of_all.push_str(&regex::escape(&expected[end..whole.start()]));
            form_of_all.push_str(&format!("({})", form(&found[1])));
            end = whole.end();
        }
        form_of_all.push_str(&regex::escape(&expected[end..]));
        form_of_all.push('$');
        let parts = Regex::new(&form_of_all).unwrap();
        let parts = parts.captures(got).ok_or_else(differs)?;
        for (found, value) in PLACEHOLDER.captures_iter(expected).zip(parts.iter().skip(1)) {
            self.bind(&found, value.map_or("", |value| value.as_str()), pointer)?;
        }
        Ok(())
    }

    fn bind(&mut self, found: &Captures<'_>, got: &str, pointer: &str) -> Result<(), Difference> {
        let (name, kind) = (&found[0], &found[1]);
        if !NUMBERED.contains(&kind) || found[2].is_empty() {
            return Ok(());
        }
        let differs = |expected: String| Err(Difference::new(pointer, &expected, got));
        if let Some(before) = self.bound.get(name) {
            return match before == got {
                true => Ok(()),
                false => differs(format!("{name} = {before} as in an earlier answer")),
            };
        }
        let key = (kind.to_owned(), got.to_owned());
        if let Some(other) = self.back.get(&key).filter(|_| DISTINCT.contains(&kind)) {
            return differs(format!("{name}, a value other than {other}"));
        }
        if kind == "ip" && got.parse::<std::net::Ipv4Addr>().is_err() {
            return differs("an IPv4 address".to_owned());
        }
        if let (Some(&place), Ok(number)) = (self.order.get(name), got.parse::<u64>()) {
            for (other, &other_place) in &self.order {
                let other_number = self.bound.get(other).and_then(|value| value.parse().ok());
                let wrong = |other: u64| (other < number) != (other_place < place);
                if other_number.is_some_and(wrong) {
                    return differs(format!("{name} in its place beside {other}"));
                }
            }
        }
        self.bound.insert(name.to_owned(), got.to_owned());
        self.back.insert(key, name.to_owned());
        Ok(())
    }
}
