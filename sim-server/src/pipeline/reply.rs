//! An answer before it is put on the wire.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use serde_json::Value;
use sim_api::{encode, status::Status, view};

use super::request::Call;
use crate::encode::body::Body;

/// Status code, headers and body.
pub(crate) struct Reply {
    code: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
}

impl Reply {
    pub(crate) fn new(code: u16, content_type: &'static str, body: Body) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        let headers = if content_type.is_empty() {
            Vec::new()
        } else {
            vec![(header::CONTENT_TYPE, content_type)]
        };
        Self { code, headers, body }
    }

    /// Plain text, as Go's `http.Error` writes it.
    pub(crate) fn text(code: u16, text: impl Into<Bytes>) -> Self {
        Self::new(code, "text/plain; charset=utf-8", Body::full(text))
            .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
    }

    /// JSON bytes as they are.
    pub(crate) fn json(code: u16, json: impl Into<Bytes>) -> Self {
        Self::new(code, JSON, Body::full(json))
    }

    /// A document, indented if asked for.
    pub(crate) fn value(code: u16, value: &Value, pretty: bool) -> Self {
        Self::json(code, if pretty { encode::pretty(value) } else { encode::to_json(value) })
    }

    /// A Status in the form that the client accepts, with its Retry-After. Recorded: a client
    /// that accepts nothing of what there is gets indented JSON.
    pub(crate) fn status(status: &Status, call: &Call) -> Self {
        let value = status.to_value();
        let negotiated =
            view::negotiated(call.app.config.release, call.accept(), call.pretty, &value);
        let reply = match negotiated {
            Ok((form, body)) => Self::new(status.code, form.media_type(), Body::full(body)),
            Err(_) => Self::json(status.code, encode::pretty(&value)),
        };
        match status.retry_after_seconds() {
            Some(seconds) => reply.with(header::RETRY_AFTER, &seconds.to_string()),
            None => reply,
        }
    }

    /// The answer when nothing was written at the deadline. Source: `filters/timeout.go`; it has
    /// no kind, no apiVersion and no Content-Type of its own (worked example G10).
    pub(crate) fn timed_out() -> Self {
        let message = "request did not complete within the allotted timeout";
        let mut status = Status::timeout(message, 0);
        status.message = format!("Timeout: {message}");
        Self::new(504, "text/plain; charset=utf-8", Body::full(status.to_json_without_kind()))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(crate) fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn into_response(self, head: bool) -> Response<Body> {
        let length = self.body.size_hint().exact();
        let mut response = Response::new(if head { Body::empty() } else { self.body });
        if let Some(length) = length.filter(|_| head) {
            // Of the body that is not sent.
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        *response.status_mut() =
            StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// The content type of nearly everything.
pub(crate) const JSON: &str = "application/json";
