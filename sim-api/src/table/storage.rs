//! The cells of volumes and what concerns them.

use serde_json::Value;

use super::{
    cells,
    read::Reader,
    selector::{NONE, UNSET},
};

pub(super) fn volume(volume: Reader<'_>) -> Vec<Value> {
    let claim = volume.get("spec.claimRef");
    let claim = match claim.exists() {
        true => format!("{}/{}", claim.text("namespace"), claim.text("name")),
        false => String::new(),
    };
    cells![
        volume.name(),
        volume.quantity("spec.capacity.storage"),
        access_modes(volume.texts("spec.accessModes")),
        volume.text("spec.persistentVolumeReclaimPolicy"),
        phase(volume),
        claim,
        class_name(volume),
        volume.some_text("spec.volumeAttributesClassName", UNSET),
        volume.text("status.reason"),
        volume.age(),
        volume.some_text("spec.volumeMode", UNSET),
    ]
}

pub(super) fn claim(claim: Reader<'_>) -> Vec<Value> {
    let volume = claim.text("spec.volumeName");
    let (capacity, modes) = match volume {
        "" => (String::new(), String::new()),
        _ => (
            claim.quantity("status.capacity.storage"),
            access_modes(claim.texts("status.accessModes")),
        ),
    };
    cells![
        claim.name(),
        phase(claim),
        volume,
        capacity,
        modes,
        class_name(claim),
        claim.some_text("spec.volumeAttributesClassName", UNSET),
        claim.age(),
        claim.some_text("spec.volumeMode", UNSET),
    ]
}

fn phase(object: Reader<'_>) -> &str {
    if object.is_deleted() { "Terminating" } else { object.text("status.phase") }
}

/// The annotation is older than the field and wins.
fn class_name(object: Reader<'_>) -> &str {
    let annotation =
        object.get("metadata.annotations").key("volume.beta.kubernetes.io/storage-class");
    if annotation.exists() { annotation.str() } else { object.text("spec.storageClassName") }
}

/// Short names, each once and in a fixed order.
fn access_modes(modes: Vec<&str>) -> String {
    let known = ACCESS_MODES.iter().filter(|(mode, _)| modes.contains(mode));
    known.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

pub(super) fn class(class: Reader<'_>) -> Vec<Value> {
    let annotations = class.get("metadata.annotations");
    let is_default = DEFAULT_CLASS.iter().any(|key| annotations.key(key).str() == "true");
    let name = class.name();
    let name = if is_default { format!("{name} (default)") } else { name.to_owned() };
    cells![
        name,
        class.text("provisioner"),
        class.some_text("reclaimPolicy", "Delete"),
        class.some_text("volumeBindingMode", "Immediate"),
        class.flag("allowVolumeExpansion").unwrap_or_default(),
        class.age(),
    ]
}

pub(super) fn csi_driver(driver: Reader<'_>) -> Vec<Value> {
    let requests = match driver.get("spec.tokenRequests").exists() {
        true => {
            let requests = driver.items("spec.tokenRequests");
            requests.map(|it| it.text("audience")).collect::<Vec<_>>().join(",")
        }
        false => UNSET.to_owned(),
    };
    let modes = match driver.texts("spec.volumeLifecycleModes").join(",") {
        modes if modes.is_empty() => NONE.to_owned(),
        modes => modes,
    };
    cells![
        driver.name(),
        driver.flag("spec.attachRequired").unwrap_or(true),
        driver.flag("spec.podInfoOnMount").unwrap_or_default(),
        driver.flag("spec.storageCapacity").unwrap_or_default(),
        requests,
        driver.flag("spec.requiresRepublish").unwrap_or_default(),
        modes,
        driver.age(),
    ]
}

pub(super) fn csi_node(node: Reader<'_>) -> Vec<Value> {
    cells![node.name(), node.count("spec.drivers"), node.age()]
}

pub(super) fn attachment(attachment: Reader<'_>) -> Vec<Value> {
    cells![
        attachment.name(),
        attachment.text("spec.attacher"),
        attachment.text("spec.source.persistentVolumeName"),
        attachment.text("spec.nodeName"),
        attachment.flag("status.attached").unwrap_or_default(),
        attachment.age(),
    ]
}

const ACCESS_MODES: [(&str, &str); 4] = [
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
];

const DEFAULT_CLASS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
