//! From objects to response bytes.
//!
//! Every LIST is a [`Source`]: something that yields the body piece by piece. Which source it is
//! decides what the server holds in memory, and that is what releases differ in:
//!
//! | source | holds | used by |
//! | --- | --- | --- |
//! | [`buffered::Buffered`] | the whole body, until its last byte is accepted by the socket | before 1.33; pretty and Table on every release |
//! | [`streamed::StreamedList`] | a position in a snapshot and one bounded chunk | 1.33 on (gate `StreamingCollectionEncodingToJSON`) |
//! | [`made::MadeList`] | a position in a snapshot and one bounded chunk | protobuf and metadata alone, from 1.33 on; before, its bytes are buffered |
//!
//! Both yield the same bytes (a test says so). [`gzip`] wraps either.

pub(crate) mod body;
pub mod buffered;
pub mod gzip;
pub mod made;
pub mod segments;
pub mod streamed;

use segments::Segments;

/// A response body that is made while it is sent.
pub trait Source: Send {
    /// The next piece, `None` at the end. Pieces are never empty.
    fn next_piece(&mut self) -> Option<Segments>;
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn next_piece(&mut self) -> Option<Segments> {
        (**self).next_piece()
    }
}
