//! Jobs and CronJobs.
//!
//! Source: `batch/validation/validation.go` and the kinds' strategies. The time zone of a CronJob
//! is checked by its form alone.

mod failure;
mod status;

use serde_json::{Value, json};

use super::{
    Object, cron,
    metadata::same,
    pod,
    text::{self, Selects},
};
use crate::{
    field::{At, Errors, is_same},
    status::StatusCause,
};

pub(super) fn job(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let spec = o.at("spec");
    generated_selector(e, o);
    selected_spec(e, o, &spec);
    let completions = spec.at("completions").int();
    if spec.at("completionMode").text() == "Indexed" && completions > 0 {
        let name = o.at("metadata").at("name");
        let host = format!("{}-{}", name.text(), completions - 1);
        if !text::label(&host).is_empty() {
            let detail = format!("will not able to create pod with invalid DNS label: {host}");
            e.invalid(&name, &detail);
        }
    }
}

pub(super) fn job_update(e: &mut Errors, o: &Object<'_>) {
    job(e, o);
    o.metadata_update(e);
    let (spec, old) = (o.at("spec"), o.old("spec"));
    selected_spec(e, o, &spec);
    completions(e, &spec, &old);
    e.immutable(&spec.at("selector"), &old.at("selector"), SELECTOR);
    template(e, o, &spec, &old);
    for (key, go_type) in [
        ("completionMode", "*batch.CompletionMode=string"),
        ("podFailurePolicy", "*batch.PodFailurePolicy"),
        ("backoffLimitPerIndex", "*int32"),
        ("managedBy", "*string"),
        ("successPolicy", "*batch.SuccessPolicy"),
    ] {
        e.immutable(&spec.at(key), &old.at(key), go_type);
    }
}

pub(super) fn job_subresource(e: &mut Errors, o: &Object<'_>, name: &str) {
    o.metadata_update(e);
    if name == "status" {
        status::job(e, o);
    }
}

/// `validateGeneratedSelector`, of one that is there.
fn generated_selector(e: &mut Errors, o: &Object<'_>) {
    let (spec, metadata) = (o.at("spec"), o.at("metadata"));
    let selector = spec.at("selector");
    if spec.at("manualSelector").flag() || !selector.is_set() {
        return;
    }
    let (uid, name) = (metadata.at("uid").text(), metadata.at("name").text());
    let labels = spec.at("template").at("metadata").at("labels");
    for (key, expected) in [
        ("controller-uid", uid),
        ("job-name", name),
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
    ] {
        let label = labels.key(key);
        let detail = format!("must be '{expected}'");
        if !label.is_set() {
            e.required(&label, &detail);
        } else if label.text() != expected {
            e.invalid_as(&label.holding(labels.value()), LABELS, &detail);
        }
    }
    let expected = json!({
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    });
    let expected = labels.holding(&expected);
    if matches!(text::matches(&selector, &expected), Some(Selects::Some(false))) {
        e.invalid_as(&selector, SELECTOR, "`selector` not auto-generated");
    }
}

/// `ValidateJobSpec`. A selector that the server would have made is not missed.
fn selected_spec(e: &mut Errors, o: &Object<'_>, spec: &At<'_>) {
    job_spec(e, spec);
    let selector = spec.at("selector");
    if !selector.is_set() {
        if spec.at("manualSelector").flag() {
            e.required(&selector, "");
        }
        return;
    }
    text::selector(e, &selector);
    let labels = o.at("spec").at("template").at("metadata").at("labels");
    if matches!(text::matches(&selector, &labels), Some(Selects::Some(false))) {
        e.invalid_as(&labels, LABELS, "`selector` does not match template `labels`");
    }
}

