//! The metadata that all kinds share.
//!
//! Source: k8s.io/apimachinery `pkg/api/validation/objectmeta.go`,
//! `pkg/apis/meta/v1/validation/validation.go` (release-1.33).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Object, text};
use crate::{
    field::{At, Errors, IMMUTABLE, is_same},
    go,
    meta::names,
};

/// `ValidateObjectMetaAccessor` with the kind's own rule for names.
pub(super) fn kind(e: &mut Errors, object: &Object<'_>) {
    validate(e, object, &|name, is_prefix| names::errors(object.resource, name, is_prefix));
}

/// `ValidateObjectMetaAccessor` with another rule for names.
pub(super) fn kind_named(
    e: &mut Errors,
    object: &Object<'_>,
    names: &dyn Fn(&str, bool) -> Vec<String>,
) {
    validate(e, object, names);
}

/// `ValidateObjectMetaAccessor` as it is asked of every object, whatever its kind.
pub(super) fn common(e: &mut Errors, object: &Object<'_>) {
    validate(e, object, &names::path_segment);
}

/// [`kind`] with a rule for names that asks more of the object.
pub(super) fn kind_with(
    e: &mut Errors,
    object: &Object<'_>,
    names: &dyn Fn(&str, bool) -> Vec<String>,
) {
    validate(e, object, names);
}

fn validate(e: &mut Errors, object: &Object<'_>, names: &dyn Fn(&str, bool) -> Vec<String>) {
    let metadata = object.at("metadata");
    let base = metadata.at("generateName");
    if !base.is_empty() {
        e.each_invalid(&base, names(base.text(), true));
    }
    let name = metadata.at("name");
    if name.is_empty() {
        e.required(&name, "name or generateName is required");
    } else {
        e.each_invalid(&name, names(name.text(), false));
    }
    let namespace = metadata.at("namespace");
    match (object.resource.namespaced, namespace.is_empty()) {
        (true, true) => e.required(&namespace, ""),
        (true, false) => e.each_invalid(&namespace, text::label(namespace.text())),
        (false, false) => e.forbidden(&namespace, "not allowed on this type"),
        (false, true) => {}
    }
    e.non_negative(&metadata.at("generation"));
    text::labels(e, &metadata.at("labels"));
    text::annotations(e, &metadata.at("annotations"));
    owners(e, &metadata.at("ownerReferences"));
    finalizers(e, &metadata.at("finalizers"));
    managed_fields(e, &metadata.at("managedFields"));
}

/// `ValidateObjectMetaAccessorUpdate`.
pub(super) fn update(e: &mut Errors, object: &Object<'_>) {
    let (new, old) = (object.at("metadata"), object.old("metadata"));
    if old.at("deletionTimestamp").is_set() {
        no_new_finalizers(e, &new.at("finalizers"), &old.at("finalizers"));
    }
    if new.at("generation").int() < old.at("generation").int() {
        e.invalid(&new.at("generation"), "must not be decremented");
    }
    for key in ["name", "namespace", "uid"] {
        let value = new.at(key);
        if value.text() != old.at(key).text() {
            e.invalid(&value, IMMUTABLE);
        }
    }
    e.immutable(&new.at("creationTimestamp"), &old.at("creationTimestamp"), "v1.Time");
    e.immutable(&new.at("deletionTimestamp"), &old.at("deletionTimestamp"), "*v1.Time");
    let key = "deletionGracePeriodSeconds";
    e.immutable(&new.at(key), &old.at(key), "*int64");
    text::labels(e, &new.at("labels"));
    text::annotations(e, &new.at("annotations"));
    owners(e, &new.at("ownerReferences"));
    managed_fields(e, &new.at("managedFields"));
}

fn no_new_finalizers(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let before: BTreeSet<&str> = old.texts().collect();
    let new_ones: BTreeSet<&str> = new.texts().filter(|name| !before.contains(name)).collect();
    if new_ones.is_empty() {
        return;
    }
    let new_ones: Vec<String> = new_ones.into_iter().map(str::to_owned).collect();
    let detail = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers {}",
        go::string_slice(&new_ones)
    );
    e.forbidden(new, &detail);
}

/// What the core kinds ask of finalizers: without a domain only the standard ones are known.
pub(super) fn standard_finalizers(e: &mut Errors, object: &Object<'_>) {
    for finalizer in object.at("metadata").at("finalizers").items() {
        standard_finalizer(e, &finalizer);
    }
}

/// `validateKubeFinalizerName`.
pub(super) fn standard_finalizer(e: &mut Errors, at: &At<'_>) {
    if !at.text().contains('/') && !STANDARD_FINALIZERS.contains(&at.text()) {
        e.invalid(at, "name is neither a standard finalizer name nor is it fully qualified");
    }
}

