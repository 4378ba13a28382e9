//! Endpoints and EndpointSlices.
//!
//! Source: `ValidateEndpoints` in `core/validation`, `discovery/validation/validation.go`.

use std::collections::BTreeSet;

use sim_store::LabelSelector;

use super::{Object, metadata::same, text};
use crate::field::{At, Errors};

pub(super) fn endpoints(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let subsets = o.at("subsets");
    if o.old.is_some() && same(&subsets, &o.old("subsets")) {
        return;
    }
    for subset in subsets.items() {
        if subset.at("addresses").is_empty() && subset.at("notReadyAddresses").is_empty() {
            e.required(&subset, "must specify `addresses` or `notReadyAddresses`");
        }
        for list in ["addresses", "notReadyAddresses"] {
            for address in subset.at(list).items() {
                endpoint_address(e, &address);
            }
        }
        let ports = subset.at("ports");
        for port in ports.items() {
            endpoint_port(e, &port, ports.list().len() > 1);
        }
    }
}

pub(super) fn endpoints_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    endpoints(e, o);
}

fn endpoint_address(e: &mut Errors, at: &At<'_>) {
    let (ip, host, node) = (at.at("ip"), at.at("hostname"), at.at("nodeName"));
    text::ip(e, &ip);
    if !host.is_empty() {
        text::dns_label(e, &host);
    }
    if node.is_set() {
        text::dns_subdomain(e, &node);
    }
    text::endpoint_ip(e, &ip);
}

fn endpoint_port(e: &mut Errors, at: &At<'_>, needs_name: bool) {
    let (name, number) = (at.at("name"), at.at("port"));
    if needs_name && name.is_empty() {
        e.required(&name, "");
    } else if !name.is_empty() {
        text::dns_label(e, &name);
    }
    if let Some(error) = text::port_number(number.int()) {
        e.invalid_value(&number, number.int().to_string(), error);
    }
    text::one_of(e, &at.at("protocol"), &["SCTP", "TCP", "UDP"]);
    if at.at("appProtocol").is_set() {
        text::qualified_name(e, &at.at("appProtocol"));
    }
}

pub(super) fn slice(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let kind = o.at("addressType");
    if kind.is_empty() {
        e.required(&kind, "");
    } else {
        text::one_of(e, &kind, &["FQDN", "IPv4", "IPv6"]);
    }
    slice_ports(e, &o.at("ports"));
    let points = o.at("endpoints");
    if o.old.is_none() || !same(&points, &o.old("endpoints")) {
        slice_endpoints(e, &points, kind.text());
    }
}

pub(super) fn slice_update(e: &mut Errors, o: &Object<'_>) {
    slice(e, o);
    e.immutable(&o.at("addressType"), &o.old("addressType"), "string");
}

fn slice_ports(e: &mut Errors, at: &At<'_>) {
    if at.list().len() > 20_000 {
        return e.too_many(at, at.list().len(), 20_000);
    }
    let mut names = BTreeSet::new();
    for port in at.items() {
        let name = port.at("name");
        if !name.is_empty() {
            text::dns_label(e, &name);
        }
        if !names.insert(name.text()) {
            e.duplicate(&name);
        }
        text::one_of(e, &port.at("protocol"), &["SCTP", "TCP", "UDP"]);
        if port.at("appProtocol").is_set() {
            text::qualified_name(e, &port.at("appProtocol"));
        }
    }
}

fn slice_endpoints(e: &mut Errors, at: &At<'_>, kind: &str) {
    if at.list().len() > 1000 {
        return e.too_many(at, at.list().len(), 1000);
    }
    for point in at.items() {
        let addresses = point.at("addresses");
        if addresses.is_empty() {
            e.required(&addresses, "must contain at least 1 address");
        } else if addresses.list().len() > 100 {
            e.too_many(&addresses, addresses.list().len(), 100);
        }
        for address in addresses.items() {
            slice_address(e, &addresses, &address, kind);
        }
        if point.at("nodeName").is_set() {
            text::dns_subdomain(e, &point.at("nodeName"));
        }
        let topology = point.at("deprecatedTopology");
        let labels = topology.map().map_or(0, serde_json::Map::len);
        if labels > 16 {
            e.too_many(&topology, labels, 16);
        }
        text::labels(e, &topology);
        if point.at("hostname").is_set() {
            text::dns_label(e, &point.at("hostname"));
        }
        for key in ["forZones", "forNodes"] {
            let hints = point.at("hints").at(key);
            if hints.list().len() > 8 {
                e.too_many(&hints, hints.list().len(), 8);
                break;
            }
            slice_hints(e, &hints, key);
        }
    }
}

fn slice_hints(e: &mut Errors, at: &At<'_>, key: &str) {
    let mut names = BTreeSet::new();
    for hint in at.items() {
        let name = hint.at("name");
        if !names.insert(name.text()) {
            e.duplicate(&name);
        }
        match key {
            "forZones" => e.each_invalid(&name, LabelSelector::value_errors(name.text())),
            _ => text::dns_subdomain(e, &name),
        }
    }
}

fn slice_address(e: &mut Errors, list: &At<'_>, at: &At<'_>, kind: &str) {
    if kind == "FQDN" {
        return fully_qualified_domain(e, at);
    }
    if !matches!(kind, "IPv4" | "IPv6") {
        return;
    }
    match text::legacy_address(at.text()) {
        None => text::ip(e, at),
        Some(address) => {
            if address.is_ipv4() != (kind == "IPv4") {
                let detail = format!("must be an {kind} address");
                e.invalid_text(list, at.text(), &detail);
            }
            text::endpoint_ip(e, at);
        }
    }
}

/// `IsFullyQualifiedDomainName`.
fn fully_qualified_domain(e: &mut Errors, at: &At<'_>) {
    let name = at.text();
    if name.is_empty() {
        return e.required(at, "");
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let errors = text::subdomain(name);
    if !errors.is_empty() {
        return e.invalid_text(at, name, &errors.join(","));
    }
    if name.split('.').count() < 2 {
        let detail = "should be a domain with at least two segments separated by dots";
        e.invalid_text(at, name, detail);
    }
    for label in name.split('.') {
        let errors = text::label(label);
        if !errors.is_empty() {
            e.invalid_text(at, label, &errors.join(","));
        }
    }
}
