//! Ingresses, IngressClasses, NetworkPolicies, IPAddresses and ServiceCIDRs.
//!
//! Source: `networking/validation/validation.go` and the kinds' strategies.

use std::net::IpAddr;

use super::{Object, text};
use crate::{
    field::{At, Errors, IMMUTABLE},
    meta::names,
    status::StatusCause,
};

pub(super) fn ingress(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    ingress_spec(e, &o.at("spec"), None);
    let key = "kubernetes.io/ingress.class";
    let annotation = o.at("metadata").at("annotations").key(key);
    let class = o.at("spec").at("ingressClassName");
    if annotation.is_set() && class.is_set() && annotation.text() != class.text() {
        let detail = "must match `ingressClassName` when both are specified";
        let field = format!("annotations.{key}");
        e.push(StatusCause::invalid_text(field, annotation.text(), detail));
    }
}

pub(super) fn ingress_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    o.metadata(e);
    ingress_spec(e, &o.at("spec"), Some(&o.old("spec")));
}

pub(super) fn ingress_status(e: &mut Errors, o: &Object<'_>, _name: &str) {
    o.metadata_update(e);
    text::load_balancer(e, &o.at("status").at("loadBalancer"));
}

fn ingress_spec(e: &mut Errors, spec: &At<'_>, old: Option<&At<'_>>) {
    let (rules, backend) = (spec.at("rules"), spec.at("defaultBackend"));
    if rules.is_empty() && !backend.is_set() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        e.invalid_as(&spec.holding(rules.value()), "[]networking.IngressRule", detail);
    }
    if backend.is_set() {
        ingress_backend(e, &backend);
    }
    for rule in rules.items() {
        ingress_rule(e, &rule);
    }
    let had_bad_secret = old.is_some_and(|old| {
        let mut tls = old.at("tls").items();
        tls.any(|tls| {
            let name = tls.at("secretName");
            !name.is_empty() && !text::subdomain(name.text()).is_empty()
        })
    });
    for tls in spec.at("tls").items() {
        for host in tls.at("hosts").items() {
            ingress_host(e, &host);
        }
        let secret = tls.at("secretName");
        if !secret.is_empty() && !had_bad_secret {
            text::dns_subdomain(e, &secret);
        }
    }
    let class = spec.at("ingressClassName");
    if class.is_set() {
        text::dns_subdomain(e, &class);
    }
}

fn ingress_host(e: &mut Errors, host: &At<'_>) {
    if host.text().contains('*') {
        e.each_invalid(host, text::wildcard_subdomain(host.text()));
    } else {
        text::dns_subdomain(e, host);
    }
}

fn ingress_rule(e: &mut Errors, rule: &At<'_>) {
    let host = rule.at("host");
    if !host.is_empty() {
        if text::legacy_address(host.text()).is_some() {
            e.invalid(&host, "must be a DNS name, not an IP address");
        }
        ingress_host(e, &host);
    }
    let http = rule.at("http");
    if !http.is_set() {
        return;
    }
    let paths = http.at("paths");
    if paths.is_empty() {
        e.required(&paths, "");
    }
    for path in paths.items() {
        ingress_path(e, &path);
    }
}

