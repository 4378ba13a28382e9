//! How Go prints values: the parts of `fmt` and `strconv` that reach an error message.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Go's `%q`: double quotes, with escapes for what is not printable.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c if is_printable(c) => quoted.push(c),
            c if u32::from(c) < 0x1_0000 => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Go's `unicode.IsPrint`, near enough: neither a control, a space other than ' ', nor a format
/// character of the ranges that turn up.
fn is_printable(c: char) -> bool {
    !(c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}'))
}

/// Go's `%#v` of a `[]string`.
pub(crate) fn string_slice(items: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| quote(item.as_ref())).collect();
    format!("[]string{{{}}}", quoted.join(", "))
}

/// Go's `%v` of what it makes of JSON.
pub(crate) fn print(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => print_list(items),
        Value::Object(members) => print_map(members),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Go's `%v` of a `[]interface{}`.
pub(crate) fn print_list(items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(print).collect();
    format!("[{}]", items.join(" "))
}

/// Go's `%v` of a `map[string]interface{}`.
pub(crate) fn print_map(members: &Map<String, Value>) -> String {
    let mut pairs: Vec<(&String, &Value)> = members.iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    let pairs: Vec<String> =
        pairs.into_iter().map(|(key, value)| format!("{key}:{}", print(value))).collect();
    format!("map[{}]", pairs.join(" "))
}

/// `strconv.ParseInt(text, 10, 64)` with its error text.
pub(crate) fn parse_int(text: &str) -> Result<i64, String> {
    let error = |kind| format!("strconv.ParseInt: parsing {}: {kind}", quote(text));
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error("invalid syntax"));
    }
    text.parse().map_err(|_| error("value out of range"))
}

/// `strconv.ParseUint(text, 10, 64)` with its error text.
pub(crate) fn parse_uint(text: &str) -> Result<u64, String> {
    let error = |kind| format!("strconv.ParseUint: parsing {}: {kind}", quote(text));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error("invalid syntax"));
    }
    text.parse().map_err(|_| error("value out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_as_go_does() {
        assert_eq!(quote("a\"b\\\n\u{1}é\u{2028}"), r#""a\"b\\\n\x01é\u2028""#);
        assert_eq!(string_slice(&["a", "b"]), r#"[]string{"a", "b"}"#);
    }

    #[test]
    fn values_are_printed_as_go_does() {
        let value = serde_json::json!({"b": [1, "x", null, {"y": true}], "a": 1.5});
        assert_eq!(print(&value), "map[a:1.5 b:[1 x <nil> map[y:true]]]");
    }

    #[test]
    fn numbers_are_refused_in_gos_words() {
        assert_eq!(parse_int("-12"), Ok(-12));
        assert_eq!(
            parse_int("abc"),
            Err(r#"strconv.ParseInt: parsing "abc": invalid syntax"#.into())
        );
        assert_eq!(
            parse_uint("99999999999999999999"),
            Err(r#"strconv.ParseUint: parsing "99999999999999999999": value out of range"#.into())
        );
        assert_eq!(
            parse_uint("-1"),
            Err(r#"strconv.ParseUint: parsing "-1": invalid syntax"#.into())
        );
    }
}
