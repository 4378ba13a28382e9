//! Time-weighted statistics of a step function.

use sim_time::SimTime;

/// Integrates a value that changes at known times.
///
/// Source: `pkg/util/flowcontrol/fairqueuing/integrator.go`.
#[derive(Clone, Debug)]
pub struct Integrator {
    last_time: SimTime,
    value: f64,
    elapsed_s: f64,
    integral: f64,
    integral_of_square: f64,
    min: f64,
    max: f64,
}

/// What an [`Integrator`] saw since its last reset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IntegratorResults {
    /// Length of the span, in seconds.
    pub duration_s: f64,
    /// Time-weighted mean; NaN over an empty span.
    pub average: f64,
    /// Time-weighted standard deviation; NaN over an empty span and where rounding makes the
    /// variance negative.
    pub deviation: f64,
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
}

impl Integrator {
    /// An integrator of the value 0 from `now` on.
    pub fn new(now: SimTime) -> Self {
        Self {
            last_time: now,
            value: 0.0,
            elapsed_s: 0.0,
            integral: 0.0,
            integral_of_square: 0.0,
            min: 0.0,
            max: 0.0,
        }
    }

    /// The value is `value` from `now` on.
    pub fn set(&mut self, now: SimTime, value: f64) {
        self.advance(now);
        self.value = value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// The value changes by `delta` at `now`.
    pub fn add(&mut self, now: SimTime, delta: f64) {
        self.set(now, self.value + delta);
    }

    /// The present value.
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// Statistics up to `now`. Asking splits the sums at `now`, which may show in their last bits;
    /// the real integrator does the same.
    pub fn results(&mut self, now: SimTime) -> IntegratorResults {
        self.advance(now);
        let (average, deviation) = if self.elapsed_s > 0.0 {
            let average = self.integral / self.elapsed_s;
            let variance = self.integral_of_square / self.elapsed_s - average * average;
            (average, if variance >= 0.0 { variance.sqrt() } else { f64::NAN })
        } else {
            (f64::NAN, f64::NAN)
        };
        IntegratorResults {
            duration_s: self.elapsed_s,
            average,
            deviation,
            min: self.min,
            max: self.max,
        }
    }

    /// Statistics up to `now`; a new span begins, whose extremes start at the present value.
    pub fn reset(&mut self, now: SimTime) -> IntegratorResults {
        let results = self.results(now);
        *self = Self { value: self.value, min: self.value, max: self.value, ..Self::new(now) };
        results
    }

    fn advance(&mut self, now: SimTime) {
        if now <= self.last_time {
            return;
        }
        let nanos = now.as_nanos() - self.last_time.as_nanos();
        let dt = (nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9;
        self.last_time = now;
        self.elapsed_s += dt;
        self.integral += self.value * dt;
        self.integral_of_square += self.value * self.value * dt;
    }
}
