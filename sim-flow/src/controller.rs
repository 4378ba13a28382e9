//! API Priority and Fairness as a whole.

mod dump;
mod explain;
mod level;
mod metrics;
mod reconfigure;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use sim_time::SimTime;
use slab::Slab;

pub use explain::{Classified, SkippedSchema};
use level::Level;
pub use level::{LevelView, Payload};
use metrics::Metrics;
pub use metrics::{MetricFamily, MetricSeries, MetricValue};

use crate::{
    Arrival, BORROWING_ADJUSTMENT_PERIOD, Defects, FlowProfile, ObjectCounts, QueueSetEvent,
    RejectReason, Release, RequestDigest, RequestId, WatchTracker, WorkEstimate, WorkEstimator,
    api::{Condition, FlowSchema, PriorityLevelConfiguration},
    bootstrap::Bootstrap,
    matching::{Distinguisher, MatchOutcome},
};

/// Settings of a [`Controller`] that no object holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ControllerConfig {
    /// Release and gates.
    pub profile: FlowProfile,
    /// Seats of the server: `--max-requests-inflight` plus `--max-mutating-requests-inflight`.
    /// Default 600. The real server refuses to start with 0.
    pub server_concurrency_limit: u32,
    /// Wall-clock time of [`SimTime::ZERO`], in nanoseconds since 1970. `Retry-After` counts whole
    /// seconds of it, and dumps show it. Default 2026-01-01.
    pub start_unix_ns: u64,
    /// Known defects of the real server to emulate.
    pub defects: Defects,
}

impl ControllerConfig {
    /// The defaults of `release`.
    pub fn new(release: Release) -> Self {
        Self {
            profile: release.profile(),
            server_concurrency_limit: 600,
            start_unix_ns: 1_767_225_600_000_000_000,
            defects: Defects::default(),
        }
    }
}

/// Names a request of a [`Controller`] until it has finished or was refused. Those of one level are
/// ordered by arrival.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestHandle {
    level: usize,
    /// Number of the level, since a later one may take its place.
    level_serial: u64,
    id: RequestId,
}

/// A configuration object by name and uid.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct ObjectRef {
    /// Name.
    pub name: String,
    /// For the response headers; empty for objects that are only imagined.
    pub uid: String,
}

/// What becomes of a request at its arrival.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The schema it matched; `X-Kubernetes-PF-FlowSchema-UID`.
    pub flow_schema: Arc<ObjectRef>,
    /// The level it went to; `X-Kubernetes-PF-PriorityLevel-UID`.
    pub priority_level: Arc<ObjectRef>,
    /// Its seats.
    pub work: WorkEstimate,
    /// Execute, wait or refuse.
    pub decision: Decision,
}

/// Execute, wait or refuse.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Decision {
    /// Serve it, then call [`Controller::handle_finish`].
    Execute(RequestHandle),
    /// Answer 429.
    Reject(Rejection),
    /// An [`Event`] will tell.
    Wait(RequestHandle),
}

/// A refusal: 429 with [`TOO_MANY_REQUESTS_BODY`](crate::TOO_MANY_REQUESTS_BODY).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rejection {
    /// Why.
    pub reason: RejectReason,
    /// The header `Retry-After`, in seconds: 1 to 32.
    pub retry_after_s: u64,
}

/// What happens to requests that wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Serve it, then call [`Controller::handle_finish`].
    Execute(RequestHandle),
    /// Its wait is over: answer 429. The handle is void from now on.
    Reject(RequestHandle, Rejection),
}

