//! A pod's life on its node.

use std::{rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::{Kubelet, node};
use crate::object::{self, Key, flag, list, name, namespace, text, uid};

/// What is being done about a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Starting,
    Stopping,
}

impl Kubelet {
    /// Brings it up: address, containers, conditions; and to its end if it is to have one.
    pub(super) async fn start_pod(self: Rc<Self>, key: &Key) {
        self.wait(self.config.pod_start).await;
        let Some(pod) = self.alive(key) else { return };
        let on = text(&pod, "/spec/nodeName").to_owned();
        let host = node::internal_ip(node::index(&on).unwrap_or(0));
        let address = if flag(&pod, "/spec/hostNetwork") {
            Some(host.clone())
        } else {
            self.address(&on).await
        };
        let Some(address) = address else {
            return self.without_address(key, &pod).await;
        };
        let now = self.world.time();
        let restarts = 0;
        let containers = |state: &dyn Fn() -> Value, ready: bool| -> Vec<Value> {
            list(&pod, "/spec/containers")
                .iter()
                .map(|container| status_of(container, state(), ready, restarts, &pod))
                .collect()
        };
        let running = || json!({"running": {"startedAt": now}});
        let mut status = json!({
            "phase": "Running",
            "conditions": conditions(&pod, "True", "", &now),
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "containerStatuses": containers(&running, true),
        });
        let init: Vec<Value> = list(&pod, "/spec/initContainers")
            .iter()
            .map(|container| {
                let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed",
                    "startedAt": now, "finishedAt": now}});
                status_of(container, ended, true, restarts, &pod)
            })
            .collect();
        if !init.is_empty() {
            status["initContainerStatuses"] = json!(init);
        }
        self.report(&pod, status).await;
        if text(&pod, "/spec/restartPolicy") == "Always" {
            return;
        }
        // It is to complete.
        self.wait(self.config.pod_run).await;
        let Some(pod) = self.alive(key) else { return };
        let end = self.world.time();
        let ended = || {
            json!({"terminated": {"exitCode": 0, "reason": "Completed",
            "startedAt": now, "finishedAt": end}})
        };
        let statuses: Vec<Value> = list(&pod, "/spec/containers")
            .iter()
            .map(|container| status_of(container, ended(), false, restarts, &pod))
            .collect();
        let status = json!({
            "phase": "Succeeded",
            "conditions": conditions(&pod, "False", "PodCompleted", &end),
            "containerStatuses": statuses,
        });
        self.report(&pod, status).await;
    }

    /// The node's range is used up: the pod stays in ContainerCreating, and is tried again.
    async fn without_address(self: &Rc<Self>, key: &Key, pod: &Value) {
        let now = self.world.time();
        let waiting = || json!({"waiting": {"reason": "ContainerCreating"}});
        let statuses: Vec<Value> = list(pod, "/spec/containers")
            .iter()
            .map(|container| status_of(container, waiting(), false, 0, pod))
            .collect();
        let status = json!({
            "phase": "Pending",
            "conditions": conditions(pod, "False", "ContainersNotReady", &now),
            "startTime": now,
            "containerStatuses": statuses,
        });
        self.report(pod, status).await;
        let space = namespace(pod);
        let suffix = self.world.wall().as_nanosecond() & 0xffff_ffff_ffff_ffff;
        let event = json!({
            "metadata": {"name": format!("{}.{suffix:x}", name(pod)), "namespace": space},
            "involvedObject": {"kind": "Pod", "namespace": space, "name": name(pod),
                "uid": uid(pod), "apiVersion": "v1"},
            "reason": "FailedCreatePodSandBox",
            "message": "Failed to create pod sandbox: plugin type=\"host-local\" failed (add): \
                failed to allocate for range 0: no IP addresses available in range set",
            "source": {"component": "kubelet", "host": text(pod, "/spec/nodeName")},
            "type": "Warning",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        });
        let _ = self.client.create(format!("/api/v1/namespaces/{space}/events"), &event).await;
        let (own, key) = (Rc::clone(self), key.clone());
        self.world.spawn(async move {
            own.world.sleep(Duration::from_secs(10)).await;
            own.again(key);
        });
    }

    fn again(self: Rc<Self>, key: Key) {
        let world = self.world.clone();
        world.spawn(async move { self.start_pod(&key).await });
    }

    /// Ends the containers within the grace period, and removes the pod.
    pub(super) async fn stop(self: Rc<Self>, key: &Key) {
        let Some(pod) = self.pods.get(key) else { return };
        let grace = object::number(&pod, "/metadata/deletionGracePeriodSeconds");
        if grace > 0 {
            self.wait(self.config.pod_stop).await;
        }
        let Some(pod) = self.pods.get(key) else { return };
        if text(&pod, "/status/phase") == "Running" {
            let now = self.world.time();
            let ended = || {
                json!({"terminated": {"exitCode": 0, "reason": "Completed",
                "finishedAt": now}})
            };
            let statuses: Vec<Value> = list(&pod, "/spec/containers")
                .iter()
                .map(|container| status_of(container, ended(), false, 0, &pod))
                .collect();
            let status = json!({
                "phase": "Succeeded",
                "conditions": conditions(&pod, "False", "PodCompleted", &now),
                "containerStatuses": statuses,
            });
            self.report(&pod, status).await;
        }
        let path = path_of(&pod);
        let options = json!({"gracePeriodSeconds": 0, "preconditions": {"uid": uid(&pod)}});
        loop {
            match self.client.delete(path.clone(), &options).await {
                Err(failure) if failure.code == 0 || failure.code == 429 || failure.code >= 500 => {
                    self.world.sleep(Duration::from_secs(1)).await;
                }
                _ => return,
            }
        }
    }

    /// The pod, unless it is gone, going, or another one.
    fn alive(&self, key: &Key) -> Option<Rc<Value>> {
        self.pods.get(key).filter(|pod| !object::is_going(pod))
    }

    /// Writes a status; what does not get through is tried again, as the status manager does.
    async fn report(&self, pod: &Value, status: Value) {
        let path = format!("{}/status", path_of(pod));
        let patch = json!({"metadata": {"uid": uid(pod)}, "status": status});
        for _ in 0..10 {
            match self.client.patch(path.clone(), &patch).await {
                Err(failure) if failure.code == 0 || failure.code == 429 || failure.code >= 500 => {
                    self.world.sleep(Duration::from_secs(1)).await;
                }
                _ => return,
            }
        }
    }
}

