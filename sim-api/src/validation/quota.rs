//! ResourceQuotas and LimitRanges.
//!
//! Source: `ValidateResourceQuota`, `ValidateLimitRange` and theirs for updates in
//! `core/validation`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Object, pod::resources, text};
use crate::field::{At, Errors, IMMUTABLE};

pub(super) fn quota(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    quota_spec(e, &o.at("spec"));
    quota_status(e, o);
}

pub(super) fn quota_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    let spec = o.at("spec");
    quota_spec(e, &spec);
    let scopes = spec.at("scopes");
    let before = o.old("spec").at("scopes");
    let (now, was): (BTreeSet<&str>, BTreeSet<&str>) =
        (scopes.texts().collect(), before.texts().collect());
    if now != was {
        e.invalid_as(&scopes, SCOPES, IMMUTABLE);
    }
}

pub(super) fn quota_subresource(e: &mut Errors, o: &Object<'_>, _name: &str) {
    o.metadata_update(e);
    quota_status(e, o);
}

fn quota_status(e: &mut Errors, o: &Object<'_>) {
    for key in ["hard", "used"] {
        quota_amounts(e, &o.at("status").at(key));
    }
}

fn quota_amounts(e: &mut Errors, at: &At<'_>) {
    for (name, amount) in at.entries() {
        resources::quota_name(e, &amount, name);
        resources::value(e, &amount, name);
    }
}

fn quota_spec(e: &mut Errors, spec: &At<'_>) {
    let hard = spec.at("hard");
    quota_amounts(e, &hard);
    let scopes = spec.at("scopes");
    let names: BTreeSet<&str> = hard.entries().map(|(name, _)| name).collect();
    for scope in scopes.texts() {
        if !KNOWN_SCOPES.contains(&scope) {
            e.invalid_as(&scopes, SCOPES, "unsupported scope");
        }
        for _ in names.iter().filter(|name| !fits(scope, name)) {
            e.invalid_as(&scopes, SCOPES, "unsupported scope applied to resource");
        }
    }
    conflicts(e, &scopes, &scopes.texts().collect());
    let selector = spec.at("scopeSelector");
    if selector.is_set() {
        scope_selector(e, spec, &selector, &names);
    }
}

fn scope_selector(e: &mut Errors, spec: &At<'_>, selector: &At<'_>, names: &BTreeSet<&str>) {
    let at = selector.at("matchExpressions");
    let mut scopes = BTreeSet::new();
    for expression in at.list() {
        // These paths leave out which expression it is.
        let expression = at.holding(expression);
        let [scope, operator, values] =
            ["scopeName", "operator", "values"].map(|key| expression.at(key));
        if !KNOWN_SCOPES.contains(&scope.text()) {
            e.invalid(&scope, "unsupported scope");
        }
        for _ in names.iter().filter(|name| !fits(scope.text(), name)) {
            let whole = at.holding(selector.value());
            e.invalid_as(&whole, "*core.ScopeSelector", "unsupported scope applied to resource");
        }
        let is_flag = !matches!(scope.text(), "PriorityClass" | "VolumeAttributesClass")
            && KNOWN_SCOPES.contains(&scope.text());
        if is_flag && operator.text() != "Exists" {
            e.invalid(&operator, ONLY_EXISTS);
        }
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for \
                              scope selector";
                e.required(&values, detail);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for \
                              scope selector";
                e.invalid_as(&values, "[]string", detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => e.invalid(&operator, "not a valid selector operator"),
        }
        scopes.insert(scope.text());
    }
    conflicts(e, &at.holding(spec.at("scopes").value()), &scopes);
}

fn conflicts(e: &mut Errors, at: &At<'_>, scopes: &BTreeSet<&str>) {
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            e.invalid_as(at, SCOPES, "conflicting scopes");
        }
    }
}

/// Whether a scope says anything of a resource; of resources of no standard nothing is known.
fn fits(scope: &str, resource: &str) -> bool {
    if !resources::is_quota_resource(resource) {
        return true;
    }
    let is_compute = matches!(
        resource,
        "cpu" | "memory" | "limits.cpu" | "limits.memory" | "requests.cpu" | "requests.memory"
    );
    match scope {
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => resource == "pods" || is_compute,
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => {
            matches!(resource, "persistentvolumeclaims" | "requests.storage")
        }
        _ => true,
    }
}

pub(super) fn limits(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let mut kinds = BTreeSet::new();
    for limit in o.at("spec").at("limits").items() {
        let kind = limit.at("type");
        let errors = text::qualified(kind.text());
        let is_known = ["Pod", "Container", "PersistentVolumeClaim"].contains(&kind.text());
        if errors.is_empty() && !kind.text().contains('/') && !is_known {
            e.invalid(&kind, "must be a standard limit type or fully qualified");
        }
        e.each_invalid(&kind, errors);
        if !kinds.insert(kind.text()) {
            e.duplicate(&kind);
        }
        limit_item(e, &limit, kind.text());
    }
}

