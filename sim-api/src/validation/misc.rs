//! Kinds with a few rules each: PodDisruptionBudgets, PriorityClasses, RuntimeClasses, Leases,
//! APIServices.
//!
//! Source: `{policy,scheduling,node,coordination}/validation/validation.go`,
//! k8s.io/kube-aggregator `pkg/apis/apiregistration/validation`.

use super::{
    Object, metadata,
    pod::{self, resources},
    text,
};
use crate::{
    field::{At, Errors},
    go_syntax,
    meta::names,
    status::StatusCause,
};

/// Its metadata is validated with that of all kinds alone.
pub(super) fn budget(e: &mut Errors, o: &Object<'_>) {
    let spec = o.at("spec");
    let (available, unavailable) = (spec.at("minAvailable"), spec.at("maxUnavailable"));
    if available.is_set() && unavailable.is_set() {
        let detail = "minAvailable and maxUnavailable cannot be both set";
        e.invalid_as(&spec, "policy.PodDisruptionBudgetSpec", detail);
    }
    for amount in [available, unavailable] {
        if amount.is_set() {
            text::int_or_percent(e, &amount);
            text::at_most_all(e, &amount);
        }
    }
    text::selector(e, &spec.at("selector"));
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    text::one_of(e, &spec.at("unhealthyPodEvictionPolicy"), &policies);
}

pub(super) fn budget_subresource(e: &mut Errors, o: &Object<'_>, _name: &str) {
    let status = o.at("status");
    metadata::conditions(e, &status.at("conditions"));
    for key in ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] {
        e.non_negative(&status.at(key));
    }
}

pub(super) fn priority_class(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let (name, value) = (o.at("metadata").at("name"), o.at("value"));
    if name.text().starts_with("system-") {
        if let Some(error) = system_class(name.text(), value.int(), o.at("globalDefault").flag()) {
            let detail = format!(
                "priority class names with 'system-' prefix are reserved for system use only. \
                 error: {error}"
            );
            e.forbidden(&name, &detail);
        }
    } else if value.int() > HIGHEST_PRIORITY {
        let detail = "maximum allowed value of a user defined priority is 1000000000";
        e.forbidden(&value, detail);
    }
    pod::preemption_policy(e, &o.at("preemptionPolicy"));
}

/// `IsKnownSystemPriorityClass`.
fn system_class(name: &str, value: i64, is_default: bool) -> Option<String> {
    let wanted = match name {
        "system-node-critical" => 2_000_001_000,
        "system-cluster-critical" => 2_000_000_000,
        _ => return Some(format!("{name} is not a known system priority class")),
    };
    if value != wanted {
        return Some(format!("value of {name} PriorityClass must be {wanted}"));
    }
    is_default.then(|| format!("globalDefault of {name} PriorityClass must be false"))
}

pub(super) fn priority_class_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    if o.at("value").int() != o.old("value").int() {
        e.forbidden(&o.at("value"), "may not be changed in an update.");
    }
    let key = "preemptionPolicy";
    e.immutable(&o.at(key), &o.old(key), "*core.PreemptionPolicy=string");
}

pub(super) fn runtime_class(e: &mut Errors, o: &Object<'_>) {
    o.plain_metadata(e);
    text::dns_label(e, &o.at("handler"));
    let overhead = o.at("overhead");
    if overhead.is_set() {
        resources::overhead(e, &overhead.holding(overhead.at("podFixed").value()));
    }
    let scheduling = o.at("scheduling");
    text::labels(e, &scheduling.at("nodeSelector"));
    let tolerations = scheduling.at("tolerations");
    pod::tolerations(e, &tolerations.named("tolerations"));
    let key = |at: &At<'_>| {
        ["key", "operator", "value", "effect"].map(|name| at.value().get(name).cloned())
    };
    for (place, toleration) in tolerations.items().enumerate() {
        if tolerations.items().take(place).any(|other| key(&other) == key(&toleration)) {
            let value = go_syntax::bad_value("core.Toleration", toleration.value());
            e.push(StatusCause::duplicate(toleration.field(), value));
        }
    }
}

