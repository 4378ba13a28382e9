//! The kinds that keep pods running: Deployment, ReplicaSet, StatefulSet, DaemonSet,
//! ReplicationController, ControllerRevision.
//!
//! Source: `apps/validation/validation.go`, `core/validation` and the kinds' strategies.

use serde_json::{Map, Value};

use super::{
    Object,
    metadata::same,
    pod,
    text::{self, Selects},
};
use crate::{
    field::{At, Errors, is_same},
    status::StatusCause,
};

pub(super) fn deployment(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    deployment_spec(e, o);
}

pub(super) fn deployment_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    deployment_spec(e, o);
    selector_immutable(e, o);
}

fn deployment_spec(e: &mut Errors, o: &Object<'_>) {
    let spec = o.at("spec");
    e.non_negative(&spec.at("replicas"));
    selector_and_template(e, o, &spec);
    strategy(e, &spec.at("strategy"));
    e.non_negative(&spec.at("minReadySeconds"));
    e.non_negative(&spec.at("revisionHistoryLimit"));
    let deadline = spec.at("progressDeadlineSeconds");
    if deadline.is_set() {
        e.non_negative(&deadline);
        if deadline.int() <= spec.at("minReadySeconds").int() {
            e.invalid(&deadline, "must be greater than minReadySeconds");
        }
    }
}

pub(super) fn replica_set(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    replica_set_spec(e, o);
}

pub(super) fn replica_set_update(e: &mut Errors, o: &Object<'_>) {
    replica_set(e, o);
    o.metadata_update(e);
    replica_set_spec(e, o);
    selector_immutable(e, o);
}

fn replica_set_spec(e: &mut Errors, o: &Object<'_>) {
    let spec = o.at("spec");
    e.non_negative(&spec.at("replicas"));
    e.non_negative(&spec.at("minReadySeconds"));
    selector_and_template(e, o, &spec);
}

fn selector_immutable(e: &mut Errors, o: &Object<'_>) {
    let (new, old) = (o.at("spec").at("selector"), o.old("spec").at("selector"));
    e.immutable(&new, &old, SELECTOR);
}

/// What Deployments and ReplicaSets ask of selector and template.
fn selector_and_template(e: &mut Errors, o: &Object<'_>, spec: &At<'_>) {
    let selector = spec.at("selector");
    own_selector(e, &selector, "deployment");
    let labels = spec.at("template").at("metadata").at("labels");
    match text::matches(&selector, &labels) {
        None => e.invalid_as(&selector, SELECTOR, "invalid label selector"),
        Some(selects) => {
            if matches!(selects, Selects::Nothing | Selects::Some(false)) {
                mismatch(e, o, &labels);
            }
            pod::template(e, &spec.at("template"));
            always_running(e, &spec.at("template"), "ReplicaSet");
        }
    }
}

fn own_selector(e: &mut Errors, selector: &At<'_>, kind: &str) {
    if !selector.is_set() {
        return e.required(selector, "");
    }
    text::selector(e, selector);
    empty_selector(e, selector, kind);
}

fn empty_selector(e: &mut Errors, selector: &At<'_>, kind: &str) {
    if selector.at("matchLabels").is_empty() && selector.at("matchExpressions").is_empty() {
        e.invalid_as(selector, SELECTOR, &format!("empty selector is invalid for {kind}"));
    }
}

fn mismatch(e: &mut Errors, o: &Object<'_>, labels: &At<'_>) {
    const DETAIL: &str = "`selector` does not match template `labels`";
    let had_labels = || o.old("spec").at("template").at("metadata").at("labels").is_set();
    // What a patch takes away leaves a map without entries.
    let empty = Value::Object(Map::new());
    let value = if !labels.is_set() && had_labels() { &empty } else { labels.value() };
    let labels = labels.holding(value);
    e.invalid_as(&labels, "{map[string]string}string", DETAIL);
}