fn limit_item(e: &mut Errors, limit: &At<'_>, kind: &str) {
    let names = |e: &mut Errors, key: &'static str| {
        for (name, amount) in limit.at(key).entries() {
            if matches!(kind, "Pod" | "Container") {
                resources::container_name(e, &amount, name);
            } else {
                resources::resource_name(e, &amount, name);
            }
        }
    };
    names(e, "max");
    names(e, "min");
    for key in ["default", "defaultRequest"] {
        if kind != "Pod" {
            names(e, key);
        } else if !limit.at(key).is_empty() {
            e.forbidden(&limit.at(key), "may not be specified when `type` is 'Pod'");
        }
    }
    let has_storage = |key| limit.at(key).key("storage").is_set();
    if kind == "PersistentVolumeClaim" && !has_storage("min") && !has_storage("max") {
        let detail =
            "either minimum or maximum storage value is required, but neither was provided";
        e.required(&limit.at("limits"), detail);
    }
    names(e, "maxLimitRequestRatio");
    let mut all: BTreeMap<&str, ()> = BTreeMap::new();
    for key in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
        all.extend(limit.at(key).entries().map(|(name, _)| (name, ())));
    }
    for name in all.into_keys() {
        compare(e, limit, kind, name);
    }
}

/// What the amounts of one resource ask of each other.
fn compare(e: &mut Errors, limit: &At<'_>, kind: &str, name: &str) {
    let of = |key: &'static str| {
        let hidden = kind == "Pod" && key.starts_with("default");
        let value = limit.at(key).value().get(name).filter(|_| !hidden);
        let at = limit.at(key);
        value.map(|value| {
            let amount = at.key_named(name, value);
            (resources::nanos(&amount), amount)
        })
    };
    let [min, max, default, request, ratio] =
        ["min", "max", "default", "defaultRequest", "maxLimitRequestRatio"].map(of);
    let mut wrong = |at: &At<'_>, shown: &At<'_>, detail: String| {
        e.invalid_as(&at.holding(shown.value()), "resource.Quantity", &detail);
    };
    if let (Some((a, min)), Some((b, max))) = (&min, &max)
        && a > b
    {
        let detail = format!("min value {} is greater than max value {}", min.text(), max.text());
        wrong(min, min, detail);
    }
    if let Some((a, request)) = &request {
        for (other, larger, words) in [
            (&min, false, ("min value", "default request value")),
            (&max, true, ("default request value", "max value")),
            (&default, true, ("default request value", "default limit value")),
        ] {
            let Some((b, other)) = other else { continue };
            let (first, second) = if larger { (request, other) } else { (other, request) };
            if (larger && a > b) || (!larger && b > a) {
                let detail = format!(
                    "{} {} is greater than {} {}",
                    words.0,
                    first.text(),
                    words.1,
                    second.text()
                );
                wrong(request, request, detail);
            }
        }
    }
    if let Some((a, default)) = &default {
        if let Some((b, min)) = &min
            && b > a
        {
            let (low, own) = (min.text(), default.text());
            wrong(default, min, format!("min value {low} is greater than default value {own}"));
        }
        if let Some((b, max)) = &max
            && a > b
        {
            let (own, high) = (default.text(), max.text());
            wrong(default, max, format!("default value {own} is greater than max value {high}"));
        }
    }
    if let Some((a, ratio)) = &ratio {
        if *a < 1_000_000_000 {
            wrong(ratio, ratio, format!("ratio {} is less than 1", ratio.text()));
        }
        if let (Some((low, _)), Some((high, _))) = (&min, &max) {
            let most = as_float(*high) / as_float(*low);
            if as_float(*a) / 1e9 > most {
                let detail = format!("ratio {} is greater than max/min = {most:.6}", ratio.text());
                wrong(ratio, ratio, detail);
            }
        }
    }
    if let (Some((a, default)), Some((b, request))) = (&default, &request)
        && a != b
        && !resources::allows_overcommit(name)
    {
        let detail = format!(
            "default value {} must equal to defaultRequest value {} in {name}",
            default.text(),
            request.text()
        );
        wrong(request, request, detail);
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is compared is a ratio, as in Go")]
fn as_float(nanos: i128) -> f64 {
    nanos as f64
}

const SCOPES: &str = "[]core.ResourceQuotaScope=string";
const KNOWN_SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];
const ONLY_EXISTS: &str = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
     ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
     ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
