//! EndpointSlices and Endpoints of services with a selector.
//! Source: `pkg/controller/endpointslice`, `pkg/controller/endpoint`.

use std::{rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::Manager;
use crate::{
    client::{Client, Failure},
    object::{self, Key, is_going, list, name, namespace, text, uid},
    queue::WorkQueue,
};

pub(super) fn start(manager: &Rc<Manager>) {
    let slices = manager.client("endpointslice-controller");
    let endpoints = manager.client("endpoint-controller");
    let queue = WorkQueue::new(&manager.world);
    let add = queue.clone();
    manager.services.on_change(move |change| add.add(Key::of(change.object())));
    let (add, all) = (queue.clone(), Rc::clone(manager));
    manager.pods.on_change(move |change| {
        let facts = |pod: &Rc<Value>| {
            (
                text(pod, "/status/podIP").to_owned(),
                object::is_ready(pod),
                is_going(pod),
                pod["metadata"]["labels"].clone(),
            )
        };
        if change.old.as_ref().map(facts) == change.new.as_ref().map(facts) {
            return;
        }
        let pod = change.object();
        for service in all.services.in_namespace(namespace(pod)) {
            if selects(&service, pod) {
                // Source: endpointUpdatesBatchPeriod is 0; a moment lets a burst become one write.
                add.add_after(Key::of(&service), Duration::from_millis(50));
            }
        }
    });
    let manager = Rc::clone(manager);
    // Source: --concurrent-service-endpoint-syncs.
    queue.work(5, move |key| {
        let manager = Rc::clone(&manager);
        let (slices, endpoints) = (slices.clone(), endpoints.clone());
        async move {
            sync_slices(&manager, &slices, &key).await?;
            sync_endpoints(&manager, &endpoints, &key).await
        }
    });
}

fn selects(service: &Value, pod: &Value) -> bool {
    let selector = &service["spec"]["selector"];
    selector.as_object().is_some_and(|selector| !selector.is_empty())
        && object::matches(&json!({"matchLabels": selector}), &pod["metadata"]["labels"])
}

/// The pods behind a service that have an address.
fn backends(manager: &Manager, service: &Value) -> Vec<Rc<Value>> {
    let mut pods = manager.pods.in_namespace(namespace(service));
    pods.retain(|pod| {
        selects(service, pod) && !text(pod, "/status/podIP").is_empty() && !object::is_finished(pod)
    });
    pods
}

fn ports(service: &Value, pod: Option<&Value>) -> Vec<Value> {
    let named = |target: &str| {
        let containers = list(pod?, "/spec/containers").iter();
        containers
            .flat_map(|container| list(container, "/ports"))
            .find(|port| port["name"] == target)
            .map(|port| port["containerPort"].clone())
    };
    let one = |port: &Value| {
        let target = match &port["targetPort"] {
            Value::String(name) => named(name)?,
            Value::Null => port["port"].clone(),
            number => number.clone(),
        };
        let name = port.get("name").cloned().unwrap_or_else(|| json!(""));
        Some(json!({"name": name, "port": target, "protocol": port["protocol"]}))
    };
    list(service, "/spec/ports").iter().filter_map(one).collect()
}

fn reference(pod: &Value) -> Value {
    json!({"kind": "Pod", "name": name(pod), "namespace": namespace(pod), "uid": uid(pod)})
}

async fn sync_slices(manager: &Manager, client: &Client, key: &Key) -> Result<(), Failure> {
    let Some(service) = manager.services.get(key) else { return Ok(()) };
    if service["spec"]["selector"].as_object().is_none_or(serde_json::Map::is_empty)
        || is_going(&service)
    {
        return Ok(());
    }
    let pods = backends(manager, &service);
    let endpoint = |pod: &Rc<Value>| {
        let (ready, going) = (object::is_ready(pod), is_going(pod));
        json!({
            "addresses": [text(pod, "/status/podIP")],
            "conditions": {"ready": ready && !going, "serving": ready, "terminating": going},
            "nodeName": text(pod, "/spec/nodeName"),
            "targetRef": reference(pod),
        })
    };
    let ports = ports(&service, pods.first().map(|pod| &**pod));
    let all: Vec<Value> = pods.iter().map(endpoint).collect();
    // Source: --max-endpoints-per-slice.
    let mut wanted: Vec<&[Value]> = all.chunks(100).collect();
    if wanted.is_empty() {
        wanted.push(&[]);
    }
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", key.namespace);
    let mut known = manager.endpoint_slices.in_namespace(&key.namespace);
    known.retain(|slice| {
        object::label(slice, "kubernetes.io/service-name") == Some(&*key.name)
            && object::label(slice, "endpointslice.kubernetes.io/managed-by") == Some(MANAGED_BY)
            && !is_going(slice)
    });
    known.sort_by_key(|slice| name(slice).to_owned());
    let mut highest = 0;
    for (index, endpoints) in wanted.iter().enumerate() {
        let written = if let Some(slice) = known.get(index) {
            if list(slice, "/endpoints") == *endpoints && list(slice, "/ports") == ports {
                continue;
            }
            let mut new = (**slice).clone();
            new["apiVersion"] = json!("discovery.k8s.io/v1");
            new["kind"] = json!("EndpointSlice");
            new["endpoints"] = json!(endpoints);
            new["ports"] = json!(ports);
            client.update(format!("{path}/{}", name(slice)), &new).await
        } else {
            let mut labels = service["metadata"]["labels"].clone();
            if !labels.is_object() {
                labels = json!({});
            }
            labels["endpointslice.kubernetes.io/managed-by"] = json!(MANAGED_BY);
            labels["kubernetes.io/service-name"] = json!(&*key.name);
            if service["spec"]["clusterIP"] == "None" {
                labels["service.kubernetes.io/headless"] = json!("");
            }
            let slice = json!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "generateName": format!("{}-", key.name),
                    "namespace": &*key.namespace,
                    "labels": labels,
                    "ownerReferences": object::owned_by("v1", "Service", &service),
                },
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": ports,
            });
            client.create(path.clone(), &slice).await
        };
        match written {
            Err(failure) if failure.is_terminating() => return Ok(()),
            written => highest = highest.max(object::version(&written?)),
        }
    }
    for slice in known.iter().skip(wanted.len()) {
        let gone = client.delete(format!("{path}/{}", name(slice)), &json!({})).await;
        if gone.as_ref().is_err_and(|failure| !failure.is_not_found()) {
            gone?;
        }
    }
    manager.endpoint_slices.caught_up(client, highest).await;
    Ok(())
}

