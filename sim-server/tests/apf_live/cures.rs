//! The four configurations of `fixtures/apf-live/apf_cure.json`, live: 100 clients of one user list
//! pods at once, and a LIST executes for longer than the test looks on.
//!
//! How many execute after 1 s and after 15 s, and the seats of each, are those of the recorded
//! server (its limits stand in the recording, its seats and its first second in the golden lab's
//! README, 2.3 and 2.9).

use std::{ops::RangeInclusive, time::Duration};

use serde_json::json;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    PODS, level, schema,
    server::{Server, eventually},
};

const CLIENTS: usize = 100;

const PACED: &str = "--service-time=list=40s";

/// Where LISTs are as wide as the level lets them be.
const POPULATE: &str = "--populate=pods=2000x2Ki";

/// The limits are adjusted every 10 s from the start on: 8 s into the storm, as many are let in as
/// were recorded.
const STORM_AFTER: Duration = Duration::from_secs(2);

async fn start(release: &str) -> (Server, Instant) {
    let version = format!("--kubernetes-version={release}");
    let server = Server::start(&[POPULATE, PACED, &version]).await;
    (server, Instant::now())
}

async fn storm(server: &Server) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(server.deaf("alice", PODS).await);
    }
    clients
}

/// Puts the level of the recording between the user and the pods.
async fn pod_lists(server: &Server, borrowing: Option<i32>) {
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
}

/// How many LISTs execute after 1 s and after 15 s, and the seats of each.
async fn check(
    server: &Server,
    started: Instant,
    level: &str,
    seats: &str,
    after_1_s: usize,
    after_15_s: RangeInclusive<usize>,
) {
    sleep_until(started + STORM_AFTER).await;
    let _clients = storm(server).await;
    let begun = Instant::now();
    eventually("the storm has come", async || {
        server.requests(level).await == (after_1_s, CLIENTS - after_1_s)
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(6), "too busy a machine to tell anything");
    let rows = server.dump("dump_requests").await;
    assert!(rows.iter().filter(|row| row[0] == level).all(|row| row[6] == seats), "{rows:?}");
    sleep_until(begun + Duration::from_secs(15)).await;
    let (executing, _) = server.requests(level).await;
    assert!(after_15_s.contains(&executing), "{executing} after 15 s, not {after_15_s:?}");
}

async fn default_objects(release: &str) {
    let (server, started) = start(release).await;
    // 368 seats; a little more or less when the storm is a little late.
    check(&server, started, "global-default", "8", 7, 44..=48).await;
}

async fn no_borrowing(release: &str) {
    let (server, started) = start(release).await;
    pod_lists(&server, Some(0)).await;
    check(&server, started, "pod-lists", "2", 6, 6..=6).await;
}

async fn unlimited_borrowing(release: &str) {
    let (server, started) = start(release).await;
    pod_lists(&server, None).await;
    check(&server, started, "pod-lists", "2", 13, CLIENTS..=CLIENTS).await;
}

/// Twenty are let in, and who is not is told so at once.
async fn without_fairness(release: &str) {
    let version = format!("--kubernetes-version={release}");
    let flags = ["--enable-priority-and-fairness=false", "--max-requests-inflight=20"];
    let server = Server::start(&[flags[0], flags[1], POPULATE, PACED, &version]).await;
    let mut refused = 0;
    for mut client in storm(&server).await {
        let mut answer = [0; 12];
        match timeout(Duration::from_millis(500), client.read_exact(&mut answer)).await {
            Ok(read) => {
                read.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 429");
                refused += 1;
            }
            // It executes, and goes on doing so only while its client is there.
            Err(_) => std::mem::forget(client),
        }
    }
    assert_eq!(refused, CLIENTS - 20);
    let refusal = server.get("alice", "/api/v1/pods?limit=1").await;
    assert_eq!((refusal.status, refusal.header("retry-after")), (429, "1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_objects_let_seven_in_and_later_forty_six() {
    tokio::join!(default_objects("1.32"), default_objects("1.33"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_level_that_borrows_nothing_lets_six_in_and_no_more() {
    tokio::join!(no_borrowing("1.32"), no_borrowing("1.33"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_level_that_borrows_lets_thirteen_in_and_later_all() {
    tokio::join!(unlimited_borrowing("1.32"), unlimited_borrowing("1.33"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_fairness_twenty_are_in_and_the_rest_refused() {
    tokio::join!(without_fairness("1.32"), without_fairness("1.33"));
}
