//! The fields of a Service that hang together: `clusterIP` and `clusterIPs`, the families and
//! their policy, and what each type has.

use serde_json::{Value, json};

use super::spec::{self, Family};
use crate::{Status, StatusCause, go, meta, status::Result};

/// Fills in what an update leaves out and the Service has been given.
///
/// Source: `patchAllocatedValues`.
pub(super) fn patch_allocated(service: &mut Value, old: &Value) {
    if spec::needs_cluster_ip(old) && spec::needs_cluster_ip(service) {
        let known = spec::text(old, "clusterIP");
        if spec::text(service, "clusterIP").is_empty() && !known.is_empty() {
            spec::set(service, "clusterIP", known.into());
        }
        let ips = spec::cluster_ips(old);
        if spec::cluster_ips(service).is_empty()
            && spec::text(service, "clusterIP") == known
            && !ips.is_empty()
        {
            spec::set(service, "clusterIPs", json!(ips));
        }
    }
    if spec::needs_node_port(old) && spec::needs_node_port(service) {
        let (before, mut ports) = (spec::ports(old), spec::ports(service));
        let has = |ports: &[spec::Port], number: i64| ports.iter().any(|p| p.node_port == number);
        let used: Vec<i64> = before
            .iter()
            .map(|port| port.node_port)
            .filter(|number| *number != 0 && has(&ports, *number))
            .collect();
        for port in ports.iter_mut().filter(|port| port.node_port == 0) {
            // The last of equal names counts, as in a map.
            let known = before.iter().rev().find(|other| other.name == port.name);
            if let Some(known) = known.filter(|known| !used.contains(&known.node_port)) {
                port.node_port = known.node_port;
            }
        }
        spec::set_node_ports(service, &ports);
    }
    if spec::needs_health_check(old)
        && spec::needs_health_check(service)
        && spec::health_check_port(service) == 0
        && spec::health_check_port(old) != 0
    {
        spec::set(service, "healthCheckNodePort", spec::health_check_port(old).into());
    }
}

/// Keeps `clusterIP` and `clusterIPs` in step, for clients that know only one of them.
///
/// Source: `normalizeClusterIPs`.
pub(super) fn normalize(service: &mut Value, old: Option<&Value>) {
    let ip = spec::text(service, "clusterIP").to_owned();
    let Some(old) = old else {
        if !ip.is_empty() && spec::cluster_ips(service).is_empty() {
            spec::set(service, "clusterIPs", json!([ip]));
        }
        return;
    };
    let (old_ip, old_ips) = (spec::text(old, "clusterIP"), spec::cluster_ips(old));
    if !old_ips.is_empty() && spec::cluster_ips(service).is_empty() && old_ip == ip {
        spec::set(service, "clusterIPs", json!(old_ips));
    }
    if old_ip == ip || spec::cluster_ips(service) != old_ips {
        return;
    }
    if !old_ip.is_empty() && ip.is_empty() {
        spec::unset(service, "clusterIPs");
    } else {
        spec::set(service, "clusterIPs", json!([ip]));
    }
}

/// Whether nothing is to be done for an update of a Service that prefers two families: it keeps
/// what it has, whatever the cluster has by now.
///
/// Source: `isMatchingPreferDualStackClusterIPFields`.
pub(super) fn is_settled_dual_stack(service: &Value, old: &Value) -> bool {
    let prefers = |service: &Value| spec::text(service, POLICY) == PREFER_DUAL;
    spec::kind(service) == spec::kind(old)
        && spec::needs_cluster_ip(service)
        && prefers(service)
        && prefers(old)
        && spec::cluster_ips(service) == spec::cluster_ips(old)
        && spec::texts(service, "ipFamilies") == spec::texts(old, "ipFamilies")
}

