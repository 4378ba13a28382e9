use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    RequestInfo, Resource, ResourceTable,
    list_options::{DeleteOptions, Propagation},
};

fn resource(plural: &str) -> Arc<Resource> {
    let table = ResourceTable::for_release(Release::default());
    let found = table.iter().find(|resource| resource.plural == plural).unwrap();
    Arc::clone(found)
}

fn context() -> WriteContext {
    WriteContext {
        now: "2026-01-02T03:04:05.6Z".parse().unwrap(),
        uid: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        name_suffix: "bcdfg".into(),
        manager: "test".into(),
        release: Release::default(),
    }
}

fn create(plural: &str, namespace: &str, object: Value) -> Result<Value> {
    prepare_create(&resource(plural), namespace, object, &context())
}

fn deployment_spec() -> Value {
    json!({"selector": {"matchLabels": {"app": "a"}}, "template": {
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }})
}

fn request(path: &str) -> RequestInfo {
    RequestInfo::parse("PUT", path, "")
}

fn update(plural: &str, path: &str, old: &Value, new: Value) -> Result<Value> {
    prepare_update(&resource(plural), &request(path), old, new, &context())
}

#[test]
fn a_created_object_has_the_servers_metadata_in_order() {
    let mut created = create(
        "deployments",
        "ns",
        json!({"spec": deployment_spec(), "metadata": {
            "labels": {"a": "b"}, "generateName": "d-", "uid": "mine", "generation": 9,
            "creationTimestamp": null, "deletionTimestamp": "2001-01-01T00:00:00Z", "what": 1,
        }}),
    )
    .unwrap();
    let managers = created["metadata"].as_object_mut().unwrap().remove("managedFields").unwrap();
    assert_eq!(managers[0]["manager"], "test");
    assert_eq!(
        created["metadata"].to_string(),
        r#"{"name":"d-bcdfg","generateName":"d-","namespace":"ns","uid":"11111111-2222-3333-4444-555555555555","generation":1,"creationTimestamp":"2026-01-02T03:04:05Z","labels":{"a":"b"}}"#
    );
    assert_eq!(created["spec"]["replicas"], 1);
    let keys: Vec<&String> = created.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["kind", "apiVersion", "metadata", "spec", "status"]);
}

