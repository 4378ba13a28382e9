//! A connection whose peer takes no byte for a while is closed, and one whose peer does not even
//! begin.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// Ends writes with an error when none has made progress for `limit`.
///
/// The deadline of a request ends with its body, but up to 400 kB of it may still be waiting in
/// the connection's write queue; this bounds how long.
pub(crate) struct StallGuard<IO> {
    io: IO,
    limit: Duration,
    blocked: Option<Pin<Box<Sleep>>>,
    is_blocked: Arc<AtomicBool>,
    beginning: Option<Beginning>,
}

/// Bytes that must arrive first, and until when.
struct Beginning {
    bytes: usize,
    until: Pin<Box<Sleep>>,
}

impl<IO> StallGuard<IO> {
    pub(crate) fn new(io: IO, limit: Duration) -> Self {
        Self { io, limit, blocked: None, is_blocked: Arc::default(), beginning: None }
    }

    /// Whether the peer has still to take what was written.
    pub(crate) fn is_blocked(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_blocked)
    }

    /// Ends reads with an error when the first `bytes` have not arrived within `limit`.
    pub(crate) fn begin_within(mut self, bytes: usize, limit: Duration) -> Self {
        let until = Box::pin(tokio::time::sleep_until(Instant::now() + limit));
        self.beginning = Some(Beginning { bytes, until });
        self
    }

    fn watch<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        self.is_blocked.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_ready() {
            self.blocked = None;
            return polled;
        }
        let limit = self.limit;
        let sleep = self
            .blocked
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for StallGuard<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        let Some(beginning) = &mut self.beginning else { return polled };
        if polled.is_pending() {
            ready!(beginning.until.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        beginning.bytes = beginning.bytes.saturating_sub(buf.filled().len() - filled);
        if beginning.bytes == 0 {
            self.beginning = None;
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for StallGuard<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.watch(polled, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(polled, cx)
    }
}
