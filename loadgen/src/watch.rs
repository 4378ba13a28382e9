//! Many open watches: how many the server takes, and the events that come through.

mod events;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    LoadError, StormSpec,
    client::{ConnectOptions, Connection, HttpVersion, error_kind},
    recorder::{self, Percentiles},
};

use events::EventCounter;

/// What the watches saw.
#[derive(Clone, Debug)]
pub struct WatchResult {
    /// Watches asked for.
    pub watches: u64,
    /// Watches that were answered with 200.
    pub opened: u64,
    /// Status codes of the answers.
    pub codes: BTreeMap<u16, u64>,
    /// Watches that broke, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Watches that the server ended as it should, for instance after `timeoutSeconds`.
    pub ended: u64,
    /// Events by type: ADDED, MODIFIED, DELETED, BOOKMARK, ERROR.
    pub events: BTreeMap<String, u64>,
    /// Bytes over the wire.
    pub wire_bytes: u64,
    /// From the first watch's opening to the end.
    pub elapsed: Duration,
    /// Request to response head; microseconds.
    pub open_latency: Histogram<u64>,
}

/// The figures of a [`WatchResult`] as reports carry them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchSummary {
    /// See [`WatchResult::watches`].
    pub watches: u64,
    /// See [`WatchResult::opened`].
    pub opened: u64,
    /// See [`WatchResult::codes`].
    pub codes: BTreeMap<u16, u64>,
    /// See [`WatchResult::errors`].
    pub errors: BTreeMap<String, u64>,
    /// See [`WatchResult::ended`].
    pub ended: u64,
    /// See [`WatchResult::events`].
    pub events: BTreeMap<String, u64>,
    /// See [`WatchResult::wire_bytes`].
    pub wire_bytes: u64,
    /// Seconds.
    pub elapsed_s: f64,
    /// See [`WatchResult::open_latency`].
    pub open_latency: Percentiles,
}

/// How far running watches are.
#[derive(Clone, Copy, Debug)]
pub struct WatchProgress {
    /// Watches open now.
    pub open: u64,
    /// Events so far.
    pub events: u64,
    /// Since the start.
    pub elapsed: Duration,
}

/// Opens [`StormSpec::concurrency`] watches of the specification's path and counts their events
/// for its [`duration`](StormSpec::duration), or until all have ended, or until `stop` is done.
///
/// `per_connection` watches share a connection over HTTP/2; over HTTP/1.1 each has its own. A
/// watch that ends is not opened again.
///
/// # Errors
/// When the specification cannot be used, or a connection cannot be made.
pub async fn run(
    spec: &StormSpec,
    per_connection: usize,
    progress: &(dyn Fn(WatchProgress) + Send + Sync),
    stop: impl Future<Output = ()>,
) -> Result<WatchResult, LoadError> {
    spec.check()?;
    let http = if spec.http2 { HttpVersion::Http2 } else { HttpVersion::Http1 };
    let mut options = ConnectOptions::new(&spec.target, http)?;
    if let Some(rate) = spec.read_rate {
        options = options.slow_reader(rate);
    }
    let shared = Arc::new(Shared {
        spec: spec.clone(),
        headers: spec.headers()?,
        options,
        open: AtomicU64::new(0),
        events: AtomicU64::new(0),
        tally: Mutex::new(Tally::default()),
    });
    let per_connection = if spec.http2 { per_connection.max(1) } else { 1 };

    let started = Instant::now();
    let mut tasks = JoinSet::new();
    // HTTP/2 connections live here for as long as their watches do.
    let mut connections = Vec::new();
    for first in (0..spec.concurrency).step_by(per_connection) {
        let mut connection = shared.options.connect().await?;
        if let Some(sender) = connection.share() {
            for _ in first..spec.concurrency.min(first + per_connection) {
                let (shared, mut sender) = (Arc::clone(&shared), sender.clone());
                tasks.spawn(async move {
                    let headers = shared.headers.clone();
                    let path = shared.spec.path_and_query.as_str();
                    let asked = Instant::now();
                    let answer = sender
                        .send(&shared.options, Method::GET, path, headers, bytes::Bytes::new())
                        .await;
                    shared.follow(asked, answer).await;
                });
            }
            connections.push(connection);
        } else {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move { shared.own_connection(&mut connection).await });
        }
    }

    let deadline = started + spec.duration.unwrap_or(FOREVER);
    let mut stop = pin!(stop);
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            joined = tasks.join_next() => if joined.is_none() { break },
            _ = tick.tick() => progress(shared.progress(started)),
            () = tokio::time::sleep_until(deadline.into()) => break,
            () = &mut stop => break,
        }
    }
    let elapsed = started.elapsed();
    progress(shared.progress(started));
    tasks.abort_all();
    drop(connections);
    let tally = shared.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(tally.into_result(spec.concurrency as u64, elapsed))
}

