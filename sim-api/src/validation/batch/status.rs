//! The status of a Job.
//!
//! Source: `validateJobStatus`, `ValidateJobStatusUpdate` with the options that the strategy
//! sets where the gate JobManagedBy is on, as it is since 1.32.

use std::collections::BTreeSet;

use crate::{
    field::{At, Errors},
    validation::{Object, metadata::same},
};

pub(super) fn job(e: &mut Errors, o: &Object<'_>) {
    let (status, old) = (o.at("status"), o.old("status"));
    counts(e, &status);
    let changed = |key: &'static str| !same(&status.at(key), &old.at(key));
    let is = |kind: &str| has(&status, kind);
    let flipped = |kind: &str| has(&status, kind) != has(&old, kind);
    let conditions = status.at("conditions");
    let wrong = |e: &mut Errors, applies: bool, detail: &str| {
        if applies {
            e.invalid_omitted(&conditions, detail);
        }
    };
    let complete_changed = flipped(COMPLETE);
    let (complete, failed, target) = (is(COMPLETE), is(FAILED), is(TARGET));
    let finished = complete || failed;
    let finished_changed = finished != (has(&old, COMPLETE) || has(&old, FAILED));
    wrong(
        e,
        (complete_changed || flipped(FAILED)) && complete && failed,
        "cannot set Complete=True and Failed=true conditions",
    );
    wrong(
        e,
        (complete_changed || flipped(TARGET)) && complete && target,
        "cannot set Complete=True and FailureTarget=true conditions",
    );
    let completion = status.at("completionTime");
    if complete_changed || changed("completionTime") {
        if completion.is_set() && !complete {
            let detail = "cannot set completionTime when there is no Complete=True condition";
            e.invalid_as(&completion, TIME, detail);
        }
        if !completion.is_set() && complete {
            e.required(&completion, "completionTime is required for Complete jobs");
        }
    }
    let start = status.at("startTime");
    if changed("startTime") || changed("completionTime") {
        let both = start.is_set() && completion.is_set();
        if both && completion.text() < start.text() {
            let detail = "completionTime cannot be set before startTime";
            e.invalid_as(&completion, TIME, detail);
        }
    }
    wrong(
        e,
        (flipped(FAILED) || changed("failedIndexes")) && failed && !target,
        "cannot set Failed=True condition without the FailureTarget=true condition",
    );
    wrong(
        e,
        (complete_changed || flipped(SUCCESS)) && complete && !is(SUCCESS),
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
    );
    if finished && (finished_changed || changed("active")) && status.at("active").int() > 0 {
        e.invalid(&status.at("active"), "active>0 is invalid for finished job");
    }
    if finished && (finished_changed || changed("startTime")) && !start.is_set() {
        e.required(&start, "startTime is required for finished job");
    }
    let pods = status.at("uncountedTerminatedPods");
    let uncounted = !pods.at("failed").is_empty() || !pods.at("succeeded").is_empty();
    if finished && (finished_changed || changed("uncountedTerminatedPods")) && uncounted {
        let detail = "uncountedTerminatedPods needs to be empty for finished job";
        e.invalid_as(&pods, "*batch.UncountedTerminatedPods", detail);
    }
    index_lists(e, o);
    let terminating = status.at("terminating");
    if finished && (finished_changed || changed("terminating")) && terminating.int() > 0 {
        e.invalid(&terminating, "terminating>0 is invalid for finished job");
    }
    let ready = status.at("ready");
    if (changed("ready") || changed("active")) && ready.int() > status.at("active").int() {
        e.invalid(&ready, "cannot set more ready pods than active");
    }
    wrong(
        e,
        is(SUCCESS) && failed,
        "cannot set SuccessCriteriaMet=True and Failed=true conditions",
    );
    wrong(
        e,
        is(SUCCESS) && target,
        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
    );
    wrong(
        e,
        o.at("spec").at("successPolicy").is_set() && !is(SUCCESS) && complete,
        "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
    );
    update(e, o);
}

