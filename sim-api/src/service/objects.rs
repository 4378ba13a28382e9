//! The objects that tell of the addresses of Services, from 1.33 on.
//!
//! Source: `pkg/registry/core/service/ipallocator/ipallocator.go` and
//! `pkg/controlplane/controller/defaultservicecidr` (release-1.33).

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Range, spec::Family};

/// The group of those objects.
pub const GROUP: &str = "networking.k8s.io";

/// The `IPAddress` that says which Service has an address.
#[must_use]
pub fn address(ip: IpAddr, namespace: &str, name: &str) -> Value {
    json!({
        "kind": "IPAddress",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {
            "name": ip.to_string(),
            "labels": {
                "ipaddress.kubernetes.io/ip-family": Family::of(ip).as_str(),
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {"parentRef": {"resource": "services", "namespace": namespace, "name": name}},
    })
}

/// The `ServiceCIDR` of the ranges that the server was started with, without its status.
#[must_use]
pub fn default_ranges(ranges: &[Range]) -> Value {
    let ranges: Vec<String> = ranges.iter().map(Range::to_string).collect();
    json!({
        "kind": "ServiceCIDR",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": ranges},
    })
}

/// The status of [`default_ranges`]; `now` is a time as metadata has it.
#[must_use]
pub fn ready(now: &str) -> Value {
    json!({"conditions": [{
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_tell_of_addresses_and_ranges() {
        let object = address("fd00::1".parse().unwrap(), "n", "s");
        assert_eq!(object["metadata"]["name"], "fd00::1");
        assert_eq!(object["metadata"]["labels"]["ipaddress.kubernetes.io/ip-family"], "IPv6");
        let ranges = ["10.0.0.0/24".parse().unwrap(), "fd00::/108".parse().unwrap()];
        assert_eq!(
            default_ranges(&ranges)["spec"],
            json!({"cidrs": ["10.0.0.0/24", "fd00::/108"]})
        );
    }
}
