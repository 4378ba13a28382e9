//! CustomResourceDefinitions.
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apis/apiextensions/validation/validation.go`,
//! release-1.33. There a definition is validated in its internal form, in which what all
//! versions have alike is said once, at the top; the paths in the causes are those.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Object, metadata};
use crate::{
    crd::{
        self,
        approval::{ANNOTATION, Approval, is_protected},
    },
    custom::{self, Path, Props, text},
    field::{At, Errors, is_same},
    go,
    status::StatusCause,
};

pub(super) fn create(e: &mut Errors, object: &Object<'_>) {
    let spec = object.at("spec");
    let part = |name: &str| spec.value().pointer(name).and_then(Value::as_str).unwrap_or_default();
    let wanted = format!("{}.{}", part("/names/plural"), part("/group"));
    metadata::kind_with(e, object, &|name, _| {
        let mut errors = text::subdomain_errors(name);
        if name != wanted {
            errors.push("must be spec.names.plural+\".\"+spec.group".to_owned());
        }
        errors
    });
    check_spec(e, &spec);
    check_status(e, object);
    approval(e, object);
    preserved(e, object);
}

pub(super) fn update(e: &mut Errors, object: &Object<'_>) {
    object.plain_metadata_update(e);
    let (spec, old) = (object.at("spec"), object.old("spec"));
    check_spec(e, &spec);
    let conditions = object.old("status").at("conditions");
    let is_established = conditions.items().any(|condition| {
        condition.at("type").text() == "Established" && condition.at("status").text() == "True"
    });
    if is_established {
        immutable(e, &spec.at("scope"), &old.at("scope"));
        immutable(e, &spec.at("names").at("kind"), &old.at("names").at("kind"));
    }
    immutable(e, &spec.at("group"), &old.at("group"));
    immutable(e, &spec.at("names").at("plural"), &old.at("names").at("plural"));
    check_status(e, object);
    approval(e, object);
    preserved(e, object);
}

pub(super) fn subresource(e: &mut Errors, object: &Object<'_>, _subresource: &str) {
    object.plain_metadata_update(e);
    names(e, &object.at("status").at("acceptedNames"));
}

fn immutable(e: &mut Errors, at: &At<'_>, old: &At<'_>) {
    if at.text() != old.text() {
        e.invalid(at, crate::field::IMMUTABLE);
    }
}

fn check_spec(e: &mut Errors, spec: &At<'_>) {
    let group = spec.at("group");
    if group.is_empty() {
        e.required(&group, "");
    } else {
        let errors = text::subdomain_errors(group.text());
        if !errors.is_empty() {
            e.invalid(&group, &errors.join(","));
        } else if !group.text().contains('.') {
            e.invalid(&group, "should be a domain with at least one dot");
        }
    }
    let scope = spec.at("scope");
    match scope.text() {
        "" => e.required(&scope, ""),
        "Cluster" | "Namespaced" => {}
        _ => e.not_supported(&scope, &["Cluster", "Namespaced"]),
    }
    let versions: Vec<At<'_>> = spec.at("versions").items().collect();
    let parts = Parts::of(&versions);
    for version in &versions {
        let schema = version.at("schema").at("openAPIV3Schema");
        if !schema.is_set() {
            e.required(&schema, "schemas are required");
        }
    }
    check_versions(e, spec, &versions, &parts);
    let given = spec.at("names");
    for name in ["plural", "singular", "kind", "listKind"] {
        let at = given.at(name);
        if at.is_empty() {
            e.required(&at, "");
        }
    }
    names(e, &given);
    let Some(first) = versions.first() else { return };
    // What all versions have alike is checked last, at the top.
    let root = Path::ROOT;
    let spec_at = root.member("spec");
    if !parts.schema {
        let has_status = versions.iter().any(has_status);
        let validation_at = spec_at.member("validation");
        schema(e, &first.at("schema"), has_status, &validation_at);
    }
    if !parts.subresources {
        subresources(e, &first.at("subresources"), &spec_at.member("subresources"));
    }
    if !parts.columns {
        columns(e, first, &spec_at.member("additionalPrinterColumns"));
    }
    if !parts.selectable {
        let at = spec_at.member("selectableFields");
        let fields = first.at("selectableFields");
        if !fields.is_empty() {
            if parts.schema || !first.at("schema").is_set() {
                let detail = "selectableFields may only be set when validations.schema is included";
                e.push(StatusCause::invalid_text(at.field(), "", detail));
            } else {
                selectable(e, first, &at);
            }
        }
    }
    conversion(e, &spec.at("conversion"));
}

/// Which parts are said by each version on its own.
struct Parts {
    schema: bool,
    subresources: bool,
    columns: bool,
    selectable: bool,
}

impl Parts {
    fn of(versions: &[At<'_>]) -> Self {
        let differ = |name: &str| {
            let mut values = versions.iter().map(|version| version.value().get(name));
            let null = Value::Null;
            let first = values.next().flatten().unwrap_or(&null).clone();
            values.any(|value| !is_same(value.unwrap_or(&null), &first))
        };
        Self {
            schema: differ("schema"),
            subresources: differ("subresources"),
            columns: differ("additionalPrinterColumns"),
            selectable: differ("selectableFields"),
        }
    }
}

fn has_status(version: &At<'_>) -> bool {
    version.at("subresources").at("status").is_set()
}

fn check_versions(e: &mut Errors, spec: &At<'_>, versions: &[At<'_>], parts: &Parts) {
    let root = Path::ROOT;
    let spec_at = root.member("spec");
    let versions_at = spec_at.member("versions");
    let mut seen = BTreeSet::new();
    let (mut stored, mut is_unique) = (0, true);
    for (place, version) in versions.iter().enumerate() {
        stored += usize::from(version.at("storage").flag());
        is_unique &= seen.insert(version.at("name").text());
        let errors = text::label_1035_errors(version.at("name").text());
        if !errors.is_empty() {
            e.invalid_text(&version.at("name"), version.at("name").text(), &errors.join(","));
        }
        deprecation(e, version);
        let at = versions_at.index(place);
        if parts.schema {
            schema(e, &version.at("schema"), has_status(version), &at.member("schema"));
        }
        if parts.subresources {
            subresources(e, &version.at("subresources"), &at.member("subresources"));
        }
        if parts.columns {
            columns(e, version, &at.member("additionalPrinterColumns"));
        }
        if parts.selectable && !version.at("selectableFields").is_empty() {
            let at = at.member("selectableFields");
            if !parts.schema || !version.at("schema").at("openAPIV3Schema").is_set() {
                e.push(StatusCause::invalid_text(
                    at.field(),
                    "",
                    "selectableFields may only be set when version.schema.openAPIV3Schema is not \
                     included",
                ));
            } else {
                selectable(e, version, &at);
            }
        }
    }
    let at = spec.at("versions");
    if !is_unique {
        e.invalid_value(&at, go_versions(versions, parts), "must contain unique version names");
    }
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        e.invalid_value(&at, go_versions(versions, parts), detail);
    }
}

/// Go's `%#v` of the versions in their internal form. Where it prints an address there is a fixed
/// one.
fn go_versions(versions: &[At<'_>], parts: &Parts) -> String {
    let pointer = |is_set: bool, name: &str| match is_set {
        true => format!("(*{name})(0xc000000000)"),
        false => format!("(*{name})(nil)"),
    };
    let list = |is_set: bool, name: &str| match is_set {
        true => format!("[]{name}{{}}"),
        false => format!("[]{name}(nil)"),
    };
    let versions: Vec<String> = versions
        .iter()
        .map(|version| {
            let is_set = |own: bool, name: &str| own && version.value().get(name).is_some();
            format!(
                "apiextensions.CustomResourceDefinitionVersion{{Name:{}, Served:{}, Storage:{}, \
                 Deprecated:{}, DeprecationWarning:{}, Schema:{}, Subresources:{}, \
                 AdditionalPrinterColumns:{}, SelectableFields:{}}}",
                go::quote(version.at("name").text()),
                version.at("served").flag(),
                version.at("storage").flag(),
                version.at("deprecated").flag(),
                pointer(version.at("deprecationWarning").is_set(), "string"),
                pointer(is_set(parts.schema, "schema"), "apiextensions.CustomResourceValidation"),
                pointer(
                    is_set(parts.subresources, "subresources"),
                    "apiextensions.CustomResourceSubresources"
                ),
                list(
                    is_set(parts.columns, "additionalPrinterColumns"),
                    "apiextensions.CustomResourceColumnDefinition"
                ),
                list(is_set(parts.selectable, "selectableFields"), "apiextensions.SelectableField"),
            )
        })
        .collect();
    match versions.as_slice() {
        [] => "[]apiextensions.CustomResourceDefinitionVersion(nil)".to_owned(),
        versions => {
            format!("[]apiextensions.CustomResourceDefinitionVersion{{{}}}", versions.join(", "))
        }
    }
}

fn deprecation(e: &mut Errors, version: &At<'_>) {
    let at = version.at("deprecationWarning");
    if !at.is_set() {
        return;
    }
    if !version.at("deprecated").flag() {
        e.invalid(&at, "can only be set for deprecated versions");
        return;
    }
    if at.text().len() > 256 {
        e.invalid(&at, "must be <= 256 characters long");
    }
    if at.text().is_empty() {
        e.invalid(&at, "must not be an empty string");
    }
    if let Some((place, _)) = at.text().char_indices().find(|(_, c)| c.is_control()) {
        let detail = format!(
            "must only contain printable UTF-8 characters; non-printable character found at index \
             {place}"
        );
        e.invalid(&at, &detail);
    }
}

fn names(e: &mut Errors, at: &At<'_>) {
    let mut check = |at: &At<'_>, prefix: &str| {
        if at.is_empty() {
            return;
        }
        let name = match prefix {
            "" => at.text().to_owned(),
            _ => at.text().to_lowercase(),
        };
        let errors = text::label_1035_errors(&name);
        if !errors.is_empty() {
            e.invalid(at, &format!("{prefix}{}", errors.join(",")));
        }
    };
    check(&at.at("plural"), "");
    check(&at.at("singular"), "");
    let mixed = "may have mixed case, but should otherwise match: ";
    check(&at.at("kind"), mixed);
    check(&at.at("listKind"), mixed);
    let each = |e: &mut Errors, at: &At<'_>| {
        for name in at.items() {
            let errors = text::label_1035_errors(name.text());
            if !errors.is_empty() {
                e.invalid_text(&name, name.text(), &errors.join(","));
            }
        }
    };
    each(e, &at.at("shortNames"));
    if !at.at("kind").is_empty() && at.at("kind").text() == at.at("listKind").text() {
        e.invalid(&at.at("listKind"), "kind and listKind may not be the same");
    }
    each(e, &at.at("categories"));
}

