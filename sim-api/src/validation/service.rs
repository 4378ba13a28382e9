//! Services.
//!
//! Source: `ValidateService` and theirs for updates in `core/validation`.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::{Value, json};

use super::{Object, metadata::annotation, text};
use crate::{
    field::{At, Errors, IMMUTABLE},
    go_syntax,
};

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    validate(e, o);
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    let (new, old) = (o.at("spec"), o.old("spec"));
    cluster_ips_update(e, &new, &old);
    families_update(e, &new, &old);
    let (class, old_class) = (new.at("loadBalancerClass"), old.at("loadBalancerClass"));
    let are_balanced = [&new, &old].iter().all(|spec| is_balanced(spec));
    if are_balanced && class.value() != old_class.value() {
        e.invalid_as(&class, "*string", "may not change once set");
    }
    load_balancer_class(e, &new);
    let port = new.at("healthCheckNodePort");
    let both = needs_health_check(&new) && needs_health_check(&old);
    if both && port.int() != old.at("healthCheckNodePort").int() {
        e.forbidden(&port, IMMUTABLE);
    }
    validate(e, o);
}

pub(super) fn subresource(e: &mut Errors, o: &Object<'_>, _name: &str) {
    o.metadata_update(e);
    let status = o.at("status").at("loadBalancer");
    let points = status.at("ingress");
    if !is_balanced(&o.at("spec")) && !points.is_empty() {
        e.forbidden(&points, "may only be used when `spec.type` is 'LoadBalancer'");
    } else {
        text::load_balancer(e, &status);
    }
}

fn validate(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    topology(e, o);
    let spec = o.at("spec");
    let kind = spec.at("type").text();
    let ports = spec.at("ports");
    if ports.is_empty() && !is_headless(&spec) && kind != "ExternalName" {
        e.required(&ports, "");
    }
    by_type(e, &spec, kind);
    let mut names = BTreeSet::new();
    for port in ports.items() {
        service_port(e, &port, ports.list().len() > 1, &mut names);
    }
    text::labels(e, &spec.at("selector"));
    affinity(e, &spec);
    if kind != "ExternalName" {
        cluster_ips(e, &spec);
    }
    for address in spec.at("externalIPs").items() {
        if text::legacy_address(address.text()).is_none() {
            text::ip(e, &address);
        } else {
            text::endpoint_ip(e, &address);
        }
    }
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    text::one_of(e, &spec.at("type"), &kinds);
    repeated_ports(e, &ports, kind);
    source_ranges(e, o, &spec);
    let allocates = spec.at("allocateLoadBalancerNodePorts");
    if allocates.is_set() && kind != "LoadBalancer" {
        e.forbidden(&allocates, ONLY_BALANCED);
    }
    load_balancer_class(e, &spec);
    traffic(e, &spec);
}

fn topology(e: &mut Errors, o: &Object<'_>) {
    let annotations = o.at("metadata").at("annotations");
    let (mode, hints) = (annotations.key(TOPOLOGY_MODE), annotations.key(TOPOLOGY_HINTS));
    if mode.is_set() && hints.is_set() && mode.text() != hints.text() {
        let detail = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        e.invalid(&mode, &detail);
    }
}

fn by_type(e: &mut Errors, spec: &At<'_>, kind: &str) {
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            if let Some(first) = spec.at("clusterIPs").items().next() {
                e.invalid(&first, &format!("may not be set to 'None' for {kind} services"));
            }
        }
        "ExternalName" => {
            for key in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if !spec.at(key).is_empty() {
                    e.forbidden(&spec.at(key), "may not be set for ExternalName services");
                }
            }
            let name = spec.at("externalName");
            let host = name.text().strip_suffix('.').unwrap_or_else(|| name.text());
            if host.is_empty() {
                e.required(&name, "");
            }
            for error in text::subdomain(host).iter().filter(|_| !host.is_empty()) {
                e.invalid_text(&name, host, error);
            }
        }
        _ => {}
    }
}

fn service_port<'a>(
    e: &mut Errors,
    port: &At<'a>,
    needs_name: bool,
    names: &mut BTreeSet<&'a str>,
) {
    let name = port.at("name");
    if needs_name && name.is_empty() {
        e.required(&name, "");
    } else if !name.is_empty() {
        text::dns_label(e, &name);
        if !names.insert(name.text()) {
            e.duplicate(&name);
        }
    }
    let number = port.at("port");
    if let Some(error) = text::port_number(number.int()) {
        e.invalid_value(&number, number.int().to_string(), error);
    }
    text::one_of(e, &port.at("protocol"), &["SCTP", "TCP", "UDP"]);
    // By default it is the port itself.
    let target = port.at("targetPort");
    if target.is_set() && target.value() != &json!(0) {
        text::port(e, &target);
    }
    if port.at("appProtocol").is_set() {
        text::qualified_name(e, &port.at("appProtocol"));
    }
}

