//! Latency histograms: what they can hold, and how a time gets into one.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// An empty histogram of microseconds: 1 µs to one hour, three significant digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_MICROS, 3).expect("the bounds are constants in order")
}

/// Records `time`; what is outside the bounds counts as the nearest bound.
pub fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(MAX_MICROS);
    histogram.saturating_record(micros.clamp(1, MAX_MICROS));
}

/// The figures that reports print, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Times recorded.
    pub count: u64,
    /// The shortest.
    pub min_ms: f64,
    /// The arithmetic mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Percentiles {
    /// The figures of a histogram made by [`histogram`]; all zero when it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |q: f64| millis(histogram.value_at_quantile(q));
        Self {
            count: histogram.len(),
            min_ms: millis(if histogram.is_empty() { 0 } else { histogram.min() }),
            mean_ms: histogram.mean() / 1000.0,
            p50_ms: at(0.50),
            p90_ms: at(0.90),
            p99_ms: at(0.99),
            max_ms: millis(histogram.max()),
        }
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// One hour.
const MAX_MICROS: u64 = 3_600_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let mut h = histogram();
        for ms in 1..=1000 {
            record(&mut h, Duration::from_millis(ms));
        }
        let p = Percentiles::of(&h);
        assert_eq!(p.count, 1000);
        for (got, want) in
            [(p.min_ms, 1.0), (p.p50_ms, 500.0), (p.p90_ms, 900.0), (p.p99_ms, 990.0)]
        {
            assert!((got - want).abs() <= want * 0.002, "{got} for {want}");
        }
        assert!((p.max_ms - 1000.0).abs() < 1.0);
    }

    #[test]
    fn times_out_of_bounds_are_kept_at_the_bound() {
        let mut h = histogram();
        record(&mut h, Duration::ZERO);
        record(&mut h, Duration::MAX);
        assert_eq!(h.len(), 2);
        assert_eq!(h.min(), 1);
        assert!(h.max() >= MAX_MICROS);
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        let p = Percentiles::of(&histogram());
        assert_eq!((p.count, p.min_ms, p.p99_ms, p.max_ms), (0, 0.0, 0.0, 0.0));
    }
}
