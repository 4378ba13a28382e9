//! StorageClasses, VolumeAttachments and what CSI drivers say of themselves.
//!
//! Source: `storage/validation/validation.go` and the kinds' strategies.

use std::collections::BTreeSet;

use super::{Object, metadata::same, pod, pod::resources, source, text, volume};
use crate::{
    field::{At, Errors, IMMUTABLE},
    status::StatusCause,
};

pub(super) fn class(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    provisioner(e, &o.at("provisioner"));
    parameters(e, &o.at("parameters"), true);
    text::one_of(e, &o.at("reclaimPolicy"), &["Delete", "Retain"]);
    text::one_of(e, &o.at("volumeBindingMode"), &["Immediate", "WaitForFirstConsumer"]);
    let topologies = o.at("allowedTopologies");
    for (place, term) in topologies.items().enumerate() {
        pod::topology_term(e, &term);
        for _ in topologies.items().take(place).filter(|other| same(other, &term)) {
            e.duplicate_text(&term.at("matchLabelExpressions"), "");
        }
    }
}

pub(super) fn class_update(e: &mut Errors, o: &Object<'_>) {
    class(e, o);
    o.metadata_update(e);
    fixed(e, o, &["parameters", "provisioner", "reclaimPolicy"]);
    let key = "volumeBindingMode";
    e.immutable(&o.at(key), &o.old(key), "*storage.VolumeBindingMode=string");
}

pub(super) fn attributes_class(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    provisioner(e, &o.at("driverName"));
    parameters(e, &o.at("parameters"), false);
}

pub(super) fn attributes_class_update(e: &mut Errors, o: &Object<'_>) {
    attributes_class(e, o);
    o.metadata_update(e);
    fixed(e, o, &["driverName", "parameters"]);
    attributes_class(e, o);
}

fn fixed(e: &mut Errors, o: &Object<'_>, keys: &[&'static str]) {
    for key in keys {
        if !same(&o.at(key), &o.old(key)) {
            e.forbidden(&o.at(key), &format!("updates to {key} are forbidden."));
        }
    }
}

fn provisioner(e: &mut Errors, at: &At<'_>) {
    if at.is_empty() {
        return e.required(at, "");
    }
    let lower = at.text().to_lowercase();
    for error in text::qualified(&lower) {
        e.invalid_text(at, &lower, &error);
    }
}

fn parameters(e: &mut Errors, at: &At<'_>, may_be_empty: bool) {
    let mut bytes = 0;
    if at.map().map_or(0, serde_json::Map::len) > 512 {
        return e.too_long(at, 512);
    }
    for (key, value) in at.entries() {
        if key.is_empty() {
            e.invalid_text(at, key, "field can not be empty.");
        }
        bytes += key.len() + value.text().len();
    }
    if bytes > 256 << 10 {
        e.too_long(at, 256 << 10);
    }
    if !may_be_empty && at.is_empty() {
        e.required(at, "must contain at least one key/value pair");
    }
}

pub(super) fn attachment(e: &mut Errors, o: &Object<'_>) {
    attachment_object(e, o);
    let attacher = o.at("spec").at("attacher");
    let named = o.at("spec.attacher").holding(attacher.value());
    source::csi_driver(e, &named);
    let volume = o.at("spec").at("source").at("persistentVolumeName");
    if volume.is_set() {
        let named = o.at("spec.source.persistentVolumeName").holding(volume.value());
        text::dns_subdomain(e, &named);
    }
}

pub(super) fn attachment_update(e: &mut Errors, o: &Object<'_>) {
    attachment_object(e, o);
    attachment_object(e, o);
    let (new, old) = (o.at("spec"), o.old("spec"));
    if !same(&new, &old) {
        e.invalid_as(&new, "storage.VolumeAttachmentSpec", IMMUTABLE);
    }
}

/// As for the object itself, whose rules the subresource shares.
pub(super) fn attachment_status(e: &mut Errors, o: &Object<'_>, _name: &str) {
    attachment_update(e, o);
}

fn attachment_object(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let (spec, status) = (o.at("spec"), o.at("status"));
    if spec.at("attacher").is_empty() {
        e.required(&spec.at("attacher"), "");
    }
    let of = spec.at("source");
    let (inline, name) = (of.at("inlineVolumeSpec"), of.at("persistentVolumeName"));
    let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (inline.is_set(), name.is_set()) {
        (false, false) => e.required(&of, detail),
        (true, true) => e.forbidden(&of, detail),
        (false, true) if name.is_empty() => {
            e.required(&name, "must specify non empty persistentVolumeName");
        }
        (false, true) => {}
        (true, false) => volume::inline(e, &inline),
    }
    text::dns_subdomain(e, &spec.at("nodeName"));
    let metadata = status.at("attachmentMetadata");
    let bytes: usize = metadata.entries().map(|(key, value)| key.len() + value.text().len()).sum();
    if bytes > 256 << 10 {
        e.too_long(&metadata, 256 << 10);
    }
    for key in ["attachError", "detachError"] {
        let message = status.at(key).at("message");
        if message.text().len() > 1024 {
            e.too_long(&message, 256 << 10);
        }
    }
}

