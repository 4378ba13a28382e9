//! Defaults of pods and of the templates that pods are made from.
//!
//! Source: k8s.io/kubernetes `pkg/apis/core/v1/defaults.go` (1.33); checked against recordings.

use serde_json::{Map, Value, json};

use super::{array, object, put_default, text};

/// The lists of containers, ephemeral ones included.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Of a pod, but not of a template.
pub(super) fn pod(members: &mut Map<String, Value>) {
    let Some(spec) = object(members, "spec") else { return };
    pod_spec(spec);
    put_default(spec, "enableServiceLinks", json!(true));
    let is_on_host = spec.get("hostNetwork").is_some_and(|on| on == true);
    for list in ["initContainers", "containers"] {
        for container in array(spec, list) {
            if let Some(resources) = object(container, "resources") {
                request_the_limits(resources);
            }
            for port in array(container, "ports").filter(|_| is_on_host) {
                if let Some(number) = port.get("containerPort").cloned() {
                    put_default(port, "hostPort", number);
                }
            }
        }
    }
}

/// Where only a limit is given, as much is requested.
fn request_the_limits(resources: &mut Map<String, Value>) {
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    put_default(resources, "requests", json!({}));
    let Some(requests) = object(resources, "requests") else { return };
    for (name, amount) in limits {
        put_default(requests, &name, amount);
    }
}

/// Of a pod or a template.
pub(super) fn pod_spec(spec: &mut Map<String, Value>) {
    array(spec, "volumes").for_each(volume);
    for list in CONTAINERS {
        array(spec, list).for_each(container);
    }
    put_default(spec, "restartPolicy", json!("Always"));
    put_default(spec, "terminationGracePeriodSeconds", json!(30));
    put_default(spec, "dnsPolicy", json!("ClusterFirst"));
    put_default(spec, "securityContext", json!({}));
    put_default(spec, "schedulerName", json!("default-scheduler"));
}

fn container(container: &mut Map<String, Value>) {
    let policy = if is_latest(text(container, "image")) { "Always" } else { "IfNotPresent" };
    put_default(container, "resources", json!({}));
    put_default(container, "terminationMessagePath", json!("/dev/termination-log"));
    put_default(container, "terminationMessagePolicy", json!("File"));
    put_default(container, "imagePullPolicy", json!(policy));
    for port in array(container, "ports") {
        put_default(port, "protocol", json!("TCP"));
    }
    for variable in array(container, "env") {
        if let Some(source) = object(variable, "valueFrom") {
            field_ref(source);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = object(container, name) {
            probe(found);
        }
    }
    let Some(lifecycle) = object(container, "lifecycle") else { return };
    for name in ["postStart", "preStop"] {
        if let Some(handler) = object(lifecycle, name) {
            http_get(handler);
        }
    }
}

fn probe(probe: &mut Map<String, Value>) {
    for (key, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        put_default(probe, key, json!(value));
    }
    http_get(probe);
    if let Some(grpc) = object(probe, "grpc") {
        put_default(grpc, "service", json!(""));
    }
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(get) = object(handler, "httpGet") {
        put_default(get, "path", json!("/"));
        put_default(get, "scheme", json!("HTTP"));
    }
}

fn field_ref(source: &mut Map<String, Value>) {
    if let Some(field) = object(source, "fieldRef") {
        put_default(field, "apiVersion", json!("v1"));
    }
}

/// Modes of files whose owner may write them and all others read: 0644.
const FILE_MODE: u32 = 0o644;

fn volume(volume: &mut Map<String, Value>) {
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    source(volume);
    for name in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(files) = object(volume, name) {
            put_default(files, "defaultMode", json!(FILE_MODE));
        }
    }
    if let Some(downward) = object(volume, "downwardAPI") {
        array(downward, "items").for_each(field_ref);
    }
    if let Some(projected) = object(volume, "projected") {
        for source in array(projected, "sources") {
            if let Some(token) = object(source, "serviceAccountToken") {
                put_default(token, "expirationSeconds", json!(3600));
            }
            if let Some(downward) = object(source, "downwardAPI") {
                array(downward, "items").for_each(field_ref);
            }
        }
    }
    let claim = object(volume, "ephemeral")
        .and_then(|ephemeral| object(ephemeral, "volumeClaimTemplate"))
        .and_then(|template| object(template, "spec"));
    if let Some(claim) = claim {
        put_default(claim, "volumeMode", json!("Filesystem"));
    }
}

/// Of the sources that volumes and persistent volumes share.
pub(super) fn source(volume: &mut Map<String, Value>) {
    for (name, defaults) in [
        ("hostPath", &[("type", json!(""))][..]),
        ("iscsi", &[("iscsiInterface", json!("default"))]),
        (
            "rbd",
            &[
                ("pool", json!("rbd")),
                ("user", json!("admin")),
                ("keyring", json!("/etc/ceph/keyring")),
            ],
        ),
        (
            "azureDisk",
            &[
                ("cachingMode", json!("ReadWrite")),
                ("kind", json!("Shared")),
                ("fsType", json!("ext4")),
                ("readOnly", json!(false)),
            ],
        ),
        ("scaleIO", &[("storageMode", json!("ThinProvisioned")), ("fsType", json!("xfs"))]),
    ] {
        if let Some(source) = object(volume, name) {
            for (key, value) in defaults {
                put_default(source, key, value.clone());
            }
        }
    }
}

/// Whether an image has the tag `latest`, which one without tag and digest has.
fn is_latest(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains('@') {
        return false;
    }
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}
