//! Kinds of volumes that pods and persistent volumes share.

use crate::{
    field::{At, Errors},
    validation::text,
};

/// A source whose rules are the same for both, but for what [`persistent`] adds.
pub(super) fn shared(e: &mut Errors, kind: &str, at: &At<'_>) {
    match kind {
        "hostPath" => host_path(e, at),
        "awsElasticBlockStore" => {
            need(e, at, &["volumeID"]);
            partition(e, &at.at("partition"));
        }
        "nfs" => {
            need(e, at, &["server", "path"]);
            if !at.at("path").text().starts_with('/') {
                e.invalid(&at.at("path"), "must be an absolute path");
            }
        }
        "iscsi" => iscsi(e, at, "must be valid format starting with iqn, eui, or naa"),
        "glusterfs" => need(e, at, &["endpoints", "path"]),
        "flocker" => flocker(e, at),
        "rbd" => need(e, at, &["monitors", "image"]),
        "cinder" => {
            need(e, at, &["volumeID"]);
            secret(e, at, &["name"]);
        }
        "cephfs" => need(e, at, &["monitors"]),
        "quobyte" => quobyte(e, at),
        "fc" => fibre_channel(e, at),
        "flexVolume" => flex(e, at),
        "azureFile" => need(e, at, &["secretName", "shareName"]),
        "vsphereVolume" => need(e, at, &["volumePath"]),
        "photonPersistentDisk" => need(e, at, &["pdID"]),
        "portworxVolume" => need(e, at, &["volumeID"]),
        "azureDisk" => azure_disk(e, at),
        "storageos" => {
            storage_os(e, at);
            secret(e, at, &["name"]);
        }
        "scaleIO" => need(e, at, &["gateway", "system", "volumeName"]),
        _ => {}
    }
}

/// A source of a persistent volume.
pub(super) fn persistent(e: &mut Errors, kind: &str, at: &At<'_>, volume: &str) {
    match kind {
        "gcePersistentDisk" => gce(e, at),
        "glusterfs" => {
            shared(e, kind, at);
            let namespace = at.at("endpointsNamespace");
            if namespace.is_set() && namespace.is_empty() {
                let detail = "if the endpointnamespace is set, it must be a valid namespace name";
                e.invalid(&namespace, detail);
            } else if namespace.is_set() {
                text::dns_label(e, &namespace);
            }
        }
        "iscsi" => {
            let portal = at.at("targetPortal");
            if portal.is_empty() {
                e.required(&portal, "");
            }
            let length = volume.len() + 1 + portal.text().len();
            if at.at("initiatorName").is_set() && length > 64 {
                e.invalid_text(&at.at("targetportal"), portal.text(), ISCSI_TOO_LONG);
            }
            iscsi_names(e, at, "must be valid format", true);
        }
        "cinder" => {
            need(e, at, &["volumeID"]);
            secret(e, at, &["name", "namespace"]);
        }
        "storageos" => {
            storage_os(e, at);
            secret(e, at, &["name", "namespace"]);
        }
        "azureFile" => {
            shared(e, kind, at);
            let namespace = at.at("secretNamespace");
            if namespace.is_set() && namespace.is_empty() {
                e.required(&namespace, "");
            }
        }
        "csi" => {
            csi_driver(e, &at.at("driver"));
            need(e, at, &["volumeHandle"]);
            for key in [
                "controllerPublishSecretRef",
                "controllerExpandSecretRef",
                "nodePublishSecretRef",
                "nodeExpandSecretRef",
            ] {
                if at.at(key).is_set() {
                    secret_reference(e, &at.at(key));
                }
            }
        }
        "local" => {
            let path = at.at("path");
            if path.is_empty() {
                e.required(&path, "");
            } else {
                text::no_backsteps(e, &path);
            }
        }
        _ => shared(e, kind, at),
    }
}

fn need(e: &mut Errors, at: &At<'_>, keys: &[&'static str]) {
    for &key in keys {
        if at.at(key).is_empty() {
            e.required(&at.at(key), "");
        }
    }
}

/// Members that a secret's reference must have where there is one.
fn secret(e: &mut Errors, at: &At<'_>, keys: &[&'static str]) {
    let secret = at.at("secretRef");
    if secret.is_set() {
        need(e, &secret, keys);
    }
}

