//! One connection: HTTP/1.1 or HTTP/2 over whatever carries it.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use hyper::{Request, body::Incoming, rt::Executor, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::timeout,
};

use super::{
    clock::Clock,
    deadline::{Guarded, guarded},
    stall::StallGuard,
};
use crate::{
    app::App,
    pipeline::{self, request::User},
};

/// The protocol spoken on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Whether the connection is TLS.
    pub(crate) secure: bool,
    /// The client's certificate, DER, verified against the server's CA.
    pub(crate) certificate: Option<Vec<u8>>,
    /// Who it is, where that needs no proof: an actor of the emulated cluster, in this process.
    pub(crate) user: Option<User>,
}

impl Peer {
    /// At the other end of a plain connection.
    pub(crate) fn plain() -> Self {
        Self { secure: false, certificate: None, user: None }
    }
}

/// What the pipeline knows of the connection that a request came on. Every request that is open
/// holds a reference, until its answer has been handed over.
pub(crate) struct Connection {
    pub(crate) peer: Peer,
}

impl Connection {
    /// What requests of an actor within this process come on.
    pub(crate) fn within(user: User) -> Self {
        Self { peer: Peer { secure: true, certificate: None, user: Some(user) } }
    }
}

pub(crate) async fn serve<IO>(
    app: Arc<App>,
    io: IO,
    protocol: Protocol,
    peer: Peer,
    mut shutdown: watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let clock = app.clock;
    let config = &app.config;
    let io = StallGuard::new(io, config.request_timeout);
    let is_blocked = io.is_blocked();
    let connection = Arc::new(Connection { peer });
    let service = {
        let app = Arc::clone(&app);
        let connection = Arc::clone(&connection);
        service_fn(move |request: Request<Incoming>| {
            let app = Arc::clone(&app);
            let connection = Arc::clone(&connection);
            async move {
                let answer = {
                    let request = request.map(http_body_util::Either::Left);
                    pipeline::handle(app, Arc::clone(&connection), request).await
                };
                Ok::<_, Infallible>(answer.map(|body| body.holding(connection)))
            }
        })
    };
    // The service and this function hold the connection too.
    let is_idle = || Arc::strong_count(&connection) == 2 && !is_blocked.load(Ordering::Relaxed);
    match protocol {
        Protocol::Http1 => {
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(config.read_header_timeout)
                .auto_date_header(true);
            let serving = builder.serve_connection(TokioIo::new(io), service);
            let mut serving = Box::pin(guarded(serving, clock));
            tokio::select! {
                _ = &mut serving => return,
                _ = shutdown.wait_for(|down| *down) => {}
            }
            serving.as_mut().get_mut().inner().graceful_shutdown();
            // Half a header is not worth waiting for.
            until_idle(&mut serving, is_idle).await;
        }
        Protocol::Http2 => {
            let mut builder = hyper::server::conn::http2::Builder::new(StreamExecutor { clock });
            builder
                .timer(TokioTimer::new())
                .max_concurrent_streams(config.http2_max_streams)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(
                    STREAM_WINDOW.saturating_mul(config.http2_max_streams).min(WINDOW_MAX),
                )
                .max_frame_size(MAX_FRAME)
                .max_send_buf_size(SEND_BUFFER)
                .max_header_list_size(MAX_HEADER_BYTES)
                .keep_alive_interval(Some(Duration::from_secs(30)))
                .keep_alive_timeout(Duration::from_secs(15));
            // hyper has no time-out for the first bytes of these.
            let io = io.begin_within(PREFACE_BYTES, config.read_header_timeout);
            let mut serving = Box::pin(builder.serve_connection(TokioIo::new(io), service));
            tokio::select! {
                _ = &mut serving => return,
                _ = shutdown.wait_for(|down| *down) => {}
            }
            serving.as_mut().graceful_shutdown();
            if !until_idle(&mut serving, is_idle).await {
                let _ = timeout(GO_AWAY_TIMEOUT, serving).await;
            }
        }
    }
}

/// Serves until nothing is asked on the connection and all is written; true when it has ended.
async fn until_idle<F: Future + Unpin>(serving: &mut F, is_idle: impl Fn() -> bool) -> bool {
    poll_fn(|cx| match Pin::new(&mut *serving).poll(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if is_idle() => Poll::Ready(false),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// How long a peer has to see that the connection goes away, once nothing is asked on it.
/// Source: `goAwayTimeout` of Go's HTTP/2 server.
const GO_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Spawns HTTP/2 streams so that each can be cut at its deadline.
#[derive(Clone, Copy)]
struct StreamExecutor {
    clock: Clock,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let stream: Guarded<F> = guarded(stream, self.clock);
        tokio::spawn(stream);
    }
}

/// Per-stream upload buffer and largest frame. Source: `secure_serving.go`, 256 KiB both.
const STREAM_WINDOW: u32 = 256 << 10;
const MAX_FRAME: u32 = 256 << 10;

/// The least that an HTTP/2 client begins with: 24 bytes of preface and an empty SETTINGS frame.
const PREFACE_BYTES: usize = 24 + 9;

/// HTTP/2's largest window.
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// Bytes of one response that may wait in a stream while the client does not read.
const SEND_BUFFER: usize = 256 << 10;

/// Source: Go's `http.DefaultMaxHeaderBytes`, 1 MiB.
const MAX_HEADER_BYTES: u32 = 1 << 20;
