//! The max-inflight filter, as recorded with limits of 5 and 2 (`--enable-priority-and-fairness
//! =false --max-requests-inflight=5 --max-mutating-requests-inflight=2`).

use http::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    bad_clients::{ALL, MUCH, deaf},
    client::{Answer, Ask},
    server::{CONFIG_MAPS, Server, alice, config_map, eventually, user},
    watch_stream::Watch,
};

async fn limited(flags: &[&str]) -> Server {
    let limits = [
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=5",
        "--max-mutating-requests-inflight=2",
    ];
    let flags: Vec<&str> = limits.iter().chain(flags).copied().collect();
    Server::with(&flags, |config| {
        config.tokens = vec![alice(), user("system:node:n1", &["system:nodes"])];
    })
    .await
}

/// Five LISTs whose readers have stopped reading.
async fn five_slow_lists(server: &Server) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(deaf(server.http, ALL, "authorization: Bearer alice\r\n").await);
    }
    eventually("they hold seats", async || server.executing("readOnly").await == 5).await;
    clients
}

fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 429, "{what}: {}", answer.text());
    let mut names: Vec<&str> = answer.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "audit-id",
        "cache-control",
        "content-length",
        "content-type",
        "date",
        "retry-after",
        "x-content-type-options",
    ];
    assert_eq!(names, expected, "{what}");
    assert_eq!(answer.header("cache-control"), "no-cache, private");
    assert_eq!(answer.header("content-length"), "43");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_read_only_pool_refuses_as_recorded() {
    let server = limited(&[MUCH]).await;
    let readers = five_slow_lists(&server).await;
    let node = "system:node:n1";
    for (token, path) in [
        ("alice", "/api/v1/namespaces/load/configmaps?limit=1"),
        (node, "/api/v1/nodes/n1"),
        ("alice", "/healthz"),
        ("alice", "/readyz"),
        ("alice", "/livez"),
        ("alice", "/version"),
        ("alice", "/api"),
        ("alice", "/metrics"),
        ("alice", "/openapi/v3"),
        ("alice", "/nosuch"),
        ("alice", "/api/v1/namespaces/load/pods/x/status"),
    ] {
        let answer = server.send(Ask::get(path).token(token)).await;
        assert_refused(&answer, path);
        assert_eq!(answer.text(), "Too many requests, please try again later.\n");
    }
    let head = Ask::new(Method::HEAD, CONFIG_MAPS).token("alice");
    let head = server.send(head).await;
    assert_refused(&head, "HEAD");
    assert!(head.body.is_empty());

    // What runs long is neither counted nor refused.
    let mut client = server.client().await;
    for path in [
        "/api/v1/namespaces/load/pods?watch=1&timeoutSeconds=1",
        "/api/v1/watch/namespaces/load/pods?timeoutSeconds=1",
    ] {
        let mut watch = Watch::of(client.open(Ask::get(path).token("alice")).await);
        assert_eq!(watch.next().await, None);
    }
    for path in ["log", "exec?command=x", "attach", "proxy/"] {
        let path = format!("/api/v1/namespaces/load/pods/x/{path}");
        let answer = server.send(Ask::get(&path).token("alice")).await;
        assert_ne!(answer.status, 429, "{path}");
    }
    // system:masters are never refused, and other writes have a pool of their own.
    assert_eq!(server.get("/api/v1/namespaces/load/configmaps?limit=1").await.status, 200);
    let object = config_map("made", &json!({}), &json!({}));
    let made = Ask::new(Method::POST, CONFIG_MAPS).token("alice").json(&object);
    assert_eq!(server.send(made).await.status, 201);

    // Clients that vanish give their seats back.
    drop(readers);
    eventually("the seats are free", async || server.executing("readOnly").await == 0).await;
    let again = Ask::get("/api/v1/namespaces/load/configmaps?limit=1").token("alice");
    assert_eq!(server.send(again).await.status, 200);
}

#[tokio::test]
async fn a_full_mutating_pool_refuses_writes_alone() {
    let server = limited(&[]).await;
    let mut writers = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.http).await.unwrap();
        let head = format!(
            "POST {CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer alice\r\n\
             content-type: application/json\r\ncontent-length: 9\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        writers.push(stream);
    }
    eventually("they hold seats", async || server.executing("mutating").await == 2).await;
    let object = config_map("x", &json!({}), &json!({ "k": "x".repeat(200_000) }));
    for (method, path) in [
        (Method::POST, CONFIG_MAPS),
        (Method::PUT, "/api/v1/namespaces/default/configmaps/x"),
        (Method::DELETE, "/api/v1/namespaces/default/configmaps/x"),
        (Method::PATCH, "/api/v1/namespaces/default/configmaps/x"),
    ] {
        let ask = Ask::new(method.clone(), path).token("alice").json(&object);
        assert_refused(&server.send(ask).await, method.as_str());
    }
    let read = Ask::get(CONFIG_MAPS).token("alice");
    assert_eq!(server.send(read).await.status, 200);
    assert_eq!(server.post(CONFIG_MAPS, &object).await.status, 201, "system:masters");
    drop(writers);
    eventually("the seats are free", async || server.executing("mutating").await == 0).await;
    let again = Ask::new(Method::DELETE, "/api/v1/namespaces/default/configmaps/x").token("alice");
    assert_eq!(server.send(again).await.status, 200);
}

/// The gauge is the highest count of the last full second, the counter names what was refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_of_both_pools() {
    let server = limited(&[MUCH]).await;
    let readers = five_slow_lists(&server).await;
    assert_eq!(server.send(Ask::get("/healthz").token("alice")).await.status, 429);
    let metrics = async || server.get("/metrics").await.text().to_owned();
    let full = "apiserver_current_inflight_requests{request_kind=\"readOnly\"} 5";
    eventually("the gauge says 5", async || metrics().await.contains(full)).await;
    let refused = "apiserver_request_terminations_total{code=\"429\",component=\"apiserver\",\
                   group=\"\",resource=\"\",scope=\"\",subresource=\"/healthz\",verb=\"GET\",\
                   version=\"\"} 1";
    let found = metrics().await;
    assert!(found.contains(refused), "{found}");
    drop(readers);
    // Asking counts too.
    let free = "apiserver_current_inflight_requests{request_kind=\"readOnly\"} 1";
    eventually("the gauge says 1", async || metrics().await.contains(free)).await;
    assert!(found.contains("apiserver_current_inflight_requests{request_kind=\"mutating\"} 0"));
}
