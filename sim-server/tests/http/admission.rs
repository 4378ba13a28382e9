//! What is admitted, allocated and given back.

use http::Method;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Ask},
    server::Server,
    watch_stream::Watch,
};

const DEFAULT: &str = "/api/v1/namespaces/default";

fn path(rest: &str) -> String {
    format!("{DEFAULT}/{rest}")
}

async fn merge(server: &Server, path: &str, patch: Value) -> Answer {
    let ask = Ask::new(Method::PATCH, path)
        .header("content-type", "application/merge-patch+json")
        .body(patch.to_string());
    server.send(ask).await
}

async fn delete(server: &Server, path: &str) -> Answer {
    server.send(Ask::new(Method::DELETE, path)).await
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": "a"}},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}})
}

#[tokio::test]
async fn a_service_gives_back_what_it_had() {
    let flags = ["--service-cluster-ip-range", "10.1.0.0/30", "--service-node-port-range", "31000"];
    let server = Server::start(&flags).await;
    let kubernetes = server.get(&path("services/kubernetes")).await.json();
    assert_eq!(kubernetes["spec"]["clusterIP"], "10.1.0.1");
    let service = |name: &str| {
        json!({"metadata": {"name": name},
            "spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}})
    };
    // The first takes what there is; one whose name is taken gives back what it took.
    let first = server.post(&path("services"), &service("a")).await;
    assert_eq!(first.json()["spec"]["clusterIP"], "10.1.0.2", "{}", first.text());
    assert_eq!(first.json()["spec"]["ports"][0]["nodePort"], 31_000);
    let second = server.post(&path("services"), &service("b")).await;
    assert_eq!(second.status, 500);
    assert_eq!(
        second.message(),
        "Internal error occurred: failed to allocate a serviceIP: range is full"
    );
    let addresses = "/apis/networking.k8s.io/v1/ipaddresses";
    assert_eq!(server.get(addresses).await.names(), ["10.1.0.1", "10.1.0.2"]);
    assert_eq!(delete(&server, &path("services/a")).await.status, 200);
    assert_eq!(server.get(addresses).await.names(), ["10.1.0.1"]);
    assert_eq!(server.post(&path("services?dryRun=All"), &service("b")).await.status, 201);
    assert_eq!(server.post(&path("services"), &service("b")).await.status, 201);
}

#[tokio::test]
async fn a_quota_counts_what_is_let_in() {
    let server = Server::start(&[]).await;
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "2"}}});
    assert_eq!(server.post(&path("resourcequotas"), &quota).await.status, 201);
    let map = |name: &str| json!({"metadata": {"name": name}});
    // Nobody has said yet what is used.
    assert_eq!(server.post(&path("configmaps"), &map("a")).await.status, 201);
    let status = json!({"status": {"hard": {"configmaps": "2"}, "used": {"configmaps": "1"}}});
    assert_eq!(merge(&server, &path("resourcequotas/q/status"), status).await.status, 200);
    assert_eq!(server.post(&path("configmaps?dryRun=All"), &map("b")).await.status, 201);
    assert_eq!(server.post(&path("configmaps"), &map("b")).await.status, 201);
    let refused = server.post(&path("configmaps"), &map("c")).await;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (
            403,
            "configmaps \"c\" is forbidden: exceeded quota: q, requested: configmaps=1, used: \
             configmaps=2, limited: configmaps=2"
        )
    );
    let used = server.get(&path("resourcequotas/q")).await.json();
    assert_eq!(used["status"]["used"], json!({"configmaps": "2"}));
}

