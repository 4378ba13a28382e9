//! CustomResourceDefinitions, their objects, and APIServices.

use http::Method;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Ask},
    server::Server,
    watch_stream::Watch,
};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const THINGS: &str = "/apis/ex.example.com/v1/namespaces/default/things";

fn crd(names: &Value, versions: &Value) -> Value {
    let plural = names["plural"].as_str().unwrap();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.ex.example.com")},
        "spec": {"group": "ex.example.com", "scope": "Namespaced", "names": names, "versions": versions},
    })
}

fn things(schema: &Value) -> Value {
    crd(
        &json!({"plural": "things", "kind": "Thing"}),
        &json!([{"name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": schema}}]),
    )
}

fn open() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn thing(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "ex.example.com/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec})
}

async fn created(server: &Server, path: &str, object: &Value) -> Value {
    let made = server.post(path, object).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

async fn patch(server: &Server, path: &str, patch: &Value) -> Answer {
    let ask = Ask::new(Method::PATCH, path)
        .header("content-type", "application/merge-patch+json")
        .body(patch.to_string());
    server.send(ask).await
}

async fn delete(server: &Server, path: &str) -> Answer {
    server.send(Ask::new(Method::DELETE, path)).await
}

fn reasons(crd: &Value) -> Vec<String> {
    let conditions = crd["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().map(|found| found["reason"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_definition_goes_after_its_objects() {
    let server = Server::start(&[]).await;
    assert_eq!(server.get(THINGS).await.text(), "404 page not found\n");
    created(&server, CRDS, &things(&open())).await;
    let mut held = thing("held", &json!({}));
    held["metadata"]["finalizers"] = json!(["ex.example.com/hold"]);
    created(&server, THINGS, &held).await;
    created(&server, THINGS, &thing("free", &json!({}))).await;
    let watch = format!("{THINGS}?watch=1&resourceVersion=0");
    let mut watch = Watch::open(server.client().await, &watch).await;

    let path = format!("{CRDS}/things.ex.example.com");
    let deleted = delete(&server, &path).await;
    assert_eq!(reasons(&deleted.json())[2], "InstanceDeletionPending");
    assert_eq!(reasons(&server.get(&path).await.json())[2], "InstanceDeletionInProgress");
    assert_eq!(server.get(THINGS).await.names(), ["held"]);
    let late = server.post(THINGS, &thing("late", &json!({}))).await;
    assert_eq!(
        (late.status, late.message().as_str()),
        (405, "create not allowed while custom resource definition is terminating")
    );
    let released =
        patch(&server, &format!("{THINGS}/held"), &json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(released.status, 200, "{}", released.text());
    assert_eq!(server.get(&path).await.status, 404);
    assert_eq!(server.get(THINGS).await.text(), "404 page not found\n");
    let mut last = String::new();
    while let Some(event) = watch.next().await {
        last = format!("{} {}", event["type"], event["object"]["metadata"]["name"]);
    }
    assert_eq!(last, r#""DELETED" "held""#);
    // The same names again are another definition.
    created(&server, CRDS, &things(&open())).await;
    assert!(server.get(THINGS).await.names().is_empty());
}

#[tokio::test]
async fn names_are_for_the_first_until_it_goes() {
    let server = Server::start(&[]).await;
    created(&server, CRDS, &things(&open())).await;
    let versions = json!([{"name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": open()}}]);
    let others = crd(&json!({"plural": "others", "singular": "other", "kind": "Thing"}), &versions);
    created(&server, CRDS, &others).await;
    let path = format!("{CRDS}/others.ex.example.com");
    assert_eq!(reasons(&server.get(&path).await.json()), ["ListKindConflict", "NotAccepted"]);
    let others = "/apis/ex.example.com/v1/others";
    assert_eq!(server.get(others).await.status, 404);
    delete(&server, &format!("{CRDS}/things.ex.example.com")).await;
    assert_eq!(reasons(&server.get(&path).await.json()), ["NoConflicts", "InitialNamesAccepted"]);
    assert_eq!(server.get(others).await.status, 200);
}

#[tokio::test]
async fn every_version_and_every_schema_shows_the_same_objects() {
    let server = Server::start(&[]).await;
    let old = json!({"type": "object", "properties": {"spec": {"type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}}});
    created(&server, CRDS, &things(&old)).await;
    created(&server, THINGS, &thing("x", &json!({"a": "1", "b": "2"}))).await;
    // b goes, c comes with a default; v2 knows nothing but a.
    let new = json!({"type": "object", "properties": {"spec": {"type": "object",
        "properties": {"a": {"type": "string"}, "c": {"type": "string", "default": "3"}}}}});
    let v2 = json!({"type": "object", "properties": {"spec": {"type": "object",
        "properties": {"a": {"type": "string"}}}}});
    let versions = json!({"spec": {"versions": [
        {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": new}},
        {"name": "v2", "served": true, "storage": false, "deprecated": true,
            "schema": {"openAPIV3Schema": v2}},
    ]}});
    let changed = patch(&server, &format!("{CRDS}/things.ex.example.com"), &versions).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let shown = server.get(&format!("{THINGS}/x")).await.json();
    assert_eq!(shown["spec"], json!({"a": "1", "c": "3"}));
    let listed = server.get(THINGS).await.json();
    assert_eq!(listed["items"][0]["spec"], shown["spec"]);
    let other = server.get("/apis/ex.example.com/v2/things").await;
    assert_eq!(other.header("warning"), "299 - \"ex.example.com/v2 Thing is deprecated\"");
    let item = &other.json()["items"][0];
    assert_eq!(
        (&item["apiVersion"], &item["spec"]),
        (&json!("ex.example.com/v2"), &json!({"a": "1"}))
    );
    let groups = server.get("/apis/ex.example.com").await.json();
    assert_eq!(groups["preferredVersion"]["version"], "v2");
    assert_eq!(
        server.get("/apis/apiregistration.k8s.io/v1/apiservices/v2.ex.example.com").await.json()["status"]
            ["conditions"][0]["reason"],
        "Local"
    );
}

#[tokio::test]
async fn discovery_changes_with_the_definitions() {
    let server = Server::start(&[]).await;
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let ask = || Ask::get("/apis").header("accept", accept);
    let before = server.send(ask()).await;
    created(&server, CRDS, &things(&open())).await;
    let after = server.send(ask()).await;
    assert_ne!(before.header("etag"), after.header("etag"));
    let groups = after.json();
    let group = groups["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(group["metadata"]["name"], "ex.example.com");
    let found = &group["versions"][0]["resources"][0];
    assert_eq!(
        found["responseKind"],
        json!({"group": "ex.example.com", "version": "v1", "kind": "Thing"})
    );
    delete(&server, &format!("{CRDS}/things.ex.example.com")).await;
    assert_eq!(server.send(ask()).await.header("etag"), before.header("etag"));
}

#[tokio::test]
async fn a_status_that_is_no_subresource_counts() {
    let server = Server::start(&[]).await;
    created(&server, CRDS, &things(&open())).await;
    let mut object = thing("x", &json!({}));
    object["status"] = json!({"phase": "new"});
    assert_eq!(created(&server, THINGS, &object).await["status"], object["status"]);
    let path = format!("{THINGS}/x");
    let changed = patch(&server, &path, &json!({"status": {"phase": "old"}})).await.json();
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(server.get(&format!("{path}/status")).await.status, 404);
}

#[tokio::test]
async fn hostile_definitions_hold_nothing_up() {
    let server = Server::start(&[]).await;
    // Rules that would run for years, a pattern that explodes, lists in lists.
    let rule = "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, a + b + c + d >= 0))))";
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object",
        "properties": {
            "l": {"type": "array", "items": {"type": "integer"}},
            "s": {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"},
        },
        "x-kubernetes-validations": [{"rule": rule}]}}});
    created(&server, CRDS, &things(&schema)).await;
    let spec = json!({"l": (0..2000).collect::<Vec<_>>(), "s": "a".repeat(20_000)});
    let refused = server.post(THINGS, &thing("x", &spec)).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.message().contains("should match"), "{}", refused.message());
    assert!(refused.message().contains("call cost exceeds limit"), "{}", refused.message());
    for pattern in ["(", "((((a{1000}){1000}){1000}){1000})"] {
        let schema =
            json!({"type": "object", "properties": {"s": {"type": "string", "pattern": pattern}}});
        let mut bad = things(&schema);
        bad["metadata"]["name"] = "others.ex.example.com".into();
        bad["spec"]["names"] = json!({"plural": "others", "kind": "Other"});
        let refused = server.post(CRDS, &bad).await;
        assert_eq!(refused.status, 422);
        assert!(refused.message().contains("must be a valid regular expression"));
    }
    let mut deep = json!({"type": "string"});
    for _ in 0..60 {
        deep = json!({"type": "object", "properties": {"a": deep}});
    }
    let answer = server.post(CRDS, &things(&deep)).await;
    assert!(matches!(answer.status, 400 | 409 | 422), "{}", answer.text());
}

#[tokio::test]
async fn a_version_that_nobody_answers_for_is_unavailable() {
    let server = Server::start(&[]).await;
    let services = "/apis/apiregistration.k8s.io/v1/apiservices";
    let service = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.far.example.com"},
        "spec": {"group": "far.example.com", "version": "v1", "groupPriorityMinimum": 100,
            "versionPriority": 10, "service": {"namespace": "default", "name": "far"}},
    });
    created(&server, services, &service).await;
    for path in ["/apis/far.example.com/v1", "/apis/far.example.com/v1/things"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.text()), (503, "service unavailable\n"), "{path}");
    }
    assert_eq!(server.get("/apis/far.example.com").await.status, 200);
    let backend = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "far"},
        "spec": {"ports": [{"port": 443}]}});
    created(&server, "/api/v1/namespaces/default/services", &backend).await;
    let path = format!("{services}/v1.far.example.com");
    assert_eq!(reasons(&server.get(&path).await.json()), ["EndpointsNotFound"]);
    delete(&server, &path).await;
    assert_eq!(server.get("/apis/far.example.com/v1").await.text(), "404 page not found\n");
}

