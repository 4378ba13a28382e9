//! The state of a queue set, for the debug endpoints and for comparison with recordings.

use super::{QueueSet, Request, RequestState};
use crate::{ESTIMATED_SERVICE_DURATION, SeatSeconds};

/// State of one queue.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueueDump {
    /// Requests waiting.
    pub waiting: usize,
    /// Requests executing, lingering ones not counted.
    pub executing: usize,
    /// Seats taken by executing and lingering requests.
    pub seats_in_use: u64,
    /// Virtual start of the next dispatch.
    pub next_dispatch_r: SeatSeconds,
    /// Sum of initial seats of the waiting requests.
    pub initial_seats_sum: u64,
    /// Sum of the widths of the waiting requests.
    pub max_seats_sum: u64,
    /// Sum of the work of the waiting requests.
    pub total_work_sum: SeatSeconds,
}

/// State of a queue set with its requests.
#[derive(Debug)]
pub struct QueueSetDump<'a, T> {
    /// The queues by index.
    pub queues: Vec<QueueDump>,
    /// Waiting requests: queue index, position in the queue, request; in that order.
    pub waiting: Vec<(usize, usize, &'a Request<T>)>,
    /// Executing requests with their queue index, in order of arrival.
    pub executing: Vec<(Option<usize>, &'a Request<T>)>,
}

impl<T> QueueSet<T> {
    /// The queues by index.
    pub fn dump_queues(&self) -> impl Iterator<Item = QueueDump> {
        self.order.iter().map(|&key| {
            let queue = &self.queues[key];
            QueueDump {
                waiting: queue.len,
                executing: queue.executing,
                seats_in_use: queue.seats_in_use,
                next_dispatch_r: queue.next_dispatch_r,
                initial_seats_sum: queue.initial_seats_sum,
                max_seats_sum: queue.max_seats_sum,
                total_work_sum: queue.total_work_sum,
            }
        })
    }

    /// Everything.
    pub fn dump(&self) -> QueueSetDump<'_, T> {
        let mut waiting = Vec::with_capacity(self.totals.waiting);
        for (index, &key) in self.order.iter().enumerate() {
            let keys = self.queues[key].waiting(&self.requests);
            waiting.extend(keys.enumerate().map(|(i, key)| (index, i, &self.requests[key])));
        }
        let mut executing: Vec<_> = self
            .requests()
            .filter(|request| request.state == RequestState::Executing)
            .map(|request| (request.queue.map(|key| self.queues[key].index), request))
            .collect();
        executing.sort_by_key(|(_, request)| request.id);
        QueueSetDump { queues: self.dump_queues().collect(), waiting, executing }
    }

    /// Least and greatest next dispatch R among the queues in which something waits, plain and
    /// less the guessed work in progress; metrics `next_s_bounds` and `next_discounted_s_bounds`.
    ///
    /// The real server sets these gauges at each dispatch; computing them when they are read
    /// keeps the dispatch from visiting every queue. `None` when nothing waits.
    pub fn next_s_bounds(&self) -> Option<NextSBounds> {
        let mut bounds: Option<NextSBounds> = None;
        for &(_, index) in &self.by_virtual_finish {
            let queue = &self.queues[self.order[index]];
            let s = queue.next_dispatch_r;
            let in_progress = SeatSeconds::new(queue.seats_in_use, ESTIMATED_SERVICE_DURATION);
            let discounted = s.wrapping_sub(in_progress);
            let b = bounds.get_or_insert(NextSBounds {
                min: s,
                max: s,
                discounted_min: discounted,
                discounted_max: discounted,
            });
            b.min = b.min.min(s);
            b.max = b.max.max(s);
            b.discounted_min = b.discounted_min.min(discounted);
            b.discounted_max = b.discounted_max.max(discounted);
        }
        bounds
    }
}

/// Bounds of the next dispatch R over the queues in which something waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NextSBounds {
    /// Least next dispatch R.
    pub min: SeatSeconds,
    /// Greatest next dispatch R.
    pub max: SeatSeconds,
    /// Least, after the guessed work in progress is taken off.
    pub discounted_min: SeatSeconds,
    /// Greatest, after the guessed work in progress is taken off.
    pub discounted_max: SeatSeconds,
}