#[tokio::test]
async fn a_pod_that_goes_at_once_is_seen_going() {
    let server = Server::start(&[]).await;
    assert_eq!(server.post(&path("pods"), &pod("p")).await.status, 201);
    let mut watch =
        Watch::open(server.client().await, &path("pods?watch=1&resourceVersion=0")).await;
    assert_eq!(watch.next().await.unwrap()["type"], "ADDED");
    assert_eq!(delete(&server, &path("pods/p?gracePeriodSeconds=0")).await.status, 200);
    let marked = watch.next().await.unwrap();
    assert_eq!(marked["type"], "MODIFIED");
    assert_eq!(marked["object"]["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(watch.next().await.unwrap()["type"], "DELETED");
}

#[tokio::test]
async fn an_eviction_spends_its_budget_once() {
    let server = Server::start(&[]).await;
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let budget = json!({"metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}});
    assert_eq!(server.post(budgets, &budget).await.status, 201);
    let status = json!({"status": {"observedGeneration": 1, "disruptionsAllowed": 1,
        "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}});
    assert_eq!(merge(&server, &format!("{budgets}/b/status"), status).await.status, 200);
    let ready = json!({"status": {"phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}]}});
    for name in ["p", "q"] {
        assert_eq!(server.post(&path("pods"), &pod(name)).await.status, 201);
        let status = path(&format!("pods/{name}/status"));
        assert_eq!(merge(&server, &status, ready.clone()).await.status, 200);
    }
    let eviction = |name: &str| {
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name},
            "deleteOptions": {"gracePeriodSeconds": 7}})
    };
    let evict = path("pods/p/eviction");
    assert_eq!(server.post(&format!("{evict}?dryRun=All"), &eviction("p")).await.status, 201);
    assert_eq!(server.post(&evict, &eviction("p")).await.status, 201);
    let gone = server.get(&path("pods/p")).await.json();
    assert_eq!(gone["metadata"]["deletionGracePeriodSeconds"], 7);
    let conditions = gone["status"]["conditions"].as_array().unwrap();
    assert_eq!(conditions.last().unwrap()["type"], "DisruptionTarget");
    let refused = server.post(&path("pods/q/eviction"), &eviction("q")).await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json()["details"]["causes"][0]["message"],
        "The disruption budget b needs 1 healthy pods and has 2 currently"
    );
}

#[tokio::test]
async fn nothing_comes_into_a_namespace_that_goes() {
    let server = Server::start(&[]).await;
    let namespace = json!({"metadata": {"name": "t"}});
    assert_eq!(server.post("/api/v1/namespaces", &namespace).await.status, 201);
    assert_eq!(server.post("/api/v1/namespaces/t/pods", &pod("p")).await.status, 201);
    assert_eq!(delete(&server, "/api/v1/namespaces/t").await.status, 200);
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}});
    for (path, object) in [
        ("/api/v1/namespaces/t/configmaps", json!({"metadata": {"name": "c"}})),
        ("/api/v1/namespaces/t/pods/p/eviction", eviction),
    ] {
        let refused = server.post(path, &object).await;
        assert_eq!(refused.status, 403, "{path}");
        assert_eq!(refused.json()["details"]["causes"][0]["reason"], "NamespaceTerminating");
    }
}

#[tokio::test]
async fn a_webhook_that_would_be_called_is_told_of() {
    let server = Server::start(&[]).await;
    let path_of = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    let webhook = json!({"name": "w.example.com", "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{"operations": ["CREATE", "DELETE"], "apiGroups": [""], "apiVersions": ["v1"],
            "resources": ["configmaps"]}]});
    let object = json!({"metadata": {"name": "w"}, "webhooks": [webhook]});
    assert_eq!(server.post(path_of, &object).await.status, 201);
    let warning = "299 - \"apisim does not call admission webhooks: validating webhook \
                   w.example.com of w was not called\"";
    let made = server.post(&path("configmaps"), &json!({"metadata": {"name": "c"}})).await;
    assert_eq!((made.status, made.header("warning")), (201, warning));
    let touch = json!({"metadata": {"labels": {"a": "b"}}});
    assert_eq!(merge(&server, &path("configmaps/c"), touch).await.header("warning"), "");
    assert_eq!(delete(&server, &path("configmaps/c")).await.header("warning"), warning);
}
