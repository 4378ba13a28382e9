//! queuewait.json and retryafter.json: what the HTTP filter decides by time.

use std::time::Duration;

use serde_json::Value;
use sim_flow::{
    DroppedRequestsTracker, TOO_MANY_REQUESTS_BODY, queue_wait_deadline, request_deadline,
};
use sim_time::SimTime;

use crate::golden::{list, replay, str_of, u64_of};

#[test]
fn queuewait() {
    replay("queuewait", |golden| {
        let cases = list(golden, "cases");
        for case in cases {
            let received = SimTime::from_secs(1000);
            let now = received + Duration::from_nanos(u64_of(&case["received_ago_ns"]));
            let max = Duration::from_nanos(u64_of(&case["request_timeout_ns"]));
            let deadline = match str_of(&case["verb"]) {
                "watch" => None,
                _ => match request_deadline(received, str_of(&case["query"]), max) {
                    Ok(deadline) => Some(deadline),
                    Err(_) => {
                        assert_eq!(u64_of(&case["http_status"]), 400, "{case}");
                        continue;
                    }
                },
            };
            assert_eq!(u64_of(&case["http_status"]), 200, "{case}");
            let since = |t: SimTime| u64::try_from(t.saturating_since(received).as_nanos()).ok();
            let recorded = |key: &str| case.get(key).map(u64_of);
            let wait = queue_wait_deadline(now, received, deadline, max);
            assert_eq!(since(wait), recorded("wait_deadline_from_received_ns"), "{case}");
            let handler = deadline.and_then(since);
            assert_eq!(handler, recorded("handler_deadline_from_received_ns"), "{case}");
            assert_eq!(now >= wait, case.get("ctx_err_at_handle").is_some(), "{case}");
        }
        cases.len()
    });
}

#[test]
fn retryafter() {
    replay("retryafter", |golden| {
        let start = 1_700_000_000;
        let series = list(golden, "series");
        for series in series {
            let mut tracker = DroppedRequestsTracker::default();
            for (second, row) in (start..).zip(list(series, "seconds")) {
                for _ in 0..u64_of(&row[0]) {
                    tracker.record(second);
                }
                assert_eq!(tracker.retry_after_s(), u64_of(&row[1]), "{} {second}", series["name"]);
            }
        }
        let mut cases = series.len();
        if let Some(response) = golden.get("response") {
            assert_eq!(str_of(&response["body"]), TOO_MANY_REQUESTS_BODY);
            assert_eq!(u64_of(&response["status"]), 429);
            let mut tracker = DroppedRequestsTracker::default();
            let values = list(response, "retry_after_5_drops_per_second");
            for (second, value) in (start..).zip(values) {
                for _ in 0..5 {
                    tracker.record(second);
                }
                let ours = Value::from(tracker.retry_after_s().to_string());
                assert_eq!(ours, *value, "{second}");
            }
            cases += 1;
        }
        cases
    });
}
