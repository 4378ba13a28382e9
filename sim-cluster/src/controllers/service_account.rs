//! What every namespace has: the service account `default` and the ConfigMap of the root CA.
//! Source: `pkg/controller/serviceaccount`, `pkg/controller/certificates/rootcacertpublisher`.

use std::rc::Rc;

use serde_json::{Value, json};

use super::Manager;
use crate::{
    client::{Client, Failure},
    object::{self, Key},
    queue::WorkQueue,
};

pub(super) fn start(manager: &Rc<Manager>) {
    let accounts = manager.client("service-account-controller");
    let own = Rc::clone(manager);
    each_namespace(manager, &manager.service_accounts, move |space| {
        let (own, client) = (Rc::clone(&own), accounts.clone());
        async move {
            let known = own.service_accounts.get(&Key::new(&space, "default")).is_some();
            let account = json!({
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": space},
            });
            let path = format!("/api/v1/namespaces/{space}/serviceaccounts");
            if known { Ok(()) } else { make(&client, path, &account).await }
        }
    });
    let publisher = manager.client("root-ca-cert-publisher");
    let own = Rc::clone(manager);
    each_namespace(manager, &manager.config_maps, move |space| {
        let (own, client) = (Rc::clone(&own), publisher.clone());
        async move {
            let known = own.config_maps.get(&Key::new(&space, ROOT_CA)).is_some();
            let map = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": ROOT_CA,
                    "namespace": space,
                    "annotations": {"kubernetes.io/description": "Contains a CA bundle that can be \
                        used to verify the kube-apiserver when using internal endpoints such as \
                        the internal service IP or kubernetes.default.svc. No other usage is \
                        guaranteed across distributions of Kubernetes clusters."},
                },
                "data": {"ca.crt": ""},
            });
            let path = format!("/api/v1/namespaces/{space}/configmaps");
            if known { Ok(()) } else { make(&client, path, &map).await }
        }
    });
}

/// Works on a namespace when it is new, and when one of the objects in it goes.
fn each_namespace<F, Fut>(manager: &Manager, objects: &crate::informer::Informer, make: F)
where
    F: Fn(String) -> Fut + Clone + 'static,
    Fut: Future<Output = Result<(), Failure>> + 'static,
{
    let queue = WorkQueue::new(&manager.world);
    let add = queue.clone();
    manager.namespaces.on_change(move |change| {
        if let Some(space) = &change.new
            && change.old.is_none()
            && object::text(space, "/status/phase") != "Terminating"
        {
            add.add(Key::of(space));
        }
    });
    let (add, spaces) = (queue.clone(), Rc::clone(&manager.namespaces));
    objects.on_change(move |change| {
        if change.new.is_none() {
            let space = Key::new("", object::namespace(change.object()));
            if spaces.get(&space).is_some_and(|space| !object::is_going(&space)) {
                add.add(space);
            }
        }
    });
    queue.work(5, move |key| make(key.name.to_string()));
}

async fn make(client: &Client, path: String, object: &Value) -> Result<(), Failure> {
    match client.create(path, object).await {
        Err(failure)
            if !failure.already_exists()
                && !failure.is_terminating()
                && !failure.is_not_found() =>
        {
            Err(failure)
        }
        _ => Ok(()),
    }
}

const ROOT_CA: &str = "kube-root-ca.crt";
