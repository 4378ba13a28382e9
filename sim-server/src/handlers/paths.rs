//! What is not a resource: documents, health, metrics.

use std::sync::atomic::Ordering;

use http::header;
use serde_json::json;
use sim_api::{aggregation, discovery, encode, health, media_type::Produces, status::Status};

use super::sim;
use crate::{
    encode::body::Body,
    metrics,
    pipeline::{
        reply::{JSON, Reply},
        request::Call,
    },
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
            Produces::Only(JSON).check(call.accept())?;
            let document = call.app.config.release.version_document();
            // Recorded: indented for everybody, without a final newline.
            Ok(Reply::json(200, encode::pretty(&document)))
        }
        "/metrics" => Ok(metrics_page(call)),
        "/.well-known/openid-configuration" => openid_configuration(call),
        "/openid/v1/jwks" => signing_keys(call),
        _ if is_health(trimmed) => Ok(health(call, trimmed)),
        _ if trimmed.starts_with(FLOW_DUMPS) => Ok(flow_dump(call, &trimmed[FLOW_DUMPS.len()..])),
        _ if trimmed.starts_with("/openapi/") => super::openapi::run(call, trimmed),
        _ => discovery_document(call, trimmed),
    }
}

/// A resource request whose resource is not there: an unknown group is a plain 404, everything
/// below a known one a Status.
pub(crate) fn unknown_resource(call: &Call) -> Result<Reply, Status> {
    let served = call.app.served();
    let group = &call.info.api_group;
    if served.table.is_unavailable(group, &call.info.api_version) {
        return Ok(Reply::text(503, aggregation::UNAVAILABLE));
    }
    let is_builtin = served.table.has_group(group) && !served.table.is_custom_group(group);
    // Recorded: a path that begins with two slashes is nobody's.
    if is_builtin && !call.info.path.starts_with("//") {
        return Err(Status::not_found_path());
    }
    Ok(not_found())
}

fn is_health(path: &str) -> bool {
    ["/healthz", "/livez", "/readyz"].iter().any(|endpoint| {
        path.strip_prefix(endpoint).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

pub(super) fn not_found() -> Reply {
    Reply::text(404, "404 page not found\n")
}

fn discovery_document(call: &Call, path: &str) -> Result<Reply, Status> {
    let served = call.app.served();
    if let Some((group, version)) =
        path.strip_prefix("/apis/").and_then(|path| path.split_once('/'))
        && served.table.is_unavailable(group, version.split('/').next().unwrap_or_default())
    {
        return Ok(Reply::text(503, aggregation::UNAVAILABLE));
    }
    let Some(answer) =
        discovery::answer(&served.table, call.app.config.release, path, call.accept())
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
    let body = answer.body(call.app.config.release, call.pretty || path.is_empty())?;
    let mut reply =
        Reply::new(200, "", Body::full(body)).with(header::CONTENT_TYPE, &answer.content_type());
    if let Some(etag) = &answer.etag {
        reply = reply.with(header::ETAG, etag).with(header::VARY, "Accept");
    }
    Ok(reply)
}

/// Where a client finds the keys that sign ServiceAccount tokens.
///
/// Source: k8s.io/kubernetes `pkg/routes/openidmetadata.go`, KEP-1393; recorded.
fn openid_configuration(call: &Call) -> Result<Reply, Status> {
    Produces::Only(JSON).check(call.accept())?;
    let document = json!({
        "issuer": ISSUER,
        "jwks_uri": format!("https://{}/openid/v1/jwks", call.header(header::HOST.as_str())),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    Ok(Reply::json(200, encode::to_json(&document)))
}

/// The public keys of those that sign ServiceAccount tokens: no token is signed here.
fn signing_keys(call: &Call) -> Result<Reply, Status> {
    Produces::Only(KEYS).check(call.accept())?;
    Ok(Reply::new(200, KEYS, Body::full(encode::to_json(&json!({"keys": []})))))
}

const KEYS: &str = "application/jwk-set+json";

/// Who signs ServiceAccount tokens: the usual value of `--service-account-issuer`.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

fn metrics_page(call: &Call) -> Reply {
    let app = &call.app;
    for resource in app.served().table.iter().filter(|resource| resource.is_storage_version()) {
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
