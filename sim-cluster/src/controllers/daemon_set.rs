//! DaemonSets: a pod on every node that takes one. Source: `pkg/controller/daemon`.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::{Value, json};

use super::{
    Manager, PODS_BY_CONTROLLER, Recorder,
    pods::{Owner, slow_start},
    replica_set::is_available,
};
use crate::{
    client::{Client, Failure},
    object::{self, Key, is_going, name, number, scaled, text, uid},
    queue::WorkQueue,
    scheduler::fit,
};

pub(super) fn start(manager: &Rc<Manager>) {
    let client = manager.client("daemon-set-controller");
    let recorder = manager.recorder(&client, "daemonset-controller");
    let queue = WorkQueue::new(&manager.world);
    let add = queue.clone();
    manager.daemon_sets.on_change(move |change| add.add(Key::of(change.object())));
    let add = queue.clone();
    manager.pods.on_change(move |change| {
        for pod in [&change.old, &change.new].into_iter().flatten() {
            if let Some(owner) = object::controller_of(pod)
                && owner["kind"] == "DaemonSet"
            {
                add.add(Key::new(object::namespace(pod), text(owner, "/name")));
            }
        }
    });
    // Only what decides where pods go.
    let (add, all) = (queue.clone(), Rc::clone(manager));
    manager.nodes.on_change(move |change| {
        let facts = |node: &Rc<Value>| {
            (node["metadata"]["labels"].clone(), node["spec"].clone(), object::is_ready(node))
        };
        if change.old.as_ref().map(facts) != change.new.as_ref().map(facts) {
            for set in all.daemon_sets.all() {
                add.add(Key::of(&set));
            }
        }
    });
    let manager = Rc::clone(manager);
    // Source: --concurrent-daemonset-syncs.
    queue.work(2, move |key| {
        let (manager, client, recorder) = (Rc::clone(&manager), client.clone(), recorder.clone());
        async move { sync(&manager, &client, &recorder, &key).await }
    });
}

async fn sync(
    manager: &Manager,
    client: &Client,
    recorder: &Recorder,
    key: &Key,
) -> Result<(), Failure> {
    let Some(set) = manager.daemon_sets.get(key) else { return Ok(()) };
    if is_going(&set) {
        return Ok(());
    }
    let hash = object::template_hash(&set["spec"]["template"], 0);
    revision(manager, client, &set, &hash).await?;
    let nodes = manager.nodes.all();
    let owner = Owner { api_version: "apps/v1", kind: "DaemonSet", object: &set };
    let prototype = prototype(&owner, &hash);
    let by_node = pods_by_node(manager, &set);
    let wants = |node: &Value| fit::daemon(&prototype, node);
    let mut missing = Vec::new();
    let mut surplus: Vec<Rc<Value>> = Vec::new();
    for node in &nodes {
        let (runs, stays) = wants(node);
        let pods = by_node.get(name(node)).map_or(&[][..], Vec::as_slice);
        let alive = || pods.iter().filter(|pod| !is_going(pod));
        surplus.extend(alive().filter(|pod| object::is_finished(pod)).cloned());
        if runs && pods.is_empty() {
            missing.push(name(node).to_owned());
        } else if !stays {
            surplus.extend(alive().cloned());
        } else {
            // The oldest stays.
            let mut alive: Vec<_> = alive().filter(|pod| !object::is_finished(pod)).collect();
            alive.sort_by_key(|pod| text(pod, "/metadata/creationTimestamp").to_owned());
            surplus.extend(alive.into_iter().skip(1).cloned());
        }
    }
    if missing.is_empty() && text(&set, "/spec/updateStrategy/type") == "RollingUpdate" {
        surplus.extend(outdated(manager, &set, &hash, &nodes, &by_node, wants));
    }
    missing.truncate(BURST);
    let owner = &owner;
    let created = slow_start(missing.len(), |index| {
        let pod = on_node(&prototype, &missing[index]);
        async move { owner.create(client, recorder, &pod).await }
    })
    .await;
    let mut highest = *created.as_ref().unwrap_or(&0);
    for pod in surplus.iter().take(BURST) {
        if let Some(answer) = owner.delete(client, recorder, pod).await? {
            highest = highest.max(object::version(&answer));
        }
    }
    manager.pods.caught_up(client, highest).await;
    update_status(manager, client, &set, &hash, &nodes, wants).await?;
    created.map(|_| ())
}

/// The pods of the set by the node that they are on or meant for.
fn pods_by_node(manager: &Manager, set: &Value) -> BTreeMap<String, Vec<Rc<Value>>> {
    let mut by_node: BTreeMap<String, Vec<Rc<Value>>> = BTreeMap::new();
    for pod in manager.pods.indexed(PODS_BY_CONTROLLER, uid(set)) {
        let node = match text(&pod, "/spec/nodeName") {
            "" => fit::meant_for(&pod),
            node => node,
        };
        by_node.entry(node.to_owned()).or_default().push(Rc::clone(&pod));
    }
    by_node
}

