//! The max-in-flight filter, used when API Priority and Fairness is off.
//!
//! Two independent pools, one for read-only and one for mutating requests. A request that finds its
//! pool full is refused at once: nothing waits. Long-running requests do not come here; deciding
//! what is long-running, and the 429 itself, is the edge's part.

use sim_time::SimTime;

use crate::{RequestKind, Watermark};

/// Sizes of the two pools, in requests.
///
/// Source: flags `--max-requests-inflight` and `--max-mutating-requests-inflight`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InflightLimits {
    /// Mutating requests at once; 0 is unlimited. Default 200.
    pub mutating: u32,
    /// Read-only requests at once; 0 is unlimited. Default 400.
    pub read_only: u32,
}

impl Default for InflightLimits {
    fn default() -> Self {
        Self { mutating: 200, read_only: 400 }
    }
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum InflightDecision {
    /// Serve it, and give the permit back with [`InflightFilter::release`] when it has ended.
    Admit(Permit),
    /// Serve it without counting it: its pool has no limit, or the pool is full and the user is in
    /// `system:masters`. There is nothing to release.
    Exempt,
    /// Refuse it with 429 and `Retry-After: 1`.
    Reject,
}

/// A place in one of the pools.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Permit(RequestKind);

impl Permit {
    /// The pool that the place is in.
    pub const fn kind(self) -> RequestKind {
        self.0
    }
}

/// The two pools.
///
/// Getters take `&self`; [`try_acquire`](Self::try_acquire) and [`release`](Self::release) are the
/// only mutators. Time is used for the watermarks alone.
///
/// Source: `WithMaxInFlightLimit` in `pkg/server/filters/maxinflight.go`.
#[derive(Clone, Debug)]
pub struct InflightFilter {
    limits: InflightLimits,
    mutating: u32,
    read_only: u32,
    watermark: Watermark,
}

impl InflightFilter {
    /// Empty pools of these sizes.
    pub fn new(limits: InflightLimits) -> Self {
        Self { limits, mutating: 0, read_only: 0, watermark: Watermark::default() }
    }

    /// Takes a place for a request of a user in `groups`, never waiting for one.
    pub fn try_acquire<S: AsRef<str>>(
        &mut self,
        now: SimTime,
        mutating: bool,
        groups: &[S],
    ) -> InflightDecision {
        let kind = if mutating { RequestKind::Mutating } else { RequestKind::ReadOnly };
        let (limit, used) = self.pool(kind);
        if limit == 0 {
            return InflightDecision::Exempt;
        }
        if *used < limit {
            *used += 1;
            let count = *used;
            self.watermark.record(now, kind, count);
            return InflightDecision::Admit(Permit(kind));
        }
        if groups.iter().any(|group| group.as_ref() == SYSTEM_PRIVILEGED_GROUP) {
            InflightDecision::Exempt
        } else {
            InflightDecision::Reject
        }
    }

    /// Gives a place back.
    pub fn release(&mut self, now: SimTime, permit: Permit) {
        let (_, used) = self.pool(permit.0);
        debug_assert!(*used > 0, "a permit is released once");
        *used = used.saturating_sub(1);
        let count = *used;
        self.watermark.record(now, permit.0, count);
    }

    /// The pool sizes.
    pub const fn limits(&self) -> InflightLimits {
        self.limits
    }

    /// Counted requests of `kind` being served now.
    pub const fn executing(&self, kind: RequestKind) -> u32 {
        match kind {
            RequestKind::Mutating => self.mutating,
            RequestKind::ReadOnly => self.read_only,
        }
    }

    /// Value of `apiserver_current_inflight_requests` for `kind`: the highest count of the last
    /// full second.
    pub fn watermark(&self, now: SimTime, kind: RequestKind) -> u32 {
        self.watermark.read(now, kind)
    }

    fn pool(&mut self, kind: RequestKind) -> (u32, &mut u32) {
        match kind {
            RequestKind::Mutating => (self.limits.mutating, &mut self.mutating),
            RequestKind::ReadOnly => (self.limits.read_only, &mut self.read_only),
        }
    }
}

/// `user.SystemPrivilegedGroup`: members are served even when the pool is full.
pub const SYSTEM_PRIVILEGED_GROUP: &str = "system:masters";

/// Body of every 429 that this crate's decisions lead to, with APF on or off.
pub const TOO_MANY_REQUESTS_BODY: &str = "Too many requests, please try again later.\n";

/// `Retry-After` of the max-in-flight filter, in seconds; constant, unlike that of APF.
pub const INFLIGHT_RETRY_AFTER_S: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: &[&str] = &["system:authenticated"];

    #[test]
    fn a_full_pool_refuses_all_but_masters_and_leaves_the_other_pool_alone() {
        let mut filter = InflightFilter::new(InflightLimits { mutating: 1, read_only: 1 });
        let now = SimTime::ZERO;
        let InflightDecision::Admit(permit) = filter.try_acquire(now, true, NOBODY) else {
            panic!("the pool is empty");
        };
        assert_eq!(filter.try_acquire(now, true, NOBODY), InflightDecision::Reject);
        assert_eq!(filter.try_acquire(now, true, &["system:masters"]), InflightDecision::Exempt);
        assert!(matches!(filter.try_acquire(now, false, NOBODY), InflightDecision::Admit(_)));
        filter.release(now, permit);
        assert_eq!(filter.executing(RequestKind::Mutating), 0);
        assert!(matches!(
            filter.try_acquire(now, true, &["system:masters"]),
            InflightDecision::Admit(_)
        ));
    }

    #[test]
    fn a_limit_of_zero_counts_nothing() {
        let mut filter = InflightFilter::new(InflightLimits { mutating: 0, read_only: 5 });
        for _ in 0..1000 {
            assert_eq!(filter.try_acquire(SimTime::ZERO, true, NOBODY), InflightDecision::Exempt);
        }
        assert_eq!(filter.watermark(SimTime::from_secs(1), RequestKind::Mutating), 0);
    }

    #[test]
    fn the_watermark_is_the_peak_of_the_last_second() {
        let mut filter = InflightFilter::new(InflightLimits::default());
        let t = SimTime::from_millis(1500);
        let permits: Vec<_> = (0..7)
            .filter_map(|_| match filter.try_acquire(t, false, NOBODY) {
                InflightDecision::Admit(permit) => Some(permit),
                _ => None,
            })
            .collect();
        for permit in permits {
            filter.release(t, permit);
        }
        assert_eq!(filter.watermark(SimTime::from_millis(2001), RequestKind::ReadOnly), 7);
        assert_eq!(filter.watermark(SimTime::from_millis(3001), RequestKind::ReadOnly), 0);
    }
}
