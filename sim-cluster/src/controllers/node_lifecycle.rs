//! Nodes: pod CIDRs, the taint of what is not ready, and what becomes of nodes that fall silent.
//! Source: `pkg/controller/nodelifecycle`, `pkg/controller/nodeipam`.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use serde_json::{Value, json};
use sim_time::SimTime;

use super::{Manager, PODS_BY_NODE, Recorder};
use crate::{
    client::{Client, Failure},
    config::ClusterConfig,
    object::{self, Key, list, name, text},
    queue::WorkQueue,
};

struct Controller {
    manager: Rc<Manager>,
    client: Client,
    recorder: Recorder,
    config: ClusterConfig,
    /// Node to the index of its pod CIDR.
    cidrs: RefCell<BTreeMap<String, u32>>,
    /// Node to its last sign of life.
    heard: RefCell<BTreeMap<String, (String, SimTime)>>,
    /// Node to when it became unready.
    unready: RefCell<BTreeMap<String, SimTime>>,
}

pub(super) fn start(manager: &Rc<Manager>, config: &ClusterConfig) {
    let client = manager.client("node-controller");
    let recorder = manager.recorder(&client, "node-controller");
    let own = Rc::new(Controller {
        manager: Rc::clone(manager),
        client,
        recorder,
        config: config.clone(),
        cidrs: RefCell::default(),
        heard: RefCell::default(),
        unready: RefCell::default(),
    });
    let queue = WorkQueue::new(&manager.world);
    let add = queue.clone();
    manager.nodes.on_change(move |change| {
        let facts = |node: &Rc<Value>| (node["spec"].clone(), node["status"]["conditions"].clone());
        if change.old.as_ref().map(facts) != change.new.as_ref().map(facts) {
            add.add(Key::of(change.object()));
        }
    });
    let worker = Rc::clone(&own);
    queue.work(8, move |key| {
        let own = Rc::clone(&worker);
        async move { own.sync(&key).await }
    });
    manager.world.spawn(async move {
        loop {
            // Source: --node-monitor-period.
            own.manager.world.sleep(Duration::from_secs(5)).await;
            own.monitor().await;
        }
    });
}

impl Controller {
    async fn sync(&self, key: &Key) -> Result<(), Failure> {
        let Some(node) = self.manager.nodes.get(key) else {
            self.cidrs.borrow_mut().remove(&*key.name);
            self.heard.borrow_mut().remove(&*key.name);
            self.unready.borrow_mut().remove(&*key.name);
            return Ok(());
        };
        self.allocate(&node).await?;
        self.taint(key).await
    }

