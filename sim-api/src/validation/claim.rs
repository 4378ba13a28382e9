//! PersistentVolumeClaims.
//!
//! Source: `ValidatePersistentVolumeClaim` and theirs for updates in `core/validation`.

use serde_json::{Map, Value};

use super::{
    Object,
    metadata::{annotation, same},
    pod::resources,
    text,
};
use crate::{
    field::{At, Errors, IMMUTABLE, is_same},
    go::quote,
    go_diff,
    status::StatusCause,
};

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    spec(e, &o.at("spec"), o.old.as_ref());
}

/// `ValidatePersistentVolumeClaimTemplate`.
pub(super) fn template(e: &mut Errors, at: &At<'_>) {
    let metadata = at.at("metadata");
    text::annotations(e, &metadata.at("annotations"));
    text::labels(e, &metadata.at("labels"));
    for (key, _) in metadata.map().into_iter().flatten() {
        let value = metadata.at(key);
        if !value.is_empty() && !matches!(key.as_str(), "annotations" | "labels") {
            e.forbidden(&value, "cannot be set");
        }
    }
    spec(e, &at.at("spec"), None);
}

/// `ValidatePersistentVolumeClaimSpec`.
fn spec(e: &mut Errors, at: &At<'_>, old: Option<&At<'_>>) {
    let modes = at.at("accessModes");
    if modes.is_empty() {
        e.required(&modes, "at least 1 access mode is required");
    }
    text::selector(e, &at.at("selector"));
    access_modes(e, &modes);
    let size = at.at("resources").at("requests").key("storage");
    let named = at.at("resources").key("storage").holding(size.value());
    if !size.is_set() {
        e.required(&named, "");
    } else {
        resources::positive(e, &named);
    }
    let class = at.at("storageClassName");
    if !class.is_empty() {
        text::dns_subdomain(e, &class);
    }
    volume_mode(e, &at.at("volumeMode"));
    let kept = old.is_some_and(|old| {
        ["dataSource", "dataSourceRef"]
            .iter()
            .any(|&key| old.at("spec").at(key).at("apiGroup").is_set())
    });
    let (source, reference) = (at.at("dataSource"), at.at("dataSourceRef"));
    for part in [&source, &reference] {
        if part.is_set() {
            data_source(e, part, kept);
        }
    }
    let path = quote(&source.field());
    let path = path.trim_matches('"');
    if !reference.at("namespace").is_empty() {
        if source.is_set() {
            let detail = "may not be specified when dataSourceRef.namespace is specified";
            e.invalid_value(at, path, detail);
        }
    } else if source.is_set() && reference.is_set() {
        let fits = ["apiGroup", "kind", "name"]
            .iter()
            .all(|&key| source.at(key).value() == reference.at(key).value());
        if !fits {
            e.invalid_value(at, path, "must match dataSourceRef");
        }
    }
}

/// The modes of claims and volumes.
pub(super) fn access_modes(e: &mut Errors, at: &At<'_>) {
    let (mut alone, mut others) = (false, false);
    for mode in at.list() {
        let mode = at.holding(mode);
        let is_known = ACCESS_MODES.contains(&mode.text());
        if !is_known {
            e.not_supported(&mode, &ACCESS_MODES);
        }
        let is_alone = mode.text() == "ReadWriteOncePod";
        alone |= is_alone;
        others |= is_known && !is_alone;
    }
    if alone && others {
        e.forbidden(at, "may not use ReadWriteOncePod with other access modes");
    }
}

/// The mode of claims and volumes.
pub(super) fn volume_mode(e: &mut Errors, at: &At<'_>) {
    if at.is_set() && !matches!(at.text(), "Block" | "Filesystem") {
        e.not_supported(at, &["Block", "Filesystem"]);
    }
}

