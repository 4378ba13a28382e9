//! Max-in-flight and API Priority and Fairness, sans-IO.
//!
//! The filter that stands between authentication and authorization: it decides for every request
//! whether it executes now, waits, or is refused with 429. [`InflightFilter`] is the plain one with
//! two counters. [`Controller`] is API Priority and Fairness as kube-apiserver 1.29 to 1.37 has it,
//! to the nanosecond and the seat. Neither reads a clock: callers pass a [`SimTime`].
//!
//! # From a request to its seats
//!
//! The first FlowSchema that matches, by precedence and then by name, names the request's priority
//! level and, by user or namespace, its flow. A [`WorkEstimator`] gives the request a width in
//! *seats*: a LIST is as wide as the objects or bytes it goes through, a mutation has one seat and
//! then a *final phase* in which, after the client has its answer, it holds seats for the work of
//! telling the watchers.
//!
//! The server's seats are split among the levels by their shares into nominal limits. Every ten
//! seconds [`adjust`] turns these into current limits: each level keeps what it can prove to need,
//! and what is left goes to all in proportion to their smoothed demand, within what they may lend
//! and borrow. [`allocate`] solves that.
//!
//! # From seats to an order
//!
//! A level has queues. A flow's hash deals it a small hand of them ([`Dealer`]), and a request joins
//! the queue of the hand with the least work waiting: so a flow that floods its few queues leaves
//! most flows with at least one queue that it has not reached.
//!
//! Among the queues the seats are to be shared equally. Suppose work could be split at will. Then,
//! with C seats in use and N queues that want them, each queue would receive C/N seat-seconds in a
//! second. The meter R is what a queue that always wanted seats would have received so far:
//!
//! ```text
//! dR/dt = min(seats taken or asked for, C) / N
//! ```
//!
//! In that ideal world a request of work w that starts when the meter stands at S is done when it
//! stands at S + w, whatever the other queues do: R stretches with the load so that they need not
//! be asked. Each queue remembers the S at which its next request starts there, and the real
//! dispatcher takes the head whose S + w is least: it starts requests in the order in which the
//! ideal world finishes them. Dispatch moves the queue's S on by w.
//!
//! Three corrections make this hold in the real world.
//!
//! - The service time is not known beforehand. Dispatch charges a guess G of 3 ms for each initial
//!   seat, and the finish puts the queue's S right by the difference. So in the end a queue is
//!   charged (initial seats × service time) + (final seats × final phase).
//! - A queue which has been empty starts at the present R, and no head starts before the R at which
//!   it arrived: having asked for little gives no credit for later.
//! - A request may be wider than the free seats. The one that is next is then waited for and nobody
//!   overtakes it, or it would starve. One wider than the level itself runs when nothing else does.
//!
//! Work and R are [`SeatSeconds`], fixed point and modulo 2⁶⁴, so that sums do not depend on their
//! order and a replay gives the same figures. Before R overflows, an *epoch* ends: R and every
//! reading of it are wound back by the same amount.
//!
//! # Cost
//!
//! The queues in which something waits are kept ordered by the virtual finish of their heads, and
//! sums over queues are kept as they change. An arrival, dispatch or finish costs a hand of queues
//! and the logarithm of the number of queues in which something waits; empty queues and the length
//! of queues cost nothing.
//!
//! # Sources
//!
//! KEP-1040 of kubernetes/enhancements; `pkg/util/flowcontrol` and `pkg/server/filters` of
//! k8s.io/apiserver. `tests/vectors` replays what was recorded by driving that library.
//!
//! [`SimTime`]: sim_time::SimTime

mod allocation;
pub mod api;
pub mod bootstrap;
mod borrowing;
mod controller;
mod digest;
mod estimate;
mod histogram;
mod inflight;
mod integrator;
mod matching;
mod mismatch;
mod num;
mod query;
mod queue_set;
mod release;
mod retry_after;
mod seat_seconds;
mod shuffle_shard;
mod text;
mod wait_limit;
mod watermark;
mod work_estimate;

pub use allocation::{AllocationError, AllocationItem, allocate};
pub use borrowing::{
    Adjustment, BORROWING_ADJUSTMENT_PERIOD, LevelDemand, SeatDemandStats, SeatLimits, adjust,
    concurrency_denominator, shares,
};
pub use controller::{
    Admission, Classified, Controller, ControllerConfig, Decision, Event, LevelView, MetricFamily,
    MetricSeries, MetricValue, ObjectRef, Payload, Rejection, RequestHandle, SkippedSchema,
};
pub use digest::{RequestDigest, RequestInfo, UserInfo};
pub use estimate::{
    Estimated, ObjectCountError, ObjectCounts, ObjectStats, WatchId, WatchTracker, WorkEstimator,
};
pub use histogram::{Histogram, TimingHistogram};
pub use inflight::{
    INFLIGHT_RETRY_AFTER_S, InflightDecision, InflightFilter, InflightLimits, Permit,
    SYSTEM_PRIVILEGED_GROUP, TOO_MANY_REQUESTS_BODY,
};
pub use integrator::{Integrator, IntegratorResults};
pub use matching::{Distinguisher, MatchOutcome};
pub use mismatch::{Mismatch, RulePart};
pub use queue_set::{
    Arrival, Defects, NextSBounds, QueueDump, QueueSet, QueueSetConfig, QueueSetDump,
    QueueSetEvent, Queuing, RejectReason, Request, RequestId, RequestState, Totals,
};
pub use release::{Borrowing, FlowProfile, ListRouting, Release};
pub use retry_after::DroppedRequestsTracker;
pub use seat_seconds::SeatSeconds;
pub use shuffle_shard::{
    Dealer, DealerError, Hand, MAX_HAND_SIZE, MAX_HASH_BITS, flow_hash, required_entropy_bits,
};
pub use wait_limit::{InvalidTimeout, queue_wait_deadline, request_deadline};
pub use watermark::{RequestKind, WATERMARK_PERIOD, Watermark};
pub use work_estimate::{ESTIMATED_SERVICE_DURATION, WorkEstimate};
