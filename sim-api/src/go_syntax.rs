//! Go's `%#v` of values by their type: what the real server prints of a struct that is wrong.
//!
//! The types in `go_types.txt` are the internal ones of kubernetes/kubernetes v1.33.2, which
//! `tools/go-types` writes by reflection: a line `type NAME`, then a line for each field with
//! its name, its name in JSON (`-` for an embedded struct, whose members are beside it) and its
//! type: `*T`, `[]T`, `bytes`, `{Go type of the map}T`, `name=kind` of a named simple type.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
    sync::LazyLock,
};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value};

use crate::go::quote;

pub(crate) struct GoField {
    pub(crate) name: &'static str,
    pub(crate) json: &'static str,
    pub(crate) go_type: &'static str,
}

/// The fields of a struct, in order; `None` for a type that is none or is not known.
pub(crate) fn fields(go_type: &str) -> Option<&'static [GoField]> {
    static TYPES: LazyLock<BTreeMap<&'static str, Vec<GoField>>> = LazyLock::new(|| {
        let mut types: BTreeMap<&'static str, Vec<GoField>> = BTreeMap::new();
        let mut current = "";
        for line in include_str!("go_types.txt").lines() {
            if let Some(name) = line.strip_prefix("type ") {
                current = name;
                types.entry(name).or_default();
                continue;
            }
            let mut parts = line.trim_start().splitn(3, ' ');
            let (Some(name), Some(json), Some(go_type)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            types.entry(current).or_default().push(GoField { name, json, go_type });
        }
        types
    });
    TYPES.get(go_type).map(Vec::as_slice)
}

/// A field's value: a member, or, for an embedded struct, the whole.
pub(crate) fn member<'a>(value: &'a Value, field: &GoField) -> &'a Value {
    static NULL: Value = Value::Null;
    if field.json == "-" { value } else { value.get(field.json).unwrap_or(&NULL) }
}

/// How a type is called.
pub(crate) fn type_name(go_type: &str) -> String {
    if let Some(inner) = go_type.strip_prefix('*') {
        return format!("*{}", type_name(inner));
    }
    if let Some(inner) = go_type.strip_prefix("[]") {
        return format!("[]{}", type_name(inner));
    }
    if let Some(map) = map_types(go_type) {
        return map.0.to_owned();
    }
    match go_type {
        "bytes" => "[]byte".to_owned(),
        "any" => "interface {}".to_owned(),
        other => other.split('=').next().unwrap_or(other).to_owned(),
    }
}

/// The name and the element type of a map type.
pub(crate) fn map_types(go_type: &str) -> Option<(&str, &str)> {
    go_type.strip_prefix('{')?.split_once('}')
}

/// A value as a field error prints it: a pointer's target, a text in quotes, `"null"` where
/// there is none, and anything else in Go's syntax.
pub(crate) fn bad_value(go_type: &'static str, value: &Value) -> String {
    match go_type.strip_prefix('*') {
        Some(_) if value.is_null() => "\"null\"".to_owned(),
        Some(target) => bad_value(target, value),
        None if go_type == "v1.Time" || go_type == "v1.MicroTime" => string_of_time(value),
        None => sharp(go_type, value),
    }
}

/// Go's `%#v`.
pub(crate) fn sharp(go_type: &'static str, value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, go_type, value);
    text
}

fn write_value(out: &mut String, go_type: &'static str, value: &Value) {
    if let Some(target) = go_type.strip_prefix('*') {
        return write_pointer(out, target, value);
    }
    if let Some(element) = go_type.strip_prefix("[]") {
        return match value.as_array() {
            None => push(out, format_args!("{}(nil)", type_name(go_type))),
            Some(items) => {
                let name = type_name(go_type);
                write_all(out, &name, items.iter(), |out, item| write_value(out, element, item));
            }
        };
    }
    if let Some((name, element)) = map_types(go_type) {
        return match value.as_object() {
            None => push(out, format_args!("{name}(nil)")),
            Some(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(key, _)| *key);
                write_all(out, name, members.into_iter(), |out, (key, value)| {
                    out.push_str(&quote(key));
                    out.push(':');
                    write_value(out, element, value);
                });
            }
        };
    }
    match go_type {
        "bytes" => return write_bytes(out, value),
        "v1.Time" | "v1.MicroTime" | "time.Time" => return write_time(out, value),
        "resource.Quantity" => return write_quantity(out, value),
        "intstr.IntOrString" => return write_int_or_string(out, value),
        "any" | "runtime.RawExtension" => return out.push_str("interface {}(nil)"),
        _ => {}
    }
    if let Some(fields) = fields(go_type) {
        let moved = internal_form(go_type, value);
        let value = moved.as_ref().unwrap_or(value);
        return write_all(out, go_type, fields.iter(), |out, field| {
            out.push_str(field.name);
            out.push(':');
            write_value(out, field.go_type, member(value, field));
        });
    }
    write_simple(out, go_type, value);
}

/// What is printed of a single value of a basic kind.
fn write_simple(out: &mut String, go_type: &str, value: &Value) {
    match go_type.rsplit('=').next().unwrap_or(go_type) {
        "string" => out.push_str(&quote(value.as_str().unwrap_or_default())),
        "bool" => push(out, value.as_bool().unwrap_or_default()),
        kind if kind.starts_with("uint") => {
            push(out, format_args!("{:#x}", value.as_u64().unwrap_or_default()));
        }
        _ if value.is_number() => push(out, value),
        _ => out.push('0'),
    }
}

