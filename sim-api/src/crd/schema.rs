//! Validation of a definition's schema.
//!
//! Source: `validateCustomResourceDefinitionValidation` and what it calls in
//! k8s.io/apiextensions-apiserver `pkg/apis/apiextensions/validation/validation.go`, and
//! `pkg/apiserver/schema/defaulting/validation.go`, release-1.33.

use super::structural;
use crate::{
    custom::{self, Additional, Path, Props, Rule},
    go,
    status::StatusCause,
};

/// What is wrong with the schema of versions that do or do not have a status subresource.
pub(crate) fn errors(schema: &Props, has_status: bool, path: &Path<'_>) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    if has_status {
        at_root(schema, path, &mut causes);
    }
    if schema.nullable {
        let at = path.member("nullable");
        causes.push(forbidden(&at, "nullable cannot be true at the root"));
    }
    let conversion = structural::conversion_error(schema);
    let mut is_well_formed = false;
    if conversion.is_none() {
        let mut wrong = structural::errors(schema, path);
        if wrong.is_empty() {
            wrong = custom::default_errors(schema, path);
        }
        is_well_formed = wrong.is_empty();
        causes.append(&mut wrong);
    }
    let walk = Walk { forbid_defaults: None, in_metadata: false };
    let before = causes.len();
    walk.check(schema, path, true, &mut causes);
    if is_well_formed && causes.len() == before {
        causes.append(&mut custom::rule_errors(schema, path));
    }
    if causes.is_empty()
        && let Some(error) = conversion
    {
        causes.push(invalid(path, "", &error));
    }
    causes
}

fn forbidden(path: &Path<'_>, detail: &str) -> StatusCause {
    StatusCause::forbidden(path.field(), detail)
}

fn invalid(path: &Path<'_>, text: &str, detail: &str) -> StatusCause {
    StatusCause::invalid_text(path.field(), text, detail)
}

fn required(path: &Path<'_>, detail: &str) -> StatusCause {
    StatusCause::required(path.field(), detail)
}

/// What the root may say where the status is a subresource. The first that it may not ends it.
fn at_root(schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    if schema.kind != "object" && !schema.kind.is_empty() {
        causes.push(invalid(
            &path.member("type"),
            &schema.kind,
            "only \"object\" is allowed as the type at the root of the schema if the status \
             subresource is enabled",
        ));
        return;
    }
    let other = schema.default.is_some()
        || !schema.choices.is_empty()
        || schema.nullable
        || schema.max_properties.is_some()
        || schema.min_properties.is_some()
        || !schema.all_of.is_empty()
        || !schema.one_of.is_empty()
        || !schema.any_of.is_empty()
        || schema.not.is_some()
        || schema.additional.is_some()
        || schema.embedded_resource
        || schema.int_or_string
        || !schema.list_map_keys.is_empty()
        || schema.list_type.is_some()
        || schema.map_type.is_some()
        || !schema.unsupported.is_empty();
    if other {
        // Go prints the whole schema here, with addresses; the text after it is the real one.
        causes.push(StatusCause::invalid(
            path.field(),
            "apiextensions.JSONSchemaProps{}",
            "only [Description Type Format Title Maximum ExclusiveMaximum Minimum \
             ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems \
             MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields \
             XValidations] fields are allowed at the root of the schema if the status \
             subresource is enabled",
        ));
    }
}

/// What holds for a part of a schema by where it is.
#[derive(Clone, Copy, Debug)]
struct Walk<'a> {
    /// Why there must be no defaults.
    forbid_defaults: Option<&'a str>,
    in_metadata: bool,
}

