//! Volumes of pods; the sources that persistent volumes share are in `validation/source.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::{container, env, resources};
use crate::{
    field::{At, Errors},
    validation::{claim, source, text},
};

/// `ValidateVolumes`: the volumes without errors, by name.
pub(super) fn volumes<'a>(
    e: &mut Errors,
    at: &At<'a>,
    metadata: Option<&At<'_>>,
) -> BTreeMap<&'a str, At<'a>> {
    let pod = metadata.map(|metadata| metadata.at("name").text()).unwrap_or_default();
    let made: BTreeSet<String> = at
        .items()
        .filter(|volume| !pod.is_empty() && volume.at("ephemeral").is_set())
        .map(|volume| format!("{pod}-{}", volume.at("name").text()))
        .collect();
    let mut known = BTreeMap::new();
    for volume in at.items() {
        let before = e.len();
        let name = volume.at("name");
        volume_source(e, &volume, pod);
        if name.is_empty() {
            e.required(&name, "");
        } else {
            text::dns_label(e, &name);
        }
        if known.contains_key(name.text()) {
            e.duplicate(&name);
        }
        if e.len() == before {
            known.insert(name.text(), volume.clone());
        }
        let claim = volume.at("persistentVolumeClaim").at("claimName");
        if claim.is_set() && made.contains(claim.text()) {
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            e.invalid(&claim, detail);
        }
    }
    known
}

/// `validateVolumeSource`; a volume without source is an emptyDir by default.
fn volume_source(e: &mut Errors, volume: &At<'_>, pod: &str) {
    let mut has_source = false;
    for kind in KINDS {
        let at = volume.at(kind);
        if !at.is_set() {
            continue;
        }
        if has_source {
            let field = match kind {
                "cephfs" => volume.at("cephFS"),
                "downwardAPI" => volume.at("downwarAPI"),
                _ => at,
            };
            e.forbidden(&field, "may not specify more than 1 volume type");
        } else {
            has_source = true;
            of_kind(e, kind, &at, volume, pod);
        }
    }
    let iscsi = volume.at("iscsi");
    let name = volume.at("name");
    let length = name.text().len() + 1 + iscsi.at("targetPortal").text().len();
    if iscsi.at("initiatorName").is_set() && length > 64 {
        e.invalid(&name, source::ISCSI_TOO_LONG);
    }
}

fn of_kind(e: &mut Errors, kind: &str, at: &At<'_>, volume: &At<'_>, pod: &str) {
    match kind {
        "emptyDir" => {
            if resources::nanos(&at.at("sizeLimit")) < 0 {
                let detail = "SizeLimit field must be a valid resource quantity";
                e.forbidden(&at.at("sizeLimit"), detail);
            }
        }
        "gitRepo" => {
            if at.at("repository").is_empty() {
                e.required(&at.at("repository"), "");
            }
            text::descending_path(e, &at.at("directory"));
        }
        "gcePersistentDisk" => {
            source::gce(e, &volume.at("persistentDisk").holding(at.value()));
        }
        "secret" => keys(e, at, "secretName"),
        "configMap" => keys(e, at, "name"),
        "persistentVolumeClaim" => {
            if at.at("claimName").is_empty() {
                e.required(&at.at("claimName"), "");
            }
        }
        "downwardAPI" => {
            mode(e, &at.at("defaultMode"));
            for file in at.at("items").list() {
                downward_file(e, &at.holding(file));
            }
        }
        "projected" => {
            mode(e, &at.at("defaultMode"));
            projected(e, at);
        }
        "csi" => {
            source::csi_driver(e, &at.at("driver"));
            let secret = at.at("nodePublishSecretRef");
            if secret.is_set() && secret.at("name").is_empty() {
                e.required(&secret.at("name"), "");
            } else if secret.is_set() {
                text::dns_subdomain(e, &at.at("name").holding(secret.at("name").value()));
            }
        }
        "ephemeral" => {
            let template = at.at("volumeClaimTemplate");
            if template.is_set() {
                claim::template(e, &template);
            } else {
                e.required(&template, "");
            }
            let name = volume.at("name");
            if !pod.is_empty() && !name.is_empty() {
                let claim = format!("{pod}-{}", name.text());
                for error in text::subdomain(&claim) {
                    e.invalid(&name, &format!("PVC name {}: {error}", crate::go::quote(&claim)));
                }
            }
        }
        "image" => {
            if at.at("reference").is_empty() && !pod.is_empty() {
                e.required(&at.at("reference"), "");
            }
            container::pull_policy(e, &at.at("pullPolicy"));
        }
        _ => source::shared(e, kind, at),
    }
}

fn keys(e: &mut Errors, at: &At<'_>, name: &'static str) {
    if at.at(name).is_empty() {
        e.required(&at.at(name), "");
    }
    mode(e, &at.at("defaultMode"));
    for item in at.at("items").items() {
        key_to_path(e, &item);
    }
}

