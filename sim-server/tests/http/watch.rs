//! WATCH over HTTP/1.1, h2c and TLS.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use crate::{
    client::{Ask, Client},
    server::{CONFIG_MAPS, Server, config_map},
    watch_stream::Watch,
};

/// A new connection of each kind.
async fn transports(server: &Server) -> [Client; 4] {
    [
        server.client().await,
        Client::h2c(server.http).await,
        Client::https1(&server.running).await,
        Client::https2(&server.running, true).await,
    ]
}

async fn serve(flags: &[&str]) -> Server {
    Server::secure(flags, |_| {}).await
}

async fn put(server: &Server, name: &str, labels: &Value, data: &Value) -> u64 {
    let path = format!("{CONFIG_MAPS}/{name}");
    let done =
        server.send(Ask::new(Method::PUT, &path).json(&config_map(name, labels, data))).await;
    assert_eq!(done.status, 200, "{}", done.text());
    done.revision()
}

async fn delete(server: &Server, name: &str) {
    let done = server.send(Ask::new(Method::DELETE, &format!("{CONFIG_MAPS}/{name}"))).await;
    assert_eq!(done.status, 200, "{}", done.text());
}

fn event(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

#[tokio::test]
async fn changes_from_a_version_on_are_seen() {
    let server = serve(&[]).await;
    let none = json!({});
    let mut before = server.config_map("old", &none, &none).await;
    for client in transports(&server).await {
        server.config_map("new", &none, &none).await;
        let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={before}&timeoutSeconds=600");
        let mut watch = Watch::open(client, &path).await;
        assert_eq!(watch.headers["content-type"], "application/json");
        let first = watch.next().await.unwrap();
        assert_eq!(first["type"], "ADDED");
        let object = &first["object"];
        assert_eq!((&object["kind"], &object["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
        let stored = server.get(&format!("{CONFIG_MAPS}/new")).await.json();
        assert_eq!(*object, stored);

        let changed = put(&server, "new", &none, &json!({ "a": "1" })).await;
        assert_eq!(watch.next_short().await, ("MODIFIED".into(), "new".into(), changed));
        delete(&server, "new").await;
        // The event has the version of the removal, above the object's last.
        let (kind, name, revision) = watch.next_short().await;
        assert_eq!((kind, name), event("DELETED", "new"));
        assert!(revision > changed);
        before = revision;
    }
}

/// Recorded (watch__rv0_and_unset_synthetic): without a version, and from 0, the present state
/// comes first.
#[tokio::test]
async fn the_present_state_comes_first_from_zero_and_from_nothing() {
    let server = serve(&[]).await;
    let none = json!({});
    for name in ["b", "a", "c"] {
        server.config_map(name, &none, &none).await;
    }
    for query in ["resourceVersion=0", ""] {
        for client in transports(&server).await {
            let mut watch = Watch::open(client, &format!("{CONFIG_MAPS}?watch=1&{query}")).await;
            for name in ["a", "b", "c"] {
                assert_eq!(watch.next_named().await, event("ADDED", name), "{query}");
            }
            server.config_map("d", &none, &none).await;
            assert_eq!(watch.next_named().await, event("ADDED", "d"));
            delete(&server, "d").await;
            assert_eq!(watch.next_named().await, event("DELETED", "d"));
        }
    }
}

const INITIAL: &str = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
                       &allowWatchBookmarks=true";

#[tokio::test]
async fn a_watch_list_ends_its_beginning_with_a_bookmark() {
    let server = serve(&["--feature-gates=WatchList=true"]).await;
    let none = json!({});
    server.config_map("a", &none, &none).await;
    let latest = server.config_map("b", &none, &none).await;
    for client in transports(&server).await {
        let mut watch = Watch::open(client, &format!("{CONFIG_MAPS}?{INITIAL}")).await;
        assert_eq!(watch.next_named().await, event("ADDED", "a"));
        assert_eq!(watch.next_named().await, event("ADDED", "b"));
        let bookmark = watch.next().await.unwrap();
        assert_eq!(bookmark["type"], "BOOKMARK");
        let object = &bookmark["object"];
        assert_eq!((&object["kind"], &object["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
        // Recorded (watchlist__send_initial_events); the second is an empty list in base64.
        let annotations = json!({
            "k8s.io/initial-events-end": "true",
            "kubernetes.io/initial-events-list-blueprint":
                "eyJraW5kIjoiQ29uZmlnTWFwTGlzdCIsImFwaVZlcnNpb24iOiJ2MSIsIm1ldGFkYXRhIjp7fSwiaXRlbXMi\
                 Om51bGx9Cg==",
        });
        assert_eq!(object["metadata"]["annotations"], annotations);
        let revision: u64 =
            object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        assert!(revision >= latest);
    }
    // Without bookmarks there is none, and what comes next is live.
    let path = format!("{CONFIG_MAPS}?{}", INITIAL.replace("&allowWatchBookmarks=true", ""));
    let mut watch = Watch::open(server.client().await, &path).await;
    assert_eq!(watch.next_named().await, event("ADDED", "a"));
    assert_eq!(watch.next_named().await, event("ADDED", "b"));
    server.config_map("c", &none, &none).await;
    assert_eq!(watch.next_named().await, event("ADDED", "c"));
}

/// Recorded (watch__send_initial_events): the gate is off in 1.33.
#[tokio::test]
async fn a_watch_list_without_the_gate_is_a_422() {
    let server = serve(&[]).await;
    let message = "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList \
                   feature gate is enabled";
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: {message}"),
        "reason": "Invalid",
        "details": {
            "group": "meta.k8s.io",
            "kind": "ListOptions",
            "causes": [{
                "reason": "FieldValueForbidden", "message": message, "field": "sendInitialEvents",
            }],
        },
        "code": 422,
    });
    for client in &mut transports(&server).await {
        let answer = client.send(Ask::get(&format!("{CONFIG_MAPS}?{INITIAL}"))).await;
        assert_eq!((answer.status, answer.json()), (422, expected.clone()));
    }
}

/// Worked example G9.
#[tokio::test]
async fn history_that_is_gone_is_an_error_event_and_the_end() {
    let server = serve(&[]).await;
    let none = json!({});
    let old = server.config_map("a", &none, &none).await;
    let last = server.config_map("b", &none, &none).await;
    let reset = server.post("/sim/watch-cache/reset?resource=configmaps", &none).await;
    assert_eq!(reset.status, 200, "{}", reset.text());
    for client in transports(&server).await {
        let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={old}");
        let mut watch = Watch::open(client, &path).await;
        assert_eq!(
            watch.next().await.unwrap(),
            json!({"type": "ERROR", "object": {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": format!("too old resource version: {old} ({last})"),
                "reason": "Expired", "code": 410,
            }})
        );
        assert_eq!(watch.next().await, None);
    }
    // From the present on it goes on.
    let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={last}");
    let mut watch = Watch::open(server.client().await, &path).await;
    server.config_map("c", &none, &none).await;
    assert_eq!(watch.next_named().await, event("ADDED", "c"));
}

/// What comes into a selection is ADDED, what leaves it DELETED, as it was selected.
#[tokio::test]
async fn selections_are_followed() {
    let server = serve(&[]).await;
    for client in transports(&server).await {
        let start = server.get(CONFIG_MAPS).await.revision();
        let path =
            format!("{CONFIG_MAPS}?watch=1&resourceVersion={start}&labelSelector=color%3Dred");
        let mut watch = Watch::open(client, &path).await;
        let (red, blue) = (json!({ "color": "red" }), json!({ "color": "blue" }));
        server.config_map("x", &blue, &json!({})).await;
        put(&server, "x", &red, &json!({})).await;
        assert_eq!(watch.next_named().await, event("ADDED", "x"));
        put(&server, "x", &red, &json!({ "a": "1" })).await;
        assert_eq!(watch.next_named().await, event("MODIFIED", "x"));
        let left = put(&server, "x", &blue, &json!({ "a": "2" })).await;
        let gone = watch.next().await.unwrap();
        assert_eq!(gone["type"], "DELETED");
        assert_eq!(gone["object"]["metadata"]["labels"], red);
        assert_eq!(gone["object"]["data"], json!({ "a": "1" }));
        assert_eq!(gone["object"]["metadata"]["resourceVersion"], left.to_string());
        delete(&server, "x").await;
        // Nothing was missed in between: the next event is the next change of the selection.
        server.config_map("y", &red, &json!({})).await;
        assert_eq!(watch.next_named().await, event("ADDED", "y"));
        delete(&server, "y").await;
        assert_eq!(watch.next_named().await, event("DELETED", "y"));
    }
}

#[tokio::test]
async fn a_watch_ends_cleanly_after_its_timeout() {
    let server = serve(&[]).await;
    let mut watches = Vec::new();
    for client in transports(&server).await {
        let path = format!("{CONFIG_MAPS}?watch=1&timeoutSeconds=1");
        watches.push(Watch::open(client, &path).await);
    }
    for watch in &mut watches {
        assert_eq!(watch.next().await, None);
    }
}

/// One object by its name, and the old path with the name in it.
#[tokio::test]
async fn one_object_can_be_watched() {
    let server = serve(&[]).await;
    let none = json!({});
    server.config_map("a", &none, &none).await;
    for path in [
        format!("{CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Db"),
        "/api/v1/watch/namespaces/default/configmaps/b".to_owned(),
    ] {
        let mut watch = Watch::open(server.client().await, &path).await;
        put(&server, "a", &none, &json!({ "path": path })).await;
        server.config_map("b", &none, &none).await;
        assert_eq!(watch.next_named().await, event("ADDED", "b"));
        delete(&server, "b").await;
        assert_eq!(watch.next_named().await, event("DELETED", "b"));
    }
}

const WRITERS: usize = 4;
const WRITES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_see_every_change_once_and_in_order() {
    let server = serve(&[]).await;
    let start = server.get(CONFIG_MAPS).await.revision();
    let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={start}");
    let mut watches = Vec::new();
    let mut clients = transports(&server).await;
    for client in &mut clients {
        // HTTP/2 carries several at once.
        for _ in 0..if client.is_http2() { 3 } else { 1 } {
            watches.push(Watch::of(client.open(Ask::get(&path)).await));
        }
    }
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let http = server.http;
            tokio::spawn(async move {
                let mut client = Client::http1(http).await;
                for n in 0..WRITES {
                    let name = format!("w{writer}-{n}");
                    let object = config_map(&name, &json!({}), &json!({}));
                    let made = client.send(Ask::new(Method::POST, CONFIG_MAPS).json(&object)).await;
                    assert_eq!(made.status, 201);
                    let gone = format!("{CONFIG_MAPS}/{name}");
                    let gone = client.send(Ask::new(Method::DELETE, &gone)).await;
                    assert_eq!(gone.status, 200);
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    for watch in &mut watches {
        let mut events = Vec::new();
        for _ in 0..WRITERS * WRITES * 2 {
            events.push(watch.next_short().await);
        }
        assert!(events.is_sorted_by_key(|(_, _, revision)| *revision), "in order");
        seen.push(events);
    }
    assert!(seen.windows(2).all(|two| two[0] == two[1]), "all see the same");
    let mut of_each: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (kind, name, _) in &seen[0] {
        of_each.entry(name).or_default().push(kind);
    }
    assert_eq!(of_each.len(), WRITERS * WRITES);
    assert!(of_each.values().all(|kinds| *kinds == ["ADDED", "DELETED"]));
    for writer in writers {
        writer.await.unwrap();
    }
}