fn schema(e: &mut Errors, given: &At<'_>, has_status: bool, at: &Path<'_>) {
    let openapi = given.at("openAPIV3Schema");
    if !openapi.is_set() {
        return;
    }
    let at = at.member("openAPIV3Schema");
    let causes = match Props::parse(openapi.value()) {
        Some(props) => crd::schema::errors(&props, has_status, &at),
        None => vec![StatusCause::invalid_text(at.field(), "", "the schema is nested too deeply")],
    };
    causes.into_iter().for_each(|cause| e.push(cause));
}

fn subresources(e: &mut Errors, given: &At<'_>, at: &Path<'_>) {
    let scale = given.at("scale");
    if !scale.is_set() {
        return;
    }
    for (name, place, detail) in [
        ("specReplicasPath", ".spec.", "should be a json path under .spec"),
        ("statusReplicasPath", ".status.", "should be a json path under .status"),
        ("labelSelectorPath", "", "should be a json path under either .spec or .status"),
    ] {
        let scale_at = at.member("scale");
        let field = scale_at.member(name).field();
        let path = scale.at(name);
        let path = path.text();
        let is_selector = place.is_empty();
        let is_below = match is_selector {
            true => path.starts_with(".spec.") || path.starts_with(".status."),
            false => path.starts_with(place),
        };
        if path.is_empty() {
            if !is_selector {
                e.push(StatusCause::required(field, ""));
            }
        } else if !path.starts_with('.') {
            let detail = "must be a simple json path starting with .";
            e.push(StatusCause::invalid_text(field, path, detail));
        } else if !is_below {
            e.push(StatusCause::invalid_text(field, path, detail));
        }
    }
}

