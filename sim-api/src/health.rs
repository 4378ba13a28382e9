//! `/healthz`, `/livez` and `/readyz`: which checks there are and how they are told of.
//!
//! Source: k8s.io/apiserver `pkg/server/healthz/healthz.go`; the names and their order are those
//! of a recorded 1.33.2, whatever the release. They are parts of the real server; here they
//! cannot be unwell on their own, but for `shutdown`.

use crate::{go, query::Query};

/// An answer in plain text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// 200, or 500 when a check failed.
    pub code: u16,
    /// The text, with its final newline where the real one has it.
    pub text: String,
}

/// The report of a whole endpoint (`healthz`, `livez` or `readyz`).
///
/// `fair` is whether API Priority and Fairness is on, which has checks of its own; `stopping`
/// fails readiness.
pub fn report(endpoint: &str, query: &Query, fair: bool, stopping: bool) -> Report {
    let mut excluded: Vec<&str> = query.all("exclude").collect();
    let mut lines = String::new();
    let mut failed = false;
    for check in checks(endpoint, fair) {
        if let Some(at) = excluded.iter().position(|name| *name == check) {
            excluded.swap_remove(at);
            lines.push_str(&format!("[+]{check} excluded: ok\n"));
        } else if check == SHUTDOWN && stopping {
            lines.push_str(&format!("[-]{check} failed: reason withheld\n"));
            failed = true;
        } else {
            lines.push_str(&format!("[+]{check} ok\n"));
        }
    }
    if !excluded.is_empty() {
        let names: Vec<String> = excluded.iter().map(|name| go::quote(name)).collect();
        let names = names.join(", ");
        lines.push_str("warn: some health checks cannot be excluded: no matches for ");
        lines.push_str(&names);
        lines.push('\n');
    }
    if failed {
        return Report { code: 500, text: format!("{lines}{endpoint} check failed\n") };
    }
    if query.contains("verbose") {
        return Report { code: 200, text: format!("{lines}{endpoint} check passed\n") };
    }
    Report { code: 200, text: "ok".to_owned() }
}

/// Whether a check has a path of its own below the endpoint; its answer is `ok`.
pub fn has_check(endpoint: &str, name: &str, fair: bool) -> bool {
    checks(endpoint, fair).any(|check| check == name)
}

fn checks(endpoint: &str, fair: bool) -> impl Iterator<Item = &'static str> {
    let ready = endpoint == "readyz";
    CHECKS.iter().copied().filter(move |check| {
        (ready || !READINESS.contains(check)) && (fair || !check.contains("priority-and-fairness"))
    })
}

const SHUTDOWN: &str = "shutdown";

const READINESS: &[&str] = &["etcd-readiness", "informer-sync", SHUTDOWN];

const CHECKS: &[&str] = &[
    "ping",
    "log",
    "etcd",
    "etcd-readiness",
    "informer-sync",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
    SHUTDOWN,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(endpoint: &str, query: &str, stopping: bool) -> (u16, String) {
        let report = report(endpoint, &Query::parse(query), true, stopping);
        (report.code, report.text)
    }

    #[test]
    fn reports_read_as_recorded() {
        assert_eq!(text("livez", "exclude=nosuch", false), (200, "ok".to_owned()));
        let (code, lines) = text("readyz", "verbose&exclude=etcd", false);
        assert_eq!((code, lines.lines().count()), (200, 35));
        assert!(lines.starts_with("[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n"));
        assert!(lines.ends_with("[+]shutdown ok\nreadyz check passed\n"));
        let (_, lines) = text("readyz", "exclude=nosuch&verbose", false);
        assert!(lines.contains("excluded: no matches for \"nosuch\"\nreadyz check passed\n"));
        assert_eq!(text("healthz", "verbose", false).1.lines().count(), 32);
    }

    #[test]
    fn a_server_that_stops_is_not_ready_but_alive() {
        let (code, lines) = text("readyz", "", true);
        assert_eq!(code, 500);
        assert!(lines.ends_with("[-]shutdown failed: reason withheld\nreadyz check failed\n"));
        assert_eq!(text("livez", "", true).0, 200);
        assert_eq!(text("readyz", "exclude=shutdown", true).0, 200);
    }

    #[test]
    fn checks_have_paths() {
        assert!(has_check("readyz", "shutdown", true) && !has_check("livez", "shutdown", true));
        assert!(!has_check("livez", "nosuch", true));
        assert!(!has_check("livez", "poststarthook/priority-and-fairness-filter", false));
    }
}
