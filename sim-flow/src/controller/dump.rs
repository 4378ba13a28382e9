//! The text of `/debug/api_priority_and_fairness/dump_*`.
//!
//! Source: `pkg/util/flowcontrol/apf_controller_debug.go`.

use sim_time::SimTime;

use super::{Controller, LevelView, Payload};
use crate::{QueueSetDump, Request, text};

impl Controller {
    /// One row for each level, by name.
    pub fn dump_priority_levels(&self) -> String {
        let mut rows = vec![cells(&[
            "PriorityLevelName",
            "ActiveQueues",
            "IsIdle",
            "IsQuiescing",
            "WaitingRequests",
            "ExecutingRequests",
            "DispatchedRequests",
            "RejectedRequests",
            "TimedoutRequests",
            "CancelledRequests",
        ])];
        for level in self.levels() {
            let queues = level.queues();
            let totals = queues.totals();
            rows.push(vec![
                level.object().name.clone(),
                queues.num_queues_waiting().to_string(),
                queues.is_idle().to_string(),
                level.is_quiescing().to_string(),
                totals.waiting.to_string(),
                totals.executing.to_string(),
                totals.dispatched.to_string(),
                totals.rejected.to_string(),
                // Never counted by the real server: time-outs count as cancelled.
                "0".to_owned(),
                totals.cancelled.to_string(),
            ]);
        }
        text::table(&rows)
    }

    /// One row for each queue. Levels come by name; on a real server in no order.
    pub fn dump_queues(&self) -> String {
        let mut rows = vec![cells(&[
            "PriorityLevelName",
            "Index",
            "PendingRequests",
            "ExecutingRequests",
            "SeatsInUse",
            "NextDispatchR",
            "InitialSeatsSum",
            "MaxSeatsSum",
            "TotalWorkSum",
        ])];
        for level in self.levels() {
            for (index, queue) in level.queues().dump_queues().enumerate() {
                rows.push(vec![
                    level.object().name.clone(),
                    index.to_string(),
                    queue.waiting.to_string(),
                    queue.executing.to_string(),
                    queue.seats_in_use.to_string(),
                    queue.next_dispatch_r.to_string(),
                    queue.initial_seats_sum.to_string(),
                    queue.max_seats_sum.to_string(),
                    queue.total_work_sum.to_string(),
                ]);
            }
        }
        text::table(&rows)
    }

    /// One row for each waiting or executing request; more columns with `include_details`, which
    /// the query's `includeRequestDetails` asks for by any value.
    pub fn dump_requests(&self, include_details: bool) -> String {
        // The tenth header has the column's end only when more columns follow.
        let mut header = cells(&[
            "PriorityLevelName",
            "FlowSchemaName",
            "QueueIndex",
            "RequestIndexInQueue",
            "FlowDistingsher",
            "ArriveTime",
            "InitialSeats",
            "FinalSeats",
            "AdditionalLatency",
            "StartTime",
        ]);
        if include_details {
            header.extend(cells(&[
                "UserName",
                "Verb",
                "APIPath",
                "Namespace",
                "Name",
                "APIVersion",
                "Resource",
                "SubResource",
            ]));
        }
        let mut rows = vec![header];
        for level in self.levels() {
            let dump = level.queues().dump();
            for (queue, index, request) in in_order(&dump) {
                rows.push(self.request_row(level, queue, index, request, include_details));
            }
        }
        text::table(&rows)
    }

    fn request_row(
        &self,
        level: LevelView<'_>,
        queue: Option<usize>,
        index: Option<usize>,
        request: &Request<Payload>,
        include_details: bool,
    ) -> Vec<String> {
        let payload = &request.payload;
        let number = |n: Option<usize>| n.map_or_else(|| "-1".to_owned(), |n| n.to_string());
        let time =
            |t: SimTime| text::rfc3339(self.config.start_unix_ns.saturating_add(t.as_nanos()));
        let mut row = vec![
            level.object().name.clone(),
            self.metrics.flows[payload.flow].schema.clone(),
            number(queue),
            number(index),
            payload.distinguisher.of_request(&payload.digest).to_owned(),
            time(request.arrival_time),
            request.work.initial_seats.to_string(),
            request.work.final_seats.to_string(),
            text::go_duration(request.work.additional_latency),
            request.start_time.map_or_else(|| NEVER.to_owned(), time),
        ];
        if include_details {
            let info = &payload.digest.request;
            let version = if info.api_group.is_empty() {
                info.api_version.clone()
            } else {
                format!("{}/{}", info.api_group, info.api_version)
            };
            row.extend([
                payload.digest.user.name.clone(),
                info.verb.clone(),
                info.path.clone(),
                info.namespace.clone(),
                info.name.clone(),
                version,
                info.resource.clone(),
                info.subresource.clone(),
            ]);
        }
        row
    }
}

type Row<'a> = (Option<usize>, Option<usize>, &'a Request<Payload>);

/// By queue: the waiting requests, then the executing ones. Those without a queue come last.
fn in_order<'a>(dump: &QueueSetDump<'a, Payload>) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> =
        dump.waiting.iter().map(|&(queue, index, r)| (Some(queue), Some(index), r)).collect();
    rows.extend(dump.executing.iter().map(|&(queue, r)| (queue, None, r)));
    rows.sort_by_key(|&(queue, index, _)| (queue.is_none(), queue, index.is_none()));
    rows
}

fn cells(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{ControllerConfig, Decision, Release, RequestDigest};

    fn controller() -> Controller {
        let config = ControllerConfig::new(Release::new(33).unwrap());
        let mut controller = Controller::with_bootstrap(SimTime::ZERO, config);
        let mut digest = RequestDigest::default();
        digest.user.name = "admin".to_owned();
        digest.user.groups = vec!["system:masters".to_owned()];
        digest.request.verb = "get".to_owned();
        digest.request.path = "/version".to_owned();
        let now = SimTime::from_nanos(1_500_000_000);
        let admission = controller.handle_request(now, Arc::new(digest), SimTime::MAX);
        assert!(matches!(admission.decision, Decision::Execute(_)));
        controller
    }

    /// Headers and padding as in the dumps recorded from kube-apiserver 1.33.
    #[test]
    fn dumps_have_the_real_layout() {
        let levels = controller().dump_priority_levels();
        let mut lines = levels.lines();
        assert_eq!(
            lines.next(),
            Some(
                "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, \
                 ExecutingRequests, DispatchedRequests, RejectedRequests, TimedoutRequests, \
                 CancelledRequests"
            )
        );
        assert_eq!(
            lines.next(),
            Some(
                "catch-all,         0,            true,   false,       0,               0,         \
                 \x20       0,                  0,                0,                0"
            )
        );
        assert_eq!(lines.count(), 7);

        let queues = controller().dump_queues();
        assert_eq!(queues.lines().count(), 1 + 64 + 64 + 16 + 3 * 128);
        assert!(queues.contains(
            "system,            0,      0,               0,                 0,          \
             0.00000000ss,  0,               0,           0.00000000ss\n"
        ));

        let requests = controller().dump_requests(true);
        assert_eq!(
            requests.lines().nth(1),
            Some(
                "exempt,            exempt,         -1,         -1,                  ,            \
                 \x20   2026-01-01T00:00:01.5Z, 1,            0,          0s,                \
                 2026-01-01T00:00:01.5Z, admin,    get,    /version, ,          ,       ,         \
                 \x20 ,         "
            )
        );
    }
}