impl Walk<'_> {
    fn check(self, schema: &Props, path: &Path<'_>, is_root: bool, causes: &mut Vec<StatusCause>) {
        self.standard(schema, path, causes);
        if schema.unique_items {
            causes.push(forbidden(
                &path.member("uniqueItems"),
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
            ));
        }
        let additional_at = path.member("additionalProperties");
        if let Some(additional) = &schema.additional {
            if !schema.properties.is_empty() && *additional != Additional::Allowed(true) {
                let detail = "additionalProperties and properties are mutual exclusive";
                causes.push(forbidden(&additional_at, detail));
            }
            if let Additional::Schema(schema) = additional {
                let mut walk = self;
                if self.in_metadata {
                    walk.forbid_defaults =
                        Some("inside additionalProperties applying to object metadata");
                }
                walk.check(schema, &additional_at, false, causes);
            }
        }
        let properties_at = path.member("properties");
        for (name, property) in &schema.properties {
            let mut walk = self;
            let reason;
            if (is_root || schema.embedded_resource)
                && matches!(name.as_str(), "metadata" | "kind" | "apiVersion")
            {
                walk.in_metadata = true;
                if is_root {
                    reason = format!("in top-level {name}");
                    let inner = Walk { forbid_defaults: Some(&reason), ..walk };
                    inner.check(property, &properties_at.key(name), false, causes);
                    continue;
                }
            }
            walk.check(property, &properties_at.key(name), false, causes);
        }
        if let Some(not) = &schema.not {
            self.check(not, &path.member("not"), false, causes);
        }
        for (member, parts) in
            [("allOf", &schema.all_of), ("oneOf", &schema.one_of), ("anyOf", &schema.any_of)]
        {
            let at = path.member(member);
            for (place, part) in parts.iter().enumerate() {
                self.check(part, &at.index(place), false, causes);
            }
        }
        if let Some(items) = &schema.items {
            self.check(items, &path.member("items"), false, causes);
        }
        if schema.preserve_unknown == Some(false) {
            let at = path.member("x-kubernetes-preserve-unknown-fields");
            let detail = "must be true or undefined";
            causes.push(StatusCause::invalid(at.field(), "false", detail));
        }
        map_type(schema, path, causes);
        list_type(schema, path, causes);
        map_keys(schema, path, causes);
        rules(schema, path, causes);
    }

    /// What holds for every part. Source: `specStandardValidatorV3`.
    fn standard(self, schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
        if !schema.kind.is_empty() && !TYPES.contains(&schema.kind.as_str()) {
            let value = go::quote(&schema.kind);
            causes.push(StatusCause::not_supported(path.member("type").field(), value, &TYPES));
        }
        if let Some(reason) = self.forbid_defaults.filter(|_| schema.default.is_some()) {
            let detail = format!("must not be set {reason}");
            causes.push(forbidden(&path.member("default"), &detail));
        }
        for member in
            ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"]
        {
            if schema.unsupported.contains(&member) {
                causes.push(forbidden(&path.member(member), &format!("{member} is not supported")));
            }
        }
        if schema.kind == "null" {
            let detail = "type cannot be set to null, use nullable as an alternative";
            causes.push(forbidden(&path.member("type"), detail));
        }
        if schema.has_item_list {
            let detail = "items must be a schema object and not an array";
            causes.push(forbidden(&path.member("items"), detail));
        }
        if self.in_metadata && schema.embedded_resource {
            causes.push(forbidden(
                &path.member("x-kubernetes-embedded-resource"),
                "must not be used inside of resource meta",
            ));
        }
    }
}

fn map_type(schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    let Some(map_type) = &schema.map_type else { return };
    let detail = "must be object if x-kubernetes-map-type is specified";
    match schema.kind.as_str() {
        "object" => {}
        "" => causes.push(required(&path.member("type"), detail)),
        kind => causes.push(invalid(&path.member("type"), kind, detail)),
    }
    if !matches!(map_type.as_str(), "atomic" | "granular") {
        let at = path.member("x-kubernetes-map-type");
        let value = go::quote(map_type);
        causes.push(StatusCause::not_supported(at.field(), value, &["atomic", "granular"]));
    }
}

fn list_type(schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    let Some(list_type) = &schema.list_type else { return };
    let detail = "must be array if x-kubernetes-list-type is specified";
    let items_at = path.member("items");
    match (schema.kind.as_str(), &schema.items) {
        ("array", Some(items)) if list_type == "set" => {
            let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
            let shown = |text: &Option<String>| match text {
                Some(text) => go::quote(text),
                None => "null".to_owned(),
            };
            let of_list = items.list_type.as_deref();
            if items.kind == "array" && of_list.is_some_and(|inner| inner != "atomic") {
                let at = items_at.member("x-kubernetes-list-type");
                causes.push(StatusCause::invalid(at.field(), shown(&items.list_type), detail));
            }
            if items.kind == "object" && items.map_type.as_deref() != Some("atomic") {
                let at = items_at.member("x-kubernetes-map-type");
                causes.push(StatusCause::invalid(at.field(), shown(&items.list_type), detail));
            }
        }
        ("array", _) => {}
        ("", _) => causes.push(required(&path.member("type"), detail)),
        (kind, _) => causes.push(invalid(&path.member("type"), kind, detail)),
    }
    if !matches!(list_type.as_str(), "atomic" | "set" | "map") {
        let at = path.member("x-kubernetes-list-type");
        let value = go::quote(list_type);
        causes.push(StatusCause::not_supported(at.field(), value, &["atomic", "set", "map"]));
    }
}

