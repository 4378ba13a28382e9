//! Reading and writing of a Service's spec.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

/// A family of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

/// What allocation knows of a port.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) port: i64,
    pub(super) node_port: i64,
}

fn part<'a>(service: &'a Value, key: &str) -> Option<&'a Value> {
    service.get("spec")?.get(key).filter(|value| !value.is_null())
}

pub(super) fn text<'a>(service: &'a Value, key: &str) -> &'a str {
    part(service, key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn texts(service: &Value, key: &str) -> Vec<String> {
    let items = part(service, key).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

pub(super) fn value<'a>(service: &'a Value, key: &str) -> &'a Value {
    part(service, key).unwrap_or(&Value::Null)
}

pub(super) fn set(service: &mut Value, key: &str, value: Value) {
    let spec = service.as_object_mut().and_then(|object| {
        object.entry("spec").or_insert_with(|| Map::new().into()).as_object_mut()
    });
    if let Some(spec) = spec {
        spec.insert(key.to_owned(), value);
    }
}

pub(super) fn unset(service: &mut Value, key: &str) {
    if let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) {
        spec.shift_remove(key);
    }
}

pub(super) fn kind(service: &Value) -> &str {
    match text(service, "type") {
        "" => "ClusterIP",
        kind => kind,
    }
}

pub(super) fn needs_cluster_ip(service: &Value) -> bool {
    matches!(kind(service), "ClusterIP" | "NodePort" | "LoadBalancer")
}

pub(super) fn has_node_ports(service: &Value) -> bool {
    matches!(kind(service), "NodePort" | "LoadBalancer")
}

/// Whether every port gets a node port; a load balancer may do without.
pub(super) fn allocates_node_ports(service: &Value) -> bool {
    let asked = part(service, "allocateLoadBalancerNodePorts").and_then(Value::as_bool);
    kind(service) != "LoadBalancer" || asked.unwrap_or(true)
}

pub(super) fn needs_node_port(service: &Value) -> bool {
    has_node_ports(service) && allocates_node_ports(service)
}

pub(super) fn needs_health_check(service: &Value) -> bool {
    kind(service) == "LoadBalancer" && text(service, "externalTrafficPolicy") == "Local"
}

/// Whether it can be reached from outside, so that it has a policy for that.
pub(super) fn is_external(service: &Value) -> bool {
    has_node_ports(service)
        || (kind(service) == "ClusterIP" && !texts(service, "externalIPs").is_empty())
}

pub(super) fn health_check_port(service: &Value) -> i64 {
    part(service, "healthCheckNodePort").and_then(Value::as_i64).unwrap_or(0)
}

pub(super) fn cluster_ips(service: &Value) -> Vec<String> {
    texts(service, "clusterIPs")
}

pub(super) fn set_cluster_ips(service: &mut Value, ips: &[String]) {
    if let Some(first) = ips.first() {
        set(service, "clusterIP", first.as_str().into());
        set(service, "clusterIPs", json!(ips));
    }
}

/// The addresses that it has; without those that are none.
pub(super) fn addresses(service: &Value) -> Vec<IpAddr> {
    let mut ips = cluster_ips(service);
    if ips.is_empty() {
        ips.push(text(service, "clusterIP").to_owned());
    }
    ips.iter().filter_map(|ip| ip.parse().ok()).collect()
}

/// Whether it asks for no address.
pub(super) fn is_headless(service: &Value) -> bool {
    cluster_ips(service).first().is_some_and(|ip| ip == NONE)
}

pub(super) fn families(service: &Value) -> Vec<Family> {
    let names = texts(service, "ipFamilies");
    names.iter().filter_map(|name| family(name)).collect()
}

pub(super) fn family(name: &str) -> Option<Family> {
    match name {
        "IPv4" => Some(Family::V4),
        "IPv6" => Some(Family::V6),
        _ => None,
    }
}

pub(super) fn ports(service: &Value) -> Vec<Port> {
    let ports = part(service, "ports").and_then(Value::as_array).into_iter().flatten();
    ports
        .map(|port| {
            let text =
                |key: &str| port.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let number = |key: &str| port.get(key).and_then(Value::as_i64).unwrap_or(0);
            Port {
                name: text("name"),
                protocol: text("protocol"),
                port: number("port"),
                node_port: number("nodePort"),
            }
        })
        .collect()
}

pub(super) fn set_node_ports(service: &mut Value, ports: &[Port]) {
    let found = service.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    for (found, port) in found.into_iter().flatten().zip(ports) {
        let Some(found) = found.as_object_mut() else { continue };
        if port.node_port == 0 {
            found.shift_remove("nodePort");
        } else {
            found.insert("nodePort".into(), port.node_port.into());
        }
    }
}

/// Every node port that it has, that of its health check too; each once.
pub(super) fn all_ports(service: &Value) -> Vec<u16> {
    let numbers = ports(service).into_iter().map(|port| port.node_port);
    let mut all: Vec<u16> = numbers
        .chain([health_check_port(service)])
        .filter_map(|port| u16::try_from(port).ok().filter(|port| *port != 0))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

pub(super) const EXTERNAL_NAME: &str = "ExternalName";
pub(super) const NONE: &str = "None";
