//! A storm: many connections that ask for the same thing, again and again.
//!
//! One connection per worker, one request at a time on it, as a `kubectl proxy` in front of
//! `xargs -P` makes them. A **closed** loop sends the next request when the last one is done; an
//! **open** loop sends on a schedule and counts latency from the intended start, so that a slow
//! server cannot hide its slowness by being asked less often.
//!
//! Bodies are read frame by frame and thrown away. An answer that breaks off after a 200 is an
//! error (`cut body`) and its code still counts as 200.

pub(crate) mod retry;
mod schedule;
mod spec;
mod worker;

use std::{
    collections::BTreeMap,
    future::{Future, pending},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    LoadError,
    client::{ConnectOptions, Connection, HttpVersion},
    recorder::{self, Percentiles},
};

use schedule::Schedule;
pub use spec::StormSpec;
pub(crate) use spec::{USER_AGENT, check_path};

/// What a storm measured.
#[derive(Clone, Debug)]
pub struct StormResult {
    /// Requests finished, in whatever way; a repeated one counts once.
    pub requests: u64,
    /// Requests answered with 2xx and a whole body.
    pub ok: u64,
    /// Final status codes, also of answers that were cut.
    pub codes: BTreeMap<u16, u64>,
    /// Requests that ended in an error, by kind: `cut body`, `time-out`, `connection reset`,
    /// `connection refused`, `connection closed`, `stream reset`, `corrupt gzip`, …
    pub errors: BTreeMap<String, u64>,
    /// Body bytes as they came over the wire, also of answers that were cut.
    pub wire_bytes: u64,
    /// Body bytes of whole answers after gunzip when [`StormSpec::inflate`] asked for it, else as
    /// they came.
    pub body_bytes: u64,
    /// From the first request's start to the end of the last.
    pub elapsed: Duration,
    /// Start (open loop: intended start) to last byte of the requests that are
    /// [`ok`](Self::ok); microseconds.
    pub latency: Histogram<u64>,
    /// The same start to the first byte of the body (of the head, if the body is empty);
    /// microseconds.
    pub ttfb: Histogram<u64>,
    /// Start to end of the requests that are not ok; microseconds.
    pub failed_latency: Histogram<u64>,
    /// Attempts beyond the first of each request: after a Retry-After, and on a new connection
    /// where a kept one had been closed under it.
    pub retries: u64,
    /// How often a Retry-After was waited for.
    pub retry_after_waits: u64,
    /// The time spent in those waits, over all workers.
    pub retry_after_time: Duration,
    /// Open loop: requests that started later than they should have; see
    /// [`behind`](Self::behind).
    pub late: u64,
    /// Open loop: the generator fell behind. More than one in a hundred requests started over
    /// 50 ms after its intended start, since all connections were busy or this machine was: the
    /// rate asked for was not offered, and the result is not one of that rate.
    pub behind: bool,
    /// Whether the storm was broken off by the caller.
    pub interrupted: bool,
}

/// How far a running storm is.
#[derive(Clone, Copy, Debug)]
pub struct StormProgress {
    /// Requests finished.
    pub requests: u64,
    /// Of these, ok.
    pub ok: u64,
    /// Body bytes so far, also of unfinished answers.
    pub wire_bytes: u64,
    /// Requests to be made, when that number is fixed.
    pub total: Option<u64>,
    /// Since the start.
    pub elapsed: Duration,
}

/// The figures of a [`StormResult`] as reports carry them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StormSummary {
    /// See [`StormResult::requests`].
    pub requests: u64,
    /// See [`StormResult::ok`].
    pub ok: u64,
    /// See [`StormResult::codes`].
    pub codes: BTreeMap<u16, u64>,
    /// See [`StormResult::errors`].
    pub errors: BTreeMap<String, u64>,
    /// See [`StormResult::wire_bytes`].
    pub wire_bytes: u64,
    /// See [`StormResult::body_bytes`].
    pub body_bytes: u64,
    /// Seconds.
    pub elapsed_s: f64,
    /// Finished requests a second.
    pub requests_per_s: f64,
    /// Wire bytes a second, in MiB.
    pub wire_mib_per_s: f64,
    /// See [`StormResult::latency`].
    pub latency: Percentiles,
    /// See [`StormResult::ttfb`].
    pub ttfb: Percentiles,
    /// See [`StormResult::failed_latency`].
    pub failed_latency: Percentiles,
    /// See [`StormResult::retries`].
    pub retries: u64,
    /// See [`StormResult::retry_after_waits`].
    pub retry_after_waits: u64,
    /// See [`StormResult::retry_after_time`].
    pub retry_after_s: f64,
    /// See [`StormResult::late`].
    pub late: u64,
    /// See [`StormResult::behind`].
    pub behind: bool,
    /// See [`StormResult::interrupted`].
    pub interrupted: bool,
}

