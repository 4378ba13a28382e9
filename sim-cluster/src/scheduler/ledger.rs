//! What is used of each node, by pods that are bound or about to be.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fit;
use crate::object::{self, controller_uid, flag, list, name, namespace, text, uid};

/// Nodes and what runs on them.
#[derive(Default)]
pub(super) struct Ledger {
    nodes: BTreeMap<String, Node>,
    /// Uid to the pod's share of a node.
    pods: BTreeMap<String, Share>,
}

#[derive(Default)]
struct Node {
    object: Value,
    cpu: i64,
    memory: i64,
    most_pods: i64,
    used_cpu: i64,
    used_memory: i64,
    pods: i64,
    ports: BTreeSet<(i64, String)>,
    /// Pods by what they spread with: namespace and controller.
    groups: BTreeMap<String, i64>,
}

struct Share {
    node: String,
    cpu: i64,
    memory: i64,
    ports: Vec<(i64, String)>,
    group: String,
    labels: Value,
    namespace: String,
    assumed: bool,
}

impl Ledger {
    pub(super) fn put_node(&mut self, object: &Value) {
        let node = self.nodes.entry(name(object).to_owned()).or_default();
        let allocatable = &object["status"]["allocatable"];
        node.cpu = fit::milli(&allocatable["cpu"]);
        node.memory = fit::bytes(&allocatable["memory"]);
        node.most_pods = fit::bytes(&allocatable["pods"]);
        node.object = object.clone();
    }

    pub(super) fn remove_node(&mut self, name: &str) {
        // What runs there still counts if the node comes back.
        if let Some(node) = self.nodes.get_mut(name) {
            node.object = Value::Null;
        }
    }

    /// A pod as it was and as it is.
    pub(super) fn take(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let id = uid(new.or(old).unwrap_or(&Value::Null)).to_owned();
        let bound =
            new.filter(|pod| !text(pod, "/spec/nodeName").is_empty() && !object::is_finished(pod));
        match bound {
            Some(pod) => {
                let node = text(pod, "/spec/nodeName");
                if self.pods.get(&id).is_some_and(|share| share.node == node) {
                    if let Some(share) = self.pods.get_mut(&id) {
                        share.assumed = false;
                    }
                    return;
                }
                self.remove(&id);
                self.add(pod, node, false);
            }
            None if new.is_none() || new.is_some_and(object::is_finished) => self.remove(&id),
            // Not bound yet, perhaps assumed.
            None => {}
        }
    }

    pub(super) fn assume(&mut self, pod: &Value, node: &str) {
        self.remove(uid(pod));
        self.add(pod, node, true);
    }

    pub(super) fn is_assumed(&self, id: &str) -> bool {
        self.pods.contains_key(id)
    }

    pub(super) fn forget(&mut self, id: &str) {
        if self.pods.get(id).is_some_and(|share| share.assumed) {
            self.remove(id);
        }
    }

    fn add(&mut self, pod: &Value, node: &str, assumed: bool) {
        let (cpu, memory) = fit::requests(pod);
        let share = Share {
            node: node.to_owned(),
            cpu,
            memory,
            ports: fit::host_ports(pod).collect(),
            group: group(pod),
            labels: pod["metadata"]["labels"].clone(),
            namespace: namespace(pod).to_owned(),
            assumed,
        };
        let node = self.nodes.entry(node.to_owned()).or_default();
        node.used_cpu += share.cpu;
        node.used_memory += share.memory;
        node.pods += 1;
        node.ports.extend(share.ports.iter().cloned());
        *node.groups.entry(share.group.clone()).or_default() += 1;
        self.pods.insert(uid(pod).to_owned(), share);
    }

    fn remove(&mut self, id: &str) {
        let Some(share) = self.pods.remove(id) else { return };
        let Some(node) = self.nodes.get_mut(&share.node) else { return };
        node.used_cpu -= share.cpu;
        node.used_memory -= share.memory;
        node.pods -= 1;
        for port in &share.ports {
            node.ports.remove(port);
        }
        if let Some(count) = node.groups.get_mut(&share.group) {
            *count -= 1;
            if *count == 0 {
                node.groups.remove(&share.group);
            }
        }
    }