#[tokio::test]
async fn usage_is_told_where_it_is_asked_for() {
    let server = Server::start(&["--metrics-api"]).await;
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n",
        "annotations": {"apisim.dev/cpu-usage": "1500m"}}});
    created(&server, "/api/v1/nodes", &node).await;
    let found = server.get("/apis/metrics.k8s.io/v1beta1/nodes/n").await.json();
    assert_eq!(found["usage"], json!({"cpu": "1500000000n", "memory": "512000Ki"}));
    assert_eq!(server.get("/apis/metrics.k8s.io/v1beta1/nodes").await.names(), ["n"]);
    assert_eq!(server.get("/apis/metrics.k8s.io/v1beta1/pods").await.names(), [""; 0]);
    let without = Server::start(&[]).await;
    assert_eq!(without.get("/apis/metrics.k8s.io/v1beta1/nodes").await.status, 404);
}

#[tokio::test]
async fn what_a_client_gets_wrong_is_told() {
    let server = Server::start(&[]).await;
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object",
        "properties": {"a": {"type": "string"}}}}});
    created(&server, CRDS, &things(&schema)).await;
    let mut wrong = thing("x", &json!({}));
    wrong["kind"] = "Other".into();
    let refused = server.post(THINGS, &wrong).await;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (
            422,
            "Thing.ex.example.com \"x\" is invalid: kind: Invalid value: \"Other\": must be Thing"
        )
    );
    let mut named = thing("x", &json!({"b": 1}));
    named["metadata"]["finalizers"] = json!(["short"]);
    let made = server.post(THINGS, &named).await;
    let warnings: Vec<_> =
        made.headers.get_all("warning").iter().map(|text| text.to_str().unwrap()).collect();
    assert_eq!(warnings[0], r#"299 - "unknown field \"spec.b\"""#);
    assert!(warnings[1].contains("prefer a domain-qualified finalizer name"), "{warnings:?}");
    let path = format!("{THINGS}/x?fieldValidation=Strict");
    let refused = patch(&server, &path, &json!({"spec": {"b": 1}})).await;
    assert_eq!(refused.status, 422);
    assert!(refused.message().ends_with(r#"strict decoding error: unknown field "spec.b""#));
    let rule = json!([{"rule": "self != 'x'"}]);
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "default": "x",
        "x-kubernetes-validations": rule}}});
    let versions = json!([{"name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": schema}}]);
    let refused =
        server.post(CRDS, &crd(&json!({"plural": "others", "kind": "Other"}), &versions)).await;
    assert!(
        refused
            .message()
            .contains("properties[a].default: Invalid value: \"string\": failed rule: self != 'x'"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn cluster_wide_things_are_applied_by_key() {
    let server = Server::start(&[]).await;
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "list": {"type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object",
            "required": ["name"], "properties": {"name": {"type": "string"}, "v": {"type": "integer"}}}},
        "whole": {"type": "object", "x-kubernetes-map-type": "atomic",
            "properties": {"a": {"type": "string"}}},
    }}}});
    let mut wide = things(&schema);
    wide["spec"]["scope"] = "Cluster".into();
    created(&server, CRDS, &wide).await;
    let path = "/apis/ex.example.com/v1/things/x";
    let apply = |manager: &str, spec: Value| {
        Ask::new(Method::PATCH, &format!("{path}?fieldManager={manager}"))
            .header("content-type", "application/apply-patch+yaml")
            .body(thing("x", &spec).to_string())
    };
    let first = server
        .send(apply("a", json!({"list": [{"name": "a", "v": 1}], "whole": {"a": "1"}})))
        .await;
    assert_eq!(first.status, 201, "{}", first.text());
    let second = server.send(apply("b", json!({"list": [{"name": "b", "v": 2}]}))).await;
    assert_eq!(
        second.json()["spec"]["list"],
        json!([{"name": "a", "v": 1}, {"name": "b", "v": 2}])
    );
    let third = server.send(apply("b", json!({"list": [{"name": "a", "v": 3}]}))).await;
    assert_eq!(third.status, 409, "{}", third.text());
    let unknown = server.send(apply("a", json!({"nope": 1}))).await;
    assert!(unknown.message().contains(".spec.nope: field not declared in schema"));
    let doubled = json!({"list": [{"name": "z"}, {"name": "z"}]});
    let refused = server.post("/apis/ex.example.com/v1/things", &thing("y", &doubled)).await;
    assert_eq!(
        refused.message(),
        "Thing.ex.example.com \"y\" is invalid: spec.list[1]: Duplicate value: \
         map[string]interface {}{\"name\":\"z\"}"
    );
}

#[tokio::test]
async fn what_is_special_about_a_definition_is_said() {
    let server = Server::start(&[]).await;
    let versions = json!([
        {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": open()}},
        {"name": "v2", "served": true, "storage": false, "schema": {"openAPIV3Schema": open()}},
    ]);
    let mut approved = crd(&json!({"plural": "routes", "kind": "Route"}), &versions);
    approved["metadata"] = json!({"name": "routes.net.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes/x/pull/1"}});
    approved["spec"]["group"] = "net.k8s.io".into();
    approved["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "default", "name": "converter"}},
    }});
    created(&server, CRDS, &approved).await;
    let found = server.get(&format!("{CRDS}/routes.net.k8s.io")).await.json();
    assert_eq!(reasons(&found), ["ApprovedAnnotation", "NoConflicts", "InitialNamesAccepted"]);
    assert_eq!(found["spec"]["conversion"]["webhook"]["clientConfig"]["service"]["port"], 443);
    assert_eq!(server.get("/apis/net.k8s.io/v1/routes").await.header("warning"), "");
    let warning = server.get("/apis/net.k8s.io/v2/routes").await.header("warning").to_owned();
    assert!(
        warning.contains("conversion webhook of routes.net.k8s.io was not called"),
        "{warning}"
    );
}
