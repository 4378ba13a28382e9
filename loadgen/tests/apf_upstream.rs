//! The published results of the upstream simulation, within that test's own tolerances.
//!
//! Upstream drives its real controller under a fake clock: bootstrap objects, 600 seats, callers in
//! closed loops, seats held in the final phase, an etcd that does not tell its progress. Figures exclude the first 10 s of a run of 30 s.
//! "Real seats" are bytes held while a request executes, 100 kB each.
//! Source: `TestSimulate…` in k8s.io/apiserver `pkg/util/flowcontrol` (2026).

#![expect(clippy::float_cmp, clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::Path;

use loadgen::apf::{
    config::FlowConfig,
    load::Load,
    simulate::{LevelRow, Outcome, simulate},
};
use sim_flow::Release;

/// Light traffic that is always there.
const BASE: &str = "
- {name: kcm, user: 'system:kube-controller-manager', groups: [], verb: update, path: /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager, workers: 2, service: 10ms, think: 40ms, heldBytes: 100kB}
- {name: node, user: 'system:node:node-1', verb: patch, path: /api/v1/nodes/node-1/status, workers: 20, service: 10ms, think: 90ms, heldBytes: 100kB}
- {name: scheduler, user: 'system:kube-scheduler', groups: [], verb: create, path: /api/v1/namespaces/default/pods/a/binding, workers: 10, service: 10ms, think: 40ms, heldBytes: 100kB}
- {name: app, user: 'system:serviceaccount:default:app', verb: get, path: /api/v1/namespaces/default/pods/a, workers: 20, service: 10ms, think: 40ms, heldBytes: 100kB}
";

/// Callers that create pods or list them, each again as soon as it is answered.
fn callers(name: &str, user: &str, verb: &str, namespace: &str, workers: u32, ms: u32) -> String {
    let groups = match user {
        "admin" => ", groups: ['system:masters', 'system:authenticated']",
        _ if user.starts_with("system:kube") => ", groups: []",
        _ => "",
    };
    let (query, held) = match verb {
        // As an uncached read that loads all it returns.
        "list" => ("?limit=OBJECTS", "HELD"),
        _ => ("", "100kB"),
    };
    format!(
        "- {{name: {name}, user: '{user}'{groups}, verb: {verb}, path: '/api/v1/namespaces/{namespace}/pods{query}', \
         workers: {workers}, service: {ms}ms, heldBytes: {held}}}\n"
    )
}

const TENANT: &str = "system:serviceaccount:default:runaway-tenant";
const KCM: &str = "system:kube-controller-manager";

/// Plays base traffic and `more`; a LIST finds `pods` of 10 kB.
fn played(seconds: u32, pods: u32, more: &[String]) -> Outcome {
    let warmup = if seconds >= 20 { 10 } else { 0 };
    let more = more.concat();
    let more =
        more.replace("OBJECTS", &pods.to_string()).replace("HELD", &format!("{}kB", pods * 10));
    let text = format!(
        "apiVersion: apisim/v1alpha1\nkind: ApfLoad\nduration: {seconds}s\nwarmup: {warmup}s\n\
         hold: finalPhase\netcdSupportsProgress: false\nobjects: {{pods: {{count: {pods}, averageBytes: 10000}}}}\nclients:\n{BASE}{more}"
    );
    let load = Load::parse(&text, Path::new(".")).unwrap();
    simulate(&FlowConfig::bootstrap(Release::NEWEST, 600), &load)
}

fn level<'a>(outcome: &'a Outcome, name: &str) -> &'a LevelRow {
    outcome.level(name).unwrap_or_else(|| panic!("{name} has seen a request"))
}

fn real_seats(held_bytes: f64) -> f64 {
    held_bytes / 100_000.0
}

/// Real seats of a level, in percent of its nominal ones.
fn of_nominal(outcome: &Outcome, name: &str) -> f64 {
    let level = level(outcome, name);
    real_seats(level.row.mean_held_bytes) / f64::from(level.nominal_limit) * 100.0
}

/// Real seats of the server, in percent.
fn of_server(outcome: &Outcome) -> f64 {
    real_seats(outcome.mean_held_bytes) / 600.0 * 100.0
}

/// A client's part of its level's real seats, in percent.
fn share(outcome: &Outcome, client: &str) -> f64 {
    let client = outcome.client(client).unwrap();
    client.row.mean_held_bytes / level(outcome, &client.level).row.mean_held_bytes * 100.0
}

#[track_caller]
fn near(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, not {expected} ± {tolerance}");
}

#[track_caller]
fn untouched(outcome: &Outcome, names: &[&str]) {
    for name in names {
        let row = &level(outcome, name).row;
        assert_eq!(row.success_percent, Some(100.0), "{name}");
        near(name, row.wait.p99_ms, 0.0, 0.0);
    }
}