fn affinity(e: &mut Errors, spec: &At<'_>) {
    let (affinity, config) = (spec.at("sessionAffinity"), spec.at("sessionAffinityConfig"));
    text::one_of(e, &affinity, &["ClientIP", "None"]);
    let timeout = config.at("clientIP").at("timeoutSeconds");
    match affinity.text() {
        "ClientIP" if timeout.is_set() && !(1..=86_400).contains(&timeout.int()) => {
            e.invalid(&timeout, "must be greater than 0 and less than 86400");
        }
        "None" if config.is_set() => {
            e.forbidden(&config, "must not be set when session affinity is None");
        }
        _ => {}
    }
}

/// `ValidateServiceClusterIPsRelatedFields`.
fn cluster_ips(e: &mut Errors, spec: &At<'_>) {
    let (own, all) = (spec.at("clusterIP"), spec.at("clusterIPs"));
    if !own.is_empty() {
        // Without the list the server makes it.
        let first = all.texts().next();
        if first.is_some_and(|first| first != own.text()) {
            e.invalid_as(&all, "[]string", "first value must match `clusterIP`");
        }
    } else if !all.is_empty() {
        let detail = "must be empty when `clusterIP` is not specified";
        e.invalid_as(&all, "[]string", detail);
    }
    let mut seen = BTreeSet::new();
    for family in spec.at("ipFamilies").items() {
        if !matches!(family.text(), "IPv4" | "IPv6") {
            e.not_supported(&family, &["IPv4", "IPv6"]);
        }
        if !seen.insert(family.text()) {
            e.duplicate(&family);
        }
    }
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    text::one_of(e, &spec.at("ipFamilyPolicy"), &policies);
    let mut is_wrong = false;
    let single = json!([own.text()]);
    let is_alone = all.is_empty() && !own.is_empty();
    let given = all.holding(if is_alone { &single } else { all.value() });
    for (place, address) in given.items().enumerate() {
        if place == 0 && address.text() == "None" {
            if given.list().len() > 1 {
                is_wrong = true;
                e.invalid_as(&given, "[]string", "'None' must be the first and only value");
            }
        } else if text::legacy_address(address.text()).is_none() {
            is_wrong = true;
            text::ip(e, &address);
        }
    }
    if given.list().len() > 2 {
        e.invalid_as(&given, "[]string", "may only hold up to 2 values");
    }
    if is_wrong {
        return;
    }
    let addresses: Vec<IpAddr> = given.texts().filter_map(text::legacy_address).collect();
    if given.list().len() > 1 && !text::are_of_both_families(&addresses) {
        let detail = "may specify no more than one IP for each IP family";
        e.invalid_as(&given, "[]string", detail);
    }
    if is_headless(spec) {
        return;
    }
    let families = spec.at("ipFamilies");
    for (place, (address, family)) in given.items().zip(families.texts()).enumerate() {
        let Some(found) = text::legacy_address(address.text()) else { continue };
        if (family == "IPv4") != found.is_ipv4() {
            let detail =
                format!("expected an {family} value as indicated by `ipFamilies[{place}]`");
            e.invalid(&address, &detail);
        }
    }
}

