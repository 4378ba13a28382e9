//! kube-scheduler: one pod at a time to the node that fits best. Source: `pkg/scheduler`.

pub(crate) mod fit;
mod ledger;

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use futures_channel::oneshot;
use serde_json::{Value, json};

use self::ledger::Ledger;
use crate::{
    call::Identity,
    client::Client,
    config::{ClientQps, ClusterConfig},
    controllers::hold_lease,
    informer::{Informer, Source},
    object::{self, Key, name, namespace, text, uid},
    world::World,
};

struct Scheduler {
    world: World,
    client: Client,
    events: Client,
    pods: Rc<Informer>,
    ledger: RefCell<Ledger>,
    queue: RefCell<VecDeque<Key>>,
    /// Could not be placed: attempts so far.
    pending: RefCell<BTreeMap<Key, u32>>,
    idle: RefCell<Option<oneshot::Sender<()>>>,
}

pub(crate) fn start(world: &World, config: &ClusterConfig) {
    let identity = |name: &str| Identity {
        user: "system:kube-scheduler".to_owned(),
        groups: Vec::new(),
        user_agent: format!(
            "kube-scheduler/{} (linux/amd64) kubernetes/apisim/{name}",
            config.version
        ),
    };
    // Source: kube-scheduler's clientConnection: qps 50, burst 100; events have a client apart.
    let limit = (config.client_qps == ClientQps::Real).then_some((50.0, 100.0));
    let client = Client::new(world, identity("scheduler"), limit);
    let shared = Client::new(world, identity("shared-informers"), None);
    let leader = Client::new(world, identity("leader-election"), limit);
    world.spawn(hold_lease(leader, "kube-system", "kube-scheduler"));
    let unfinished = "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed";
    let pods = Source::selected("/api/v1/pods", unfinished.to_owned());
    let own = Rc::new(Scheduler {
        world: world.clone(),
        events: client.apart(limit),
        client,
        pods: Informer::start(&shared, pods, &[]),
        ledger: RefCell::default(),
        queue: RefCell::default(),
        pending: RefCell::default(),
        idle: RefCell::default(),
    });
    let nodes = Informer::start(&shared, Source::all("/api/v1/nodes"), &[]);
    let on_node = Rc::clone(&own);
    nodes.on_change(move |change| {
        let mut ledger = on_node.ledger.borrow_mut();
        match &change.new {
            Some(node) => ledger.put_node(node),
            None => ledger.remove_node(name(change.object())),
        }
        drop(ledger);
        on_node.retry_pending();
    });
    let on_pod = Rc::clone(&own);
    own.pods.on_change(move |change| {
        on_pod.ledger.borrow_mut().take(change.old.as_deref(), change.new.as_deref());
        let frees = change.old.as_ref().is_some_and(|old| !text(old, "/spec/nodeName").is_empty());
        match &change.new {
            Some(pod) if is_mine(pod) => on_pod.enqueue(Key::of(pod)),
            None => {
                on_pod.pending.borrow_mut().remove(&Key::of(change.object()));
                if frees {
                    on_pod.retry_pending();
                }
            }
            _ => {}
        }
    });
    let (worker, pods) = (Rc::clone(&own), Rc::clone(&own.pods));
    world.spawn(async move {
        nodes.synced().await;
        pods.synced().await;
        loop {
            worker.schedule_next().await;
        }
    });
    let flush = own;
    world.clone().spawn(async move {
        loop {
            // Source: what could not be placed is tried again after at most 5 min; and whenever
            // something changes that may help.
            flush.world.sleep(Duration::from_secs(300)).await;
            flush.retry_pending();
        }
    });
}

fn is_mine(pod: &Value) -> bool {
    let scheduler = text(pod, "/spec/schedulerName");
    text(pod, "/spec/nodeName").is_empty()
        && !object::is_going(pod)
        && matches!(scheduler, "" | "default-scheduler")
        && object::list(pod, "/spec/schedulingGates").is_empty()
}

impl Scheduler {
    fn enqueue(&self, key: Key) {
        if self.pending.borrow().contains_key(&key) {
            return;
        }
        let mut queue = self.queue.borrow_mut();
        if !queue.contains(&key) {
            queue.push_back(key);
        }
        if let Some(idle) = self.idle.borrow_mut().take() {
            let _ = idle.send(());
        }
    }