fn success(outcome: &Outcome, name: &str) -> f64 {
    level(outcome, name).row.success_percent.unwrap()
}

fn p99_ms(outcome: &Outcome, name: &str) -> f64 {
    level(outcome, name).row.wait.p99_ms
}

#[test]
fn light_traffic_neither_waits_nor_fails() {
    let outcome = played(10, 0, &[]);
    untouched(&outcome, &["leader-election", "node-high", "workload-high", "workload-low"]);
    near("server", of_server(&outcome), 1.4, 0.001);
}

#[test]
fn one_level_over_its_capacity_is_throttled_while_seats_idle() {
    let outcome = played(30, 0, &[callers("tenant", TENANT, "create", "default", 700, 100)]);
    untouched(&outcome, &["leader-election", "node-high", "workload-high"]);
    near("server", of_server(&outcome), 62.9, 1.0);
    near("success", success(&outcome, "workload-low"), 51.7, 1.0);
    near("wait", p99_ms(&outcome, "workload-low"), 100.0, 0.0);
    near("nominal", of_nominal(&outcome, "workload-low"), 150.2, 1.0);
}

#[test]
fn borrowing_takes_ten_seconds() {
    let tenant = [callers("tenant", TENANT, "create", "default", 400, 100)];
    let first = played(10, 0, &tenant);
    near("nominal", of_nominal(&first, "workload-low"), 23.0, 1.0);
    near("server", of_server(&first), 10.1, 1.0);
    near("success", success(&first, "workload-low"), 14.0, 1.0);
    near("wait", p99_ms(&first, "workload-low"), 610.0, 0.0);

    let converged = played(30, 0, &tenant);
    near("nominal", of_nominal(&converged, "workload-low"), 150.6, 1.0);
    near("server", of_server(&converged), 62.9, 1.0);
    assert_eq!(success(&converged, "workload-low"), 100.0);
    near("wait", p99_ms(&converged, "workload-low"), 100.0, 0.0);
}

#[test]
fn service_accounts_share_a_level() {
    let shares = |workers| {
        let tenant = |n, workers| {
            let user = format!("system:serviceaccount:default:tenant-{n}");
            callers(&format!("tenant-{n}"), &user, "create", "default", workers, 100)
        };
        let outcome = played(30, 0, &[tenant(1, workers), tenant(2, 369)]);
        (share(&outcome, "tenant-1"), share(&outcome, "tenant-2"))
    };
    let (first, second) = shares(148);
    near("first", first, 40.0, 2.0);
    near("second", second, 60.0, 2.0);
    let (first, second) = shares(221);
    near("first", first, 50.0, 5.0);
    near("second", second, 50.0, 5.0);
}

/// Two namespaces of the controller manager in workload-high.
fn namespaces(a: (u32, u32), b: (u32, u32)) -> Outcome {
    let a = callers("a", KCM, "create", "ns-a", a.0, a.1);
    played(10, 0, &[a, callers("b", KCM, "create", "ns-b", b.0, b.1)])
}

#[test]
fn namespaces_share_a_level() {
    let outcome = namespaces((49, 100), (122, 100));
    near("a", share(&outcome, "a"), 40.0, 2.0);
    near("b", share(&outcome, "b"), 60.0, 2.0);
    let outcome = namespaces((73, 100), (122, 100));
    near("a", share(&outcome, "a"), 50.0, 1.0);
    near("b", share(&outcome, "b"), 50.0, 1.0);
}

#[test]
fn fast_and_slow_requests_share_a_level() {
    let outcome = namespaces((49, 10), (122, 100));
    near("fast", share(&outcome, "a"), 40.0, 3.0);
    near("slow", share(&outcome, "b"), 60.0, 3.0);
    let outcome = namespaces((73, 10), (122, 100));
    near("fast", share(&outcome, "a"), 50.0, 2.0);
    near("slow", share(&outcome, "b"), 50.0, 2.0);
    let completed = |name: &str| outcome.client(name).unwrap().row.completed as f64;
    near("ratio", completed("a") / completed("b"), 10.0, 1.0);
}

/// Creates in one namespace, LISTs of `pods` pods in another, both in workload-high.
fn widths(pods: u32, creates: u32, lists: u32) -> Outcome {
    let creates = callers("creates", KCM, "create", "ns-a", creates, 100);
    played(10, pods, &[creates, callers("lists", KCM, "list", "ns-b", lists, 100)])
}