pub(super) fn csi_node(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let mut names = BTreeSet::new();
    for driver in o.at("spec").at("drivers").items() {
        let (name, id) = (driver.at("name"), driver.at("nodeID"));
        source::csi_driver(e, &name);
        if id.is_empty() {
            e.required(&id, "");
        }
        if id.text().len() > 256 {
            e.invalid(&id, "must be 256 characters or less");
        }
        e.non_negative(&driver.at("allocatable").at("count"));
        if !names.insert(name.text()) {
            e.duplicate(&name);
        }
        let mut keys = BTreeSet::new();
        for key in driver.at("topologyKeys").texts() {
            if key.is_empty() {
                e.required(&driver, "");
            }
            if !keys.insert(key) {
                e.duplicate_text(&driver, key);
            }
            for error in text::qualified(key) {
                e.invalid_text(&driver, key, &error);
            }
        }
    }
}

pub(super) fn csi_node_update(e: &mut Errors, o: &Object<'_>) {
    csi_node(e, o);
    csi_node(e, o);
    let (new, old) = (o.at("spec").at("drivers"), o.old("spec").at("drivers"));
    for before in old.items() {
        for after in new.list().iter().map(|after| new.holding(after)) {
            let is_it = before.at("name").text() == after.at("name").text();
            if is_it && !same(&before, &after) {
                e.invalid_as(&after, "storage.CSINodeDriver", IMMUTABLE);
            }
        }
    }
}

pub(super) fn csi_driver(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    csi_driver_spec(e, &o.at("spec"));
}

pub(super) fn csi_driver_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    let (spec, old) = (o.at("spec"), o.old("spec"));
    csi_driver_spec(e, &spec);
    let (attach, before) = (spec.at("attachRequired"), old.at("attachRequired"));
    if !same(&attach, &before) {
        e.invalid_as(&spec.at("attachedRequired").holding(attach.value()), "*bool", IMMUTABLE);
    }
    let key = "volumeLifecycleModes";
    e.immutable(&spec.at(key), &old.at(key), "[]storage.VolumeLifecycleMode=string");
}

fn csi_driver_spec(e: &mut Errors, spec: &At<'_>) {
    text::one_of(e, &spec.at("fsGroupPolicy"), &["File", "None", "ReadWriteOnceWithFSType"]);
    let mut audiences = BTreeSet::new();
    for token in spec.at("tokenRequests").items() {
        let (audience, seconds) = (token.at("audience"), token.at("expirationSeconds"));
        if !audiences.insert(audience.text()) {
            e.duplicate(&audience);
            continue;
        }
        if seconds.is_set() && seconds.int() < 600 {
            e.invalid(&seconds, "may not specify a duration less than 10 minutes");
        }
        if seconds.int() > 1 << 32 {
            e.invalid(&seconds, "may not specify a duration larger than 2^32 seconds");
        }
    }
    let modes = spec.at("volumeLifecycleModes");
    for mode in modes.list() {
        let mode = modes.holding(mode);
        if !matches!(mode.text(), "Persistent" | "Ephemeral") {
            e.not_supported(&mode, &["Persistent", "Ephemeral"]);
        }
    }
    let period = spec.at("nodeAllocatableUpdatePeriodSeconds");
    if period.is_set() && period.int() < 10 {
        e.invalid(&period, "must be greater than or equal to 10 seconds");
    }
}

pub(super) fn capacity(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    text::selector(e, &o.at("nodeTopology"));
    text::dns_subdomain(e, &o.at("storageClassName"));
    if o.at("capacity").is_set() {
        resources::non_negative(e, &o.at("capacity"));
    }
}

pub(super) fn capacity_update(e: &mut Errors, o: &Object<'_>) {
    capacity(e, o);
    o.metadata_update(e);
    e.immutable(&o.at("nodeTopology"), &o.old("nodeTopology"), "*v1.LabelSelector");
    let (class, before) = (o.at("storageClassName"), o.old("storageClassName"));
    if class.text() != before.text() {
        e.push(StatusCause::invalid_text(class.field(), class.text(), IMMUTABLE));
    }
}
