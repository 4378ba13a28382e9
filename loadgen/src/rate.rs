//! A token bucket, as client-go's rate limiter (`golang.org/x/time/rate`) keeps it.
//!
//! The bucket reads no clock: the caller says what time it is, as the length of time since some
//! moment of its choice, and is told how long to wait. So it works in virtual time too.

use std::time::Duration;

/// A bucket of `burst` tokens, refilled at `per_s` tokens a second, full at the start.
///
/// [`reserve`](Self::reserve) always gives a token; one that is not there yet comes with a wait,
/// and later callers queue behind it. Time must not go backwards; if it does, it counts as
/// standing still.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_s: f64,
    burst: f64,
    /// Tokens at `at`; below zero when some were promised for later.
    tokens: f64,
    at: Duration,
}

impl TokenBucket {
    /// A full bucket. `per_s` is in tokens a second; zero or less means no limit, as kube-burner
    /// and client-go have it for a negative QPS. A burst below one counts as one.
    pub fn new(per_s: f64, burst: u32) -> Self {
        let burst = f64::from(burst.max(1));
        Self { per_s, burst, tokens: burst, at: Duration::ZERO }
    }

    /// Takes one token at `now` and says how long to wait before using it.
    pub fn reserve(&mut self, now: Duration) -> Duration {
        if self.per_s <= 0.0 {
            return Duration::ZERO;
        }
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_s).min(self.burst) - 1.0;
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        // Waiting is counted from `now`; a caller whose time stands still waits that much longer.
        let wait = Duration::try_from_secs_f64(-self.tokens / self.per_s).unwrap_or(Duration::MAX);
        wait.saturating_add(self.at.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_burst_is_free_and_the_rest_is_spaced() {
        let mut bucket = TokenBucket::new(10.0, 3);
        let waits: Vec<_> = (0..6).map(|_| bucket.reserve(Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
    }

    #[test]
    fn it_fills_up_to_the_burst_and_no_further() {
        let mut bucket = TokenBucket::new(10.0, 3);
        for _ in 0..3 {
            bucket.reserve(Duration::ZERO);
        }
        let later = at_ms(60_000);
        let waits: Vec<_> = (0..4).map(|_| bucket.reserve(later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100]);
    }

    #[test]
    fn over_any_time_no_more_than_burst_plus_rate_comes_out() {
        let mut bucket = TokenBucket::new(100.0, 100);
        let mut clock = Duration::ZERO;
        let mut used = 0_u32;
        while clock < at_ms(10_000) {
            clock += bucket.reserve(clock);
            used += 1;
        }
        assert!((1100..=1101).contains(&used), "{used}");
    }

    #[test]
    fn no_rate_is_no_limit() {
        let mut bucket = TokenBucket::new(0.0, 1);
        assert!((0..1000).all(|_| bucket.reserve(Duration::ZERO).is_zero()));
    }

    #[test]
    fn time_that_goes_backwards_stands_still() {
        let mut bucket = TokenBucket::new(10.0, 1);
        assert!(bucket.reserve(at_ms(1000)).is_zero());
        assert_eq!(bucket.reserve(at_ms(500)), at_ms(600), "due at 1100");
    }
}
