//! Patches: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch, and what is
//! applied with a field manager.
//!
//! Source of the texts: k8s.io/apiserver `pkg/endpoints/handlers/patch.go`, recorded 1.33.2.

mod directive;
mod strategic;

use serde_json::{Map, Value};

use crate::{
    Resource, Status, StatusCause, encode, go,
    media_type::{json_type, read_json, read_yaml},
    schema::Schema,
    status::{Reason, Result},
};

/// A patch, ready to be applied as often as it takes.
#[derive(Clone, Debug)]
pub enum Patch {
    /// `application/apply-patch+yaml`, for [`crate::managed_fields::apply()`].
    Apply(Value),
    /// `application/json-patch+json`.
    Json(json_patch::Patch),
    /// `application/merge-patch+json`.
    Merge(Map<String, Value>),
    /// `application/strategic-merge-patch+json`.
    Strategic(Map<String, Value>),
}

impl Patch {
    /// Whether a PATCH of this content type applies an object.
    pub fn is_apply(content_type: &str) -> bool {
        content_type.split(';').next().unwrap_or_default().trim() == APPLY
    }

    /// Reads the body of a PATCH.
    pub fn parse(content_type: &str, body: &[u8], resource: &Resource) -> Result<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        match media_type {
            JSON_PATCH => parse_json(body),
            MERGE_PATCH => parse_merge(body),
            STRATEGIC if resource.custom.is_none() => parse_strategic(body),
            APPLY => parse_apply(body),
            _ if resource.custom.is_some() => {
                Err(Status::unsupported_media_type(&[JSON_PATCH, MERGE_PATCH, APPLY]))
            }
            _ => Err(Status::unsupported_media_type(&[JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY])),
        }
    }

    /// The patched object. `object` is whole, with kind and apiVersion.
    pub fn apply(&self, resource: &Resource, object: &Value) -> Result<Value> {
        let mut patched = object.clone();
        match self {
            Self::Json(patch) => {
                apply_json(&mut patched, patch)?;
            }
            Self::Merge(patch) => merge(&mut patched, patch),
            Self::Strategic(patch) => return apply_strategic(resource, patched, patch),
            Self::Apply(_) => return Err(Status::internal("an apply needs a field manager")),
        }
        check(resource, &patched, object)?;
        Ok(patched)
    }
}

fn parse_json(body: &[u8]) -> Result<Patch> {
    let refuse = |error: String| Status::bad_request(format!("error decoding patch: {error}"));
    let operations = match read_json(body).map_err(refuse)? {
        Value::Array(operations) => operations,
        // Go decodes null into an empty list.
        Value::Null => Vec::new(),
        other => {
            return Err(refuse(format!(
                "json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp",
                json_type(&other)
            )));
        }
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(Status::failure(
            413,
            Reason::RequestEntityTooLarge,
            format!(
                "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}",
                operations.len()
            ),
        ));
    }
    serde_json::from_value(Value::Array(operations))
        .map(Patch::Json)
        .map_err(|_| Status::unprocessable())
}

fn parse_merge(body: &[u8]) -> Result<Patch> {
    let refuse = |error: String| Status::bad_request(format!("error decoding patch: {error}"));
    match read_json(body).map_err(refuse)? {
        Value::Object(patch) => Ok(Patch::Merge(patch)),
        Value::Null => Err(Status::bad_request("Invalid JSON Patch")),
        other => Err(refuse(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_type(&other)
        ))),
    }
}

/// Applies the operations in turn. To replace a member that is not there adds it, as in the real
/// server.
///
/// What is copied must not grow without bound, and what comes out must not nest deeper than what
/// can be read back.
fn apply_json(object: &mut Value, patch: &json_patch::Patch) -> Result<()> {
    let mut copied = 0;
    for operation in &patch.0 {
        if let json_patch::PatchOperation::Copy(copy) = operation
            && let Ok(source) = copy.from.resolve(object)
        {
            copied += encode::to_json(source).len();
            if copied > COPIED_MAX {
                return Err(Status::request_entity_too_large(COPIED_MAX));
            }
        }
        if let json_patch::PatchOperation::Replace(replace) = operation
            && let Some((parent, key)) = replace.path.split_back()
            && let Ok(Value::Object(members)) = parent.resolve_mut(object)
        {
            members.insert(key.decoded().into_owned(), replace.value.clone());
            continue;
        }
        // The real server says no more than this, whatever operation fails.
        json_patch::patch(object, std::slice::from_ref(operation))
            .map_err(|_| Status::unprocessable())?;
    }
    if is_deeper(object, DEPTH_MAX) { Err(Status::unprocessable()) } else { Ok(()) }
}

