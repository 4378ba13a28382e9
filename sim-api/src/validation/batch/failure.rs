//! What a Job makes of pods that fail.
//!
//! Source: `validatePodFailurePolicy`.

use std::collections::BTreeSet;

use crate::{
    field::{At, Errors},
    validation::text,
};

pub(super) fn policy(e: &mut Errors, spec: &At<'_>) {
    let rules = spec.at("podFailurePolicy").at("rules");
    if rules.list().len() > 20 {
        e.too_many(&rules, rules.list().len(), 20);
    }
    let pod = spec.at("template").at("spec");
    let containers: BTreeSet<&str> = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| pod.at(list).items())
        .map(|container| container.at("name").text())
        .collect();
    for rule in rules.items() {
        action(e, spec, &rule.at("action"));
        let (codes, conditions) = (rule.at("onExitCodes"), rule.at("onPodConditions"));
        if codes.is_set() {
            exit_codes(e, &codes, &containers);
        }
        pod_conditions(e, &conditions);
        match (codes.is_set(), !conditions.is_empty()) {
            (true, true) => {
                let detail = "specifying both OnExitCodes and OnPodConditions is not supported";
                e.invalid_omitted(&rule, detail);
            }
            (false, false) => {
                let detail = "specifying one of OnExitCodes and OnPodConditions is required";
                e.invalid_omitted(&rule, detail);
            }
            _ => {}
        }
    }
}

fn action(e: &mut Errors, spec: &At<'_>, at: &At<'_>) {
    match at.text() {
        "" => e.required(at, "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]"),
        "FailIndex" if !spec.at("backoffLimitPerIndex").is_set() => {
            e.invalid(at, "requires the backoffLimitPerIndex to be set");
        }
        _ => text::one_of(e, at, &["Count", "FailIndex", "FailJob", "Ignore"]),
    }
}

fn pod_conditions(e: &mut Errors, at: &At<'_>) {
    if at.list().len() > 20 {
        e.too_many(at, at.list().len(), 20);
    }
    for pattern in at.items() {
        text::qualified_name(e, &pattern.at("type"));
        text::one_of(e, &pattern.at("status"), &["False", "True", "Unknown"]);
    }
}

fn exit_codes(e: &mut Errors, at: &At<'_>, containers: &BTreeSet<&str>) {
    let operator = at.at("operator");
    match operator.text() {
        "" => e.required(&operator, "valid values: [\"In\" \"NotIn\"]"),
        _ => text::one_of(e, &operator, &["In", "NotIn"]),
    }
    let container = at.at("containerName");
    if container.is_set() && !containers.contains(container.text()) {
        let detail = "must be one of the container or initContainer names in the pod template";
        e.invalid(&container, detail);
    }
    let values = at.at("values");
    if values.is_empty() {
        e.invalid_as(&values, "[]int32", "at least one value is required");
    } else if values.list().len() > 255 {
        e.too_many(&values, values.list().len(), 255);
    }
    let mut known = BTreeSet::new();
    let mut previous = i64::MIN;
    let mut is_ordered = true;
    for value in values.items() {
        if operator.text() == "In" && value.int() == 0 {
            e.invalid(&value, "must not be 0 for the In operator");
        }
        if !known.insert(value.int()) {
            e.duplicate(&value);
        }
        is_ordered &= previous <= value.int();
        previous = value.int();
    }
    if !is_ordered {
        e.invalid_as(&values, "[]int32", "must be ordered");
    }
}
