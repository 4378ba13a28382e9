//! Which request comes next, and when it is due.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Hands out request numbers to workers.
#[derive(Debug)]
pub(super) struct Schedule {
    next: AtomicU64,
    requests: Option<u64>,
    per_s: Option<f64>,
}

/// The leave to send one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ticket {
    /// Counted from 0.
    pub(super) number: u64,
    /// When it should start, after the storm's start; `None` is at once.
    pub(super) due: Option<Duration>,
}

impl Schedule {
    pub(super) fn new(requests: Option<u64>, per_s: Option<f64>) -> Self {
        Self { next: AtomicU64::new(0), requests, per_s }
    }

    /// The next ticket, or `None` when all are taken.
    pub(super) fn take(&self) -> Option<Ticket> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if self.requests.is_some_and(|requests| number >= requests) {
            return None;
        }
        let due = self.per_s.map(|per_s| {
            Duration::try_from_secs_f64(number as f64 / per_s).unwrap_or(Duration::MAX)
        });
        Some(Ticket { number, due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_spaces_its_requests() {
        let schedule = Schedule::new(Some(3), Some(50.0));
        let due: Vec<_> = std::iter::from_fn(|| schedule.take())
            .map(|ticket| ticket.due.unwrap().as_millis())
            .collect();
        assert_eq!(due, [0, 20, 40]);
    }

    #[test]
    fn a_closed_loop_has_no_times_and_ends_after_its_requests() {
        let schedule = Schedule::new(Some(2), None);
        assert_eq!(schedule.take(), Some(Ticket { number: 0, due: None }));
        assert_eq!(schedule.take(), Some(Ticket { number: 1, due: None }));
        assert_eq!(schedule.take(), None);
        assert_eq!(schedule.take(), None);
    }
}
