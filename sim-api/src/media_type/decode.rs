//! Bodies to objects.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::Form;
use crate::{
    Release, Resource, Status, StatusCause, go,
    protobuf::{Codec, envelope},
    schema::Schema,
    status::Result,
    yaml,
};

/// Reads a body as an object of the resource and checks its kind and apiVersion.
///
/// Members that are missing, kind and apiVersion, are filled in; what the members hold is not
/// checked here. Protobuf has the fields of the release; of kinds that have no protobuf form it
/// is answered 415.
pub fn decode_object(
    release: Release,
    content_type: &str,
    body: &[u8],
    resource: &Resource,
) -> Result<Value> {
    let form = form_of(content_type)?;
    let kind = &resource.kind;
    let unrecognized = |detail: String| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {detail}"
        ))
    };
    let value = match form {
        Form::Protobuf => {
            let codec = Codec::for_release(release);
            if !codec.has(resource.api_version(), kind) {
                return Err(unsupported(&[Form::Json, Form::Yaml]));
            }
            let unknown = envelope::open(body)
                .map_err(|error| unrecognized(format!("{error} ({})", summary(body))))?;
            let mut types = Map::new();
            types.insert("kind".into(), unknown.kind.as_str().into());
            types.insert("apiVersion".into(), unknown.api_version.as_str().into());
            check_kind(resource, &types)?;
            codec.decode_unknown(&unknown, resource.api_version(), kind).map_err(|error| {
                let version = go::quote(&resource.version);
                Status::bad_request(format!(
                    "{kind} in version {version} cannot be handled as a {kind}: {error}"
                ))
            })?
        }
        Form::Yaml => read_yaml(body)
            .map_err(|error| unrecognized(format!("yaml: {error} ({})", hex(body))))?,
        _ => read_json(body).map_err(|error| {
            let shown = if body.is_empty() { "<empty>".to_owned() } else { shown(body) };
            unrecognized(format!("couldn't get version/kind; json parse error: {error} ({shown})"))
        })?,
    };
    let mut members = match value {
        Value::Object(members) => members,
        // Go leaves a struct as it is when it reads null into it.
        Value::Null => Map::new(),
        other => {
            let error = format!(
                "json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \
                 \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
                 \"json:\\\"kind,omitempty\\\"\" }}",
                json_type(&other)
            );
            return Err(unrecognized(format!(
                "couldn't get version/kind; json parse error: {error} ({})",
                hex(body)
            )));
        }
    };
    if resource.custom.is_some() {
        check_custom_kind(resource, &members, body)?;
    }
    check_kind(resource, &members)?;
    check_metadata(resource, &members)?;
    members.insert("kind".into(), resource.kind.as_ref().into());
    members.insert("apiVersion".into(), resource.api_version().into());
    let object = Value::Object(members);
    if resource.custom.is_none()
        && let Some(error) = Schema::of(resource).type_error(&object)
    {
        let version = go::quote(&resource.version);
        return Err(Status::bad_request(format!(
            "{kind} in version {version} cannot be handled as a {kind}: {error}"
        )));
    }
    Ok(object)
}

/// What is wrong with the kind of a custom resource, which the real server finds only when the
/// object is validated.
fn check_custom_kind(resource: &Resource, members: &Map<String, Value>, body: &[u8]) -> Result<()> {
    let text = |key: &str| members.get(key).and_then(Value::as_str).unwrap_or_default();
    let expected = &resource.kind;
    let is_ours = matches!(text("apiVersion"), "") || text("apiVersion") == resource.api_version();
    match text("kind") {
        "" => Err(Status::bad_request(format!(
            "{expected} in version {} cannot be handled as a {expected}: Object 'Kind' is missing \
             in '{}'",
            go::quote(&resource.version),
            String::from_utf8_lossy(body)
        ))),
        kind if kind != expected && is_ours => {
            let name = members.get("metadata").and_then(|metadata| metadata.get("name"));
            let name = name.and_then(Value::as_str).unwrap_or_default();
            let detail = format!("must be {expected}");
            let cause = StatusCause::invalid_text("kind", kind, &detail);
            Err(Status::invalid(&resource.group, expected, name, vec![cause]))
        }
        _ => Ok(()),
    }
}