/// A template for pods that are started again whatever happens.
fn always_running(e: &mut Errors, template: &At<'_>, kind: &str) {
    let spec = template.at("spec");
    if !matches!(spec.at("restartPolicy").text(), "" | "Always") {
        e.not_supported(&spec.at("restartPolicy"), &["Always"]);
    }
    let deadline = spec.at("activeDeadlineSeconds");
    if deadline.is_set() {
        e.forbidden(&deadline, &format!("activeDeadlineSeconds in {kind} is not Supported"));
    }
}

fn strategy(e: &mut Errors, at: &At<'_>) {
    let rolling = at.at("rollingUpdate");
    match (at.at("type").text(), rolling.is_set()) {
        ("Recreate", true) => {
            e.forbidden(&rolling, "may not be specified when strategy `type` is 'Recreate'");
        }
        ("Recreate", false) | ("" | "RollingUpdate", false) => {}
        ("RollingUpdate", true) => {
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            text::int_or_percent(e, &unavailable);
            text::int_or_percent(e, &surge);
            if text::int_or_percent_value(&unavailable) == 0
                && text::int_or_percent_value(&surge) == 0
            {
                let detail = "may not be 0 when `maxSurge` is 0";
                e.invalid_as(&unavailable, "intstr.IntOrString", detail);
            }
            text::at_most_all(e, &unavailable);
        }
        _ => {
            let supported = ["Recreate", "RollingUpdate"];
            e.not_supported_as(at, "*apps.DeploymentStrategy", &supported);
        }
    }
}

pub(super) fn stateful_set(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    stateful_set_spec(e, o, true);
}

pub(super) fn stateful_set_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    stateful_set_spec(e, o, false);
    let (new, old) = (o.at("spec"), o.old("spec"));
    let mut members = new.map().cloned().unwrap_or_default();
    for key in [
        "replicas",
        "template",
        "updateStrategy",
        "minReadySeconds",
        "ordinals",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
    ] {
        match old.value().get(key) {
            Some(value) => members.insert(key.to_owned(), value.clone()),
            None => members.shift_remove(key),
        };
    }
    if !is_same(&Value::Object(members), old.value()) {
        e.forbidden(&new, STATEFUL_SET);
    }
}

fn stateful_set_spec(e: &mut Errors, o: &Object<'_>, checks_service: bool) {
    let spec = o.at("spec");
    let management = spec.at("podManagementPolicy");
    match management.text() {
        "" | "OrderedReady" | "Parallel" => {}
        _ => e.invalid(&management, "must be 'OrderedReady' or 'Parallel'"),
    }
    stateful_set_strategy(e, &spec.at("updateStrategy"));
    let retention = spec.at("persistentVolumeClaimRetentionPolicy");
    for key in ["whenDeleted", "whenScaled"] {
        let policy = retention.at(key);
        if retention.is_set() && !matches!(policy.text(), "" | "Retain" | "Delete") {
            e.not_supported(&policy, &["Retain", "Delete"]);
        }
    }
    e.non_negative(&spec.at("replicas"));
    e.non_negative(&spec.at("minReadySeconds"));
    let start = spec.at("ordinals").at("start");
    e.non_negative(&start);
    let service = spec.at("serviceName");
    if checks_service && !service.is_empty() {
        text::dns_label(e, &service);
    }
    let selector = spec.at("selector");
    own_selector(e, &selector, "statefulset");
    let template = spec.at("template");
    let labels = template.at("metadata").at("labels");
    match text::matches(&selector, &labels) {
        None => e.invalid_as(&selector, SELECTOR, ""),
        Some(selects) => {
            if matches!(selects, Selects::Nothing | Selects::Some(false)) {
                mismatch(e, o, &labels);
            }
            // The pods' specification itself is not validated here.
            text::labels(e, &template.at("labels").holding(labels.value()));
            let annotations = template.at("metadata").at("annotations");
            let annotations = template.at("annotations").holding(annotations.value());
            text::annotations(e, &annotations);
            pod::annotations(e, &annotations, &template.at("spec"));
        }
    }
    always_running(e, &template, "StatefulSet");
}

