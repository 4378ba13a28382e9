//! The cells of the core group's kinds but for pods, storage and network.

use serde_json::Value;

use super::{
    cells,
    read::Reader,
    selector::{NONE, UNKNOWN},
};

pub(super) fn config_map(object: Reader<'_>) -> Vec<Value> {
    cells![object.name(), object.count("data") + object.count("binaryData"), object.age()]
}

pub(super) fn secret(object: Reader<'_>) -> Vec<Value> {
    cells![object.name(), object.text("type"), object.count("data"), object.age()]
}

pub(super) fn service_account(object: Reader<'_>) -> Vec<Value> {
    cells![object.name(), object.count("secrets"), object.age()]
}

pub(super) fn namespace(object: Reader<'_>) -> Vec<Value> {
    cells![object.name(), object.text("status.phase"), object.age()]
}

pub(super) fn component_status(object: Reader<'_>) -> Vec<Value> {
    let mut conditions = object.items("conditions");
    match conditions.find(|condition| condition.text("type") == "Healthy") {
        None => cells![object.name(), "Unknown", "", ""],
        Some(healthy) => {
            let status = if healthy.text("status") == "True" { "Healthy" } else { "Unhealthy" };
            cells![object.name(), status, healthy.text("message"), healthy.text("error")]
        }
    }
}

pub(super) fn node(node: Reader<'_>) -> Vec<Value> {
    let ready = match node.condition("Ready") {
        None => "Unknown",
        Some(ready) if ready.text("status") == "True" => "Ready",
        Some(_) => "NotReady",
    };
    let status = match node.flag("spec.unschedulable") {
        Some(true) => format!("{ready},SchedulingDisabled"),
        _ => ready.to_owned(),
    };
    let info = node.get("status.nodeInfo");
    cells![
        node.name(),
        status,
        roles(node),
        node.age(),
        info.text("kubeletVersion"),
        address(node, "InternalIP"),
        address(node, "ExternalIP"),
        info.text_or("osImage", UNKNOWN),
        info.text_or("kernelVersion", UNKNOWN),
        info.text_or("containerRuntimeVersion", UNKNOWN),
    ]
}

/// Roles are told by labels, in one of two ways.
fn roles(node: Reader<'_>) -> String {
    let labels = node.members("metadata.labels").into_iter();
    let roles = labels.map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => role,
        None if key == "kubernetes.io/role" => value.str(),
        None => "",
    });
    let mut roles: Vec<&str> = roles.filter(|role| !role.is_empty()).collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { NONE.to_owned() } else { roles.join(",") }
}

fn address<'a>(node: Reader<'a>, kind: &str) -> &'a str {
    let mut addresses = node.items("status.addresses");
    addresses.find(|it| it.text("type") == kind).map_or(NONE, |it| it.text("address"))
}

/// Events are stored in the core group's shape.
pub(super) fn event(event: Reader<'_>) -> Vec<Value> {
    let first = match event.time("firstTimestamp") {
        Some(first) => event.since_time(first),
        None => event.since("eventTime"),
    };
    let last = match event.time("lastTimestamp") {
        Some(last) => event.since_time(last),
        None => first.clone(),
    };
    let series = event.get("series");
    let (last, count) = match series.exists() {
        true => (series.since("lastObservedTime"), series.int("count")),
        // An event that happened once has no count in the new API.
        false => (last, event.int("count").max(1)),
    };
    let object = event.get("involvedObject");
    let kind = object.text("kind").to_lowercase();
    let target = match object.text("name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let component = event.text_or("source.component", event.text("reportingComponent"));
    let source = match event.text_or("source.host", event.text("reportingInstance")) {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    };
    cells![
        last,
        event.text("type"),
        event.text("reason"),
        target,
        object.text("fieldPath"),
        source,
        event.text("message").trim(),
        first,
        count,
        event.name(),
    ]
}

/// Used and hard, limits apart.
pub(super) fn resource_quota(quota: Reader<'_>) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let used = quota.get("status.used");
    for (name, hard) in quota.members("status.hard") {
        let text = format!("{name}: {}/{}", used.key(name).as_quantity(), hard.as_quantity());
        if name.starts_with("limits.") { limits.push(text) } else { requests.push(text) }
    }
    cells![quota.name(), requests.join(", "), limits.join(", "), quota.age()]
}
