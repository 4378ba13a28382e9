//! The queues, the seats and the virtual time of one priority level.

mod dispatch;
mod dump;
mod queue;

use std::collections::{BTreeSet, VecDeque};

use sim_time::SimTime;
use slab::Slab;

pub use dump::{NextSBounds, QueueDump, QueueSetDump};
use queue::Queue;
pub use queue::{Request, RequestState};

use crate::{Dealer, ESTIMATED_SERVICE_DURATION, Integrator, SeatSeconds, WorkEstimate, num};

/// What a level does with a request that cannot execute at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Queuing {
    /// Nothing is ever refused; seats are counted, not limited.
    Exempt,
    /// Nothing waits: what does not fit is refused.
    Reject,
    /// Requests wait in the queues of their hand.
    Queue {
        /// Number of queues and hand size.
        dealer: Dealer,
        /// Requests that one queue holds while no seat is free; at least 1.
        queue_length_limit: u32,
    },
}

/// Name of a request in its queue set. Ordered by arrival.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId {
    serial: u64,
    key: usize,
}

/// Why a request was refused. Values of the metric label `reason`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum RejectReason {
    /// No seat is free, and the level has no queues.
    ConcurrencyLimit,
    /// No seat is free, and the chosen queue is at its limit.
    QueueFull,
    /// Its wait ended before a seat was free, by deadline or because the client left.
    TimeOut,
}

impl RejectReason {
    /// Spelling in the metric label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConcurrencyLimit => "concurrency-limit",
            Self::QueueFull => "queue-full",
            Self::TimeOut => "time-out",
        }
    }
}

/// Outcome of an arrival.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Arrival<T> {
    /// It has a place: it executes if [`QueueSet::poll_event`] says so, now or later. Without a
    /// queue index it executes already, and no event tells so.
    Accepted {
        /// The request's name from now on.
        id: RequestId,
        /// Index of its queue.
        queue: Option<usize>,
        /// Requests that waited in the queue right after it had joined.
        queue_length: usize,
    },
    /// It was refused.
    Rejected {
        /// Why.
        reason: RejectReason,
        /// What the caller had attached.
        payload: T,
    },
}

/// What happened to requests as a consequence of a handler.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum QueueSetEvent {
    /// A waiting request executes from now on.
    Dispatched {
        /// The request.
        id: RequestId,
        /// Seats by which the count of waiting seats went down: less than the request had added
        /// when its final phase was narrowed and the leak is emulated.
        seats_unqueued: u64,
    },
    /// The request next in order is wider than the free seats, so nothing was dispatched.
    NoAccommodation {
        /// The request.
        id: RequestId,
    },
}

/// Configuration of a [`QueueSet`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueSetConfig {
    /// Queues, or none.
    pub queuing: Queuing,
    /// Seats that may be taken; CurrentCL of the level.
    pub concurrency_limit: u32,
}

/// Departures from what the arithmetic should be, that real servers show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Defects {
    /// When a final phase is wider than the limit, dispatch narrows it first and then takes the
    /// narrowed width off the count of waiting seats, which therefore never comes back to zero:
    /// an idle level goes on reporting demand, and borrowing gives it seats. Kubernetes 1.29 to
    /// 1.37 all do so. Default true.
    pub leak_waiting_seats: bool,
}

impl Default for Defects {
    fn default() -> Self {
        Self { leak_waiting_seats: true }
    }
}

/// The queues, seats and virtual time of one priority level.
///
/// `T` is what the caller wants back with a request. The set does no I/O and reads no clock; its
/// methods are of three kinds:
///
/// - getters, taking `&self`;
/// - handlers, named `handle_*`, for what happened outside; each takes `now`, which must not go
///   backwards;
/// - polls, named `poll_*`, for what followed: drain [`poll_event`](Self::poll_event) after every
///   handler, and call [`handle_release`](Self::handle_release) at the time that
///   [`poll_timeout`](Self::poll_timeout) names.
///
/// Source: `pkg/util/flowcontrol/fairqueuing/queueset/queueset.go`. The crate documentation
/// derives the algorithm.
#[derive(Clone, Debug)]
pub struct QueueSet<T> {
    config: QueueSetConfig,
    defects: Defects,
    /// Kept when a level stops queuing, as upstream does.
    queue_length_limit: u32,
    /// By queue key, which is stable; `order` holds the keys by queue index.
    queues: Slab<Queue>,
    order: Vec<usize>,
    requests: Slab<Request<T>>,
    next_serial: u64,

