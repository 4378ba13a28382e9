//! A node's own objects: Node, status, lease.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{LEASE_PERIOD, STATUS_PERIOD};
use crate::{
    client::{Client, Failure},
    config::{ClusterConfig, Kubelets},
};

/// Name of the index-th node.
pub(super) fn name(index: u32) -> String {
    format!("node-{index}")
}

pub(super) fn index(name: &str) -> Option<u32> {
    name.strip_prefix("node-")?.parse().ok()
}

/// Registers, reports, renews, for ever.
pub(super) async fn run(client: Client, config: Rc<ClusterConfig>, index: u32) {
    let world = client.world().clone();
    let name = name(index);
    register(&client, &config, index).await;
    let lease = (client.clone(), name.clone());
    world.spawn(async move { renew(lease.0, &lease.1).await });
    loop {
        let now = world.time();
        let patch = json!({"status": {
            "conditions": conditions(&now),
            "addresses": addresses(index, &name),
        }});
        let done = client.patch(format!("/api/v1/nodes/{name}/status"), &patch).await;
        if done.is_err_and(|failure| failure.is_not_found()) {
            register(&client, &config, index).await;
            continue;
        }
        // Source: with a jitter of at most half, so that nodes that join together report apart.
        world.sleep(STATUS_PERIOD.mul_f64(1.0 + world.fraction() / 2.0)).await;
    }
}

async fn register(client: &Client, config: &ClusterConfig, index: u32) {
    let world = client.world().clone();
    loop {
        let node = node(config, index, &world.time());
        match client.create("/api/v1/nodes", &node).await {
            Ok(_) => return,
            Err(failure) if failure.already_exists() => return,
            Err(_) => world.sleep(std::time::Duration::from_secs(1)).await,
        }
    }
}

async fn renew(client: Client, name: &str) {
    let world = client.world().clone();
    let path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    let mut held: Option<Value> = None;
    // Kubelets that start together renew apart.
    world.sleep(LEASE_PERIOD.mul_f64(world.fraction() / 25.0)).await;
    loop {
        let now = world.micro_time();
        let written: Result<Value, Failure> = match held.take() {
            Some(mut lease) => {
                lease["spec"]["renewTime"] = json!(now);
                client.update(format!("{path}/{name}"), &lease).await
            }
            None => {
                let lease = json!({
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": name, "namespace": "kube-node-lease"},
                    "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now},
                });
                match client.create(path, &lease).await {
                    Err(failure) if failure.already_exists() => {
                        client.get(format!("{path}/{name}")).await
                    }
                    other => other,
                }
            }
        };
        let failed = written.is_err();
        held = written.ok();
        // Source: a renewal that fails is tried again within seconds.
        let wait = if failed { LEASE_PERIOD / 10 } else { LEASE_PERIOD };
        world.sleep(wait.mul_f64(1.0 + world.fraction() / 25.0)).await;
    }
}

fn node(config: &ClusterConfig, index: u32, now: &str) -> Value {
    let name = name(index);
    let shape = &config.shape;
    let amounts = json!({
        "cpu": shape.cpus.to_string(),
        "memory": format!("{}Gi", shape.memory_gib),
        "ephemeral-storage": "100Gi",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "pods": shape.max_pods.to_string(),
    });
    let mut labels = json!({
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    });
    let mut annotations = json!({"volumes.kubernetes.io/controller-managed-attach-detach": "true"});
    if config.kubelets == Kubelets::Kwok {
        labels["type"] = json!("kwok");
        annotations = json!({"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"});
    }
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        // Source: a kubelet registers with this taint, which the node controller takes off.
        "spec": {"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": conditions(now),
            "addresses": addresses(index, &name),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": format!("{index:032x}"),
                "systemUUID": format!("00000000-0000-0000-0000-{index:012x}"),
                "bootID": format!("00000000-0000-0000-0001-{index:012x}"),
                "kernelVersion": "6.1.0-apisim",
                "osImage": "apisim",
                "containerRuntimeVersion": "apisim://1.0.0",
                "kubeletVersion": config.version,
                "kubeProxyVersion": config.version,
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
        },
    })
}

fn conditions(now: &str) -> Value {
    let row = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    json!([
        row(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available"
        ),
        row("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        row(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available"
        ),
        row("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ])
}

fn addresses(index: u32, name: &str) -> Value {
    json!([
        {"type": "InternalIP", "address": internal_ip(index)},
        {"type": "Hostname", "address": name},
    ])
}

/// 10.128.0.0/9 has room for every node.
pub(super) fn internal_ip(index: u32) -> String {
    let host = index + 10;
    format!("10.{}.{}.{}", 128 + (host >> 16), host >> 8 & 255, host & 255)
}
