//! Flow control: may it run now?

use std::sync::{Arc, PoisonError};

use http::header;
use sim_flow::{
    INFLIGHT_RETRY_AFTER_S, InflightDecision, Permit, RequestKind, TOO_MANY_REQUESTS_BODY,
};

use super::{reply::Reply, request::Call};
use crate::app::App;

/// A place that is given back when the response has ended.
pub(crate) struct Seat {
    app: Arc<App>,
    permit: Permit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut filter = self.app.inflight.lock().unwrap_or_else(PoisonError::into_inner);
        filter.release(self.app.clock.now(), self.permit);
    }
}

/// The max-inflight filter; returns the refusal, if it is one.
pub(super) fn run(call: &mut Call) -> Option<Reply> {
    if call.info.is_long_running() || call.info.path.starts_with("/sim/") {
        return None;
    }
    let groups = call.user.as_ref().map_or(&[][..], |user| &user.groups);
    let mutating = RequestKind::of_verb(call.info.verb) == RequestKind::Mutating;
    let now = call.app.clock.now();
    let decision = {
        let mut filter = call.app.inflight.lock().unwrap_or_else(PoisonError::into_inner);
        filter.try_acquire(now, mutating, groups)
    };
    match decision {
        InflightDecision::Exempt => None,
        InflightDecision::Admit(permit) => {
            call.seat = Some(Seat { app: Arc::clone(&call.app), permit });
            None
        }
        InflightDecision::Reject => Some(
            Reply::text(429, TOO_MANY_REQUESTS_BODY)
                .with(header::RETRY_AFTER, &INFLIGHT_RETRY_AFTER_S.to_string()),
        ),
    }
}

/// Puts the gauges of the filter into the metrics.
pub(crate) fn publish(app: &App) {
    let filter = app.inflight.lock().unwrap_or_else(PoisonError::into_inner);
    let now = app.clock.now();
    for kind in [RequestKind::ReadOnly, RequestKind::Mutating] {
        let value = i64::from(filter.watermark(now, kind));
        app.metrics.current_inflight.with_label_values(&[kind.as_str()]).set(value);
    }
}
