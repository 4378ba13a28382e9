//! The emulated cluster, live: what a user makes comes up, changes and goes, by itself.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with the tests of flow control")]
#[path = "../apf_live/server.rs"]
mod server;

use serde_json::{Value, json};

use crate::server::{Server, eventually};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn deployment(replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    })
}

async fn list(server: &Server, path: &str) -> Vec<Value> {
    let mut list = server.get("", path).await.json();
    serde_json::from_value(list["items"].take()).unwrap()
}

async fn post(server: &Server, path: &str, object: &Value) {
    let answer = server.send("", "POST", path, Some(object)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

fn is_running(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready =
        conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
    pod["status"]["phase"] == "Running" && ready
}

async fn nodes_are_ready(server: &Server, count: usize) {
    eventually("the nodes are ready", || async {
        let nodes = list(server, "/api/v1/nodes").await;
        nodes.len() == count
            && nodes
                .iter()
                .all(|node| node["spec"]["podCIDR"].is_string() && node["spec"]["taints"].is_null())
    })
    .await;
}

async fn eventually_running(server: &Server, count: usize) {
    eventually("the pods run", || async {
        let pods = list(server, PODS).await;
        pods.len() == count && pods.iter().all(is_running)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_comes_up_rolls_over_and_goes() {
    let server = Server::start(&["--cluster=nodes=3"]).await;
    nodes_are_ready(&server, 3).await;
    post(&server, DEPLOYMENTS, &deployment(30, "a:1")).await;
    eventually_running(&server, 30).await;
    let pods = list(&server, PODS).await;
    let mut addresses: Vec<_> =
        pods.iter().map(|pod| pod["status"]["podIP"].as_str().unwrap().to_owned()).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 30, "each pod has an address of its own");
    for node in ["node-0", "node-1", "node-2"] {
        let on = pods.iter().filter(|pod| pod["spec"]["nodeName"] == node).count();
        assert_eq!(on, 10, "pods are spread");
    }

    let mut new = server.get("", &format!("{DEPLOYMENTS}/web")).await.json();
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("a:2");
    new["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let answer = server.send("", "PUT", &format!("{DEPLOYMENTS}/web"), Some(&new)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    eventually("the new pods have replaced the old ones", || async {
        let web = server.get("", &format!("{DEPLOYMENTS}/web")).await.json();
        let sets = list(&server, SETS).await;
        web["status"]["updatedReplicas"] == 30
            && web["status"]["availableReplicas"] == 30
            && web["status"]["replicas"] == 30
            && sets.len() == 2
    })
    .await;

    let deleted = server.send("", "DELETE", &format!("{DEPLOYMENTS}/web"), None).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    eventually("its sets and pods are collected", || async {
        list(&server, SETS).await.is_empty() && list(&server, PODS).await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_goes_with_all_that_is_in_it() {
    let server = Server::start(&["--cluster=nodes=1"]).await;
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "s"}});
    post(&server, "/api/v1/namespaces", &space).await;
    eventually("it has its service account", || async {
        server.get("", "/api/v1/namespaces/s/serviceaccounts/default").await.status == 200
    })
    .await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}});
    post(&server, "/api/v1/namespaces/s/configmaps", &map).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    post(&server, "/api/v1/namespaces/s/pods", &pod).await;
    server.send("", "DELETE", "/api/v1/namespaces/s", None).await;
    eventually("it is gone", || async {
        server.get("", "/api/v1/namespaces/s").await.status == 404
    })
    .await;
    assert_eq!(server.get("", "/api/v1/namespaces/s/pods/p").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_stays_pending_and_says_why() {
    let server = Server::start(&["--cluster=nodes=2,cpus=4"]).await;
    nodes_are_ready(&server, 2).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "big"},
        "spec": {"containers": [{"name": "c", "image": "i",
            "resources": {"requests": {"cpu": "5"}}}]}});
    post(&server, PODS, &pod).await;
    eventually("the scheduler says why", || async {
        let big = server.get("", &format!("{PODS}/big")).await.json();
        let conditions = big["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| {
            let message = condition["message"].as_str().unwrap_or_default();
            condition["reason"] == "Unschedulable"
                && message.starts_with("0/2 nodes are available: 2 Insufficient cpu.")
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_carry_the_real_users_so_that_flow_control_classifies_them() {
    let server = Server::start(&["--cluster=nodes=2"]).await;
    post(&server, DEPLOYMENTS, &deployment(2, "a:1")).await;
    eventually_running(&server, 2).await;
    let metrics = server.get("", "/metrics").await.body;
    let dispatched = |schema: &str| {
        let name = "apiserver_flowcontrol_dispatched_requests_total";
        metrics.lines().any(|line| line.starts_with(name) && line.contains(schema))
    };
    for schema in [
        "flow_schema=\"system-nodes\"",
        "flow_schema=\"system-node-high\"",
        "flow_schema=\"kube-controller-manager\"",
        "flow_schema=\"kube-scheduler\"",
        "flow_schema=\"kube-system-service-accounts\"",
    ] {
        assert!(dispatched(schema), "{schema}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_requests_of_a_rollout_are_counted_by_who_made_them() {
    let server = Server::start(&["--cluster=nodes=3"]).await;
    nodes_are_ready(&server, 3).await;
    let reset = server.send("", "POST", "/sim/requests/reset", None).await;
    assert_eq!(reset.status, 200, "{}", reset.body);
    post(&server, DEPLOYMENTS, &deployment(12, "a:1")).await;
    eventually_running(&server, 12).await;
    let controller = "system:serviceaccount:kube-system:replicaset-controller";
    // A write is seen before its answer is counted.
    eventually("each pod is created, bound and reported once", || async {
        let counted = server.get("", "/sim/requests").await.json();
        let count = |user: &str, verb: &str, resource: &str| -> u64 {
            let rows = counted["requests"].as_array().unwrap();
            let alike = rows.iter().filter(|row| {
                row["user"].as_str().unwrap().starts_with(user)
                    && row["verb"] == verb
                    && row["resource"] == resource
                    && row["code"].as_u64().unwrap() < 300
            });
            alike.map(|row| row["n"].as_u64().unwrap()).sum()
        };
        count(controller, "create", "pods") == 12
            && count("system:kube-scheduler", "create", "pods/binding") == 12
            && count("system:node:node-", "patch", "pods/status") == 12
            && count(controller, "update", "apps/replicasets/status") >= 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_join_while_it_runs() {
    for kubelets in ["each", "kwok"] {
        let server = Server::start(&[&format!("--cluster=nodes=1,kubelets={kubelets}")]).await;
        nodes_are_ready(&server, 1).await;
        let join = "/sim/cluster/join-nodes?count=4&within=1s";
        let answer = server.send("", "POST", join, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        nodes_are_ready(&server, 5).await;
        post(&server, DEPLOYMENTS, &deployment(10, "a:1")).await;
        eventually_running(&server, 10).await;
        let wrong = server.send("", "POST", "/sim/cluster/join-nodes?count=x", None).await;
        assert_eq!(wrong.status, 400, "{}", wrong.body);
    }
    let alone = Server::start(&[]).await;
    let answer = alone.send("", "POST", "/sim/cluster/join-nodes?count=1", None).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
}
