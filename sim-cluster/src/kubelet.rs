//! Kubelets: nodes that register, renew their lease, and run what is bound to them.
//! Source: `pkg/kubelet`; spec/clients.md 2.7 for kwok.

mod node;
mod pod;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use serde_json::Value;

use crate::{
    call::Identity,
    client::Client,
    config::{ClientQps, ClusterConfig, Delay, Kubelets, NODES_MAX},
    informer::{Informer, Sink, Source, reflect},
    object::{self, Key, text, uid},
    world::World,
};

/// What runs the pods of one node, or of all.
struct Kubelet {
    world: World,
    client: Client,
    config: Rc<ClusterConfig>,
    pods: Rc<Informer>,
    /// Uid of each pod that is being worked on, and whether it came up.
    known: RefCell<BTreeMap<String, pod::Phase>>,
    /// Addresses in use, by node.
    addresses: RefCell<BTreeMap<String, Addresses>>,
    /// How many nodes there are so far.
    nodes: Rc<Cell<u32>>,
}

/// All nodes, and what more need to join.
pub(crate) struct Fleet {
    world: World,
    config: Rc<ClusterConfig>,
    nodes: Rc<Cell<u32>>,
    /// kwok's client, if it plays them.
    kwok: Option<Client>,
}

impl Fleet {
    /// So many more nodes, evenly over that time. Beyond the most that a cluster has none join.
    pub(crate) fn join(&self, count: u32, within: Duration) {
        let first = self.nodes.get();
        let last = first.saturating_add(count).min(NODES_MAX);
        self.nodes.set(last.max(first));
        for index in first..last {
            let (world, config, nodes) =
                (self.world.clone(), Rc::clone(&self.config), Rc::clone(&self.nodes));
            let (kwok, delay) = (self.kwok.clone(), within.mul_f64(share(index - first, count)));
            self.world.spawn(async move {
                world.sleep(delay).await;
                match kwok {
                    Some(client) => managed(&world, &client, &config, index),
                    None => one(&world, &config, &nodes, index),
                }
            });
        }
    }
}

fn share(part: u32, whole: u32) -> f64 {
    f64::from(part) / f64::from(whole.max(1))
}

#[derive(Default)]
struct Addresses {
    used: BTreeSet<u32>,
    next: u32,
    cidr: String,
}

pub(crate) fn start(world: &World, config: &ClusterConfig) -> Fleet {
    let config = Rc::new(config.clone());
    let nodes = Rc::new(Cell::new(config.nodes));
    let kwok = match config.kubelets {
        Kubelets::Kwok => Some(kwok(world, &config, &nodes)),
        Kubelets::Each => {
            for index in 0..config.nodes {
                one(world, &config, &nodes, index);
            }
            None
        }
    };
    Fleet { world: world.clone(), config, nodes, kwok }
}

/// One kubelet under its own identity. Source: `--kube-api-qps` 50, `--kube-api-burst` 100.
fn one(world: &World, config: &Rc<ClusterConfig>, nodes: &Rc<Cell<u32>>, index: u32) {
    let name = node::name(index);
    let identity = Identity {
        user: format!("system:node:{name}"),
        groups: vec!["system:nodes".to_owned()],
        user_agent: format!("kubelet/{} (linux/amd64) kubernetes/apisim", config.version),
    };
    let limit = (config.client_qps == ClientQps::Real).then_some((50.0, 100.0));
    let client = Client::new(world, identity, limit);
    let watches = client.apart(None);
    world.spawn(node::run(client.clone(), Rc::clone(config), index));
    let selector = format!("fieldSelector=spec.nodeName%3D{name}");
    let pods = Informer::start(&watches, Source::selected("/api/v1/pods", selector), &[]);
    Kubelet::start(world, client, config, pods, nodes);
    let own = format!("fieldSelector=metadata.name%3D{name}");
    for source in [
        Source::selected("/api/v1/nodes", own),
        Source::all("/api/v1/services"),
        Source::all("/apis/node.k8s.io/v1/runtimeclasses"),
        Source::all("/apis/storage.k8s.io/v1/csidrivers"),
    ] {
        let watches = watches.clone();
        world.spawn(async move { reflect(&watches, &source, &Sink::Nobody).await });
    }
}

/// kwok: one identity and one watch for all nodes.
fn kwok(world: &World, config: &Rc<ClusterConfig>, nodes: &Rc<Cell<u32>>) -> Client {
    let identity = Identity {
        user: "kwok".to_owned(),
        groups: vec!["system:masters".to_owned()],
        user_agent: "kwok/v0.7.0 (linux/amd64)".to_owned(),
    };
    let client = Client::new(world, identity, None);
    for index in 0..config.nodes {
        managed(world, &client, config, index);
    }
    let selector = "fieldSelector=spec.nodeName%21%3D".to_owned();
    let pods = Informer::start(&client, Source::selected("/api/v1/pods", selector), &[]);
    Kubelet::start(world, client.clone(), config, pods, nodes);
    client
}

