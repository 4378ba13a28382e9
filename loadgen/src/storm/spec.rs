//! What a storm shall do.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{LoadError, Target};

/// A storm to run. Build it with [`StormSpec::new`] and change what differs.
#[derive(Clone, Debug)]
pub struct StormSpec {
    /// The server.
    pub target: Target,
    /// What is asked for, such as `/api/v1/pods?limit=500`; `{n}` in it stands for the request's
    /// number, counted from 0.
    pub path_and_query: String,
    /// Default GET.
    pub method: Method,
    /// The body of every request; empty by default.
    pub body: Bytes,
    /// The media type of that body.
    pub content_type: Option<String>,
    /// Connections, each with one request at a time; default 10.
    pub concurrency: usize,
    /// Requests over all connections; `None` is until [`duration`](Self::duration) is over.
    pub requests: Option<u64>,
    /// How long requests are started; those under way are waited for.
    pub duration: Option<Duration>,
    /// The `Accept` header; default `application/json`.
    pub accept: String,
    /// Whether `Accept-Encoding: gzip` is sent; default no.
    pub gzip: bool,
    /// Whether a gzip answer is decompressed to count its bytes; costs CPU here; default no.
    pub inflate: bool,
    /// Bytes a second that each connection takes from its socket; `None` is all it can.
    pub read_rate: Option<u64>,
    /// Requests a second over all connections, on a fixed schedule; `None` is a closed loop.
    pub open_loop: Option<f64>,
    /// The `User-Agent` header. Mind that kube-apiserver answers `curl/…`, `Wget/…` and
    /// `Mozilla/…` with indented, unstreamed bodies.
    pub user_agent: String,
    /// `Impersonate-User`.
    pub as_user: Option<String>,
    /// `Impersonate-Group`, one header each.
    pub as_groups: Vec<String>,
    /// HTTP/2 instead of HTTP/1.1.
    pub http2: bool,
    /// Whether a 429 or 5xx with a `Retry-After` in seconds is waited for and repeated, up to 10
    /// times, as client-go does; default no.
    pub honour_retry_after: bool,
    /// How long one attempt may take, body included; default 60 s.
    pub timeout: Duration,
}

impl StormSpec {
    /// GETs of `path_and_query` in a closed loop on 10 connections, as client-go would ask but
    /// without gzip; neither [`requests`](Self::requests) nor [`duration`](Self::duration) is
    /// set, and one of them must be.
    pub fn new(target: Target, path_and_query: impl Into<String>) -> Self {
        Self {
            target,
            path_and_query: path_and_query.into(),
            method: Method::GET,
            body: Bytes::new(),
            content_type: None,
            concurrency: 10,
            requests: None,
            duration: None,
            accept: "application/json".to_owned(),
            gzip: false,
            inflate: false,
            read_rate: None,
            open_loop: None,
            user_agent: USER_AGENT.to_owned(),
            as_user: None,
            as_groups: Vec::new(),
            http2: false,
            honour_retry_after: false,
            timeout: Duration::from_secs(60),
        }
    }

    /// Whether the specification can be run.
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let wrong = |field: &str, message: &str| Err(LoadError::usage(field, message));
        if self.concurrency == 0 {
            return wrong("concurrency", "must be at least 1");
        }
        if self.requests.is_none() && self.duration.is_none() {
            return wrong("requests", "neither a number of requests nor a duration is given");
        }
        if self.read_rate == Some(0) {
            return wrong("read-rate", "must be more than 0");
        }
        if self.open_loop.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return wrong("open-loop", "must be more than 0 requests a second");
        }
        if self.as_user.is_none() && !self.as_groups.is_empty() {
            return wrong("as-group", "needs as-user, as the apiserver demands it");
        }
        check_path(&self.path(0))
    }

    /// The path of request `number`.
    pub(super) fn path(&self, number: u64) -> String {
        self.path_and_query.replace("{n}", &number.to_string())
    }

    /// The headers that every request carries.
    pub(crate) fn headers(&self) -> Result<HeaderMap, LoadError> {
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, field: &str, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| {
                LoadError::usage(field, format!("{value:?} is not fit for a header"))
            })?;
            headers.append(name, value);
            Ok::<_, LoadError>(())
        };
        add(header::ACCEPT, "accept", &self.accept)?;
        add(header::USER_AGENT, "user-agent", &self.user_agent)?;
        if self.gzip {
            add(header::ACCEPT_ENCODING, "gzip", "gzip")?;
        }
        if let Some(user) = &self.as_user {
            add(HeaderName::from_static("impersonate-user"), "as", user)?;
        }
        for group in &self.as_groups {
            add(HeaderName::from_static("impersonate-group"), "as-group", group)?;
        }
        if let Some(content_type) = &self.content_type {
            add(header::CONTENT_TYPE, "content-type", content_type)?;
        }
        Ok(headers)
    }
}

/// Whether `path` can be asked for.
pub(crate) fn check_path(path: &str) -> Result<(), LoadError> {
    if path.starts_with('/') && path.parse::<http::Uri>().is_ok() {
        return Ok(());
    }
    Err(LoadError::usage("path", format!("{path:?} is not a path that starts with /")))
}

/// Not one of those that change what the server sends.
pub(crate) const USER_AGENT: &str = concat!("loadgen/", env!("CARGO_PKG_VERSION"));
