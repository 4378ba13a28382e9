//! The one place where the server reads a clock.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use sim_time::SimTime;

/// Wall and monotonic time since the server's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Time since the start, for the cores.
    pub(crate) fn now(self) -> SimTime {
        SimTime::ZERO + self.start.elapsed()
    }

    /// The wall clock, for `creationTimestamp` and headers.
    pub(crate) fn wall(self) -> Timestamp {
        Timestamp::now()
    }

    /// The instant of a core's time, for timers.
    pub(crate) fn instant(self, at: SimTime) -> tokio::time::Instant {
        let far = Duration::from_secs(86_400 * 365);
        tokio::time::Instant::from_std(self.start + at.since_start().min(far))
    }
}