/// Settles policy and families by what the client asks for and the cluster has.
///
/// Source: `initIPFamilyFields`.
pub(super) fn init_families(
    service: &mut Value,
    old: Option<&Value>,
    cluster: &[Family],
) -> Result<()> {
    if spec::kind(service) == spec::EXTERNAL_NAME {
        return Ok(());
    }
    let no_selector =
        spec::value(service, "selector").as_object().is_none_or(serde_json::Map::is_empty);
    let is_bare = spec::text(service, "clusterIP") == spec::NONE && no_selector;
    if spec::text(service, POLICY).is_empty() {
        let before = old.map(|old| spec::text(old, POLICY)).unwrap_or_default();
        let policy = match before {
            "" if is_bare => REQUIRE_DUAL,
            "" => SINGLE,
            before => before,
        };
        spec::set(service, POLICY, policy.into());
    }
    let policy = spec::text(service, POLICY).to_owned();
    let (ips, mut families) = (spec::cluster_ips(service), spec::texts(service, "ipFamilies"));
    if !is_sound(&ips, &families, &policy) {
        // Validation has the words for it.
        return Ok(());
    }
    let mut causes = Vec::new();
    if let Some(old) = old {
        let (old_ips, old_families) = (spec::cluster_ips(old), spec::texts(old, "ipFamilies"));
        if policy == SINGLE {
            if old_ips == ips && ips.len() > 1 {
                spec::set(service, "clusterIPs", json!(ips[..1]));
            }
            if old_families == families && families.len() > 1 {
                families.truncate(1);
            }
        } else {
            let detail =
                |what: &str| format!("must be 'SingleStack' to release the secondary {what}");
            if is_reduced(&old_ips, &ips) {
                causes.push(StatusCause::invalid_text(POLICY_PATH, &policy, &detail("cluster IP")));
            }
            if is_reduced(&old_families, &families) {
                causes.push(StatusCause::invalid_text(POLICY_PATH, &policy, &detail("IP family")));
            }
        }
    }
    let ips = spec::cluster_ips(service);
    if policy == SINGLE {
        let detail = |what: &str| {
            format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            )
        };
        if ips.len() == 2 {
            causes.push(StatusCause::invalid_text(POLICY_PATH, &policy, &detail("cluster IPs")));
        }
        if families.len() == 2 {
            causes.push(StatusCause::invalid_text(POLICY_PATH, &policy, &detail("IP families")));
        }
    }
    for (at, ip) in ips.iter().enumerate().skip(families.len()) {
        let Ok(ip) = ip.parse() else { break };
        let family = Family::of(ip);
        if cluster.contains(&family) {
            families.push(family.as_str().to_owned());
        } else {
            let detail = format!("{} is not configured on this cluster", family.as_str());
            let path = format!("spec.clusterIPs[{at}]");
            causes.push(StatusCause::invalid(path, go_texts(&ips), &detail));
        }
    }
    refuse(service, causes)?;

    let default = cluster.first().copied().unwrap_or(Family::V4);
    let with_other = |families: &mut Vec<String>| {
        let first = families.first().and_then(|name| spec::family(name));
        if let Some(first) = first {
            families.push(first.other().as_str().to_owned());
        }
    };
    if is_bare {
        if families.is_empty() {
            families.push(default.as_str().to_owned());
        }
        if families.len() < 2 && policy != SINGLE {
            with_other(&mut families);
        }
        spec::set(service, "ipFamilies", json!(families));
        return Ok(());
    }
    let mut causes = Vec::new();
    if policy == REQUIRE_DUAL && cluster.len() < 2 {
        let detail = "this cluster is not configured for dual-stack services";
        causes.push(StatusCause::invalid_text(POLICY_PATH, &policy, detail));
    }
    for (at, name) in families.iter().enumerate() {
        if !spec::family(name).is_some_and(|family| cluster.contains(&family)) {
            let path = format!("spec.ipFamilies[{at}]");
            let detail = "not configured on this cluster";
            causes.push(StatusCause::invalid_text(path, name, detail));
        }
    }
    refuse(service, causes)?;
    if families.is_empty() {
        families.push(default.as_str().to_owned());
    }
    if policy != SINGLE && families.len() == 1 && cluster.len() == 2 {
        with_other(&mut families);
    }
    spec::set(service, "ipFamilies", json!(families));
    Ok(())
}