/// A node of kwok's: it lists the pods of each that it takes over.
fn managed(world: &World, client: &Client, config: &Rc<ClusterConfig>, index: u32) {
    world.spawn(node::run(client.clone(), Rc::clone(config), index));
    let (client, name) = (client.clone(), node::name(index));
    world.spawn(async move {
        let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{name}");
        let _ = client.get(path).await;
    });
}

impl Kubelet {
    fn start(
        world: &World,
        client: Client,
        config: &Rc<ClusterConfig>,
        pods: Rc<Informer>,
        nodes: &Rc<Cell<u32>>,
    ) {
        let kubelet = Rc::new(Self {
            world: world.clone(),
            client,
            config: Rc::clone(config),
            pods: Rc::clone(&pods),
            known: RefCell::default(),
            addresses: RefCell::default(),
            nodes: Rc::clone(nodes),
        });
        pods.on_change(move |change| match &change.new {
            Some(pod) => kubelet.look_at(pod),
            None => kubelet.forget(change.object()),
        });
    }

    /// Starts what a pod needs now: to be brought up, or down.
    fn look_at(self: &Rc<Self>, pod: &Rc<Value>) {
        if !self.is_ours(pod) {
            return;
        }
        let id = uid(pod).to_owned();
        let known = self.known.borrow().get(&id).copied();
        if object::is_going(pod) {
            if known != Some(pod::Phase::Stopping) {
                self.known.borrow_mut().insert(id, pod::Phase::Stopping);
                let (own, key) = (Rc::clone(self), Key::of(pod));
                self.world.spawn(async move { own.stop(&key).await });
            }
        } else if known.is_none() && !object::is_finished(pod) {
            self.known.borrow_mut().insert(id, pod::Phase::Starting);
            let (own, key) = (Rc::clone(self), Key::of(pod));
            self.world.spawn(async move { own.start_pod(&key).await });
        }
    }

    fn is_ours(&self, pod: &Value) -> bool {
        node::index(text(pod, "/spec/nodeName")).is_some_and(|index| index < self.nodes.get())
    }

    fn forget(&self, pod: &Value) {
        self.known.borrow_mut().remove(uid(pod));
        let address = text(pod, "/status/podIP");
        if let Some(addresses) = self.addresses.borrow_mut().get_mut(text(pod, "/spec/nodeName"))
            && let Some(host) = offset(&addresses.cidr, address)
        {
            addresses.used.remove(&host);
        }
    }

    /// An address of the node's range: host 2 on. `None` when there is none left, or no range.
    async fn address(&self, node: &str) -> Option<String> {
        let cidr = {
            let known = self.addresses.borrow().get(node).map(|known| known.cidr.clone());
            match known.filter(|cidr| !cidr.is_empty()) {
                Some(cidr) => cidr,
                None => {
                    let object = self.client.get(format!("/api/v1/nodes/{node}")).await.ok()?;
                    text(&object, "/spec/podCIDR").to_owned()
                }
            }
        };
        let mut all = self.addresses.borrow_mut();
        let own = all.entry(node.to_owned()).or_default();
        own.cidr = cidr;
        let (base, mask) = own.cidr.split_once('/')?;
        let base: std::net::Ipv4Addr = base.parse().ok()?;
        let size = 1_u32.checked_shl(32_u32.checked_sub(mask.parse().ok()?)?)?;
        // Not the network, its gateway and its broadcast address; as the host-local allocator.
        let most = size.checked_sub(3)?;
        let free = (0..most).map(|step| 2 + (own.next + step) % most);
        let host = free.into_iter().find(|host| !own.used.contains(host))?;
        own.next = host - 1;
        own.used.insert(host);
        Some(std::net::Ipv4Addr::from(u32::from(base) + host).to_string())
    }

    async fn wait(&self, delay: Delay) {
        let spread = delay.most.saturating_sub(delay.least);
        let extra = spread.mul_f64(self.world.fraction());
        self.world.sleep(delay.least + extra).await;
    }
}

fn offset(cidr: &str, address: &str) -> Option<u32> {
    let (base, _) = cidr.split_once('/')?;
    let base: std::net::Ipv4Addr = base.parse().ok()?;
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    u32::from(address).checked_sub(u32::from(base))
}

/// Source: kubelet `nodeLeaseDurationSeconds` 40, renewed after a quarter.
const LEASE_PERIOD: Duration = Duration::from_secs(10);

/// Source: `nodeStatusReportFrequency`.
const STATUS_PERIOD: Duration = Duration::from_secs(300);