    /// Gives the node a pod CIDR. Source: the range allocator of `--allocate-node-cidrs`.
    async fn allocate(&self, node: &Value) -> Result<(), Failure> {
        let has = text(node, "/spec/podCIDR");
        let index = {
            let mut cidrs = self.cidrs.borrow_mut();
            if !has.is_empty() || cidrs.contains_key(name(node)) {
                let known = (0..=u32::from(u16::MAX))
                    .take_while(|index| self.config.pod_cidr(*index).is_some())
                    .find(|index| self.config.pod_cidr(*index).as_deref() == Some(has));
                if let Some(index) = known {
                    cidrs.insert(name(node).to_owned(), index);
                }
                return Ok(());
            }
            let taken: std::collections::BTreeSet<u32> = cidrs.values().copied().collect();
            let index = (0..).find(|index| !taken.contains(index)).unwrap_or(0);
            cidrs.insert(name(node).to_owned(), index);
            index
        };
        let Some(cidr) = self.config.pod_cidr(index) else {
            let message = format!("Node {} status is now: CIDRNotAvailable", name(node));
            self.recorder.event(("v1", "Node"), node, ("Normal", "CIDRNotAvailable"), &message);
            return Ok(());
        };
        let patch = json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}});
        self.client.patch(format!("/api/v1/nodes/{}", name(node)), &patch).await.map(|_| ())
    }

    /// The taints that follow from the Ready condition.
    async fn taint(&self, key: &Key) -> Result<(), Failure> {
        let path = format!("/api/v1/nodes/{}", key.name);
        let Some(node) = self.manager.nodes.get(key) else { return Ok(()) };
        let ready = object::condition(&node, "Ready").map_or("", |ready| text(ready, "/status"));
        let wanted = |taint: &Value| match text(taint, "/key") {
            NOT_READY => ready == "False" || ready.is_empty(),
            UNREACHABLE => ready == "Unknown",
            _ => true,
        };
        let there = list(&node, "/spec/taints");
        let mut taints: Vec<_> = there.iter().filter(|taint| wanted(taint)).cloned().collect();
        let own = match ready {
            "False" => NOT_READY,
            "Unknown" => UNREACHABLE,
            _ => "",
        };
        if !own.is_empty() {
            for effect in ["NoSchedule", "NoExecute"] {
                let has = taints.iter().any(|one| one["key"] == own && one["effect"] == effect);
                if !has {
                    let mut taint = json!({"key": own, "effect": effect});
                    if effect == "NoExecute" {
                        taint["timeAdded"] = json!(self.manager.world.time());
                    }
                    taints.push(taint);
                }
            }
        }
        if taints == there {
            return Ok(());
        }
        // The real one reads it again before it patches; so the count of requests is the same.
        let fresh = match self.client.get(path.clone()).await {
            Err(failure) if failure.is_not_found() => return Ok(()),
            fresh => fresh?,
        };
        let mut spec = json!({"taints": taints});
        if taints.is_empty() {
            spec = json!({"taints": null});
        }
        let patch = json!({
            "metadata": {"resourceVersion": fresh["metadata"]["resourceVersion"]},
            "spec": spec,
        });
        let done = self.client.merge_patch(path, &patch).await?;
        self.manager.nodes.caught_up(&self.client, object::version(&done)).await;
        Ok(())
    }

    /// Nodes whose lease and status stand still become Unknown; their pods go later.
    async fn monitor(&self) {
        let now = self.manager.world.now();
        for node in self.manager.nodes.all() {
            let lease = self.manager.leases.get(&Key::new("kube-node-lease", name(&node)));
            let renewed = lease.as_ref().map_or("", |lease| text(lease, "/spec/renewTime"));
            let status = object::condition(&node, "Ready");
            let beat = status.map_or("", |ready| text(ready, "/lastHeartbeatTime"));
            let sign = format!("{renewed} {beat}");
            let known = {
                let mut heard = self.heard.borrow_mut();
                if !heard.contains_key(name(&node)) {
                    let own = name(&node);
                    let message = format!("Node {own} event: Registered Node {own} in Controller");
                    let what = ("Normal", "RegisteredNode");
                    self.recorder.event(("v1", "Node"), &node, what, &message);
                }
                let known =
                    heard.entry(name(&node).to_owned()).or_insert_with(|| (sign.clone(), now));
                if known.0 != sign {
                    *known = (sign, now);
                }
                known.1
            };
            if now.saturating_since(known) > GRACE {
                let _ = self.becomes_unknown(&node).await;
            }
            self.evict(&node, now).await;
        }
    }

    async fn becomes_unknown(&self, node: &Value) -> Result<(), Failure> {
        if object::condition(node, "Ready").is_some_and(|ready| ready["status"] == "Unknown") {
            return Ok(());
        }
        let now = self.manager.world.time();
        let mut conditions = list(node, "/status/conditions").to_vec();
        for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
            let mut condition = json!({"type": kind, "status": "Unknown",
                "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status.",
                "lastTransitionTime": now});
            let old = conditions.iter().find(|one| one["type"] == kind);
            if let Some(beat) = old.and_then(|old| old.get("lastHeartbeatTime")) {
                condition["lastHeartbeatTime"] = beat.clone();
            }
            object::set_condition(&mut conditions, condition);
        }
        let mut new = node.clone();
        new["apiVersion"] = json!("v1");
        new["kind"] = json!("Node");
        new["status"]["conditions"] = Value::Array(conditions);
        self.client.update(format!("/api/v1/nodes/{}/status", name(node)), &new).await?;
        let message = format!("Node {} status is now: NodeNotReady", name(node));
        self.recorder.event(("v1", "Node"), node, ("Normal", "NodeNotReady"), &message);
        // Source: MarkPodsNotReady.
        for pod in self.manager.pods.indexed(PODS_BY_NODE, name(node)) {
            if object::is_ready(&pod) {
                let patch = json!({"status": {"conditions": [{"type": "Ready", "status": "False",
                    "lastTransitionTime": now}]}});
                let path = pod_path(&pod);
                let _ = self.client.patch(format!("{path}/status"), &patch).await;
            }
        }
        Ok(())
    }

    /// Pods that tolerate a NoExecute taint no longer are deleted. Source: `pkg/controller/tainteviction`.
    async fn evict(&self, node: &Value, now: SimTime) {
        let taints: Vec<_> =
            list(node, "/spec/taints").iter().filter(|one| one["effect"] == "NoExecute").collect();
        if taints.is_empty() {
            self.unready.borrow_mut().remove(name(node));
            return;
        }
        let since = *self.unready.borrow_mut().entry(name(node).to_owned()).or_insert(now);
        for pod in self.manager.pods.indexed(PODS_BY_NODE, name(node)) {
            if object::is_going(&pod) || object::is_finished(&pod) {
                continue;
            }
            let least = taints.iter().filter_map(|taint| tolerated_for(&pod, taint)).min();
            let Some(least) = least else { continue };
            if now.saturating_since(since) >= least {
                let _ = self.client.delete(pod_path(&pod), &json!({})).await;
                let message = "Marking for deletion Pod ".to_owned() + &Key::of(&pod).to_string();
                let about = ("v1", "Pod");
                self.recorder.event(about, &pod, ("Normal", "TaintManagerEviction"), &message);
            }
        }
    }
}

/// For how long; `None` for ever. Zero without a toleration.
fn tolerated_for(pod: &Value, taint: &Value) -> Option<Duration> {
    let mut least = Some(Duration::ZERO);
    for toleration in list(pod, "/spec/tolerations") {
        if !crate::scheduler::fit::tolerates(toleration, taint) {
            continue;
        }
        let seconds = toleration.get("tolerationSeconds").and_then(Value::as_i64);
        match seconds {
            None => return None,
            Some(seconds) => {
                let length = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                least = least.max(Some(length));
            }
        }
    }
    least
}

fn pod_path(pod: &Value) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", object::namespace(pod), name(pod))
}

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Source: `--node-monitor-grace-period`, 50 s from 1.32 on.
const GRACE: Duration = Duration::from_secs(50);
