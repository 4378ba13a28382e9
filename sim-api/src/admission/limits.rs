//! LimitRanger: defaults and bounds of what pods and claims ask for.
//!
//! Source: `plugin/pkg/admission/limitranger/admission.go`; recorded 1.33.2.

use std::fmt::Display;

use serde_json::{Map, Value, json};

use super::{
    Cluster, aggregate,
    amount::{Amount, Amounts, amounts, of_pod},
    forbidden,
};
use crate::{Resource, meta, status::Result};

pub(super) fn on_create(resource: &Resource, object: &mut Value, cluster: &dyn Cluster) {
    if resource.is("", "pods") {
        for range in cluster.list("", "limitranges", meta::namespace(object)) {
            set_defaults(object, &range);
        }
    }
}

pub(super) fn check_create(
    resource: &Resource,
    object: &Value,
    cluster: &dyn Cluster,
) -> Result<()> {
    if !resource.is("", "pods") && !resource.is("", "persistentvolumeclaims") {
        return Ok(());
    }
    check(resource, object, &cluster.list("", "limitranges", meta::namespace(object)))
}

/// What containers ask for does not change but by `resize`.
pub(super) fn check_update(
    resource: &Resource,
    subresource: &str,
    object: &Value,
    cluster: &dyn Cluster,
) -> Result<()> {
    let is_asked = match subresource {
        "" => resource.is("", "persistentvolumeclaims"),
        "resize" => resource.is("", "pods"),
        _ => false,
    };
    if !is_asked {
        return Ok(());
    }
    check(resource, object, &cluster.list("", "limitranges", meta::namespace(object)))
}

fn items<'a>(range: &'a Value, of_type: &'a str) -> impl Iterator<Item = &'a Value> {
    let items = range.pointer("/spec/limits").and_then(Value::as_array).into_iter().flatten();
    items.filter(move |item| item.get("type").is_some_and(|found| found == of_type))
}