pub(super) fn runtime_class_update(e: &mut Errors, o: &Object<'_>) {
    runtime_class(e, o);
    o.plain_metadata_update(e);
    e.immutable(&o.at("handler"), &o.old("handler"), "string");
}

pub(super) fn lease(e: &mut Errors, o: &Object<'_>) {
    o.plain_metadata(e);
    lease_spec(e, &o.at("spec"));
}

pub(super) fn lease_update(e: &mut Errors, o: &Object<'_>) {
    o.plain_metadata_update(e);
    lease_spec(e, &o.at("spec"));
}

fn lease_spec(e: &mut Errors, spec: &At<'_>) {
    let (seconds, transitions) = (spec.at("leaseDurationSeconds"), spec.at("leaseTransitions"));
    if seconds.is_set() && seconds.int() <= 0 {
        e.invalid(&seconds, "must be greater than 0");
    }
    e.non_negative(&transitions);
    let (strategy, holder) = (spec.at("strategy"), spec.at("preferredHolder"));
    if strategy.is_set() {
        // The real path has the member twice.
        let at = strategy.named("strategy");
        if strategy.text().contains('/') {
            text::qualified_name(e, &at);
        } else if strategy.text() != "OldestEmulationVersion" {
            e.not_supported(&at, &["OldestEmulationVersion"]);
        }
    }
    if !holder.is_empty() && strategy.is_empty() {
        e.forbidden(&holder, "may only be specified if `strategy` is defined");
    }
}

pub(super) fn api_service(e: &mut Errors, o: &Object<'_>) {
    let spec = o.at("spec");
    let wanted = format!("{}.{}", spec.at("version").text(), spec.at("group").text());
    metadata::kind_named(e, o, &|name, is_prefix| {
        let errors = names::path_segment(name, is_prefix);
        if !errors.is_empty() || name == wanted {
            return errors;
        }
        vec![format!("must be `spec.version+\".\"+spec.group`: {}", crate::go::quote(&wanted))]
    });
    let [group, version, service, bundle, insecure] =
        ["group", "version", "service", "caBundle", "insecureSkipTLSVerify"]
            .map(|key| spec.at(key));
    if group.is_empty() && version.text() != "v1" {
        e.required(&group, "only v1 may have an empty group and it better be legacy kube");
    }
    if !group.is_empty() {
        text::dns_subdomain(e, &group);
    }
    e.each_invalid(&version, names::label_1035(version.text()));
    for (key, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let priority = spec.at(key);
        if !(1..=most).contains(&priority.int()) {
            let detail = format!("must be positive and less than {most}");
            e.invalid_value(&priority, priority.int().to_string(), &detail);
        }
    }
    if !service.is_set() {
        if !bundle.is_empty() {
            let bytes = bundle.text().trim_end_matches('=').len() * 3 / 4;
            let detail = "local APIServices may not have a caBundle";
            e.invalid_text(&bundle, &format!("{bytes} bytes"), detail);
        }
        if insecure.flag() {
            e.invalid(&insecure, "local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    }
    for key in ["namespace", "name"] {
        if service.at(key).is_empty() {
            e.required(&service.at(key), "");
        }
    }
    let port = service.at("port");
    if let Some(error) = text::port_number(port.int()).filter(|_| port.is_set()) {
        e.invalid(&port, &format!("port is not valid: {error}"));
    }
    if insecure.flag() && !bundle.is_empty() {
        e.invalid(&insecure, "may not be true if caBundle is present");
    }
}

pub(super) fn api_service_update(e: &mut Errors, o: &Object<'_>) {
    o.plain_metadata_update(e);
    api_service(e, o);
}

pub(super) fn api_service_subresource(e: &mut Errors, o: &Object<'_>, _name: &str) {
    o.plain_metadata_update(e);
    for condition in o.at("status").at("conditions").items() {
        let status = condition.at("status");
        if !matches!(status.text(), "True" | "False" | "Unknown") {
            e.not_supported(&status, &["True", "False", "Unknown"]);
        }
    }
}

/// Source: `HighestUserDefinablePriority`.
const HIGHEST_PRIORITY: i64 = 1_000_000_000;
