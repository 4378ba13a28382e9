//! One queue and the requests that go through it.

use sim_time::SimTime;
use slab::Slab;

use super::RequestId;
use crate::{SeatSeconds, WorkEstimate};

/// Where a request stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestState {
    /// In its queue.
    Waiting,
    /// Dispatched, not finished.
    Executing,
    /// Finished; its seats stay taken for the final phase.
    Lingering,
}

/// A request that holds a place or seats.
#[derive(Clone, Debug)]
pub struct Request<T> {
    /// Set at dispatch when the final phase is wider than the limit: narrower and longer.
    pub work: WorkEstimate,
    /// When it arrived.
    pub arrival_time: SimTime,
    /// When it was dispatched.
    pub start_time: Option<SimTime>,
    /// Where it stands.
    pub state: RequestState,
    /// What the caller attached.
    pub payload: T,
    pub(super) id: RequestId,
    pub(super) arrival_r: SeatSeconds,
    /// Of the estimate as it was at arrival.
    pub(super) total_work: SeatSeconds,
    /// Of the estimate as it was at arrival.
    pub(super) final_work: SeatSeconds,
    pub(super) queue: Option<usize>,
    prev: Option<usize>,
    next: Option<usize>,
}

impl<T> Request<T> {
    pub(super) fn new(id: RequestId, work: WorkEstimate, now: SimTime, payload: T) -> Self {
        Self {
            work,
            arrival_time: now,
            start_time: None,
            state: RequestState::Waiting,
            payload,
            id,
            arrival_r: SeatSeconds::ZERO,
            total_work: work.total_work(),
            final_work: work.final_work(),
            queue: None,
            prev: None,
            next: None,
        }
    }

    /// Its name in the queue set.
    pub const fn id(&self) -> RequestId {
        self.id
    }
}

/// A FIFO of waiting requests, linked through the slab that holds them so that a request leaves
/// from any place in constant time; with the sums that dispatching needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Position among the queues of the set.
    pub(super) index: usize,
    /// No longer a queue of the set: it was superfluous and drained. Kept while requests linger.
    pub(super) removed: bool,
    pub(super) len: usize,
    pub(super) executing: usize,
    /// Waiting, executing and lingering requests.
    pub(super) requests: usize,
    pub(super) seats_in_use: u64,
    pub(super) initial_seats_sum: u64,
    pub(super) max_seats_sum: u64,
    pub(super) total_work_sum: SeatSeconds,
    pub(super) next_dispatch_r: SeatSeconds,
    /// Virtual finish of the head as it is filed in the set's order of dispatch.
    pub(super) filed: Option<u64>,
    head: Option<usize>,
    tail: Option<usize>,
}

impl Queue {
    pub(super) fn at(index: usize) -> Self {
        Self { index, ..Self::default() }
    }

    /// Counts towards the number among which R is shared.
    pub(super) const fn is_active(&self) -> bool {
        self.len > 0 || self.executing > 0
    }

    pub(super) const fn head(&self) -> Option<usize> {
        self.head
    }

    pub(super) fn push<T>(&mut self, requests: &mut Slab<Request<T>>, key: usize) {
        if let Some(tail) = self.tail {
            requests[tail].next = Some(key);
        } else {
            self.head = Some(key);
        }
        let request = &mut requests[key];
        request.prev = self.tail.replace(key);
        self.len += 1;
        self.initial_seats_sum += request.work.initial_seats;
        self.max_seats_sum += request.work.max_seats();
        self.total_work_sum = self.total_work_sum.wrapping_add(request.total_work);
    }

    pub(super) fn unlink<T>(&mut self, requests: &mut Slab<Request<T>>, key: usize) {
        let request = &mut requests[key];
        let (prev, next) = (request.prev.take(), request.next.take());
        self.len -= 1;
        self.initial_seats_sum -= request.work.initial_seats;
        self.max_seats_sum -= request.work.max_seats();
        self.total_work_sum = self.total_work_sum.wrapping_sub(request.total_work);
        match prev {
            Some(prev) => requests[prev].next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => requests[next].prev = prev,
            None => self.tail = prev,
        }
    }

    /// The key after `key` in the queue.
    pub(super) fn after<T>(&self, requests: &Slab<Request<T>>, key: usize) -> Option<usize> {
        requests[key].next
    }

    /// The R at which the head would be done if the queue had its share; `None` when empty.
    pub(super) fn virtual_finish<T>(&self, requests: &Slab<Request<T>>) -> Option<u64> {
        let head = &requests[self.head?];
        Some(self.next_dispatch_r.wrapping_add(head.total_work).units())
    }

    /// Keys of the waiting requests, oldest first.
    pub(super) fn waiting<'a, T>(
        &self,
        requests: &'a Slab<Request<T>>,
    ) -> impl Iterator<Item = usize> + use<'a, T> {
        std::iter::successors(self.head, |&key| requests[key].next)
    }

    /// No dispatch in the virtual world before the arrival of the request dispatched.
    ///
    /// Without this, a queue that cannot use its share and never empties would gather credit and
    /// spend it later against the others. Source: `boundNextDispatchLocked`.
    pub(super) fn bound_next_dispatch<T>(&mut self, requests: &Slab<Request<T>>) {
        if let Some(head) = self.head {
            self.next_dispatch_r = self.next_dispatch_r.max(requests[head].arrival_r);
        }
    }
}
