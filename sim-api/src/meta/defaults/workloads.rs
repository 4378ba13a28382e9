//! Defaults of what makes pods.
//!
//! Source: k8s.io/kubernetes `pkg/apis/{apps,batch,autoscaling}/v*/defaults.go` and
//! `pkg/apis/core/v1/defaults.go` (1.33); checked against recordings.

use serde_json::{Map, Value, json};

use super::{array, object, pod_spec::pod_spec, put_default, text};

/// The pods that `spec.template` makes.
pub(super) fn template(spec: &mut Map<String, Value>) {
    let template = object(spec, "template").and_then(|template| object(template, "spec"));
    if let Some(template) = template {
        pod_spec(template);
    }
}

pub(super) fn deployment(spec: &mut Map<String, Value>) {
    put_default(spec, "replicas", json!(1));
    put_default(spec, "revisionHistoryLimit", json!(10));
    put_default(spec, "progressDeadlineSeconds", json!(600));
    put_default(spec, "strategy", json!({}));
    let Some(strategy) = object(spec, "strategy") else { return };
    put_default(strategy, "type", json!("RollingUpdate"));
    if text(strategy, "type") == "RollingUpdate" {
        put_default(strategy, "rollingUpdate", json!({}));
        if let Some(update) = object(strategy, "rollingUpdate") {
            put_default(update, "maxUnavailable", json!("25%"));
            put_default(update, "maxSurge", json!("25%"));
        }
    }
}

pub(super) fn stateful_set(spec: &mut Map<String, Value>) {
    put_default(spec, "replicas", json!(1));
    put_default(spec, "revisionHistoryLimit", json!(10));
    put_default(spec, "podManagementPolicy", json!("OrderedReady"));
    put_default(spec, "updateStrategy", json!({}));
    if let Some(strategy) = object(spec, "updateStrategy") {
        let is_new = text(strategy, "type").is_empty();
        put_default(strategy, "type", json!("RollingUpdate"));
        if is_new {
            put_default(strategy, "rollingUpdate", json!({"partition": 0}));
        }
        if let Some(update) = object(strategy, "rollingUpdate") {
            put_default(update, "partition", json!(0));
        }
    }
    put_default(spec, "persistentVolumeClaimRetentionPolicy", json!({}));
    if let Some(policy) = object(spec, "persistentVolumeClaimRetentionPolicy") {
        put_default(policy, "whenDeleted", json!("Retain"));
        put_default(policy, "whenScaled", json!("Retain"));
    }
    for claim in array(spec, "volumeClaimTemplates") {
        put_default(claim, "kind", json!("PersistentVolumeClaim"));
        put_default(claim, "apiVersion", json!("v1"));
        put_default(claim, "status", json!({}));
        if let Some(spec) = object(claim, "spec") {
            put_default(spec, "volumeMode", json!("Filesystem"));
        }
        if let Some(status) = object(claim, "status") {
            put_default(status, "phase", json!("Pending"));
        }
    }
}

pub(super) fn daemon_set(spec: &mut Map<String, Value>) {
    put_default(spec, "revisionHistoryLimit", json!(10));
    put_default(spec, "updateStrategy", json!({}));
    let Some(strategy) = object(spec, "updateStrategy") else { return };
    put_default(strategy, "type", json!("RollingUpdate"));
    if text(strategy, "type") == "RollingUpdate" {
        put_default(strategy, "rollingUpdate", json!({}));
        if let Some(update) = object(strategy, "rollingUpdate") {
            put_default(update, "maxUnavailable", json!(1));
            put_default(update, "maxSurge", json!(0));
        }
    }
}

/// A controller of old selects and is labelled as its pods are.
pub(super) fn replication_controller(members: &mut Map<String, Value>) {
    let labels = template_labels(members);
    if let Some(spec) = object(members, "spec") {
        put_default(spec, "replicas", json!(1));
        if let Some(labels) = &labels {
            put_default(spec, "selector", labels.clone());
        }
    }
}