fn map_keys(schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    let type_at = path.member("x-kubernetes-list-type");
    let keys_at = path.member("x-kubernetes-list-map-keys");
    let items_at = path.member("items");
    if !schema.list_map_keys.is_empty() {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        match schema.list_type.as_deref() {
            Some("map") => {}
            None => causes.push(required(&type_at, detail)),
            Some(other) => causes.push(invalid(&type_at, other, detail)),
        }
    }
    if schema.list_type.as_deref() == Some("map") {
        if schema.list_map_keys.is_empty() {
            let detail = "must not be empty if x-kubernetes-list-type is map";
            causes.push(required(&keys_at, detail));
        }
        match &schema.items {
            None if schema.has_item_list => {}
            None => {
                let detail = "must have a schema if x-kubernetes-list-type is map";
                causes.push(required(&items_at, detail));
            }
            Some(items) if items.kind != "object" => causes.push(invalid(
                &items_at.member("type"),
                &items.kind,
                "must be object if parent array's x-kubernetes-list-type is map",
            )),
            Some(items) => key_properties(schema, items, path, causes),
        }
    }
    let Some(items) = &schema.items else { return };
    let Some(list_type @ ("map" | "set")) = schema.list_type.as_deref() else { return };
    if items.nullable {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        causes.push(forbidden(&items_at.member("nullable"), &detail));
    }
    if list_type == "set" {
        return;
    }
    let properties_at = items_at.member("properties");
    for key in &schema.list_map_keys {
        let Some(property) = items.properties.get(key) else { continue };
        let at = properties_at.key(key);
        if !items.required.contains(key) && property.default.is_none() {
            causes.push(required(
                &at.member("default"),
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be \
                 a required property",
            ));
        }
        if property.nullable {
            causes.push(forbidden(
                &at.member("nullable"),
                "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
            ));
        }
    }
}

fn key_properties(schema: &Props, items: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    let keys_at = path.member("x-kubernetes-list-map-keys").field();
    let shown = go::string_slice(&schema.list_map_keys);
    let items_at = path.member("items");
    let properties_at = items_at.member("properties");
    for (place, key) in schema.list_map_keys.iter().enumerate() {
        match items.properties.get(key) {
            Some(property) if matches!(property.kind.as_str(), "array" | "object") => {
                causes.push(invalid(
                    &properties_at.key(key).member("type"),
                    &items.kind,
                    "must be a scalar type if parent array's x-kubernetes-list-type is map",
                ));
            }
            Some(_) => {}
            None => causes.push(StatusCause::invalid(
                keys_at.as_str(),
                shown.as_str(),
                "entries must all be names of item properties",
            )),
        }
        if schema.list_map_keys.get(..place).is_some_and(|before| before.contains(key)) {
            let detail = "must not contain duplicate entries";
            causes.push(StatusCause::invalid(keys_at.as_str(), shown.as_str(), detail));
        }
    }
}

/// What can be said of rules without reading their expressions.
fn rules(schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    let rules_at = path.member("x-kubernetes-validations");
    for (place, rule) in schema.rules.iter().enumerate() {
        let at = rules_at.index(place);
        let Rule { rule: expression, message, message_expression, reason, field_path, .. } = rule;
        let has_newlines = |text: &str| text.contains(['\n', '\r']);
        let (trimmed, said) = (expression.trim(), message.trim());
        if trimmed.is_empty() {
            causes.push(required(&at.member("rule"), "rule is not specified"));
        } else if !message.is_empty() && said.is_empty() {
            let detail = "message must be non-empty if specified";
            causes.push(invalid(&at.member("message"), message, detail));
        } else if has_newlines(said) {
            let detail = "message must not contain line breaks";
            causes.push(invalid(&at.member("message"), message, detail));
        } else if has_newlines(trimmed) && said.is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            causes.push(required(&at.member("message"), detail));
        }
        if !message_expression.is_empty() && message_expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            causes.push(required(&at.member("messageExpression"), detail));
        }
        if let Some(reason) = reason
            && !REASONS.contains(&reason.as_str())
        {
            let value = go::quote(reason);
            causes.push(StatusCause::not_supported(at.member("reason").field(), value, &REASONS));
        }
        if field_path.is_empty() {
            continue;
        }
        let field_at = at.member("fieldPath");
        if field_path.trim().is_empty() {
            let detail = "fieldPath must be non-empty if specified";
            causes.push(invalid(&field_at, field_path, detail));
        }
        if has_newlines(field_path) {
            causes.push(invalid(&field_at, field_path, "fieldPath must not contain line breaks"));
        }
        if custom::field_path(field_path, schema, true).is_err() {
            causes.push(invalid(&field_at, field_path, "fieldPath must be a valid path"));
        }
    }
}

/// Source: `openapiV3Types`.
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
/// Source: `supportedValidationReason`.
const REASONS: [&str; 4] =
    ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
