//! `/sim/…`: the simulator's own controls. No real server has these paths.

use http::Method;
use serde_json::{Value, json};
use sim_api::status::Status;
use sim_flow::RequestKind;

use crate::{
    emulation::Report,
    jemalloc,
    pipeline::{reply::Reply, request::Call},
};

pub(super) async fn run(call: &mut Call) -> Result<Reply, Status> {
    let path = call.info.path.trim_end_matches('/').to_owned();
    let post = call.parts.method == Method::POST;
    let document = match (path.as_str(), post) {
        ("/sim/state", false) => state(call),
        ("/sim/memory", false) => memory(),
        ("/sim/requests", false) => call.app.tally.document(),
        ("/sim/requests/reset", true) => {
            call.app.tally.reset();
            json!({ "counting": true })
        }
        ("/sim/cluster/join-nodes", true) => join_nodes(call).await?,
        ("/sim/compact", true) => compact(call)?,
        ("/sim/watch-cache/reset", true) => reset(call)?,
        ("/sim/stop", true) => {
            call.app.stop();
            json!({ "stopping": true })
        }
        (
            "/sim/state"
            | "/sim/memory"
            | "/sim/requests"
            | "/sim/requests/reset"
            | "/sim/compact"
            | "/sim/watch-cache/reset"
            | "/sim/stop"
            | "/sim/cluster/join-nodes",
            _,
        ) => {
            return Err(Status::method_not_allowed());
        }
        _ => {
            return Ok(Reply::text(
                404,
                "no such control; there are GET /sim/state, GET /sim/memory, \
                 GET /sim/requests, POST /sim/requests/reset (counts from then on), \
                 POST /sim/cluster/join-nodes?count=N&within=10s, \
                 POST /sim/compact?resourceVersion=N, POST /sim/watch-cache/reset?resource=pods, \
                 POST /sim/stop\n",
            ));
        }
    };
    Ok(Reply::value(200, &document, true))
}

/// What is running and what it holds.
fn state(call: &Call) -> Value {
    let app = &call.app;
    let mut resources = serde_json::Map::new();
    for resource in app.served().table.iter().filter(|resource| resource.is_storage_version()) {
        let shelf = app.shelf(resource);
        let head = shelf.collection.head();
        if head.is_empty() && shelf.watchers() == 0 {
            continue;
        }
        let window = shelf.collection.window();
        resources.insert(
            resource.group_resource(),
            json!({
                "objects": head.len(),
                "watchers": shelf.watchers(),
                "watchCache": {
                    "capacity": window.capacity,
                    "events": window.len,
                    "oldestResourceVersion": window.oldest,
                },
            }),
        );
    }
    let config = &app.config;
    json!({
        "simulator": "apisim",
        "version": config.release.git_version(),
        "resourceVersion": app.store.revision(),
        "flowControl": {
            "filter": if app.flow.apf().is_some() { "APF" } else { "max-inflight" },
            "maxRequestsInflight": config.max_requests_inflight,
            "maxMutatingRequestsInflight": config.max_mutating_requests_inflight,
            "executing": {
                "readOnly": app.flow.executing(RequestKind::ReadOnly),
                "mutating": app.flow.executing(RequestKind::Mutating),
            },
        },
        "controllers": [],
        "resources": resources,
    })
}

/// This process's memory in bytes: measured here, nothing to do with a real server's.
fn memory() -> Value {
    let mut document = jemalloc::stats();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    if let Value::Object(members) = &mut document {
        for (name, key) in [("VmRSS:", "vmRSS"), ("VmHWM:", "vmHWM")] {
            members.insert(key.into(), json!(kib(name).unwrap_or_default() * 1024));
        }
    }
    document
}

/// Nodes that join the emulated cluster now.
async fn join_nodes(call: &Call) -> Result<Value, Status> {
    let count = call.query.get("count").unwrap_or_default();
    let within = call.query.get("within").unwrap_or("0s");
    let number: u32 = count
        .parse()
        .map_err(|_| Status::bad_request(format!("count: {count:?} is not a number")))?;
    let length = sim_api::duration::parse(within)
        .map_err(|error| Status::bad_request(format!("within: {error}")))?;
    let absent = || Status::bad_request("no cluster is emulated; start with --cluster".to_owned());
    let orders = call.app.cluster.get().ok_or_else(absent)?;
    orders.send(Report::JoinNodes(number, length)).await.map_err(|_| absent())?;
    Ok(json!({ "joining": number, "within": within }))
}

fn compact(call: &Call) -> Result<Value, Status> {
    let current = call.app.store.revision();
    let revision = match call.query.get("resourceVersion") {
        None => current,
        Some(text) => text.parse().map_err(|_| {
            Status::bad_request(format!("resourceVersion: {text:?} is not a number"))
        })?,
    };
    if revision > current {
        return Err(Status::bad_request(format!(
            "resourceVersion: {revision} is in the future, the current one is {current}"
        )));
    }
    call.app.store.compact(revision);
    Ok(json!({ "compacted": revision, "resourceVersion": current }))
}

fn reset(call: &Call) -> Result<Value, Status> {
    let name = call.query.get("resource").unwrap_or_default();
    let app = &call.app;
    let served = app.served();
    let found = served.table.iter().find(|resource| {
        resource.is_storage_version()
            && (resource.group_resource() == name || resource.plural == name)
    });
    let Some(resource) = found else {
        return Err(Status::bad_request(format!("resource: there is no {name:?}")));
    };
    let revision = app.store.revision();
    app.shelf(resource).collection.reset_window(revision);
    Ok(json!({ "reset": resource.group_resource(), "resourceVersion": revision }))
}
