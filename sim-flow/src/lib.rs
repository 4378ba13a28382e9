//! Max-in-flight and API Priority and Fairness, sans-IO.

mod inflight;
mod integrator;
mod num;
mod queue_set;
mod seat_seconds;
mod shuffle_shard;
mod watermark;
mod work_estimate;

pub use inflight::{
    INFLIGHT_RETRY_AFTER_S, InflightDecision, InflightFilter, InflightLimits, Permit,
    SYSTEM_PRIVILEGED_GROUP, TOO_MANY_REQUESTS_BODY,
};
pub use integrator::{Integrator, IntegratorResults};
pub use queue_set::{
    Arrival, Defects, NextSBounds, QueueDump, QueueSet, QueueSetConfig, QueueSetDump,
    QueueSetEvent, Queuing, RejectReason, Request, RequestId, RequestState, Totals,
};
pub use seat_seconds::SeatSeconds;
pub use shuffle_shard::{
    Dealer, DealerError, Hand, MAX_HAND_SIZE, MAX_HASH_BITS, flow_hash, required_entropy_bits,
};
pub use watermark::{RequestKind, WATERMARK_PERIOD, Watermark};
pub use work_estimate::{ESTIMATED_SERVICE_DURATION, WorkEstimate};
