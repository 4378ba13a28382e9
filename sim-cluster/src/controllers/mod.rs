//! kube-controller-manager: one module per controller.

mod daemon_set;
mod deployment;
mod endpoint_slice;
mod events;
mod garbage;
mod lease;
mod namespace;
mod node_lifecycle;
mod pods;
mod replica_set;
mod rollout;
mod service_account;

use std::rc::Rc;

use serde_json::Value;

pub(crate) use self::events::Recorder;
use crate::{
    call::Identity,
    client::Client,
    config::{ClientQps, ClusterConfig},
    informer::{Informer, Source},
    object,
    world::World,
};
pub(crate) use lease::hold as hold_lease;

/// What all controllers share: informers of one client, and how clients are made.
pub(crate) struct Manager {
    world: World,
    version: String,
    qps: ClientQps,
    pods: Rc<Informer>,
    nodes: Rc<Informer>,
    namespaces: Rc<Informer>,
    deployments: Rc<Informer>,
    replica_sets: Rc<Informer>,
    daemon_sets: Rc<Informer>,
    services: Rc<Informer>,
    service_accounts: Rc<Informer>,
    config_maps: Rc<Informer>,
    endpoint_slices: Rc<Informer>,
    leases: Rc<Informer>,
}

/// Indexes of the pods' informer.
const PODS_BY_CONTROLLER: usize = 0;
const PODS_BY_NODE: usize = 1;
/// Index of the other informers that have one.
const BY_CONTROLLER: usize = 0;

fn by_controller(object: &Value) -> String {
    object::controller_uid(object).to_owned()
}

fn by_node(pod: &Value) -> String {
    object::text(pod, "/spec/nodeName").to_owned()
}

pub(crate) fn start(world: &World, config: &ClusterConfig) {
    let agent =
        format!("kube-controller-manager/{} (linux/amd64) kubernetes/apisim", config.version);
    let identity = |name: &str| Identity {
        user: "system:kube-controller-manager".to_owned(),
        groups: Vec::new(),
        user_agent: format!("{agent}/{name}"),
    };
    let shared = Client::new(world, identity("shared-informers"), limit(config.client_qps));
    let informer = |path: &str| Informer::start(&shared, Source::all(path), &[]);
    let owned = |path: &str| Informer::start(&shared, Source::all(path), &[by_controller]);
    let manager = Rc::new(Manager {
        world: world.clone(),
        version: config.version.clone(),
        qps: config.client_qps,
        pods: Informer::start(&shared, Source::all("/api/v1/pods"), &[by_controller, by_node]),
        nodes: informer("/api/v1/nodes"),
        namespaces: informer("/api/v1/namespaces"),
        deployments: informer("/apis/apps/v1/deployments"),
        replica_sets: owned("/apis/apps/v1/replicasets"),
        daemon_sets: informer("/apis/apps/v1/daemonsets"),
        services: informer("/api/v1/services"),
        service_accounts: informer("/api/v1/serviceaccounts"),
        config_maps: informer("/api/v1/configmaps"),
        endpoint_slices: informer("/apis/discovery.k8s.io/v1/endpointslices"),
        leases: informer("/apis/coordination.k8s.io/v1/leases"),
    });
    let leader = Client::new(world, identity("leader-election"), limit(config.client_qps));
    world.spawn(lease::hold(leader, "kube-system", "kube-controller-manager"));
    deployment::start(&manager);
    replica_set::start(&manager);
    daemon_set::start(&manager);
    endpoint_slice::start(&manager);
    namespace::start(&manager);
    garbage::start(&manager);
    service_account::start(&manager);
    node_lifecycle::start(&manager, config);
}

/// Source: kube-controller-manager `--kube-api-qps` 20, `--kube-api-burst` 30.
fn limit(qps: ClientQps) -> Option<(f64, f64)> {
    (qps == ClientQps::Real).then_some((20.0, 30.0))
}

impl Manager {
    /// The client of a controller, under its service account
    /// (`--use-service-account-credentials`), with a rate limit of its own.
    fn client(&self, name: &str) -> Client {
        let identity = Identity {
            user: format!("system:serviceaccount:kube-system:{name}"),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                "system:serviceaccounts:kube-system".to_owned(),
            ],
            user_agent: format!(
                "kube-controller-manager/{} (linux/amd64) \
                 kubernetes/apisim/system:serviceaccount:kube-system:{name}",
                self.version
            ),
        };
        Client::new(&self.world, identity, limit(self.qps))
    }

    /// The recorder of a controller: events have a limit of their own.
    fn recorder(&self, client: &Client, component: &str) -> Recorder {
        Recorder::new(client.apart(limit(self.qps)), component)
    }
}
