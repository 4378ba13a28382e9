//! In virtual time the same cluster and seed ask for the same, byte for byte.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use sim_cluster::{Action, Answer, Cluster, ClusterConfig, Request};
use sim_time::SimTime;

const NODES: u64 = 6;

/// The plainest server: some objects are there from the start, writes are said to be done.
fn answer(request: &Request, version: u64) -> Answer {
    let of = |code: u16, body: &Value| Answer {
        code,
        body: Bytes::from(body.to_string()),
        ..Answer::default()
    };
    let path = request.path.split('?').next().unwrap();
    if request.method != "GET" {
        let mut body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        body["metadata"]["resourceVersion"] = json!(version.to_string());
        body["metadata"]["uid"] = json!(format!("uid-{version}"));
        return of(if request.method == "POST" { 201 } else { 200 }, &body);
    }
    let items = match path {
        "/apis/apps/v1/daemonsets" => vec![json!({
            "metadata": {"name": "agent", "namespace": "kube-system", "uid": "set",
                "resourceVersion": "1", "generation": 1},
            "spec": {"selector": {"matchLabels": {"app": "agent"}},
                "template": {"metadata": {"labels": {"app": "agent"}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]}},
                "updateStrategy": {"type": "RollingUpdate"}},
            "status": {"observedGeneration": 1},
        })],
        "/api/v1/nodes" => (0..NODES)
            .map(|index| {
                json!({
                    "metadata": {"name": format!("node-{index}"), "uid": format!("node-{index}"),
                        "resourceVersion": "1"},
                    "status": {"allocatable": {"cpu": "8", "memory": "8Gi", "pods": "110"},
                        "conditions": [{"type": "Ready", "status": "True"}]},
                })
            })
            .collect(),
        _ if request.path.contains("limit=") => Vec::new(),
        _ => return of(404, &json!({"kind": "Status", "code": 404, "reason": "NotFound"})),
    };
    of(200, &json!({"metadata": {"resourceVersion": "1"}, "items": items}))
}

/// Everything that is asked for in a minute, a line each.
fn minute(seed: u64) -> String {
    let config =
        ClusterConfig::parse_short(&format!("nodes={NODES},clientQps=real"), "v1.33.2").unwrap();
    let epoch: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let mut cluster = Cluster::start(config, epoch, seed);
    let end = SimTime::ZERO + Duration::from_secs(60);
    let (mut now, mut version, mut log) = (SimTime::ZERO, 1, String::new());
    for _ in 0..100_000 {
        let actions = cluster.run(now);
        if actions.is_empty() {
            match cluster.next_wakeup() {
                Some(next) if next <= end => now = next.max(now),
                _ => return log,
            }
        }
        for action in actions {
            let (word, id, request) = match action {
                Action::Call(id, request) => ("call", id, request),
                Action::Watch(id, request) => ("watch", id, request),
                Action::Cancel(id) => {
                    writeln!(log, "{now:?} cancel {id}").unwrap();
                    continue;
                }
            };
            let Request { identity, method, path, accept, content_type, body } = &request;
            let (user, agent) = (&identity.user, &identity.user_agent);
            let body = String::from_utf8_lossy(body);
            writeln!(
                log,
                "{now:?} {word} {id} {user} {agent} {method} {path} {accept} {content_type} {body}"
            )
            .unwrap();
            if word == "call" {
                version += 1;
                cluster.answer(id, answer(&request, version));
            }
        }
    }
    panic!("it never comes to rest");
}

#[test]
fn the_same_seed_asks_for_the_same_byte_for_byte() {
    let first = minute(7);
    assert_eq!(first, minute(7));
    assert_ne!(first, minute(8));
    let count = |parts: &[&str]| {
        first.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    };
    assert_eq!(count(&["daemon-set-controller POST ", "/namespaces/kube-system/pods "]), 6);
    // Made, and renewed every 10 s.
    let renewed = count(&["system:node:node-3 ", " PUT ", "/leases/node-3 "]);
    assert!((4..=6).contains(&renewed), "{renewed}");
    assert_eq!(count(&["POST ", "RegisteredNode"]), 6);
}
