//! Lists whose items are made from what is stored: protobuf, metadata alone, Tables, and the
//! versions of a resource that are not the stored one.

use std::sync::Arc;

use bytes::Bytes;
use sim_api::{encode::ListMeta, resources::Resource, status::Status, view::View};
use sim_store::Object;

use super::{Source, buffered::GoBuffer, segments::Segments, streamed::Items};

/// Makes the items of one list.
#[derive(Clone, Debug)]
pub struct Maker {
    /// How they are shown.
    pub view: View,
    /// What they are.
    pub resource: Arc<Resource>,
    /// The time that ages are counted to.
    pub now: jiff::Timestamp,
}

/// A list that is made while it is sent: holds a position, one batch of references and one
/// bounded chunk.
pub struct MadeList {
    maker: Maker,
    head: Vec<u8>,
    items: Items,
    batch: std::vec::IntoIter<Arc<Object>>,
    is_first: bool,
    ended: bool,
    error: Option<Status>,
}

/// Counts the bytes of a list's items, which a protobuf list tells before the first of them.
///
/// The items are made twice, as the real encoder walks them twice; so nothing is held. Call
/// [`step`](Self::step) until it says done.
pub struct Measure<'a> {
    maker: &'a Maker,
    items: Items,
    bytes: usize,
}

impl<'a> Measure<'a> {
    /// Nothing is counted yet.
    pub fn new(maker: &'a Maker, items: Items) -> Self {
        Self { maker, items, bytes: 0 }
    }

    /// Counts some items; `Some` with the sum when there are no more.
    ///
    /// # Errors
    ///
    /// 500 when what is stored cannot be read.
    pub fn step(&mut self) -> Result<Option<usize>, Status> {
        let mut batch = Vec::new();
        self.items.next_batch(&mut batch);
        if batch.is_empty() {
            return Ok(Some(self.bytes));
        }
        let Maker { view, resource, now } = self.maker;
        for object in &batch {
            self.bytes += view.item(resource, object, *now, false)?.len();
        }
        Ok(None)
    }
}

impl MadeList {
    /// `bytes` is what [`Measure`] counted, where the view asks for it.
    pub fn new(maker: Maker, meta: &ListMeta, items: Items, bytes: usize) -> Self {
        let head = maker.view.list_head(&maker.resource, meta, bytes);
        let batch = Vec::new().into_iter();
        Self { maker, head, items, batch, is_first: true, ended: false, error: None }
    }

    /// The whole body in one buffer that grows as Go's does, a piece at a time; `None` while
    /// there is more to come.
    ///
    /// # Errors
    ///
    /// 500 when what is stored cannot be read.
    pub fn step_into(&mut self, buffer: &mut GoBuffer) -> Result<bool, Status> {
        let chunk = self.next_chunk();
        match (self.error.take(), chunk) {
            (Some(status), _) => Err(status),
            (None, Some(chunk)) => {
                buffer.extend(&chunk);
                Ok(false)
            }
            (None, None) => Ok(true),
        }
    }

    fn next_chunk(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let mut chunk = std::mem::take(&mut self.head);
        while chunk.len() < CHUNK_BYTES {
            let Some(object) = self.batch.next() else {
                let mut batch = Vec::new();
                self.items.next_batch(&mut batch);
                if batch.is_empty() {
                    self.ended = true;
                    chunk.extend_from_slice(self.maker.view.list_tail());
                    break;
                }
                self.batch = batch.into_iter();
                continue;
            };
            let Maker { view, resource, now } = &self.maker;
            match view.item(resource, &object, *now, self.is_first) {
                Ok(mut item) => chunk.append(&mut item),
                // Of a list that is under way the client sees the end.
                Err(status) => {
                    self.error = Some(status);
                    self.ended = true;
                    break;
                }
            }
            self.is_first = false;
        }
        Some(chunk)
    }
}

impl Source for MadeList {
    fn next_piece(&mut self) -> Option<Segments> {
        let chunk = self.next_chunk().filter(|chunk| !chunk.is_empty())?;
        Some(Bytes::from(chunk).into())
    }
}

/// A chunk ends with the item that fills it.
const CHUNK_BYTES: usize = 64 << 10;