/// Puts the defaults of a LimitRange into a pod, and an annotation that tells of it.
fn set_defaults(pod: &mut Value, range: &Value) {
    let mut defaults =
        [("requests", "defaultRequest"), ("limits", "default")].map(|(part, key)| {
            let mut values = Map::new();
            for item in items(range, "Container") {
                values
                    .extend(item.get(key).and_then(Value::as_object).cloned().unwrap_or_default());
            }
            values.sort_keys();
            (part, values)
        });
    let mut notes = Vec::new();
    for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
        let containers = pod.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            for (part, values) in &mut defaults {
                let set = merge(container, part, values);
                if !set.is_empty() {
                    let part = part.trim_end_matches('s');
                    notes.push(format!("{} {part} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
    if notes.is_empty() {
        return;
    }
    let note = format!("LimitRanger plugin set: {}", notes.join("; "));
    let annotations = pod
        .as_object_mut()
        .and_then(|pod| pod.entry("metadata").or_insert_with(|| json!({})).as_object_mut())
        .and_then(|metadata| {
            metadata.entry("annotations").or_insert_with(|| json!({})).as_object_mut()
        });
    if let Some(annotations) = annotations {
        annotations.insert(ANNOTATION.to_owned(), note.into());
        annotations.sort_keys();
    }
}

/// Puts in what is missing; returns the names of it, sorted.
fn merge<'a>(
    container: &mut Map<String, Value>,
    part: &str,
    values: &'a Map<String, Value>,
) -> Vec<&'a str> {
    if values.is_empty() {
        return Vec::new();
    }
    let part =
        container.entry("resources").or_insert_with(|| json!({})).as_object_mut().and_then(
            |resources| resources.entry(part).or_insert_with(|| json!({})).as_object_mut(),
        );
    let Some(part) = part else { return Vec::new() };
    let mut set = Vec::new();
    for (name, value) in values {
        if !part.contains_key(name) {
            part.insert(name.clone(), value.clone());
            set.push(name.as_str());
        }
    }
    part.sort_keys();
    set
}

fn check(resource: &Resource, object: &Value, ranges: &[Value]) -> Result<()> {
    for range in ranges {
        let mut errors = Vec::new();
        if resource.is("", "pods") {
            check_pod(object, range, &mut errors);
        } else {
            let requests = amounts(object.pointer("/spec/resources/requests"));
            for item in items(range, CLAIM) {
                for (name, bound) in amounts(item.get("min")) {
                    let (requests, limits) = (&requests, &Amounts::new());
                    let asked = Asked { name: &name, of: CLAIM, bound, requests, limits };
                    errors.extend(asked.below_min());
                }
                for (name, bound) in amounts(item.get("max")) {
                    let (requests, limits) = (&requests, &Amounts::new());
                    let asked = Asked { name: &name, of: CLAIM, bound, requests, limits };
                    errors.extend(asked.request_above_max());
                }
            }
        }
        if !errors.is_empty() {
            return Err(forbidden(resource, object, &aggregate(errors)));
        }
    }
    Ok(())
}

fn check_pod(pod: &Value, range: &Value, errors: &mut Vec<String>) {
    let limits = range.pointer("/spec/limits").and_then(Value::as_array);
    for item in limits.into_iter().flatten() {
        match item.get("type").and_then(Value::as_str) {
            Some("Container") => {
                for list in ["containers", "initContainers"] {
                    let containers =
                        pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
                    for container in containers.into_iter().flatten() {
                        let requests = amounts(container.pointer("/resources/requests"));
                        let limits = amounts(container.pointer("/resources/limits"));
                        bounds(item, "Container", &requests, &limits, errors);
                    }
                }
            }
            Some("Pod") => {
                let (requests, limits) = (of_pod(pod, "requests"), of_pod(pod, "limits"));
                bounds(item, "Pod", &requests, &limits, errors);
            }
            _ => {}
        }
    }
}

fn bounds(item: &Value, of: &str, requests: &Amounts, limits: &Amounts, errors: &mut Vec<String>) {
    for key in ["min", "max", "maxLimitRequestRatio"] {
        for (name, bound) in amounts(item.get(key)) {
            let asked = Asked { name: &name, of, bound, requests, limits };
            errors.extend(match key {
                "min" => asked.below_min(),
                "max" => asked.above_max(),
                _ => asked.above_ratio(),
            });
        }
    }
}

/// One resource of one thing, and its bound.
struct Asked<'a> {
    name: &'a str,
    of: &'a str,
    bound: Amount,
    requests: &'a Amounts,
    limits: &'a Amounts,
}

impl Asked<'_> {
    fn request(&self) -> Option<Amount> {
        self.requests.get(self.name).copied()
    }

    fn limit(&self) -> Option<Amount> {
        self.limits.get(self.name).copied()
    }

    fn usage(&self, bound: &str, but: impl Display) -> Option<String> {
        Some(format!("{bound} {} usage per {} is {}{but}", self.name, self.of, self.bound))
    }

    fn below_min(&self) -> Option<String> {
        let Some(request) = self.request() else {
            return self.usage("minimum", ". No request is specified");
        };
        if request < self.bound {
            return self.usage("minimum", format!(", but request is {request}"));
        }
        let limit = self.limit().filter(|limit| *limit < self.bound)?;
        self.usage("minimum", format!(", but limit is {limit}"))
    }

    fn above_max(&self) -> Option<String> {
        let Some(limit) = self.limit() else {
            return self.usage("maximum", ". No limit is specified");
        };
        if limit > self.bound {
            return self.usage("maximum", format!(", but limit is {limit}"));
        }
        let request = self.request().filter(|request| *request > self.bound)?;
        self.usage("maximum", format!(", but request is {request}"))
    }

    fn request_above_max(&self) -> Option<String> {
        let Some(request) = self.request() else {
            return self.usage("maximum", ". No request is specified");
        };
        (request > self.bound)
            .then(|| self.usage("maximum", format!(", but request is {request}")))
            .flatten()
    }

    fn above_ratio(&self) -> Option<String> {
        let ratio = |but: &str| {
            let (name, of, bound) = (self.name, self.of, self.bound);
            Some(format!("{name} max limit to request ratio per {of} is {bound}, but {but}"))
        };
        let given = |amount: Option<Amount>| amount.filter(|amount| !amount.is_zero());
        let Some(request) = given(self.request()) else {
            return ratio("no request is specified or request is 0");
        };
        let Some(limit) = given(self.limit()) else {
            return ratio("no limit is specified or limit is 0");
        };
        let observed = limit.as_float() / request.as_float();
        (observed > self.bound.as_float() / 1e9)
            .then(|| ratio(&format!("provided ratio is {observed:.6}")))
            .flatten()
    }
}

const ANNOTATION: &str = "kubernetes.io/limit-ranger";
const CLAIM: &str = "PersistentVolumeClaim";