    /// The node for a pod, or the message of why there is none. Source: `FitError.Error`.
    pub(super) fn place(&self, pod: &Value) -> Result<String, String> {
        let nodes: Vec<_> = self.nodes.values().filter(|node| !node.object.is_null()).collect();
        let facts = Facts::of(pod);
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        let mut best: Option<((i64, i64), &Node)> = None;
        // A daemon's pod is for one node only: the others need no look.
        let only = Some(fit::meant_for(pod)).filter(|only| !only.is_empty());
        for node in &nodes {
            let refused = if only.is_some_and(|only| only != name(&node.object)) {
                vec!["node(s) didn't satisfy plugin(s) [NodeAffinity]".to_owned()]
            } else {
                self.refuses(pod, &facts, node)
            };
            if refused.is_empty() {
                let score = (node.groups.get(&facts.group).copied().unwrap_or(0), node.load());
                if best.as_ref().is_none_or(|(least, _)| score < *least) {
                    best = Some((score, node));
                }
            }
            for reason in refused {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        if let Some((_, node)) = best {
            return Ok(name(&node.object).to_owned());
        }
        if nodes.is_empty() {
            return Err("no nodes available to schedule pods".to_owned());
        }
        let mut lines: Vec<_> =
            reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        lines.sort();
        Err(format!(
            "0/{} nodes are available: {}. preemption: 0/{} nodes are available: {} Preemption is \
             not helpful for scheduling.",
            nodes.len(),
            lines.join(", "),
            nodes.len(),
            nodes.len(),
        ))
    }

    fn refuses(&self, pod: &Value, facts: &Facts, node: &Node) -> Vec<String> {
        let object = &node.object;
        if flag(object, "/spec/unschedulable") {
            let taint = serde_json::json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
            if !list(pod, "/spec/tolerations").iter().any(|one| fit::tolerates(one, &taint)) {
                return vec!["node(s) were unschedulable".to_owned()];
            }
        }
        if let Some(taint) = fit::untolerated(pod, object, &["NoSchedule", "NoExecute"]) {
            let (key, value) = (text(taint, "/key"), text(taint, "/value"));
            return vec![format!("node(s) had untolerated taint {{{key}: {value}}}")];
        }
        if !fit::selects(pod, object) {
            return vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
        }
        if facts.ports.iter().any(|port| node.ports.contains(port)) {
            return vec!["node(s) didn't have free ports for the requested pod ports".to_owned()];
        }
        let mut short = Vec::new();
        if node.pods + 1 > node.most_pods {
            short.push("Too many pods".to_owned());
        }
        if facts.cpu > 0 && facts.cpu > node.cpu - node.used_cpu {
            short.push("Insufficient cpu".to_owned());
        }
        if facts.memory > 0 && facts.memory > node.memory - node.used_memory {
            short.push("Insufficient memory".to_owned());
        }
        if !short.is_empty() {
            return short;
        }
        if self.is_repelled(pod, facts, node) {
            return vec!["node(s) didn't match pod anti-affinity rules".to_owned()];
        }
        Vec::new()
    }

    /// Required pod anti-affinity by host name; other topologies are looked at by their label.
    fn is_repelled(&self, pod: &Value, facts: &Facts, node: &Node) -> bool {
        let terms = list(
            pod,
            "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution",
        );
        terms.iter().any(|term| {
            let topology = text(term, "/topologyKey");
            let here = &node.object["metadata"]["labels"][topology];
            let spaces = list(term, "/namespaces");
            self.pods.values().any(|share| {
                let space = if spaces.is_empty() {
                    share.namespace == facts.namespace
                } else {
                    spaces.iter().any(|space| *space == *share.namespace)
                };
                let there = self.nodes.get(&share.node).map(|node| &node.object);
                let near = there.is_some_and(|there| {
                    name(there) == name(&node.object)
                        || here.is_string() && there["metadata"]["labels"][topology] == *here
                });
                space && near && object::matches(&term["labelSelector"], &share.labels)
            })
        })
    }
}

impl Node {
    /// How full it is, in thousandths of the fuller resource. Source: LeastAllocated.
    fn load(&self) -> i64 {
        let part = |used: i64, of: i64| used.saturating_mul(1000).checked_div(of).unwrap_or(0);
        part(self.used_cpu, self.cpu) + part(self.used_memory, self.memory) + self.pods
    }
}

struct Facts {
    cpu: i64,
    memory: i64,
    ports: Vec<(i64, String)>,
    group: String,
    namespace: String,
}

impl Facts {
    fn of(pod: &Value) -> Self {
        let (cpu, memory) = fit::requests(pod);
        let ports = fit::host_ports(pod).collect();
        Self { cpu, memory, ports, group: group(pod), namespace: namespace(pod).to_owned() }
    }
}

/// Pods of one controller spread over the nodes. Source: default topology spread constraints.
fn group(pod: &Value) -> String {
    controller_uid(pod).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, cpu: &str, pods: i64) -> Value {
        json!({"metadata": {"name": name, "labels": {}}, "spec": {},
            "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": pods.to_string()}}})
    }

    fn pod(id: &str, cpu: &str) -> Value {
        json!({"metadata": {"name": id, "namespace": "d", "uid": id, "ownerReferences": [
            {"uid": "rs", "controller": true}]},
            "spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}]}})
    }

    #[test]
    fn pods_spread_until_nothing_is_left() {
        let mut ledger = Ledger::default();
        ledger.put_node(&node("a", "1", 10));
        ledger.put_node(&node("b", "1", 10));
        let mut placed = Vec::new();
        for id in ["1", "2", "3", "4"] {
            let pod = pod(id, "500m");
            let at = ledger.place(&pod).unwrap();
            ledger.assume(&pod, &at);
            placed.push(at);
        }
        assert_eq!(placed, ["a", "b", "a", "b"]);
        let message = ledger.place(&pod("5", "500m")).unwrap_err();
        assert!(message.starts_with("0/2 nodes are available: 2 Insufficient cpu. "), "{message}");
        ledger.forget("1");
        assert_eq!(ledger.place(&pod("5", "500m")).unwrap(), "a");
    }

    #[test]
    fn reasons_are_counted() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.place(&pod("1", "1")).unwrap_err(),
            "no nodes available to schedule pods"
        );
        ledger.put_node(&node("a", "1", 0));
        let mut tainted = node("b", "1", 1);
        tainted["spec"]["taints"] = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
        ledger.put_node(&tainted);
        let message = ledger.place(&pod("1", "1")).unwrap_err();
        let start =
            "0/2 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint {k: v}.";
        assert!(message.starts_with(start), "{message}");
    }
}
