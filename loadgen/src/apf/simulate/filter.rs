//! What decides whether a request executes: API Priority and Fairness, or the max-in-flight filter.

use std::{sync::Arc, time::Duration};

use sim_flow::{
    Controller, Decision, INFLIGHT_RETRY_AFTER_S, InflightDecision, InflightFilter, InflightLimits,
    Permit, RequestDigest, RequestHandle, RequestKind, WorkEstimate, queue_wait_deadline,
    request_deadline,
};
use sim_time::SimTime;

use super::super::{
    config::FlowConfig,
    load::{Hold, Load},
};

/// The filter at work.
pub(super) enum Filter {
    Apf(Box<Controller>),
    Inflight(InflightFilter),
}

/// A place that an executing request has.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Apf(RequestHandle),
    Inflight(Option<Permit>),
}

/// What becomes of a request.
pub(super) enum Verdict {
    Execute(Place),
    Wait(RequestHandle),
    Reject { reason: &'static str, retry_after_s: u64 },
}

/// A verdict with what led to it.
pub(super) struct Decided {
    pub(super) level: String,
    pub(super) seats: u64,
    pub(super) verdict: Verdict,
}

/// A level's state now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelState {
    pub(super) limit: u32,
    pub(super) seats: u64,
    pub(super) executing: usize,
    pub(super) waiting: usize,
}

impl Filter {
    pub(super) fn new(config: &FlowConfig, load: &Load) -> Self {
        if !load.apf {
            return Self::Inflight(InflightFilter::new(InflightLimits {
                read_only: load.max_requests_inflight,
                mutating: load.max_mutating_requests_inflight,
            }));
        }
        let mut controller = config.controller(SimTime::ZERO);
        controller.estimator_mut().etcd_supports_progress = load.etcd_supports_progress;
        for (digest, count) in &load.watches {
            for _ in 0..*count {
                let _ = controller.watches_mut().register(&digest.request, &digest.query);
            }
        }
        Self::Apf(Box::new(controller))
    }

    /// Notes the object counts, as the server's poll does.
    pub(super) fn count_objects(&mut self, now: SimTime, load: &Load) {
        if let Self::Apf(controller) = self {
            for (resource, stats) in &load.objects {
                controller.object_counts_mut().set(now, resource, *stats);
            }
        }
    }

    /// A request arrives.
    pub(super) fn decide(
        &mut self,
        now: SimTime,
        load: &Load,
        digest: &Arc<RequestDigest>,
        service: Duration,
    ) -> Decided {
        match self {
            Self::Apf(controller) => {
                let deadline = deadline(now, load, digest);
                let deadline = queue_wait_deadline(now, now, deadline, load.request_timeout);
                let request = Arc::clone(digest);
                let admission = match load.hold {
                    Hold::Execution => controller.handle_request(now, request, deadline),
                    Hold::FinalPhase => {
                        let initial = controller.estimate(now, digest).work.initial_seats;
                        let work = WorkEstimate {
                            initial_seats: initial,
                            final_seats: initial,
                            // The driver frees the seats, a moment before the engine would.
                            additional_latency: service + Duration::from_nanos(1),
                        };
                        controller.handle_request_of_width(now, request, work, deadline)
                    }
                };
                let verdict = match admission.decision {
                    Decision::Execute(handle) => Verdict::Execute(Place::Apf(handle)),
                    Decision::Wait(handle) => Verdict::Wait(handle),
                    Decision::Reject(rejection) => Verdict::Reject {
                        reason: rejection.reason.as_str(),
                        retry_after_s: rejection.retry_after_s,
                    },
                };
                let level = admission.priority_level.name.clone();
                Decided { level, seats: admission.work.max_seats(), verdict }
            }
            Self::Inflight(filter) => {
                let kind = digest.request.kind();
                let mutating = kind == RequestKind::Mutating;
                let verdict = match filter.try_acquire(now, mutating, &digest.user.groups) {
                    InflightDecision::Admit(permit) => {
                        Verdict::Execute(Place::Inflight(Some(permit)))
                    }
                    InflightDecision::Exempt => Verdict::Execute(Place::Inflight(None)),
                    InflightDecision::Reject => Verdict::Reject {
                        reason: "max-in-flight",
                        retry_after_s: INFLIGHT_RETRY_AFTER_S.into(),
                    },
                };
                Decided { level: pool(kind), seats: 1, verdict }
            }
        }
    }

    pub(super) fn finish(&mut self, now: SimTime, place: Place) {
        match (self, place) {
            (Self::Apf(controller), Place::Apf(handle)) => controller.handle_finish(now, handle),
            (Self::Inflight(filter), Place::Inflight(Some(permit))) => filter.release(now, permit),
            _ => {}
        }
    }

    /// The final phase of a request is over.
    pub(super) fn release(&mut self, now: SimTime, handle: RequestHandle) {
        if let Self::Apf(controller) = self {
            controller.handle_release(now, handle);
        }
    }

    /// Names of the levels, or of the two pools.
    pub(super) fn levels(&self) -> Vec<String> {
        match self {
            Self::Apf(controller) => {
                controller.levels().map(|level| level.object().name.clone()).collect()
            }
            Self::Inflight(_) => [RequestKind::ReadOnly, RequestKind::Mutating].map(pool).to_vec(),
        }
    }

    pub(super) fn state(&self, level: &str) -> LevelState {
        match self {
            Self::Apf(controller) => {
                let Some(level) = controller.level(level) else { return LevelState::default() };
                let totals = level.queues().totals();
                LevelState {
                    limit: level.current_limit(),
                    seats: totals.seats_in_use,
                    executing: totals.executing,
                    waiting: totals.waiting,
                }
            }
            Self::Inflight(filter) => {
                let kind = [RequestKind::ReadOnly, RequestKind::Mutating]
                    .into_iter()
                    .find(|kind| pool(*kind) == level)
                    .unwrap_or(RequestKind::Mutating);
                let executing = filter.executing(kind);
                let limits = filter.limits();
                LevelState {
                    limit: match kind {
                        RequestKind::ReadOnly => limits.read_only,
                        RequestKind::Mutating => limits.mutating,
                    },
                    seats: executing.into(),
                    executing: executing as usize,
                    waiting: 0,
                }
            }
        }
    }
}

/// When a request must have been answered; watches need not.
pub(super) fn deadline(now: SimTime, load: &Load, digest: &RequestDigest) -> Option<SimTime> {
    if digest.request.verb == "watch" {
        return None;
    }
    // A query that says nonsense is refused before flow control; here it has the default.
    let limit = request_deadline(now, &digest.query, load.request_timeout);
    Some(limit.unwrap_or(now + load.request_timeout))
}

fn pool(kind: RequestKind) -> String {
    format!("({})", kind.as_str())
}