fn finalizers(e: &mut Errors, at: &At<'_>) {
    for finalizer in at.texts() {
        for error in text::qualified(finalizer) {
            e.invalid_text(at, finalizer, &error);
        }
    }
    let has = |name: &str| at.texts().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        let detail = "finalizer foregroundDeletion and orphan cannot be both set";
        e.invalid_as(at, "[]string", detail);
    }
}

fn owners(e: &mut Errors, at: &At<'_>) {
    let mut controller: Option<String> = None;
    for owner in at.list() {
        let owner = at.holding(owner);
        let (kind, name) = (owner.at("kind").text(), owner.at("name").text());
        let api_version = owner.at("apiVersion").text();
        let version = api_version.rsplit('/').next().unwrap_or_default();
        if version.is_empty() || api_version.matches('/').count() > 1 {
            e.invalid(&owner.at("apiVersion"), "version must not be empty");
        }
        for (key, detail) in [
            ("kind", "kind must not be empty"),
            ("name", "name must not be empty"),
            ("uid", "uid must not be empty"),
        ] {
            if owner.at(key).is_empty() {
                e.invalid(&owner.at(key), detail);
            }
        }
        if (api_version, kind) == ("v1", "Event") {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            e.invalid_as(&owner, "v1.OwnerReference", detail);
        }
        if !owner.at("controller").flag() {
            continue;
        }
        let this = format!("{kind}/{name}");
        match &controller {
            None => controller = Some(this),
            Some(first) => {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in \
                     references for {first} and {this}"
                );
                e.invalid_as(at, "[]v1.OwnerReference", &detail);
            }
        }
    }
}

fn managed_fields(e: &mut Errors, at: &At<'_>) {
    for entry in at.items() {
        let operation = entry.at("operation");
        if !matches!(operation.text(), "Apply" | "Update") {
            e.invalid(&operation, "must be `Apply` or `Update`");
        }
        let fields_type = entry.at("fieldsType");
        if !matches!(fields_type.text(), "" | "FieldsV1") {
            e.invalid(&fields_type, "must be `FieldsV1`");
        }
        if entry.at("manager").text().len() > MANAGER_MAX {
            e.too_long(&entry.at("manager"), MANAGER_MAX);
        }
        if entry.at("subresource").text().len() > SUBRESOURCE_MAX {
            e.too_long(&entry.at("subresource"), SUBRESOURCE_MAX);
        }
    }
}

/// `ValidateConditions`, of the conditions that newer kinds have.
pub(super) fn conditions(e: &mut Errors, at: &At<'_>) {
    let mut known = BTreeSet::new();
    for condition in at.items() {
        let name = condition.at("type");
        if !known.insert(name.text()) {
            e.duplicate(&name);
        }
        text::label_key(e, &name);
        let status = condition.at("status");
        if !matches!(status.text(), "True" | "False" | "Unknown") {
            e.not_supported(&status, &["False", "True", "Unknown"]);
        }
        let observed = condition.at("observedGeneration");
        if observed.int() < 0 {
            e.invalid(&observed, "must be greater than or equal to zero");
        }
        if condition.at("lastTransitionTime").is_empty() {
            e.required(&condition.at("lastTransitionTime"), "must be set");
        }
        let reason = condition.at("reason");
        if reason.is_empty() {
            e.required(&reason, "must be set");
        } else {
            if !is_condition_reason(reason.text()) {
                e.invalid(&reason, CONDITION_REASON);
            }
            if reason.text().len() > REASON_MAX {
                e.too_long(&reason, REASON_MAX);
            }
        }
        let message = condition.at("message");
        if message.text().len() > MESSAGE_MAX {
            e.too_long(&message, MESSAGE_MAX);
        }
    }
}

fn is_condition_reason(reason: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut bytes = reason.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && reason.bytes().next_back().is_some_and(is_word)
        && reason.bytes().all(|b| is_word(b) || b == b',' || b == b':')
}

/// Whether two members are the same to Go.
pub(super) fn same(a: &At<'_>, b: &At<'_>) -> bool {
    is_same(a.value(), b.value())
}

/// An annotation or label; empty where there is none.
pub(super) fn annotation<'a>(object: &Object<'a>, key: &'a str) -> &'a str {
    let annotations = object.at("metadata").at("annotations").value();
    annotations.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Source: `standardFinalizers` of `core/helper`.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
/// Source: `FieldManagerMaxLength`.
const MANAGER_MAX: usize = 128;
/// Source: `MaxSubresourceNameLength`.
const SUBRESOURCE_MAX: usize = 256;
const REASON_MAX: usize = 1 << 10;
const MESSAGE_MAX: usize = 32 << 10;
const CONDITION_REASON: &str = "a condition reason must start with alphabetic character, \
     optionally followed by a string of alphanumeric characters or '_,:', and must end with an \
     alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or \
     'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is \
     '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";
