//! The streaming encoder of 1.33 and later.

use std::sync::Arc;

use bytes::Bytes;
use sim_store::{ListCursor, Object};

use super::{Source, segments::Segments};

/// The end of every list.
pub const LIST_END: &[u8] = b"]}\n";

/// Where a list's items come from; a clone begins at the same place.
#[derive(Clone)]
pub enum Items {
    /// All objects of a snapshot below a prefix that pass the filter, read while they are sent.
    Cursor(ListCursor, Option<Filter>),
    /// Objects that have been chosen already: a page.
    Page(std::vec::IntoIter<Arc<Object>>),
}

/// A selector as a function.
pub type Filter = Arc<dyn Fn(&Object) -> bool + Send + Sync>;

impl Items {
    /// Puts some of the next items into `into`; puts none at the end.
    pub fn next_batch(&mut self, into: &mut Vec<Arc<Object>>) {
        match self {
            Self::Page(objects) => into.extend(objects.take(BATCH)),
            Self::Cursor(cursor, None) => cursor.next_batch(BATCH, into),
            Self::Cursor(cursor, Some(filter)) => loop {
                let before = into.len();
                cursor.next_batch(BATCH, into);
                if into.len() == before {
                    return;
                }
                into.retain(|object| filter(object));
                if into.len() > before {
                    return;
                }
            },
        }
    }
}

/// A LIST that is encoded while it is sent: holds a position, and one chunk of references to
/// stored bytes. Nothing is copied.
pub struct StreamedList {
    head: Option<Bytes>,
    items: Items,
    batch: Vec<Arc<Object>>,
    /// Put before an item's members where the items of a list carry their own kind.
    item_prefix: Option<Bytes>,
    first: bool,
    ended: bool,
}

impl StreamedList {
    /// `head` is everything up to and with `"items":[`. `item_prefix` is `{"apiVersion":…,` for
    /// kinds whose list items carry it (custom resources), otherwise `None`.
    pub fn new(head: Bytes, items: Items, item_prefix: Option<Bytes>) -> Self {
        Self { head: Some(head), items, batch: Vec::new(), item_prefix, first: true, ended: false }
    }

    fn push_item(&mut self, piece: &mut Segments, object: &Object) {
        match &self.item_prefix {
            None if self.first => piece.push(object.item()),
            None => piece.push(object.json().clone()),
            Some(prefix) => {
                if !self.first {
                    piece.push(Bytes::from_static(b","));
                }
                piece.push(prefix.clone());
                piece.push(object.members());
            }
        }
        self.first = false;
    }
}

impl Source for StreamedList {
    fn next_piece(&mut self) -> Option<Segments> {
        if self.ended {
            return None;
        }
        let mut piece = Segments::with_capacity(BATCH + 2);
        if let Some(head) = self.head.take() {
            piece.push(head);
        }
        while piece.len() < CHUNK_BYTES && piece.parts() < BATCH {
            let Some(object) = self.batch.pop() else {
                self.items.next_batch(&mut self.batch);
                if self.batch.is_empty() {
                    self.ended = true;
                    piece.push(Bytes::from_static(LIST_END));
                    break;
                }
                self.batch.reverse();
                continue;
            };
            self.push_item(&mut piece, &object);
        }
        Some(piece)
    }
}

/// A chunk ends with the item that fills it. hyper keeps up to 400 kB of chunks per connection,
/// all of them references; a chunk larger than this would gain nothing (see `benches`).
const CHUNK_BYTES: usize = 128 << 10;

/// Items per look at the snapshot, and ranges per chunk: as many as one vectored write takes
/// (hyper's `MAX_WRITEV_BUFS` is 64), less the chunk's own framing.
const BATCH: usize = 60;
