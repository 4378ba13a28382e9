//! `x-kubernetes-embedded-resource`: objects within objects.
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apiserver/schema/objectmeta/validation.go`. Of
//! their metadata only the form of the names is looked at.

use serde_json::Value;

use super::{list::shown, path::Path, props::Props, text};
use crate::status::StatusCause;

/// What is wrong with the objects within an object.
pub(super) fn errors(object: &Value, schema: &Props) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    walk(object, schema, &Path::ROOT, &mut causes);
    causes
}

fn walk(value: &Value, schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    match value {
        Value::Object(members) => {
            if schema.embedded_resource {
                resource(value, path, causes);
            }
            for (name, value) in members {
                if let Some(property) = schema.properties.get(name) {
                    walk(value, property, &path.member(name), causes);
                } else if let Some(additional) = schema.additional_schema() {
                    walk(value, additional, &path.key(name), causes);
                }
            }
        }
        Value::Array(items) => {
            let Some(element) = &schema.items else { return };
            for (at, item) in items.iter().enumerate() {
                walk(item, element, &path.index(at), causes);
            }
        }
        _ => {}
    }
}

fn resource(value: &Value, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    for name in ["apiVersion", "kind"] {
        let at = path.member(name).field();
        match value.get(name) {
            None => causes.push(StatusCause::required(at, "must not be empty")),
            Some(Value::String(text)) if text.is_empty() => {
                causes.push(StatusCause::invalid_text(at, "", "must not be empty"));
            }
            Some(Value::String(text)) if name == "kind" => {
                let errors = text::label_1035_errors(&text.to_lowercase());
                if !errors.is_empty() {
                    let detail = format!(
                        "may have mixed case, but should otherwise match: {}",
                        errors.join(",")
                    );
                    causes.push(StatusCause::invalid_text(at, text, &detail));
                }
            }
            Some(Value::String(text)) => {
                if text.matches('/').count() > 1 {
                    let detail = format!("unexpected GroupVersion string: {text}");
                    causes.push(StatusCause::invalid_text(at, text, &detail));
                }
            }
            Some(other) => {
                causes.push(StatusCause::invalid(at, shown(other), "must be a string"));
            }
        }
    }
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let metadata = path.member("metadata");
    let at = metadata.member("name");
    let mut refuse = |detail: String| {
        causes.push(StatusCause::invalid_text(at.field(), name, &detail));
    };
    if matches!(name, "." | "..") {
        refuse(format!("may not be '{name}'"));
    }
    for c in ['/', '%'] {
        if name.contains(c) {
            refuse(format!("may not contain '{c}'"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_within_must_say_what_it_is() {
        let schema = Props::parse(&json!({"type": "object", "properties": {"pod": {
            "type": "object", "x-kubernetes-embedded-resource": true,
            "x-kubernetes-preserve-unknown-fields": true,
        }}}))
        .unwrap();
        let object = json!({"pod": {"kind": "_", "metadata": {"name": "a/b"}}});
        let causes = errors(&object, &schema);
        let fields: Vec<_> = causes.iter().map(|cause| cause.field.as_str()).collect();
        assert_eq!(fields, ["pod.apiVersion", "pod.kind", "pod.metadata.name"]);
        assert!(errors(&json!({"pod": {"kind": "Pod", "apiVersion": "v1"}}), &schema).is_empty());
    }
}