#[test]
fn a_namespace_is_active_and_labelled() {
    let created = create("namespaces", "", json!({"metadata": {"name": "ns"}})).unwrap();
    assert_eq!(created["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "ns"}));
    assert_eq!(created["spec"], json!({"finalizers": ["kubernetes"]}));
    assert_eq!(created["status"], json!({"phase": "Active"}));
}

#[test]
fn a_pod_gets_the_recorded_defaults() {
    let created = create(
        "pods",
        "ns",
        json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}),
    )
    .unwrap();
    let toleration = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    assert_eq!(
        created["spec"],
        json!({
            "containers": [{
                "name": "c", "image": "nginx", "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File", "imagePullPolicy": "Always",
            }],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst", "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [
                toleration("node.kubernetes.io/not-ready"),
                toleration("node.kubernetes.io/unreachable"),
            ],
            "priority": 0, "enableServiceLinks": true,
            "preemptionPolicy": "PreemptLowerPriority",
        })
    );
    assert_eq!(created["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    assert_eq!(created["metadata"]["generation"], 1);
}

#[test]
fn the_texts_of_a_secret_go_into_its_data() {
    let object = json!({
        "metadata": {"name": "x"}, "stringData": {"user": "u", "pw": "p"}, "data": {"pw": "b2xk"},
    });
    let created = create("secrets", "ns", object).unwrap();
    assert_eq!(created["data"], json!({"pw": "cA==", "user": "dQ=="}));
    assert_eq!((&created["type"], created.get("stringData")), (&json!("Opaque"), None));
}

#[test]
fn a_resource_version_on_create_is_a_plain_500() {
    let object = json!({"metadata": {"name": "x", "resourceVersion": "5"}});
    let status = create("configmaps", "ns", object).unwrap_err();
    assert_eq!(
        (status.code, status.message.as_str()),
        (500, "resourceVersion should not be set on objects to be created")
    );
}

#[test]
fn generation_counts_changes_of_the_spec_only() {
    let path = "/apis/apps/v1/namespaces/ns/deployments/d";
    let object = json!({"metadata": {"name": "d"}, "spec": deployment_spec()});
    let old = create("deployments", "ns", object).unwrap();
    let change = |pointer: &str, value: Value| {
        let mut new = old.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        new.pointer_mut(parent).unwrap()[key] = value;
        update("deployments", path, &old, new).unwrap()
    };
    assert_eq!(change("/spec/replicas", json!(3))["metadata"]["generation"], 2);
    assert_eq!(change("/metadata/labels", json!({"a": "b"}))["metadata"]["generation"], 1);
    assert_eq!(change("/metadata/annotations", json!({"a": "b"}))["metadata"]["generation"], 2);
    // The status is another subresource's.
    let changed = change("/status/replicas", json!(7));
    assert_eq!(changed.to_string(), old.to_string());
    let mut new = old.clone();
    new["status"]["replicas"] = json!(7);
    new["spec"]["replicas"] = json!(9);
    let changed = update("deployments", &format!("{path}/status"), &old, new).unwrap();
    assert_eq!(
        (&changed["status"]["replicas"], &changed["spec"]["replicas"]),
        (&json!(7), &json!(1))
    );
    assert_eq!(changed["metadata"]["generation"], 1);
}

#[test]
fn an_update_cannot_change_what_is_the_servers() {
    let path = "/api/v1/namespaces/ns/pods/x";
    let spec = json!({"containers": [{"name": "c", "image": "i"}]});
    let object = json!({"metadata": {"name": "x"}, "spec": spec});
    let old = create("pods", "ns", object).unwrap();
    for (metadata, code, message) in [
        (
            json!({"name": "x", "uid": "zzz"}),
            422,
            "Pod \"x\" is invalid: metadata.uid: Invalid value: \"zzz\": field is immutable",
        ),
        (
            json!({"name": "x", "deletionTimestamp": "2001-01-01T00:00:00Z"}),
            422,
            "Pod \"x\" is invalid: metadata.deletionTimestamp: Invalid value: 2001-01-01 00:00:00 \
             +0000 UTC: field is immutable",
        ),
        (
            json!({"name": "y"}),
            400,
            "the name of the object (y) does not match the name on the URL (x)",
        ),
        (
            json!({"name": "x", "namespace": "other"}),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ] {
        let status =
            update("pods", path, &old, json!({"metadata": metadata, "spec": spec})).unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (code, message));
    }
}

#[test]
fn some_kinds_must_say_which_version_they_replace() {
    let path = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l";
    let old = create("leases", "ns", json!({"metadata": {"name": "l"}})).unwrap();
    let status = update("leases", path, &old, old.clone()).unwrap_err();
    assert_eq!(
        status.message,
        "leases.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: \
         0x0: must be specified for an update"
    );
    assert_eq!(expected_revision(&json!({"metadata": {"resourceVersion": "7"}})), Ok(Some(7)));
    assert_eq!(expected_revision(&json!({"metadata": {"resourceVersion": "0"}})), Ok(None));
    assert_eq!(expected_revision(&json!({})), Ok(None));
    assert!(expected_revision(&json!({"metadata": {"resourceVersion": "x"}})).is_err());
}

fn pod(node: &str, phase: &str) -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": "x", "namespace": "ns", "uid": "u", "generation": 1},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 30},
        "status": {"phase": phase},
    })
}

fn plan(plural: &str, object: &Value, options: &DeleteOptions) -> DeletePlan {
    plan_delete(&resource(plural), object, options, &context()).unwrap()
}

fn grace(seconds: i64) -> DeleteOptions {
    DeleteOptions { grace_period_seconds: Some(seconds), ..DeleteOptions::default() }
}

#[test]
fn a_running_pod_gets_time_and_only_less_of_it_later() {
    let DeletePlan::Update(marked) = plan("pods", &pod("n", "Running"), &DeleteOptions::default())
    else {
        panic!("a running pod is marked");
    };
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-01-02T03:04:35Z");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 30);
    assert_eq!(marked["metadata"]["generation"], 2);
    for same in [DeleteOptions::default(), grace(30), grace(60)] {
        assert_eq!(plan("pods", &marked, &same), DeletePlan::Unchanged);
    }
    let DeletePlan::Update(shorter) = plan("pods", &marked, &grace(5)) else {
        panic!("the term is shortened");
    };
    assert_eq!(shorter["metadata"]["deletionTimestamp"], "2026-01-02T03:04:10Z");
    assert_eq!(shorter["metadata"]["generation"], 2);
    assert!(matches!(plan("pods", &marked, &grace(0)), DeletePlan::UpdateAndRemove(_)));
}