/// Pods of older templates, as many as may be unavailable; those that are not available anyway go
/// without being counted.
fn outdated(
    manager: &Manager,
    set: &Value,
    hash: &str,
    nodes: &[Rc<Value>],
    by_node: &BTreeMap<String, Vec<Rc<Value>>>,
    wants: impl Fn(&Value) -> (bool, bool),
) -> Vec<Rc<Value>> {
    let wanted: Vec<_> = nodes.iter().filter(|node| wants(node).0).collect();
    let total = i64::try_from(wanted.len()).unwrap_or(0);
    let most = &set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"];
    let most = if most.is_null() { 1 } else { scaled(most, total, "", true).max(1) };
    let min_ready = number(set, "/spec/minReadySeconds");
    let mut unavailable = 0;
    let mut down = Vec::new();
    let mut candidates = Vec::new();
    for node in wanted {
        let pods = by_node.get(name(node)).map_or(&[][..], Vec::as_slice);
        let Some(pod) = pods.iter().find(|pod| !is_going(pod)) else {
            unavailable += 1;
            continue;
        };
        let old = object::label(pod, HASH) != Some(hash);
        match (old, is_available(manager, pod, min_ready)) {
            (true, true) => candidates.push(Rc::clone(pod)),
            (true, false) => down.push(Rc::clone(pod)),
            (false, false) => unavailable += 1,
            (false, true) => {}
        }
    }
    unavailable += i64::try_from(down.len()).unwrap_or(0);
    let room = usize::try_from(most - unavailable).unwrap_or(0);
    down.extend(candidates.into_iter().take(room));
    down
}

/// The pod without its node. Source: `util.AddOrUpdateDaemonPodTolerations`.
fn prototype(owner: &Owner<'_>, hash: &str) -> Value {
    let mut pod = owner.pod();
    object::set(&mut pod, &["metadata", "labels", HASH], json!(hash));
    let generation = object::generation(owner.object).to_string();
    object::set(&mut pod, &["metadata", "labels", "pod-template-generation"], json!(generation));
    let mut tolerations = object::list(&pod, "/spec/tolerations").to_vec();
    for (key, effect) in [
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ] {
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
    }
    if object::flag(&pod, "/spec/hostNetwork") {
        tolerations.push(json!({"key": "node.kubernetes.io/network-unavailable",
            "operator": "Exists", "effect": "NoSchedule"}));
    }
    pod["spec"]["tolerations"] = Value::Array(tolerations);
    pod
}

/// Source: `util.ReplaceDaemonSetPodNodeNameNodeAffinity`.
fn on_node(prototype: &Value, node: &str) -> Value {
    let mut pod = prototype.clone();
    let only = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
    let terms = ["spec", "affinity", "nodeAffinity"];
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let pointer = format!("/spec/affinity/nodeAffinity/{required}/nodeSelectorTerms");
    let mut all = object::list(&pod, &pointer).to_vec();
    if all.is_empty() {
        all.push(json!({}));
    }
    for term in &mut all {
        term["matchFields"] = only.clone();
    }
    let path = [terms[0], terms[1], terms[2], required, "nodeSelectorTerms"];
    object::set(&mut pod, &path, Value::Array(all));
    pod
}

async fn revision(
    manager: &Manager,
    client: &Client,
    set: &Value,
    hash: &str,
) -> Result<(), Failure> {
    if number(set, "/status/observedGeneration") == object::generation(set) {
        return Ok(());
    }
    let space = object::namespace(set);
    let path = format!("/apis/apps/v1/namespaces/{space}/controllerrevisions");
    let known = client.get(format!("{path}/{}-{hash}", name(set))).await;
    if known.is_ok() || manager.world.now() == sim_time::SimTime::ZERO {
        return Ok(());
    }
    let revision = json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": format!("{}-{hash}", name(set)),
            "namespace": space,
            "labels": set["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": object::owned_by("apps/v1", "DaemonSet", set),
        },
        "data": {"spec": {"template": set["spec"]["template"]}},
        "revision": object::generation(set),
    });
    match client.create(path, &revision).await {
        Err(failure) if !failure.already_exists() => Err(failure),
        _ => Ok(()),
    }
}

async fn update_status(
    manager: &Manager,
    client: &Client,
    set: &Value,
    hash: &str,
    nodes: &[Rc<Value>],
    wants: impl Fn(&Value) -> (bool, bool),
) -> Result<(), Failure> {
    let by_node = pods_by_node(manager, set);
    let min_ready = number(set, "/spec/minReadySeconds");
    let [mut desired, mut current, mut ready, mut available, mut wrong, mut updated] = [0_i64; 6];
    for node in nodes {
        let pods = by_node.get(name(node)).map_or(&[][..], Vec::as_slice);
        let pod = pods.iter().find(|pod| !is_going(pod));
        if !wants(node).0 {
            wrong += i64::from(pod.is_some());
            continue;
        }
        desired += 1;
        let Some(pod) = pod else { continue };
        current += 1;
        ready += i64::from(object::is_ready(pod));
        available += i64::from(is_available(manager, pod, min_ready));
        updated += i64::from(object::label(pod, HASH) == Some(hash));
    }
    let mut status = json!({
        "currentNumberScheduled": current,
        "numberMisscheduled": wrong,
        "desiredNumberScheduled": desired,
        "numberReady": ready,
        "observedGeneration": object::generation(set),
    });
    for (field, value) in [
        ("updatedNumberScheduled", updated),
        ("numberAvailable", available),
        ("numberUnavailable", desired - available),
    ] {
        if value != 0 {
            status[field] = json!(value);
        }
    }
    let same = status.as_object().is_some_and(|status| {
        status.iter().all(|(field, value)| set["status"].get(field) == Some(value))
            && set["status"].as_object().map(serde_json::Map::len) == Some(status.len())
    });
    if same {
        return Ok(());
    }
    let mut new = set.clone();
    new["apiVersion"] = json!("apps/v1");
    new["kind"] = json!("DaemonSet");
    new["status"] = status;
    let (space, name) = (object::namespace(set), name(set));
    let path = format!("/apis/apps/v1/namespaces/{space}/daemonsets/{name}/status");
    match client.update(path, &new).await {
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) => Err(failure),
        Ok(done) => {
            manager.daemon_sets.caught_up(client, object::version(&done)).await;
            Ok(())
        }
    }
}

const HASH: &str = "controller-revision-hash";

/// Source: `BurstReplicas` of the daemon set controller.
const BURST: usize = 250;