/// Takes out what the new type has no use for and the client did not change.
///
/// Source: `dropTypeDependentFields`.
pub(super) fn drop_unneeded(service: &mut Value, old: &Value) {
    let drop_same = |service: &mut Value, keys: &[&str]| {
        for key in keys {
            if spec::value(service, key) == spec::value(old, key) {
                spec::unset(service, key);
            }
        }
    };
    if spec::needs_cluster_ip(old) && !spec::needs_cluster_ip(service) {
        let is_same = spec::text(service, "clusterIP") == spec::text(old, "clusterIP")
            && spec::cluster_ips(service) == spec::cluster_ips(old);
        if is_same {
            spec::unset(service, "clusterIP");
            spec::unset(service, "clusterIPs");
        }
        drop_same(service, &["ipFamilies", POLICY]);
    }
    if spec::needs_node_port(old) && !spec::needs_node_port(service) {
        let mut ports = spec::ports(service);
        let numbers = |ports: &[spec::Port]| {
            let mut numbers: Vec<i64> =
                ports.iter().map(|port| port.node_port).filter(|number| *number != 0).collect();
            numbers.sort_unstable();
            numbers
        };
        if numbers(&ports) == numbers(&spec::ports(old)) {
            for port in &mut ports {
                port.node_port = 0;
            }
            spec::set_node_ports(service, &ports);
        }
    }
    if spec::needs_health_check(old) && !spec::needs_health_check(service) {
        drop_same(service, &["healthCheckNodePort"]);
    }
    if spec::kind(old) == "LoadBalancer" && spec::kind(service) != "LoadBalancer" {
        drop_same(service, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if spec::is_external(old) && !spec::is_external(service) {
        drop_same(service, &["externalTrafficPolicy"]);
    }
}

/// Whether the fields are such that the rest can go on; validation refuses the others.
fn is_sound(ips: &[String], families: &[String], policy: &str) -> bool {
    let is_ip = |(at, ip): (usize, &String)| {
        (at == 0 && ip == spec::NONE) || ip.parse::<std::net::IpAddr>().is_ok()
    };
    let matches = |(ip, family): (&String, &String)| {
        ip.parse().map_or(true, |ip| spec::family(family) == Some(Family::of(ip)))
    };
    ips.len() <= 2
        && families.len() <= 2
        && [SINGLE, PREFER_DUAL, REQUIRE_DUAL].contains(&policy)
        && ips.iter().enumerate().all(is_ip)
        && families.iter().all(|family| spec::family(family).is_some())
        && ips.iter().zip(families).all(matches)
        && (families.len() < 2 || families.first() != families.last())
}

/// Whether of two there is only the first left.
fn is_reduced(old: &[String], new: &[String]) -> bool {
    old.len() == 2 && new.len() == 1 && old.first() == new.first()
}

fn refuse(service: &Value, causes: Vec<StatusCause>) -> Result<()> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(invalid(service, causes))
}

fn invalid(service: &Value, causes: Vec<StatusCause>) -> Status {
    Status::invalid("", "Service", meta::name(service), causes)
}

pub(super) fn invalid_ips(service: &Value, ips: &[String], why: &str) -> Status {
    invalid(service, vec![StatusCause::invalid("spec.clusterIPs", go_texts(ips), why)])
}

pub(super) fn invalid_port(service: &Value, at: usize, port: i64, why: &str) -> Status {
    let path = format!("spec.ports[{at}].nodePort");
    invalid(service, vec![StatusCause::invalid(path, port.to_string(), why)])
}

pub(super) fn immutable_health_check(service: &Value) -> Status {
    let port = spec::health_check_port(service).to_string();
    let path = "spec.healthCheckNodePort";
    invalid(service, vec![StatusCause::invalid(path, port, "field is immutable")])
}

/// `[]string{"a", "b"}`.
fn go_texts(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| go::quote(text)).collect();
    format!("[]string{{{}}}", quoted.join(", "))
}

const POLICY: &str = "ipFamilyPolicy";
const POLICY_PATH: &str = "spec.ipFamilyPolicy";
const SINGLE: &str = "SingleStack";
const PREFER_DUAL: &str = "PreferDualStack";
const REQUIRE_DUAL: &str = "RequireDualStack";
