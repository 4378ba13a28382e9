//! Requests that execute, sharing a number of cores.

use std::{collections::BTreeSet, time::Duration};

use sim_time::SimTime;

/// The jobs under way. Each gets the same part of a core, one core at the most.
///
/// All jobs advance alike, so one meter tells how much each has got since any moment, and a job
/// ends when the meter has risen by its work.
pub(super) struct Cores {
    cores: Option<f64>,
    /// Nanoseconds of a core that a job present from the start would have got.
    meter: f64,
    at: SimTime,
    /// Readings of the meter at which jobs end, as bits, since positive floats sort like these.
    ends: BTreeSet<(u64, u64)>,
}

impl Cores {
    pub(super) fn new(cores: Option<f64>) -> Self {
        Self { cores, meter: 0.0, at: SimTime::ZERO, ends: BTreeSet::new() }
    }

    /// Starts a job, and gives what [`remove`](Self::remove) needs.
    pub(super) fn start(&mut self, now: SimTime, id: u64, work: Duration) -> (u64, u64) {
        self.advance(now);
        let end = self.meter + work.as_nanos() as f64;
        let entry = (end.to_bits(), id);
        self.ends.insert(entry);
        entry
    }

    /// Breaks a job off.
    pub(super) fn remove(&mut self, now: SimTime, entry: (u64, u64)) {
        self.advance(now);
        self.ends.remove(&entry);
    }

    /// When the next job ends, as things are.
    pub(super) fn next_end(&self) -> Option<SimTime> {
        let (bits, _) = self.ends.first()?;
        let rest = (f64::from_bits(*bits) - self.meter).max(0.0) / self.pace();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and below a day in nanoseconds"
        )]
        let rest = (rest - ROUNDING).max(0.0).ceil() as u64;
        Some(self.at + Duration::from_nanos(rest))
    }

    /// Ends the next job; `now` is what [`next_end`](Self::next_end) said.
    pub(super) fn finish_next(&mut self, now: SimTime) -> Option<u64> {
        self.advance(now);
        self.ends.pop_first().map(|(_, id)| id)
    }

    fn advance(&mut self, now: SimTime) {
        let passed = now.saturating_since(self.at).as_nanos() as f64;
        self.meter += passed * self.pace();
        self.at = now;
    }

    /// Part of a core that each job gets.
    fn pace(&self) -> f64 {
        let jobs = self.ends.len().max(1) as f64;
        self.cores.map_or(1.0, |cores| (cores / jobs).min(1.0))
    }
}

/// What sums of floats may be off, in nanoseconds.
const ROUNDING: f64 = 1e-3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_share_the_cores_evenly() {
        let ms = SimTime::from_millis;
        let mut cores = Cores::new(Some(2.0));
        for id in 0..4 {
            cores.start(SimTime::ZERO, id, Duration::from_millis(100));
        }
        // Four jobs on two cores run at half the pace.
        assert_eq!(cores.next_end(), Some(ms(200)));
        cores.start(ms(100), 4, Duration::from_millis(10));
        // The fifth slows the others down, and ends first.
        assert_eq!(cores.next_end(), Some(ms(125)));
        assert_eq!(cores.finish_next(ms(125)), Some(4));
        assert_eq!(cores.next_end(), Some(ms(205)));
        assert_eq!(cores.finish_next(ms(205)), Some(0));
    }

    #[test]
    fn without_a_number_each_job_has_its_core() {
        let mut cores = Cores::new(None);
        for id in 0..50 {
            cores.start(SimTime::ZERO, id, Duration::from_millis(7));
        }
        assert_eq!(cores.next_end(), Some(SimTime::from_millis(7)));
    }
}