    current_r: SeatSeconds,
    last_time: SimTime,
    /// Seats in use by, and widths waiting in, the queues of `order`.
    seats_requested_in_queues: u64,
    active_queues: usize,

    /// Index of the queue last dispatched from; −1 when the first queue was and is gone.
    robin_index: isize,
    /// (virtual finish of the head, queue index) of every queue in which something waits.
    by_virtual_finish: BTreeSet<(u64, usize)>,
    lingering: BTreeSet<(SimTime, RequestId)>,
    events: VecDeque<QueueSetEvent>,
    demand: Integrator,
    totals: Totals,
    dispatch_r: SeatSeconds,
    latest_s: SeatSeconds,
}

/// Counts of one queue set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Requests waiting now.
    pub waiting: usize,
    /// Requests executing now, lingering ones not counted.
    pub executing: usize,
    /// Seats taken now, by executing and lingering requests.
    pub seats_in_use: u64,
    /// Widths of the requests waiting now; see [`Defects::leak_waiting_seats`].
    pub seats_waiting: u64,
    /// Requests that ever reached the choice of a queue, those refused there included.
    pub enqueues: u64,
    /// Requests dispatched so far.
    pub dispatched: u64,
    /// Requests refused so far, for whatever reason.
    pub rejected: u64,
    /// Requests whose wait ended so far. They count as rejected too.
    pub cancelled: u64,
    /// Epoch advances that went well.
    pub epoch_advances: u64,
    /// Epoch advances during which a reading was below the decrement.
    pub epoch_failures: u64,
}

impl<T> QueueSet<T> {
    /// An idle set.
    pub fn new(now: SimTime, config: QueueSetConfig, defects: Defects) -> Self {
        let mut set = Self {
            config: QueueSetConfig { queuing: Queuing::Reject, ..config },
            defects,
            queue_length_limit: 0,
            queues: Slab::new(),
            order: Vec::new(),
            requests: Slab::new(),
            next_serial: 0,
            current_r: SeatSeconds::ZERO,
            last_time: now,
            seats_requested_in_queues: 0,
            active_queues: 0,
            robin_index: 0,
            by_virtual_finish: BTreeSet::new(),
            lingering: BTreeSet::new(),
            events: VecDeque::new(),
            demand: Integrator::new(now),
            totals: Totals::default(),
            dispatch_r: SeatSeconds::ZERO,
            latest_s: SeatSeconds::ZERO,
        };
        set.handle_config_change(now, config);
        set
    }

    /// The configuration in force.
    pub const fn config(&self) -> QueueSetConfig {
        self.config
    }

    /// The counts.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Nothing waits and nothing executes; requests may still linger.
    pub const fn is_idle(&self) -> bool {
        self.totals.waiting == 0 && self.totals.executing == 0
    }

    /// R as of the last handler: the work that every active queue could have had since the start.
    pub const fn current_r(&self) -> SeatSeconds {
        self.current_r
    }

    /// R at the last dispatch; metric `dispatch_r`.
    pub const fn dispatch_r(&self) -> SeatSeconds {
        self.dispatch_r
    }

    /// Virtual start of the request last dispatched; metric `latest_s`.
    pub const fn latest_s(&self) -> SeatSeconds {
        self.latest_s
    }

    /// Queues there are, superfluous ones included.
    pub fn num_queues(&self) -> usize {
        self.order.len()
    }