/// `validateJobSpec`.
fn job_spec(e: &mut Errors, spec: &At<'_>) {
    for key in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        e.non_negative(&spec.at(key));
    }
    let per_index = spec.at("backoffLimitPerIndex");
    if spec.at("maxFailedIndexes").is_set() && !per_index.is_set() {
        e.required(&per_index, "when maxFailedIndexes is specified");
    }
    let manager = spec.at("managedBy");
    if manager.is_set() {
        text::domain_prefixed_path(e, &manager);
        if manager.text().len() > 63 {
            e.too_long(&manager, 63);
        }
    }
    let mode = spec.at("completionMode");
    text::one_of(e, &mode, &["NonIndexed", "Indexed"]);
    if mode.text() == "Indexed" {
        indexed(e, spec);
    }
    if matches!(mode.text(), "" | "NonIndexed") {
        for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if spec.at(key).is_set() {
                e.invalid(&spec.at(key), "requires indexed completion mode");
            }
        }
    }
    failure::policy(e, spec);
    let success = spec.at("successPolicy");
    if success.is_set() && mode.text() != "Indexed" {
        e.invalid_as(&success, "batch.SuccessPolicy", "requires indexed completion mode");
    } else if success.is_set() {
        success_policy(e, spec, &success);
    }
    let replacement = spec.at("podReplacementPolicy");
    if spec.at("podFailurePolicy").is_set() {
        text::one_of(e, &replacement, &["Failed"]);
    } else {
        text::one_of(e, &replacement, &["Failed", "TerminatingOrFailed"]);
    }
    pod::template(e, &spec.at("template"));
    let policy = spec.at("template").at("spec").at("restartPolicy");
    match policy.text() {
        "" | "Always" => e.required(&policy, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if spec.at("podFailurePolicy").is_set() => {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified";
            e.invalid(&policy, detail);
        }
        "OnFailure" | "Never" => {}
        _ => e.not_supported(&policy, &["OnFailure", "Never"]),
    }
}

fn indexed(e: &mut Errors, spec: &At<'_>) {
    const HIGH: &str = "when completions are above 100000 and used with backoff limit per index";
    let [completions, parallelism, failed] =
        ["completions", "parallelism", "maxFailedIndexes"].map(|key| spec.at(key));
    if !completions.is_set() {
        e.required(&completions, "when completion mode is Indexed");
    }
    if parallelism.int() > 100_000 {
        let detail = "must be less than or equal to 100000 when completion mode is Indexed";
        e.invalid(&parallelism, detail);
    }
    if completions.is_set() && failed.int() > completions.int() {
        e.invalid(&failed, "must be less than or equal to completions");
    }
    if failed.int() > 100_000 {
        e.invalid(&failed, "must be less than or equal to 100000");
    }
    if completions.int() > 100_000 && spec.at("backoffLimitPerIndex").is_set() {
        if !failed.is_set() {
            e.required(&failed, "must be specified when completions is above 100000");
        }
        for of in [&parallelism, &failed] {
            if of.int() > 10_000 {
                e.invalid(of, &format!("must be less than or equal to 10000 {HIGH}"));
            }
        }
    }
}

fn success_policy(e: &mut Errors, spec: &At<'_>, at: &At<'_>) {
    let rules = at.at("rules");
    if rules.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        e.required(&rules, detail);
    }
    if rules.list().len() > 20 {
        e.too_many(&rules, rules.list().len(), 20);
    }
    let completions = spec.at("completions").int();
    for rule in rules.items() {
        let (count, indexes) = (rule.at("succeededCount"), rule.at("succeededIndexes"));
        if !count.is_set() && !indexes.is_set() {
            let detail = "at least one of succeededCount or succeededIndexes must be specified";
            e.required(&rule, detail);
        }
        let mut total = 0;
        if indexes.is_set() {
            if indexes.text().len() > 64 << 10 {
                e.too_long(&indexes, 64 << 10);
            }
            match status::indexes(indexes.text(), completions) {
                Ok(found) => total = found,
                Err(error) => {
                    e.invalid(&indexes, &format!("error parsing succeededIndexes: {error}"));
                }
            }
        }
        if !count.is_set() {
            continue;
        }
        e.non_negative(&count);
        for (is_limited, limit, of) in [
            (true, completions, "specified completions"),
            (indexes.is_set(), total, "indexes in the specified succeededIndexes field"),
        ] {
            if is_limited && count.int() > limit {
                let detail = format!("must be less than or equal to {limit} (the number of {of})");
                e.invalid(&count, &detail);
            }
        }
    }
}

/// `validateCompletions`.
fn completions(e: &mut Errors, spec: &At<'_>, old: &At<'_>) {
    let (new, old) = (spec.at("completions"), old.at("completions"));
    if spec.at("completionMode").text() != "Indexed" {
        return e.immutable(&new, &old, "*int32");
    }
    let is_changed = new.value() != old.value() && new.is_set();
    if is_changed && new.int() != spec.at("parallelism").int() {
        e.invalid(&new, "can only be modified in tandem with spec.parallelism");
    }
}