/// Whether a value has more levels than that.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|item| is_deeper(item, levels)),
        Value::Object(members) => members.values().any(|member| is_deeper(member, levels)),
        _ => false,
    }
}

fn parse_strategic(body: &[u8]) -> Result<Patch> {
    match read_json(body).map_err(Status::bad_request)? {
        Value::Object(patch) => Ok(Patch::Strategic(patch)),
        Value::Null => Ok(Patch::Strategic(Map::new())),
        other => Err(Status::bad_request(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_type(&other)
        ))),
    }
}

fn parse_apply(body: &[u8]) -> Result<Patch> {
    let refuse = |error: String| Status::bad_request(format!("error decoding YAML: {error}"));
    match read_yaml(body) {
        Ok(object @ Value::Object(_)) => Ok(Patch::Apply(object)),
        Ok(Value::Null) => Ok(Patch::Apply(Value::Object(Map::new()))),
        Ok(other) => Err(refuse(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go \
             value of type map[string]interface {{}}",
            json_type(&other)
        ))),
        Err(error) => Err(refuse(format!("error converting YAML to JSON: yaml: {error}"))),
    }
}

fn apply_strategic(
    resource: &Resource,
    mut object: Value,
    patch: &Map<String, Value>,
) -> Result<Value> {
    let typed = Schema::of(resource);
    if let Some(members) = object.as_object_mut() {
        strategic::merge(&typed.schema, typed.root, members, patch.clone())?;
    }
    let refuse = |error: &str| {
        let cause = StatusCause::invalid_text("patch", &go::print_map(patch), error);
        Err(Status::invalid("", "", "", vec![cause]))
    };
    match typed.restore_error(&object) {
        Some(error) => refuse(&error),
        None => Ok(typed.canonical(object)),
    }
}

