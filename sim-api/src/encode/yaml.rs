//! YAML as the real server writes it: keys sorted, lists not indented.
//!
//! Source: `sigs.k8s.io/yaml`, which turns JSON into a map and that into YAML.

use serde_json::{Map, Value};

/// The YAML document of a value.
pub fn to_yaml(value: &Value) -> Vec<u8> {
    let mut yaml = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => write_object(&mut yaml, members, 0),
        Value::Array(items) if !items.is_empty() => write_array(&mut yaml, items, 0),
        value => {
            write_scalar(&mut yaml, value, 0);
            yaml.push('\n');
        }
    }
    yaml.into_bytes()
}

/// The YAML document of JSON text, such as a whole encoded list; what is no JSON is returned
/// as it is.
pub fn yaml_of_json(json: &[u8]) -> Vec<u8> {
    match serde_json::from_slice(json) {
        Ok(value) => to_yaml(&value),
        Err(_) => json.to_vec(),
    }
}

fn write_object(yaml: &mut String, members: &Map<String, Value>, depth: usize) {
    let mut keys: Vec<&String> = members.keys().collect();
    keys.sort_unstable();
    for (at, key) in keys.into_iter().enumerate() {
        // The first key stands after the dash of a list item.
        if at > 0 || !yaml.ends_with("- ") {
            indent(yaml, depth);
        }
        write_text(yaml, key, depth, true);
        yaml.push(':');
        write_value(yaml, &members[key], depth);
    }
}

fn write_value(yaml: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            yaml.push('\n');
            write_object(yaml, members, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            yaml.push('\n');
            write_array(yaml, items, depth);
        }
        value => {
            yaml.push(' ');
            write_scalar(yaml, value, depth + 1);
            yaml.push('\n');
        }
    }
}

fn write_array(yaml: &mut String, items: &[Value], depth: usize) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 || !yaml.ends_with("- ") {
            indent(yaml, depth);
        }
        yaml.push_str("- ");
        match item {
            Value::Object(members) if !members.is_empty() => {
                write_object(yaml, members, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => write_array(yaml, items, depth + 1),
            item => {
                write_scalar(yaml, item, depth + 1);
                yaml.push('\n');
            }
        }
    }
}

fn write_scalar(yaml: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => yaml.push_str("null"),
        Value::Bool(flag) => yaml.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => yaml.push_str(&number.to_string()),
        Value::String(text) => write_text(yaml, text, depth, false),
        Value::Array(_) => yaml.push_str("[]"),
        Value::Object(_) => yaml.push_str("{}"),
    }
}

fn write_text(yaml: &mut String, text: &str, depth: usize, is_key: bool) {
    if text.is_empty() || reads_as_other(text) || !text.chars().all(is_printable) {
        yaml.push_str(&crate::go::quote(text));
    } else if text.contains('\n') {
        if is_key || text.starts_with([' ', '\n', '\t']) || text.contains('\t') {
            yaml.push_str(&crate::go::quote(text));
        } else {
            write_literal(yaml, text, depth);
        }
    } else if is_plain(text) {
        yaml.push_str(text);
    } else {
        yaml.push('\'');
        yaml.push_str(&text.replace('\'', "''"));
        yaml.push('\'');
    }
}

fn write_literal(yaml: &mut String, text: &str, depth: usize) {
    let chomp = match text.as_bytes() {
        [.., b'\n', b'\n'] => "+",
        [.., b'\n'] => "",
        _ => "-",
    };
    yaml.push('|');
    yaml.push_str(chomp);
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        yaml.push('\n');
        if !line.is_empty() {
            indent(yaml, depth);
            yaml.push_str(line);
        }
    }
}

/// Whether plain text would be read as something else than text; YAML 1.1's words included.
fn reads_as_other(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_word = matches!(
        lower.as_str(),
        "y" | "n"
            | "yes"
            | "no"
            | "on"
            | "off"
            | "true"
            | "false"
            | "null"
            | "~"
            | ".inf"
            | "-.inf"
            | "+.inf"
            | ".nan"
            | "<<"
    );
    is_word || reads_as_number(&lower) || reads_as_time(text)
}

fn reads_as_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text).replace('_', "");
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let radix = |prefix, radix| {
        digits.strip_prefix(prefix).is_some_and(|rest| u64::from_str_radix(rest, radix).is_ok())
    };
    digits.parse::<f64>().is_ok() || radix("0x", 16) || radix("0b", 2) || radix("0o", 8)
}

/// A date, alone or with a time after it.
fn reads_as_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && text.bytes().all(|b| b.is_ascii_digit() || b"-:.TtZz+ ".contains(&b))
}

/// Whether text may stand without quotes.
fn is_plain(text: &str) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let starts_badly = "!&*'\"%@`#,[]{}|> ".contains(first)
        || (matches!(first, '-' | '?' | ':') && !text[1..].starts_with(|c: char| c != ' '));
    !(starts_badly
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.starts_with("---")
        || text.starts_with("..."))
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | '\t' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}')
}

fn indent(yaml: &mut String, depth: usize) {
    yaml.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_is_laid_out_as_recorded() {
        let value = json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"name": "y", "managedFields": [{"time": "2001-01-01T00:00:00Z", "f": {".": {}}}], "none": []},
            "data": {"false": "1", "text": "a\nb\n", "colon": "a: b", "plain": "configmaps \"y\" not found"},
        });
        assert_eq!(
            String::from_utf8(to_yaml(&value)).unwrap(),
            "apiVersion: v1\ndata:\n  colon: 'a: b'\n  \"false\": \"1\"\n  plain: configmaps \"y\" \
             not found\n  text: |\n    a\n    b\nkind: ConfigMap\nmetadata:\n  managedFields:\n  - \
             f:\n      .: {}\n    time: \"2001-01-01T00:00:00Z\"\n  name: \"y\"\n  none: []\n"
        );
    }

    proptest! {
        #[test]
        fn text_reads_back_as_the_same_text(text in "[ -~]{0,12}|[a-c:#\\-?'\" ]{0,8}|[a-b \n]{0,8}") {
            let value = json!({ "key": [text.clone(), { "in": text }] });
            let yaml = String::from_utf8(to_yaml(&value)).unwrap();
            prop_assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), value, "{}", yaml);
        }
    }
}