/// Source: the decoder that the create and update handlers use, and the checks around it.
fn check_kind(resource: &Resource, members: &Map<String, Value>) -> Result<()> {
    let text = |key: &str| members.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let kind_is_ours = kind.is_empty() || kind == resource.kind;
    if kind_is_ours && (api_version.is_empty() || api_version == resource.api_version()) {
        return Ok(());
    }
    let expected = &resource.kind;
    let group_of = |api_version: &str| match api_version.split_once('/') {
        Some((group, _)) => group.to_owned(),
        None => String::new(),
    };
    // Old groups of kinds that moved are still known to the real server.
    let known_elsewhere = api_version.starts_with("extensions/")
        || (group_of(api_version) == resource.group && !resource.group.is_empty());
    if kind_is_ours && known_elsewhere {
        return Err(Status::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version \
             ({})",
            resource.api_version()
        )));
    }
    let version = &resource.version;
    let detail = if is_core_kind(api_version, kind) {
        format!("converting (v1.{kind}) to (core.{expected}): unknown conversion")
    } else {
        format!(
            "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:110\"",
            go::quote(kind),
            go::quote(api_version)
        )
    };
    let shown = if kind.is_empty() { expected } else { kind };
    Err(Status::bad_request(format!(
        "{shown} in version {} cannot be handled as a {expected}: {detail}",
        go::quote(version)
    )))
}

/// Metadata's strings must be strings; the rest is for validation.
fn check_metadata(resource: &Resource, members: &Map<String, Value>) -> Result<()> {
    let refuse = |found: &Value, path: &str, wanted: &str| {
        Err(Status::bad_request(format!(
            "{kind} in version {} cannot be handled as a {kind}: json: cannot unmarshal {} into \
             Go struct field {path} of type {wanted}",
            go::quote(&resource.version),
            json_type(found),
            kind = resource.kind,
        )))
    };
    let metadata = match members.get("metadata") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => {
            let path = format!("{}.metadata", resource.kind);
            return refuse(other, &path, "v1.ObjectMeta");
        }
    };
    for key in ["name", "generateName", "namespace", "uid", "resourceVersion"] {
        match metadata.get(key) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(other) => {
                let wanted = if key == "uid" { "types.UID" } else { "string" };
                return refuse(other, &format!("ObjectMeta.metadata.{key}"), wanted);
            }
        }
    }
    for key in ["labels", "annotations"] {
        match metadata.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => {
                if let Some(other) = map.values().find(|value| !value.is_string()) {
                    return refuse(other, &format!("ObjectMeta.metadata.{key}"), "string");
                }
            }
            Some(other) => {
                let path = format!("ObjectMeta.metadata.{key}");
                return refuse(other, &path, "map[string]string");
            }
        }
    }
    Ok(())
}

fn form_of(content_type: &str) -> Result<Form> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type {
        // What comes without a type is JSON.
        "" | "application/json" => Ok(Form::Json),
        "application/yaml" => Ok(Form::Yaml),
        "application/vnd.kubernetes.protobuf" => Ok(Form::Protobuf),
        _ => Err(unsupported(&Form::ALL)),
    }
}

/// The form of a body; `None` where there is no such.
pub(crate) fn body_form(content_type: &str) -> Option<Form> {
    form_of(content_type).ok()
}

fn unsupported(supported: &[Form]) -> Status {
    let supported: Vec<_> = supported.iter().map(|form| form.media_type()).collect();
    Status::unsupported_media_type(&supported)
}

/// Parses JSON; the error is in Go's words for what clients are seen to send.
pub(crate) fn read_json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| go_json_error(body, &error))
}

/// Parses YAML; the error is in Go's words for what clients are seen to send.
pub(crate) fn read_yaml(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|_| "invalid UTF-8".to_owned())?;
    // The one parser has the errors and the limits, the other the words of YAML 1.1.
    let parsed = serde_saphyr::from_str(text).map(|value| yaml::go::value(text).unwrap_or(value));
    parsed.map_err(|error| {
        // The parser's own words go over several lines, with a picture.
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default().to_owned();
        if first.contains("mapping values") {
            return "mapping values are not allowed in this context".to_owned();
        }
        match first.split_once("line ").and_then(|(_, rest)| rest.split_once(' ')) {
            Some((line, rest)) if rest.contains("unclosed") => {
                format!("line {line}: did not find expected node content")
            }
            _ => first,
        }
    })
}

