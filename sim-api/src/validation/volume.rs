//! PersistentVolumes.
//!
//! Source: `ValidatePersistentVolume` and theirs for updates in `core/validation`.

use super::{Object, claim, metadata::same, pod, pod::resources, source, text};
use crate::{
    field::{At, Errors, IMMUTABLE},
    go_diff, go_syntax,
};

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    spec(e, &o.at("spec"), o.at("metadata").at("name").text());
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    create(e, o);
    create(e, o);
    let (new, old) = (o.at("spec"), o.old("spec"));
    let mut after = new.value().clone();
    // A secret for growing may be added.
    let secret = |of: &At<'_>| of.at("csi").at("controllerExpandSecretRef").is_set();
    if old.at("csi").is_set()
        && !secret(&old)
        && secret(&new)
        && let Some(csi) = after.get_mut("csi").and_then(serde_json::Value::as_object_mut)
    {
        csi.shift_remove("controllerExpandSecretRef");
    }
    let changed = go_syntax::fields(SOURCE).unwrap_or_default().iter().any(|field| {
        let (new, old) = (go_syntax::member(&after, field), old.at(field.json));
        !crate::field::is_same(new, old.value())
    });
    if changed {
        let diff = go_diff::diff(SOURCE, old.value(), &after);
        let detail = format!("spec.persistentvolumesource is immutable after creation\n{diff}");
        e.forbidden(&new.at("persistentvolumesource"), &detail);
    }
    for (key, go_type, detail) in [
        ("volumeMode", "*core.PersistentVolumeMode=string", ""),
        ("nodeAffinity", "*core.VolumeNodeAffinity", ", except for updating from beta label to GA"),
    ] {
        let (new, old) = (new.at(key), old.at(key));
        let is_free = key == "nodeAffinity" && !old.is_set();
        if !is_free && !same(&new, &old) {
            let named = o.at(key).holding(new.value());
            e.invalid_as(&named, go_type, &format!("{IMMUTABLE}{detail}"));
        }
    }
}

/// The volume within a VolumeAttachment.
pub(super) fn inline(e: &mut Errors, at: &At<'_>) {
    const DETAIL: &str = "may not be specified in the context of inline volumes";
    for key in ["claimRef", "capacity"] {
        if !at.at(key).is_empty() {
            e.forbidden(&at.at(key), DETAIL);
        }
    }
    if !at.at("csi").is_set() {
        e.required(&at.at("csi"), "has to be specified in the context of inline volumes");
    }
    let modes = at.at("accessModes");
    if modes.is_empty() {
        e.required(&modes, "");
    }
    claim::access_modes(e, &modes);
    let policy = at.at("persistentVolumeReclaimPolicy");
    if !matches!(policy.text(), "" | "Retain") {
        e.forbidden(&policy, "may only be Retain in the context of inline volumes");
    }
    if at.at("nodeAffinity").is_set() {
        e.forbidden(&at.at("nodeAffinity"), DETAIL);
    }
    sources(e, at, "");
    if !at.at("storageClassName").is_empty() {
        e.forbidden(&at.at("storageClassName"), DETAIL);
    }
    let mode = at.at("volumeMode");
    if !matches!(mode.text(), "" | "Filesystem") {
        let detail =
            "may not specify volumeMode other than Filesystem in the context of inline volumes";
        e.forbidden(&mode, detail);
    }
}

/// `ValidatePersistentVolumeSpec`.
fn spec(e: &mut Errors, at: &At<'_>, name: &str) {
    let modes = at.at("accessModes");
    if modes.is_empty() {
        e.required(&modes, "");
    }
    claim::access_modes(e, &modes);
    capacity(e, &at.at("capacity"));
    let policy = at.at("persistentVolumeReclaimPolicy");
    if !policy.is_empty() && !matches!(policy.text(), "Delete" | "Recycle" | "Retain") {
        e.not_supported(&policy, &["Delete", "Recycle", "Retain"]);
    }
    let affinity = at.at("nodeAffinity");
    if affinity.is_set() {
        let required = affinity.at("required");
        if required.is_set() {
            pod::node_selector(e, &required);
        } else {
            e.required(&required, "must specify required node constraints");
        }
    }
    sources(e, at, name);
    let path = at.at("hostPath").at("path");
    if path.is_set() && is_root(path.text()) && policy.text() == "Recycle" {
        e.forbidden(&policy, "may not be 'recycle' for a hostPath mount of '/'");
    }
    if !at.at("storageClassName").is_empty() {
        text::dns_subdomain(e, &at.at("storageClassName"));
    }
    claim::volume_mode(e, &at.at("volumeMode"));
}

fn capacity(e: &mut Errors, at: &At<'_>) {
    if at.is_empty() {
        e.required(at, "");
    }
    let amounts = at.map().map_or(0, serde_json::Map::len);
    if !at.key("storage").is_set() || amounts > 1 {
        e.not_supported_as(at, "{core.ResourceList}resource.Quantity", &["storage"]);
    }
    for (_, amount) in at.entries() {
        claim::basic_amount(e, &amount);
        resources::positive(e, &amount);
    }
}

fn sources(e: &mut Errors, at: &At<'_>, name: &str) {
    let mut has_source = false;
    for kind in KINDS {
        let source = at.at(kind);
        if !source.is_set() {
            continue;
        }
        if has_source && kind != "flexVolume" {
            let field = if kind == "cephfs" { at.at("cephFS") } else { source };
            e.forbidden(&field, "may not specify more than 1 volume type");
            continue;
        }
        has_source = true;
        let named = match kind {
            "gcePersistentDisk" => at.at("persistentDisk").holding(source.value()),
            _ => source,
        };
        source::persistent(e, kind, &named, name);
        if kind == "local" && !at.at("nodeAffinity").is_set() {
            e.required(&at.at("nodeAffinity"), "Local volume requires node affinity");
        }
    }
    if !has_source {
        e.required(at, "must specify a volume type");
    }
}

fn is_root(path: &str) -> bool {
    path.starts_with('/') && path.split('/').all(|part| matches!(part, "" | "." | ".."))
}

const SOURCE: &str = "core.PersistentVolumeSource";
/// In the order in which the real server looks for them.
const KINDS: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];
