//! What a LIST reads: pages, selections and versions, over HTTP.

use serde_json::{Value, json};

use crate::{
    client::Ask,
    server::{CONFIG_MAPS, Server},
};

/// Eight ConfigMaps `cm-0` … with label `par`; returns their resourceVersions.
async fn eight(server: &Server) -> Vec<u64> {
    let mut revisions = Vec::new();
    for n in 0..8 {
        let labels = json!({ "par": if n % 2 == 0 { "even" } else { "odd" } });
        revisions.push(server.config_map(&format!("cm-{n}"), &labels, &json!({})).await);
    }
    revisions
}

/// The pages of one chain: names, and what remains after each.
async fn pages(server: &Server, query: &str) -> Vec<(Vec<String>, Option<u64>)> {
    let mut pages = Vec::new();
    let mut next = String::new();
    let mut revision = None;
    loop {
        let page = server.get(&format!("{CONFIG_MAPS}?{query}{next}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let list = page.json();
        // All pages are of the first one's version.
        assert_eq!(*revision.get_or_insert_with(|| page.revision()), page.revision());
        pages.push((page.names(), list["metadata"]["remainingItemCount"].as_u64()));
        match list["metadata"]["continue"].as_str() {
            Some(token) => next = format!("&continue={token}"),
            None => return pages,
        }
    }
}

fn names(numbers: &[u64]) -> Vec<String> {
    numbers.iter().map(|n| format!("cm-{n}")).collect()
}

#[tokio::test]
async fn pages_follow_each_other() {
    for version in
        ["--kubernetes-version=1.30", "--kubernetes-version=1.33", "--kubernetes-version=1.36"]
    {
        let server = Server::start(&[version]).await;
        eight(&server).await;
        let expected = vec![
            (names(&[0, 1, 2]), Some(5)),
            (names(&[3, 4, 5]), Some(2)),
            (names(&[6, 7]), None),
        ];
        assert_eq!(pages(&server, "limit=3").await, expected);
        assert_eq!(pages(&server, "limit=8").await, [(names(&[0, 1, 2, 3, 4, 5, 6, 7]), None)]);
        // With a selector nobody counts what remains.
        let even = pages(&server, "limit=3&labelSelector=par%3Deven").await;
        assert!(even.iter().all(|(_, remaining)| remaining.is_none()));
        let even: Vec<String> = even.into_iter().flat_map(|(names, _)| names).collect();
        assert_eq!(even, names(&[0, 2, 4, 6]));
    }
}

#[tokio::test]
async fn a_chain_shows_the_state_of_its_first_page() {
    let server = Server::start(&[]).await;
    eight(&server).await;
    let first = server.get(&format!("{CONFIG_MAPS}?limit=3")).await;
    let token = first.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    server.config_map("cm-35", &json!({}), &json!({})).await;
    let gone = Ask::new(http::Method::DELETE, &format!("{CONFIG_MAPS}/cm-5"));
    assert_eq!(server.send(gone).await.status, 200);
    let rest = server.get(&format!("{CONFIG_MAPS}?continue={token}")).await;
    assert_eq!((rest.names(), rest.revision()), (names(&[3, 4, 5, 6, 7]), first.revision()));

    // Compaction takes that state away; the answer offers to go on in the present.
    assert_eq!(server.post("/sim/compact", &json!({})).await.status, 200);
    let expired = server.get(&format!("{CONFIG_MAPS}?limit=3&continue={token}")).await;
    let status = expired.json();
    assert_eq!((expired.status, status["reason"].as_str()), (410, Some("Expired")));
    assert!(
        expired.message().starts_with(
            "The provided continue parameter is too old to display a consistent list result. \
             You can start a new list without the continue parameter, or use the continue token \
             in this response to retrieve the remainder of the results."
        ),
        "{}",
        expired.message()
    );
    let token = status["metadata"]["continue"].as_str().unwrap();
    let rest = server.get(&format!("{CONFIG_MAPS}?continue={token}")).await;
    assert_eq!(rest.names(), ["cm-3", "cm-35", "cm-4", "cm-6", "cm-7"]);
    assert!(rest.revision() > first.revision());
}

#[tokio::test]
async fn versions_are_read_as_asked() {
    let server = Server::start(&[]).await;
    let revisions = eight(&server).await;
    let list = async |query: &str| server.get(&format!("{CONFIG_MAPS}?{query}")).await;
    let all = names(&[0, 1, 2, 3, 4, 5, 6, 7]);
    let latest = revisions[7];

    let any = list("resourceVersion=0&limit=2").await;
    assert_eq!((any.names(), any.revision()), (all.clone(), latest), "0 ignores the limit");
    let newer = list(&format!("resourceVersion={}", revisions[2])).await;
    assert_eq!((newer.names(), newer.revision()), (all.clone(), latest));
    let match_newer = "resourceVersionMatch=NotOlderThan";
    let newer = list(&format!("resourceVersion={}&{match_newer}&limit=2", revisions[2])).await;
    assert_eq!((newer.names(), newer.revision()), (names(&[0, 1]), latest));

    // Exact, and a limit without a match: the state of then.
    let exact = list(&format!("resourceVersion={}&resourceVersionMatch=Exact", revisions[2])).await;
    assert_eq!((exact.names(), exact.revision()), (names(&[0, 1, 2]), revisions[2]));
    let legacy = list(&format!("resourceVersion={}&limit=2", revisions[2])).await;
    assert_eq!((legacy.names(), legacy.revision()), (names(&[0, 1]), revisions[2]));
    let token = legacy.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    assert_eq!(list(&format!("continue={token}")).await.names(), names(&[2]));

    assert_eq!(server.post("/sim/compact", &json!({})).await.status, 200);
    let gone = list(&format!("resourceVersion={}&resourceVersionMatch=Exact", revisions[2])).await;
    assert_eq!(
        gone.json(),
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "The resourceVersion for the provided list is too old.",
            "reason": "Expired", "code": 410,
        })
    );
    assert_eq!(list(&format!("resourceVersion={}", revisions[2])).await.names(), all);
}

