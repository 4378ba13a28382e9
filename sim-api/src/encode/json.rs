//! JSON as Go's encoding/json writes it.

use std::io;

use serde_json::{Serializer, Value, ser::Formatter};

/// Compact JSON, with `<`, `>`, `&`, U+2028 and U+2029 escaped; no newline at the end.
pub fn to_json(value: &Value) -> Vec<u8> {
    let mut json = Vec::with_capacity(256);
    write(&mut json, value);
    json
}

/// Compact JSON with the newline that Go's encoder ends a response with.
pub fn compact(value: &Value) -> Vec<u8> {
    let mut json = to_json(value);
    json.push(b'\n');
    json
}

/// Appends compact JSON.
pub(super) fn write(json: &mut Vec<u8>, value: &Value) {
    let mut serializer = Serializer::with_formatter(json, GoFormatter);
    // A Value has string keys and finite numbers, and a Vec takes every byte.
    let written = serde::Serialize::serialize(value, &mut serializer);
    debug_assert!(written.is_ok());
}

/// JSON with an indent of two spaces as `MarshalIndent` writes it; no newline at the end, as a
/// pretty response has none.
pub fn pretty(value: &Value) -> Vec<u8> {
    indent(&to_json(value))
}

/// Spreads compact JSON over lines as Go's `json.Indent` does: two spaces a level, `{}` and `[]`
/// stay together, and what is within strings is left alone.
///
/// White space between tokens is dropped, so a final newline is too. Bytes that are not JSON
/// give bytes that are not JSON.
pub fn indent(json: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped, mut opened) = (0usize, false, false, false);
    for &byte in json {
        if in_string {
            lines.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        if std::mem::take(&mut opened) && !closes {
            depth += 1;
            new_line(&mut lines, depth);
        } else if closes && !matches!(lines.last(), Some(b'{' | b'[')) {
            depth = depth.saturating_sub(1);
            new_line(&mut lines, depth);
        }
        lines.push(byte);
        match byte {
            b'{' | b'[' => opened = true,
            b',' => new_line(&mut lines, depth),
            b':' => lines.push(b' '),
            b'"' => in_string = true,
            _ => {}
        }
    }
    lines
}

fn new_line(lines: &mut Vec<u8>, depth: usize) {
    lines.push(b'\n');
    lines.extend(std::iter::repeat_n(b' ', depth * 2));
}

/// Escapes what Go escapes and serde_json does not.
struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let Some(c) = special.chars().next() else { break };
            write!(writer, "\\u{:04x}", u32::from(c))?;
            rest = &special[c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: serde_json::ser::CharEscape,
    ) -> io::Result<()> {
        use serde_json::ser::CharEscape;
        let text: &[u8] = match escape {
            CharEscape::Quote => b"\\\"",
            CharEscape::ReverseSolidus => b"\\\\",
            CharEscape::Solidus => b"/",
            CharEscape::Backspace => b"\\b",
            CharEscape::FormFeed => b"\\f",
            CharEscape::LineFeed => b"\\n",
            CharEscape::CarriageReturn => b"\\r",
            CharEscape::Tab => b"\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04x}"),
        };
        writer.write_all(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        let value = json!({"a<b": "x&y>\u{2028}\u{2029}\"\\/\n\t\u{1}\u{8}é"});
        assert_eq!(
            String::from_utf8(to_json(&value)).unwrap(),
            r#"{"a\u003cb":"x\u0026y\u003e\u2028\u2029\"\\/\n\t\u0001\bé"}"#
        );
    }

    #[test]
    fn pretty_json_is_laid_out_as_go_does() {
        let value = json!({"a": [], "b": {}, "c": [1, {"d": "[,:{"}], "e": "\\\""});
        let expected = "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \
                        \"[,:{\"\n    }\n  ],\n  \"e\": \"\\\\\\\"\"\n}";
        assert_eq!(String::from_utf8(pretty(&value)).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn indenting_keeps_the_value(text in "\\PC{0,20}", number: i64) {
            let value = json!({ text.clone(): [[], {}, [number, text.clone()], { text.clone(): null }] });
            prop_assert_eq!(serde_json::from_slice::<Value>(&pretty(&value)).unwrap(), value);
        }

        #[test]
        fn any_bytes_may_be_indented(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = indent(&bytes);
        }
    }
}
