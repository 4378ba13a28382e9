//! ConfigMaps, Secrets and ServiceAccounts.
//!
//! Source: `ValidateConfigMap`, `ValidateSecret` and theirs for updates in `core/validation`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    Object,
    metadata::{annotation, same},
    text,
};
use crate::{
    field::{At, Errors},
    status::StatusCause,
};

pub(super) fn map(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let (data, binary) = (o.at("data"), o.at("binaryData"));
    let mut bytes = 0;
    for (key, value) in data.entries() {
        key_errors(e, &value, key);
        if binary.map().is_some_and(|binary| binary.contains_key(key)) {
            e.invalid_text(&value, key, "duplicate of key present in binaryData");
        }
        bytes += value.text().len();
    }
    for (key, value) in binary.entries() {
        key_errors(e, &value, key);
        bytes += decoded_len(value.text());
    }
    if bytes > DATA_MAX {
        e.push(StatusCause::too_long("[]", DATA_MAX));
    }
}

pub(super) fn map_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    frozen(e, o, &["data", "binaryData"]);
    map(e, o);
}

pub(super) fn secret(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let data = o.at("data");
    let mut bytes = 0;
    for (key, value) in data.entries() {
        key_errors(e, &value, key);
        bytes += decoded_len(value.text());
    }
    if bytes > DATA_MAX {
        e.too_long(&data, DATA_MAX);
    }
    let has = |key: &str| data.map().is_some_and(|data| data.contains_key(key));
    match o.at("type").text() {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            if annotation(o, key).is_empty() {
                e.required(&o.at("metadata").at("annotations").key(key), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(e, &data.key(".dockercfg")),
        "kubernetes.io/dockerconfigjson" => docker(e, &data.key(".dockerconfigjson")),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            e.required(&data.key("username"), "");
            e.required(&data.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if data.key("ssh-privatekey").is_empty() => {
            e.required(&data.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if !has(key) {
                    e.required(&data.key(key), "");
                }
            }
        }
        _ => {}
    }
}

pub(super) fn secret_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    e.immutable(&o.at("type"), &o.old("type"), "string");
    frozen(e, o, &["data"]);
    secret(e, o);
}

pub(super) fn account(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
}

pub(super) fn account_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    account(e, o);
}

/// What may not change once `immutable` is set, itself included.
fn frozen(e: &mut Errors, o: &Object<'_>, keys: &[&'static str]) {
    const DETAIL: &str = "field is immutable when `immutable` is set";
    if !o.old("immutable").flag() {
        return;
    }
    if !o.at("immutable").flag() {
        e.forbidden(&o.at("immutable"), DETAIL);
    }
    for key in keys {
        if !same(&o.at(key), &o.old(key)) {
            e.forbidden(&o.at(key), DETAIL);
        }
    }
}

fn key_errors(e: &mut Errors, at: &At<'_>, key: &str) {
    for error in text::config_key(key) {
        e.invalid_text(at, key, &error);
    }
}

/// A registry's credentials: a JSON object.
fn docker(e: &mut Errors, at: &At<'_>) {
    if !at.is_set() {
        return e.required(at, "");
    }
    let bytes = BASE64_STANDARD.decode(at.text()).unwrap_or_default();
    let error = if bytes.iter().all(u8::is_ascii_whitespace) {
        "unexpected end of JSON input".to_owned()
    } else {
        match serde_json::from_slice::<Option<Map<String, Value>>>(&bytes) {
            Ok(_) => return,
            Err(_) => syntax_error(&bytes),
        }
    };
    e.invalid_text(at, "<secret contents redacted>", &error);
}

/// What Go says about text that is no JSON object.
fn syntax_error(bytes: &[u8]) -> String {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        let found = match value {
            Value::Array(_) => "array",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            _ => "string",
        };
        return format!(
            "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        );
    }
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace()).copied().unwrap_or_default();
    if first.is_ascii_alphanumeric() && !b"tfn".contains(&first) && !first.is_ascii_digit() {
        return format!("invalid character '{}' looking for beginning of value", char::from(first));
    }
    "unexpected end of JSON input".to_owned()
}

fn decoded_len(base64: &str) -> usize {
    let padding = base64.bytes().rev().take_while(|&byte| byte == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

/// Bytes. Source: `MaxSecretSize`, which holds for ConfigMaps too.
const DATA_MAX: usize = 1 << 20;
