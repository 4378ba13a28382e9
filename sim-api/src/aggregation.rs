//! APIServices: the groups and versions that are served, here or by somebody else.
//!
//! Every version that this server serves itself has an APIService, as the real one registers
//! them. One that a client makes refers to a Service. Nothing is forwarded to it: the simulator
//! only says what a real server says while it cannot reach it. The one exception is
//! `metrics.k8s.io`, which the simulator answers itself ([`crate::metrics_api`]).
//!
//! Source: k8s.io/kube-aggregator `pkg/registry/apiservice`, `pkg/controllers/{autoregister,status}`,
//! `pkg/apiserver/handler_proxy.go`, release-1.33; k8s.io/kubernetes
//! `pkg/controlplane/apiserver/aggregator.go` for the priorities.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{Resource, ResourceTable};

/// Whether these are the APIServices.
pub fn is_services(resource: &Resource) -> bool {
    resource.is("apiregistration.k8s.io", "apiservices")
}

/// A version that somebody else should serve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remote {
    /// Its group.
    pub group: String,
    /// Its version.
    pub version: String,
    /// How early the group comes in discovery.
    pub priority: i64,
    /// How early the version comes in its group.
    pub version_priority: i64,
}

impl Remote {
    /// What an APIService that refers to a Service registers.
    pub fn of(service: &Value) -> Option<Self> {
        let spec = service.get("spec")?;
        spec.get("service").filter(|found| found.is_object())?;
        let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let int = |key: &str| spec.get(key).and_then(Value::as_i64).unwrap_or_default();
        Some(Self {
            group: text("group"),
            version: text("version"),
            priority: int("groupPriorityMinimum"),
            version_priority: int("versionPriority"),
        })
    }
}

/// The APIServices of the built-in versions, but for their own, which has none.
pub fn builtin(table: &ResourceTable) -> Vec<Value> {
    let mut services = Vec::new();
    for group in table.groups().iter().filter(|group| group.name != "apiregistration.k8s.io") {
        let count = i64::try_from(group.versions.len()).unwrap_or(0);
        for (place, (version, _)) in (0i64..).zip(&group.versions) {
            let (priority, first) = priorities(group.name);
            // The first version has the group's figure; a later one is less by some.
            let version_priority =
                if count == 1 { first } else { first - place * (first / count).max(1) };
            services.push(local(group.name, version, priority, version_priority, "onstart"));
        }
    }
    services
}

/// The APIServices of the versions of custom resources.
pub fn custom(table: &ResourceTable) -> Vec<Value> {
    let versions: BTreeSet<(&str, &str)> = table
        .iter()
        .filter(|resource| resource.custom.is_some())
        .map(|resource| (&*resource.group, &*resource.version))
        .collect();
    versions
        .into_iter()
        .map(|(group, version)| local(group, version, CUSTOM_PRIORITY, 100, AUTOMANAGED))
        .collect()
}

fn local(group: &str, version: &str, priority: i64, version_priority: i64, managed: &str) -> Value {
    let mut spec = Map::new();
    if !group.is_empty() {
        spec.insert("group".into(), group.into());
    }
    spec.insert("version".into(), version.into());
    spec.insert("groupPriorityMinimum".into(), priority.into());
    spec.insert("versionPriority".into(), version_priority.into());
    json!({
        "kind": "APIService",
        "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {"name": format!("{version}.{group}"), "labels": {LABEL: managed}},
        "spec": spec,
    })
}

/// Whether an APIService is one that comes and goes with its custom resources.
pub fn is_of_custom(service: &Value) -> bool {
    let label = service.pointer("/metadata/labels").and_then(|labels| labels.get(LABEL));
    label.and_then(Value::as_str) == Some(AUTOMANAGED)
}

