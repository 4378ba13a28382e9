//! The OpenAPI v2 document in protobuf, which older clients and typed ones read.
//!
//! Source: google/gnostic `openapiv2/OpenAPIv2.proto`. There, maps are lists of names and values,
//! choices are messages with one member, and what can be anything is YAML text.

use serde_json::{Map, Value};

/// The message of a whole document.
pub(super) fn document(document: &Value) -> Vec<u8> {
    message(DOCUMENT, document)
}

/// A member of a JSON object and its field.
type Member = (&'static str, u32, As);

/// How a member is written.
#[derive(Clone, Copy)]
enum As {
    Text,
    /// A text, or several.
    Texts,
    Flag,
    Integer,
    Double,
    Anything,
    Anythings,
    /// A message.
    One(fn(&Value) -> Vec<u8>),
    /// An array of messages.
    Many(fn(&Value) -> Vec<u8>),
    /// All members whose names begin with `x-`.
    Extensions,
}

const DOCUMENT: &[Member] = &[
    ("swagger", 1, As::Text),
    ("info", 2, As::One(|info| message(INFO, info))),
    ("host", 3, As::Text),
    ("basePath", 4, As::Text),
    ("schemes", 5, As::Texts),
    ("consumes", 6, As::Texts),
    ("produces", 7, As::Texts),
    ("paths", 8, As::One(|paths| named(2, paths, |path| message(PATH, path)))),
    ("definitions", 9, As::One(|schemas| named(1, schemas, schema))),
    ("", 16, As::Extensions),
];

const INFO: &[Member] =
    &[("title", 1, As::Text), ("version", 2, As::Text), ("description", 3, As::Text)];

const PATH: &[Member] = &[
    ("get", 2, As::One(operation)),
    ("put", 3, As::One(operation)),
    ("post", 4, As::One(operation)),
    ("delete", 5, As::One(operation)),
    ("options", 6, As::One(operation)),
    ("head", 7, As::One(operation)),
    ("patch", 8, As::One(operation)),
    ("parameters", 9, As::Many(parameter)),
    ("", 10, As::Extensions),
];

const OPERATION: &[Member] = &[
    ("tags", 1, As::Texts),
    ("summary", 2, As::Text),
    ("description", 3, As::Text),
    ("operationId", 5, As::Text),
    ("produces", 6, As::Texts),
    ("consumes", 7, As::Texts),
    ("parameters", 8, As::Many(parameter)),
    ("responses", 9, As::One(|responses| named(1, responses, response))),
    ("schemes", 10, As::Texts),
    ("deprecated", 11, As::Flag),
    ("", 13, As::Extensions),
];

const RESPONSE: &[Member] = &[
    ("description", 1, As::Text),
    ("schema", 2, As::One(|value| choice(1, &schema(value)))),
    ("", 5, As::Extensions),
];

const BODY_PARAMETER: &[Member] = &[
    ("description", 1, As::Text),
    ("name", 2, As::Text),
    ("in", 3, As::Text),
    ("required", 4, As::Flag),
    ("schema", 5, As::One(schema)),
    ("", 6, As::Extensions),
];

const QUERY_PARAMETER: &[Member] = &[
    ("required", 1, As::Flag),
    ("in", 2, As::Text),
    ("description", 3, As::Text),
    ("name", 4, As::Text),
    ("allowEmptyValue", 5, As::Flag),
    ("type", 6, As::Text),
    ("format", 7, As::Text),
    ("uniqueItems", 20, As::Flag),
    ("enum", 21, As::Anythings),
    ("", 23, As::Extensions),
];

/// Of a parameter in the path or in a header.
const OTHER_PARAMETER: &[Member] = &[
    ("required", 1, As::Flag),
    ("in", 2, As::Text),
    ("description", 3, As::Text),
    ("name", 4, As::Text),
    ("type", 5, As::Text),
    ("format", 6, As::Text),
    ("uniqueItems", 19, As::Flag),
    ("enum", 20, As::Anythings),
    ("", 22, As::Extensions),
];

const SCHEMA: &[Member] = &[
    ("$ref", 1, As::Text),
    ("format", 2, As::Text),
    ("title", 3, As::Text),
    ("description", 4, As::Text),
    ("default", 5, As::Anything),
    ("multipleOf", 6, As::Double),
    ("maximum", 7, As::Double),
    ("exclusiveMaximum", 8, As::Flag),
    ("minimum", 9, As::Double),
    ("exclusiveMinimum", 10, As::Flag),
    ("maxLength", 11, As::Integer),
    ("minLength", 12, As::Integer),
    ("pattern", 13, As::Text),
    ("maxItems", 14, As::Integer),
    ("minItems", 15, As::Integer),
    ("uniqueItems", 16, As::Flag),
    ("maxProperties", 17, As::Integer),
    ("minProperties", 18, As::Integer),
    ("required", 19, As::Texts),
    ("enum", 20, As::Anythings),
    ("additionalProperties", 21, As::One(additional)),
    ("type", 22, As::One(|types| texts(1, types))),
    ("items", 23, As::One(|items| choice(1, &schema(items)))),
    ("allOf", 24, As::Many(schema)),
    ("properties", 25, As::One(|properties| named(1, properties, schema))),
    ("readOnly", 27, As::Flag),
    ("example", 30, As::Anything),
    ("", 31, As::Extensions),
];

const REFERENCE: &[Member] = &[("$ref", 1, As::Text), ("description", 2, As::Text)];

fn operation(value: &Value) -> Vec<u8> {
    message(OPERATION, value)
}

fn schema(value: &Value) -> Vec<u8> {
    message(SCHEMA, value)
}

/// A response, or where one is.
fn response(value: &Value) -> Vec<u8> {
    match value.get("$ref") {
        Some(_) => choice(2, &message(REFERENCE, value)),
        None => choice(1, &message(RESPONSE, value)),
    }
}

/// A parameter, or where one is.
fn parameter(value: &Value) -> Vec<u8> {
    if value.get("$ref").is_some() {
        return choice(2, &message(REFERENCE, value));
    }
    let elsewhere = |number, members| choice(2, &choice(number, &message(members, value)));
    let parameter = match value.get("in").and_then(Value::as_str) {
        Some("body") => choice(1, &message(BODY_PARAMETER, value)),
        Some("header") => elsewhere(1, OTHER_PARAMETER),
        Some("path") => elsewhere(4, OTHER_PARAMETER),
        _ => elsewhere(3, QUERY_PARAMETER),
    };
    choice(1, &parameter)
}

/// A schema, or whether there may be any at all.
fn additional(value: &Value) -> Vec<u8> {
    match value {
        Value::Bool(allowed) => {
            let mut bytes = Vec::new();
            put_number(&mut bytes, 2, u64::from(*allowed));
            bytes
        }
        value => choice(1, &schema(value)),
    }
}

/// What can be anything: JSON is YAML.
fn anything(value: &Value) -> Vec<u8> {
    choice(2, value.to_string().as_bytes())
}

fn texts(number: u32, value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let all = match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    for text in all.into_iter().filter_map(Value::as_str) {
        put(&mut bytes, number, text.as_bytes());
    }
    bytes
}

/// Names and values, in the order of the JSON.
fn named(number: u32, value: &Value, to_message: fn(&Value) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        put(&mut bytes, number, &pair(name, &to_message(value)));
    }
    bytes
}

