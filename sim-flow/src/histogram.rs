//! Histograms in memory.

use sim_time::SimTime;

/// Counts observations by size.
#[derive(Clone, Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is above.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// An empty histogram with these upper bounds, ascending; a bucket includes its bound.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Notes one observation.
    pub fn observe(&mut self, value: f64) {
        self.observe_weighted(value, 1);
    }

    /// Notes `weight` observations of one value.
    pub fn observe_weighted(&mut self, value: f64, weight: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        self.counts[bucket.unwrap_or(self.bounds.len())] += weight;
        self.sum += value * weight as f64;
    }

    /// The upper bounds.
    pub const fn bounds(&self) -> &'static [f64] {
        self.bounds
    }

    /// Observations up to each bound, then all: as Prometheus wants them.
    pub fn cumulative_counts(&self) -> Vec<u64> {
        let mut total = 0;
        let add = |count: &u64| {
            total += count;
            total
        };
        self.counts.iter().map(add).collect()
    }

    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of the observations.
    pub const fn sum(&self) -> f64 {
        self.sum
    }
}

/// Observes a value that changes at known times, once a nanosecond.
///
/// Source: `TimingHistogram` of k8s.io/component-base.
#[derive(Clone, Debug)]
pub struct TimingHistogram {
    histogram: Histogram,
    value: f64,
    since: SimTime,
}

impl TimingHistogram {
    /// A histogram of the value 0 from `now` on.
    pub fn new(now: SimTime, bounds: &'static [f64]) -> Self {
        Self { histogram: Histogram::new(bounds), value: 0.0, since: now }
    }

    /// The value is `value` from `now` on.
    pub fn set(&mut self, now: SimTime, value: f64) {
        self.advance(now);
        self.value = value;
    }

    /// The histogram up to `now`.
    pub fn histogram(&self, now: SimTime) -> Histogram {
        let mut copy = self.clone();
        copy.advance(now);
        copy.histogram
    }

    fn advance(&mut self, now: SimTime) {
        let nanos = now.as_nanos().saturating_sub(self.since.as_nanos());
        if nanos > 0 {
            self.histogram.observe_weighted(self.value, nanos);
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_includes_its_bound() {
        let mut histogram = Histogram::new(&[0.0, 1.0]);
        for value in [0.0, 0.5, 1.0, 1.5] {
            histogram.observe(value);
        }
        assert_eq!(histogram.cumulative_counts(), [1, 3, 4]);
    }

    #[test]
    fn time_is_the_weight() {
        let mut timing = TimingHistogram::new(SimTime::ZERO, &[0.0, 1.0]);
        timing.set(SimTime::from_nanos(10), 2.0);
        let histogram = timing.histogram(SimTime::from_nanos(15));
        assert_eq!(histogram.cumulative_counts(), [10, 10, 15]);
        assert!((histogram.sum() - 10.0).abs() < 1e-12);
    }
}
