//! The four configurations of `fixtures/apf-live/apf_cure.json`, live.
//!
//! Readers that stop reading stand in for LISTs that take their time. How many are let in at first
//! is what is checked; what borrowing makes of it after ten seconds is checked in virtual time, by
//! loadgen.

use std::time::Duration;

use serde_json::json;
use tokio::{net::TcpStream, time::sleep};

use crate::{
    MUCH, PODS, level, schema,
    server::{Server, eventually},
};

/// 40 clients of one user list pods at once.
async fn storm(server: &Server) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(server.deaf("alice", PODS).await);
    }
    clients
}

async fn pod_lists(borrowing: Option<i32>) -> Server {
    let server = Server::start(&[MUCH, "--kubernetes-version=1.33"]).await;
    let mut limited = json!({
        "nominalConcurrencyShares": 5,
        "limitResponse": {"type": "Queue", "queuing": {
            "queues": 16, "handSize": 4, "queueLengthLimit": 50,
        }},
    });
    if let Some(percent) = borrowing {
        limited["borrowingLimitPercent"] = json!(percent);
    }
    assert_eq!(server.create(&level("pod-lists", limited)).await.status, 201);
    assert_eq!(server.create(&schema("pod-lists", "pod-lists", &["list"])).await.status, 201);
    server
}

/// Checks how many of the storm execute, and their seats.
async fn let_in(server: &Server, level: &str, lists: usize, seats: &str) {
    let clients = storm(server).await;
    let waiting = clients.len() - lists;
    eventually("the storm has come", async || server.requests(level).await == (lists, waiting))
        .await;
    let rows = server.dump("dump_requests").await;
    assert!(rows.iter().filter(|row| row[0] == level).all(|row| row[6] == seats), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_objects_let_seven_in() {
    let server = Server::start(&[MUCH, "--kubernetes-version=1.33"]).await;
    let_in(&server, "global-default", 7, "8").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_level_that_borrows_nothing_lets_six_in() {
    let server = pod_lists(Some(0)).await;
    let_in(&server, "pod-lists", 6, "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_level_that_borrows_lets_thirteen_in_at_first() {
    let server = pod_lists(None).await;
    let_in(&server, "pod-lists", 13, "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_fairness_twenty_are_in_and_the_rest_refused() {
    let flags = ["--enable-priority-and-fairness=false", "--max-requests-inflight=20", MUCH];
    let server = Server::start(&flags).await;
    let _clients = storm(&server).await;
    sleep(Duration::from_millis(300)).await;
    let refused = server.get("alice", "/api/v1/pods?limit=1").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    let metrics = server.get("", "/metrics").await.body;
    assert!(metrics.lines().any(|line| {
        line.starts_with("apiserver_current_inflight_requests{request_kind=\"readOnly\"}")
    }));
}
