//! The one body type of all responses.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{Source, segments::Segments};
use crate::edge::{connection::Connection, deadline::DeadlineGuard};

/// A body whose pieces have to be waited for.
pub(crate) trait AsyncSource: Send {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Segments>>;
}

enum Kind {
    Empty,
    Full(Option<Bytes>),
    Source(Box<dyn Source>),
    Async(Box<dyn AsyncSource>),
}

/// A response body, with what must happen when it ends.
pub(crate) struct Body {
    kind: Kind,
    sent: u64,
    /// Runs when the body has been sent or dropped, with the bytes sent and whether it ended.
    on_end: Option<Box<dyn FnOnce(u64, bool) + Send>>,
    deadline: Option<DeadlineGuard>,
    connection: Option<Arc<Connection>>,
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::of(Kind::Empty)
    }

    /// A small body, sent with a Content-Length.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self::of(Kind::Full(Some(bytes.into())))
    }

    pub(crate) fn source(source: impl Source + 'static) -> Self {
        Self::of(Kind::Source(Box::new(source)))
    }

    pub(crate) fn stream(source: impl AsyncSource + 'static) -> Self {
        Self::of(Kind::Async(Box::new(source)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, sent: 0, on_end: None, deadline: None, connection: None }
    }

    pub(crate) fn on_end(mut self, end: impl FnOnce(u64, bool) + Send + 'static) -> Self {
        self.on_end = Some(Box::new(end));
        self
    }

    /// The request's deadline holds until this body ends.
    pub(crate) fn with_deadline(mut self, guard: DeadlineGuard) -> Self {
        self.deadline = Some(guard);
        self
    }

    /// The connection counts as busy until this body ends.
    pub(crate) fn holding(mut self, connection: Arc<Connection>) -> Self {
        self.connection = Some(connection);
        self
    }

    fn end(&mut self, complete: bool) {
        self.deadline = None;
        self.connection = None;
        if let Some(end) = self.on_end.take() {
            end(self.sent, complete);
        }
    }
}

impl http_body::Body for Body {
    type Data = Segments;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Segments>, io::Error>>> {
        let piece = match &mut self.kind {
            Kind::Empty => None,
            Kind::Full(bytes) => bytes.take().filter(|bytes| !bytes.is_empty()).map(Segments::from),
            Kind::Source(source) => source.next_piece(),
            Kind::Async(source) => match source.poll_piece(cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending => return Poll::Pending,
            },
        };
        match piece {
            Some(piece) => {
                self.sent += piece.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None => {
                // Frees what the source holds now, not when the connection gets to it.
                self.kind = Kind::Empty;
                self.end(true);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Source(_) | Kind::Async(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Source(_) | Kind::Async(_) => SizeHint::default(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let complete = matches!(&self.kind, Kind::Empty)
            || matches!(&self.kind, Kind::Full(bytes) if bytes.is_none());
        self.end(complete);
    }
}
