//! A client for API calls whose answers are wanted: JSON in, JSON out.
//!
//! Over TLS it multiplexes one HTTP/2 connection as client-go does; without TLS it keeps a few
//! HTTP/1.1 connections, since `kubectl proxy` speaks nothing else. A `Retry-After` is honoured as
//! client-go does.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::{Response, body::Incoming};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use crate::{LoadError, storm::retry};

use super::{ConnectOptions, Connection, HttpVersion, SharedSender, Target, connection::chain};

/// Calls to one server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct ApiClient {
    inner: Arc<Inner>,
}

struct Inner {
    options: ConnectOptions,
    headers: HeaderMap,
    timeout: Duration,
    /// The HTTP/2 connection, once the server turned out to speak it.
    http2: AsyncMutex<Option<(Connection, SharedSender)>>,
    /// Whether the server, asked by ALPN, chose HTTP/1.1.
    http1_only: AtomicBool,
    /// HTTP/1.1 connections that are not in use.
    idle: Mutex<Vec<Connection>>,
    /// Bounds the calls under way, and so the HTTP/1.1 connections.
    calls: Semaphore,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    /// The status code.
    pub code: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// How often a Retry-After was waited for.
    pub waits: u64,
}

/// One call.
#[derive(Clone, Debug)]
pub struct ApiCall {
    /// The HTTP method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// What answer is wanted.
    pub accept: &'static str,
    /// Media type of [`body`](Self::body).
    pub content_type: Option<String>,
    /// Empty for none.
    pub body: Bytes,
}

impl ApiCall {
    /// A call without a body that wants JSON.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            accept: "application/json",
            content_type: None,
            body: Bytes::new(),
        }
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        self.content_type = Some(content_type.into());
        self.body = body.into();
        self
    }
}

impl ApiClient {
    /// A client of `target` that names itself `user_agent` and gives each try `timeout`.
    ///
    /// # Errors
    /// When the target cannot be used.
    pub fn new(target: &Target, user_agent: &str, timeout: Duration) -> Result<Self, LoadError> {
        let mut headers = HeaderMap::new();
        let agent = HeaderValue::from_str(user_agent)
            .map_err(|_| LoadError::usage("user-agent", "not fit for a header"))?;
        headers.insert(header::USER_AGENT, agent);
        Ok(Self {
            inner: Arc::new(Inner {
                options: ConnectOptions::new(target, HttpVersion::Negotiate)?,
                headers,
                timeout,
                http2: AsyncMutex::new(None),
                http1_only: AtomicBool::new(false),
                idle: Mutex::new(Vec::new()),
                calls: Semaphore::new(CALLS_AT_ONCE),
            }),
        })
    }

    /// Makes a call, up to ten times more where the server says when to come back.
    ///
    /// # Errors
    /// When there is no whole answer. An answer that says no is not an error here.
    pub async fn call(&self, call: &ApiCall) -> Result<ApiAnswer, LoadError> {
        crate::storm::check_path(&call.path)?;
        let mut waits = 0;
        loop {
            let answer = tokio::time::timeout(self.inner.timeout, self.inner.once(call))
                .await
                .map_err(|_| LoadError::Broken {
                kind: "time-out",
                message: format!("no answer in {:?}", self.inner.timeout),
            })??;
            match retry::retry_after(answer.code, &answer.headers) {
                Some(wait) if waits < retry::MAX_RETRIES => {
                    waits += 1;
                    tokio::time::sleep(wait).await;
                }
                _ => return Ok(ApiAnswer { waits, ..answer }),
            }
        }
    }
}

impl Inner {
    async fn once(&self, call: &ApiCall) -> Result<ApiAnswer, LoadError> {
        let _permit = self.calls.acquire().await.expect("the semaphore is never closed");
        let mut headers = self.headers.clone();
        headers.insert(header::ACCEPT, HeaderValue::from_static(call.accept));
        if let Some(content_type) = &call.content_type {
            let value = HeaderValue::from_str(content_type)
                .map_err(|_| LoadError::usage("content type", "not fit for a header"))?;
            headers.insert(header::CONTENT_TYPE, value);
        }
        if let Some(mut sender) = self.http2_sender().await {
            match self.send_shared(&mut sender, call, headers.clone()).await {
                Ok(response) => return read(response).await,
                // Nothing was sent: the server had closed the connection. Once more on a new one.
                Err(error) if error.is_canceled() || error.is_closed() => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        self.on_own_connection(call, headers).await
    }

    async fn send_shared(
        &self,
        sender: &mut SharedSender,
        call: &ApiCall,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let method = call.method.clone();
        sender.send(&self.options, method, &call.path, headers, call.body.clone()).await
    }

    /// A handle to the open HTTP/2 connection, if there is one.
    async fn http2_sender(&self) -> Option<SharedSender> {
        if !self.options.speaks_tls() || self.http1_only.load(Ordering::Relaxed) {
            return None;
        }
        let mut slot = self.http2.lock().await;
        if slot.as_ref().is_some_and(|(connection, _)| !connection.is_open()) {
            *slot = None;
        }
        if slot.is_none() {
            // Under the lock, so that the first calls share one connection.
            let connection = self.options.connect().await.ok()?;
            match connection.share() {
                Some(sender) => *slot = Some((connection, sender)),
                None => {
                    self.http1_only.store(true, Ordering::Relaxed);
                    self.keep(connection);
                }
            }
        }
        slot.as_ref().map(|(_, sender)| sender.clone())
    }

    async fn on_own_connection(
        &self,
        call: &ApiCall,
        headers: HeaderMap,
    ) -> Result<ApiAnswer, LoadError> {
        let mut kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        loop {
            let reused = kept.as_ref().is_some_and(Connection::is_open);
            let mut connection = match kept.take() {
                Some(connection) if reused => connection,
                _ => self.options.connect().await?,
            };
            let method = call.method.clone();
            let sent = connection
                .send(&self.options, method, &call.path, headers.clone(), call.body.clone())
                .await;
            match sent {
                Ok(response) => {
                    let answer = read(response).await?;
                    self.keep(connection);
                    return Ok(answer);
                }
                // As Go: a kept connection may have been closed by the server; what was never
                // sent, or may be sent twice, is sent again.
                Err(error) if reused && (error.is_canceled() || call.method == Method::GET) => {}
                Err(error) => return Err(broken(&error)),
            }
        }
    }

    fn keep(&self, connection: Connection) {
        if !connection.is_http2() && connection.is_open() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

async fn read(response: Response<Incoming>) -> Result<ApiAnswer, LoadError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| LoadError::Broken { kind: "cut body", message: chain(error.as_ref()) })?;
    Ok(ApiAnswer { code: head.status, headers: head.headers, body: body.to_bytes(), waits: 0 })
}

fn broken(error: &hyper::Error) -> LoadError {
    LoadError::Broken { kind: super::error_kind(error, false), message: chain(error) }
}

/// The media type that asks for aggregated discovery and takes the old form too, as client-go does.
pub const DISCOVERY_ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// More than kube-apiserver's own streams per connection would carry at once.
const CALLS_AT_ONCE: usize = 200;

/// An answer that is kept whole may not be larger; lists beyond it need `limit`.
const MAX_ANSWER_BYTES: usize = 1 << 30;