#[test]
fn narrow_and_wide_requests_share_a_level() {
    let outcome = widths(100, 45, 12);
    assert_eq!(outcome.client("lists").unwrap().seats_each, 10);
    near("creates", share(&outcome, "creates"), 40.0, 5.0);
    near("lists", share(&outcome, "lists"), 60.0, 5.0);
    let outcome = widths(100, 68, 12);
    near("creates", share(&outcome, "creates"), 50.0, 5.0);
    near("lists", share(&outcome, "lists"), 50.0, 5.0);
}

#[test]
fn lists_wider_than_their_cap_do_not_starve_creates() {
    for (creates, seats, requests, share_of_creates, lists, list_requests, share_of_lists) in
        [(45, 36.0, 3625.0, 7.0, 476.0, 475.0, 91.5), (113, 55.0, 5519.0, 13.0, 364.0, 363.0, 85.0)]
    {
        let outcome = widths(1000, creates, 20);
        let of = |name: &str| &outcome.client(name).unwrap().row;
        assert_eq!(outcome.client("lists").unwrap().seats_each, 15);
        near("seats of creates", real_seats(of("creates").mean_held_bytes), seats, 3.0);
        near("creates", of("creates").completed as f64, requests, 300.0);
        near("share of creates", share(&outcome, "creates"), share_of_creates, 2.0);
        near("seats of lists", real_seats(of("lists").mean_held_bytes), lists, 20.0);
        near("lists", of("lists").completed as f64, list_requests, 20.0);
        near("share of lists", share(&outcome, "lists"), share_of_lists, 2.0);
    }
}

#[test]
fn exempt_traffic_never_waits_and_takes_from_the_others() {
    let outcome = played(
        30,
        0,
        &[
            callers("admin", "admin", "create", "default", 250, 100),
            callers("tenant", TENANT, "create", "default", 300, 100),
        ],
    );
    untouched(&outcome, &["exempt"]);
    near("exempt", real_seats(level(&outcome, "exempt").row.mean_held_bytes), 250.0, 1.0);
    near("nominal", of_nominal(&outcome, "workload-low"), 50.0, 5.0);
}

#[test]
fn two_levels_borrow_what_the_others_lend() {
    let outcome = played(
        30,
        0,
        &[
            callers("kcm-pods", KCM, "create", "default", 300, 100),
            callers("developer", "developer", "create", "default", 300, 100),
        ],
    );
    untouched(&outcome, &["leader-election", "node-high", "workload-low"]);
    let seats = |name: &str| real_seats(level(&outcome, name).row.mean_held_bytes);
    near("alike", seats("workload-high"), seats("global-default"), 10.0);
    near("workload-high", of_nominal(&outcome, "workload-high"), 216.0, 5.0);
    near("global-default", of_nominal(&outcome, "global-default"), 422.0, 10.0);
    near("wait", p99_ms(&outcome, "workload-high"), 100.0, 0.0);
    near("wait", p99_ms(&outcome, "global-default"), 100.0, 0.0);
    near("server", of_server(&outcome), 70.5, 1.0);
}

#[test]
fn a_busy_level_takes_its_lent_seats_back() {
    let outcome = played(
        30,
        0,
        &[
            callers("kcm-pods", KCM, "create", "default", 300, 100),
            callers("tenant", TENANT, "create", "default", 300, 100),
        ],
    );
    untouched(&outcome, &["leader-election", "node-high"]);
    near("workload-low", of_nominal(&outcome, "workload-low"), 100.0, 1.0);
    near("workload-high", of_nominal(&outcome, "workload-high"), 175.5, 1.0);
    near("wait", p99_ms(&outcome, "workload-low"), 100.0, 0.0);
    near("wait", p99_ms(&outcome, "workload-high"), 100.0, 0.0);
    near("server", of_server(&outcome), 69.9, 1.0);
}

#[test]
fn heavy_lists_of_one_level_overload_the_server() {
    let outcome = played(30, 1000, &[callers("dev", "developer", "list", "default", 15, 1000)]);
    near("nominal", of_nominal(&outcome, "global-default"), 3061.0, 1.0);
    near("server", of_server(&outcome), 251.4, 1.0);
}

#[test]
fn heavy_lists_of_two_levels_ignore_their_shares() {
    let outcome = played(
        30,
        1000,
        &[
            callers("kcm-lists", KCM, "list", "default", 40, 1000),
            callers("dev", "developer", "list", "default", 40, 1000),
        ],
    );
    let seats = |name: &str| real_seats(level(&outcome, name).row.mean_held_bytes);
    near("alike", seats("workload-high"), seats("global-default"), 5.0);
    near("workload-high", of_nominal(&outcome, "workload-high"), 1838.0, 5.0);
    near("global-default", of_nominal(&outcome, "global-default"), 3673.0, 5.0);
    near("server", of_server(&outcome), 601.4, 1.0);
}