fn ingress_path(e: &mut Errors, at: &At<'_>) {
    let (path, kind) = (at.at("path"), at.at("pathType"));
    if !kind.is_set() {
        return e.required(&kind, "pathType must be specified");
    }
    match kind.text() {
        "Exact" | "Prefix" => {
            if !path.text().starts_with('/') {
                e.invalid(&path, "must be an absolute path");
            }
            for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
                if path.text().contains(sequence) {
                    e.invalid(&path, &format!("must not contain '{sequence}'"));
                }
            }
            for suffix in ["/..", "/."] {
                if path.text().ends_with(suffix) {
                    e.invalid(&path, &format!("cannot end with '{suffix}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !path.is_empty() && !path.text().starts_with('/') {
                e.invalid(&path, "must be an absolute path");
            }
        }
        _ => e.not_supported(&kind, &["Exact", "ImplementationSpecific", "Prefix"]),
    }
    ingress_backend(e, &at.at("backend"));
}

fn ingress_backend(e: &mut Errors, at: &At<'_>) {
    let (resource, service) = (at.at("resource"), at.at("service"));
    match (resource.is_set(), service.is_set()) {
        (true, true) => {
            e.invalid_text(at, "", "cannot set both resource and service backends");
        }
        (true, false) => reference(e, &resource),
        (false, true) => {
            let name = service.at("name");
            if name.is_empty() {
                e.required(&name, "");
            } else {
                e.each_invalid(&name, names::label_1035(name.text()));
            }
            let (port, number) = (service.at("port").at("name"), service.at("port").at("number"));
            match (!port.is_empty(), number.int() != 0) {
                (true, true) => {
                    e.invalid_text(at, "", "cannot set both port name & port number");
                }
                (true, false) => e.each_invalid(&port, text::port_name(port.text())),
                (false, true) => {
                    if let Some(error) = text::port_number(number.int()) {
                        e.invalid(&number, error);
                    }
                }
                (false, false) => e.required(at, "port name or number is required"),
            }
        }
        (false, false) => e.invalid_text(at, "", "resource or service backend is required"),
    }
}

/// `validateIngressTypedLocalObjectReference`.
fn reference(e: &mut Errors, at: &At<'_>) {
    let group = at.at("apiGroup");
    if group.is_set() {
        text::dns_subdomain(e, &group);
    }
    text::path_segment(e, &at.at("kind"), "kind is required");
    text::path_segment(e, &at.at("name"), "name is required");
}

pub(super) fn class(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let spec = o.at("spec");
    let controller = spec.at("controller");
    if controller.text().len() > 250 {
        e.too_long(&controller, 250);
    }
    text::domain_prefixed_path(e, &controller);
    let parameters = spec.at("parameters");
    if !parameters.is_set() {
        return;
    }
    reference(e, &parameters);
    let (scope, namespace) = (parameters.at("scope"), parameters.at("namespace"));
    match (scope.text(), namespace.is_set()) {
        ("Namespace", false) => {
            e.required(&namespace, "`parameters.scope` is set to 'Namespace'");
        }
        ("Namespace", true) => text::dns_label(e, &namespace),
        ("" | "Cluster", true) => {
            e.forbidden(&namespace, "`parameters.scope` is set to 'Cluster'");
        }
        _ => text::one_of(e, &scope, &["Cluster", "Namespace"]),
    }
}

pub(super) fn class_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    let (new, old) = (o.at("spec").at("controller"), o.old("spec").at("controller"));
    e.immutable(&new, &old, "string");
    class(e, o);
}

pub(super) fn policy(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    policy_spec(e, &o.at("spec"));
}

pub(super) fn policy_update(e: &mut Errors, o: &Object<'_>) {
    policy(e, o);
    o.metadata_update(e);
    policy_spec(e, &o.at("spec"));
}

fn policy_spec(e: &mut Errors, spec: &At<'_>) {
    text::selector(e, &spec.at("podSelector"));
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.at(direction).items() {
            for port in rule.at("ports").items() {
                policy_port(e, &port);
            }
            for peer in rule.at(peers).items() {
                policy_peer(e, &peer);
            }
        }
    }
    let kinds = spec.at("policyTypes");
    if kinds.list().len() > 2 {
        let go_type = "[]networking.PolicyType=string";
        return e.invalid_as(&kinds, go_type, "may not specify more than two policyTypes");
    }
    for kind in kinds.items() {
        if !matches!(kind.text(), "Ingress" | "Egress") {
            e.not_supported(&kind, &["Ingress", "Egress"]);
        }
    }
}

fn policy_port(e: &mut Errors, at: &At<'_>) {
    text::one_of(e, &at.at("protocol"), &["TCP", "UDP", "SCTP"]);
    let (port, end) = (at.at("port"), at.at("endPort"));
    if !port.is_set() {
        if end.is_set() {
            e.invalid(&end, "may not be specified when `port` is not specified");
        }
        return;
    }
    if port.value().is_string() {
        if end.is_set() {
            e.invalid(&end, "may not be specified when `port` is non-numeric");
        }
        return e.each_invalid(&port, text::port_name(port.text()));
    }
    if let Some(error) = text::port_number(port.int()) {
        e.invalid(&port, error);
    }
    if end.is_set() {
        if end.int() < port.int() {
            let shown = port.int().to_string();
            e.invalid_value(&end, shown, "must be greater than or equal to `port`");
        }
        if let Some(error) = text::port_number(end.int()) {
            e.invalid(&end, error);
        }
    }
}