fn columns(e: &mut Errors, version: &At<'_>, at: &Path<'_>) {
    for (place, column) in version.at("additionalPrinterColumns").items().enumerate() {
        let at = at.index(place);
        let text =
            |name: &str| column.value().get(name).and_then(Value::as_str).unwrap_or_default();
        if text("name").is_empty() {
            e.push(StatusCause::required(at.member("name").field(), ""));
        }
        let types = "must be one of boolean,date,integer,number,string";
        match text("type") {
            "" => e.push(StatusCause::required(at.member("type").field(), types)),
            "boolean" | "date" | "integer" | "number" | "string" => {}
            other => e.push(StatusCause::invalid_text(at.member("type").field(), other, types)),
        }
        match text("format") {
            "" | "byte" | "date" | "date-time" | "double" | "float" | "int32" | "int64"
            | "password" => {}
            other => e.push(StatusCause::invalid_text(
                at.member("format").field(),
                other,
                "must be one of byte,date,date-time,double,float,int32,int64,password",
            )),
        }
        let field = at.member("JSONPath").field();
        match text("jsonPath") {
            "" => e.push(StatusCause::required(field, "")),
            path if !path.starts_with('.') => e.push(StatusCause::invalid_text(
                field,
                path,
                "must be a simple json path starting with .",
            )),
            _ => {}
        }
    }
}