/// API Priority and Fairness: classification, levels, queues, seats and borrowing.
///
/// The controller does no I/O and reads no clock. Its methods are of three kinds:
///
/// - getters, taking `&self`;
/// - handlers, named `handle_*`, for what happened outside. Each takes `now`, which must not go
///   backwards, and first does what was due before;
/// - polls, named `poll_*`: after every handler, drain [`poll_event`](Self::poll_event), then arm
///   one timer for [`poll_timeout`](Self::poll_timeout) and call
///   [`handle_timeout`](Self::handle_timeout) when it fires. Early calls do nothing.
///
/// ```
/// use std::sync::Arc;
/// use sim_flow::{Controller, ControllerConfig, Decision, Release, RequestDigest};
/// use sim_time::SimTime;
///
/// let config = ControllerConfig::new(Release::NEWEST);
/// let mut apf = Controller::with_bootstrap(SimTime::ZERO, config);
/// let mut digest = RequestDigest::default();
/// digest.user.name = "alice".into();
/// digest.user.groups = vec!["system:authenticated".into()];
/// digest.request.verb = "get".into();
/// digest.request.path = "/version".into();
///
/// let now = SimTime::from_millis(5);
/// let admission = apf.handle_request(now, Arc::new(digest), SimTime::from_secs(15));
/// assert_eq!(admission.priority_level.name, "global-default");
/// let Decision::Execute(request) = admission.decision else { panic!("nobody else is there") };
/// apf.handle_finish(SimTime::from_millis(9), request);
/// ```
#[derive(Debug)]
pub struct Controller {
    config: ControllerConfig,
    estimator: WorkEstimator,
    object_counts: ObjectCounts,
    watches: WatchTracker,

    flow_schemas: Vec<FlowSchema>,
    priority_levels: Vec<PriorityLevelConfiguration>,
    conditions: Vec<(String, Condition)>,

    levels: Slab<Level>,
    next_level_serial: u64,
    level_keys: BTreeMap<String, usize>,
    /// Schemas in the order of matching.
    schemas: Vec<Schema>,
    skipped: Vec<FlowSchema>,

    /// Ends of waits.
    deadlines: BTreeSet<(SimTime, RequestHandle)>,
    next_adjustment: SimTime,
    /// Nothing is due before.
    next_due: SimTime,
    fair_frac: f64,
    events: VecDeque<Event>,
    metrics: Metrics,
}

/// A schema ready for matching.
#[derive(Clone, Debug)]
struct Schema {
    object: Arc<ObjectRef>,
    schema: FlowSchema,
    level: usize,
    /// [`Distinguisher::None`] where the level has no use for flows.
    distinguisher: Distinguisher,
    /// Index among the flow metrics.
    flow: usize,
}

impl Controller {
    /// A controller with no objects but the imagined mandatory ones.
    pub fn new(now: SimTime, config: ControllerConfig) -> Self {
        let keeps_negative = config.profile.size_based_list_cost_estimate;
        let mut controller = Self {
            config,
            estimator: WorkEstimator::new(config.profile),
            object_counts: ObjectCounts::new(now, keeps_negative),
            watches: WatchTracker::default(),
            flow_schemas: Vec::new(),
            priority_levels: Vec::new(),
            conditions: Vec::new(),
            levels: Slab::new(),
            next_level_serial: 0,
            level_keys: BTreeMap::new(),
            schemas: Vec::new(),
            skipped: Vec::new(),
            deadlines: BTreeSet::new(),
            next_adjustment: now + BORROWING_ADJUSTMENT_PERIOD,
            next_due: SimTime::ZERO,
            fair_frac: 0.0,
            events: VecDeque::new(),
            metrics: Metrics::new(now, &config),
        };
        controller.reconfigure(now);
        controller
    }

    /// A controller with the objects that every server of the release has.
    pub fn with_bootstrap(now: SimTime, config: ControllerConfig) -> Self {
        let bootstrap = Bootstrap::new(config.profile.release);
        let mut controller = Self::new(now, config);
        controller.handle_config_change(
            now,
            bootstrap.flow_schemas().cloned().collect(),
            bootstrap.priority_levels().cloned().collect(),
        );
        controller
    }

    /// The settings.
    pub const fn config(&self) -> &ControllerConfig {
        &self.config
    }

    /// Object counts, from which LISTs get their width.
    pub const fn object_counts(&self) -> &ObjectCounts {
        &self.object_counts
    }

    /// As [`object_counts`](Self::object_counts), for whoever polls the store.
    pub const fn object_counts_mut(&mut self) -> &mut ObjectCounts {
        &mut self.object_counts
    }

    /// The watches being served, from which mutations get their final phase.
    pub const fn watches(&self) -> &WatchTracker {
        &self.watches
    }

    /// As [`watches`](Self::watches): register each at its dispatch, forget it at its end.
    pub const fn watches_mut(&mut self) -> &mut WatchTracker {
        &mut self.watches
    }

