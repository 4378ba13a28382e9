//! A change of one object, as watchers see it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sim_time::SimTime;

use crate::Object;

/// What happened to the object in the store; what a watcher with a selector sees may differ.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EventKind {
    /// The object was created.
    Added,
    /// The object was changed.
    Modified,
    /// The object was removed; the event's object is the last version with the removal's
    /// resourceVersion.
    Deleted,
}

/// One change, with what was there before.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object after the change (for [`EventKind::Deleted`]: the last version).
    pub object: Arc<Object>,
    /// The version before the change; `None` for [`EventKind::Added`].
    pub previous: Option<Arc<Object>>,
    /// When the change was committed.
    pub at: SimTime,
    frames: Mutex<Vec<(u8, Bytes)>>,
}

impl Event {
    pub(crate) fn new(
        kind: EventKind,
        object: Arc<Object>,
        previous: Option<Arc<Object>>,
        at: SimTime,
    ) -> Self {
        Self { kind, object, previous, at, frames: Mutex::new(Vec::new()) }
    }

    /// The change's resourceVersion.
    pub fn revision(&self) -> u64 {
        self.object.revision()
    }

    /// The encoded form number `slot` of this event, made at most once however many watch.
    ///
    /// The slot's meaning is the caller's (one per event type and encoding). The bytes are
    /// dropped when newer events push this one back, as the real server drops them after
    /// dispatch; a late watcher then has them made again.
    pub fn frame(&self, slot: u8, make: impl FnOnce() -> Bytes) -> Bytes {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = frames.iter().find(|(have, _)| *have == slot) {
            return bytes.clone();
        }
        let bytes = make();
        frames.push((slot, bytes.clone()));
        bytes
    }

    pub(crate) fn drop_frames(&self) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        *frames = Vec::new();
    }
}