pub(super) fn job(spec: &mut Map<String, Value>) {
    if is_unset(spec, "completions") && is_unset(spec, "parallelism") {
        put_default(spec, "completions", json!(1));
    }
    put_default(spec, "parallelism", json!(1));
    let limit = if is_unset(spec, "backoffLimitPerIndex") { 6 } else { i32::MAX };
    put_default(spec, "backoffLimit", json!(limit));
    put_default(spec, "completionMode", json!("NonIndexed"));
    put_default(spec, "suspend", json!(false));
    put_default(spec, "manualSelector", json!(false));
    let policy = if is_unset(spec, "podFailurePolicy") { "TerminatingOrFailed" } else { "Failed" };
    put_default(spec, "podReplacementPolicy", json!(policy));
    if let Some(failure) = object(spec, "podFailurePolicy") {
        for rule in array(failure, "rules") {
            for pattern in array(rule, "onPodConditions") {
                put_default(pattern, "status", json!("True"));
            }
        }
    }
}

/// Labels of the template, where an object without labels takes those.
pub(super) fn template_labels(members: &Map<String, Value>) -> Option<Value> {
    let labels = members.get("spec")?.pointer("/template/metadata/labels")?;
    labels.as_object().filter(|labels| !labels.is_empty()).map(|_| labels.clone())
}

/// What ties the pods of a new Job to it, unless the client does that: labels and the selector.
///
/// Source: `generateSelector` of `pkg/registry/batch/job/strategy.go`.
pub(in crate::meta) fn select_pods_of_job(
    members: &mut Map<String, Value>,
    metadata: &mut Map<String, Value>,
) {
    let given = template_labels(members);
    let Some(spec) = object(members, "spec") else { return };
    if spec.get("manualSelector").is_some_and(|manual| manual == true) {
        return;
    }
    let (uid, name) = (text(metadata, "uid").to_owned(), text(metadata, "name").to_owned());
    let Some(template) = object(spec, "template") else { return };
    put_default(template, "metadata", json!({}));
    let Some(of_pods) = object(template, "metadata") else { return };
    put_default(of_pods, "labels", json!({}));
    let Some(labels) = object(of_pods, "labels") else { return };
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key.to_owned(), value.as_str().into());
    }
    labels.sort_keys();
    // The Job has the labels of its pods, when it has none of its own.
    if is_unset(metadata, "labels") || metadata.get("labels") == given.as_ref() {
        metadata.insert("labels".into(), labels.clone().into());
    }
    put_default(spec, "selector", json!({}));
    let Some(selector) = object(spec, "selector") else { return };
    put_default(selector, "matchLabels", json!({}));
    if let Some(labels) = object(selector, "matchLabels") {
        labels.insert("batch.kubernetes.io/controller-uid".into(), uid.into());
    }
}

pub(super) fn cron_job(spec: &mut Map<String, Value>) {
    put_default(spec, "concurrencyPolicy", json!("Allow"));
    put_default(spec, "suspend", json!(false));
    put_default(spec, "successfulJobsHistoryLimit", json!(3));
    put_default(spec, "failedJobsHistoryLimit", json!(1));
    if let Some(job) = object(spec, "jobTemplate").and_then(|template| object(template, "spec")) {
        template(job);
    }
}

/// Of version 2; version 1 has but the first.
pub(super) fn autoscaler(spec: &mut Map<String, Value>, is_v1: bool) {
    put_default(spec, "minReplicas", json!(1));
    if is_v1 {
        return;
    }
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        spec.insert("metrics".into(), json!([cpu]));
    }
    let Some(behavior) = object(spec, "behavior") else { return };
    let doubling = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let by_four = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    for (name, policies, window) in [
        ("scaleUp", json!([by_four, doubling]), Some(json!(0))),
        ("scaleDown", json!([doubling]), None),
    ] {
        put_default(behavior, name, json!({}));
        let Some(rules) = object(behavior, name) else { continue };
        put_default(rules, "selectPolicy", json!("Max"));
        if let Some(window) = window {
            put_default(rules, "stabilizationWindowSeconds", window);
        }
        if rules.get("policies").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            rules.insert("policies".into(), policies);
        }
    }
}

fn is_unset(members: &Map<String, Value>, key: &str) -> bool {
    members.get(key).is_none_or(Value::is_null)
}
