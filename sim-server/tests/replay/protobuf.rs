//! Protobuf without a schema: nested lists of `[number, wire type, value]`.
//!
//! What is delimited is shown as text, as a message or as base64, the first that it can be. This
//! must show the same as what made the recordings.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// The envelope and what is in it; `None` for what is no such body.
pub(crate) fn decode(body: &[u8]) -> Option<Value> {
    let mut rest = body.strip_prefix(b"k8s\0")?;
    let mut parts: [&[u8]; 5] = [&[]; 5];
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        if tag & 7 != 2 {
            return None;
        }
        let value = delimited(&mut rest)?;
        if let Some(part) = usize::try_from(tag >> 3).ok().and_then(|number| parts.get_mut(number))
        {
            *part = value;
        }
    }
    let [_, type_meta, raw, encoding, content_type] = parts;
    Some(json!({
        "typeMeta": value(type_meta, 1),
        "raw": value(raw, 1),
        "contentEncoding": std::str::from_utf8(encoding).ok()?,
        "contentType": std::str::from_utf8(content_type).ok()?,
    }))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 127).checked_shl(shift)?;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

fn delimited<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = usize::try_from(varint(rest)?).ok()?;
    take(rest, count)
}

fn fields(mut rest: &[u8], depth: usize) -> Option<Vec<Value>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let (number, wire) = (tag >> 3, tag & 7);
        if number == 0 || number > 100_000 {
            return None;
        }
        let value = match wire {
            0 => varint(&mut rest)?.into(),
            1 => hex(take(&mut rest, 8)?).into(),
            5 => hex(take(&mut rest, 4)?).into(),
            2 => value(delimited(&mut rest)?, depth + 1),
            _ => return None,
        };
        fields.push(json!([number, wire, value]));
    }
    Some(fields)
}

fn value(bytes: &[u8], depth: usize) -> Value {
    let text = std::str::from_utf8(bytes).ok();
    if let Some(text) = text
        && text.chars().all(|char| char >= ' ' && char != '\x7f')
    {
        return text.into();
    }
    match (fields(bytes, depth).filter(|_| depth < 40), text) {
        (Some(fields), _) if is_time(&fields) => "<time>".into(),
        (Some(fields), _) => Value::Array(fields),
        (None, Some(text)) => text.into(),
        (None, None) => json!({"$base64": BASE64_STANDARD.encode(bytes)}),
    }
}

/// Seconds and perhaps nanoseconds of about now.
fn is_time(fields: &[Value]) -> bool {
    let is = |field: &Value, number: u64| field[0] == number && field[1] == 0;
    let now = |field: &Value| {
        is(field, 1) && field[2].as_u64().is_some_and(|at| at > 1_500_000_000 && at < 2_500_000_000)
    };
    match fields {
        [seconds] => now(seconds),
        [seconds, nanos] => now(seconds) && is(nanos, 2),
        _ => false,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
