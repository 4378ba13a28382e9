//! `fieldValidation`: what becomes of fields that a kind does not have, and of those that come
//! twice.
//!
//! Source: k8s.io/apiserver `pkg/endpoints/handlers/{create,update,patch}.go`; recorded of 1.33.2.

use base64::{Engine, prelude::BASE64_STANDARD};
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

/// What the kind's own strategy warns of when an object is created.
///
/// Source: `warningsForSecret` of k8s.io/kubernetes `pkg/registry/core/secret`, of which the first
/// finding of Go's `tls.X509KeyPair` is made here: that there is no PEM at all.
#[must_use]
pub fn creation_warnings(resource: &Resource, object: &Value) -> Vec<String> {
    let is_tls = object.get("type").is_some_and(|name| name == "kubernetes.io/tls");
    if !resource.is("", "secrets") || !is_tls {
        return Vec::new();
    }
    let lacks_pem = |key: &str| {
        let text = object.get("data").and_then(|data| data.get(key)?.as_str());
        let bytes = BASE64_STANDARD.decode(text.unwrap_or_default()).unwrap_or_default();
        !bytes.windows(PEM.len()).any(|window| window == PEM)
    };
    [("tls.crt", "certificate"), ("tls.key", "key")]
        .into_iter()
        .find(|(key, _)| lacks_pem(key))
        .map(|(_, what)| format!("tls: failed to find any PEM data in {what} input"))
        .into_iter()
        .collect()
}

const PEM: &[u8] = b"-----BEGIN ";
