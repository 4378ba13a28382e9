//! Max-in-flight and API Priority and Fairness, sans-IO.

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