fn data_source(e: &mut Errors, at: &At<'_>, keeps_group: bool) {
    for key in ["name", "kind"] {
        if at.at(key).is_empty() {
            e.required(&at.at(key), "");
        }
    }
    let (group, kind) = (at.at("apiGroup"), at.at("kind"));
    if group.is_empty() {
        if kind.text() != "PersistentVolumeClaim" {
            let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            e.invalid_text(at, kind.text(), detail);
        }
    } else if !keeps_group {
        text::dns_subdomain(e, &group);
    }
    if !at.at("namespace").is_empty() {
        text::dns_label(e, &at.at("namespace"));
    }
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    // The strategy asks for the rules of a new one first.
    create(e, o);
    o.metadata_update(e);
    create(e, o);
    let (new, old) = (o.at("spec"), o.old("spec"));
    let (mut after, mut before) = (members(&new), members(&old));
    if old.at("volumeName").is_empty() {
        restore(&mut before, "volumeName", &new);
    }
    let (class, old_class) = (new.at("storageClassName"), old.at("storageClassName"));
    let own = annotation(o, CLASS);
    let old_own = o.old("metadata").at("annotations").key(CLASS);
    let upgrades = old_own.is_set()
        && !old_class.is_set()
        && class.value() == old_own.value()
        && (own.is_empty() || own == old_own.text());
    if upgrades {
        after.shift_remove("storageClassName");
    } else {
        if own != old_own.text() {
            let field = format!("metadata.annotations.{CLASS}");
            e.push(StatusCause::invalid_text(field, own, IMMUTABLE));
        }
        let fits = !old_own.is_set() || class.value() == old_own.value();
        if class.is_set() && !old_class.is_set() && fits {
            after.shift_remove("storageClassName");
        }
    }
    let sizes = [&new, &old].map(|of| of.at("resources").at("requests").key("storage"));
    if o.at("status").at("phase").text() == "Bound" {
        keep_size(&mut after, &sizes[1]);
    }
    let (after, before) = (Value::Object(after), Value::Object(before));
    if !is_same(&after, &before) {
        let diff = go_diff::diff("core.PersistentVolumeClaimSpec", &before, &after);
        let detail = format!(
            "spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims\n{diff}"
        );
        e.forbidden(&new, &detail);
    }
    let [size, old_size] = sizes;
    let capacity = o.old("status").at("capacity").key("storage");
    if resources::nanos(&size) < resources::nanos(&old_size)
        && resources::nanos(&size) <= resources::nanos(&capacity)
    {
        let at = new.at("resources").at("requests").at("storage");
        e.forbidden(&at, "field can not be less than status.capacity");
    }
    let (mode, old_mode) = (new.at("volumeMode"), old.at("volumeMode"));
    if !same(&mode, &old_mode) {
        let named = o.at("volumeMode").holding(mode.value());
        e.invalid_as(&named, "*core.PersistentVolumeMode=string", IMMUTABLE);
    }
}

pub(super) fn subresource(e: &mut Errors, o: &Object<'_>, _name: &str) {
    o.metadata_update(e);
    for (_, amount) in o.at("status").at("capacity").entries() {
        basic_amount(e, &amount);
    }
}

/// `validateBasicResource`.
pub(super) fn basic_amount(e: &mut Errors, at: &At<'_>) {
    if let Some(value) = crate::quantity::value(at.text())
        && value < 0
    {
        e.invalid_value(at, value.to_string(), "must be a valid resource quantity");
    }
}

fn keep_size(members: &mut Map<String, Value>, old: &At<'_>) {
    let requests = members.get_mut("resources").and_then(|of| of.get_mut("requests"));
    if let Some(requests) = requests.and_then(Value::as_object_mut) {
        requests.insert("storage".to_owned(), old.value().clone());
    }
}

fn members(at: &At<'_>) -> Map<String, Value> {
    at.map().cloned().unwrap_or_default()
}

fn restore(members: &mut Map<String, Value>, key: &str, from: &At<'_>) {
    match from.value().get(key) {
        Some(value) => members.insert(key.to_owned(), value.clone()),
        None => members.shift_remove(key),
    };
}

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
pub(super) const ACCESS_MODES: [&str; 4] =
    ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
