//! `pods/eviction`: a deletion that asks the pod's disruption budget first.
//!
//! Source: `pkg/registry/core/pod/storage/eviction.go`; recorded 1.33.2.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sim_store::{LabelSelector, StrMap};

use super::{canonical, set_pod_condition};
use crate::{
    CauseReason, Query, Release, Resource, Status, StatusCause, list_options::DeleteOptions,
    media_type, meta, schema::Schema, status::Result, table::selector_text,
};

/// Reads the body: an Eviction of `policy/v1` or of `policy/v1beta1`, which are alike.
pub fn read(release: Release, content_type: &str, body: &[u8]) -> Result<Value> {
    let kind = |version: &'static str| {
        let (plural, singular) = ("evictions".into(), "eviction".into());
        Resource::new("policy".into(), version.into(), plural, singular, "Eviction".into())
    };
    let decode = |version| media_type::decode_object(release, content_type, body, &kind(version));
    decode("v1").or_else(|error| decode("v1beta1").map_err(|_| error))
}

/// How the pod of an Eviction is to be deleted. `name` is the path's, `dry_run` the request's.
///
/// Only `All` is a dry run, so that what the two say cannot differ but in being said.
pub fn options(eviction: &Value, name: &str, dry_run: bool) -> Result<DeleteOptions> {
    if meta::name(eviction) != name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let given = match eviction.get("deleteOptions") {
        Some(given @ Value::Object(_)) => serde_json::to_vec(given).unwrap_or_default(),
        _ => return Ok(DeleteOptions { dry_run, ..DeleteOptions::default() }),
    };
    let mut options = DeleteOptions::parse(&Query::parse(""), "application/json", &given)?;
    options.dry_run |= dry_run;
    Ok(options)
}

/// What the budgets say.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Nothing stands in the way.
    Allowed,
    /// The budget is to be stored like this first.
    Spend(Box<Value>),
    /// The pod is not healthy and the budget does not count it: it may go if it is still at
    /// the version that was looked at. Otherwise the budget of this name is [`busy`].
    AllowedAtThisVersion(String),
}

/// Asks the budgets of the pod's namespace.
///
/// # Errors
///
/// 429 when one forbids it, 500 when there is more than one.
pub fn judge(pod: &Value, budgets: &[Value], now: Timestamp) -> Result<Verdict> {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default();
    let is_going = pod.pointer("/metadata/deletionTimestamp").is_some();
    if is_going || matches!(phase, "Succeeded" | "Failed" | "Pending") {
        return Ok(Verdict::Allowed);
    }
    let labels = pod.pointer("/metadata/labels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)));
    let labels = StrMap::from_pairs(labels);
    let mut matching = budgets.iter().filter(|budget| selects(budget, &labels));
    let (Some(budget), another) = (matching.next(), matching.next()) else {
        return Ok(Verdict::Allowed);
    };
    if another.is_some() {
        return Err(Status::plain_error(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does \
             not support.",
        ));
    }
    if !is_ready(pod) {
        let policy = budget.pointer("/spec/unhealthyPodEvictionPolicy").and_then(Value::as_str);
        let (healthy, desired) = (count(budget, "currentHealthy"), count(budget, "desiredHealthy"));
        if policy == Some("AlwaysAllow") || (healthy >= desired && desired > 0) {
            return Ok(Verdict::AllowedAtThisVersion(meta::name(budget).to_owned()));
        }
    }
    spend(pod, budget, now).map(Box::new).map(Verdict::Spend)
}

/// 429: the budget is not up to date, or the pod is not what it was.
pub fn busy(budget: &str) -> Status {
    let message = format!("The disruption budget {budget} is still being processed by the server.");
    violates(10, message)
}

/// The pod with the condition that tells of its eviction.
pub fn mark(pods: &Resource, pod: &Value, now: Timestamp) -> Value {
    let mut marked = pod.clone();
    let mut condition = Map::new();
    for (key, value) in [
        ("type", "DisruptionTarget"),
        ("status", "True"),
        ("reason", "EvictionByEvictionAPI"),
        ("message", "Eviction API: evicting"),
    ] {
        condition.insert(key.into(), value.into());
    }
    set_pod_condition(&mut marked, condition, now);
    canonical(pods, marked)
}

/// A selector that is missing or empty selects nothing here.
fn selects(budget: &Value, labels: &StrMap) -> bool {
    let Some(selector) = budget.pointer("/spec/selector") else { return false };
    selector_text(selector)
        .filter(|text| !text.is_empty())
        .and_then(|text| LabelSelector::parse(&text).ok())
        .is_some_and(|selector| selector.matches(labels))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
        text("type") == "Ready" && text("status") == "True"
    })
}

