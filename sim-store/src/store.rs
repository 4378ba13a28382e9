//! The store: one counter, many collections, one writer at a time.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use sim_time::SimTime;

use crate::{Collection, Draft, Event, EventKind, Object, RingConfig, Snapshot, StoreError};

/// Settings of a [`Store`].
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreConfig {
    /// Sizes of every collection's watch window and history.
    pub ring: RingConfig,
}

/// Versioned objects by resource. See the crate's guarantees.
#[derive(Debug)]
pub struct Store {
    config: StoreConfig,
    /// The newest resourceVersion, published after the change itself.
    revision: AtomicU64,
    writer: Mutex<()>,
    collections: DashMap<Arc<str>, Arc<Collection>>,
}

/// The outcome of an update.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The object as it is now.
    pub object: Arc<Object>,
    /// False when the draft equalled what was stored: nothing was written, the resourceVersion
    /// stays and no event was made.
    pub changed: bool,
}

impl Store {
    /// An empty store at resourceVersion 1, as a fresh etcd.
    pub fn new(config: StoreConfig) -> Self {
        Self {
            config,
            revision: AtomicU64::new(1),
            writer: Mutex::new(()),
            collections: DashMap::new(),
        }
    }

    /// The newest resourceVersion.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// The collection of this name, made empty at the first call.
    pub fn collection(&self, name: &str) -> Arc<Collection> {
        if let Some(found) = self.collections.get(name) {
            return Arc::clone(&found);
        }
        let _writer = self.lock();
        let name: Arc<str> = name.into();
        let entry = self
            .collections
            .entry(Arc::clone(&name))
            .or_insert_with(|| Arc::new(Collection::new(name, self.config.ring, self.revision())));
        Arc::clone(&entry)
    }

    /// Every collection, sorted by name.
    pub fn collections(&self) -> Vec<Arc<Collection>> {
        let mut all: Vec<_> = self.collections.iter().map(|entry| Arc::clone(&entry)).collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// The newest state of a collection, and the resourceVersion that a LIST of it reports.
    ///
    /// Every write acknowledged before the call is in it: the counter is read first and
    /// published last.
    pub fn snapshot(&self, collection: &Collection) -> (Arc<Snapshot>, u64) {
        let revision = self.revision();
        let head = collection.head();
        let revision = revision.max(head.revision());
        (head, revision)
    }

    /// The state of a collection at exactly `revision`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Expired`] when it has been compacted, [`StoreError::Future`] when it has
    /// not been assigned yet.
    pub fn snapshot_at(
        &self,
        collection: &Collection,
        revision: u64,
    ) -> Result<Arc<Snapshot>, StoreError> {
        let current = self.revision();
        if revision > current {
            return Err(StoreError::Future { requested: revision, current });
        }
        collection.snapshot_at(revision)
    }

    /// Adds an object.
    ///
    /// # Errors
    ///
    /// [`StoreError::AlreadyExists`].
    pub fn create(
        &self,
        collection: &Collection,
        draft: Draft,
        now: SimTime,
    ) -> Result<Arc<Object>, StoreError> {
        let key = draft.key();
        let _writer = self.lock();
        let head = collection.head();
        if head.get(&key).is_some() {
            return Err(StoreError::AlreadyExists { key });
        }
        let revision = self.revision() + 1;
        let object = Arc::new(draft.into_object(Arc::clone(&key), revision));
        let mut objects = head.objects().clone();
        objects.insert(key, Arc::clone(&object));
        let event = Event::new(EventKind::Added, Arc::clone(&object), None, now);
        self.commit(collection, Snapshot::new(revision, objects), event);
        Ok(object)
    }

    /// Adds many objects at once: each has its own resourceVersion and event, readers see all of
    /// them or none. Keys that exist are left alone; returns how many were added.
    pub fn load(
        &self,
        collection: &Collection,
        drafts: impl IntoIterator<Item = Draft>,
        now: SimTime,
    ) -> usize {
        let _writer = self.lock();
        let mut revision = self.revision();
        let mut objects = collection.head().objects().clone();
        let mut events = Vec::new();
        for draft in drafts {
            let key = draft.key();
            if objects.contains_key(&key) {
                continue;
            }
            revision += 1;
            let object = Arc::new(draft.into_object(Arc::clone(&key), revision));
            objects.insert(key, Arc::clone(&object));
            events.push(Event::new(EventKind::Added, object, None, now));
        }
        let added = events.len();
        if added > 0 {
            collection.publish(Snapshot::new(revision, objects), events.into_iter());
            self.revision.store(revision, Ordering::Release);
        }
        added
    }

    /// Replaces an object, if it is still at `expected` (`None`: whatever it is at).
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Conflict`].
    pub fn update(
        &self,
        collection: &Collection,
        draft: Draft,
        expected: Option<u64>,
        now: SimTime,
    ) -> Result<Updated, StoreError> {
        let key = draft.key();
        let _writer = self.lock();
        let head = collection.head();
        let previous = check(&head, &key, expected)?;
        if draft.is_same_as(&previous) {
            return Ok(Updated { object: previous, changed: false });
        }
        let revision = self.revision() + 1;
        let object = Arc::new(draft.into_object(Arc::clone(previous.key()), revision));
        let mut objects = head.objects().clone();
        objects.insert(Arc::clone(previous.key()), Arc::clone(&object));
        let event = Event::new(EventKind::Modified, Arc::clone(&object), Some(previous), now);
        self.commit(collection, Snapshot::new(revision, objects), event);
        Ok(Updated { object, changed: true })
    }

    /// Removes an object, if it is still at `expected`; returns its last version with the
    /// removal's resourceVersion, as the DELETED event carries it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Conflict`].
    pub fn delete(
        &self,
        collection: &Collection,
        key: &str,
        expected: Option<u64>,
        now: SimTime,
    ) -> Result<Arc<Object>, StoreError> {
        let _writer = self.lock();
        let head = collection.head();
        let previous = check(&head, key, expected)?;
        let revision = self.revision() + 1;
        let object = Arc::new(previous.at_revision(revision));
        let mut objects = head.objects().clone();
        objects.remove(key);
        let event = Event::new(EventKind::Deleted, Arc::clone(&object), Some(previous), now);
        self.commit(collection, Snapshot::new(revision, objects), event);
        Ok(object)
    }

