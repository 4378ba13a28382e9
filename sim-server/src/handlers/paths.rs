//! What is not a resource: documents, health, metrics.

use std::sync::atomic::Ordering;

use http::header;
use sim_api::{discovery, openapi, status::Status};

use super::sim;
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
    if !matches!(call.parts.method, http::Method::GET | http::Method::HEAD) {
        return Err(Status::method_not_allowed());
    }
    let trimmed = path.trim_end_matches('/');
    match trimmed {
        "/version" => {
            let document = call.app.config.release.version_document();
            Ok(Reply::value(200, &document, call.pretty))
        }
        "/metrics" => Ok(metrics_page(call)),
        "/healthz" | "/livez" | "/readyz" => Ok(health(call, trimmed)),
        _ if trimmed.starts_with(FLOW_DUMPS) => Ok(flow_dump(call, &trimmed[FLOW_DUMPS.len()..])),
        "/openapi/v2" => {
            let document = openapi::v2(&call.app.table, call.app.config.release);
            Ok(Reply::value(200, &document, false))
        }
        _ if trimmed == "/openapi/v3" || trimmed.starts_with("/openapi/v3/") => {
            openapi_v3(call, trimmed)
        }
        _ if ["/healthz/", "/livez/", "/readyz/"].iter().any(|p| trimmed.starts_with(p)) => {
            let (_, check) = trimmed[1..].split_once('/').unwrap_or_default();
            if CHECKS.contains(&check) { Ok(Reply::text(200, "ok")) } else { Ok(not_found()) }
        }
        _ => discovery_document(call, trimmed),
    }
}

/// A resource request whose resource is not there.
pub(crate) fn unknown_resource(call: &Call) -> Result<Reply, Status> {
    if call.app.table.has_group_version(&call.info.api_group, &call.info.api_version) {
        return Err(Status::not_found_path());
    }
    Ok(not_found())
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
    let answer = answer?;
    if let Some(etag) = &answer.etag
        && call.header("if-none-match") == etag
    {
        return Ok(Reply::new(304, "", Body::empty()).with(header::ETAG, etag));
    }
    let mut reply = Reply::new(
        200,
        answer.content_type,
        Body::full(if call.pretty {
            sim_api::encode::pretty(&answer.document)
        } else {
            sim_api::encode::to_json(&answer.document)
        }),
    );
    if let Some(etag) = &answer.etag {
        reply = reply.with(header::ETAG, etag).with(header::VARY, "Accept");
    }
    Ok(reply)
}

fn openapi_v3(call: &Call, path: &str) -> Result<Reply, Status> {
    let table = &call.app.table;
    if path == "/openapi/v3" {
        let index = openapi::v3_index(table);
        let text = sim_api::encode::to_json(&index);
        return Ok(Reply::new(200, "text/plain; charset=utf-8", Body::full(text)));
    }
    match openapi::v3_document(table, call.app.config.release, path) {
        Some(document) => Ok(Reply::value(200, &document, false)),
        None => Ok(not_found()),
    }
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

/// The checks that a path can name. This server has no parts that could be unwell on their own.
const CHECKS: [&str; 4] =
    ["ping", "log", "etcd", "poststarthook/generic-apiserver-start-informers"];

fn health(call: &Call, path: &str) -> Reply {
    let stopping = path == "/readyz" && call.app.stopping.load(Ordering::Relaxed);
    let excluded: Vec<&str> = call.query.all("exclude").collect();
    let verbose = call.query.contains("verbose");
    let mut lines = String::new();
    for check in CHECKS {
        if excluded.contains(&check) {
            lines.push_str(&format!("[+]{check} excluded: ok\n"));
        } else {
            lines.push_str(&format!("[+]{check} ok\n"));
        }
    }
    if call.app.flow.apf().is_some() {
        lines.push_str("[+]poststarthook/priority-and-fairness-filter ok\n");
    }
    let unknown: Vec<String> = excluded
        .iter()
        .filter(|name| !CHECKS.contains(name) && **name != "shutdown")
        .map(|name| format!("{name:?}"))
        .collect();
    if !unknown.is_empty() {
        lines.push_str(&format!(
            "warn: some health checks cannot be excluded: no matches for {}\n",
            unknown.join(", ")
        ));
    }
    let name = &path[1..];
    if stopping && !excluded.contains(&"shutdown") {
        lines.push_str("[-]shutdown failed: reason withheld\n");
        lines.push_str(&format!("{name} check failed\n"));
        return Reply::text(500, lines);
    }
    if verbose {
        lines.push_str(&format!("{name} check passed\n"));
        return Reply::text(200, lines);
    }
    Reply::text(200, "ok")
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
