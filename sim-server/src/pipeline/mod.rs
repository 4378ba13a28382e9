//! What every request passes, in this order; each step is a module.
//!
//! request info → deadline → authentication → impersonation → flow control → authorization →
//! pace → route → handler → accounting.

mod account;
pub(crate) mod admit;
mod authenticate;
mod authorize;
mod deadline;
mod impersonate;
pub(crate) mod pace;
pub(crate) mod reply;
pub(crate) mod request;
mod route;

use std::sync::Arc;

use http::{HeaderValue, Request, Response, header};
use sim_api::{query::Query, request_info::RequestInfo, status::Status};

use self::{
    account::Account,
    reply::Reply,
    request::{Call, RequestBody},
};
use crate::{
    app::App,
    edge::{connection::Connection, deadline::DeadlineGuard},
    encode::body::Body,
};

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(crate) async fn handle(
    app: Arc<App>,
    connection: Arc<Connection>,
    request: Request<RequestBody>,
) -> Response<Body> {
    let received = app.clock.now();
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let info = RequestInfo::parse(
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
    );
    let account = Account::open(&app, &info, &query, received);
    let mut call = Call::new(app, connection, parts, body, info, query, received);
    let outcome = match deadline::of(&call) {
        Ok(deadline) => {
            call.deadline = deadline;
            match deadline {
                None => answer(&mut call).await,
                Some(at) if at <= call.app.clock.now() => {
                    account.terminated(504);
                    Ok(Reply::timed_out())
                }
                Some(at) => {
                    let at = call.app.clock.instant(at);
                    match tokio::time::timeout_at(at, answer(&mut call)).await {
                        Ok(outcome) => outcome,
                        Err(_) => {
                            account.terminated(504);
                            Ok(Reply::timed_out())
                        }
                    }
                }
            }
        }
        Err(status) => Err(status),
    };
    let reply = match outcome {
        Ok(reply) => reply,
        Err(status) => Reply::status(&status, &call),
    };
    if call.is_shed {
        account.terminated(429);
    }
    let until = received + call.app.config.request_timeout;
    let until = call.app.clock.instant(call.deadline.unwrap_or(until));
    // What has not arrived by then will not: the connection is closed.
    let _ = tokio::time::timeout_at(until, call.discard_body()).await;
    finish(&mut call, reply, account)
}

async fn answer(call: &mut Call) -> Result<Reply, Status> {
    authenticate::run(call)?;
    if let Some(refusal) = impersonate::run(call)? {
        return Ok(refusal);
    }
    if let Some(rejection) = admit::run(call).await {
        call.is_shed = true;
        return Ok(rejection);
    }
    // Recorded: refusals carry the headers of flow control, so it comes first.
    authorize::run(call)?;
    pace::run(call).await;
    route::run(call).await
}

/// Adds what every answer carries, and ties the accounting and the seat to the body's end.
fn finish(call: &mut Call, reply: Reply, account: Account) -> Response<Body> {
    let head = call.parts.method == http::Method::HEAD;
    let mut response = reply.into_response(head);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&call.audit_id) {
        headers.insert("audit-id", id);
    }
    headers.extend(call.answer_headers.drain(..));
    for warning in call.warning_headers() {
        headers.append(header::WARNING, warning);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    let code = response.status().as_u16();
    call.log(code);
    call.app.tally.count(&call.user().name, call.manager(), &call.info, code);
    let seat = call.seat.take();
    let guard = call.deadline.and_then(DeadlineGuard::set);
    let (parts, body) = response.into_parts();
    let mut body = body.on_end(move |bytes, complete| {
        drop(seat);
        account.close(code, bytes, complete);
    });
    if let Some(guard) = guard {
        body = body.with_deadline(guard);
    }
    Response::from_parts(parts, body)
}