/// The budget with one disruption less.
fn spend(pod: &Value, budget: &Value, now: Timestamp) -> Result<Value> {
    let name = meta::name(budget);
    let generation = budget.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
    if count(budget, "observedGeneration") < generation {
        return Err(busy(name));
    }
    let allowed = count(budget, "disruptionsAllowed");
    let forbidden = |detail| Err(Status::forbidden("policy", "poddisruptionbudget", name, detail));
    if allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    let disrupted = budget.pointer("/status/disruptedPods").and_then(Value::as_object);
    if disrupted.is_some_and(|pods| pods.len() > DISRUPTED_PODS_MAX) {
        return forbidden(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        );
    }
    if allowed == 0 {
        let (desired, healthy) = (count(budget, "desiredHealthy"), count(budget, "currentHealthy"));
        let message = match sync_failure(budget) {
            Some(why) => format!(
                "The disruption budget {name} does not allow evicting pods currently because it \
                 failed sync: {why}"
            ),
            None => format!(
                "The disruption budget {name} needs {desired} healthy pods and has {healthy} \
                 currently"
            ),
        };
        return Err(violates(0, message));
    }
    let mut spent = budget.clone();
    let Some(status) = spent.get_mut("status").and_then(Value::as_object_mut) else {
        return Ok(spent);
    };
    status.insert("disruptionsAllowed".into(), (allowed - 1).into());
    if allowed == 1 {
        forbid_more(status, generation, now);
    }
    let disrupted = status.entry("disruptedPods").or_insert_with(|| json!({}));
    if let Some(disrupted) = disrupted.as_object_mut() {
        disrupted.insert(meta::name(pod).to_owned(), meta::time(now).into());
    }
    Ok(Schema::of_kind("policy/v1", "PodDisruptionBudget").canonical(spent))
}

/// Why its controller could not work out the budget, if it could not.
fn sync_failure(budget: &Value) -> Option<&str> {
    let conditions = budget.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find_map(|condition| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
        let failed = text("type") == "DisruptionAllowed"
            && text("status") == "False"
            && text("reason") == "SyncFailed";
        failed.then(|| text("message"))
    })
}

/// The condition of a budget that allows no disruption. Source: `UpdateDisruptionAllowedCondition`.
fn forbid_more(status: &mut Map<String, Value>, generation: i64, now: Timestamp) {
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else { return };
    let known = conditions.iter_mut().find(|known| known["type"] == "DisruptionAllowed");
    let since = known
        .as_deref()
        .filter(|known| known["status"] == "False")
        .map_or_else(|| meta::time(now).into(), |known| known["lastTransitionTime"].clone());
    let condition = json!({
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": "InsufficientPods",
        "message": "",
    });
    match known {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
}

fn count(budget: &Value, key: &str) -> i64 {
    budget.get("status").and_then(|status| status.get(key)?.as_i64()).unwrap_or(0)
}

fn violates(retry_after_seconds: u32, message: String) -> Status {
    let mut status = Status::too_many_requests(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        retry_after_seconds,
    );
    let reason = CauseReason::DisruptionBudget;
    if let Some(details) = &mut status.details {
        details.causes.push(StatusCause { reason, message, field: String::new() });
    }
    status
}

/// Source: `MaxDisruptedPodSize`.
const DISRUPTED_PODS_MAX: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(phase: &str, ready: bool) -> Value {
        let ready = if ready { "True" } else { "False" };
        json!({"metadata": {"name": "p", "labels": {"app": "a"}},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn budget(allowed: i64, observed: i64) -> Value {
        json!({"metadata": {"name": "b", "generation": 2},
            "spec": {"selector": {"matchLabels": {"app": "a"}}},
            "status": {"observedGeneration": observed, "disruptionsAllowed": allowed,
                "currentHealthy": 1, "desiredHealthy": 2}})
    }

    #[test]
    fn a_budget_is_asked_and_spent() {
        let now = Timestamp::UNIX_EPOCH;
        let running = pod("Running", true);
        let judged = judge(&running, &[budget(1, 2)], now).unwrap();
        let Verdict::Spend(spent) = judged else { panic!("{judged:?}") };
        assert_eq!(spent["status"]["disruptionsAllowed"], 0);
        assert_eq!(spent["status"]["disruptedPods"], json!({"p": "1970-01-01T00:00:00Z"}));
        assert_eq!(spent["status"]["conditions"][0]["reason"], "InsufficientPods");

        let cause = |pod: &Value, budgets: &[Value]| {
            let status = judge(pod, budgets, now).unwrap_err();
            (status.code, status.details.unwrap().causes[0].message.clone())
        };
        assert_eq!(
            cause(&running, &[budget(0, 2)]),
            (429, "The disruption budget b needs 2 healthy pods and has 1 currently".to_owned())
        );
        assert_eq!(
            cause(&running, &[budget(5, 1)]),
            (429, "The disruption budget b is still being processed by the server.".to_owned())
        );
        let two = [budget(5, 2), budget(5, 2)];
        assert_eq!(judge(&running, &two, now).unwrap_err().code, 500);
        assert_eq!(judge(&pod("Pending", true), &two, now), Ok(Verdict::Allowed));
        let mut other = budget(0, 2);
        other["spec"]["selector"] = json!({});
        assert_eq!(judge(&running, &[other], now), Ok(Verdict::Allowed));
    }

    #[test]
    fn a_sick_pod_may_go_when_the_budget_does_not_need_it() {
        let now = Timestamp::UNIX_EPOCH;
        let sick = pod("Running", false);
        let mut full = budget(0, 2);
        full["status"]["currentHealthy"] = 2.into();
        assert_eq!(judge(&sick, &[full], now), Ok(Verdict::AllowedAtThisVersion("b".to_owned())));
        let mut lenient = budget(0, 2);
        lenient["spec"]["unhealthyPodEvictionPolicy"] = "AlwaysAllow".into();
        assert_eq!(
            judge(&sick, &[lenient], now),
            Ok(Verdict::AllowedAtThisVersion("b".to_owned()))
        );
        assert_eq!(judge(&sick, &[budget(0, 2)], now).unwrap_err().code, 429);
    }
}