#[test]
fn pods_that_run_nowhere_go_at_once() {
    for (node, phase) in [("", "Pending"), ("n", "Succeeded"), ("n", "Failed")] {
        let DeletePlan::UpdateAndRemove(last) =
            plan("pods", &pod(node, phase), &DeleteOptions::default())
        else {
            panic!("a pod that does not run goes at once");
        };
        assert_eq!(last["metadata"]["deletionGracePeriodSeconds"], 0);
        assert_eq!(last["metadata"]["generation"], 2);
    }
    let now = plan("pods", &pod("n", "Running"), &grace(0));
    assert!(matches!(now, DeletePlan::UpdateAndRemove(_)));
}

#[test]
fn jobs_leave_their_pods_unless_told_otherwise() {
    let table = ResourceTable::for_release(Release::default());
    let jobs = table.lookup("batch", "v1", "jobs").unwrap();
    let job = json!({"metadata": {"name": "x"}});
    let plan = |options: &DeleteOptions| plan_delete(jobs, &job, options, &context()).unwrap();
    let DeletePlan::Update(held) = plan(&DeleteOptions::default()) else {
        panic!("a job is held for its pods");
    };
    assert_eq!(held["metadata"]["finalizers"], json!(["orphan"]));
    let background =
        DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    assert_eq!(plan(&background), DeletePlan::Remove);
}

#[test]
fn finalizers_hold_an_object_until_they_are_gone() {
    let object = json!({"metadata": {"name": "x", "finalizers": ["ex.com/f"]}});
    let DeletePlan::Update(marked) = plan("configmaps", &object, &DeleteOptions::default()) else {
        panic!("the finalizer holds it");
    };
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 0);
    assert!(!is_released(&marked));
    assert_eq!(plan("configmaps", &marked, &DeleteOptions::default()), DeletePlan::Unchanged);
    let mut freed = marked.clone();
    freed["metadata"]["finalizers"] = json!([]);
    assert!(is_released(&freed));
    let object = json!({"metadata": {"name": "x"}});
    assert_eq!(plan("configmaps", &object, &DeleteOptions::default()), DeletePlan::Remove);
    let options =
        DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    let DeletePlan::Update(marked) = plan("configmaps", &object, &options) else {
        panic!("the collector's finalizer holds it");
    };
    assert_eq!(marked["metadata"]["finalizers"], json!(["foregroundDeletion"]));
}

#[test]
fn namespaces_terminate_and_some_never_do() {
    let namespace = create("namespaces", "", json!({"metadata": {"name": "ns"}})).unwrap();
    let DeletePlan::Update(marked) = plan("namespaces", &namespace, &DeleteOptions::default())
    else {
        panic!("its spec's finalizer holds it");
    };
    assert_eq!(marked["status"]["phase"], "Terminating");
    assert!(marked["metadata"].get("deletionGracePeriodSeconds").is_none());
    assert!(!is_released(&marked));
    assert_eq!(plan("namespaces", &marked, &DeleteOptions::default()), DeletePlan::Unchanged);
    let mut finalized = marked.clone();
    finalized["spec"]["finalizers"] = json!([]);
    let done = update("namespaces", "/api/v1/namespaces/ns/finalize", &marked, finalized).unwrap();
    assert!(is_released(&done));

    let default = json!({"metadata": {"name": "default"}, "spec": {"finalizers": ["kubernetes"]}});
    let refused =
        plan_delete(&resource("namespaces"), &default, &DeleteOptions::default(), &context());
    assert_eq!(
        refused.unwrap_err().message,
        "namespaces \"default\" is forbidden: this namespace may not be deleted"
    );
}

#[test]
fn preconditions_that_do_not_hold_are_conflicts() {
    let object = json!({"metadata": {"name": "x", "uid": "u", "resourceVersion": "7"}});
    let uid = DeleteOptions { precondition_uid: Some("v".into()), ..DeleteOptions::default() };
    let version = DeleteOptions {
        precondition_resource_version: Some("1".into()),
        ..DeleteOptions::default()
    };
    for (options, message) in [
        (
            uid,
            "Operation cannot be fulfilled on ConfigMap \"x\": the UID in the precondition (v) does \
             not match the UID in record (u). The object might have been deleted and then recreated",
        ),
        (
            version,
            "Operation cannot be fulfilled on ConfigMap \"x\": the ResourceVersion in the \
             precondition (1) does not match the ResourceVersion in record (7). The object might \
             have been modified",
        ),
    ] {
        let status =
            plan_delete(&resource("configmaps"), &object, &options, &context()).unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (409, message));
    }
}
