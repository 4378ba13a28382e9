//! Affinity, and the selectors of nodes.

use std::collections::BTreeSet;

use sim_store::LabelSelector;

use super::label_keys;
use crate::{
    field::{At, Errors},
    validation::text,
};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// `validateAffinity`.
pub(super) fn affinity(e: &mut Errors, at: &At<'_>) {
    let node = at.at("nodeAffinity");
    if node.at(REQUIRED).is_set() {
        node_selector(e, &node.at(REQUIRED));
    }
    for term in node.at(PREFERRED).items() {
        weight(e, &term.at("weight"));
        node_selector_term(e, &term.at("preference"), false);
    }
    for key in ["podAffinity", "podAntiAffinity"] {
        let affinity = at.at(key);
        for required in affinity.at(REQUIRED).items() {
            pod_term(e, &required);
        }
        for preferred in affinity.at(PREFERRED).items() {
            weight(e, &preferred.at("weight"));
            pod_term(e, &preferred.at("podAffinityTerm"));
        }
    }
}

fn weight(e: &mut Errors, at: &At<'_>) {
    if !(1..=100).contains(&at.int()) {
        e.invalid_value(at, at.int().to_string(), "must be in the range 1-100");
    }
}

fn pod_term(e: &mut Errors, at: &At<'_>) {
    let selector = at.at("labelSelector");
    text::selector(e, &selector);
    text::selector(e, &at.at("namespaceSelector"));
    let namespaces = at.at("namespace");
    for name in at.at("namespaces").texts() {
        for error in text::label(name) {
            e.invalid_text(&namespaces, name, &error);
        }
    }
    let (matched, mismatched) = (at.at("matchLabelKeys"), at.at("mismatchLabelKeys"));
    label_keys(e, &matched, &selector);
    label_keys(e, &mismatched, &selector);
    let mut known: BTreeSet<&str> =
        selector.at("matchLabels").map().into_iter().flatten().map(|(key, _)| &**key).collect();
    for expression in selector.at("matchExpressions").items() {
        let key = expression.at("key").text();
        if let Some(place) = matched.texts().position(|matched| matched == key)
            && known.contains(key)
        {
            let detail = "exists in both matchLabelKeys and labelSelector";
            e.invalid_text(&at.indexed(place), key, detail);
        }
        known.insert(key);
    }
    for key in matched.items() {
        if mismatched.texts().any(|other| other == key.text()) {
            e.invalid(&key, "exists in both matchLabelKeys and mismatchLabelKeys");
        }
    }
    let topology = at.at("topologyKey");
    if topology.is_empty() {
        e.required(&topology, "can not be empty");
    }
    text::label_key(e, &topology);
}

/// `ValidateNodeSelector`.
pub(in crate::validation) fn node_selector(e: &mut Errors, at: &At<'_>) {
    let terms = at.at("nodeSelectorTerms");
    if terms.is_empty() {
        return e.required(&terms, "must have at least one node selector term");
    }
    for term in terms.items() {
        node_selector_term(e, &term, true);
    }
}

/// `ValidateNodeSelectorTerm`; a preferred one may have values that no label has.
fn node_selector_term(e: &mut Errors, at: &At<'_>, checks_values: bool) {
    for expression in at.at("matchExpressions").items() {
        let values = expression.at("values");
        match expression.at("operator").text() {
            "In" | "NotIn" if values.is_empty() => {
                e.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                e.forbidden(&values, detail);
            }
            "Gt" | "Lt" if values.list().len() != 1 => {
                let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                e.required(&values, detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            _ => e.invalid(&expression.at("operator"), "not a valid selector operator"),
        }
        text::label_key(e, &expression.at("key"));
        for value in values.items().filter(|_| checks_values) {
            e.each_invalid(&value, LabelSelector::value_errors(value.text()));
        }
    }
    for field in at.at("matchFields").items() {
        let values = field.at("values");
        match field.at("operator").text() {
            "In" | "NotIn" if values.list().len() != 1 => {
                let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node \
                              field selector";
                e.required(&values, detail);
            }
            "In" | "NotIn" => {}
            _ => e.invalid(&field.at("operator"), "not a valid selector operator"),
        }
        if field.at("key").text() != "metadata.name" {
            e.invalid(&field.at("key"), "not a valid field selector key");
            continue;
        }
        for value in values.items() {
            text::dns_subdomain(e, &value);
        }
    }
}

/// `ValidateTopologySelectorTerm`.
pub(in crate::validation) fn topology_term(e: &mut Errors, at: &At<'_>) {
    let mut keys = BTreeSet::new();
    for expression in at.at("matchLabelExpressions").items() {
        let values = expression.at("values");
        if values.is_empty() {
            e.required(&values, "");
        }
        let mut known = BTreeSet::new();
        for value in values.items() {
            if !known.insert(value.text()) {
                e.duplicate(&value);
            }
        }
        let key = expression.at("key");
        text::label_key(e, &key);
        if !keys.insert(key.text()) {
            e.duplicate(&key);
        }
    }
}
