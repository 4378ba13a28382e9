//! API Priority and Fairness in a server that is serving.

#![expect(clippy::float_cmp, reason = "limits are whole numbers of seats")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod cures;
mod server;
mod three_users;

use serde_json::{Value, json};
use server::{FLOW, Server, eventually};

pub(crate) fn level(name: &str, limited: Value) -> Value {
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": name},
        "spec": {"type": "Limited", "limited": limited},
    })
}

/// Sends what authenticated users do with pods to a level.
pub(crate) fn schema(name: &str, level: &str, verbs: &[&str]) -> Value {
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": name},
        "spec": {
            "priorityLevelConfiguration": {"name": level},
            "matchingPrecedence": 500,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [{
                "subjects": [{"kind": "Group", "group": {"name": "system:authenticated"}}],
                "resourceRules": [{
                    "verbs": verbs, "apiGroups": [""], "resources": ["pods"],
                    "namespaces": ["*"], "clusterScope": true,
                }],
            }],
        },
    })
}

fn queues(shares: u32, queues: u32, hand: u32, length: u32) -> Value {
    json!({
        "nominalConcurrencyShares": shares,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Queue", "queuing": {
            "queues": queues, "handSize": hand, "queueLengthLimit": length,
        }},
    })
}

/// Bodies that no socket buffer swallows whole.
const MUCH: &str = "--populate=pods=3000";
const PODS: &str = "/api/v1/pods?resourceVersion=0";

