//! Virtual time, the choice of a queue and of the next request.

use sim_time::SimTime;

use super::{Queue, QueueSet, QueueSetEvent, Queuing, RequestId, RequestState};
use crate::{Dealer, SeatSeconds, WorkEstimate, num};

impl<T> QueueSet<T> {
    /// Moves R on to `now`, at the rate that has held since the last call. To be called before
    /// anything changes.
    pub(super) fn sync(&mut self, now: SimTime) {
        let elapsed = now.saturating_since(self.last_time);
        self.last_time = self.last_time.max(now);
        if elapsed.is_zero() || self.active_queues == 0 {
            return;
        }
        let seats = self.seats_requested_in_queues.min(self.limit());
        let rate = seats as f64 / self.active_queues as f64;
        let before = self.current_r;
        self.current_r =
            before.wrapping_add(SeatSeconds::from_seats_nanos(rate, num::nanos_i64(elapsed)));
        if self.current_r >= before && self.current_r.units() >= HIGH_R {
            self.advance_epoch();
        }
    }

    /// Winds R and every reading of it back, before the counter overflows.
    fn advance_epoch(&mut self) {
        let decrement = SeatSeconds::from_units(R_DECREMENT);
        let mut success = true;
        let mut wind_back = |reading: &mut SeatSeconds| {
            success &= *reading >= decrement;
            *reading = reading.wrapping_sub(decrement);
        };
        self.current_r = self.current_r.wrapping_sub(decrement);
        for &queue_key in &self.order {
            let queue = &mut self.queues[queue_key];
            if !queue.is_active() {
                // Its reading may be from an epoch long ago; the next request sets it anew.
                queue.next_dispatch_r = SeatSeconds::ZERO;
                continue;
            }
            wind_back(&mut queue.next_dispatch_r);
            let mut next = queue.head();
            while let Some(key) = next {
                wind_back(&mut self.requests[key].arrival_r);
                next = queue.after(&self.requests, key);
            }
        }
        if success {
            self.totals.epoch_advances += 1;
        } else {
            self.totals.epoch_failures += 1;
        }
        self.file_all();
    }

    /// The queue of the hand with the least work waiting. The visit starts one card further at
    /// every attempt, and the first of equals wins. Running work plays no part.
    pub(super) fn choose_queue(&mut self, dealer: Dealer, hash: u64) -> usize {
        let hand = dealer.deal(hash);
        let cards = hand.cards();
        let offset = usize::try_from(self.totals.enqueues % cards.len() as u64).unwrap_or(0);
        self.totals.enqueues += 1;
        let (head, tail) = cards.split_at(offset);
        let mut best = self.order[tail[0] as usize];
        for &card in tail[1..].iter().chain(head) {
            let key = self.order[card as usize];
            if self.queues[key].total_work_sum < self.queues[best].total_work_sum {
                best = key;
            }
        }
        best
    }

    pub(super) fn enqueue(
        &mut self,
        now: SimTime,
        queue_key: usize,
        work: WorkEstimate,
        payload: T,
    ) -> RequestId {
        let id = self.insert(now, work, payload);
        let request = &mut self.requests[id.key];
        request.arrival_r = self.current_r;
        request.queue = Some(queue_key);
        let seats = work.max_seats();
        let queue = &mut self.queues[queue_key];
        if !queue.is_active() {
            queue.next_dispatch_r = self.current_r;
            self.active_queues += 1;
        }
        queue.push(&mut self.requests, id.key);
        queue.requests += 1;
        self.seats_requested_in_queues += seats;
        if queue.len == 1 {
            queue.bound_next_dispatch(&self.requests);
            self.file(queue_key);
        }
        self.totals.waiting += 1;
        self.totals.seats_waiting += seats;
        self.note_demand(now);
        id
    }

    /// Takes a waiting request out of its queue. The caller sees to the order of dispatch, to the
    /// number of active queues and to the waiting seats.
    pub(super) fn unqueue(&mut self, queue_key: usize, key: usize) {
        self.seats_requested_in_queues -= self.requests[key].work.max_seats();
        self.queues[queue_key].unlink(&mut self.requests, key);
        self.totals.waiting -= 1;
    }

    pub(super) fn dispatch_as_much_as_possible(&mut self, now: SimTime) {
        while self.totals.waiting > 0
            && self.totals.seats_in_use < self.limit()
            && self.dispatch(now)
        {}
    }

    /// Dispatches the head with the least virtual finish, unless it does not fit: then nothing
    /// else is tried, so that wide requests are not overtaken for ever.
    fn dispatch(&mut self, now: SimTime) -> bool {
        let Some(index) = self.next_queue() else { return false };
        let queue_key = self.order[index];
        let Some(key) = self.queues[queue_key].head() else { return false };
        let id = self.requests[key].id;
        if !self.can_accommodate(self.requests[key].work.max_seats()) {
            self.events.push_back(QueueSetEvent::NoAccommodation { id });
            return false;
        }
        let seats_queued = self.requests[key].work.max_seats();
        self.unqueue(queue_key, key);
        self.narrow_final_phase(key);
        let request = &self.requests[key];
        let seats_unqueued =
            if self.defects.leak_waiting_seats { request.work.max_seats() } else { seats_queued };
        // Starting from here next time lets the other queues win when finishes are equal.
        self.robin_index = isize::try_from(index).unwrap_or(isize::MAX);
        self.totals.seats_waiting -= seats_unqueued;

        let total_work = request.total_work;
        let seats = request.work.max_seats();
        let queue = &mut self.queues[queue_key];
        self.dispatch_r = self.current_r;
        self.latest_s = queue.next_dispatch_r;
        queue.executing += 1;
        queue.seats_in_use += seats;
        self.seats_requested_in_queues += seats;
        queue.next_dispatch_r = queue.next_dispatch_r.wrapping_add(total_work);
        queue.bound_next_dispatch(&self.requests);
        self.file(queue_key);
        self.start(now, key);
        self.events.push_back(QueueSetEvent::Dispatched { id, seats_unqueued });
        true
    }

