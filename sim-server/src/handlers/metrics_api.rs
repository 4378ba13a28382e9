//! `metrics.k8s.io`, where it is on.

use serde_json::Value;
use sim_api::{list_options::ListOptions, meta, metrics_api, resources::Resource, status::Status};

use super::get;
use crate::{
    controllers,
    pipeline::{reply::Reply, request::Call},
};

pub(crate) fn get(call: &Call, resource: &Resource) -> Result<Reply, Status> {
    let of = |value: &Value| {
        meta::name(value) == call.info.name && meta::namespace(value) == call.info.namespace
    };
    let mut found = all(call, resource, &of);
    match found.pop() {
        Some(value) => get::value_reply(call, resource, 200, &value),
        None => Err(get::missing(call, resource)),
    }
}

pub(crate) fn list(call: &Call, resource: &Resource) -> Result<Reply, Status> {
    let wanted = get::wanted(call, resource)?;
    let options = ListOptions::parse(&call.query, resource, &call.app.config.gates)?;
    let selection = options.selection(&call.info);
    let of = |value: &Value| {
        let namespace = &call.info.namespace;
        let is_here = !resource.namespaced || namespace.is_empty();
        (is_here || meta::namespace(value) == namespace) && selection.matches_metadata(value)
    };
    let values = all(call, resource, &of);
    let view = wanted.list(resource, &call.query)?;
    let body = view.values(resource, &values, call.app.clock.wall())?;
    Ok(get::whole(call, 200, view.content_type(), body.into()))
}

/// The metrics of the nodes or pods that are meant.
fn all(call: &Call, resource: &Resource, is_meant: &dyn Fn(&Value) -> bool) -> Vec<Value> {
    let app = &call.app;
    let now = app.clock.wall();
    let (Some(nodes), Some(pods)) =
        (app.table.lookup("", "v1", "nodes"), app.table.lookup("", "v1", "pods"))
    else {
        return Vec::new();
    };
    let pods = controllers::objects(app, pods);
    if resource.plural == "pods" {
        let meant = pods.iter().map(|(_, pod)| pod).filter(|pod| is_meant(pod));
        return meant.filter_map(|pod| metrics_api::pod(pod, now)).collect();
    }
    let nodes = controllers::objects(app, nodes);
    let meant = nodes.iter().map(|(_, node)| node).filter(|node| is_meant(node));
    meant
        .map(|node| {
            let name = meta::name(node);
            let on_it = pods
                .iter()
                .map(|(_, pod)| pod)
                .filter(|pod| pod.pointer("/spec/nodeName").and_then(Value::as_str) == Some(name));
            metrics_api::node(node, on_it, now)
        })
        .collect()
}
