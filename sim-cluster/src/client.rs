//! A client of the apiserver as client-go is one: rate limit, retries on 429, Status errors.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;
use sim_time::SimTime;

use crate::{
    call::{Answer, Identity, Request},
    world::{Stream, World},
};

/// One identity with one rate limit. Clones share the limit, as typed clients of one clientset do.
#[derive(Clone)]
pub(crate) struct Client {
    world: World,
    identity: Arc<Identity>,
    limit: Rc<Option<TokenBucket>>,
}

impl Client {
    pub(crate) fn new(world: &World, identity: Identity, limit: Option<(f64, f64)>) -> Self {
        let limit = limit.map(|(qps, burst)| TokenBucket::new(qps, burst));
        Self { world: world.clone(), identity: Arc::new(identity), limit: Rc::new(limit) }
    }

    /// The same identity with a limit of its own, as the clients of event recorders have one.
    pub(crate) fn apart(&self, limit: Option<(f64, f64)>) -> Self {
        let limit = Rc::new(limit.map(|(qps, burst)| TokenBucket::new(qps, burst)));
        Self { world: self.world.clone(), identity: Arc::clone(&self.identity), limit }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) async fn get(&self, path: impl Into<String>) -> Result<Value, Failure> {
        self.send("GET", path.into(), "", Bytes::new()).await
    }

    pub(crate) async fn create(
        &self,
        path: impl Into<String>,
        body: &Value,
    ) -> Result<Value, Failure> {
        self.send("POST", path.into(), JSON, to_bytes(body)).await
    }

    pub(crate) async fn update(
        &self,
        path: impl Into<String>,
        body: &Value,
    ) -> Result<Value, Failure> {
        self.send("PUT", path.into(), JSON, to_bytes(body)).await
    }

    /// A strategic merge patch.
    pub(crate) async fn patch(
        &self,
        path: impl Into<String>,
        body: &Value,
    ) -> Result<Value, Failure> {
        self.send("PATCH", path.into(), "application/strategic-merge-patch+json", to_bytes(body))
            .await
    }

    /// A merge patch, for kinds that have no strategy.
    pub(crate) async fn merge_patch(
        &self,
        path: impl Into<String>,
        body: &Value,
    ) -> Result<Value, Failure> {
        self.send("PATCH", path.into(), "application/merge-patch+json", to_bytes(body)).await
    }

    pub(crate) async fn delete(
        &self,
        path: impl Into<String>,
        options: &Value,
    ) -> Result<Value, Failure> {
        self.send("DELETE", path.into(), JSON, to_bytes(options)).await
    }

    pub(crate) fn watch(&self, path: String, accept: &'static str) -> Stream {
        self.world.watch(self.request("GET", path, accept, "", Bytes::new()))
    }

    pub(crate) async fn get_as(
        &self,
        path: String,
        accept: &'static str,
    ) -> Result<Bytes, Failure> {
        let request = self.request("GET", path, accept, "", Bytes::new());
        self.raw(request).await.map(|answer| answer.body)
    }

    async fn send(
        &self,
        method: &'static str,
        path: String,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Value, Failure> {
        let request = self.request(method, path, JSON, content_type, body);
        let answer = self.raw(request).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    fn request(
        &self,
        method: &'static str,
        path: String,
        accept: &'static str,
        content_type: &'static str,
        body: Bytes,
    ) -> Request {
        let identity = Arc::clone(&self.identity);
        Request { identity, method, path, accept, content_type, body }
    }

    /// Waits for the rate limit, sends, and repeats what was refused with Retry-After. Source:
    /// client-go `rest/request.go`: at most 10 tries.
    async fn raw(&self, request: Request) -> Result<Answer, Failure> {
        for _ in 0..RETRIES {
            if let Some(limit) = &*self.limit {
                self.world.sleep_until(limit.reserve(self.world.now())).await;
            }
            let answer = self.world.call(request.clone()).await;
            match answer.code {
                200..300 => return Ok(answer),
                429 | 500.. if answer.retry_after.is_some() => {
                    let seconds = answer.retry_after.unwrap_or(1);
                    self.world.sleep(Duration::from_secs(seconds.into())).await;
                }
                _ => return Err(Failure::of(&answer)),
            }
        }
        let answer = self.world.call(request).await;
        if (200..300).contains(&answer.code) { Ok(answer) } else { Err(Failure::of(&answer)) }
    }
}

fn to_bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// An answer that is no success.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    /// 0 when the connection broke.
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn of(answer: &Answer) -> Self {
        let status: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        Self { code: answer.code, reason: text("reason"), message: text("message") }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.code == 404
    }

    pub(crate) fn is_conflict(&self) -> bool {
        self.code == 409 && self.reason == "Conflict"
    }

    pub(crate) fn already_exists(&self) -> bool {
        self.code == 409 && self.reason == "AlreadyExists"
    }

    /// The namespace is going.
    pub(crate) fn is_terminating(&self) -> bool {
        self.code == 403 && self.message.contains("is being terminated")
    }
}

/// golang.org/x/time/rate: `burst` at once, then `qps` a second.
struct TokenBucket {
    qps: f64,
    burst: f64,
    tokens: Cell<f64>,
    last: RefCell<SimTime>,
}

impl TokenBucket {
    fn new(qps: f64, burst: f64) -> Self {
        Self { qps, burst, tokens: Cell::new(burst), last: RefCell::new(SimTime::ZERO) }
    }

    /// Takes a token; returns when it may be used.
    fn reserve(&self, now: SimTime) -> SimTime {
        let mut last = self.last.borrow_mut();
        let grown = now.saturating_since(*last).as_secs_f64() * self.qps;
        let tokens = (self.tokens.get() + grown).min(self.burst) - 1.0;
        *last = now;
        self.tokens.set(tokens);
        if tokens >= 0.0 { now } else { now + Duration::from_secs_f64(-tokens / self.qps) }
    }
}

const JSON: &str = "application/json";

const RETRIES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let bucket = TokenBucket::new(20.0, 30.0);
        let t0 = SimTime::from_secs(100);
        for _ in 0..30 {
            assert_eq!(bucket.reserve(t0), t0);
        }
        assert_eq!(bucket.reserve(t0), t0 + Duration::from_millis(50));
        assert_eq!(bucket.reserve(t0), t0 + Duration::from_millis(100));
        let later = t0 + Duration::from_secs(60);
        assert_eq!(bucket.reserve(later), later);
    }
}
