//! All objects of one resource, and their history.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;

use crate::{
    Event, EventKind, Object, RingConfig, Snapshot, StoreError, WatchWindow, history::History,
};

/// The objects of one resource (all namespaces). Made by [`Store::collection`](crate::Store::collection).
#[derive(Debug)]
pub struct Collection {
    name: Arc<str>,
    head: ArcSwap<Snapshot>,
    history: Mutex<History>,
    /// JSON bytes of the newest version of every object.
    json_bytes: AtomicU64,
}

impl Collection {
    pub(crate) fn new(name: Arc<str>, config: RingConfig, revision: u64) -> Self {
        Self {
            name,
            head: ArcSwap::from_pointee(Snapshot::default()),
            history: Mutex::new(History::new(config, revision)),
            json_bytes: AtomicU64::new(0),
        }
    }

    /// The name it was registered under, e.g. `pods` or `deployments.apps`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The newest state. Never waits for a writer.
    pub fn head(&self) -> Arc<Snapshot> {
        self.head.load_full()
    }

    /// The newest version of one object.
    pub fn get(&self, key: &str) -> Option<Arc<Object>> {
        self.head.load().get(key).cloned()
    }

    /// How many objects there are, and the bytes of their JSON.
    pub fn size(&self) -> (usize, u64) {
        (self.head.load().len(), self.json_bytes.load(Ordering::Relaxed))
    }

    /// The events after `revision`, oldest first, at most `max`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Expired`] when events after `revision` have left the watch window.
    pub fn events_after(
        &self,
        revision: u64,
        max: usize,
        into: &mut Vec<Arc<Event>>,
    ) -> Result<(), StoreError> {
        self.history().events_after(revision, max, into)
    }

    /// The part of history that a WATCH can start from.
    pub fn window(&self) -> WatchWindow {
        self.history().window()
    }

    /// Empties the watch window, as a re-list of the real watch cache does.
    pub fn reset_window(&self, revision: u64) {
        self.history().reset_ring(revision);
    }

    pub(crate) fn compact(&self, revision: u64) {
        self.history().compact(revision);
    }

    pub(crate) fn snapshot_at(&self, revision: u64) -> Result<Arc<Snapshot>, StoreError> {
        // The head is read under the log's lock: writers publish under it, so they agree.
        let mut history = self.history();
        let head = self.head.load_full();
        history.snapshot_at(revision, &head)
    }

    /// Publishes a new state with its events, in one step for whoever holds the log's lock.
    pub(crate) fn publish(&self, snapshot: Snapshot, events: impl Iterator<Item = Event>) {
        let mut history = self.history();
        for event in events {
            let json = |object: &Arc<Object>| object.json().len() as u64;
            let gone = event.previous.as_ref().map_or(0, json);
            let come = if event.kind == EventKind::Deleted { 0 } else { json(&event.object) };
            // Writers hold the log's lock, so the two steps are one for them.
            self.json_bytes.fetch_add(come, Ordering::Relaxed);
            self.json_bytes.fetch_sub(gone, Ordering::Relaxed);
            history.append(Arc::new(event));
        }
        self.head.store(Arc::new(snapshot));
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