    /// Seats that the next release frees.
    pub fn next_release_seats(&self) -> Option<u64> {
        let (_, id) = self.lingering.first()?;
        Some(self.requests[id.key].work.max_seats())
    }

    /// Queues in which something waits.
    pub fn num_queues_waiting(&self) -> usize {
        self.by_virtual_finish.len()
    }

    /// Requests that all queues together may hold; denominator of the waiting utilisation.
    pub fn queue_capacity(&self) -> u64 {
        let queues = match self.config.queuing {
            Queuing::Queue { dealer, .. } => u64::from(dealer.deck_size()),
            Queuing::Exempt | Queuing::Reject => 1,
        };
        queues * u64::from(self.queue_length_limit.max(1))
    }

    /// Seats taken and asked for, over time.
    pub const fn demand(&self) -> &Integrator {
        &self.demand
    }

    /// As [`demand`](Self::demand), to reset it.
    pub const fn demand_mut(&mut self) -> &mut Integrator {
        &mut self.demand
    }

    /// A request that waits, executes or lingers.
    pub fn request(&self, id: RequestId) -> Option<&Request<T>> {
        self.requests.get(id.key).filter(|request| request.id == id)
    }

    /// All requests there are, in no particular order.
    pub fn requests(&self) -> impl Iterator<Item = &Request<T>> {
        self.requests.iter().map(|(_, request)| request)
    }

    /// Takes a new configuration.
    ///
    /// Missing queues appear at once. Superfluous ones take no new requests and go when they have
    /// drained; nothing that executes is stopped.
    pub fn handle_config_change(&mut self, now: SimTime, config: QueueSetConfig) {
        self.sync(now);
        if let Queuing::Queue { dealer, queue_length_limit } = config.queuing {
            self.queue_length_limit = queue_length_limit;
            for index in self.order.len()..dealer.deck_size() as usize {
                self.order.push(self.queues.insert(Queue::at(index)));
            }
        }
        self.config = config;
        self.dispatch_as_much_as_possible(now);
    }

    /// Takes a new concurrency limit.
    pub fn handle_limit_change(&mut self, now: SimTime, concurrency_limit: u32) {
        self.handle_config_change(now, QueueSetConfig { concurrency_limit, ..self.config });
    }

    /// A request arrives; `hash` picks its hand of queues.
    pub fn handle_arrival(
        &mut self,
        now: SimTime,
        work: WorkEstimate,
        hash: u64,
        payload: T,
    ) -> Arrival<T> {
        self.sync(now);
        match self.config.queuing {
            Queuing::Exempt => {}
            Queuing::Reject => {
                if !self.can_accommodate(work.max_seats()) {
                    self.totals.rejected += 1;
                    return Arrival::Rejected { reason: RejectReason::ConcurrencyLimit, payload };
                }
            }
            Queuing::Queue { dealer, queue_length_limit } => {
                let queue_key = self.choose_queue(dealer, hash);
                let full = self.queues[queue_key].len >= queue_length_limit as usize;
                if full && self.totals.seats_in_use >= self.limit() {
                    self.totals.rejected += 1;
                    return Arrival::Rejected { reason: RejectReason::QueueFull, payload };
                }
                let index = self.queues[queue_key].index;
                let id = self.enqueue(now, queue_key, work, payload);
                let queue_length = self.queues[queue_key].len;
                self.dispatch_as_much_as_possible(now);
                return Arrival::Accepted { id, queue: Some(index), queue_length };
            }
        }
        let id = self.insert(now, work, payload);
        self.start(now, id.key);
        Arrival::Accepted { id, queue: None, queue_length: 0 }
    }