    /// Index of the queue whose head has the least virtual finish; of equals, the first after the
    /// queue last dispatched from, in a circle.
    fn next_queue(&self) -> Option<usize> {
        let &(finish, first) = self.by_virtual_finish.first()?;
        let start = usize::try_from(self.robin_index + 1).unwrap_or(0);
        let after = self.by_virtual_finish.range((finish, start)..=(finish, usize::MAX)).next();
        Some(after.map_or(first, |&(_, index)| index))
    }

    /// A final phase wider than the limit becomes narrower and longer, its work unchanged.
    fn narrow_final_phase(&mut self, key: usize) {
        let limit = self.limit();
        let request = &mut self.requests[key];
        if request.work.final_seats > limit {
            request.work.final_seats = limit;
            request.work.additional_latency = request.final_work.duration_per_seat(limit);
        }
    }

    pub(super) fn start(&mut self, now: SimTime, key: usize) {
        let request = &mut self.requests[key];
        request.start_time = Some(now);
        request.state = RequestState::Executing;
        self.totals.executing += 1;
        self.totals.dispatched += 1;
        self.totals.seats_in_use += request.work.max_seats();
        self.note_demand(now);
    }

    pub(super) fn can_accommodate(&self, seats: u64) -> bool {
        let limit = self.limit();
        if self.config.queuing == Queuing::Exempt {
            true
        } else if seats > limit {
            // Wider than the level: it runs when nothing else does.
            self.totals.executing == 0
        } else {
            self.totals.seats_in_use + seats <= limit
        }
    }

    /// Frees the seats of a finished request and forgets it.
    pub(super) fn release(&mut self, now: SimTime, key: usize) -> T {
        let request = self.requests.remove(key);
        let seats = request.work.max_seats();
        self.totals.seats_in_use -= seats;
        self.note_demand(now);
        if let Some(queue_key) = request.queue {
            let queue = &mut self.queues[queue_key];
            queue.seats_in_use -= seats;
            queue.requests -= 1;
            if !queue.removed {
                self.seats_requested_in_queues -= seats;
            }
            self.remove_if_superfluous(queue_key);
        }
        request.payload
    }

    /// Removes a drained queue when there are more than configured.
    ///
    /// Upstream removes by the queue's index even when an earlier release has removed that queue
    /// already, and so removes another one or fails; here a queue is removed once.
    fn remove_if_superfluous(&mut self, queue_key: usize) {
        let desired = match self.config.queuing {
            Queuing::Queue { dealer, .. } => dealer.deck_size() as usize,
            Queuing::Exempt | Queuing::Reject => 0,
        };
        let queue = &mut self.queues[queue_key];
        if !queue.removed && !queue.is_active() && self.order.len() > desired {
            let index = queue.index;
            queue.removed = true;
            self.seats_requested_in_queues -= queue.seats_in_use;
            self.order.remove(index);
            for &key in &self.order[index..] {
                self.queues[key].index -= 1;
            }
            if self.robin_index >= isize::try_from(index).unwrap_or(isize::MAX) {
                self.robin_index -= 1;
            }
            self.file_all();
        }
        let queue = &self.queues[queue_key];
        if queue.removed && queue.requests == 0 {
            self.queues.remove(queue_key);
        }
    }

    /// Brings the queue's entry in the order of dispatch up to date.
    pub(super) fn file(&mut self, queue_key: usize) {
        let queue = &mut self.queues[queue_key];
        let finish = queue.virtual_finish(&self.requests);
        if finish == queue.filed {
            return;
        }
        if let Some(filed) = queue.filed {
            self.by_virtual_finish.remove(&(filed, queue.index));
        }
        if let Some(finish) = finish {
            self.by_virtual_finish.insert((finish, queue.index));
        }
        queue.filed = finish;
    }

    fn file_all(&mut self) {
        self.by_virtual_finish.clear();
        for &key in &self.order {
            let queue: &mut Queue = &mut self.queues[key];
            queue.filed = queue.virtual_finish(&self.requests);
            if let Some(finish) = queue.filed {
                self.by_virtual_finish.insert((finish, queue.index));
            }
        }
    }
}

/// `rDecrement`: how far an epoch advance winds R back.
const R_DECREMENT: u64 = u64::MAX / 2;

/// `highR`: R at which an epoch advances; 1.38 × 10¹¹ seat-seconds.
const HIGH_R: u64 = R_DECREMENT + R_DECREMENT / 2;