async fn sync_endpoints(manager: &Manager, client: &Client, key: &Key) -> Result<(), Failure> {
    let path = format!("/api/v1/namespaces/{}/endpoints", key.namespace);
    let own = format!("{path}/{}", key.name);
    let Some(service) = manager.services.get(key) else {
        return match client.delete(own, &json!({})).await {
            Err(failure) if !failure.is_not_found() => Err(failure),
            _ => Ok(()),
        };
    };
    if service["spec"]["selector"].as_object().is_none_or(serde_json::Map::is_empty) {
        return Ok(());
    }
    let pods = backends(manager, &service);
    let address = |pod: &&Rc<Value>| {
        json!({
            "ip": text(pod, "/status/podIP"),
            "nodeName": text(pod, "/spec/nodeName"),
            "targetRef": reference(pod),
        })
    };
    let alive = || pods.iter().filter(|pod| !is_going(pod));
    // Source: Endpoints hold 1,000 addresses at most.
    let ready: Vec<_> =
        alive().filter(|pod| object::is_ready(pod)).take(1000).map(|pod| address(&pod)).collect();
    let other: Vec<_> =
        alive().filter(|pod| !object::is_ready(pod)).take(1000).map(|pod| address(&pod)).collect();
    let mut subset = json!({"ports": ports(&service, pods.first().map(|pod| &**pod))});
    if !ready.is_empty() {
        subset["addresses"] = json!(ready);
    }
    if !other.is_empty() {
        subset["notReadyAddresses"] = json!(other);
    }
    let subsets = if ready.is_empty() && other.is_empty() { json!([]) } else { json!([subset]) };
    match client.get(own.clone()).await {
        Ok(mut known) => {
            let same = list(&known, "/subsets") == list(&json!({"s": subsets}), "/s");
            if same {
                return Ok(());
            }
            known["subsets"] = subsets;
            client.update(own, &known).await?;
        }
        Err(failure) if failure.is_not_found() => {
            let mut labels = service["metadata"]["labels"].clone();
            if !labels.is_object() {
                labels = json!({});
            }
            labels["endpoints.kubernetes.io/managed-by"] = json!("endpoint-controller");
            let endpoints = json!({
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {"name": &*key.name, "namespace": &*key.namespace, "labels": labels},
                "subsets": subsets,
            });
            match client.create(path, &endpoints).await {
                Err(failure) if failure.is_terminating() || failure.already_exists() => {}
                other => {
                    other?;
                }
            }
        }
        Err(failure) => return Err(failure),
    }
    Ok(())
}

const MANAGED_BY: &str = "endpointslice-controller.k8s.io";
