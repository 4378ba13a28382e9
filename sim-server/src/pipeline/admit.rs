//! Flow control: may it run now?

use std::sync::{Arc, PoisonError};

use http::{HeaderName, HeaderValue, header};
use sim_flow::{
    INFLIGHT_RETRY_AFTER_S, InflightDecision, ObjectRef, Permit, RequestDigest, RequestInfo,
    RequestKind, TOO_MANY_REQUESTS_BODY, UserInfo, queue_wait_deadline,
};

use super::{reply::Reply, request::Call};
use crate::{
    app::App,
    flow::{Apf, ApfSeat, FlowControl, WatchEntry},
};

/// A place that is given back when the response has ended.
pub(crate) enum Seat {
    Apf { _seat: ApfSeat },
    Inflight { app: Arc<App>, permit: Permit },
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Self::Inflight { app, permit } = self
            && let FlowControl::Inflight(filter) = &app.flow
        {
            let mut filter = filter.lock().unwrap_or_else(PoisonError::into_inner);
            filter.release(app.clock.now(), *permit);
        }
    }
}

/// Takes a place, waiting for it where the filter has queues; returns the refusal, if it is one.
pub(super) async fn run(call: &mut Call) -> Option<Reply> {
    if call.info.path == "/sim" || call.info.path.starts_with("/sim/") {
        return None;
    }
    let app = Arc::clone(&call.app);
    match &app.flow {
        FlowControl::Inflight(_) if call.info.is_long_running() => None,
        // Of the long-running ones, only watches pass API Priority and Fairness.
        FlowControl::Apf(_) if call.info.is_long_running() && call.info.verb != "watch" => None,
        FlowControl::Inflight(_) => inflight(call),
        FlowControl::Apf(apf) => fair(call, apf).await,
    }
}

fn inflight(call: &mut Call) -> Option<Reply> {
    let FlowControl::Inflight(filter) = &call.app.flow else { return None };
    let groups = call.user.as_ref().map_or(&[][..], |user| &user.groups);
    let mutating = RequestKind::of_verb(call.info.verb) == RequestKind::Mutating;
    let decision = {
        let mut filter = filter.lock().unwrap_or_else(PoisonError::into_inner);
        filter.try_acquire(call.app.clock.now(), mutating, groups)
    };
    match decision {
        InflightDecision::Exempt => None,
        InflightDecision::Admit(permit) => {
            call.seat = Some(Seat::Inflight { app: Arc::clone(&call.app), permit });
            None
        }
        InflightDecision::Reject => Some(refusal(INFLIGHT_RETRY_AFTER_S.into())),
    }
}

async fn fair(call: &mut Call, apf: &Arc<Apf>) -> Option<Reply> {
    let digest = Arc::new(digest(call));
    count_objects(call, apf);
    let (received, deadline) = (call.received, call.deadline);
    let timeout = call.app.config.request_timeout;
    let admitted =
        apf.admit(digest, |now| queue_wait_deadline(now, received, deadline, timeout)).await;
    for (name, object) in [
        ("x-kubernetes-pf-flowschema-uid", &admitted.flow_schema),
        ("x-kubernetes-pf-prioritylevel-uid", &admitted.priority_level),
    ] {
        call.answer_headers.extend(uid_header(name, object));
    }
    match admitted.outcome {
        Ok(seat) => {
            call.seat = Some(Seat::Apf { _seat: seat });
            None
        }
        Err(rejection) => Some(refusal(rejection.retry_after_s)),
    }
}

fn uid_header(name: &'static str, object: &ObjectRef) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_static(name), HeaderValue::from_str(&object.uid).ok()?))
}

fn refusal(retry_after_s: u64) -> Reply {
    Reply::text(429, TOO_MANY_REQUESTS_BODY).with(header::RETRY_AFTER, &retry_after_s.to_string())
}

/// Counts what a LIST or WATCH is about, where counting is exact.
fn count_objects(call: &Call, apf: &Apf) {
    let info = &call.info;
    if !matches!(info.verb, "list" | "watch") || !call.app.config.object_count_poll.is_zero() {
        return;
    }
    let served = call.app.served();
    if let Some(resource) = served.table.lookup(&info.api_group, &info.api_version, &info.resource)
    {
        let shelf = call.app.shelf(resource);
        let (count, bytes) = shelf.collection.size();
        apf.set_object_count(&resource.group_resource(), count, bytes);
    }
}

/// Counts every resource, as the real server's poll does.
pub(crate) fn count_all(app: &App) {
    let Some(apf) = app.flow.apf() else { return };
    for resource in app.served().table.iter().filter(|resource| resource.is_storage_version()) {
        let (count, bytes) = app.shelf(resource).collection.size();
        apf.set_object_count(&resource.group_resource(), count, bytes);
    }
}

fn digest(call: &Call) -> RequestDigest {
    let info = &call.info;
    let user = call.user.as_ref();
    RequestDigest {
        request: RequestInfo {
            is_resource_request: info.is_resource_request,
            path: info.path.clone(),
            verb: info.verb.to_owned(),
            api_group: info.api_group.clone(),
            api_version: info.api_version.clone(),
            namespace: info.namespace.clone(),
            resource: info.resource.clone(),
            subresource: info.subresource.clone(),
            name: info.name.clone(),
        },
        user: UserInfo {
            name: user.map(|user| user.name.clone()).unwrap_or_default(),
            groups: user.map(|user| user.groups.clone()).unwrap_or_default(),
        },
        query: call.parts.uri.query().unwrap_or_default().to_owned(),
    }
}

/// Notes a watch with flow control, which prices writes by their watchers.
pub(crate) fn watch_entry(call: &Call) -> Option<WatchEntry> {
    call.app.flow.apf().map(|apf| apf.register_watch(&digest(call)))
}

/// Puts the gauges of the max-inflight filter into the metrics; the other filter has its own.
pub(crate) fn publish(app: &App) {
    let FlowControl::Inflight(filter) = &app.flow else { return };
    let filter = filter.lock().unwrap_or_else(PoisonError::into_inner);
    for kind in [RequestKind::ReadOnly, RequestKind::Mutating] {
        let value = filter.watermark(app.clock.now(), kind);
        app.metrics.current_inflight.with_label_values(&[kind.as_str()]).set(value.into());
    }
}