/// RFC 7386: null takes a member away, an object is merged, anything else replaces.
///
/// Members keep their places, so that a patch which changes nothing leaves the bytes alone.
fn merge(target: &mut Value, patch: &Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (key, value) in patch {
        match value {
            Value::Null => {
                members.shift_remove(key);
            }
            Value::Object(inner) => {
                merge(members.entry(key).or_insert_with(|| Value::Object(Map::new())), inner);
            }
            value => {
                members.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The result must still be an object of the kind.
fn check(resource: &Resource, patched: &Value, old: &Value) -> Result<()> {
    let text = |key: &str| patched.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let wrong = match patched {
        Value::Object(_) if kind == resource.kind && api_version == resource.api_version() => {
            match patched.get("metadata") {
                None | Some(Value::Null | Value::Object(_)) => {
                    let error = Schema::of(resource).type_error(patched);
                    match error.filter(|_| resource.custom.is_none()) {
                        None => return Ok(()),
                        Some(error) => error,
                    }
                }
                Some(other) => format!(
                    "json: cannot unmarshal {} into Go struct field {}.metadata of type \
                     v1.ObjectMeta",
                    json_type(other),
                    resource.kind
                ),
            }
        }
        Value::Object(_) if kind.is_empty() => {
            "Object 'Kind' is missing in ".to_owned() + &go::quote(&shown(patched, old))
        }
        _ => format!(
            "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:110\"",
            go::quote(kind),
            go::quote(api_version)
        ),
    };
    let cause = StatusCause::invalid_text("patch", &shown(patched, old), &wrong);
    Err(Status::invalid("", "", "", vec![cause]))
}

/// The JSON of a patched object: the patch has sorted the members of what it changed.
pub(crate) fn shown(patched: &Value, old: &Value) -> String {
    let mut patched = patched.clone();
    sort_changed(&mut patched, Some(old));
    String::from_utf8_lossy(&encode::to_json(&patched)).into_owned()
}

fn sort_changed(value: &mut Value, old: Option<&Value>) {
    let Some(members) = value.as_object_mut() else { return };
    members.sort_keys();
    for (key, value) in members {
        let old = old.and_then(|old| old.get(key));
        if old != Some(value) {
            sort_changed(value, old);
        }
    }
}

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Bytes that the copies of one patch add. Source: `JSONPatchMaxCopyBytes`.
const COPIED_MAX: usize = 3 << 20;
/// Levels of an object; the parser of JSON takes 127.
const DEPTH_MAX: usize = 120;
/// Source: `maxJSONPatchOperations`.
const OPERATIONS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Release, ResourceTable};

    fn run(media_type: &str, body: &str) -> Result<Value> {
        let table = ResourceTable::for_release(Release::default());
        let resource = table.lookup("", "v1", "configmaps").unwrap();
        let object = json!({
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": "x", "managedFields": [{"manager": "m"}]},
            "data": {"a": "1", "b": "2"},
        });
        Patch::parse(media_type, body.as_bytes(), resource)?.apply(resource, &object)
    }

    fn check_error(media_type: &str, body: &str, code: u16, message: &str) {
        let status = run(media_type, body).unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (code, message), "{body}");
    }

    #[test]
    fn patches_change_what_they_name() {
        let patched =
            run(JSON_PATCH, r#"[{"op":"replace","path":"/data/a","value":"9"}]"#).unwrap();
        assert_eq!(patched["data"], json!({"a": "9", "b": "2"}));
        let patched = run(MERGE_PATCH, r#"{"data":{"a":null,"c":"3"}}"#).unwrap();
        assert_eq!(patched["data"], json!({"b": "2", "c": "3"}));
        let patched =
            run(JSON_PATCH, r#"[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]"#)
                .unwrap();
        assert_eq!(patched["metadata"]["managedFields"], json!([{}]));
    }

    #[test]
    fn broken_patches_are_refused_as_recorded() {
        check_error(
            JSON_PATCH,
            r#"{"not":"array"}"#,
            400,
            "error decoding patch: json: cannot unmarshal object into Go value of type \
             []handlers.jsonPatchOp",
        );
        check_error(
            JSON_PATCH,
            "garbage",
            400,
            "error decoding patch: invalid character 'g' looking for beginning of value",
        );
        check_error(
            JSON_PATCH,
            r#"[{"op":"test","path":"/data/a","value":"no"}]"#,
            422,
            "the server rejected our request due to an error in our request",
        );
        check_error(MERGE_PATCH, "null", 400, "Invalid JSON Patch");
        check_error(
            MERGE_PATCH,
            "[]",
            400,
            "error decoding patch: json: cannot unmarshal array into Go value of type \
             map[string]interface {}",
        );
        assert_eq!(run("application/json", "{}").unwrap_err().code, 415);
        assert_eq!(run(MERGE_PATCH, r#"{"kind":"Other"}"#).unwrap_err().code, 422);
    }

    #[test]
    fn a_patch_grows_no_further_than_it_may() {
        let copies = |count: usize| {
            let copy = |to| json!({"op": "copy", "from": "/data", "path": format!("/data/{to}")});
            Value::Array((0..count).map(copy).collect()).to_string()
        };
        // Not too large, but no texts any more.
        assert_eq!(run(JSON_PATCH, &copies(3)).unwrap_err().code, 422);
        assert_eq!(run(JSON_PATCH, &copies(60)).unwrap_err().code, 413);
        let path = |levels: usize| "/data".to_owned() + &"/a".repeat(levels);
        let deep: Vec<Value> = (1..200)
            .map(|levels| json!({"op": "add", "path": path(levels), "value": {}}))
            .collect();
        assert_eq!(run(JSON_PATCH, &Value::Array(deep).to_string()).unwrap_err().code, 422);
    }

    proptest! {
        #[test]
        fn any_body_is_a_patch_or_refused(body in "\\PC{0,40}", merge: bool) {
            let _ = run(if merge { MERGE_PATCH } else { JSON_PATCH }, &body);
        }

        #[test]
        fn merging_an_object_into_itself_changes_nothing(keys in prop::collection::vec("[a-c]", 0..5)) {
            let object: Value = keys.iter().map(|key| (key.clone(), json!({"in": [key]}))).collect::<Map<_, _>>().into();
            let mut merged = object.clone();
            merge(&mut merged, object.as_object().unwrap());
            prop_assert_eq!(merged, object);
        }
    }
}
