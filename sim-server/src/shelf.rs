//! A collection, with the bell that wakes its watchers.

use std::sync::Arc;

use sim_store::{Collection, Draft, Object, Store, StoreError, Updated};
use sim_time::SimTime;
use tokio::sync::watch;

/// Where one resource's objects are kept. All writes go through here, so that none is missed by
/// the watchers.
pub(crate) struct Shelf {
    pub(crate) collection: Arc<Collection>,
    bell: watch::Sender<u64>,
}

impl Shelf {
    pub(crate) fn new(collection: Arc<Collection>) -> Self {
        Self { collection, bell: watch::Sender::new(0) }
    }

    /// Tells of every change, with its resourceVersion.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Watches of this resource that are open.
    pub(crate) fn watchers(&self) -> usize {
        self.bell.receiver_count()
    }

    pub(crate) fn create(
        &self,
        store: &Store,
        draft: Draft,
        now: SimTime,
    ) -> Result<Arc<Object>, StoreError> {
        let object = store.create(&self.collection, draft, now)?;
        self.ring(object.revision());
        Ok(object)
    }

    pub(crate) fn update(
        &self,
        store: &Store,
        draft: Draft,
        expected: Option<u64>,
        now: SimTime,
    ) -> Result<Updated, StoreError> {
        let updated = store.update(&self.collection, draft, expected, now)?;
        if updated.changed {
            self.ring(updated.object.revision());
        }
        Ok(updated)
    }

    pub(crate) fn delete(
        &self,
        store: &Store,
        key: &str,
        expected: Option<u64>,
        now: SimTime,
    ) -> Result<Arc<Object>, StoreError> {
        let object = store.delete(&self.collection, key, expected, now)?;
        self.ring(object.revision());
        Ok(object)
    }

    /// Wakes the watchers without a change.
    pub(crate) fn wake(&self) {
        self.bell.send_modify(|_| {});
    }

    fn ring(&self, revision: u64) {
        self.bell.send_modify(|last| *last = revision.max(*last));
    }
}