/// Priority of the group, and of its first version.
fn priorities(group: &str) -> (i64, i64) {
    match group {
        "" => (18_000, 1),
        "apps" => (17_800, 15),
        "events.k8s.io" => (17_750, 15),
        "authentication.k8s.io" => (17_700, 15),
        "authorization.k8s.io" => (17_600, 15),
        "autoscaling" => (17_500, 30),
        "batch" => (17_400, 15),
        "certificates.k8s.io" => (17_300, 15),
        "networking.k8s.io" => (17_200, 15),
        "policy" => (17_100, 15),
        "rbac.authorization.k8s.io" => (17_000, 15),
        "storage.k8s.io" => (16_800, 15),
        "apiextensions.k8s.io" | "admissionregistration.k8s.io" => (16_700, 15),
        "scheduling.k8s.io" => (16_600, 15),
        "coordination.k8s.io" => (16_500, 15),
        "node.k8s.io" => (16_300, 15),
        "discovery.k8s.io" => (16_200, 15),
        "flowcontrol.apiserver.k8s.io" => (16_100, 21),
        "resource.k8s.io" => (15_900, 9),
        _ => (15_800, 9),
    }
}

/// What an APIService that is created has for a status.
pub(crate) fn first_status(members: &Map<String, Value>, now: &str) -> Value {
    let is_remote = members.get("spec").and_then(|spec| spec.get("service")).is_some();
    if is_remote {
        return json!({});
    }
    let (status, reason, message) = LOCAL;
    json!({"conditions": [{
        "type": "Available",
        "status": status,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }]})
}

/// What a client may leave out.
pub(crate) fn set_defaults(members: &mut Map<String, Value>) {
    let service = members.get_mut("spec").and_then(|spec| spec.get_mut("service"));
    if let Some(service) = service.and_then(Value::as_object_mut) {
        let port = service.entry("port").or_insert(Value::Null);
        if port.is_null() {
            *port = 443.into();
        }
    }
}

/// What an APIService refers to, as far as it is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backend<'a> {
    /// The Service.
    pub service: Option<&'a Value>,
    /// Its Endpoints.
    pub endpoints: Option<&'a Value>,
    /// The simulator answers in its place.
    pub is_played: bool,
}

/// The APIService with its condition brought up to date; nothing where it is.
pub fn refresh(service: &Value, backend: Backend<'_>, now: jiff::Timestamp) -> Option<Value> {
    let (status, reason, message) = match service.pointer("/spec/service") {
        Some(reference @ Value::Object(_)) => availability(service, reference, backend),
        _ => (LOCAL.0, LOCAL.1, LOCAL.2.to_owned()),
    };
    let of_type = |found: &&Value| found.get("type").and_then(Value::as_str) == Some("Available");
    let conditions = service.pointer("/status/conditions").and_then(Value::as_array);
    let old = conditions.and_then(|conditions| conditions.iter().find(of_type));
    let text = |key: &str| old.and_then(|old| old.get(key)?.as_str());
    if text("status") == Some(status)
        && text("reason") == Some(reason)
        && text("message") == Some(&message)
    {
        return None;
    }
    let time = match text("lastTransitionTime") {
        Some(time) if text("status") == Some(status) => time.to_owned(),
        _ => crate::meta::time(now),
    };
    let mut refreshed = service.clone();
    let condition = json!({
        "type": "Available",
        "status": status,
        "lastTransitionTime": time,
        "reason": reason,
        "message": message,
    });
    let mut all: Vec<Value> = conditions.cloned().unwrap_or_default();
    match all.iter_mut().find(|found| of_type(&&**found)) {
        Some(found) => *found = condition,
        None => all.push(condition),
    }
    refreshed["status"] = json!({"conditions": all});
    Some(refreshed)
}

fn availability(
    api_service: &Value,
    reference: &Value,
    backend: Backend<'_>,
) -> (&'static str, &'static str, String) {
    let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
    let (name, namespace) = (text("name"), text("namespace"));
    let port = reference.get("port").and_then(Value::as_i64).unwrap_or(443);
    let Some(service) = backend.service else {
        if backend.is_played {
            return passed();
        }
        let message = format!("service/{name} in {namespace:?} is not present");
        return ("False", "ServiceNotFound", message);
    };
    if backend.is_played {
        return passed();
    }
    let spec = service.get("spec").unwrap_or(&Value::Null);
    let of_spec = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default();
    if matches!(of_spec("type"), "" | "ClusterIP") {
        let mut ports = spec.get("ports").and_then(Value::as_array).into_iter().flatten();
        let found = ports.find(|found| found.get("port").and_then(Value::as_i64) == Some(port));
        let Some(found) = found else {
            let message =
                format!("service/{name} in {namespace:?} is not listening on port {port}");
            return ("False", "ServicePortError", message);
        };
        let port_name = found.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(endpoints) = backend.endpoints else {
            let message = format!("cannot find endpoints for service/{name} in {namespace:?}");
            return ("False", "EndpointsNotFound", message);
        };
        if !has_address(endpoints, port_name) {
            let message = format!(
                "endpoints for service/{name} in {namespace:?} have no addresses with port name \
                 {port_name:?}"
            );
            return ("False", "MissingEndpoints", message);
        }
    }
    let part = |key: &str| {
        api_service.pointer(&format!("/spec/{key}")).and_then(Value::as_str).unwrap_or_default()
    };
    let address = format!("{}:{port}", of_spec("clusterIP"));
    let url = format!("https://{address}/apis/{}/{}", part("group"), part("version"));
    let message = format!(
        "failing or missing response from {url}: Get {url:?}: dial tcp {address}: connect: \
         connection refused"
    );
    ("False", "FailedDiscoveryCheck", message)
}

