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
/// bounded chunk of items.
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
/// The items are walked twice, as the real encoder does; so nothing is held. Call
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

    /// The whole body in one buffer that grows as Go's does, a piece at a time; true when that was
    /// the last.
    ///
    /// # Errors
    ///
    /// 500 when what is stored cannot be read.
    pub fn step_into(&mut self, buffer: &mut GoBuffer) -> Result<bool, Status> {
        let piece = self.piece();
        if let Some(status) = self.error.take() {
            return Err(status);
        }
        let Some(piece) = piece else { return Ok(true) };
        piece.iter().for_each(|part| buffer.extend(part));
        Ok(false)
    }

    fn piece(&mut self) -> Option<Segments> {
        if self.ended {
            return None;
        }
        let mut piece = Segments::with_capacity(PARTS + 2);
        piece.push(std::mem::take(&mut self.head).into());
        while piece.len() < CHUNK_BYTES && piece.parts() < PARTS {
            let Some(object) = self.batch.next() else {
                let mut batch = Vec::new();
                self.items.next_batch(&mut batch);
                if batch.is_empty() {
                    self.ended = true;
                    piece.push(Bytes::from_static(self.maker.view.list_tail()));
                    break;
                }
                self.batch = batch.into_iter();
                continue;
            };
            let Maker { view, resource, now } = &self.maker;
            match view.item(resource, &object, *now, self.is_first) {
                Ok(item) => piece.push(item),
                // Of a list that is under way the client sees the end.
                Err(status) => {
                    self.error = Some(status);
                    self.ended = true;
                    break;
                }
            }
            self.is_first = false;
        }
        Some(piece)
    }
}

impl Source for MadeList {
    fn next_piece(&mut self) -> Option<Segments> {
        self.piece().filter(|piece| !piece.is_empty())
    }
}

/// A chunk ends with the item that fills it.
const CHUNK_BYTES: usize = 128 << 10;

/// Ranges per chunk: as many as one vectored write of hyper takes, less the chunk's own framing.
const PARTS: usize = 60;
