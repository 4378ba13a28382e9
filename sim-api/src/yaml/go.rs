//! YAML as the real server reads it: with the words and numbers of YAML 1.1.
//!
//! `yes` and `n` are booleans there, `0755` is octal, and what is no text as a key becomes text.
//!
//! Source: `sigs.k8s.io/yaml`, which turns YAML into JSON, and its go-yaml v2 `resolve.go`.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// The first document of a text; `None` when it is not one that can be made JSON.
pub(crate) fn value(text: &str) -> Option<Value> {
    let mut events = Parser::new_from_str(text)
        .map(|event| event.ok().map(|(event, _)| event))
        .take_while(Option::is_some)
        .flatten()
        .filter(|event| {
            !matches!(event, Event::StreamStart | Event::DocumentStart(..) | Event::Comment(..))
        });
    let mut reader = Reader { anchors: BTreeMap::new(), nodes: 0 };
    let first = events.next()?;
    reader.node(first, &mut events, 0)
}

struct Reader {
    /// What anchors stand for, each as often as it is repeated.
    anchors: BTreeMap<usize, (Value, usize)>,
    /// So many nodes have been made.
    nodes: usize,
}

/// Nodes of one document, those behind aliases counted each time.
const NODES_MAX: usize = 1 << 20;

/// Lists and maps within each other.
const DEPTH_MAX: usize = 128;

impl Reader {
    fn node<'a>(
        &mut self,
        event: Event<'a>,
        events: &mut impl Iterator<Item = Event<'a>>,
        depth: usize,
    ) -> Option<Value> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || depth > DEPTH_MAX {
            return None;
        }
        let before = self.nodes;
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let (value, nodes) = self.anchors.get(&anchor)?.clone();
                self.nodes += nodes;
                return (self.nodes <= NODES_MAX).then_some(value);
            }
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, scalar(&text, style == ScalarStyle::Plain, tag.as_deref()))
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match events.next()? {
                        Event::SequenceEnd => break,
                        event => items.push(self.node(event, events, depth + 1)?),
                    }
                }
                (anchor, Value::Array(items))
            }
            Event::MappingStart(_, anchor, _) => (anchor, self.mapping(events, depth)?),
            _ => return None,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), self.nodes - before));
        }
        Some(value)
    }

    fn mapping<'a>(
        &mut self,
        events: &mut impl Iterator<Item = Event<'a>>,
        depth: usize,
    ) -> Option<Value> {
        let mut members = Map::new();
        let mut merged = Vec::new();
        loop {
            let event = events.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let merges =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.node(event, events, depth + 1)?;
            let event = events.next()?;
            let value = self.node(event, events, depth + 1)?;
            match value {
                Value::Object(from) if merges => merged.push(from),
                Value::Array(from) if merges => {
                    let maps = from.into_iter().map(|from| match from {
                        Value::Object(from) => Some(from),
                        _ => None,
                    });
                    merged.extend(maps.collect::<Option<Vec<_>>>()?);
                }
                _ if merges => return None,
                value => drop(members.insert(key_text(key)?, value)),
            }
        }
        for (key, value) in merged.into_iter().flatten() {
            members.entry(key).or_insert(value);
        }
        Some(Value::Object(members))
    }
}

/// A key as JSON has it.
fn key_text(key: Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) => Some(key.to_string()),
        _ => None,
    }
}

/// What `!!` stands for.
const CORE: &str = "tag:yaml.org,2002:";

fn scalar(text: &str, is_plain: bool, tag: Option<&Tag>) -> Value {
    let is_text = tag.is_some_and(|tag| tag.handle() == CORE && tag.suffix() == "str");
    match (is_plain || tag.is_some()) && !is_text {
        true => resolve(text),
        false => text.into(),
    }
}

/// What plain text stands for.
fn resolve(text: &str) -> Value {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            true.into()
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            false.into()
        }
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        _ => number(text).map_or_else(|| text.into(), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return None;
    }
    let plain = text.replace('_', "");
    if let Some(integer) = integer(&plain) {
        return Some(integer);
    }
    if !is_float(&plain) {
        return None;
    }
    let float: f64 = plain.parse().ok()?;
    // Go writes a float without its fraction when it has none.
    let whole = float.fract() == 0.0 && float.abs() < WHOLE_MAX;
    match whole {
        true => format!("{float:.0}").parse::<i64>().ok().map(Number::from),
        false => Number::from_f64(float),
    }
}

/// Below this a float is written out in full.
const WHOLE_MAX: f64 = 9e15;

/// Go's `ParseInt` with base 0, and what it leaves to `ParseUint`.
fn integer(text: &str) -> Option<Number> {
    let (is_negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = [("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)]
        .iter()
        .find_map(|&(prefix, radix)| Some((radix, lower.strip_prefix(prefix)?)))
        .filter(|(_, digits)| !digits.is_empty())
        .unwrap_or((10, &*lower));
    if !digits.starts_with(|digit: char| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match is_negative {
        true => 0_i64.checked_sub_unsigned(magnitude).map(Number::from),
        false => Some(Number::from(magnitude)),
    }
}

/// Source: `yamlStyleFloat`.
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_mantissa = match mantissa.split_once('.') {
        None => digits(mantissa),
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
    };
    is_mantissa
        && exponent.is_none_or(|power| digits(power.strip_prefix(['-', '+']).unwrap_or(power)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn words_and_numbers_are_those_of_yaml_1_1() {
        for (text, expected) in [
            ("a: n", json!({"a": false})),
            ("n: '1'", json!({"false": "1"})),
            (
                "a: [yes, 'yes', Off, ~, null, y]",
                json!({"a": [true, "yes", false, null, null, true]}),
            ),
            (
                "a: [0755, 0o17, 0x1f, 0b11, 1_000, -7, +3]",
                json!({"a": [493, 15, 31, 3, 1000, -7, 3]}),
            ),
            ("a: [1e3, 1.5, .5, 1., 08, 0]", json!({"a": [1000, 1.5, 0.5, 1, 8, 0]})),
            (
                "a: [1.2.3, 10Mi, 2001-01-01, -a, 0x, 12:30]",
                json!({"a": ["1.2.3", "10Mi", "2001-01-01", "-a", "0x", "12:30"]}),
            ),
            ("a: !!str 1\n1: b\n2.5: c", json!({"a": "1", "1": "b", "2.5": "c"})),
            (
                "a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2, e: 3}",
                json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 2, "e": 3}}),
            ),
            ("a: |\n  yes\nb: >-\n  1", json!({"a": "yes\n", "b": "1"})),
            ("a: 18446744073709551615", json!({"a": 18_446_744_073_709_551_615_u64})),
        ] {
            assert_eq!(value(text), Some(expected), "{text}");
        }
        assert_eq!(value("a: [1"), None);
        assert_eq!(value("? [a]\n: b"), None);
        assert_eq!(value(&"[".repeat(100_000)), None);
    }

    #[test]
    fn aliases_of_aliases_have_an_end() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert_eq!(value(&text), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "[ -~\n]{0,64}") {
            let _ = value(&text);
        }

        #[test]
        fn what_is_written_is_read_back(text in "[ -~]{0,16}") {
            let written = json!({ "key": [text] });
            let yaml = String::from_utf8(crate::encode::to_yaml(&written)).unwrap();
            prop_assert_eq!(value(&yaml), Some(written), "{}", yaml);
        }
    }
}
