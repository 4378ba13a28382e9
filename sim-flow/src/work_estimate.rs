//! How much of the server a request takes.

use std::time::Duration;

use crate::SeatSeconds;

/// The seats of a request in its two phases.
///
/// The initial phase is the execution itself. The final phase follows it, after the client has its
/// answer: the seats stay taken for [`additional_latency`](Self::additional_latency), which stands
/// for the work of telling the watchers. The greater width is charged during both.
///
/// Source: `WorkEstimate` in `pkg/util/flowcontrol/request/width.go`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WorkEstimate {
    /// Seats while the request executes.
    pub initial_seats: u64,
    /// Seats in the final phase; 0 when there is none.
    pub final_seats: u64,
    /// Length of the final phase.
    pub additional_latency: Duration,
}

impl WorkEstimate {
    /// One seat, no final phase: the estimate of most requests.
    pub const ONE_SEAT: Self = Self::initial(1);

    /// `seats` seats and no final phase.
    pub const fn initial(seats: u64) -> Self {
        Self { initial_seats: seats, final_seats: 0, additional_latency: Duration::ZERO }
    }

    /// Seats taken from dispatch to release.
    pub fn max_seats(&self) -> u64 {
        self.initial_seats.max(self.final_seats)
    }

    /// Work of the final phase.
    pub fn final_work(&self) -> SeatSeconds {
        SeatSeconds::new(self.final_seats, self.additional_latency)
    }

    /// Work of both phases, the execution being guessed at [`ESTIMATED_SERVICE_DURATION`].
    pub fn total_work(&self) -> SeatSeconds {
        SeatSeconds::new(self.initial_seats, ESTIMATED_SERVICE_DURATION)
            .wrapping_add(self.final_work())
    }
}

/// G: the service time assumed for every request before it has ended. Corrected at the finish, so
/// its value only shapes the order among requests whose length is not known yet.
///
/// Source: `estimatedServiceDuration` in `queueset.go`.
pub const ESTIMATED_SERVICE_DURATION: Duration = Duration::from_millis(3);
