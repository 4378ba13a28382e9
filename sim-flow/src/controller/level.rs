//! One priority level in force.

use std::sync::Arc;

use sim_time::SimTime;

use super::{ControllerConfig, ObjectRef, metrics::LevelMetrics};
use crate::{
    Dealer, DroppedRequestsTracker, QueueSet, QueueSetConfig, Queuing, RequestDigest,
    SeatDemandStats, SeatLimits,
    api::{EXEMPT, PriorityLevelConfiguration, PriorityLevelConfigurationSpec},
    concurrency_denominator,
    matching::Distinguisher,
};

/// What the controller keeps with a request.
#[derive(Clone, Debug)]
pub struct Payload {
    /// Who asks for what.
    pub digest: Arc<RequestDigest>,
    /// When its wait ends.
    pub wait_deadline: SimTime,
    pub(super) flow: usize,
    pub(super) distinguisher: Distinguisher,
}

#[derive(Debug)]
pub(super) struct Level {
    /// Unlike its key, never used again.
    pub(super) serial: u64,
    pub(super) object: Arc<ObjectRef>,
    pub(super) spec: PriorityLevelConfigurationSpec,
    pub(super) exempt: bool,
    /// Its object is gone; it drains.
    pub(super) quiescing: bool,
    pub(super) queuing: Queuing,
    pub(super) queues: QueueSet<Payload>,
    pub(super) limits: SeatLimits,
    pub(super) current_limit: u32,
    pub(super) demand: SeatDemandStats,
    pub(super) target: f64,
    /// Cap of a request's width; 0 for none.
    pub(super) max_seats: u32,
    pub(super) dropped: DroppedRequestsTracker,
    pub(super) metrics: LevelMetrics,
    pub(super) denominator: u32,
}

impl Level {
    pub(super) fn new(
        now: SimTime,
        serial: u64,
        config: &ControllerConfig,
        object: &PriorityLevelConfiguration,
        queuing: Queuing,
    ) -> Self {
        let queues_config = QueueSetConfig { queuing, concurrency_limit: 0 };
        Self {
            serial,
            object: Arc::new(reference(object)),
            spec: object.spec.clone(),
            exempt: object.metadata.name == EXEMPT,
            quiescing: false,
            queuing,
            queues: QueueSet::new(now, queues_config, config.defects),
            limits: SeatLimits::default(),
            current_limit: 0,
            demand: SeatDemandStats::default(),
            target: 0.0,
            max_seats: 0,
            dropped: DroppedRequestsTracker::default(),
            metrics: LevelMetrics::new(now),
            denominator: 1,
        }
    }

    /// Takes over a changed object.
    pub(super) fn update(&mut self, object: &PriorityLevelConfiguration, queuing: Queuing) {
        let object_ref = reference(object);
        if *self.object != object_ref {
            self.object = Arc::new(object_ref);
        }
        self.spec.clone_from(&object.spec);
        self.queuing = queuing;
        self.quiescing = false;
    }

    /// Only levels with a choice of queues tell flows apart.
    pub(super) fn has_flows(&self) -> bool {
        has_flows(self.queuing)
    }

    /// Puts queues and limit into force.
    pub(super) fn apply(&mut self, now: SimTime, server_limit: u32) {
        self.denominator = concurrency_denominator(self.current_limit, server_limit);
        let config =
            QueueSetConfig { queuing: self.queuing, concurrency_limit: self.current_limit };
        self.queues.handle_config_change(now, config);
    }

    /// Frees the seats of the next lingering request that is due, and tells how many.
    pub(super) fn release(&mut self, now: SimTime) -> Option<(u64, Payload)> {
        let seats = self.queues.next_release_seats()?;
        let (_, payload) = self.queues.handle_release(now)?;
        Some((seats, payload))
    }

    pub(super) fn note_utilization(&mut self, now: SimTime) {
        let denominator = f64::from(self.denominator);
        let totals = self.queues.totals();
        let waiting = totals.waiting as f64 / self.queues.queue_capacity() as f64;
        let metrics = &mut self.metrics;
        metrics.seat_utilization.set(now, totals.seats_in_use as f64 / denominator);
        metrics.executing.set(now, totals.executing as f64 / denominator);
        metrics.waiting.set(now, waiting);
        metrics.demand.set(now, self.queues.demand().value() / denominator);
    }
}

fn reference(object: &PriorityLevelConfiguration) -> ObjectRef {
    ObjectRef { name: object.metadata.name.clone(), uid: object.metadata.uid.clone() }
}

fn has_flows(queuing: Queuing) -> bool {
    matches!(queuing, Queuing::Queue { dealer, .. } if dealer.deck_size() > 1)
}

/// The queues that an object asks for; `None` when it is broken, and is to be ignored with its
/// shares.
///
/// Source: `queueSetCompleterForPL` in `pkg/util/flowcontrol/apf_controller.go`.
pub(super) fn queuing_of(object: &PriorityLevelConfiguration) -> Option<Queuing> {
    let spec = &object.spec;
    let exempt = spec.type_ == "Exempt";
    if exempt != (object.metadata.name == EXEMPT) || exempt != spec.limited.is_none() {
        return None;
    }
    let Some(limited) = &spec.limited else { return Some(Queuing::Exempt) };
    let reject = limited.limit_response.type_ == "Reject";
    match &limited.limit_response.queuing {
        None => reject.then_some(Queuing::Reject),
        Some(_) if reject => None,
        Some(queuing) => Some(Queuing::Queue {
            dealer: Dealer::new(queuing.queues.into(), queuing.hand_size.into()).ok()?,
            queue_length_limit: queuing.queue_length_limit.max(0).unsigned_abs(),
        }),
    }
}

/// A level as it is now.
#[derive(Clone, Copy, Debug)]
pub struct LevelView<'a>(pub(super) &'a Level);

impl<'a> LevelView<'a> {
    /// Name and uid.
    pub fn object(self) -> &'a ObjectRef {
        &self.0.object
    }

    /// The specification in force.
    pub fn spec(self) -> &'a PriorityLevelConfigurationSpec {
        &self.0.spec
    }

    /// Nothing is limited here.
    pub const fn is_exempt(self) -> bool {
        self.0.exempt
    }

    /// The object is gone and the level drains.
    pub const fn is_quiescing(self) -> bool {
        self.0.quiescing
    }

    /// NominalCL, MinCL and MaxCL, in seats.
    pub const fn limits(self) -> SeatLimits {
        self.0.limits
    }

    /// CurrentCL, in seats: what borrowing makes of the limits.
    pub const fn current_limit(self) -> u32 {
        self.0.current_limit
    }

    /// What the ratios of the utilisation metrics are taken to.
    pub const fn concurrency_denominator(self) -> u32 {
        self.0.denominator
    }

    /// Demand as of the last adjustment.
    pub const fn demand(self) -> SeatDemandStats {
        self.0.demand
    }

    /// Seats aimed at in the last adjustment.
    pub const fn target(self) -> f64 {
        self.0.target
    }

    /// Cap of a request's width, in seats; 0 for none.
    pub const fn max_seats(self) -> u32 {
        self.0.max_seats
    }

    /// `Retry-After` of the next rejection, in seconds, as things are.
    pub const fn retry_after_s(self) -> u64 {
        self.0.dropped.retry_after_s()
    }

    /// Queues, seats and virtual time.
    pub fn queues(self) -> &'a QueueSet<Payload> {
        &self.0.queues
    }
}