    /// The estimator of widths, to change what it assumes of etcd.
    pub const fn estimator_mut(&mut self) -> &mut WorkEstimator {
        &mut self.estimator
    }

    /// The condition `Dangling` of every FlowSchema by name, as the server writes it into the
    /// status when it differs. Source: `syncFlowSchemaStatus`.
    pub fn conditions(&self) -> &[(String, Condition)] {
        &self.conditions
    }

    /// The levels by name.
    pub fn levels(&self) -> impl Iterator<Item = LevelView<'_>> {
        self.level_keys.values().map(|&key| LevelView(&self.levels[key]))
    }

    /// One level.
    pub fn level(&self, name: &str) -> Option<LevelView<'_>> {
        self.level_keys.get(name).map(|&key| LevelView(&self.levels[key]))
    }

    /// The factor that the last adjustment applied to all targets; 0 when there was none.
    pub const fn seat_fair_frac(&self) -> f64 {
        self.fair_frac
    }

    /// Takes the configuration objects there are now, all of each kind. What cannot be used is left
    /// out, so that a broken object never stops the server.
    pub fn handle_config_change(
        &mut self,
        now: SimTime,
        flow_schemas: Vec<FlowSchema>,
        priority_levels: Vec<PriorityLevelConfiguration>,
    ) {
        self.run_due(now);
        self.flow_schemas = flow_schemas;
        self.priority_levels = priority_levels;
        self.reconfigure(now);
    }

    /// A request arrives. It leaves its queue unserved at `wait_deadline`; see
    /// [`queue_wait_deadline`](crate::queue_wait_deadline).
    pub fn handle_request(
        &mut self,
        now: SimTime,
        digest: Arc<RequestDigest>,
        wait_deadline: SimTime,
    ) -> Admission {
        let schema = self.matching_schema(&digest);
        let level = &self.levels[self.schemas[schema].level];
        let estimated = self.estimator.estimate(
            Some(&digest.request),
            &digest.query,
            level.max_seats,
            |resource| self.object_counts.current(now, resource),
            || self.watches.interested(&digest.request),
        );
        if let Some(watchers) = estimated.watch_count {
            let flow = self.schemas[schema].flow;
            self.metrics.flows[flow].watch_count_samples.observe(watchers as f64);
        }
        self.admit(now, digest, schema, estimated.work, wait_deadline)
    }

    /// As [`handle_request`](Self::handle_request), with a width from elsewhere.
    pub fn handle_request_of_width(
        &mut self,
        now: SimTime,
        digest: Arc<RequestDigest>,
        work: WorkEstimate,
        wait_deadline: SimTime,
    ) -> Admission {
        let schema = self.matching_schema(&digest);
        self.admit(now, digest, schema, work, wait_deadline)
    }

    /// A request was served; for a watch, its initial events are sent or it has ended before. Void
    /// handles do nothing.
    pub fn handle_finish(&mut self, now: SimTime, request: RequestHandle) {
        self.run_due(now);
        let Some(level) = level_of(&mut self.levels, request) else { return };
        let Some(in_progress) = level.queues.request(request.id) else { return };
        let Some(started) = in_progress.start_time else { return };
        let payload = &in_progress.payload;
        let (flow, kind) = (payload.flow, payload.digest.request.kind());
        let seats = in_progress.work.max_seats();
        let is_watch = payload.digest.request.verb == "watch";
        let released = level.queues.handle_finish(now, request.id).is_some();
        self.metrics.note_finished(now, flow, kind, is_watch, now.saturating_since(started));
        if released {
            self.metrics.flows[flow].executing_seats -= signed(seats);
        }
        self.after_change(now, request.level);
    }

    /// The final phase of a finished request is over now, before its time. Servers have no use for
    /// this: it is for drivers in virtual time that put what happens at one instant in an order of
    /// their own. Requests that are not in their final phase are not affected.
    pub fn handle_release(&mut self, now: SimTime, request: RequestHandle) {
        self.run_due(now);
        let Some(level) = level_of(&mut self.levels, request) else { return };
        let Some(lingering) = level.queues.request(request.id) else { return };
        let seats = lingering.work.max_seats();
        if let Some(payload) = level.queues.handle_early_release(now, request.id) {
            self.metrics.flows[payload.flow].executing_seats -= signed(seats);
            self.after_change(now, request.level);
        }
    }

    /// The client of a waiting request has left. It counts as timed out. Requests that execute
    /// already are not affected: they end with [`handle_finish`](Self::handle_finish).
    pub fn handle_cancel(&mut self, now: SimTime, request: RequestHandle) {
        self.run_due(now);
        if self.eject(now, request).is_some() {
            self.after_change(now, request.level);
        }
    }

    /// Does what is due: seats of final phases, ends of waits, adjustments of limits.
    pub fn handle_timeout(&mut self, now: SimTime) {
        self.run_due(now);
    }

    /// What happened to waiting requests, in order. May change with any handler.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called. May change with any handler.
    #[must_use]
    pub fn poll_timeout(&self) -> SimTime {
        let releases = self.levels.iter().filter_map(|(_, level)| level.queues.poll_timeout());
        let deadline = self.deadlines.first().map(|(due, _)| *due);
        releases.chain(deadline).fold(self.next_adjustment, SimTime::min)
    }

    fn matching_schema(&self, digest: &RequestDigest) -> usize {
        let matches =
            |s: &Schema| matches!(s.schema.spec.outcome(digest), MatchOutcome::Matched { .. });
        // The catch-all schema, should nothing match, which takes a user in no group at all.
        self.schemas.iter().position(matches).unwrap_or_else(|| self.catch_all())
    }

    fn admit(
        &mut self,
        now: SimTime,
        digest: Arc<RequestDigest>,
        schema: usize,
        work: WorkEstimate,
        wait_deadline: SimTime,
    ) -> Admission {
        self.run_due(now);
        let schema = &self.schemas[schema];
        let (level_key, flow) = (schema.level, schema.flow);
        let flow_schema = Arc::clone(&schema.object);
        let level = &mut self.levels[level_key];
        let priority_level = Arc::clone(&level.object);
        let hash = if level.has_flows() {
            crate::flow_hash(&flow_schema.name, schema.distinguisher.of_request(&digest))
        } else {
            0
        };
        let kind = digest.request.kind();
        self.metrics.flows[flow].work_estimated_seats.observe(work.max_seats() as f64);
        let payload = Payload { digest, flow, distinguisher: schema.distinguisher, wait_deadline };
        let decision = match level.queues.handle_arrival(now, work, hash, payload) {
            Arrival::Rejected { reason, .. } => {
                let rejection = self.note_rejection(now, level_key, flow, reason);
                self.metrics.flows[flow].wait_refused.observe(0.0);
                Decision::Reject(rejection)
            }
            Arrival::Accepted { id, queue, queue_length } => {
                let handle = RequestHandle { level: level_key, level_serial: level.serial, id };
                if queue.is_some() {
                    self.metrics.note_enqueued(now, flow, kind, work.max_seats(), queue_length);
                    self.settle_arrival(now, handle, wait_deadline)
                } else {
                    let exempt = level.exempt;
                    self.metrics.note_executing(now, flow, kind, work.max_seats());
                    if !exempt {
                        self.metrics.flows[flow].wait_executed.observe(0.0);
                    }
                    Decision::Execute(handle)
                }
            }
        };
        self.after_change(now, level_key);
        Admission { flow_schema, priority_level, work, decision }
    }

    /// The decision on a request that has just been enqueued, after the dispatches it led to.
    fn settle_arrival(
        &mut self,
        now: SimTime,
        handle: RequestHandle,
        wait_deadline: SimTime,
    ) -> Decision {
        if self.collect(now, handle.level, Some(handle)) {
            return Decision::Execute(handle);
        }
        if wait_deadline <= now
            && let Some(rejection) = self.eject(now, handle)
        {
            return Decision::Reject(rejection);
        }
        self.deadlines.insert((wait_deadline, handle));
        self.next_due = self.next_due.min(wait_deadline);
        Decision::Wait(handle)
    }

    /// Takes a waiting request out of its queue for good.
    fn eject(&mut self, now: SimTime, handle: RequestHandle) -> Option<Rejection> {
        let level = level_of(&mut self.levels, handle)?;
        let request = level.queues.request(handle.id)?;
        let (seats, arrived) = (request.work.max_seats(), request.arrival_time);
        let payload = level.queues.handle_cancel(now, handle.id)?;
        self.deadlines.remove(&(payload.wait_deadline, handle));
        let kind = payload.digest.request.kind();
        let waited = now.saturating_since(arrived);
        self.metrics.note_unqueued(now, payload.flow, kind, seats, waited);
        Some(self.note_rejection(now, handle.level, payload.flow, RejectReason::TimeOut))
    }

    fn note_rejection(
        &mut self,
        now: SimTime,
        level: usize,
        flow: usize,
        reason: RejectReason,
    ) -> Rejection {
        self.metrics.flows[flow].note_rejected(reason);
        let unix_s = (self.config.start_unix_ns.saturating_add(now.as_nanos())) / 1_000_000_000;
        let dropped = &mut self.levels[level].dropped;
        dropped.record(unix_s);
        Rejection { reason, retry_after_s: dropped.retry_after_s() }
    }

    /// Does all that is due at `now` or before, each at its own time.
    fn run_due(&mut self, now: SimTime) {
        while self.next_due <= now {
            let due = self.poll_timeout();
            self.next_due = due;
            if due > now {
                return;
            }
            let releasing = self
                .levels
                .iter()
                .find(|(_, level)| level.queues.poll_timeout() == Some(due))
                .map(|(key, _)| key);
            if let Some(key) = releasing {
                let level = &mut self.levels[key];
                if let Some((seats, payload)) = level.release(due) {
                    self.metrics.flows[payload.flow].executing_seats -= signed(seats);
                }
                self.after_change(due, key);
            } else if let Some(&(at, handle)) = self.deadlines.first()
                && at == due
            {
                if let Some(rejection) = self.eject(due, handle) {
                    self.events.push_back(Event::Reject(handle, rejection));
                    self.after_change(due, handle.level);
                } else {
                    self.deadlines.remove(&(at, handle));
                }
            } else {
                self.next_adjustment = due + BORROWING_ADJUSTMENT_PERIOD;
                self.adjust_limits(due);
                self.apply_limits(due);
            }
        }
    }

    /// Turns what followed in a queue set into events and counts. Whether `arriving`, which has no
    /// deadline on file yet, was dispatched is returned and no event.
    fn collect(&mut self, now: SimTime, level_key: usize, arriving: Option<RequestHandle>) -> bool {
        let level = &mut self.levels[level_key];
        let mut arriving_executes = false;
        while let Some(event) = level.queues.poll_event() {
            match event {
                QueueSetEvent::Dispatched { id, seats_unqueued } => {
                    let Some(request) = level.queues.request(id) else { continue };
                    let handle = RequestHandle { level: level_key, level_serial: level.serial, id };
                    let payload = &request.payload;
                    let (flow, kind) = (payload.flow, payload.digest.request.kind());
                    let waited = now.saturating_since(request.arrival_time);
                    self.metrics.note_unqueued(now, flow, kind, seats_unqueued, waited);
                    self.metrics.note_executing(now, flow, kind, request.work.max_seats());
                    if arriving == Some(handle) {
                        arriving_executes = true;
                    } else {
                        self.deadlines.remove(&(payload.wait_deadline, handle));
                        self.events.push_back(Event::Execute(handle));
                    }
                }
                QueueSetEvent::NoAccommodation { id } => {
                    if let Some(request) = level.queues.request(id) {
                        self.metrics.flows[request.payload.flow].no_accommodation += 1;
                    }
                }
            }
        }
        arriving_executes
    }

    /// To be called after every change of a level's queues.
    fn after_change(&mut self, now: SimTime, level_key: usize) {
        self.collect(now, level_key, None);
        let level = &mut self.levels[level_key];
        level.note_utilization(now);
        if let Some(release) = level.queues.poll_timeout() {
            self.next_due = self.next_due.min(release);
        }
        if level.quiescing && level.queues.is_idle() {
            self.reconfigure(now);
        }
    }
}

fn level_of(levels: &mut Slab<Level>, handle: RequestHandle) -> Option<&mut Level> {
    levels.get_mut(handle.level).filter(|level| level.serial == handle.level_serial)
}

fn signed(seats: u64) -> i64 {
    i64::try_from(seats).unwrap_or(i64::MAX)
}
