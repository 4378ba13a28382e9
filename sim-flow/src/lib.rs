//! Max-in-flight and API Priority and Fairness, sans-IO.

mod inflight;
mod watermark;

pub use inflight::{
    INFLIGHT_RETRY_AFTER_S, InflightDecision, InflightFilter, InflightLimits, Permit,
    SYSTEM_PRIVILEGED_GROUP, TOO_MANY_REQUESTS_BODY,
};
pub use watermark::{RequestKind, WATERMARK_PERIOD, Watermark};
