//! `fieldValidation`: what becomes of fields that a kind does not have, and of those that come
//! twice.
//!
//! Source: k8s.io/apiserver `pkg/endpoints/handlers/{create,update,patch}.go`; recorded of 1.33.2.

use serde_json::Value;

use crate::{
    Resource, Status, StatusCause, go,
    list_options::FieldValidation,
    media_type::{Form, body_form},
    patch::{self, Patch},
    schema::Schema,
    status::Result,
};

/// Looks at an object that a client has sent; what is to be warned of.
///
/// `body` is its text, `object` what was read from it.
///
/// # Errors
///
/// 400 where the client asks for strictness.
pub fn check_body(
    resource: &Resource,
    validation: FieldValidation,
    content_type: &str,
    body: &[u8],
    object: &Value,
) -> Result<Vec<String>> {
    if validation == FieldValidation::Ignore || resource.custom.is_some() {
        return Ok(Vec::new());
    }
    let typed = Schema::of(resource);
    let found = match body_form(content_type) {
        Some(Form::Json) => typed.strict_errors(&mut serde_json::Deserializer::from_slice(body)),
        // YAML is made JSON before it is read.
        Some(Form::Yaml) => typed.strict_errors(object),
        // In protobuf there are no unknown fields.
        _ => return Ok(Vec::new()),
    };
    if validation == FieldValidation::Warn || found.is_empty() {
        return Ok(found);
    }
    let (kind, version) = (&resource.kind, go::quote(&resource.version));
    Err(Status::bad_request(format!(
        "{kind} in version {version} cannot be handled as a {kind}: strict decoding error: {}",
        found.join(", ")
    )))
}

/// Looks at what a patch has made of an object; what is to be warned of.
///
/// # Errors
///
/// 422 where the client asks for strictness.
pub fn check_patched(
    resource: &Resource,
    validation: FieldValidation,
    patch: &Patch,
    old: &Value,
    patched: &Value,
) -> Result<Vec<String>> {
    if validation == FieldValidation::Ignore || resource.custom.is_some() {
        return Ok(Vec::new());
    }
    let typed = Schema::of(resource);
    let found = match patch {
        // What is unknown is gone from what was patched; members with a dollar say how to patch.
        Patch::Strategic(patch) => {
            let mut found = typed.strict_errors(Value::Object(patch.clone()));
            found.retain(|error| !error.contains("\"$") && !error.contains(".$"));
            found
        }
        _ => typed.strict_errors(patched),
    };
    if validation == FieldValidation::Warn || found.is_empty() {
        return Ok(found);
    }
    let shown = match patch {
        Patch::Strategic(patch) => go::print_map(patch),
        _ => patch::shown(patched, old),
    };
    let detail = format!("strict decoding error: {}", found.join(", "));
    let cause = StatusCause::invalid_text("patch", &shown, &detail);
    Err(Status::invalid("", "", "", vec![cause]))
}