fn selectable(e: &mut Errors, version: &At<'_>, at: &Path<'_>) {
    let Some(schema) = Props::parse(version.at("schema").at("openAPIV3Schema").value()) else {
        return;
    };
    let mut seen = BTreeSet::new();
    for (place, field) in version.at("selectableFields").items().enumerate() {
        let at = at.index(place);
        let at = at.member("jsonPath").field();
        let given = field.at("jsonPath");
        let path = given.text();
        if path.is_empty() {
            e.push(StatusCause::required(at, ""));
            continue;
        }
        let found = match custom::field_path(path, &schema, false) {
            Ok(found) => found,
            Err(error) => {
                let detail = format!("is an invalid path: {error}");
                e.push(StatusCause::invalid_text(at, path, &detail));
                continue;
            }
        };
        if found.root == "metadata" {
            let detail = "must not point to fields in metadata";
            e.push(StatusCause::invalid_text(at.as_str(), path, detail));
        }
        if !matches!(found.schema.kind.as_str(), "string" | "boolean" | "integer") {
            e.push(StatusCause::invalid_text(
                at.as_str(),
                path,
                "must point to a field of type string, boolean or integer. Enum string fields and \
                 strings with formats are allowed.",
            ));
        }
        if !seen.insert(found.text) {
            e.push(StatusCause::duplicate(at, go::quote(path)));
        }
    }
    if seen.len() > SELECTABLE_MAX {
        e.push(StatusCause::too_many(at.field(), seen.len(), SELECTABLE_MAX));
    }
}

