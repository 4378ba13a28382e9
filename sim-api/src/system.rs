//! The objects that the server makes for itself at its start.
//!
//! Those of RBAC and of flow control have modules of their own.
//!
//! Source: a recorded 1.33.2; k8s.io/kubernetes `pkg/controlplane` (the namespaces, the Service
//! `kubernetes`, the server's identity) and `pkg/apis/scheduling` (the priority classes).

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Resource, meta, meta::WriteContext, status::Result};

/// The name under which the server writes its own objects.
pub const MANAGER: &str = "kube-apiserver";

/// The namespaces that are there from the start.
pub const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Those objects. `port` is where HTTPS is served, `service_ip` the first address of the service
/// range, `id` is of this run of the server.
#[must_use]
pub fn objects(port: u16, service_ip: IpAddr, id: Uuid, now: Timestamp) -> Vec<Value> {
    let mut objects: Vec<Value> = NAMESPACES.iter().map(|name| namespace(name)).collect();
    objects.extend(priority_classes());
    objects.push(service(port, service_ip));
    objects.push(lease(id, now));
    objects
}

/// One of the [`objects`] as it is to be stored.
///
/// What the server's allocators add to a Service nobody owns.
///
/// # Errors
///
/// As for an object that a client creates.
pub fn prepare(resource: &Resource, object: &Value, context: &WriteContext) -> Result<Value> {
    let mut sent = object.clone();
    let spec = object.get("spec").filter(|_| resource.is("", "services"));
    if spec.is_some()
        && let Some(spec) = sent.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.retain(|key, _| !matches!(key.as_str(), "clusterIPs" | "ipFamilies"));
    }
    let mut prepared = meta::prepare_create(resource, meta::namespace(object), sent, context)?;
    if let Some(spec) = spec {
        prepared["spec"] = spec.clone();
    }
    Ok(prepared)
}

fn namespace(name: &str) -> Value {
    json!({
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
    })
}

fn priority_classes() -> [Value; 2] {
    let class = |name: &str, value: u32, description: &str| {
        json!({
            "kind": "PriorityClass",
            "apiVersion": "scheduling.k8s.io/v1",
            "metadata": {"name": name},
            "value": value,
            "description": description,
            "preemptionPolicy": "PreemptLowerPriority",
        })
    };
    [
        class(
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to \
             another node if necessary.",
        ),
        class(
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    ]
}

fn service(port: u16, ip: IpAddr) -> Value {
    let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
    let ip = ip.to_string();
    json!({
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": port}],
            "clusterIP": ip,
            "clusterIPs": [ip],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": [family],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    })
}

/// Tells the controllers of a cluster how many servers there are. The real server renews it every
/// ten seconds; this one is alone and does not.
fn lease(id: Uuid, now: Timestamp) -> Value {
    let name = format!("apiserver-{}", base32(&Sha256::digest(HOST_NAME)[..16]));
    json!({
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "labels": {
                "apiserver.kubernetes.io/identity": "kube-apiserver",
                "kubernetes.io/hostname": HOST_NAME,
            },
        },
        "spec": {
            "holderIdentity": format!("{name}_{}", id.hyphenated()),
            "leaseDurationSeconds": 3600,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        },
    })
}

/// RFC 4648 in lower case and without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
    (0..bytes.len() * 8)
        .step_by(5)
        .map(|at| (at..at + 5).fold(0, |number, at| number * 2 + usize::from(bit(at))))
        .map(|number| char::from(ALPHABET[number]))
        .collect()
}

/// Names the server in its lease.
const HOST_NAME: &str = "apisim";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Release, ResourceTable};

    #[test]
    fn base32_is_that_of_the_rfc() {
        for (text, expected) in [("", ""), ("f", "my"), ("foobar", "mzxw6ytboi")] {
            assert_eq!(base32(text.as_bytes()), expected);
        }
    }

    #[test]
    fn all_can_be_created_and_are_owned_by_the_server() {
        let table = ResourceTable::for_release(Release::default());
        for object in objects(6443, IpAddr::from([10, 0, 0, 1]), Uuid::nil(), Timestamp::UNIX_EPOCH)
        {
            let text = |key: &str| object[key].as_str().unwrap();
            let resource = table.by_kind(text("apiVersion"), text("kind")).unwrap();
            let context = WriteContext {
                now: Timestamp::UNIX_EPOCH,
                uid: Uuid::nil(),
                name_suffix: "aaaaa".into(),
                manager: MANAGER.into(),
                release: Release::default(),
            };
            let made = prepare(resource, &object, &context).unwrap();
            assert_eq!(made["spec"]["clusterIPs"], object["spec"]["clusterIPs"]);
            let managed = &made["metadata"]["managedFields"];
            assert_eq!(managed[0]["manager"], MANAGER, "{made}");
            assert_eq!(managed[0]["fieldsV1"]["f:spec"].get("f:clusterIPs"), None);
        }
    }
}
