//! The index of paths at `/`.

use serde_json::{Value, json};

use crate::ResourceTable;

/// `/`: the paths of the groups that are served, and the others of a recorded 1.33.2.
pub(super) fn index(table: &ResourceTable) -> Value {
    let mut paths: Vec<String> = OTHER_PATHS.iter().map(|&path| path.to_owned()).collect();
    for group in table.groups().iter().filter(|group| !group.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        let versions = group.versions.iter();
        paths.extend(versions.map(|(version, _)| format!("/apis/{}/{version}", group.name)));
    }
    for endpoint in ["healthz", "livez", "readyz"] {
        paths.push(format!("/{endpoint}"));
        paths.extend(health_checks(endpoint).map(|check| format!("/{endpoint}/{check}")));
    }
    paths.sort_unstable();
    json!({"paths": paths})
}

/// The checks that have a path of their own below `/healthz`, `/livez` or `/readyz`, sorted but
/// for those of readiness, which come last.
///
/// The names are those of a recorded 1.33.2, whatever the release: they are parts of the real
/// server, which here cannot be unwell on their own.
pub fn health_checks(endpoint: &str) -> impl Iterator<Item = &'static str> {
    let readiness = if endpoint == "readyz" { READINESS_CHECKS } else { &[] };
    CHECKS.iter().chain(readiness).copied()
}

const OTHER_PATHS: &[&str] = &[
    "/.well-known/openid-configuration",
    "/api",
    "/api/v1",
    "/apis",
    "/apis/",
    "/metrics",
    "/metrics/slis",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/",
    "/openid/v1/jwks",
    "/version",
];

const CHECKS: &[&str] = &[
    "autoregister-completion",
    "etcd",
    "log",
    "ping",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/bootstrap-controller",
    "poststarthook/crd-informer-synced",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/kube-apiserver-autoregistration",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/storage-object-count-tracker-hook",
];

const READINESS_CHECKS: &[&str] = &["etcd-readiness", "informer-sync", "shutdown"];
