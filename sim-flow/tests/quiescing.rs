//! Levels that come and go under load, and broken objects.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;

use serde_json::json;
use sim_flow::{
    Controller, ControllerConfig, Decision, Event, RejectReason, Release, RequestDigest,
    RequestHandle,
    api::{self, FlowSchema, PriorityLevelConfiguration},
};
use sim_time::SimTime;

fn level(name: &str, queues: i32) -> PriorityLevelConfiguration {
    let queuing = json!({"queues": queues, "handSize": 1, "queueLengthLimit": 10});
    api::priority_level_from_json(json!({
        "metadata": {"name": name, "uid": format!("uid-{name}")},
        "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 1, "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Queue", "queuing": queuing}}},
    }))
    .unwrap()
}

fn schema(level: &str) -> FlowSchema {
    api::flow_schema_from_json(json!({
        "metadata": {"name": "everybody", "uid": "uid-everybody"},
        "spec": {"priorityLevelConfiguration": {"name": level}, "rules": [{
            "subjects": [{"kind": "User", "user": {"name": "*"}}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}]},
    }))
    .unwrap()
}

fn config() -> ControllerConfig {
    ControllerConfig { server_concurrency_limit: 6, ..ControllerConfig::new(Release::NEWEST) }
}

fn request(apf: &mut Controller, now: SimTime) -> (String, Decision) {
    let mut digest = RequestDigest::default();
    digest.user.name = "alice".to_owned();
    digest.request.verb = "get".to_owned();
    digest.request.path = "/x".to_owned();
    let deadline = now + std::time::Duration::from_secs(15);
    let admission = apf.handle_request(now, Arc::new(digest), deadline);
    (admission.priority_level.name.clone(), admission.decision)
}

fn executing(decision: Decision) -> RequestHandle {
    let Decision::Execute(handle) = decision else { panic!("{decision:?}") };
    handle
}

#[test]
fn a_busy_level_without_an_object_drains_and_then_goes() {
    let mut apf = Controller::new(SimTime::ZERO, config());
    let now = SimTime::from_secs(1);
    apf.handle_config_change(now, vec![schema("busy")], vec![level("busy", 4)]);
    let (name, first) = request(&mut apf, now);
    assert_eq!(name, "busy");
    let first = executing(first);
    let (_, second) = request(&mut apf, now);
    let Decision::Wait(second) = second else { panic!("there is one seat: {second:?}") };

    apf.handle_config_change(now, vec![schema("busy")], Vec::new());
    assert!(apf.level("busy").unwrap().is_quiescing());
    assert_eq!(apf.conditions()[0].1.reason, "NotFound");
    let (name, other) = request(&mut apf, now);
    assert_eq!(name, "catch-all");
    apf.handle_finish(now, executing(other));

    apf.handle_finish(now, first);
    assert_eq!(apf.poll_event(), Some(Event::Execute(second)));
    apf.handle_finish(now, second);
    assert!(apf.level("busy").is_none());
    // Void handles do nothing.
    apf.handle_finish(now, second);
    apf.handle_cancel(now, first);
    assert_eq!(apf.poll_event(), None);
}

#[test]
fn a_broken_level_is_as_if_it_were_absent() {
    let mut apf = Controller::new(SimTime::ZERO, config());
    apf.handle_config_change(SimTime::ZERO, vec![schema("broken")], vec![level("broken", -1)]);
    assert_eq!(apf.levels().count(), 2);
    assert_eq!(request(&mut apf, SimTime::ZERO).0, "catch-all");
}

#[test]
fn waits_end_at_their_deadline_or_when_the_client_leaves() {
    let mut apf = Controller::new(SimTime::ZERO, config());
    let now = SimTime::from_secs(1);
    apf.handle_config_change(now, vec![schema("busy")], vec![level("busy", 4)]);
    let first = executing(request(&mut apf, now).1);
    let (_, Decision::Wait(late)) = request(&mut apf, now) else { panic!() };
    let (_, Decision::Wait(gone)) = request(&mut apf, now) else { panic!() };
    apf.handle_cancel(SimTime::from_secs(2), gone);
    assert_eq!(apf.poll_event(), None);
    apf.handle_timeout(SimTime::from_secs(15));
    assert_eq!(apf.poll_event(), None);
    assert_eq!(apf.poll_timeout(), SimTime::from_secs(16));
    apf.handle_timeout(SimTime::from_secs(16));
    let Some(Event::Reject(handle, rejection)) = apf.poll_event() else { panic!() };
    assert_eq!((handle, rejection.reason), (late, RejectReason::TimeOut));
    apf.handle_finish(SimTime::from_secs(17), first);
    let totals = *apf.level("busy").unwrap().queues().totals();
    assert_eq!((totals.dispatched, totals.rejected, totals.cancelled), (1, 2, 2));
}
