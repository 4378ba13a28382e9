//! What is counted on the way.

use std::{collections::BTreeMap, time::Duration};

use super::outcome::{Row, Times};

/// Counts of a level, user or client.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) arrived: u64,
    pub(super) completed: u64,
    pub(super) cut: u64,
    pub(super) rejected: BTreeMap<&'static str, u64>,
    waits_ns: Vec<u64>,
    latencies_ns: Vec<u64>,
    /// Requests that execute now.
    pub(super) executing: u64,
    pub(super) seats: u64,
    pub(super) held_bytes: u64,
    most_executing: u64,
    most_seats: u64,
    most_held_bytes: u64,
    /// Integrals over time.
    executing_ns: f64,
    seat_ns: f64,
    held_byte_ns: f64,
}

impl Tally {
    /// Time goes by, in the part that counts.
    pub(super) fn pass(&mut self, ns: f64) {
        self.executing_ns += ns * self.executing as f64;
        self.seat_ns += ns * self.seats as f64;
        self.held_byte_ns += ns * self.held_bytes as f64;
    }

    pub(super) fn start(&mut self, seats: u64, held_bytes: u64) {
        self.executing += 1;
        self.seats += seats;
        self.held_bytes += held_bytes;
        self.most_executing = self.most_executing.max(self.executing);
        self.most_seats = self.most_seats.max(self.seats);
        self.most_held_bytes = self.most_held_bytes.max(self.held_bytes);
    }

    pub(super) fn end(&mut self, seats: u64, held_bytes: u64) {
        self.executing -= 1;
        self.seats -= seats;
        self.held_bytes -= held_bytes;
    }

    pub(super) fn waited(&mut self, wait: Duration) {
        self.waits_ns.push(nanos(wait));
    }

    pub(super) fn answered(&mut self, latency: Duration) {
        self.completed += 1;
        self.latencies_ns.push(nanos(latency));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.completed += other.completed;
        self.cut += other.cut;
        for (reason, count) in &other.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
        self.waits_ns.extend(&other.waits_ns);
        self.latencies_ns.extend(&other.latencies_ns);
        // Peaks of several need not fall together: an upper bound, replaced where one is known.
        self.most_executing += other.most_executing;
        self.most_seats += other.most_seats;
        self.most_held_bytes += other.most_held_bytes;
        self.executing_ns += other.executing_ns;
        self.seat_ns += other.seat_ns;
        self.held_byte_ns += other.held_byte_ns;
    }

    pub(super) fn row(mut self, measured: Duration) -> Row {
        let ns = measured.as_nanos() as f64;
        let rejected: u64 = self.rejected.values().sum();
        let ended = self.completed + rejected + self.cut;
        Row {
            arrived: self.arrived,
            completed: self.completed,
            cut: self.cut,
            rejected: self.rejected.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect(),
            success_percent: (ended > 0).then(|| self.completed as f64 / ended as f64 * 100.0),
            per_s: self.completed as f64 / measured.as_secs_f64(),
            wait: times(&mut self.waits_ns),
            latency: times(&mut self.latencies_ns),
            mean_executing: self.executing_ns / ns,
            most_executing: self.most_executing,
            mean_seats: self.seat_ns / ns,
            most_seats: self.most_seats,
            mean_held_bytes: self.held_byte_ns / ns,
            most_held_bytes: self.most_held_bytes,
        }
    }
}

fn times(ns: &mut [u64]) -> Times {
    ns.sort_unstable();
    let count = ns.len();
    let Some(last) = count.checked_sub(1) else { return Times::default() };
    let at = |per_mille: usize| ns[last * per_mille / 1000] as f64 / 1e6;
    Times {
        count: count as u64,
        p50_ms: at(500),
        p90_ms: at(900),
        p99_ms: at(990),
        max_ms: at(1000),
    }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}
