//! The log of one collection: the watch cache's ring and, behind it, etcd's history.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use sim_time::SimTime;

use crate::{Event, EventKind, Snapshot, StoreError};

/// Sizes of the watch cache's ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RingConfig {
    /// Capacity at the start and the least, in events. Source: `defaultLowerBoundCapacity`.
    pub capacity_min: usize,
    /// Largest capacity, in events. Source: `defaultUpperBoundCapacity`.
    pub capacity_max: usize,
    /// How long an event should stay in the ring. Source: `DefaultEventFreshDuration`.
    pub fresh: Duration,
    /// Bytes of superseded versions kept for reads at an exact resourceVersion before the oldest
    /// are compacted early. Ours: etcd has its database quota (2 GiB) instead.
    pub history_bytes_max: usize,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            capacity_min: 100,
            capacity_max: 102_400,
            fresh: Duration::from_secs(75),
            history_bytes_max: 256 << 20,
        }
    }
}

/// The part of history that a WATCH can start from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WatchWindow {
    /// Ring capacity in events.
    pub capacity: usize,
    /// Events in the ring.
    pub len: usize,
    /// A watch may start from any resourceVersion of at least this.
    pub oldest: u64,
}

/// How many events at the newest end keep their encoded frames.
const FRAMES_KEPT: usize = 1_024;

/// Snapshots of the past that are kept for the next page of a LIST. A page that finds none is
/// answered all the same, by undoing events from the next newer one.
const PINS_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct History {
    config: RingConfig,
    /// All kept events, oldest first, revisions strictly increasing.
    events: VecDeque<Arc<Event>>,
    /// The newest `ring_len` of `events` are in the ring.
    ring_len: usize,
    ring_capacity: usize,
    /// Watches from this revision on find no gap.
    ring_floor: u64,
    /// Exact reads are possible from this revision on.
    compacted: u64,
    previous_bytes: usize,
    pins: VecDeque<Arc<Snapshot>>,
}

impl History {
    pub(crate) fn new(config: RingConfig, revision: u64) -> Self {
        Self {
            ring_capacity: config.capacity_min,
            config,
            events: VecDeque::new(),
            ring_len: 0,
            ring_floor: revision,
            compacted: 0,
            previous_bytes: 0,
            pins: VecDeque::new(),
        }
    }

    pub(crate) fn append(&mut self, event: Arc<Event>) {
        self.resize(event.at);
        if self.ring_len == self.ring_capacity {
            self.shrink_ring_to(self.ring_capacity - 1);
        }
        self.previous_bytes += bytes_of_previous(&event);
        self.events.push_back(event);
        self.ring_len += 1;
        if let Some(behind) = self.events.len().checked_sub(FRAMES_KEPT + 1) {
            self.events[behind].drop_frames();
        }
        while self.previous_bytes > self.config.history_bytes_max
            && self.events.len() > self.ring_len
        {
            self.drop_oldest();
        }
    }

    /// Source: `resizeCacheLocked` and `doCacheResizeLocked` of `watch_cache.go`.
    fn resize(&mut self, now: SimTime) {
        if self.ring_len < self.ring_capacity {
            return;
        }
        let age = |position_from_back: usize| {
            let index = self.events.len().checked_sub(position_from_back)?;
            Some(now.saturating_since(self.events.get(index)?.at))
        };
        if age(self.ring_len).is_some_and(|age| age < self.config.fresh) {
            self.ring_capacity = (self.ring_capacity * 2).min(self.config.capacity_max);
        } else if age(self.ring_capacity / 4).is_some_and(|age| age > self.config.fresh) {
            self.ring_capacity = (self.ring_capacity / 2).max(self.config.capacity_min);
            if self.ring_len > self.ring_capacity {
                self.shrink_ring_to(self.ring_capacity);
            }
        }
    }

    fn shrink_ring_to(&mut self, len: usize) {
        while self.ring_len > len {
            let index = self.events.len() - self.ring_len;
            self.ring_floor = self.events[index].revision();
            self.ring_len -= 1;
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.previous_bytes -= bytes_of_previous(&event);
            self.compacted = self.compacted.max(event.revision());
            self.pins.retain(|pin| pin.revision() >= self.compacted);
        }
    }

    /// Forgets what is older than `revision`, but for the ring, which etcd's compaction does not
    /// touch.
    pub(crate) fn compact(&mut self, revision: u64) {
        while self.events.len() > self.ring_len
            && self.events.front().is_some_and(|event| event.revision() <= revision)
        {
            self.drop_oldest();
        }
        self.compacted = self.compacted.max(revision);
        self.pins.retain(|pin| pin.revision() >= self.compacted);
        if self.events.len() * 4 < self.events.capacity() {
            self.events.shrink_to(self.events.len() * 2);
        }
    }

    /// Empties the ring, as a re-list of the cache does: no watch from before `revision`.
    pub(crate) fn reset_ring(&mut self, revision: u64) {
        self.ring_len = 0;
        self.ring_capacity = self.config.capacity_min;
        self.ring_floor = self.ring_floor.max(revision);
    }

    pub(crate) fn window(&self) -> WatchWindow {
        WatchWindow { capacity: self.ring_capacity, len: self.ring_len, oldest: self.ring_floor }
    }

    pub(crate) fn events_after(
        &self,
        revision: u64,
        max: usize,
        into: &mut Vec<Arc<Event>>,
    ) -> Result<(), StoreError> {
        if revision < self.ring_floor {
            return Err(StoreError::Expired { requested: revision, oldest: self.ring_floor });
        }
        let from = self.events.partition_point(|event| event.revision() <= revision);
        into.extend(self.events.range(from..).take(max).map(Arc::clone));
        Ok(())
    }

    /// The collection as it was at `revision`, by undoing the events after it.
    pub(crate) fn snapshot_at(
        &mut self,
        revision: u64,
        head: &Arc<Snapshot>,
    ) -> Result<Arc<Snapshot>, StoreError> {
        if revision < self.compacted {
            return Err(StoreError::Expired { requested: revision, oldest: self.compacted });
        }
        let newer = self.pins.iter().filter(|pin| pin.revision() >= revision);
        let nearest = newer.min_by_key(|pin| pin.revision()).unwrap_or(head);
        if nearest.revision() <= revision {
            let same = Arc::clone(nearest);
            if self.pins.iter().all(|pin| pin.revision() != same.revision()) {
                self.pin(Arc::clone(&same));
            }
            return Ok(same);
        }
        let mut objects = nearest.objects().clone();
        let from = self.events.partition_point(|event| event.revision() <= revision);
        let to = self.events.partition_point(|event| event.revision() <= nearest.revision());
        for event in self.events.range(from..to).rev() {
            let key = event.object.key();
            match (event.kind, &event.previous) {
                (EventKind::Added, _) | (_, None) => objects.remove(key),
                (_, Some(previous)) => objects.insert(Arc::clone(key), Arc::clone(previous)),
            };
        }
        let past = Arc::new(Snapshot::new(revision, objects));
        self.pin(Arc::clone(&past));
        Ok(past)
    }

    fn pin(&mut self, snapshot: Arc<Snapshot>) {
        if self.pins.len() == PINS_MAX {
            self.pins.pop_front();
        }
        self.pins.push_back(snapshot);
    }
}

fn bytes_of_previous(event: &Event) -> usize {
    event.previous.as_ref().map_or(0, |previous| previous.json().len())
}