fn stateful_set_strategy(e: &mut Errors, at: &At<'_>) {
    let rolling = at.at("rollingUpdate");
    match at.at("type").text() {
        "OnDelete" if rolling.is_set() => {
            let go_type = "*apps.RollingUpdateStatefulSetStrategy";
            e.invalid_as(&rolling, go_type, "only allowed for updateStrategy 'RollingUpdate'");
        }
        "" | "OnDelete" => {}
        "RollingUpdate" => {
            e.non_negative(&rolling.at("partition"));
            let unavailable = rolling.at("maxUnavailable");
            if unavailable.is_set() {
                text::int_or_percent(e, &unavailable);
                if text::int_or_percent_value(&unavailable) == 0 {
                    e.invalid_as(&unavailable, "intstr.IntOrString", "cannot be 0");
                }
                text::at_most_all(e, &unavailable);
            }
        }
        _ => {
            let go_type = "apps.StatefulSetUpdateStrategy";
            e.invalid_as(at, go_type, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

pub(super) fn daemon_set(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    daemon_set_spec(e, o);
}

pub(super) fn daemon_set_update(e: &mut Errors, o: &Object<'_>) {
    daemon_set(e, o);
    o.metadata_update(e);
    daemon_set_spec(e, o);
    selector_immutable(e, o);
}

fn daemon_set_spec(e: &mut Errors, o: &Object<'_>) {
    let spec = o.at("spec");
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    text::selector(e, &selector);
    let labels = template.at("metadata").at("labels");
    let selects = text::matches(&selector, &labels);
    if matches!(selects, Some(Selects::Nothing | Selects::Some(false))) {
        mismatch(e, o, &labels);
    }
    if selector.is_set() {
        empty_selector(e, &selector, "daemonset");
    }
    pod::template(e, &template);
    always_running(e, &template, "DaemonSet");
    e.non_negative(&spec.at("minReadySeconds"));
    daemon_set_strategy(e, &spec.at("updateStrategy"));
    e.non_negative(&spec.at("revisionHistoryLimit"));
}

fn daemon_set_strategy(e: &mut Errors, at: &At<'_>) {
    let rolling = at.at("rollingUpdate");
    match (at.at("type").text(), rolling.is_set()) {
        ("" | "OnDelete", _) | ("RollingUpdate", false) => {}
        ("RollingUpdate", true) => {
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            text::int_or_percent(e, &unavailable);
            text::int_or_percent(e, &surge);
            text::at_most_all(e, &unavailable);
            text::at_most_all(e, &surge);
            let has = [&unavailable, &surge].map(|of| text::int_or_percent_value(of) != 0);
            match has {
                [true, true] => {
                    let detail = "may not be set when maxUnavailable is non-zero";
                    e.invalid_as(&surge, "intstr.IntOrString", detail);
                }
                [false, false] => {
                    e.required(&unavailable, "cannot be 0 when maxSurge is 0");
                }
                _ => {}
            }
        }
        _ => {
            let supported = ["RollingUpdate", "OnDelete"];
            e.not_supported_as(at, "*apps.DaemonSetUpdateStrategy", &supported);
        }
    }
}

pub(super) fn controller(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    controller_spec(e, o);
}

pub(super) fn controller_update(e: &mut Errors, o: &Object<'_>) {
    controller(e, o);
    o.metadata_update(e);
    controller_spec(e, o);
}

fn controller_spec(e: &mut Errors, o: &Object<'_>) {
    let spec = o.at("spec");
    e.non_negative(&spec.at("minReadySeconds"));
    let selector = spec.at("selector");
    // By default it is what the template is labelled with.
    if selector.is_empty() && spec.at("template").at("metadata").at("labels").is_empty() {
        e.required(&selector, "");
    }
    let replicas = spec.at("replicas");
    e.non_negative(&replicas);
    let template = spec.at("template");
    if !template.is_set() {
        return e.required(&template, "");
    }
    let labels = template.at("metadata").at("labels");
    let fits = |(key, value): (&str, At<'_>)| {
        labels.value().get(key).is_some_and(|label| label == value.value())
    };
    if !selector.entries().all(fits) {
        mismatch(e, o, &labels);
    }
    pod::template(e, &template);
    always_running(e, &template, "ReplicationController");
}

/// The status of any of them.
pub(super) fn subresource(e: &mut Errors, o: &Object<'_>, name: &str) {
    if name != "status" {
        return o.metadata_update(e);
    }
    let is_first = &*o.resource.plural == "statefulsets";
    if !is_first {
        o.metadata_update(e);
    }
    status(e, o);
    if is_first {
        o.metadata_update(e);
    }
    let (new, old) = (o.at("status").at("collisionCount"), o.old("status").at("collisionCount"));
    let is_decremented = match (new.opt_int(), old.opt_int()) {
        (None, Some(_)) => true,
        (Some(new), Some(old)) => new < old,
        _ => false,
    };
    if is_decremented {
        e.push(StatusCause::invalid(new.field(), new.int().to_string(), "cannot be decremented"));
    }
}

fn status(e: &mut Errors, o: &Object<'_>) {
    let status = o.at("status");
    let (counts, parts): (&[&'static str], &[&'static str]) = match &*o.resource.plural {
        "deployments" => (
            &[
                "observedGeneration",
                "replicas",
                "updatedReplicas",
                "readyReplicas",
                "availableReplicas",
                "unavailableReplicas",
                "terminatingReplicas",
                "collisionCount",
            ],
            &["updatedReplicas", "readyReplicas", "availableReplicas"],
        ),
        "statefulsets" => (
            &[
                "replicas",
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "collisionCount",
            ],
            &["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
        ),
        "daemonsets" => (
            &[
                "currentNumberScheduled",
                "numberMisscheduled",
                "desiredNumberScheduled",
                "numberReady",
                "observedGeneration",
                "updatedNumberScheduled",
                "numberAvailable",
                "numberUnavailable",
                "collisionCount",
            ],
            &[],
        ),
        _ => (
            &[
                "replicas",
                "fullyLabeledReplicas",
                "readyReplicas",
                "availableReplicas",
                "observedGeneration",
                "terminatingReplicas",
            ],
            &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        ),
    };
    for &key in counts {
        e.non_negative(&status.at(key));
    }
    let replicas = status.at("replicas").int();
    for &key in parts {
        if status.at(key).int() > replicas {
            e.invalid(&status.at(key), "cannot be greater than status.replicas");
        }
    }
    let available = status.at("availableReplicas");
    if !parts.is_empty() && available.int() > status.at("readyReplicas").int() {
        let of = if &*o.resource.plural == "statefulsets" { "status." } else { "" };
        e.invalid(&available, &format!("cannot be greater than {of}readyReplicas"));
    }
}

pub(super) fn revision(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    e.non_negative(&o.at("revision"));
    match o.at("data").value() {
        Value::Null => e.required(&o.at("data"), "data is mandatory"),
        Value::Object(_) => {}
        _ => e.required(&o.at("data"), "data must be a valid JSON object"),
    }
}

pub(super) fn revision_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    o.metadata(e);
    e.non_negative(&o.at("revision"));
    if !same(&o.at("data"), &o.old("data")) {
        e.invalid_value(&o.at("data"), "runtime.RawExtension{}", crate::field::IMMUTABLE);
    }
}

const SELECTOR: &str = "*v1.LabelSelector";
const STATEFUL_SET: &str = "updates to statefulset spec for fields other than 'replicas', \
     'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', \
     'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