/// What Go's decoder says where serde_json says `error`.
fn go_json_error(body: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line_start = body
        .split_inclusive(|&byte| byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let at = line_start + error.column().saturating_sub(1);
    let found = body.get(at..).and_then(|rest| {
        let text = std::str::from_utf8(rest.get(..rest.len().min(4))?).ok();
        text.and_then(|text| text.chars().next()).or_else(|| rest.first().map(|&b| char::from(b)))
    });
    match found {
        Some(c) if body[..at].iter().all(u8::is_ascii_whitespace) => {
            format!("invalid character {} looking for beginning of value", quote_char(c))
        }
        Some(c) => format!("invalid character {}", quote_char(c)),
        None => "unexpected end of JSON input".to_owned(),
    }
}

pub(crate) fn quote_char(c: char) -> String {
    match c {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = go::quote(&c.to_string());
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

/// The name that Go's decoder gives a value's type.
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// How an error shows the body: text that begins like JSON as text, anything else in hex.
fn shown(body: &[u8]) -> String {
    let start = body.trim_ascii_start().first();
    match std::str::from_utf8(body) {
        Ok(text) if start == Some(&b'{') => text.chars().take(SHOWN_MAX).collect(),
        _ => hex(body),
    }
}

/// How an error shows a body that is not JSON. Source: `summarizeData` in k8s.io/apiserver
/// `pkg/endpoints/handlers/rest.go`.
fn summary(body: &[u8]) -> String {
    match body.len() {
        0 => "<empty>".to_owned(),
        1..=SUMMARY_MAX => hex(body),
        _ => format!("{} ...", hex(&body[..SUMMARY_MAX])),
    }
}

fn hex(body: &[u8]) -> String {
    let mut text = String::new();
    for byte in body.iter().take(SHOWN_MAX) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Bytes of a body that an error repeats. Source: `runtime.NewNotRegistered…` callers cut at 1 kB.
const SHOWN_MAX: usize = 1_024;

/// Bytes of a protobuf body that an error repeats.
const SUMMARY_MAX: usize = 30;

fn is_core_kind(api_version: &str, kind: &str) -> bool {
    matches!(api_version, "" | "v1")
        && crate::ResourceTable::for_release(Release::default()).by_kind("v1", kind).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ResourceTable;

    fn decode(plural: &str, content_type: &str, body: &str) -> Result<Value> {
        let table = ResourceTable::for_release(Release::default());
        let group = if plural == "deployments" { "apps" } else { "" };
        let resource = table.lookup(group, "v1", plural).unwrap();
        decode_object(Release::default(), content_type, body.as_bytes(), resource)
    }

    fn check_error(plural: &str, content_type: &str, body: &str, code: u16, message: &str) {
        let status = decode(plural, content_type, body).unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (code, message), "{body}");
    }

    #[test]
    fn kind_and_version_are_filled_in() {
        for (content_type, body) in [
            ("application/json", r#"{"metadata":{"name":"x"}}"#),
            ("", r#"{"kind":"Pod","metadata":{"name":"x"}}"#),
            ("application/yaml", "metadata:\n  name: x\n"),
            ("application/json; charset=utf-8", r#"{"apiVersion":"v1","metadata":{"name":"x"}}"#),
        ] {
            let value = decode("pods", content_type, body).unwrap();
            assert_eq!(
                value,
                json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}})
            );
        }
    }

    #[test]
    fn broken_bodies_are_refused_as_recorded() {
        let prefix = "the object provided is unrecognized (must be of type ConfigMap): couldn't \
                      get version/kind; json parse error:";
        for (body, message) in [
            ("{\"apiVersion\":\"v1\",", "unexpected end of JSON input ({\"apiVersion\":\"v1\",)"),
            ("", "unexpected end of JSON input (<empty>)"),
            (
                "[]",
                "json: cannot unmarshal array into Go value of type struct { APIVersion string \
                 \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
                 \"json:\\\"kind,omitempty\\\"\" } (5b5d)",
            ),
        ] {
            check_error(
                "configmaps",
                "application/json",
                body,
                400,
                &format!("{prefix} {message}"),
            );
        }
        check_error(
            "configmaps",
            "application/json",
            r#"{"metadata":{"name":true}}"#,
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal \
             bool into Go struct field ObjectMeta.metadata.name of type string",
        );
    }

    #[test]
    fn wrong_kinds_are_refused_as_recorded() {
        for (plural, kind, api_version, message) in [
            (
                "configmaps",
                "Pod",
                "v1",
                "Pod in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Pod) to \
                 (core.ConfigMap): unknown conversion",
            ),
            (
                "configmaps",
                "ConfigMap",
                "apps/v1",
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: no kind \
                 \"ConfigMap\" is registered for version \"apps/v1\" in scheme \
                 \"pkg/runtime/scheme.go:110\"",
            ),
            (
                "configmaps",
                "NoSuch",
                "v1",
                "NoSuch in version \"v1\" cannot be handled as a ConfigMap: no kind \"NoSuch\" is \
                 registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:110\"",
            ),
            (
                "deployments",
                "Deployment",
                "extensions/v1beta1",
                "the API version in the data (extensions/v1beta1) does not match the expected API \
                 version (apps/v1)",
            ),
            (
                "deployments",
                "Deployment",
                "apps/v1beta1",
                "the API version in the data (apps/v1beta1) does not match the expected API \
                 version (apps/v1)",
            ),
        ] {
            let body = json!({"kind": kind, "apiVersion": api_version}).to_string();
            check_error(plural, "application/json", &body, 400, message);
        }
    }

    #[test]
    fn unknown_content_types_are_refused() {
        assert_eq!(decode("pods", "text/plain", "{}").unwrap_err().code, 415);
    }

    #[test]
    fn protobuf_is_read_or_refused_as_recorded() {
        let codec = Codec::for_release(Release::default());
        let object = json!({"metadata": {"name": "x"}, "data": {"a": "b"}});
        let message = codec.message("v1", "ConfigMap", &object).unwrap();
        for (api_version, kind) in [("v1", "ConfigMap"), ("", "")] {
            let body = envelope::seal(api_version, kind, &message);
            assert_eq!(
                decode_bytes("configmaps", &body).unwrap(),
                json!({
                    "kind": "ConfigMap",
                    "apiVersion": "v1",
                    "metadata": {"name": "x", "creationTimestamp": null},
                    "data": {"a": "b"},
                })
            );
        }
        let prefix = "the object provided is unrecognized (must be of type ConfigMap):";
        for (body, message) in [
            (
                b"garbage".to_vec(),
                format!(
                    "{prefix} provided data does not appear to be a protobuf message, expected \
                     prefix [107 56 115 0] (67617262616765)"
                ),
            ),
            (Vec::new(), format!("{prefix} empty data (<empty>)")),
            (
                envelope::seal("v1", "Pod", &message),
                "Pod in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Pod) to \
                 (core.ConfigMap): unknown conversion"
                    .to_owned(),
            ),
            (
                envelope::seal("v1", "ConfigMap", &message[..message.len() - 1]),
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: unexpected EOF"
                    .to_owned(),
            ),
        ] {
            let status = decode_bytes("configmaps", &body).unwrap_err();
            assert_eq!((status.code, status.message), (400, message));
        }
    }

    fn decode_bytes(plural: &str, body: &[u8]) -> Result<Value> {
        let table = ResourceTable::for_release(Release::default());
        let resource = table.lookup("", "v1", plural).unwrap();
        decode_object(Release::default(), Form::Protobuf.media_type(), body, resource)
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in "\\PC{0,40}|[{}\\[\\]:,\"a0\n -]{0,30}", yaml: bool) {
            let content_type = if yaml { "application/yaml" } else { "application/json" };
            let _ = decode("pods", content_type, &body);
        }
    }
}