/// `validatePVSecretReference`.
fn secret_reference(e: &mut Errors, at: &At<'_>) {
    let (name, namespace) = (at.at("name"), at.at("namespace"));
    if name.is_empty() {
        e.required(&name, "");
    } else {
        text::dns_subdomain(e, &name);
    }
    if namespace.is_empty() {
        e.required(&namespace, "");
    } else {
        text::dns_label(e, &namespace);
    }
}

fn host_path(e: &mut Errors, at: &At<'_>) {
    let (path, kind) = (at.at("path"), at.at("type"));
    if path.is_empty() {
        return e.required(&path, "");
    }
    text::no_backsteps(e, &path);
    if kind.is_set() && !HOST_PATH_TYPES.contains(&kind.text()) {
        e.not_supported(&kind, &HOST_PATH_TYPES);
    }
}

pub(super) fn gce(e: &mut Errors, at: &At<'_>) {
    need(e, at, &["pdName"]);
    partition(e, &at.at("partition"));
}

fn partition(e: &mut Errors, at: &At<'_>) {
    if !(0..=255).contains(&at.int()) {
        e.invalid(at, &text::between(1, 255));
    }
}

fn iscsi(e: &mut Errors, at: &At<'_>, detail: &str) {
    need(e, at, &["targetPortal"]);
    iscsi_names(e, at, detail, false);
}

fn iscsi_names(e: &mut Errors, at: &At<'_>, detail: &str, is_persistent: bool) {
    let iqn = at.at("iqn");
    if iqn.is_empty() {
        e.required(&iqn, "");
    } else if !has_iscsi_prefix(iqn.text()) {
        e.invalid(&iqn, detail);
    } else if !is_iscsi_name(iqn.text()) {
        e.invalid(&iqn, "must be valid format");
    }
    let lun = at.at("lun");
    if !(0..=255).contains(&lun.int()) {
        e.invalid(&lun, &text::between(0, 255));
    }
    let secret = at.at("secretRef");
    let needs_secret = at.at("chapAuthDiscovery").flag() || at.at("chapAuthSession").flag();
    if needs_secret && !secret.is_set() {
        e.required(&secret, "");
    }
    if is_persistent && secret.is_set() {
        need(e, &secret, &["name"]);
    }
    let initiator = at.at("initiatorName");
    let named = at.at("initiatorname").holding(initiator.value());
    if initiator.is_set() {
        if !has_iscsi_prefix(named.text()) {
            e.invalid(&named, detail);
        } else if !is_iscsi_name(named.text()) {
            e.invalid(&named, "must be valid format");
        }
    }
}

fn has_iscsi_prefix(name: &str) -> bool {
    ["iqn", "eui", "naa"].iter().any(|prefix| name.starts_with(prefix))
}

/// Source: `iscsiInitiator{Iqn,Eui,Naa}Regex`.
fn is_iscsi_name(name: &str) -> bool {
    let hex = |rest: &str, length: usize| {
        let mut chars = rest.chars();
        chars.next().is_some()
            && chars.as_str().len() == length
            && chars.as_str().bytes().all(|b| b.is_ascii_alphanumeric())
    };
    if let Some(rest) = name.strip_prefix("eui") {
        return hex(rest, 16);
    }
    if let Some(rest) = name.strip_prefix("naa") {
        return hex(rest, 32);
    }
    let Some(rest) = name.strip_prefix("iqn.") else { return false };
    let Some((date, rest)) = rest.split_once('.') else { return false };
    let is_date = date.len() == 7
        && date
            .bytes()
            .enumerate()
            .all(|(at, b)| if at == 4 { b == b'-' } else { b.is_ascii_digit() });
    let Some((authority, id)) = rest.split_once(':') else { return false };
    let is_authority = !authority.is_empty()
        && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    let is_id = !id.is_empty() && !id.contains(|c: char| ",;*&$|".contains(c) || c.is_whitespace());
    is_date && is_authority && is_id
}