/// A pointer within a value prints as an address, which is a fixed one here.
fn write_pointer(out: &mut String, target: &'static str, value: &Value) {
    match target {
        "v1.Time" | "v1.MicroTime" if value.is_null() => out.push_str("<nil>"),
        "v1.Time" | "v1.MicroTime" => write_time(out, value),
        _ if value.is_null() => push(out, format_args!("(*{})(nil)", type_name(target))),
        _ => push(out, format_args!("(*{})({ADDRESS})", type_name(target))),
    }
}

fn write_all<T>(
    out: &mut String,
    name: &str,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push_str(name);
    out.push('{');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write(out, item);
    }
    out.push('}');
}

fn write_bytes(out: &mut String, value: &Value) {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let Some(text) = value.as_str() else { return out.push_str("[]byte(nil)") };
    let bytes = BASE64_STANDARD.decode(text).unwrap_or_default();
    write_all(out, "[]byte", bytes.iter(), |out, byte| push(out, format_args!("{byte:#x}")));
}

fn timestamp(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// `Time.GoString`.
fn write_time(out: &mut String, value: &Value) {
    let Some(at) = timestamp(value) else {
        return out.push_str("time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC)");
    };
    let at = at.to_zoned(TimeZone::UTC);
    let month = at.strftime("%B");
    push(
        out,
        format_args!(
            "time.Date({}, time.{month}, {}, {}, {}, {}, {}, time.Local)",
            at.year(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.subsec_nanosecond()
        ),
    );
}

/// `Time.String`.
fn string_of_time(value: &Value) -> String {
    match timestamp(value) {
        Some(at) => at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        None => "0001-01-01 00:00:00 +0000 UTC".to_owned(),
    }
}

fn write_quantity(out: &mut String, value: &Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let (mantissa, scale, format) = crate::quantity::parts(&text);
    push(
        out,
        format_args!(
            "resource.Quantity{{i:resource.int64Amount{{value:{mantissa}, scale:{scale}}}, \
             d:resource.infDecAmount{{Dec:(*inf.Dec)(nil)}}, s:{}, Format:{}}}",
            quote(&text),
            quote(format)
        ),
    );
}

fn write_int_or_string(out: &mut String, value: &Value) {
    let (kind, int, text) = match value {
        Value::String(text) => (1, 0, text.as_str()),
        other => (0, other.as_i64().unwrap_or_default(), ""),
    };
    push(
        out,
        format_args!("intstr.IntOrString{{Type:{kind}, IntVal:{int}, StrVal:{}}}", quote(text)),
    );
}

fn push(out: &mut String, part: impl Display) {
    let _ = write!(out, "{part}");
}

/// A value whose members are elsewhere in the internal type.
///
/// Source: `Convert_v1_PodSpec_To_core_PodSpec`: what concerns the host's namespaces is a part of
/// the security context, which is always there.
pub(crate) fn internal_form(go_type: &str, value: &Value) -> Option<Value> {
    if go_type != "core.PodSpec" {
        return None;
    }
    let spec = value.as_object()?;
    let mut context =
        spec.get("securityContext").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    for key in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"] {
        if let Some(value) = spec.get(key) {
            context.insert(key.to_owned(), value.clone());
        }
    }
    let mut spec = spec.clone();
    spec.insert("securityContext".to_owned(), Value::Object(context));
    Some(Value::Object(spec))
}

/// What stands for every address: the real ones are chance.
const ADDRESS: &str = "0xc000000000";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_recorded() {
        assert_eq!(
            bad_value("*v1.LabelSelector", &json!({"matchLabels": {"app": "z"}})),
            "v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"z\"}, \
             MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"
        );
        assert_eq!(
            bad_value("[]networking.IngressRule", &Value::Null),
            "[]networking.IngressRule(nil)"
        );
        assert_eq!(bad_value("*int32", &Value::Null), "\"null\"");
        assert_eq!(bad_value("*int32", &json!(5)), "5");
        assert_eq!(bad_value("bytes", &json!("bm8=")), "[]byte{0x6e, 0x6f}");
        assert_eq!(
            bad_value(
                "flowcontrol.PriorityLevelConfigurationSpec",
                &json!({"type": "Limited", "exempt": {}})
            ),
            "flowcontrol.PriorityLevelConfigurationSpec{Type:\"Limited\", \
             Limited:(*flowcontrol.LimitedPriorityLevelConfiguration)(nil), \
             Exempt:(*flowcontrol.ExemptPriorityLevelConfiguration)(0xc000000000)}"
        );
        assert_eq!(
            bad_value("intstr.IntOrString", &json!("5%")),
            "intstr.IntOrString{Type:1, IntVal:0, StrVal:\"5%\"}"
        );
    }

    #[test]
    fn every_type_prints_without_a_value() {
        for go_type in ["core.PodTemplateSpec", "batch.JobSpec", "storage.CSINodeSpec"] {
            assert!(sharp(go_type, &Value::Null).starts_with(go_type));
        }
        let pod = sharp("core.PodTemplateSpec", &json!({"metadata": {}, "spec": {}}));
        assert!(pod.contains("CreationTimestamp:time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC), DeletionTimestamp:<nil>"));
    }
}
