//! The cells of horizontal pod autoscalers, which are stored as `autoscaling/v2`.
//!
//! Source: `formatHPAMetrics`.

use serde_json::Value;

use super::{
    cells,
    read::Reader,
    selector::{self, NONE, UNKNOWN, UNSET},
};

pub(super) fn autoscaler(object: Reader<'_>) -> Vec<Value> {
    let target = object.get("spec.scaleTargetRef");
    let min = match object.get("spec.minReplicas").exists() {
        true => object.int("spec.minReplicas").to_string(),
        false => UNSET.to_owned(),
    };
    cells![
        object.name(),
        format!("{}/{}", target.text("kind"), target.text("name")),
        metrics(object),
        min,
        object.int("spec.maxReplicas"),
        object.int("status.currentReplicas"),
        object.age(),
    ]
}

fn metrics(object: Reader<'_>) -> String {
    let current = object.get("status.currentMetrics");
    let metrics = object.items("spec.metrics").enumerate();
    let metrics: Vec<String> = metrics.map(|(at, spec)| metric(spec, current.at(at))).collect();
    if metrics.is_empty() {
        return NONE.to_owned();
    }
    selector::first(&metrics, METRICS_MAX, ", ")
}

/// `current/target`, with the resource's name where it is one.
fn metric(spec: Reader<'_>, status: Reader<'_>) -> String {
    match spec.text("type") {
        "External" => valued(spec.get("external"), status.get("external")),
        "Object" => valued(spec.get("object"), status.get("object")),
        "Pods" => {
            let current = known(status.get("pods"), "current.averageValue");
            format!("{current}/{}", spec.quantity("pods.target.averageValue"))
        }
        "Resource" => resource(spec.get("resource"), status.get("resource")),
        "ContainerResource" => {
            resource(spec.get("containerResource"), status.get("containerResource"))
        }
        _ => "<unknown type>".to_owned(),
    }
}

fn valued(spec: Reader<'_>, status: Reader<'_>) -> String {
    if spec.get("target.averageValue").exists() {
        let current = match status.get("current.averageValue").exists() {
            true => status.quantity("current.averageValue"),
            false => UNKNOWN.to_owned(),
        };
        return format!("{current}/{} (avg)", spec.quantity("target.averageValue"));
    }
    format!("{}/{}", known(status, "current.value"), spec.quantity("target.value"))
}

fn resource(spec: Reader<'_>, status: Reader<'_>) -> String {
    let name = spec.text("name");
    if spec.get("target.averageValue").exists() {
        let current = known(status, "current.averageValue");
        return format!("{name}: {current}/{}", spec.quantity("target.averageValue"));
    }
    let percent = |part: Reader<'_>, path: &str, otherwise: &str| match part.get(path).exists() {
        true => format!("{}%", part.int(path)),
        false => otherwise.to_owned(),
    };
    let current = percent(status, "current.averageUtilization", UNKNOWN);
    let target = percent(spec, "target.averageUtilization", "<auto>");
    format!("{name}: {current}/{target}")
}

/// The quantity at `path`, once there is a status at all.
fn known(status: Reader<'_>, path: &str) -> String {
    if status.exists() { status.quantity(path) } else { UNKNOWN.to_owned() }
}

const METRICS_MAX: usize = 2;