    /// Pods that could not be placed come again, after their back-off: 1 s, doubled, at most 10 s.
    fn retry_pending(self: &Rc<Self>) {
        let waiting: Vec<_> = self.pending.borrow().keys().cloned().collect();
        for key in waiting {
            let mut queue = self.queue.borrow_mut();
            if !queue.contains(&key) {
                queue.push_back(key);
            }
        }
        if let Some(idle) = self.idle.borrow_mut().take() {
            let _ = idle.send(());
        }
    }

    async fn schedule_next(self: &Rc<Self>) {
        let next = self.queue.borrow_mut().pop_front();
        let Some(key) = next else {
            let (send, wait) = oneshot::channel();
            *self.idle.borrow_mut() = Some(send);
            let _ = wait.await;
            return;
        };
        let Some(pod) = self.pods.get(&key).filter(|pod| is_mine(pod)) else {
            self.pending.borrow_mut().remove(&key);
            return;
        };
        if self.ledger.borrow().is_assumed(uid(&pod)) {
            return;
        }
        let placed = self.ledger.borrow().place(&pod);
        match placed {
            Ok(node) => {
                self.pending.borrow_mut().remove(&key);
                self.ledger.borrow_mut().assume(&pod, &node);
                let own = Rc::clone(self);
                self.world.spawn(async move { own.bind(&pod, &node).await });
            }
            Err(reasons) => self.unschedulable(&pod, &reasons).await,
        }
    }

    async fn bind(self: Rc<Self>, pod: &Value, node: &str) {
        let (space, pod_name) = (namespace(pod), name(pod));
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod_name, "namespace": space, "uid": uid(pod)},
            "target": {"kind": "Node", "name": node},
        });
        let path = format!("/api/v1/namespaces/{space}/pods/{pod_name}/binding");
        match self.client.create(path, &binding).await {
            Ok(_) => {
                let message = format!("Successfully assigned {space}/{pod_name} to {node}");
                self.event(pod, ("Normal", "Scheduled"), "Binding", &message).await;
            }
            Err(failure) => {
                self.ledger.borrow_mut().forget(uid(pod));
                if !failure.is_not_found() && failure.code != 409 {
                    self.world.sleep(Duration::from_secs(1)).await;
                    self.enqueue(Key::of(pod));
                }
            }
        }
    }

    async fn unschedulable(self: &Rc<Self>, pod: &Value, message: &str) {
        let key = Key::of(pod);
        let first = {
            let mut pending = self.pending.borrow_mut();
            let attempts = pending.entry(key).or_default();
            *attempts += 1;
            *attempts == 1
        };
        let known = object::condition(pod, "PodScheduled");
        if known.is_some_and(|known| known["message"] == message) {
            return;
        }
        let now = self.world.time();
        let patch = json!({"status": {"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": message, "lastProbeTime": null, "lastTransitionTime": now,
        }]}});
        let (own, pod) = (Rc::clone(self), pod.clone());
        let message = message.to_owned();
        self.world.spawn(async move {
            let path = format!("/api/v1/namespaces/{}/pods/{}/status", namespace(&pod), name(&pod));
            let _ = own.client.patch(path, &patch).await;
            if first {
                own.event(&pod, ("Warning", "FailedScheduling"), "Scheduling", &message).await;
            }
        });
    }

    /// An event of events.k8s.io, as the scheduler writes them.
    async fn event(&self, pod: &Value, (kind, reason): (&str, &str), action: &str, note: &str) {
        let suffix = self.world.wall().as_nanosecond() & 0xffff_ffff_ffff_ffff;
        let event = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": format!("{}.{suffix:x}", name(pod)),
                "namespace": namespace(pod),
            },
            "eventTime": self.world.micro_time(),
            "reportingController": "default-scheduler",
            "reportingInstance": "default-scheduler-apisim",
            "action": action,
            "reason": reason,
            "regarding": {
                "kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod),
                "apiVersion": "v1", "resourceVersion": pod["metadata"]["resourceVersion"],
            },
            "note": note,
            "type": kind,
        });
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", namespace(pod));
        let _ = self.events.create(path, &event).await;
    }
}