/// Runs a storm to its end. `progress` is called about five times a second and once at the end.
///
/// # Errors
/// When the specification cannot be used, or not one connection can be made. What goes wrong with
/// single requests is counted in the result.
pub async fn run(
    spec: &StormSpec,
    progress: &(dyn Fn(StormProgress) + Send + Sync),
) -> Result<StormResult, LoadError> {
    run_until(spec, progress, pending()).await
}

/// As [`run`], but breaks off with what there is when `stop` is done.
///
/// # Errors
/// As [`run`].
pub async fn run_until(
    spec: &StormSpec,
    progress: &(dyn Fn(StormProgress) + Send + Sync),
    stop: impl Future<Output = ()>,
) -> Result<StormResult, LoadError> {
    spec.check()?;
    let http = if spec.http2 { HttpVersion::Http2 } else { HttpVersion::Http1 };
    let mut connect = ConnectOptions::new(&spec.target, http)?;
    if let Some(rate) = spec.read_rate {
        connect = connect.slow_reader(rate);
    }
    let headers = spec.headers()?;
    let mut stop = pin!(stop);
    let connections = tokio::select! {
        connections = connect_all(&connect, spec.concurrency) => connections?,
        () = &mut stop => (0..spec.concurrency).map(|_| None).collect(),
    };

    let started = Instant::now();
    let shared = Arc::new(Shared {
        spec: spec.clone(),
        connect,
        headers,
        schedule: Schedule::new(spec.requests, spec.open_loop),
        started,
        stopped: AtomicBool::new(false),
        wire_bytes: AtomicU64::new(0),
        requests: AtomicU64::new(0),
        ok: AtomicU64::new(0),
    });
    // Each worker's tally outlives it, so that an interrupted run still has its figures.
    let mut tallies = Vec::with_capacity(connections.len());
    let mut workers = JoinSet::new();
    for connection in connections {
        let tally = Arc::new(Mutex::new(Tally::new()));
        tallies.push(Arc::clone(&tally));
        workers.spawn(worker::run(Arc::clone(&shared), connection, tally));
    }

    let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut interrupted = false;
    loop {
        tokio::select! {
            biased;
            joined = workers.join_next() => if joined.is_none() { break },
            _ = tick.tick() => progress(shared.progress()),
            () = &mut stop, if !interrupted => {
                interrupted = true;
                shared.stopped.store(true, Ordering::Relaxed);
                workers.abort_all();
            }
        }
    }
    let mut total = Tally::new();
    for tally in &tallies {
        total.add(&tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
    progress(shared.progress());
    let elapsed = total.last_end.unwrap_or_else(Instant::now).saturating_duration_since(started);
    Ok(total.into_result(shared.wire_bytes.load(Ordering::Relaxed), elapsed, interrupted))
}

/// Opens all connections before the clock starts, so that no request pays for a handshake.
async fn connect_all(
    options: &ConnectOptions,
    count: usize,
) -> Result<Vec<Option<Connection>>, LoadError> {
    let mut connections = Vec::with_capacity(count);
    let mut first_error = None;
    // In groups: a listen backlog is finite, and a TLS handshake costs both sides a millisecond.
    for start in (0..count).step_by(CONNECT_AT_ONCE) {
        let mut group = JoinSet::new();
        for _ in start..count.min(start + CONNECT_AT_ONCE) {
            let options = options.clone();
            group.spawn(async move { options.connect().await });
        }
        while let Some(joined) = group.join_next().await {
            match joined {
                Ok(Ok(connection)) => connections.push(Some(connection)),
                Ok(Err(error)) => {
                    connections.push(None);
                    first_error.get_or_insert(error);
                }
                Err(_) => connections.push(None),
            }
        }
        if connections.iter().all(Option::is_none)
            && let Some(error) = first_error
        {
            return Err(error);
        }
    }
    Ok(connections)
}

/// What the workers of one storm have in common.
struct Shared {
    spec: StormSpec,
    connect: ConnectOptions,
    headers: http::HeaderMap,
    schedule: Schedule,
    started: Instant,
    stopped: AtomicBool,
    wire_bytes: AtomicU64,
    requests: AtomicU64,
    ok: AtomicU64,
}

impl Shared {
    fn progress(&self) -> StormProgress {
        StormProgress {
            requests: self.requests.load(Ordering::Relaxed),
            ok: self.ok.load(Ordering::Relaxed),
            wire_bytes: self.wire_bytes.load(Ordering::Relaxed),
            total: self.spec.requests,
            elapsed: self.started.elapsed(),
        }
    }

    /// Whether no further request may start.
    fn is_over(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
            || self.spec.duration.is_some_and(|duration| self.started.elapsed() >= duration)
    }
}

/// The figures of one worker, or of all.
struct Tally {
    requests: u64,
    ok: u64,
    codes: BTreeMap<u16, u64>,
    errors: BTreeMap<&'static str, u64>,
    body_bytes: u64,
    latency: Histogram<u64>,
    ttfb: Histogram<u64>,
    failed_latency: Histogram<u64>,
    retries: u64,
    retry_after_waits: u64,
    retry_after_time: Duration,
    late: u64,
    last_end: Option<Instant>,
}

impl Tally {
    fn new() -> Self {
        Self {
            requests: 0,
            ok: 0,
            codes: BTreeMap::new(),
            errors: BTreeMap::new(),
            body_bytes: 0,
            latency: recorder::histogram(),
            ttfb: recorder::histogram(),
            failed_latency: recorder::histogram(),
            retries: 0,
            retry_after_waits: 0,
            retry_after_time: Duration::ZERO,
            late: 0,
            last_end: None,
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.ok += other.ok;
        for (code, count) in &other.codes {
            *self.codes.entry(*code).or_default() += count;
        }
        for (kind, count) in &other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        self.body_bytes += other.body_bytes;
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.ttfb, &other.ttfb),
            (&mut self.failed_latency, &other.failed_latency),
        ] {
            mine.add(theirs).expect("all histograms have the same bounds");
        }
        self.retries += other.retries;
        self.retry_after_waits += other.retry_after_waits;
        self.retry_after_time += other.retry_after_time;
        self.late += other.late;
        self.last_end = self.last_end.max(other.last_end);
    }

    fn into_result(self, wire_bytes: u64, elapsed: Duration, interrupted: bool) -> StormResult {
        StormResult {
            requests: self.requests,
            ok: self.ok,
            codes: self.codes,
            errors: self.errors.into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect(),
            wire_bytes,
            body_bytes: self.body_bytes,
            elapsed,
            latency: self.latency,
            ttfb: self.ttfb,
            failed_latency: self.failed_latency,
            retries: self.retries,
            retry_after_waits: self.retry_after_waits,
            retry_after_time: self.retry_after_time,
            late: self.late,
            behind: self.late * 100 > self.requests,
            interrupted,
        }
    }
}

impl StormResult {
    /// The figures as reports carry them.
    pub fn summary(&self) -> StormSummary {
        let seconds = self.elapsed.as_secs_f64();
        let per_s = |n: f64| if seconds > 0.0 { n / seconds } else { 0.0 };
        StormSummary {
            requests: self.requests,
            ok: self.ok,
            codes: self.codes.clone(),
            errors: self.errors.clone(),
            wire_bytes: self.wire_bytes,
            body_bytes: self.body_bytes,
            elapsed_s: seconds,
            requests_per_s: per_s(self.requests as f64),
            wire_mib_per_s: per_s(self.wire_bytes as f64 / 1_048_576.0),
            latency: Percentiles::of(&self.latency),
            ttfb: Percentiles::of(&self.ttfb),
            failed_latency: Percentiles::of(&self.failed_latency),
            retries: self.retries,
            retry_after_waits: self.retry_after_waits,
            retry_after_s: self.retry_after_time.as_secs_f64(),
            late: self.late,
            behind: self.behind,
            interrupted: self.interrupted,
        }
    }
}

/// Often enough for a smooth bar, rarely enough to cost nothing.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Below Linux's default listen backlog (128 in older programs).
const CONNECT_AT_ONCE: usize = 100;