fn policy_peer(e: &mut Errors, at: &At<'_>) {
    let [pods, namespaces, block] =
        ["podSelector", "namespaceSelector", "ipBlock"].map(|key| at.at(key));
    text::selector(e, &pods);
    text::selector(e, &namespaces);
    if block.is_set() {
        ip_block(e, &block);
    }
    let has_selector = pods.is_set() || namespaces.is_set();
    if !has_selector && !block.is_set() {
        e.required(at, "must specify a peer");
    } else if has_selector && block.is_set() {
        e.forbidden(at, "may not specify both ipBlock and another peer");
    }
}

fn ip_block(e: &mut Errors, at: &At<'_>) {
    let whole = at.at("cidr");
    if whole.is_empty() {
        return e.required(&whole, "");
    }
    if !text::cidr(e, &whole) {
        return;
    }
    let Some((network, length)) = text::split_cidr(whole.text()) else { return };
    for except in at.at("except").items() {
        if !text::cidr(e, &except) {
            continue;
        }
        let Some((part, own)) = text::split_cidr(except.text()) else { continue };
        if own <= length || !is_within(part, network, length) {
            e.invalid(&except, "must be a strict subset of `cidr`");
        }
    }
}

/// Whether an address is in a network.
fn is_within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 4),
        IpAddr::V6(ip) => (u128::from(ip), 6),
    };
    let ((address, family), (network, other)) = (bits(address), bits(network));
    let kept = u32::from(length).min(128);
    family == other && (kept == 0 || (address ^ network) >> (128 - kept) == 0)
}

pub(super) fn address(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let parent = o.at("spec").at("parentRef");
    if !parent.is_set() {
        return e.required(&parent, "");
    }
    if !parent.at("group").is_empty() {
        text::dns_subdomain(e, &parent.at("group"));
    }
    text::path_segment(e, &parent.at("resource"), "");
    text::path_segment(e, &parent.at("name"), "");
    if !parent.at("namespace").is_empty() {
        text::path_segment(e, &parent.at("namespace"), "");
    }
}

pub(super) fn address_update(e: &mut Errors, o: &Object<'_>) {
    address(e, o);
    o.metadata_update(e);
    let (new, old) = (o.at("spec").at("parentRef"), o.old("spec").at("parentRef"));
    e.immutable(&new, &old, "*networking.ParentReference");
}

pub(super) fn service_cidr(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    service_cidrs(e, &o.at("spec").at("cidrs"));
}

pub(super) fn service_cidr_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    let (new, old) = (o.at("spec").at("cidrs"), o.old("spec").at("cidrs"));
    let counts = (old.list().len(), new.list().len());
    if counts.0 != counts.1 && counts != (1, 2) {
        return e.invalid_as(&new, "[]string", IMMUTABLE);
    }
    for (new, old) in new.items().zip(old.texts()) {
        if new.text() != old {
            e.invalid(&new, IMMUTABLE);
        }
    }
    if counts == (1, 2) {
        service_cidrs(e, &new);
    }
}

fn service_cidrs(e: &mut Errors, at: &At<'_>) {
    if at.is_empty() {
        return e.required(at, "at least one CIDR required");
    }
    if at.list().len() > 2 {
        return e.invalid_as(at, "[]string", "may only hold up to 2 values");
    }
    for cidr in at.items() {
        text::cidr(e, &cidr);
    }
    let found: Vec<IpAddr> =
        at.texts().filter_map(text::split_cidr).map(|(network, _)| network).collect();
    if found.len() == 2 && !text::are_of_both_families(&found) {
        let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and \
                      2001:db8::/64";
        e.invalid_as(at, "[]string", detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_lies_within_its_block() {
        let within = |address: &str, network: &str| {
            let (network, length) = text::split_cidr(network).unwrap();
            is_within(address.parse().unwrap(), network, length)
        };
        assert!(within("10.1.2.0", "10.0.0.0/8"));
        assert!(!within("11.1.2.0", "10.0.0.0/8"));
        assert!(within("1.2.3.4", "0.0.0.0/0"));
        assert!(within("2001:db8::1", "2001:db8::/32"));
        assert!(!within("10.0.0.1", "2001:db8::/32"));
    }
}
