//! Admission against a small cluster.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Cluster, Operation, check_create, check_update, on_create, quota, uncalled};
use crate::{Release, Resource, ResourceTable, meta};

struct Objects(Vec<(&'static str, Value)>);

impl Cluster for Objects {
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.list(group, plural, namespace).into_iter().find(|object| meta::name(object) == name)
    }

    fn list(&self, _group: &str, plural: &str, _namespace: &str) -> Vec<Value> {
        self.0.iter().filter(|(of, _)| *of == plural).map(|(_, object)| object.clone()).collect()
    }
}

fn resource(group: &str, plural: &str) -> Arc<Resource> {
    let table = ResourceTable::for_release(Release::default());
    Arc::clone(table.lookup(group, "v1", plural).unwrap())
}

fn pod(resources: Value) -> Value {
    json!({"metadata": {"name": "x", "namespace": "n"},
        "spec": {"containers": [{"name": "c", "resources": resources}]}})
}

fn message(plural: &str, object: &mut Value, cluster: &Objects) -> String {
    let resource = resource("", plural);
    let admitted = on_create(&resource, object, cluster);
    admitted.and_then(|()| check_create(&resource, object, cluster)).unwrap_err().message
}

#[test]
fn a_limit_range_gives_defaults_and_tells_so() {
    let limits = json!({"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container",
        "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}}]}});
    let cluster = Objects(vec![("limitranges", limits)]);
    let mut object = pod(json!({}));
    on_create(&resource("", "pods"), &mut object, &cluster).unwrap();
    assert_eq!(
        object["spec"]["containers"][0]["resources"],
        json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}})
    );
    assert_eq!(
        object["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    );
}

#[test]
fn a_limit_range_has_bounds() {
    let limits = json!({"spec": {"limits": [
        {"type": "Container", "min": {"memory": "64Mi"}, "max": {"cpu": "2"},
            "maxLimitRequestRatio": {"cpu": "3"}},
        {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
    ]}});
    let cluster = Objects(vec![("limitranges", limits)]);
    let mut object = pod(json!({"requests": {"cpu": "500m", "memory": "32Mi"},
        "limits": {"cpu": "4"}}));
    assert_eq!(
        message("pods", &mut object, &cluster),
        "pods \"x\" is forbidden: [minimum memory usage per Container is 64Mi, but request is \
         32Mi, maximum cpu usage per Container is 2, but limit is 4, cpu max limit to request \
         ratio per Container is 3, but provided ratio is 8.000000]"
    );
    let mut claim = json!({"metadata": {"generateName": "c-"},
        "spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    assert_eq!(
        message("persistentvolumeclaims", &mut claim, &cluster),
        "persistentvolumeclaims \"c-\" is forbidden: maximum storage usage per \
         PersistentVolumeClaim is 1Gi, but request is 2Gi"
    );
}

#[test]
fn a_pods_priority_is_that_of_its_class() {
    let class = |name: &str, value: i64, default: bool| {
        let class = json!({"metadata": {"name": name}, "value": value, "globalDefault": default,
            "preemptionPolicy": "Never"});
        ("priorityclasses", class)
    };
    let cluster = Objects(vec![class("high", 9, false), class("usual", 5, true)]);
    let pods = resource("", "pods");
    let mut named = pod(json!({}));
    named["spec"]["priorityClassName"] = "high".into();
    on_create(&pods, &mut named, &cluster).unwrap();
    assert_eq!(
        (&named["spec"]["priority"], &named["spec"]["preemptionPolicy"]),
        (&json!(9), &json!("Never"))
    );
    let mut plain = pod(json!({}));
    on_create(&pods, &mut plain, &cluster).unwrap();
    assert_eq!(plain["spec"]["priorityClassName"], "usual");
    let mut wrong = pod(json!({}));
    wrong["spec"]["priority"] = 7.into();
    assert_eq!(
        message("pods", &mut wrong, &cluster),
        "pods \"x\" is forbidden: the integer value of priority (7) must not be provided in pod \
         spec; priority admission controller computed 5 from the given PriorityClass name"
    );
    let mut missing = pod(json!({}));
    missing["spec"]["priorityClassName"] = "none".into();
    assert_eq!(
        message("pods", &mut missing, &cluster),
        "pods \"x\" is forbidden: no PriorityClass with name none was found"
    );
    let classes = resource("scheduling.k8s.io", "priorityclasses");
    let second = class("other", 1, true).1;
    assert_eq!(
        check_create(&classes, &second, &cluster).unwrap_err().message,
        "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already \
         marked as default. Only one default can exist"
    );
    let same = class("usual", 5, true).1;
    check_update(&classes, "", &same, &same, &cluster).unwrap();
}

#[test]
fn a_quota_is_charged_until_it_is_spent() {
    let status = json!({"hard": {"pods": "2", "requests.cpu": "1"},
        "used": {"pods": "1", "requests.cpu": "600m"}});
    let object = json!({"metadata": {"name": "q"}, "spec": {}, "status": status});
    let cluster = Objects(vec![("resourcequotas", object)]);
    let pods = resource("", "pods");
    let now = Timestamp::UNIX_EPOCH;
    let charge = |object: &Value| quota::charge(&pods, "", None, object, &cluster, now);
    let charged = charge(&pod(json!({"requests": {"cpu": "400m"}}))).unwrap();
    assert_eq!(charged[0]["status"]["used"], json!({"pods": "2", "requests.cpu": "1"}));
    assert_eq!(
        charge(&pod(json!({"requests": {"cpu": "401m"}}))).unwrap_err().message,
        "pods \"x\" is forbidden: exceeded quota: q, requested: requests.cpu=401m, used: \
         requests.cpu=600m, limited: requests.cpu=1"
    );
    assert_eq!(
        charge(&pod(json!({}))).unwrap_err().message,
        "pods \"x\" is forbidden: failed quota: q: must specify requests.cpu for: c"
    );
}

#[test]
fn a_quota_without_figures_refuses_and_one_out_of_scope_does_not() {
    let quota = |spec: Value| {
        let object = json!({"metadata": {"name": "q"}, "spec": spec,
            "status": {"hard": {"pods": "0"}}});
        Objects(vec![("resourcequotas", object)])
    };
    let pods = resource("", "pods");
    let charge = |cluster: &Objects| {
        quota::charge(&pods, "", None, &pod(json!({})), cluster, Timestamp::UNIX_EPOCH)
    };
    assert_eq!(
        charge(&quota(json!({}))).unwrap_err().message,
        "pods \"x\" is forbidden: status unknown for quota: q, resources: pods"
    );
    assert_eq!(charge(&quota(json!({"scopes": ["Terminating"]}))).unwrap(), Vec::<Value>::new());
    let scoped = json!({"scopeSelector": {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}});
    assert!(charge(&quota(scoped)).unwrap().is_empty());
    assert!(charge(&quota(json!({"scopes": ["BestEffort"]}))).is_err());
}

#[test]
fn a_matching_webhook_is_told_of() {
    let webhook = |operations: Value, selector: Value| {
        let object = json!({"metadata": {"name": "cfg"}, "webhooks": [{"name": "w.example.com",
            "rules": [{"operations": operations, "apiGroups": [""], "apiVersions": ["*"],
                "resources": ["pods"]}],
            "namespaceSelector": selector}]});
        let namespace = json!({"metadata": {"name": "n", "labels": {"env": "prod"}}});
        Objects(vec![("mutatingwebhookconfigurations", object), ("namespaces", namespace)])
    };
    let asked = |cluster: &Objects, subresource: &str| {
        let object = pod(json!({}));
        uncalled(&resource("", "pods"), subresource, Operation::Create, &object, cluster)
    };
    let all = webhook(json!(["CREATE"]), json!({}));
    assert_eq!(
        asked(&all, ""),
        ["apisim does not call admission webhooks: mutating webhook w.example.com of cfg was not \
          called"]
    );
    assert!(asked(&all, "status").is_empty());
    assert!(asked(&webhook(json!(["UPDATE"]), json!({})), "").is_empty());
    let prod = json!({"matchLabels": {"env": "prod"}});
    assert_eq!(asked(&webhook(json!(["*"]), prod), "").len(), 1);
    assert!(asked(&webhook(json!(["*"]), json!({"matchLabels": {"env": "dev"}})), "").is_empty());
}

#[test]
fn classes_give_what_an_object_leaves_out() {
    let class = |name: &str, created: &str| {
        json!({"metadata": {"name": name, "creationTimestamp": created, "annotations":
            {"storageclass.kubernetes.io/is-default-class": "true"}}})
    };
    let runtime = json!({"metadata": {"name": "r"}, "overhead": {"podFixed": {"cpu": "10m"}},
        "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k"}]}});
    let cluster = Objects(vec![
        ("storageclasses", class("old", "2026-01-01T00:00:00Z")),
        ("storageclasses", class("new", "2026-01-02T00:00:00Z")),
        ("runtimeclasses", runtime),
    ]);
    let mut claim = json!({"spec": {}});
    on_create(&resource("", "persistentvolumeclaims"), &mut claim, &cluster).unwrap();
    assert_eq!(claim["spec"]["storageClassName"], "new");
    let mut node = json!({"metadata": {"name": "n"}});
    on_create(&resource("", "nodes"), &mut node, &cluster).unwrap();
    assert_eq!(
        node["spec"]["taints"],
        json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])
    );
    let mut object = pod(json!({}));
    object["spec"]["runtimeClassName"] = "r".into();
    on_create(&resource("", "pods"), &mut object, &cluster).unwrap();
    assert_eq!(object["spec"]["overhead"], json!({"cpu": "10m"}));
    assert_eq!(object["spec"]["nodeSelector"], json!({"a": "b"}));
    assert_eq!(object["spec"]["tolerations"], json!([{"key": "k"}]));
    let mut other = pod(json!({}));
    other["spec"]["runtimeClassName"] = "none".into();
    assert_eq!(
        message("pods", &mut other, &cluster),
        "pods \"x\" is forbidden: pod rejected: RuntimeClass \"none\" not found"
    );
}

#[test]
fn a_claim_grows_where_its_class_allows_that() {
    let class = |name: &str, expands: bool| {
        ("storageclasses", json!({"metadata": {"name": name}, "allowVolumeExpansion": expands}))
    };
    let cluster = Objects(vec![class("yes", true), class("no", false)]);
    let claims = resource("", "persistentvolumeclaims");
    let claim = |class: &str, size: &str| {
        json!({"metadata": {"name": "c"}, "status": {"phase": "Bound"}, "spec":
            {"storageClassName": class, "resources": {"requests": {"storage": size}}}})
    };
    let grow = |class: &str| {
        check_update(&claims, "", &claim(class, "1Gi"), &claim(class, "2Gi"), &cluster)
    };
    assert_eq!(grow("yes"), Ok(()));
    assert_eq!(
        grow("no").unwrap_err().message,
        "persistentvolumeclaims \"c\" is forbidden: only dynamically provisioned pvc can be \
         resized and the storageclass that provisions the pvc must support resize"
    );
}