/// The answer to a version that does not exist yet comes after three seconds, or as soon as it
/// does exist.
#[tokio::test]
async fn a_version_that_is_to_come_is_waited_for() {
    let server = Server::start(&[]).await;
    let current = server.config_map("first", &json!({}), &json!({})).await;
    let path = format!("{CONFIG_MAPS}?resourceVersion={}", current + 1);
    let (waited, written) = tokio::join!(server.get(&path), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        server.config_map("second", &json!({}), &json!({})).await
    });
    assert_eq!(
        (waited.names(), waited.revision()),
        (vec!["first".into(), "second".into()], written)
    );

    let never = server.get(&format!("{CONFIG_MAPS}?resourceVersion=999999")).await;
    assert_eq!((never.status, never.header("retry-after")), (504, "1"));
    let message = format!("Timeout: Too large resource version: 999999, current: {written}");
    assert_eq!(never.message(), message);
    let cause =
        json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
    assert_eq!(never.json()["details"]["causes"], cause);
}

#[tokio::test]
async fn selectors_select() {
    let server = Server::start(&["--populate=pods=40,nodes=4"]).await;
    let list = async |query: &str| server.get(&format!("/api/v1/pods?{query}")).await.json();
    let items = |list: &Value| list["items"].as_array().unwrap().clone();
    let all = items(&list("").await);
    assert_eq!(all.len(), 40);
    for (parameter, pointer) in [
        ("fieldSelector=spec.nodeName", "/spec/nodeName"),
        ("fieldSelector=metadata.name", "/metadata/name"),
        ("fieldSelector=metadata.namespace", "/metadata/namespace"),
        ("fieldSelector=status.phase", "/status/phase"),
        ("labelSelector=app", "/metadata/labels/app"),
    ] {
        let value = |pod: &Value| pod.pointer(pointer).cloned().unwrap_or_default();
        let wanted = value(&all[7]);
        let chosen: Vec<Value> = all.iter().filter(|pod| value(pod) == wanted).cloned().collect();
        let others: Vec<Value> = all.iter().filter(|pod| value(pod) != wanted).cloned().collect();
        let wanted = wanted.as_str().unwrap();
        assert_eq!(items(&list(&format!("{parameter}%3D{wanted}")).await), chosen, "{parameter}");
        assert_eq!(items(&list(&format!("{parameter}!%3D{wanted}")).await), others, "{parameter}");
    }
}
