//! What makes a schema structural.
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apiserver/schema/{convert,complete,validation}.go`,
//! release-1.33.

use crate::{
    custom::{Additional, Path, Props},
    status::StatusCause,
};

/// Why a schema has no structural form at all.
pub(super) fn conversion_error(schema: &Props) -> Option<String> {
    if let Some(member) = schema.unsupported.first() {
        let member = if *member == "$schema" { "schema" } else { member };
        return Some(format!("OpenAPIV3Schema '{member}' is not supported"));
    }
    if schema.preserve_unknown == Some(false) {
        return Some(
            "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
                .to_owned(),
        );
    }
    if schema.has_item_list {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".to_owned());
    }
    schema.below().find_map(conversion_error)
}

/// What is wrong with a schema's form, sorted by what is told.
pub(super) fn errors(schema: &Props, path: &Path<'_>) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    invariants(schema, Level::Root, path, &mut causes);
    complete(schema, Some(schema), path, path, &mut causes);
    causes.sort_by_cached_key(|cause| format!("{}: {}", cause.field, cause.message));
    causes
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Level {
    Field,
    Item,
    Root,
}

fn required(path: &Path<'_>, detail: &str) -> StatusCause {
    StatusCause::required(path.field(), detail)
}

fn forbidden(path: &Path<'_>, detail: &str) -> StatusCause {
    StatusCause::forbidden(path.field(), detail)
}

fn invalid(path: &Path<'_>, text: &str, detail: &str) -> StatusCause {
    StatusCause::invalid_text(path.field(), text, detail)
}

fn invariants(schema: &Props, level: Level, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    let kind_at = path.member("type");
    let items_at = path.member("items");
    if schema.kind == "array" && schema.items.is_none() {
        causes.push(required(&items_at, "must be specified"));
    }
    if let Some(items) = &schema.items {
        invariants(items, Level::Item, &items_at, causes);
    }
    let properties_at = path.member("properties");
    for (name, property) in &schema.properties {
        invariants(property, Level::Field, &properties_at.key(name), causes);
    }
    let additional_at = path.member("additionalProperties");
    if let Some(additional) = &schema.additional {
        if level == Level::Root {
            causes.push(forbidden(&additional_at, "must not be used at the root"));
        }
        if let Additional::Schema(schema) = additional {
            invariants(schema, Level::Field, &additional_at, causes);
        }
    }
    extensions(schema, path, causes);
    let is_any = is_int_or_string(&schema.any_of);
    let is_all = schema.all_of.first().is_some_and(|first| is_int_or_string(&first.any_of));
    value_validation(schema, is_any, is_all, path, causes);

    if schema.embedded_resource && schema.kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        causes.push(match schema.kind.as_str() {
            "" => required(&kind_at, detail),
            kind => invalid(&kind_at, kind, detail),
        });
    } else if schema.kind.is_empty() && !schema.int_or_string && !schema.preserves_unknown() {
        causes.push(required(
            &kind_at,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        ));
    }
    if schema.embedded_resource && schema.additional.is_some() {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        causes.push(forbidden(&additional_at, detail));
    }
    if level == Level::Root && !schema.kind.is_empty() && schema.kind != "object" {
        causes.push(invalid(&kind_at, &schema.kind, "must be object at the root"));
    }
    let is_resource = level == Level::Root || schema.embedded_resource;
    for name in ["kind", "apiVersion"] {
        if let Some(property) = schema.properties.get(name).filter(|_| is_resource)
            && property.kind != "string"
        {
            let at = properties_at.key(name);
            causes.push(invalid(&at.member("type"), &property.kind, "must be string"));
        }
    }
    if let Some(metadata) = schema.properties.get("metadata") {
        let at = properties_at.key("metadata");
        if is_resource && metadata.kind != "object" {
            causes.push(invalid(&at.member("type"), &metadata.kind, "must be object"));
        }
        if level == Level::Root && !is_plain_metadata(metadata) {
            causes.push(forbidden(
                &at,
                "must not specify anything other than name and generateName, but metadata is \
                 implicitly specified",
            ));
        }
    }
    if schema.embedded_resource && !schema.preserves_unknown() && schema.properties.is_empty() {
        causes.push(required(
            &properties_at,
            "must not be empty if x-kubernetes-embedded-resource is true without \
             x-kubernetes-preserve-unknown-fields",
        ));
    }
}

/// Whether a root's metadata says nothing but what its name looks like.
fn is_plain_metadata(metadata: &Props) -> bool {
    let mut rest = metadata.clone();
    if rest.properties.keys().all(|name| matches!(name.as_str(), "name" | "generateName")) {
        rest.properties.clear();
    }
    rest.kind.clear();
    rest.default = None;
    rest == Props::default()
}

fn extensions(schema: &Props, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    if !schema.int_or_string {
        return;
    }
    let detail = "must be false if x-kubernetes-int-or-string is true";
    if schema.preserves_unknown() {
        let at = path.member("x-kubernetes-preserve-unknown-fields");
        causes.push(StatusCause::invalid(at.field(), "true", detail));
    }
    if schema.embedded_resource {
        let at = path.member("x-kubernetes-embedded-resource");
        causes.push(StatusCause::invalid(at.field(), "true", detail));
    }
}

/// The one alternative of types that may be written out: integer or string.
fn is_int_or_string(any_of: &[Props]) -> bool {
    let of = |kind: &str| Props { kind: kind.to_owned(), ..Props::default() };
    matches!(any_of, [first, second] if *first == of("integer") && *second == of("string"))
}

fn value_validation(
    schema: &Props,
    skip_any_of: bool,
    skip_first_all_of: bool,
    path: &Path<'_>,
    causes: &mut Vec<StatusCause>,
) {
    if !skip_any_of {
        let at = path.member("anyOf");
        for (place, nested) in schema.any_of.iter().enumerate() {
            self::nested(nested, false, &at.index(place), causes);
        }
    }
    let at = path.member("allOf");
    for (place, nested) in schema.all_of.iter().enumerate() {
        self::nested(nested, skip_first_all_of && place == 0, &at.index(place), causes);
    }
    let at = path.member("oneOf");
    for (place, nested) in schema.one_of.iter().enumerate() {
        self::nested(nested, false, &at.index(place), causes);
    }
    if let Some(not) = &schema.not {
        nested(not, false, &path.member("not"), causes);
    }
    if !schema.pattern.is_empty()
        && let Err(error) = crate::custom::compile_pattern(&schema.pattern)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        causes.push(invalid(&path.member("pattern"), &schema.pattern, &detail));
    }
}

/// A schema below a combination, which may say of values only what they must look like.
fn nested(schema: &Props, skip_any_of: bool, path: &Path<'_>, causes: &mut Vec<StatusCause>) {
    value_validation(schema, skip_any_of, false, path, causes);
    if let Some(items) = &schema.items {
        nested(items, false, &path.member("items"), causes);
    }
    let properties_at = path.member("properties");
    for (name, property) in &schema.properties {
        nested(property, false, &properties_at.key(name), causes);
    }
    let mut forbid = |holds: bool, member: &str, detail: &str| {
        if holds {
            causes.push(forbidden(&path.member(member), detail));
        }
    };
    let empty = "must be empty to be structural";
    let absent = "must be undefined to be structural";
    let unset = "must be false to be structural";
    forbid(!schema.kind.is_empty(), "type", empty);
    let has_additional = !matches!(schema.additional, None | Some(Additional::Allowed(false)));
    forbid(has_additional, "additionalProperties", absent);
    forbid(schema.default.is_some(), "default", absent);
    forbid(!schema.title.is_empty(), "title", empty);
    forbid(!schema.description.is_empty(), "description", empty);
    forbid(schema.nullable, "nullable", unset);
    forbid(schema.preserves_unknown(), "x-kubernetes-preserve-unknown-fields", unset);
    forbid(schema.embedded_resource, "x-kubernetes-embedded-resource", unset);
    forbid(schema.int_or_string, "x-kubernetes-int-or-string", unset);
    forbid(!schema.list_map_keys.is_empty(), "x-kubernetes-list-map-keys", empty);
    forbid(schema.list_type.is_some(), "x-kubernetes-list-type", absent);
    forbid(schema.map_type.is_some(), "x-kubernetes-map-type", absent);
    forbid(!schema.rules.is_empty(), "x-kubernetes-validations", empty);
    if schema.properties.contains_key("metadata") {
        let at = properties_at.key("metadata");
        causes.push(forbidden(&at, "must not be specified in a nested context"));
    }
}

/// What a combination says something of must be there outside of it, too.
fn complete(
    schema: &Props,
    outer: Option<&Props>,
    outer_at: &Path<'_>,
    path: &Path<'_>,
    causes: &mut Vec<StatusCause>,
) {
    if let Some(not) = &schema.not {
        complete_nested(not, outer, outer_at, &path.member("not"), causes);
    }
    for (name, parts) in
        [("allOf", &schema.all_of), ("anyOf", &schema.any_of), ("oneOf", &schema.one_of)]
    {
        let at = path.member(name);
        for (place, part) in parts.iter().enumerate() {
            complete_nested(part, outer, outer_at, &at.index(place), causes);
        }
    }
}

fn complete_nested(
    schema: &Props,
    outer: Option<&Props>,
    outer_at: &Path<'_>,
    path: &Path<'_>,
    causes: &mut Vec<StatusCause>,
) {
    let missing = |at: &Path<'_>, within: &Path<'_>| {
        required(at, &format!("because it is defined in {within}"))
    };
    let Some(outer) = outer else {
        causes.push(missing(outer_at, path));
        return;
    };
    complete(schema, Some(outer), outer_at, path, causes);
    if let Some(items) = &schema.items {
        let (outer_at, at) = (outer_at.member("items"), path.member("items"));
        complete_nested(items, outer.items.as_deref(), &outer_at, &at, causes);
    }
    let (outer_properties, properties) = (outer_at.member("properties"), path.member("properties"));
    for (name, property) in &schema.properties {
        let (outer_at, at) = (outer_properties.key(name), properties.key(name));
        match outer.properties.get(name) {
            None => causes.push(missing(&outer_at, &at)),
            found => complete_nested(property, found, &outer_at, &at, causes),
        }
    }
}
