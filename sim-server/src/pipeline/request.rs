//! One request, on its way through the pipeline.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
pub(crate) use sim_api::auth::User;
use sim_api::{
    media_type::pretty, meta::WriteContext, query::Query, request_info::RequestInfo, status::Status,
};
use sim_time::SimTime;

use super::admit::Seat;
use crate::{app::App, edge::connection::Connection};

/// A body from a connection, or from within this process.
pub(crate) type RequestBody = Either<Incoming, Full<Bytes>>;

/// A request and what the steps found out about it.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) parts: Parts,
    pub(crate) info: RequestInfo,
    pub(crate) query: Query,
    pub(crate) received: SimTime,
    /// Long-running requests have none.
    pub(crate) deadline: Option<SimTime>,
    pub(crate) user: Option<User>,
    pub(crate) seat: Option<Seat>,
    /// Flow control has refused it.
    pub(crate) is_shed: bool,
    pub(crate) audit_id: String,
    /// Headers that the steps want on the answer, whatever it is.
    pub(crate) answer_headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether JSON answers are indented: asked for, or a browser, curl or Wget.
    pub(crate) pretty: bool,
    body: Option<RequestBody>,
    /// What the client is to be warned of.
    warnings: Mutex<Vec<String>>,
}

impl Call {
    pub(crate) fn new(
        app: Arc<App>,
        connection: Arc<Connection>,
        parts: Parts,
        body: RequestBody,
        info: RequestInfo,
        query: Query,
        received: SimTime,
    ) -> Self {
        let audit_id = match text(&parts.headers, "audit-id") {
            "" => app.uuid().to_string(),
            given => given.to_owned(),
        };
        let pretty = pretty(query.get("pretty"), text(&parts.headers, "user-agent"));
        Self {
            app,
            connection,
            parts,
            info,
            query,
            received,
            deadline: None,
            user: None,
            seat: None,
            is_shed: false,
            audit_id,
            answer_headers: Vec::new(),
            pretty,
            body: Some(body),
            warnings: Mutex::default(),
        }
    }

    /// A header's first value as text; empty when absent or not text.
    pub(crate) fn header(&self, name: &str) -> &str {
        text(&self.parts.headers, name)
    }

    /// All values of Accept as one.
    pub(crate) fn accept(&self) -> &str {
        self.header(header::ACCEPT.as_str())
    }

    /// The client's program, as the default field manager has it: up to the first `/`.
    pub(crate) fn manager(&self) -> &str {
        self.header("user-agent").split('/').next().unwrap_or_default()
    }

    /// The request's body, whole.
    ///
    /// # Errors
    ///
    /// 413 beyond 3 MiB (Source: `MaxRequestBodyBytes`), 400 when it does not arrive.
    pub(crate) async fn read_body(&mut self) -> Result<Bytes, Status> {
        let Some(mut incoming) = self.body.take() else { return Ok(Bytes::new()) };
        let mut body = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| {
                Status::bad_request(format!("unable to read the request body: {error}"))
            })?;
            let Some(data) = frame.data_ref() else { continue };
            if body.len() + data.len() > BODY_BYTES_MAX {
                self.body = Some(incoming);
                return Err(Status::request_entity_too_large(BODY_BYTES_MAX));
            }
            body.extend_from_slice(data);
        }
        Ok(body.freeze())
    }

    /// Takes what is left of the body off the connection, as Go's server does before it answers.
    /// hyper would close instead, and a client that is still sending would lose the answer.
    pub(crate) async fn discard_body(&mut self) {
        let Some(mut incoming) = self.body.take() else { return };
        let mut left = BODY_BYTES_MAX;
        while let Some(Ok(frame)) = incoming.frame().await {
            let Some(data) = frame.data_ref() else { continue };
            left = left.saturating_sub(data.len());
            if left == 0 {
                return;
            }
        }
    }

    /// What a write needs from outside: time and randomness.
    pub(crate) fn write_context(&self) -> WriteContext {
        WriteContext {
            now: self.app.clock.wall(),
            uid: self.app.uuid(),
            name_suffix: self.app.name_suffix(),
            manager: self.query.get("fieldManager").unwrap_or_else(|| self.manager()).to_owned(),
            release: self.app.config.release,
        }
    }

    /// Adds a header Warning to the answer, once for each text.
    pub(crate) fn warn(&self, text: &str) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.iter().any(|known| known == text) {
            warnings.push(text.to_owned());
        }
    }

    /// The headers Warning. Source: `net.NewWarningHeader` of k8s.io/apimachinery.
    pub(crate) fn warning_headers(&self) -> Vec<HeaderValue> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let quoted = warnings.iter().map(|text| {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            let plain: String = text.chars().filter(|c| !c.is_control()).collect();
            HeaderValue::from_str(&format!("299 - \"{plain}\""))
        });
        quoted.filter_map(Result::ok).collect()
    }

    /// Who sends it; nobody before authentication.
    pub(crate) fn user(&self) -> Cow<'_, User> {
        self.user.as_ref().map_or_else(|| Cow::Owned(User::default()), Cow::Borrowed)
    }

    pub(crate) fn log(&self, code: u16) {
        if self.app.config.log_requests {
            let user = self.user.as_ref().map_or("-", |user| &user.name);
            let took = self.app.clock.now().saturating_since(self.received);
            crate::run::say(&format!(
                "{} {} {code} {:.1}ms user={user:?} agent={:?} audit-ID={}",
                self.parts.method,
                self.parts.uri,
                took.as_secs_f64() * 1e3,
                self.header("user-agent"),
                self.audit_id,
            ));
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Source: `generic.Config.MaxRequestBodyBytes`, 3 MiB.
const BODY_BYTES_MAX: usize = 3 << 20;
