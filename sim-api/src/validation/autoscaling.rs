//! HorizontalPodAutoscalers, in the shape of `autoscaling/v2`.
//!
//! Source: `autoscaling/validation/validation.go`.

use super::{Object, pod::resources, text};
use crate::field::{At, Errors};

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    spec(e, &o.at("spec"));
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    spec(e, &o.at("spec"));
}

pub(super) fn subresource(e: &mut Errors, o: &Object<'_>, _name: &str) {
    o.metadata_update(e);
    for key in ["currentReplicas", "desiredReplicas"] {
        e.non_negative(&o.at("status").at(key));
    }
}

fn spec(e: &mut Errors, spec: &At<'_>) {
    let (min, max) = (spec.at("minReplicas"), spec.at("maxReplicas"));
    if min.is_set() && min.int() < 1 {
        e.invalid(&min, "must be greater than or equal to 1");
    }
    if max.int() < 1 {
        e.invalid_value(&max, max.int().to_string(), "must be greater than 0");
    }
    if min.is_set() && max.int() < min.int() {
        let detail = "must be greater than or equal to `minReplicas`";
        e.invalid_value(&max, max.int().to_string(), detail);
    }
    reference(e, &spec.at("scaleTargetRef"));
    let metrics = spec.at("metrics");
    for one in metrics.items() {
        metric(e, &one);
    }
    let scales_to_zero = min.opt_int() == Some(0);
    let is_outside = |one: At<'_>| matches!(one.at("type").text(), "Object" | "External");
    if scales_to_zero && !metrics.items().any(is_outside) {
        let detail = "must specify at least one Object or External metric to support scaling to \
                      zero replicas";
        e.forbidden(&metrics, detail);
    }
    for key in ["scaleUp", "scaleDown"] {
        let rules = spec.at("behavior").at(key);
        if rules.is_set() {
            scaling_rules(e, &rules);
        }
    }
}

/// `ValidateCrossVersionObjectReference`.
fn reference(e: &mut Errors, at: &At<'_>) {
    text::path_segment(e, &at.at("kind"), "");
    text::path_segment(e, &at.at("name"), "");
}

fn scaling_rules(e: &mut Errors, at: &At<'_>) {
    let window = at.at("stabilizationWindowSeconds");
    if window.int() < 0 {
        e.invalid(&window, "must be greater than or equal to zero");
    }
    if window.int() > 3600 {
        e.invalid(&window, "must be less than or equal to 3600");
    }
    text::one_of(e, &at.at("selectPolicy"), &["Disabled", "Max", "Min"]);
    // Without any the defaults are put there.
    for policy in at.at("policies").items() {
        let [kind, value, period] = ["type", "value", "periodSeconds"].map(|key| policy.at(key));
        if !matches!(kind.text(), "Pods" | "Percent") {
            e.not_supported(&kind, &["Percent", "Pods"]);
        }
        for number in [&value, &period] {
            if number.int() <= 0 {
                e.invalid_value(number, number.int().to_string(), "must be greater than zero");
            }
        }
        if period.int() > 1800 {
            e.invalid(&period, "must be less than or equal to 1800");
        }
    }
    if at.at("tolerance").is_set() {
        resources::non_negative(e, &at.at("tolerance"));
    }
}

/// `validateMetricSpec`.
fn metric(e: &mut Errors, at: &At<'_>) {
    let kind = at.at("type");
    let expected = match kind.text() {
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "External" => "external",
        "ContainerResource" => "containerResource",
        _ => "",
    };
    if kind.is_empty() {
        e.required(&kind, "must specify a metric source type");
    }
    if expected.is_empty() {
        e.not_supported(&kind, &KINDS);
    }
    let present: Vec<&'static str> =
        SOURCES.into_iter().filter(|source| at.at(source).is_set()).collect();
    if let Some(first) = present.first() {
        metric_source(e, first, &at.at(first));
    }
    if expected.is_empty() {
        e.not_supported(&kind, &KINDS);
    } else if !present.contains(&expected) {
        e.required(&at.at(expected), "must populate information for the given metric source");
    }
    if present.len() != 1 {
        for source in present.iter().filter(|source| **source != expected) {
            e.forbidden(&at.at(source), "must populate the given metric source only");
        }
    }
}

fn metric_source(e: &mut Errors, kind: &str, at: &At<'_>) {
    let target = at.at("target");
    let [value, average, utilization] =
        ["value", "averageValue", "averageUtilization"].map(|key| target.at(key));
    match kind {
        "resource" | "containerResource" => {
            let (name, container) = (at.at("name"), at.at("container"));
            if name.is_empty() {
                e.required(&name, "must specify a resource name");
            } else if kind == "containerResource" {
                resources::container_name(e, &name, name.text());
            }
            if kind == "containerResource" {
                if container.is_empty() {
                    e.required(&container, "must specify a container");
                } else {
                    text::dns_label(e, &container);
                }
            }
            metric_target(e, &target);
            if !utilization.is_set() && !average.is_set() {
                let detail = "must set either a target raw value or a target utilization";
                e.required(&utilization, detail);
            }
            if utilization.is_set() && average.is_set() {
                let detail = "may not set both a target raw value and a target utilization";
                e.forbidden(&average, detail);
            }
        }
        _ => {
            if kind == "object" {
                reference(e, &at.at("describedObject"));
            }
            text::path_segment(e, &at.at("metric").at("name"), "must specify a metric name");
            metric_target(e, &target);
            match kind {
                "object" if !value.is_set() && !average.is_set() => {
                    e.required(&average, "must set either a target value or averageValue");
                }
                "external" if !value.is_set() && !average.is_set() => {
                    let detail = "must set either a target value for metric or a per-pod target";
                    e.required(&average, detail);
                }
                "external" if value.is_set() && average.is_set() => {
                    let detail = "may not set both a target value for metric and a per-pod target";
                    e.forbidden(&value, detail);
                }
                "pods" if !average.is_set() => {
                    e.required(&average, "must specify a positive target averageValue");
                }
                _ => {}
            }
        }
    }
}

fn metric_target(e: &mut Errors, at: &At<'_>) {
    let kind = at.at("type");
    if kind.is_empty() {
        e.required(&kind, "must specify a metric target type");
    }
    if !matches!(kind.text(), "Utilization" | "Value" | "AverageValue") {
        e.invalid(&kind, "must be either Utilization, Value, or AverageValue");
    }
    for key in ["value", "averageValue"] {
        let amount = at.at(key);
        if amount.is_set() && resources::nanos(&amount) <= 0 {
            e.invalid_as(&amount, "*resource.Quantity", "must be positive");
        }
    }
    let utilization = at.at("averageUtilization");
    if utilization.is_set() && utilization.int() < 1 {
        e.invalid(&utilization, "must be greater than 0");
    }
}

/// In the order in which the real server looks for them.
const SOURCES: [&str; 5] = ["object", "external", "pods", "resource", "containerResource"];
const KINDS: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