/// `validatePodTemplateUpdate`: a suspended job that never began may be scheduled otherwise.
fn template(e: &mut Errors, o: &Object<'_>, spec: &At<'_>, old: &At<'_>) {
    let (new, before) = (spec.at("template"), old.at("template"));
    let is_mutable = old.at("suspend").flag() && !o.old("status").at("startTime").is_set();
    let mut kept = before.value().clone();
    if is_mutable {
        for (part, keys) in [
            ("metadata", &["annotations", "labels"][..]),
            ("spec", &["nodeSelector", "tolerations", "schedulingGates"][..]),
        ] {
            keep(&mut kept, part, keys, new.value());
        }
        let affinity = |of: &Value| of.pointer("/spec/affinity").cloned().unwrap_or_default();
        let mut merged = affinity(&kept);
        let wanted = affinity(new.value()).get("nodeAffinity").cloned();
        if let (Value::Null, Some(wanted)) = (&merged, &wanted) {
            merged = json!({ "nodeAffinity": wanted });
        } else if let Some(members) = merged.as_object_mut() {
            match wanted {
                Some(wanted) => members.insert("nodeAffinity".into(), wanted),
                None => members.shift_remove("nodeAffinity"),
            };
        }
        if let Some(spec) = kept.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("affinity".into(), merged);
        }
    }
    if !is_same(&kept, new.value()) {
        e.invalid_as(&new, "*core.PodTemplateSpec", crate::field::IMMUTABLE);
    }
}

fn keep(kept: &mut Value, part: &str, keys: &[&str], new: &Value) {
    let Some(members) = kept.get_mut(part).and_then(Value::as_object_mut) else { return };
    for key in keys {
        match new.get(part).and_then(|of| of.get(key)) {
            Some(value) => members.insert((*key).to_owned(), value.clone()),
            None => members.shift_remove(*key),
        };
    }
}

pub(super) fn cron_job(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    cron_job_spec(e, o);
    let name = o.at("metadata").at("name");
    if name.text().len() > 52 {
        e.invalid(&name, "must be no more than 52 characters");
    }
}

pub(super) fn cron_job_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    cron_job_spec(e, o);
}

/// Its status is not validated at all.
pub(super) fn cron_job_subresource(_e: &mut Errors, _o: &Object<'_>, _name: &str) {}

fn cron_job_spec(e: &mut Errors, o: &Object<'_>) {
    let (spec, old) = (o.at("spec"), o.old("spec"));
    let (schedule, zone) = (spec.at("schedule"), spec.at("timeZone"));
    if schedule.is_empty() {
        e.required(&schedule, "");
    } else {
        if let Some(error) = cron::error(schedule.text()) {
            e.invalid(&schedule, &error);
        }
        let has_zone = schedule.text().contains("TZ");
        if old.at("schedule").text().contains("TZ") {
            if has_zone && zone.is_set() {
                let detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
                e.invalid(&schedule, detail);
            }
        } else if has_zone {
            let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            e.invalid(&schedule, detail);
        }
    }
    e.non_negative(&spec.at("startingDeadlineSeconds"));
    if zone.is_set() && !same(&zone, &old.at("timeZone")) {
        time_zone(e, &zone);
    }
    text::one_of(e, &spec.at("concurrencyPolicy"), &["Allow", "Forbid", "Replace"]);
    let job = spec.at("jobTemplate").at("spec");
    job_spec(e, &job);
    let selector = job.at("selector");
    if selector.is_set() {
        e.invalid_as(&selector, SELECTOR, "`selector` will be auto-generated");
    }
    if job.at("manualSelector").flag() {
        e.not_supported(&job.at("manualSelector"), &["nil", "false"]);
    }
    for key in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        e.non_negative(&spec.at(key));
    }
}

fn time_zone(e: &mut Errors, at: &At<'_>) {
    if at.is_empty() {
        return e.invalid(at, "timeZone must be nil or non-empty string");
    }
    let is_part = |part: &str| {
        let is_char = |b: u8| b.is_ascii_alphanumeric() || b"._-+".contains(&b);
        !matches!(part, "." | "..")
            && !part.starts_with('-')
            && (1..=14).contains(&part.len())
            && part.bytes().all(is_char)
    };
    if !at.text().split('/').all(is_part) {
        return e.invalid(at, &format!("unknown time zone {}", at.text()));
    }
    if at.text().eq_ignore_ascii_case("Local") {
        let detail = "timeZone must be an explicit time zone as defined in \
                      https://www.iana.org/time-zones";
        e.push(StatusCause::invalid_text(at.field(), at.text(), detail));
    }
}

const SELECTOR: &str = "*v1.LabelSelector";
const LABELS: &str = "{map[string]string}string";