fn pair(name: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = choice(1, name.as_bytes());
    put(&mut bytes, 2, value);
    bytes
}

/// A message with one member.
fn choice(number: u32, member: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, number, member);
    bytes
}

fn message(layout: &[Member], value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(members) = value.as_object() else { return bytes };
    for &(name, number, form) in layout {
        match (form, members.get(name)) {
            (As::Extensions, _) => put_extensions(&mut bytes, number, members),
            (_, None) => {}
            (_, Some(member)) => put_member(&mut bytes, number, form, member),
        }
    }
    bytes
}

fn put_member(bytes: &mut Vec<u8>, number: u32, form: As, value: &Value) {
    let items = || value.as_array().into_iter().flatten();
    match form {
        As::Text => put(bytes, number, value.as_str().unwrap_or_default().as_bytes()),
        As::Texts => bytes.append(&mut texts(number, value)),
        As::Flag => put_number(bytes, number, u64::from(value == true)),
        As::Integer => {
            put_number(bytes, number, value.as_i64().unwrap_or_default().cast_unsigned());
        }
        As::Double => {
            put_varint(bytes, u64::from(number) << 3 | 1);
            bytes.extend_from_slice(&value.as_f64().unwrap_or_default().to_le_bytes());
        }
        As::Anything => put(bytes, number, &anything(value)),
        As::Anythings => items().for_each(|item| put(bytes, number, &anything(item))),
        As::One(to_message) => put(bytes, number, &to_message(value)),
        As::Many(to_message) => items().for_each(|item| put(bytes, number, &to_message(item))),
        As::Extensions => {}
    }
}

fn put_extensions(bytes: &mut Vec<u8>, number: u32, members: &Map<String, Value>) {
    for (name, value) in members.iter().filter(|(name, _)| name.starts_with("x-")) {
        put(bytes, number, &pair(name, &anything(value)));
    }
}

fn put(bytes: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_varint(bytes, u64::from(number) << 3 | 2);
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

fn put_number(bytes: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(bytes, u64::from(number) << 3);
    put_varint(bytes, value);
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_has_the_layout_of_gnostic() {
        let value = json!({
            "swagger": "2.0",
            "info": {"title": "K", "version": "v1"},
            "paths": {"/a": {"get": {
                "operationId": "get",
                "parameters": [{"name": "n", "in": "path", "required": true}],
                "responses": {"200": {"schema": {"$ref": "#/x"}}},
                "x-y": {"z": 1},
            }}},
            "definitions": {"D": {"type": "object", "required": ["a"]}},
        });
        let mut expected = b"\x0a\x032.0\x12\x07\x0a\x01K\x12\x02v1".to_vec();
        let path = choice(4, b"\x08\x01\x12\x04path\x22\x01n");
        let mut operation = b"\x2a\x03get".to_vec();
        operation.extend(choice(8, &choice(1, &choice(2, &path))));
        let schema = choice(1, &choice(1, b"#/x"));
        let response = choice(1, &choice(2, &schema));
        operation.extend(choice(9, &choice(1, &pair("200", &response))));
        operation.extend(choice(13, &pair("x-y", b"\x12\x07{\"z\":1}")));
        expected.extend(choice(8, &choice(2, &pair("/a", &choice(2, &operation)))));
        let definition = b"\x9a\x01\x01a\xb2\x01\x08\x0a\x06object";
        expected.extend(choice(9, &choice(1, &pair("D", definition))));
        assert_eq!(document(&value), expected);
    }
}