fn path_of(pod: &Value) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", namespace(pod), name(pod))
}

fn status_of(container: &Value, state: Value, ready: bool, restarts: i64, pod: &Value) -> Value {
    let image = text(container, "/image");
    let started = state.get("running").is_some();
    json!({
        "name": text(container, "/name"),
        "image": image,
        "imageID": if ready { format!("{image}@sha256:apisim") } else { String::new() },
        "containerID": if ready { format!("apisim://{}/{}", uid(pod), text(container, "/name")) }
            else { String::new() },
        "ready": ready && started,
        "started": started,
        "restartCount": restarts,
        "state": state,
    })
}

fn conditions(pod: &Value, ready: &str, reason: &str, now: &str) -> Value {
    let row = |kind: &str, status: &str| {
        let mut row = json!({"type": kind, "status": status, "lastProbeTime": null,
            "lastTransitionTime": now});
        if status == "False" && !reason.is_empty() {
            row["reason"] = json!(reason);
        }
        row
    };
    let sandbox = if reason == "PodCompleted" { "False" } else { "True" };
    let mut rows = vec![
        row("PodReadyToStartContainers", sandbox),
        row("Initialized", "True"),
        row("Ready", ready),
        row("ContainersReady", ready),
    ];
    let scheduled = object::condition(pod, "PodScheduled");
    if scheduled.is_none() {
        rows.push(row("PodScheduled", "True"));
    }
    Value::Array(rows)
}
