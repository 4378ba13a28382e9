//! Nodes.
//!
//! Source: `ValidateNode` and `ValidateNodeUpdate` in `core/validation`.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::Value;
use sim_store::LabelSelector;

use super::{
    Object,
    pod::{self, resources},
    text,
};
use crate::{field::Errors, go_syntax, status::StatusCause};

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let spec = o.at("spec");
    taints(e, o);
    amounts(e, o);
    let capacity = o.at("status").at("nodeInfo").at("swap").at("capacity");
    if capacity.is_set() {
        let named = o.at("metadata").at("nodeSwapStatus").at("capacity");
        e.positive(&named.holding(capacity.value()));
    }
    let networks = spec.at("podCIDRs");
    for network in networks.items() {
        text::cidr(e, &network);
    }
    let found: Vec<IpAddr> =
        networks.texts().filter_map(text::split_cidr).map(|(network, _)| network).collect();
    let count = networks.list().len();
    if count > 1 && (count > 2 || !text::are_of_both_families(&found)) {
        let detail = "may specify no more than one CIDR for each IP family";
        e.invalid_as(&networks, "[]string", detail);
    }
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    create(e, o);
    changed(e, o);
}

pub(super) fn subresource(e: &mut Errors, o: &Object<'_>, _name: &str) {
    changed(e, o);
}

/// `ValidateNodeUpdate`.
fn changed(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    amounts(e, o);
    let mut known: Vec<&Value> = Vec::new();
    for address in o.at("status").at("addresses").items() {
        if known.contains(&address.value()) {
            let value = go_syntax::bad_value("core.NodeAddress", address.value());
            e.push(StatusCause::duplicate(address.field(), value));
        }
        known.push(address.value());
    }
    let (spec, old) = (o.at("spec"), o.old("spec"));
    let (networks, before) = (spec.at("podCIDRs"), old.at("podCIDRs"));
    let detail = "node updates may not change podCIDR except from \"\" to valid";
    if networks.list().len() != before.list().len() {
        if !before.is_empty() {
            e.forbidden(&networks, detail);
        }
    } else {
        for _ in networks.texts().zip(before.texts()).filter(|(new, old)| new != old) {
            e.forbidden(&networks, detail);
        }
    }
    let (provider, before) = (spec.at("providerID"), old.at("providerID"));
    if !before.is_empty() && before.text() != provider.text() {
        let detail = "node updates may not change providerID except from \"\" to valid";
        e.forbidden(&provider, detail);
    }
    taints(e, o);
    if spec.at("externalID").text() != old.at("externalID").text() {
        e.forbidden(&spec.at("externalID"), "may not be updated");
    }
}

fn amounts(e: &mut Errors, o: &Object<'_>) {
    for key in ["capacity", "allocatable"] {
        let list = o.at("status").at(key);
        for (name, amount) in list.entries() {
            resources::value(e, &list.at(name).holding(amount.value()), name);
        }
    }
}

/// `validateNodeTaints`, whose path is a part of the metadata.
fn taints(e: &mut Errors, o: &Object<'_>) {
    let list = o.at("spec").at("taints");
    let named = o.at("metadata").at("taints").holding(list.value());
    let mut known = BTreeSet::new();
    for taint in named.items() {
        let [key, value, effect] = ["key", "value", "effect"].map(|name| taint.at(name));
        text::label_key(e, &key);
        let errors = LabelSelector::value_errors(value.text());
        if !errors.is_empty() {
            e.invalid_text(&value, value.text(), &errors.join(";"));
        }
        pod::taint_effect(e, &effect);
        if !known.insert((effect.text(), key.text())) {
            let shown = go_syntax::bad_value("core.Taint", taint.value());
            let mut cause = StatusCause::duplicate(taint.field(), shown);
            cause.message.push_str(": taints must be unique by key and effect pair");
            e.push(cause);
        }
    }
}