    /// Forgets versions older than `revision`, as etcd's compaction does. Watch windows stay.
    pub fn compact(&self, revision: u64) {
        let revision = revision.min(self.revision());
        for collection in self.collections() {
            collection.compact(revision);
        }
    }

    /// Lets no watch begin before the present: watch caches begin with a list and no events,
    /// whatever etcd still has.
    pub fn begin_watches(&self) {
        let revision = self.revision();
        for collection in self.collections() {
            collection.reset_window(revision);
        }
    }

    /// Forgets everything that led to the present state: what was loaded is then as old as the
    /// server, whose watch caches begin with a list and no events.
    pub fn forget_history(&self) {
        let revision = self.revision();
        for collection in self.collections() {
            collection.reset_window(revision);
            collection.compact(revision);
        }
    }

    fn commit(&self, collection: &Collection, snapshot: Snapshot, event: Event) {
        let revision = snapshot.revision();
        collection.publish(snapshot, std::iter::once(event));
        self.revision.store(revision, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(head: &Snapshot, key: &str, expected: Option<u64>) -> Result<Arc<Object>, StoreError> {
    let previous = head.get(key).ok_or_else(|| StoreError::NotFound { key: key.into() })?;
    match expected {
        Some(expected) if expected != previous.revision() => {
            Err(StoreError::Conflict { key: key.into(), expected, actual: previous.revision() })
        }
        _ => Ok(Arc::clone(previous)),
    }
}

/// When to compact: every five minutes, to the revision of the time before, so that history
/// lives five to ten minutes. Source: `--etcd-compaction-interval` and etcd3 `compact.go`.
#[derive(Clone, Copy, Debug)]
pub struct Compactor {
    interval: Duration,
    next: SimTime,
    revision: Option<u64>,
}

impl Compactor {
    /// A compactor whose first tick is one `interval` after `now`; a zero interval never ticks.
    pub fn new(interval: Duration, now: SimTime) -> Self {
        let next = if interval.is_zero() { SimTime::MAX } else { now + interval };
        Self { interval, next, revision: None }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn poll_timeout(&self) -> SimTime {
        self.next
    }

    /// The revision to compact to, if it is time; early calls return `None`.
    pub fn handle_timeout(&mut self, now: SimTime, current: u64) -> Option<u64> {
        if now < self.next {
            return None;
        }
        self.next = now + self.interval;
        self.revision.replace(current)
    }
}