/// A level of one seat: one of 246 shares of 4 seats, rounded up.
async fn one_seat(length: u32, populate: &str) -> Server {
    let seats = ["--max-requests-inflight=3", "--max-mutating-requests-inflight=1"];
    let server = Server::start(&[seats[0], seats[1], populate]).await;
    let made = server.create(&level("one", queues(1, 1, 1, length))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(server.create(&schema("one", "one", &["*"])).await.status, 201);
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_name_schema_and_level_by_uid() {
    let server = Server::start(&["--populate=pods=1"]).await;
    let uid = async |plural: &str, name: &str| {
        let object = server.get("", &format!("{FLOW}/{plural}/{name}")).await.json();
        object["metadata"]["uid"].as_str().unwrap().to_owned()
    };
    for (user, name) in [("alice", "global-default"), ("", "exempt")] {
        let answer = server.get(user, "/api/v1/nodes").await;
        assert_eq!(answer.header("x-kubernetes-pf-flowschema-uid"), uid("flowschemas", name).await);
        assert_eq!(
            answer.header("x-kubernetes-pf-prioritylevel-uid"),
            uid("prioritylevelconfigurations", name).await
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_takes_effect_at_once() {
    let server = Server::start(&["--populate=pods=1"]).await;
    assert_eq!(server.create(&level("mine", queues(5, 16, 4, 50))).await.status, 201);
    assert_eq!(server.limit("mine").await, 12.0);
    let path = format!("{FLOW}/prioritylevelconfigurations/mine");
    let mut object = server.get("", &path).await.json();
    object["spec"]["limited"]["nominalConcurrencyShares"] = json!(245);
    assert_eq!(server.send("", "PUT", &path, Some(&object)).await.status, 200);
    assert_eq!(server.limit("mine").await, 300.0);
    // And so does a schema: the next request goes by it.
    assert_eq!(server.create(&schema("mine", "mine", &["*"])).await.status, 201);
    let uid = object["metadata"]["uid"].as_str().unwrap();
    let answer = server.get("alice", "/api/v1/pods").await;
    assert_eq!(answer.header("x-kubernetes-pf-prioritylevel-uid"), uid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_objects_are_refused_with_causes() {
    let server = Server::start(&[]).await;
    let mut url = schema("bad", "system", &["*"]);
    url["spec"]["rules"][0]["nonResourceRules"] =
        json!([{"verbs": ["get"], "nonResourceURLs": ["no-slash"]}]);
    let mut percent = level("bad", queues(5, 16, 4, 50));
    percent["spec"]["limited"]["lendablePercent"] = json!(101);
    for (object, field) in [
        (level("bad", queues(5, 512, 8, 50)), "spec.limited.limitResponse.queuing.handSize"),
        (url, "spec.rules[0].nonResourceRules[0].nonResourceURLs[0]"),
        (percent, "spec.limited.lendablePercent"),
    ] {
        let answer = server.create(&object).await;
        assert_eq!(answer.status, 422, "{field}: {}", answer.body);
        let status = answer.json();
        assert_eq!(status["reason"], "Invalid");
        let causes = status["details"]["causes"].as_array().unwrap();
        let fields: Vec<_> = causes.iter().map(|cause| cause["field"].as_str().unwrap()).collect();
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_level_dangles_and_stops_nothing() {
    let server = Server::start(&["--populate=pods=1"]).await;
    // The real server takes it, too, and says so in its status.
    assert_eq!(server.create(&schema("lost", "nowhere", &["*"])).await.status, 201);
    let path = format!("{FLOW}/flowschemas/lost");
    let condition = server.get("", &path).await.json()["status"]["conditions"][0].clone();
    assert_eq!((&condition["type"], &condition["status"]), (&json!("Dangling"), &json!("True")));
    assert_eq!(server.get("alice", "/api/v1/pods").await.status, 200);
    assert_eq!(server.create(&level("nowhere", queues(5, 16, 4, 50))).await.status, 201);
    let condition = server.get("", &path).await.json()["status"]["conditions"][0].clone();
    assert_eq!(condition["status"], "False");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_with_retry_after() {
    let server = one_seat(1, MUCH).await;
    let _reader = server.deaf("alice", PODS).await;
    eventually("one executes", async || server.requests("one").await == (1, 0)).await;
    let waiter = server.deaf("bob", PODS).await;
    eventually("one waits", async || server.requests("one").await == (1, 1)).await;
    let refused = server.get("carol", PODS).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.body, "Too many requests, please try again later.\n");
    assert!(!refused.header("x-kubernetes-pf-prioritylevel-uid").is_empty());
    // Masters never wait.
    assert_eq!(server.get("", "/api/v1/pods?limit=1").await.status, 200);

    // A client that leaves gives its place in the queue back.
    drop(waiter);
    eventually("its place is free", async || server.requests("one").await == (1, 0)).await;
    let rows = server.dump("dump_priority_levels").await;
    let one = rows.iter().find(|row| row[0] == "one").unwrap();
    // Rejected, timed out (never counted), cancelled.
    assert_eq!(one[7..], ["2", "0", "1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_is_free_when_its_reader_leaves() {
    let server = one_seat(10, MUCH).await;
    let reader = server.deaf("alice", PODS).await;
    eventually("one executes", async || server.requests("one").await == (1, 0)).await;
    let _next = server.deaf("bob", PODS).await;
    eventually("one waits", async || server.requests("one").await == (1, 1)).await;
    let rows = server.dump("dump_queues").await;
    let queue = rows.iter().find(|row| row[0] == "one").unwrap();
    // Index, pending, executing, seats in use.
    assert_eq!(queue[1..5], ["0", "1", "1", "1"]);
    let rows = server.dump("dump_requests?includeRequestDetails=1").await;
    let waiting = rows.iter().find(|row| row[0] == "one" && row[3] == "0").unwrap();
    assert_eq!((waiting[10].as_str(), waiting[11].as_str()), ("bob", "list"));
    drop(reader);
    eventually("the next executes", async || server.requests("one").await == (1, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_holds_its_seat_until_its_initial_events_are_sent() {
    // Few events: they are sent, and the watch goes on without a seat.
    let server = one_seat(10, "--populate=pods=5").await;
    let _watch = server.deaf("alice", "/api/v1/pods?watch=1").await;
    eventually("it is served", async || {
        let rows = server.dump("dump_priority_levels").await;
        rows.iter().any(|row| row[0] == "one" && row[6] == "1")
    })
    .await;
    eventually("no seat is held", async || server.requests("one").await == (0, 0)).await;
    assert_eq!(server.get("bob", "/api/v1/pods?limit=1").await.status, 200);

    // Many, to a client that does not read: they are not sent, so the seat is held.
    let server = one_seat(10, MUCH).await;
    let watch = server.deaf("alice", "/api/v1/pods?watch=1").await;
    let _list = server.deaf("bob", "/api/v1/pods?limit=1").await;
    eventually("the list waits", async || server.requests("one").await == (1, 1)).await;
    drop(watch);
    eventually("the list is served", async || server.requests("one").await == (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mandatory_objects_cannot_be_spoilt_and_never_lack() {
    let server = Server::start(&["--populate=pods=1"]).await;
    let path = format!("{FLOW}/prioritylevelconfigurations/catch-all");
    let mut object = server.get("", &path).await.json();
    object["spec"]["limited"]["nominalConcurrencyShares"] = json!(500);
    assert_eq!(server.send("", "PUT", &path, Some(&object)).await.status, 422);
    // Deleted, the level is imagined until the next pass makes it again.
    assert_eq!(server.send("", "DELETE", &path, None).await.status, 200);
    assert_eq!(server.limit("catch-all").await, 30.0);
    assert_eq!(server.get("alice", "/api/v1/pods").await.status, 200);
}