fn has_address(endpoints: &Value, port_name: &str) -> bool {
    let subsets = endpoints.get("subsets").and_then(Value::as_array);
    subsets.into_iter().flatten().any(|subset| {
        let is_some = |key: &str| {
            subset.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
        };
        let ports = subset.get("ports").and_then(Value::as_array);
        is_some("addresses")
            && ports.into_iter().flatten().any(|port| {
                port.get("name").and_then(Value::as_str).unwrap_or_default() == port_name
            })
    })
}

/// Whether an APIService says that it is available.
pub fn is_available(service: &Value) -> bool {
    let conditions = service.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition.get("type").and_then(Value::as_str) == Some("Available")
            && condition.get("status").and_then(Value::as_str) == Some("True")
    })
}

/// The body, in plain text, of a request to a version that somebody else should serve; status
/// 503. Source: `proxyError`.
pub const UNAVAILABLE: &str = "service unavailable\n";

const LOCAL: (&str, &str, &str) = ("True", "Local", "Local APIServices are always available");
const LABEL: &str = "kube-aggregator.kubernetes.io/automanaged";
const AUTOMANAGED: &str = "true";
const CUSTOM_PRIORITY: i64 = 1000;

fn passed() -> (&'static str, &'static str, String) {
    ("True", "Passed", "all checks passed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Release;

    #[test]
    fn what_is_served_is_registered() {
        let table = ResourceTable::for_release(Release::default());
        let services = builtin(&table);
        let names: Vec<&str> =
            services.iter().filter_map(|s| s.pointer("/metadata/name")?.as_str()).collect();
        assert!(names.contains(&"v1.") && names.contains(&"v1.apps"), "{names:?}");
        assert!(!names.iter().any(|name| name.ends_with("apiregistration.k8s.io")));
        let of = |name: &str| {
            services.iter().find(|s| s.pointer("/metadata/name").unwrap() == name).unwrap()
        };
        assert_eq!(of("v2.autoscaling")["spec"]["versionPriority"], 30);
        assert_eq!(of("v1.autoscaling")["spec"]["versionPriority"], 15);
    }

    #[test]
    fn what_is_missing_is_told() {
        let service = json!({"spec": {"group": "g.io", "version": "v1", "service": {
            "namespace": "default", "name": "s", "port": 443,
        }}, "status": {}});
        let reason = |backend: Backend<'_>| {
            let refreshed = refresh(&service, backend, jiff::Timestamp::UNIX_EPOCH).unwrap();
            let condition = &refreshed["status"]["conditions"][0];
            (condition["reason"].clone(), condition["message"].as_str().unwrap().to_owned())
        };
        assert_eq!(
            reason(Backend::default()),
            ("ServiceNotFound".into(), "service/s in \"default\" is not present".into())
        );
        let found =
            json!({"spec": {"clusterIP": "10.0.0.9", "ports": [{"port": 443, "name": "https"}]}});
        let with = Backend { service: Some(&found), ..Backend::default() };
        assert_eq!(reason(with).0, "EndpointsNotFound");
        let endpoints = json!({"subsets": [{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"name": "https", "port": 1}]}]});
        let with = Backend { endpoints: Some(&endpoints), ..with };
        assert_eq!(reason(with).0, "FailedDiscoveryCheck");
        assert_eq!(reason(Backend { is_played: true, ..with }).0, "Passed");
    }
}
