//! The buffering encoder: all releases before 1.33, and pretty bodies on every release.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Source,
    segments::Segments,
    streamed::{Items, LIST_END},
};

/// A body that has been built as a whole and stays whole until its last byte is accepted by the
/// socket, as the real server's single `Write` of its encode buffer does.
pub struct Buffered {
    /// The whole body, kept until the source is dropped.
    body: Bytes,
    sent: usize,
}

impl Buffered {
    /// A body that is complete.
    pub fn new(body: Bytes) -> Self {
        Self { body, sent: 0 }
    }
}

impl Source for Buffered {
    fn next_piece(&mut self) -> Option<Segments> {
        let end = self.body.len().min(self.sent + PIECE_BYTES);
        let piece = self.body.slice(self.sent..end);
        self.sent = end;
        (!piece.is_empty()).then(|| piece.into())
    }
}

/// What is handed to the connection at a time, so that the end of the source is near the moment
/// when the socket has taken the last byte: seats and deadlines hang on it.
const PIECE_BYTES: usize = 128 << 10;

/// A buffer that grows as Go's `bytes.Buffer` does: each time it is full its capacity doubles,
/// the old one is copied and let go. It so ends at the next power of two above the body
/// (recorded: 16 MiB for 9.8 MB, 64 MiB for 47 MB; `golden/lab` part 1, point 1).
#[derive(Debug, Default)]
pub struct GoBuffer {
    bytes: Vec<u8>,
}

impl GoBuffer {
    /// Appends, doubling the capacity where it is short.
    pub fn extend(&mut self, more: &[u8]) {
        let need = self.bytes.len() + more.len();
        if need > self.bytes.capacity() {
            let capacity = need.next_power_of_two().max(CAPACITY_MIN);
            let mut grown = Vec::with_capacity(capacity);
            grown.extend_from_slice(&self.bytes);
            self.bytes = grown;
        }
        self.bytes.extend_from_slice(more);
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Capacity, in bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The body; the capacity stays with it.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self.bytes)
    }
}

/// Go's `bytes.MinRead`.
const CAPACITY_MIN: usize = 512;

/// Builds a list's whole body, a batch at a time: call [`step`](Self::step) until it says done,
/// so that a large list does not keep a thread to itself.
pub struct ListBuilder {
    buffer: GoBuffer,
    items: Items,
    batch: Vec<Arc<sim_store::Object>>,
    item_prefix: Option<Bytes>,
    first: bool,
}

impl ListBuilder {
    /// See [`StreamedList::new`](super::streamed::StreamedList::new).
    pub fn new(head: &[u8], items: Items, item_prefix: Option<Bytes>) -> Self {
        let mut buffer = GoBuffer::default();
        buffer.extend(head);
        Self { buffer, items, batch: Vec::new(), item_prefix, first: true }
    }

    /// Encodes some items; true when the list is complete.
    pub fn step(&mut self) -> bool {
        self.items.next_batch(&mut self.batch);
        if self.batch.is_empty() {
            self.buffer.extend(LIST_END);
            return true;
        }
        for object in self.batch.drain(..) {
            if !self.first {
                self.buffer.extend(b",");
            }
            match &self.item_prefix {
                None => self.buffer.extend(&object.item()),
                Some(prefix) => {
                    self.buffer.extend(prefix);
                    self.buffer.extend(&object.members());
                }
            }
            self.first = false;
        }
        false
    }

    /// The whole body.
    pub fn finish(mut self) -> GoBuffer {
        while !self.step() {}
        self.buffer
    }

    /// The body, once [`step`](Self::step) said done.
    pub fn into_buffer(self) -> GoBuffer {
        self.buffer
    }
}
