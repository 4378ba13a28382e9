//! width-*.json: seats of LISTs, watches and mutations; watchers; object counts.

use std::time::Duration;

use serde_json::Value;
use sim_flow::{
    ObjectCountError, ObjectCounts, ObjectStats, Release, RequestInfo, WatchTracker, WorkEstimate,
    WorkEstimator,
};
use sim_time::SimTime;

use crate::golden::{i64_of, list, replay, str_of, u64_of};

fn text(case: &Value, key: &str) -> String {
    case.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn request_of(case: &Value) -> Option<RequestInfo> {
    if case.get("no_request_info").is_some() {
        return None;
    }
    Some(RequestInfo {
        is_resource_request: true,
        verb: text(case, "verb"),
        api_group: text(case, "api_group"),
        resource: text(case, "resource"),
        subresource: text(case, "subresource"),
        namespace: text(case, "namespace"),
        name: text(case, "name"),
        ..RequestInfo::default()
    })
}

fn stats_of(case: &Value) -> Result<ObjectStats, ObjectCountError> {
    let average_bytes = case.get("avg_size").map_or(0, i64_of);
    match &case["count"] {
        Value::String(error) => Err(match error.as_str() {
            "notfound" => ObjectCountError::NotFound,
            "stale" => ObjectCountError::Stale,
            "error" => ObjectCountError::Other,
            other => panic!("unknown error {other}"),
        }),
        count => Ok(ObjectStats { count: i64_of(count), average_bytes }),
    }
}

fn estimates(estimator: &WorkEstimator, cases: &[Value]) -> usize {
    for case in cases {
        let request = request_of(case);
        let watch_count = case.get("watch_count").map_or(0, u64_of);
        let max_seats = u64_of(&case["max_seats"]).try_into().unwrap();
        let query = text(case, "query");
        let stats = |key: &str| {
            let request = request.as_ref().unwrap();
            assert_eq!(key, request.group_resource());
            stats_of(case)
        };
        let work =
            estimator.estimate(request.as_ref(), &query, max_seats, stats, || watch_count).work;
        let recorded = WorkEstimate {
            initial_seats: u64_of(&case["out"][0]),
            final_seats: u64_of(&case["out"][1]),
            additional_latency: Duration::from_nanos(u64_of(&case["out"][2])),
        };
        assert_eq!(work, recorded, "{case}");
    }
    cases.len()
}

fn watch_tracker(steps: &[Value]) {
    let mut tracker = WatchTracker::default();
    let mut ids = Vec::new();
    for step in steps {
        let mut id = None;
        let field = |i: usize| str_of(&step[i]).to_owned();
        let request = || RequestInfo {
            is_resource_request: true,
            verb: field(1),
            api_group: field(2),
            resource: field(3),
            namespace: field(4),
            name: field(5),
            ..RequestInfo::default()
        };
        match str_of(&step[0]) {
            "register" => {
                id = tracker.register(&request(), str_of(&step[6]));
                assert_eq!(Some(id.is_some()), step[7].as_bool(), "{step}");
            }
            "forget" => {
                let index = usize::try_from(u64_of(&step[1])).unwrap();
                let registered: &Option<_> = &ids[index];
                tracker.forget(registered.expect("it was registered"));
            }
            "count" => {
                assert_eq!(tracker.interested(&request()), u64_of(&step[6]), "{step}");
            }
            other => panic!("unknown step {other}"),
        }
        ids.push(id);
    }
}

fn object_counts(keeps_negative: bool, steps: &[Value]) {
    let mut now = SimTime::ZERO;
    let mut counts = ObjectCounts::new(now, keeps_negative);
    for step in steps {
        match str_of(&step[0]) {
            "set" => {
                let stats = ObjectStats { count: i64_of(&step[2]), average_bytes: 0 };
                counts.set(now, str_of(&step[1]), stats);
            }
            "sleep" => now += Duration::from_nanos(u64_of(&step[1])),
            "get" => {
                let (stats, error) = counts.stats(now, str_of(&step[1]));
                assert_eq!(stats.count, i64_of(&step[2]), "{step}");
                let error = error.map_or_else(String::new, |error| error.to_string());
                assert_eq!(error, str_of(&step[3]), "{step}");
            }
            other => panic!("unknown step {other}"),
        }
    }
}

fn replay_release(name: &str, minor: u8) {
    replay(name, |golden| {
        let profile = Release::new(minor).unwrap().profile();
        let supported = WorkEstimator::new(profile);
        let unsupported = WorkEstimator { etcd_supports_progress: false, ..supported };
        object_counts(profile.size_based_list_cost_estimate, list(golden, "object_count"));
        watch_tracker(list(golden, "watch_tracker"));
        estimates(&supported, list(golden, "list_etcd_progress_supported"))
            + estimates(&unsupported, list(golden, "list_etcd_progress_unsupported"))
            + estimates(&supported, list(golden, "mutating"))
            + list(golden, "object_count").len()
            + list(golden, "watch_tracker").len()
    });
}

#[test]
fn width_1_32() {
    replay_release("width-v0.32.6", 32);
}

#[test]
fn width_1_33() {
    replay_release("width-v0.33.2", 33);
}

#[test]
fn width_1_37() {
    replay_release("width-v0.37.2", 37);
}
