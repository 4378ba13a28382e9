//! Work: seats held times seconds held.

use std::{fmt, time::Duration};

use crate::num;

/// An amount of work in fixed point, unit 10⁻⁸ seat-seconds.
///
/// Also the unit of the progress meter R. A `u64` of this unit reaches 1.8 × 10¹¹ seat-seconds;
/// sums wrap, because a correction may be negative and is then added as its two's complement.
///
/// Source: `pkg/util/flowcontrol/request/seat_seconds.go` (`ssScale` is 10⁸).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SeatSeconds(u64);

impl SeatSeconds {
    /// No work.
    pub const ZERO: Self = Self(0);
    /// The greatest amount.
    pub const MAX: Self = Self(u64::MAX);

    /// That many units of 10⁻⁸ seat-seconds.
    pub const fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// Units of 10⁻⁸ seat-seconds.
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The work of `seats` seats during `nanos` nanoseconds, rounded to the nearest unit with
    /// halves away from zero. A negative time gives a negative amount, to be added with
    /// [`wrapping_add`](Self::wrapping_add).
    #[expect(clippy::cast_sign_loss, reason = "negative amounts are kept in two's complement")]
    pub fn from_seats_nanos(seats: f64, nanos: i64) -> Self {
        Self(num::round_to_i64(seats * nanos as f64 / NANOS_PER_UNIT) as u64)
    }

    /// The work of `seats` seats during `duration`.
    pub fn new(seats: u64, duration: Duration) -> Self {
        Self::from_seats_nanos(seats as f64, num::nanos_i64(duration))
    }

    /// How long `seats` seats take for this work, whole nanoseconds, rounded down.
    pub fn duration_per_seat(self, seats: u64) -> Duration {
        let nanos = num::trunc_to_i64(self.0 as f64 / seats as f64 * NANOS_PER_UNIT);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// The sum, modulo 2⁶⁴.
    pub const fn wrapping_add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The difference, modulo 2⁶⁴.
    pub const fn wrapping_sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }

    /// Seat-seconds, for metrics.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / UNITS_PER_SEAT_SECOND as f64
    }
}

impl fmt::Display for SeatSeconds {
    /// As the debug dumps print it: `1.50000000ss`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / UNITS_PER_SEAT_SECOND, self.0 % UNITS_PER_SEAT_SECOND);
        f.pad(&format!("{whole}.{part:08}ss"))
    }
}

/// `ssScale` of the Go source.
const UNITS_PER_SEAT_SECOND: u64 = 100_000_000;

/// Nanoseconds that one seat takes for one unit.
const NANOS_PER_UNIT: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_away_from_zero_on_both_sides() {
        assert_eq!(SeatSeconds::from_seats_nanos(1.0, 5).units(), 1);
        assert_eq!(SeatSeconds::from_seats_nanos(1.0, -5).units(), u64::MAX);
        assert_eq!(SeatSeconds::from_seats_nanos(1.0, 4).units(), 0);
    }

    #[test]
    fn prints_as_the_debug_dump_does() {
        assert_eq!(SeatSeconds::from_units(150_000_000).to_string(), "1.50000000ss");
        assert_eq!(SeatSeconds::default().to_string(), "0.00000000ss");
    }

    #[test]
    fn a_mutation_seen_by_105_watchers_lingers_as_recorded() {
        let work = SeatSeconds::new(11, Duration::from_millis(5));
        assert_eq!(work.duration_per_seat(10), Duration::from_micros(5500));
        assert_eq!(work.duration_per_seat(3), Duration::from_nanos(18_333_333));
    }
}