fn repeated_ports(e: &mut Errors, ports: &At<'_>, kind: &str) {
    for port in ports.items() {
        if kind == "ClusterIP" && port.at("nodePort").int() != 0 {
            e.forbidden(&port.at("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    for (key, is_whole) in [("nodePort", false), ("port", true)] {
        let mut known = BTreeSet::new();
        for port in ports.items() {
            let number = port.at(key).int();
            if !is_whole && number == 0 {
                continue;
            }
            if known.insert((port.at("protocol").text(), number)) {
                continue;
            }
            if is_whole {
                let pair = json!({"protocol": port.at("protocol").text(), "port": number});
                let value = go_syntax::bad_value("core.ServicePort", &pair);
                e.push(crate::status::StatusCause::duplicate(port.field(), value));
            } else {
                e.duplicate(&port.at(key));
            }
        }
    }
}

fn source_ranges(e: &mut Errors, o: &Object<'_>, spec: &At<'_>) {
    let ranges = spec.at("loadBalancerSourceRanges");
    if !ranges.is_empty() {
        let named = spec.at("LoadBalancerSourceRanges").holding(ranges.value());
        if !is_balanced(spec) {
            e.forbidden(&named, ONLY_BALANCED);
        }
        for range in named.items() {
            let trimmed = Value::from(range.text().trim());
            text::cidr(e, &range.holding(&trimmed));
        }
        return;
    }
    let given = o.at("metadata").at("annotations").key(SOURCE_RANGES);
    if !given.is_set() {
        return;
    }
    if !is_balanced(spec) {
        e.forbidden(&given, ONLY_BALANCED);
    }
    let before = o.old("metadata").at("annotations").key(SOURCE_RANGES);
    let value = annotation(o, SOURCE_RANGES).trim();
    if value.is_empty() || before.text() == given.text() {
        return;
    }
    for range in value.split(',') {
        let trimmed = Value::from(range.trim());
        text::cidr(e, &given.holding(&trimmed));
    }
}

fn load_balancer_class(e: &mut Errors, spec: &At<'_>) {
    let class = spec.at("loadBalancerClass");
    if !class.is_set() {
        return;
    }
    if is_balanced(spec) {
        text::qualified_name(e, &class);
    } else {
        e.forbidden(&class, ONLY_BALANCED);
    }
}

fn traffic(e: &mut Errors, spec: &At<'_>) {
    let kind = spec.at("type").text();
    let external = spec.at("externalTrafficPolicy");
    let is_accessible = matches!(kind, "LoadBalancer" | "NodePort")
        || (matches!(kind, "" | "ClusterIP") && !spec.at("externalIPs").is_empty());
    if is_accessible {
        text::one_of(e, &external, &["Cluster", "Local"]);
    } else if !external.is_empty() {
        e.invalid(&external, "may only be set for externally-accessible services");
    }
    let port = spec.at("healthCheckNodePort");
    if port.int() != 0 {
        if !needs_health_check(spec) {
            let detail = "may only be set when `type` is 'LoadBalancer' and \
                          `externalTrafficPolicy` is 'Local'";
            e.invalid(&port, detail);
        } else if let Some(error) = text::port_number(port.int()) {
            e.invalid(&port, error);
        }
    }
    text::one_of(e, &spec.at("internalTrafficPolicy"), &["Cluster", "Local"]);
    let distribution = spec.at("trafficDistribution");
    if distribution.is_set() && distribution.text() != "PreferClose" {
        e.not_supported(&distribution, &["PreferClose"]);
    }
}

/// `validateUpgradeDowngradeClusterIPs`. A list that is left as it was follows the single
/// address, as the strategy makes it do.
fn cluster_ips_update(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let is_named = |spec: &At<'_>| spec.at("type").text() == "ExternalName";
    if is_named(new) || is_named(old) || (is_headless(new) && is_headless(old)) {
        return;
    }
    let (all, before) = (new.at("clusterIPs"), old.at("clusterIPs"));
    let own = new.at("clusterIP");
    let mut list = all.value().clone();
    let follows = all.value() == before.value() && !own.is_empty();
    if let Some(first) = list.get_mut(0).filter(|_| follows) {
        *first = own.value().clone();
    }
    let given = all.holding(&list);
    let (now, was): (Vec<&str>, Vec<&str>) = (given.texts().collect(), before.texts().collect());
    let mut changed = |place: usize| {
        let at = all.indexed(place).holding(&list);
        e.invalid_as(&at, "[]string", "may not change once set");
    };
    if now.len() == was.len() {
        for place in (0..now.len()).filter(|&place| now[place] != was[place]) {
            changed(place);
        }
    } else if !now.is_empty() && !was.is_empty() && now[0] != was[0] {
        changed(0);
    }
    if now.len() == 1 && was.len() > 1 && new.at("ipFamilyPolicy").text() != "SingleStack" {
        let detail = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        e.invalid_as(&new.at("ipFamilyPolicy"), "*core.IPFamilyPolicy=string", detail);
    }
}

/// `validateUpgradeDowngradeIPFamilies`.
fn families_update(e: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let is_named = |spec: &At<'_>| spec.at("type").text() == "ExternalName";
    if is_named(new) || is_named(old) || is_headless(new) || is_headless(old) {
        return;
    }
    let (families, before) = (new.at("ipFamilies"), old.at("ipFamilies"));
    let (now, was): (Vec<&str>, Vec<&str>) = (families.texts().collect(), before.texts().collect());
    let first = families.indexed(0);
    if now.len() == was.len() {
        for _ in (0..now.len()).filter(|&place| now[place] != was[place]) {
            e.invalid_as(&first, "[]core.IPFamily=string", "may not change once set");
        }
    } else if !now.is_empty() && !was.is_empty() && now[0] != was[0] {
        let at = first.holding(new.at("clusterIPs").value());
        e.invalid_as(&at, "[]string", "may not change once set");
    }
    if now.len() == 1 && was.len() > 1 && new.at("ipFamilyPolicy").text() != "SingleStack" {
        let detail = "must be set to 'SingleStack' when releasing the secondary ipFamily";
        e.invalid_as(&new.at("ipFamilyPolicy"), "*core.IPFamilyPolicy=string", detail);
    }
}

fn is_headless(spec: &At<'_>) -> bool {
    let all = spec.at("clusterIPs");
    match all.list().len() {
        0 => spec.at("clusterIP").text() == "None",
        1 => all.texts().next() == Some("None"),
        _ => false,
    }
}

fn is_balanced(spec: &At<'_>) -> bool {
    spec.at("type").text() == "LoadBalancer"
}

fn needs_health_check(spec: &At<'_>) -> bool {
    is_balanced(spec) && spec.at("externalTrafficPolicy").text() == "Local"
}

const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