/// `validateKeyToPath`.
fn key_to_path(e: &mut Errors, at: &At<'_>) {
    for key in ["key", "path"] {
        if at.at(key).is_empty() {
            e.required(&at.at(key), "");
        }
    }
    text::unreserved_path(e, &at.at("path"));
    mode(e, &at.at("mode"));
}

fn mode(e: &mut Errors, at: &At<'_>) {
    if !(0..=0o777).contains(&at.int()) {
        e.invalid(at, "must be a number between 0 and 0777 (octal), both inclusive");
    }
}

/// `validateDownwardAPIVolumeFile`.
fn downward_file(e: &mut Errors, at: &At<'_>) {
    if at.at("path").is_empty() {
        e.required(&at.at("path"), "");
    }
    text::unreserved_path(e, &at.at("path"));
    let (field, resource) = (at.at("fieldRef"), at.at("resourceFieldRef"));
    match (field.is_set(), resource.is_set()) {
        (true, both) => {
            env::field_ref(e, &field, &env::VOLUME_FIELDS);
            if both {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                e.invalid_text(at, "resource", detail);
            }
        }
        (false, true) => env::resource_ref(e, &resource, true),
        (false, false) => e.required(at, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(e, &at.at("mode"));
}

/// `validateProjectionSources`.
fn projected(e: &mut Errors, at: &At<'_>) {
    let mut paths = BTreeSet::new();
    for source in at.at("sources").items() {
        let mut found = 0;
        for kind in ["secret", "configMap"] {
            let keys = source.at(kind);
            if !keys.is_set() {
                continue;
            }
            found += 1;
            let name = keys.at("name");
            if name.is_empty() {
                e.required(&name, "");
            }
            for item in keys.at("items").items() {
                key_to_path(e, &item);
                let path = item.at("path").text();
                if !path.is_empty() && !paths.insert(path) {
                    e.invalid_text(at, name.text(), CONFLICT);
                }
            }
        }
        let downward = source.at("downwardAPI");
        if downward.is_set() {
            found += 1;
            for file in downward.at("items").list() {
                let file = downward.holding(file);
                downward_file(e, &file);
                let path = file.at("path").text();
                if !path.is_empty() && !paths.insert(path) {
                    e.invalid_text(at, path, CONFLICT);
                }
            }
        }
        let token = source.at("serviceAccountToken");
        if token.is_set() {
            found += 1;
            service_account_token(e, at, &token);
        }
        let bundle = source.at("clusterTrustBundle");
        if bundle.is_set() {
            found += 1;
            trust_bundle(e, &bundle);
            let path = bundle.at("path").text();
            if !paths.insert(path) {
                e.invalid_text(at, path, CONFLICT);
            }
        }
        if found > 1 {
            e.forbidden(&source, "may not specify more than 1 volume type per source");
        }
    }
}

fn service_account_token(e: &mut Errors, at: &At<'_>, token: &At<'_>) {
    let seconds = token.at("expirationSeconds");
    if seconds.is_set() && seconds.int() < 600 {
        let detail = "may not specify a duration less than 10 minutes";
        e.invalid_value(&seconds, seconds.int().to_string(), detail);
    }
    if seconds.int() > 1 << 32 {
        e.invalid(&seconds, "may not specify a duration larger than 2^32 seconds");
    }
    let path = at.at("path").holding(token.at("path").value());
    if path.is_empty() {
        e.required(&path, "");
    } else {
        text::unreserved_path(e, &path);
    }
}

fn trust_bundle(e: &mut Errors, at: &At<'_>) {
    let (name, signer) = (at.at("name"), at.at("signerName"));
    match (name.is_set(), signer.is_set()) {
        (true, true) => {
            let detail = "only one of name and signerName may be used";
            e.invalid_as(at, "*core.ClusterTrustBundleProjection", detail);
        }
        (true, false) => {
            if name.is_empty() {
                e.required(&name, "must be a valid object name");
            }
            if at.at("labelSelector").is_set() {
                let detail = "labelSelector must be unset if name is specified";
                e.invalid_as(&at.at("labelSelector"), "*v1.LabelSelector", detail);
            }
        }
        (false, true) => {
            if signer.is_empty() {
                e.required(&signer, "must be a valid signer name");
            }
            text::selector(e, &at.at("labelSelector"));
        }
        (false, false) => e.required(at, "either name or signerName must be specified"),
    }
    if at.at("path").is_empty() {
        e.required(&at.at("path"), "");
    }
    text::unreserved_path(e, &at.at("path"));
}

const CONFLICT: &str = "conflicting duplicate paths";

/// In the order in which the real server looks for them.
const KINDS: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];