/// What asks what it was before.
fn update(e: &mut Errors, o: &Object<'_>) {
    let (status, old) = (o.at("status"), o.old("status"));
    let conditions = status.at("conditions");
    for kind in [FAILED, COMPLETE, TARGET] {
        if has(&old, kind) && !has(&status, kind) {
            let detail = format!("cannot disable the terminal {kind}=True condition");
            e.invalid_omitted(&conditions, &detail);
        }
    }
    let spec = o.at("spec");
    let is_elastic = spec.at("completionMode").text() == "Indexed"
        && same(&spec.at("completions"), &spec.at("parallelism"));
    for (key, applies) in [("failed", true), ("succeeded", !is_elastic)] {
        let (new, before) = (status.at(key), old.at(key));
        if applies && new.int() < before.int() {
            let detail = format!("cannot decrease the {key} counter");
            e.invalid_value(&new, new.int().to_string(), &detail);
        }
    }
    let (completion, before) = (status.at("completionTime"), old.at("completionTime"));
    if completion.is_set() && before.is_set() && !same(&completion, &before) {
        e.invalid_as(&completion, TIME, "completionTime cannot be mutated");
    }
    let (start, before) = (status.at("startTime"), old.at("startTime"));
    if before.is_set() && !same(&start, &before) && !spec.at("suspend").flag() {
        e.required(&start, "startTime cannot be removed for unsuspended job");
    }
    if has(&old, SUCCESS) && !has(&status, SUCCESS) {
        e.invalid_omitted(&conditions, "cannot disable the SuccessCriteriaMet=True condition");
    }
    if has(&old, COMPLETE) && !has(&old, SUCCESS) && has(&status, SUCCESS) {
        let detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true \
                      conditions";
        e.invalid_omitted(&conditions, detail);
    }
}

fn counts(e: &mut Errors, status: &At<'_>) {
    for key in ["active", "succeeded", "failed", "ready", "terminating"] {
        e.non_negative(&status.at(key));
    }
    let mut seen = BTreeSet::new();
    for key in ["succeeded", "failed"] {
        for pod in status.at("uncountedTerminatedPods").at(key).items() {
            if pod.is_empty() {
                e.invalid(&pod, "must not be empty");
            } else if !seen.insert(pod.text()) {
                e.duplicate(&pod);
            }
        }
    }
}

fn index_lists(e: &mut Errors, o: &Object<'_>) {
    let (status, old, spec) = (o.at("status"), o.old("status"), o.at("spec"));
    let completions = spec.at("completions");
    for key in ["completedIndexes", "failedIndexes"] {
        let list = status.at(key);
        let applies = key == "completedIndexes" || spec.at("backoffLimitPerIndex").is_set();
        if same(&list, &old.at(key)) || !completions.is_set() || !applies {
            continue;
        }
        if let Err(error) = indexes(list.text(), completions.int()) {
            e.invalid(&list, &format!("error parsing {key}: {error}"));
        }
    }
    let list = status.at("completedIndexes");
    let is_indexed = spec.at("completionMode").text() == "Indexed";
    if !same(&list, &old.at("completedIndexes")) && !list.is_empty() && !is_indexed {
        let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
        e.invalid(&list, detail);
    }
    let list = status.at("failedIndexes");
    let is_limited = spec.at("backoffLimitPerIndex").is_set();
    if !same(&list, &old.at("failedIndexes")) && list.is_set() && !is_limited {
        let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        e.invalid(&list, detail);
    }
}

/// How many indexes a list such as `1,3-5` has; `validateIndexesFormat`.
pub(super) fn indexes(text: &str, completions: i64) -> Result<i64, String> {
    let mut last: Option<i64> = None;
    let mut total = 0;
    for interval in text.split(',').filter(|_| !text.is_empty()) {
        let (first, end) = interval_of(interval, completions)?;
        if let Some(last) = last
            && last >= first
        {
            return Err(format!("non-increasing order, previous: {last}, current: {first}"));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

fn interval_of(interval: &str, completions: i64) -> Result<(i64, i64), String> {
    let number = |text: &str| {
        let quoted = crate::go::quote(text);
        let number: i64 = text
            .parse()
            .map_err(|_| format!("cannot convert string to integer for index: {quoted}"))?;
        if number >= completions { Err(format!("too large index: {quoted}")) } else { Ok(number) }
    };
    let parts: Vec<&str> = interval.split('-').collect();
    match &parts[..] {
        [only] => number(only).map(|number| (number, number)),
        [first, end] => {
            let (first, end) = (number(first)?, number(end)?);
            if first >= end {
                return Err(format!("non-increasing order, previous: {first}, current: {end}"));
            }
            Ok((first, end))
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two \
             parts separated by '-'",
            crate::go::quote(interval)
        )),
    }
}

fn has(status: &At<'_>, kind: &str) -> bool {
    status.at("conditions").items().any(|condition| {
        condition.at("type").text() == kind && condition.at("status").text() == "True"
    })
}

const COMPLETE: &str = "Complete";
const FAILED: &str = "Failed";
const TARGET: &str = "FailureTarget";
const SUCCESS: &str = "SuccessCriteriaMet";
const TIME: &str = "*v1.Time";