struct Shared {
    spec: StormSpec,
    headers: HeaderMap,
    options: ConnectOptions,
    open: AtomicU64,
    events: AtomicU64,
    tally: Mutex<Tally>,
}

#[derive(Clone)]
struct Tally {
    opened: u64,
    codes: BTreeMap<u16, u64>,
    errors: BTreeMap<&'static str, u64>,
    ended: u64,
    events: BTreeMap<String, u64>,
    wire_bytes: u64,
    open_latency: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            opened: 0,
            codes: BTreeMap::new(),
            errors: BTreeMap::new(),
            ended: 0,
            events: BTreeMap::new(),
            wire_bytes: 0,
            open_latency: recorder::histogram(),
        }
    }
}

impl Shared {
    fn progress(&self, started: Instant) -> WatchProgress {
        WatchProgress {
            open: self.open.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            elapsed: started.elapsed(),
        }
    }

    fn tally(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn own_connection(&self, connection: &mut Connection) {
        let (headers, path) = (self.headers.clone(), self.spec.path_and_query.as_str());
        let asked = Instant::now();
        let answer =
            connection.send(&self.options, Method::GET, path, headers, bytes::Bytes::new()).await;
        self.follow(asked, answer).await;
    }

    /// Reads one watch to its end.
    async fn follow(
        &self,
        asked: Instant,
        answer: Result<http::Response<hyper::body::Incoming>, hyper::Error>,
    ) {
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                let kind = error_kind(&error, false);
                return self.tally(|t| *t.errors.entry(kind).or_default() += 1);
            }
        };
        let code = response.status();
        self.tally(|tally| {
            *tally.codes.entry(code.as_u16()).or_default() += 1;
            tally.opened += u64::from(code.is_success());
            recorder::record(&mut tally.open_latency, asked.elapsed());
        });
        if !code.is_success() {
            return;
        }
        let framed = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("protobuf"));
        let _open = CountOpen::new(&self.open);
        let mut counter = if framed { EventCounter::protobuf() } else { EventCounter::json() };
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return self.tally(|t| *t.errors.entry("cut body").or_default() += 1);
            };
            let Ok(data) = frame.into_data() else { continue };
            let seen = counter.feed(&data);
            self.events.fetch_add(seen.len() as u64, Ordering::Relaxed);
            self.tally(|tally| {
                tally.wire_bytes += data.len() as u64;
                for kind in seen {
                    *tally.events.entry(kind).or_default() += 1;
                }
            });
            if let Some(rate) = self.spec.read_rate {
                let pause = data.len() as f64 / rate as f64;
                tokio::time::sleep(Duration::from_secs_f64(pause.min(3600.0))).await;
            }
        }
        self.tally(|tally| tally.ended += 1);
    }
}

/// Counts a watch as open for as long as it lives, however it ends.
struct CountOpen<'a>(&'a AtomicU64);

impl<'a> CountOpen<'a> {
    fn new(open: &'a AtomicU64) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for CountOpen<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tally {
    fn into_result(self, watches: u64, elapsed: Duration) -> WatchResult {
        WatchResult {
            watches,
            opened: self.opened,
            codes: self.codes,
            errors: self.errors.into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect(),
            ended: self.ended,
            events: self.events,
            wire_bytes: self.wire_bytes,
            elapsed,
            open_latency: self.open_latency,
        }
    }
}

impl WatchResult {
    /// The figures as reports carry them.
    pub fn summary(&self) -> WatchSummary {
        WatchSummary {
            watches: self.watches,
            opened: self.opened,
            codes: self.codes.clone(),
            errors: self.errors.clone(),
            ended: self.ended,
            events: self.events.clone(),
            wire_bytes: self.wire_bytes,
            elapsed_s: self.elapsed.as_secs_f64(),
            open_latency: Percentiles::of(&self.open_latency),
        }
    }
}

/// A day; only when the specification has a number of requests instead of a duration.
const FOREVER: Duration = Duration::from_secs(24 * 3600);