    /// An executing request has ended. Returns what was attached to it if its seats are free now;
    /// else it lingers, and [`handle_release`](Self::handle_release) will return it.
    ///
    /// `None` also when `id` does not execute.
    pub fn handle_finish(&mut self, now: SimTime, id: RequestId) -> Option<T> {
        self.sync(now);
        let request = self.requests.get_mut(id.key).filter(|request| request.id == id)?;
        if request.state != RequestState::Executing {
            return None;
        }
        request.state = RequestState::Lingering;
        self.totals.executing -= 1;
        let started = request.start_time.unwrap_or(now);
        let latency = request.work.additional_latency;
        let initial_seats = request.work.initial_seats;
        if let Some(queue_key) = request.queue {
            let queue = &mut self.queues[queue_key];
            queue.executing -= 1;
            if !queue.is_active() {
                self.active_queues -= 1;
            }
            // Dispatch charged the guess G; the truth is the actual service time.
            let overcharge = num::nanos_i64(ESTIMATED_SERVICE_DURATION)
                .saturating_sub(num::nanos_i64(now.saturating_since(started)));
            queue.next_dispatch_r = queue
                .next_dispatch_r
                .wrapping_sub(SeatSeconds::from_seats_nanos(initial_seats as f64, overcharge));
            queue.bound_next_dispatch(&self.requests);
            self.file(queue_key);
        }
        let payload = if latency.is_zero() {
            Some(self.release(now, id.key))
        } else {
            self.lingering.insert((now + latency, id));
            None
        };
        self.dispatch_as_much_as_possible(now);
        payload
    }

    /// Frees the seats of the first lingering request whose time has come, if there is one.
    /// Requests due at the same time go in the order of arrival.
    pub fn handle_release(&mut self, now: SimTime) -> Option<(RequestId, T)> {
        let &(due, id) = self.lingering.first().filter(|(due, _)| *due <= now)?;
        self.lingering.remove(&(due, id));
        self.sync(now);
        let payload = self.release(now, id.key);
        self.dispatch_as_much_as_possible(now);
        Some((id, payload))
    }

    /// Frees the seats of a lingering request at once, however long it was to linger. Takes time in
    /// proportion to the lingering requests.
    ///
    /// `None` when `id` does not linger.
    pub fn handle_early_release(&mut self, now: SimTime, id: RequestId) -> Option<T> {
        let entry = *self.lingering.iter().find(|(_, lingering)| *lingering == id)?;
        self.lingering.remove(&entry);
        self.sync(now);
        let payload = self.release(now, id.key);
        self.dispatch_as_much_as_possible(now);
        Some(payload)
    }

    /// The wait of a request ends without a dispatch, by deadline or because the client left.
    /// Dispatches nothing, even where that would now be possible: upstream does not either.
    ///
    /// `None` when `id` does not wait.
    pub fn handle_cancel(&mut self, now: SimTime, id: RequestId) -> Option<T> {
        self.sync(now);
        let request = self.request(id).filter(|r| r.state == RequestState::Waiting)?;
        let queue_key = request.queue?;
        let seats = request.work.max_seats();
        self.unqueue(queue_key, id.key);
        let queue = &mut self.queues[queue_key];
        queue.requests -= 1;
        if !queue.is_active() {
            self.active_queues -= 1;
        }
        queue.bound_next_dispatch(&self.requests);
        self.file(queue_key);
        self.totals.seats_waiting -= seats;
        self.totals.rejected += 1;
        self.totals.cancelled += 1;
        self.note_demand(now);
        Some(self.requests.remove(id.key).payload)
    }

    /// What followed from the last handler, in order.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<QueueSetEvent> {
        self.events.pop_front()
    }

    /// When the next lingering request is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<SimTime> {
        self.lingering.first().map(|(due, _)| *due)
    }

    fn limit(&self) -> u64 {
        self.config.concurrency_limit.into()
    }

    fn insert(&mut self, now: SimTime, work: WorkEstimate, payload: T) -> RequestId {
        let entry = self.requests.vacant_entry();
        let id = RequestId { serial: self.next_serial, key: entry.key() };
        self.next_serial += 1;
        entry.insert(Request::new(id, work, now, payload));
        id
    }

    fn note_demand(&mut self, now: SimTime) {
        let seats = self.totals.seats_in_use + self.totals.seats_waiting;
        self.demand.set(now, seats as f64);
    }
}