fn flocker(e: &mut Errors, at: &At<'_>) {
    let (name, uuid) = (at.at("datasetName"), at.at("datasetUUID"));
    match (name.is_empty(), uuid.is_empty()) {
        (true, true) => e.required(at, "one of datasetName and datasetUUID is required"),
        (false, false) => {
            let detail = "datasetName and datasetUUID can not be specified simultaneously";
            e.invalid_text(at, "resource", detail);
        }
        _ => {}
    }
    if name.text().contains('/') {
        e.invalid(&name, "must not contain '/'");
    }
}

fn quobyte(e: &mut Errors, at: &At<'_>) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let (registry, tenant) = (at.at("registry"), at.at("tenant"));
    if registry.is_empty() {
        e.required(&registry, PAIRS);
    } else if tenant.text().len() >= 65 {
        e.required(&tenant, "must be a UUID and may not exceed a length of 64 characters");
    } else {
        for pair in registry.text().split(',') {
            if pair.matches(':').count() != 1 {
                e.invalid(&registry, PAIRS);
            }
        }
    }
    need(e, at, &["volume"]);
}

fn fibre_channel(e: &mut Errors, at: &At<'_>) {
    let (names, ids, lun) = (at.at("targetWWNs"), at.at("wwids"), at.at("lun"));
    match (names.is_empty(), ids.is_empty()) {
        (true, true) => {
            e.required(&names, "must specify either targetWWNs or wwids, but not both");
        }
        (false, false) => {
            let detail = "targetWWNs and wwids can not be specified simultaneously";
            e.invalid_as(&names, "[]string", detail);
        }
        _ => {}
    }
    if names.is_empty() {
        return;
    }
    if !lun.is_set() {
        e.required(&lun, "lun is required if targetWWNs is specified");
    } else if !(0..=255).contains(&lun.int()) {
        e.invalid(&lun, &text::between(0, 255));
    }
}

fn flex(e: &mut Errors, at: &At<'_>) {
    need(e, at, &["driver"]);
    for (key, option) in at.at("options").entries() {
        let namespace = key.split('/').next().unwrap_or(key).to_lowercase();
        let normalized = format!(".{namespace}");
        if normalized.ends_with(".kubernetes.io") || normalized.ends_with(".k8s.io") {
            let detail = "kubernetes.io and k8s.io namespaces are reserved";
            e.invalid_text(&option, key, detail);
        }
    }
}

fn azure_disk(e: &mut Errors, at: &At<'_>) {
    need(e, at, &["diskName", "diskURI"]);
    let (caching, kind, uri) = (at.at("cachingMode"), at.at("kind"), at.at("diskURI"));
    if caching.is_set() && !["None", "ReadOnly", "ReadWrite"].contains(&caching.text()) {
        e.not_supported(&caching, &["None", "ReadOnly", "ReadWrite"]);
    }
    if !kind.is_set() {
        return;
    }
    if !["Dedicated", "Managed", "Shared"].contains(&kind.text()) {
        e.not_supported(&kind, &["Dedicated", "Managed", "Shared"]);
    }
    match (kind.text(), uri.text()) {
        ("Managed", uri_text) if !uri_text.starts_with("/subscriptions/") => e.not_supported(
            &uri,
            &["/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"],
        ),
        ("Managed", _) => {}
        (_, uri_text) if !uri_text.starts_with("https://") => e.not_supported(
            &uri,
            &["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"],
        ),
        _ => {}
    }
}

fn storage_os(e: &mut Errors, at: &At<'_>) {
    let (name, namespace) = (at.at("volumeName"), at.at("volumeNamespace"));
    if name.is_empty() {
        e.required(&name, "");
    } else {
        text::dns_label(e, &name);
    }
    if !namespace.is_empty() {
        text::dns_label(e, &namespace);
    }
}

/// `ValidateCSIDriverName`.
pub(super) fn csi_driver(e: &mut Errors, at: &At<'_>) {
    if at.is_empty() {
        e.required(at, "");
    }
    if at.text().len() > 63 {
        e.too_long(at, 63);
    }
    e.each_invalid(at, text::subdomain(&at.text().to_lowercase()));
}

pub(super) const ISCSI_TOO_LONG: &str = "Total length of <volume name>:<iscsi.targetPortal> must \
     be under 64 characters if iscsi.initiatorName is specified.";
const HOST_PATH_TYPES: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];