fn conversion(e: &mut Errors, at: &At<'_>) {
    if !at.is_set() {
        return;
    }
    let strategy = at.at("strategy");
    match strategy.text() {
        "" => e.required(&strategy, ""),
        "None" | "Webhook" => {}
        _ => e.not_supported(&strategy, &["None", "Webhook"]),
    }
    // In its internal form the two parts of `webhook` are members of the conversion.
    let config = at.named("webhookClientConfig");
    let versions = at.named("conversionReviewVersions");
    let given = at.at("webhook");
    let given_versions: Vec<&str> = given.at("conversionReviewVersions").texts().collect();
    let client = given.at("clientConfig");
    if strategy.text() != "Webhook" {
        let detail = "should not be set when strategy is not set to Webhook";
        if client.is_set() {
            e.forbidden(&config, detail);
        }
        if !given_versions.is_empty() {
            e.forbidden(&versions, detail);
        }
        return;
    }
    if !client.is_set() {
        e.required(&config, "required when strategy is set to Webhook");
    } else if client.at("url").is_set() == client.at("service").is_set() {
        e.required(&config, "exactly one of url or service is required");
    }
    if given_versions.is_empty() {
        e.required(&versions, "");
        return;
    }
    let mut seen = BTreeSet::new();
    for (place, version) in given_versions.iter().enumerate() {
        let at = versions.indexed(place);
        if !seen.insert(*version) {
            e.invalid_text(&at, version, "duplicate version");
            continue;
        }
        for error in text::label_1035_errors(version) {
            e.invalid_text(&at, version, &error);
        }
    }
    if !seen.contains("v1") && !seen.contains("v1beta1") {
        let value = go::string_slice(&given_versions);
        e.invalid_value(&versions, value, "must include at least one of v1, v1beta1");
    }
}

fn check_status(e: &mut Errors, object: &Object<'_>) {
    let status = object.at("status");
    names(e, &status.at("acceptedNames"));
    let at = status.at("storedVersions");
    let stored: Vec<&str> = at.texts().collect();
    if stored.is_empty() {
        e.invalid_value(&at, "[]string(nil)", "must have at least one stored version");
        return;
    }
    let spec = object.at("spec");
    let mut left: Vec<(usize, &str)> = stored.iter().copied().enumerate().collect();
    for version in spec.at("versions").items() {
        let name = version.at("name");
        let name = name.text();
        if version.at("storage").flag() && !stored.contains(&name) {
            let detail = format!("must have the storage version {name}");
            e.invalid_value(&at, go::string_slice(&stored), &detail);
        }
        left.retain(|(_, known)| *known != name);
    }
    for (place, name) in left {
        let detail = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain \
             in spec.versions until a storage migration ensures no data remains persisted in \
             {name} and removes {name} from status.storedVersions"
        );
        e.invalid_text(&at.indexed(place), name, &detail);
    }
}

/// Groups of the community need an approval.
fn approval(e: &mut Errors, object: &Object<'_>) {
    let spec = object.at("spec");
    let group = spec.at("group");
    let group = group.text();
    if !is_protected(group) {
        return;
    }
    let of = |metadata: At<'_>| {
        let given =
            metadata.value().get("annotations").and_then(|map| map.get(ANNOTATION)?.as_str());
        given.unwrap_or_default().to_owned()
    };
    let given = of(object.at("metadata"));
    if object.old.is_some() && Approval::of(&of(object.old("metadata"))) == Approval::of(&given) {
        return;
    }
    let metadata = object.at("metadata");
    let at = metadata.at("annotations").key(ANNOTATION);
    let approval = Approval::of(&given);
    match approval {
        Approval::Approved | Approval::Bypassed => {}
        Approval::Missing => e.required(&at, &approval.message(&given)),
        Approval::Invalid => e.invalid(&at, &approval.message(&given)),
    }
}

fn preserved(e: &mut Errors, object: &Object<'_>) {
    if object.old("spec").at("preserveUnknownFields").flag() {
        return;
    }
    let spec = object.at("spec");
    let at = spec.at("preserveUnknownFields");
    if at.flag() {
        e.invalid(
            &at,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in \
             spec.versions[*].schema instead",
        );
    }
}

/// Source: `MaxSelectableFields`.
const SELECTABLE_MAX: usize = 8;
