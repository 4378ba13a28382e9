//! One worker: one connection, one request at a time.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use http::{Method, StatusCode, header};

use crate::{
    LoadError,
    client::{Connection, body, body::ReadOptions, error_kind},
    recorder,
};

use super::{
    Shared, Tally,
    retry::{MAX_RETRIES, retry_after},
    schedule::Ticket,
};

/// Runs until the schedule is empty or the time is over.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut connection: Option<Connection>,
    tally: Arc<Mutex<Tally>>,
) {
    while !shared.is_over() {
        let Some(ticket) = shared.schedule.take() else { break };
        let mut start = Instant::now();
        let mut late = false;
        if let Some(due) = ticket.due {
            if shared.spec.duration.is_some_and(|duration| due >= duration) {
                break;
            }
            let intended = shared.started + due;
            tokio::time::sleep_until(intended.into()).await;
            late = intended.elapsed() > LATE;
            start = intended;
        }
        let done = finish(&shared, &mut connection, ticket).await;
        let end = Instant::now();
        {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.late += u64::from(late);
            tally.add_request(&done, start, end);
        }
        shared.requests.fetch_add(1, Ordering::Relaxed);
        shared.ok.fetch_add(u64::from(done.is_ok()), Ordering::Relaxed);
        if done.could_not_connect {
            // A server that is away would otherwise be asked as fast as it can refuse.
            tokio::time::sleep(CONNECT_BACK_OFF).await;
        }
    }
}

/// One request with all its attempts.
#[derive(Default)]
struct Done {
    code: Option<StatusCode>,
    error: Option<&'static str>,
    body_bytes: u64,
    first_byte: Option<Instant>,
    retries: u64,
    retry_after_waits: u64,
    retry_after_time: Duration,
    could_not_connect: bool,
}

impl Done {
    fn is_ok(&self) -> bool {
        self.error.is_none() && self.code.is_some_and(|code| code.is_success())
    }
}

/// One attempt.
#[derive(Default)]
struct Attempt {
    code: Option<StatusCode>,
    error: Option<&'static str>,
    body_bytes: u64,
    first_byte: Option<Instant>,
    retry_after: Option<Duration>,
    /// Nothing of an answer came on a connection that had served before: it may just have been
    /// closed for being idle.
    stale: bool,
    could_not_connect: bool,
}

async fn finish(shared: &Shared, connection: &mut Option<Connection>, ticket: Ticket) -> Done {
    let path = shared.spec.path(ticket.number);
    let mut done = Done::default();
    let mut fresh_tries = 0;
    loop {
        let mut attempt = Attempt::default();
        let limit = shared.spec.timeout;
        let timed =
            tokio::time::timeout(limit, try_once(shared, connection, &path, &mut attempt)).await;
        if timed.is_err() {
            attempt.error = Some("time-out");
        }
        if attempt.error.is_some() {
            // Whatever is left of the answer must not be taken for the next one.
            *connection = None;
        }
        let repeatable = matches!(shared.spec.method, Method::GET | Method::HEAD);
        if attempt.stale && repeatable && fresh_tries == 0 && timed.is_ok() {
            fresh_tries += 1;
            done.retries += 1;
            continue;
        }
        if let Some(wait) = attempt.retry_after
            && shared.spec.honour_retry_after
            && done.retry_after_waits < MAX_RETRIES
            && !shared.is_over()
        {
            done.retries += 1;
            done.retry_after_waits += 1;
            done.retry_after_time += wait;
            tokio::time::sleep(wait).await;
            continue;
        }
        done.code = attempt.code;
        done.error = attempt.error;
        done.body_bytes = attempt.body_bytes;
        done.first_byte = attempt.first_byte;
        done.could_not_connect = attempt.could_not_connect;
        return done;
    }
}

/// Fills `attempt` as far as it gets.
async fn try_once(
    shared: &Shared,
    slot: &mut Option<Connection>,
    path: &str,
    attempt: &mut Attempt,
) {
    let reused = slot.as_ref().is_some_and(Connection::is_open);
    if !reused {
        *slot = match shared.connect.connect().await {
            Ok(connection) => Some(connection),
            Err(error) => {
                attempt.could_not_connect = true;
                attempt.error = Some(match &error {
                    LoadError::Connect { source, .. } => error_kind(source, false),
                    _ => "handshake failed",
                });
                return;
            }
        };
    }
    let Some(connection) = slot else { return };
    let spec = &shared.spec;
    let sent = connection
        .send(&shared.connect, spec.method.clone(), path, shared.headers.clone(), spec.body.clone())
        .await;
    let response = match sent {
        Ok(response) => response,
        Err(error) => {
            attempt.error = Some(error_kind(&error, false));
            attempt.stale = reused;
            return;
        }
    };
    let head = Instant::now();
    attempt.code = Some(response.status());
    attempt.retry_after = retry_after(response.status(), response.headers());
    let gzipped = response.headers().get(header::CONTENT_ENCODING).is_some_and(|v| v == "gzip");
    let options = ReadOptions { bytes_per_s: spec.read_rate, inflate: spec.inflate && gzipped };
    let read = body::discard(&mut response.into_body(), options, &shared.wire_bytes).await;
    attempt.first_byte = Some(read.first_byte.unwrap_or(head));
    attempt.body_bytes = read.body_bytes;
    if read.cut.is_some() {
        attempt.error = Some("cut body");
    } else if read.corrupt {
        attempt.error = Some("corrupt gzip");
    }
}

impl Tally {
    fn add_request(&mut self, done: &Done, start: Instant, end: Instant) {
        self.requests += 1;
        if let Some(code) = done.code {
            *self.codes.entry(code.as_u16()).or_default() += 1;
        }
        if let Some(kind) = done.error {
            *self.errors.entry(kind).or_default() += 1;
        }
        self.retries += done.retries;
        self.retry_after_waits += done.retry_after_waits;
        self.retry_after_time += done.retry_after_time;
        self.last_end = self.last_end.max(Some(end));
        let took = end.saturating_duration_since(start);
        if !done.is_ok() {
            recorder::record(&mut self.failed_latency, took);
            return;
        }
        self.ok += 1;
        self.body_bytes += done.body_bytes;
        recorder::record(&mut self.latency, took);
        if let Some(first_byte) = done.first_byte {
            recorder::record(&mut self.ttfb, first_byte.saturating_duration_since(start));
        }
    }
}

/// A request of an open loop that starts this much after its time is late; well above what a
/// timer and a busy machine are late by themselves.
const LATE: Duration = Duration::from_millis(50);

/// The pause of a worker that cannot connect.
const CONNECT_BACK_OFF: Duration = Duration::from_millis(100);
