//! What is not a resource: documents, health, metrics.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header;
use sim_api::{
    discovery, encode, health,
    media_type::{self, Form},
    openapi,
    status::Status,
};

use super::{get, sim};
use crate::{
    encode::body::Body,
    metrics,
    pipeline::{reply::Reply, request::Call},
};

pub(crate) async fn run(call: &mut Call) -> Result<Reply, Status> {
    let path = call.info.path.clone();
    if path == "/sim" || path.starts_with("/sim/") {
        return sim::run(call).await;
    }
    let trimmed = path.trim_end_matches('/');
    // Recorded: HEAD is for health alone.
    let head = call.parts.method == http::Method::HEAD;
    if call.parts.method != http::Method::GET && !(head && is_health(trimmed)) {
        return Err(Status::method_not_allowed());
    }
    match trimmed {
        "/version" => {
            let document = call.app.config.release.version_document();
            Ok(Reply::value(200, &document, call.pretty))
        }
        "/metrics" => Ok(metrics_page(call)),
        _ if is_health(trimmed) => Ok(health(call, trimmed)),
        _ if trimmed.starts_with(FLOW_DUMPS) => Ok(flow_dump(call, &trimmed[FLOW_DUMPS.len()..])),
        _ if trimmed.starts_with("/openapi/") => openapi_document(call, trimmed),
        _ => discovery_document(call, trimmed),
    }
}

/// A resource request whose resource is not there: an unknown group is a plain 404, everything
/// below a known one a Status.
pub(crate) fn unknown_resource(call: &Call) -> Result<Reply, Status> {
    if call.app.table.has_group(&call.info.api_group) {
        return Err(Status::not_found_path());
    }
    Ok(not_found())
}

fn is_health(path: &str) -> bool {
    ["/healthz", "/livez", "/readyz"].iter().any(|endpoint| {
        path.strip_prefix(endpoint).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn not_found() -> Reply {
    Reply::text(404, "404 page not found\n")
}

fn discovery_document(call: &Call, path: &str) -> Result<Reply, Status> {
    let Some(answer) =
        discovery::answer(&call.app.table, call.app.config.release, path, call.accept())
    else {
        return Ok(not_found());
    };
    let mut answer = answer?;
    if let Some(etag) = &answer.etag
        && call.header("if-none-match") == etag
    {
        let reply = Reply::new(304, "", Body::empty());
        return Ok(reply.with(header::ETAG, etag).with(header::VARY, "Accept"));
    }
    answer.set_server_address(call.header(header::HOST.as_str()));
    // Recorded: the index is indented for everybody.
    let body = if call.pretty || path.is_empty() {
        encode::pretty(&answer.document)
    } else {
        encode::compact(&answer.document)
    };
    let mut reply = Reply::new(200, answer.content_type, Body::full(body));
    if let Some(etag) = &answer.etag {
        reply = reply.with(header::ETAG, etag).with(header::VARY, "Accept");
    }
    Ok(reply)
}

/// `/openapi/…`: made once, since the large ones take tens of milliseconds.
fn openapi_document(call: &Call, path: &str) -> Result<Reply, Status> {
    let app = &call.app;
    let (table, release) = (&app.table, app.config.release);
    if path == "/openapi/v2" {
        media_type::negotiate(call.accept(), &[Form::Json])?;
    }
    let cached = app.documents.get(path).map(|found| found.clone());
    let body = match cached {
        Some(body) => body,
        None => {
            let document = match path {
                "/openapi/v2" => Some(openapi::v2(table, release)),
                "/openapi/v3" => Some(openapi::v3_index(table)),
                _ => openapi::v3_document(table, release, path),
            };
            let Some(document) = document else { return Ok(not_found()) };
            let body = Bytes::from(encode::to_json(&document));
            app.documents.insert(path.to_owned(), body.clone());
            body
        }
    };
    if path == "/openapi/v3" {
        return Ok(Reply::new(200, "text/plain; charset=utf-8", Body::full(body)));
    }
    Ok(get::large_json(call, 200, body))
}

fn metrics_page(call: &Call) -> Reply {
    let app = &call.app;
    for resource in app.table.iter().filter(|resource| resource.is_storage_version()) {
        let shelf = app.shelf(resource);
        let name = resource.group_resource();
        let count = i64::try_from(shelf.collection.head().len()).unwrap_or(i64::MAX);
        app.metrics.storage_objects.with_label_values(&[&name]).set(count);
        let capacity = i64::try_from(shelf.collection.window().capacity).unwrap_or(i64::MAX);
        app.metrics.watch_cache_capacity.with_label_values(&[&name]).set(capacity);
    }
    crate::pipeline::admit::publish(app);
    let mut text = app.metrics.text();
    if let Some(apf) = app.flow.apf() {
        text.extend_from_slice(apf.exposition().as_bytes());
    }
    Reply::new(200, metrics::CONTENT_TYPE, Body::full(text))
}

/// A whole health endpoint, or one check below it.
fn health(call: &Call, path: &str) -> Reply {
    let app = &call.app;
    let fair = app.flow.apf().is_some();
    let path = &path[1..];
    let (endpoint, check) = path.split_once('/').unwrap_or((path, ""));
    if check.is_empty() {
        let stopping = app.stopping.load(Ordering::Relaxed);
        let report = health::report(endpoint, &call.query, fair, stopping);
        return Reply::text(report.code, report.text);
    }
    if !health::has_check(endpoint, check, fair) {
        return not_found();
    }
    Reply::new(200, "text/plain; charset=utf-8", Body::full("ok"))
}

const FLOW_DUMPS: &str = "/debug/api_priority_and_fairness/";

/// The state of API Priority and Fairness, in the real layout.
fn flow_dump(call: &Call, which: &str) -> Reply {
    let Some(apf) = call.app.flow.apf() else { return not_found() };
    let details = call.query.contains("includeRequestDetails");
    let text = apf.read(|controller, _| match which {
        "dump_priority_levels" => Some(controller.dump_priority_levels()),
        "dump_queues" => Some(controller.dump_queues()),
        "dump_requests" => Some(controller.dump_requests(details)),
        _ => None,
    });
    text.map_or_else(not_found, |text| {
        Reply::new(200, "text/plain; charset=utf-8", Body::full(text))
            .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
    })
}
