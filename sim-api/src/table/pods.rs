//! The cells of pods.
//!
//! Source: `printPod`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{cells, read::Reader, selector::NONE};

pub(super) fn pod(pod: Reader<'_>) -> Vec<Value> {
    let containers = Containers::of(pod);
    let (name, age) = (pod.name(), pod.age());
    let ready = format!("{}/{}", containers.ready, containers.total);
    // A pod of an old client has one address without the list.
    let ip = match pod.get("status.podIPs").at(0).text("ip") {
        "" => pod.text_or("status.podIP", NONE),
        ip => ip,
    };
    let node = pod.text_or("spec.nodeName", NONE);
    let nominated = pod.text_or("status.nominatedNodeName", NONE);
    let (status, restarts) = (status(pod, &containers), containers.restarts.show(pod));
    cells![name, ready, status, restarts, age, ip, node, nominated, readiness_gates(pod)]
}

/// What a client may gray a finished pod's row by.
pub(super) fn row_conditions(pod: Reader<'_>) -> Option<Value> {
    let (reason, message) = match pod.text("status.phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([
        { "type": "Completed", "status": "True", "reason": reason, "message": message }
    ]))
}

/// What the containers of a pod add up to.
struct Containers {
    total: usize,
    ready: usize,
    restarts: Restarts,
    /// Why the pod is not simply in its phase.
    reason: Option<String>,
}

/// How often containers have been restarted, and when one last was.
#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Containers {
    fn of(pod: Reader<'_>) -> Self {
        let sidecars = pod.items("spec.initContainers").filter(|init| is_sidecar(*init)).count();
        let mut containers = Self {
            total: pod.count("spec.containers") + sidecars,
            ready: 0,
            restarts: Restarts::default(),
            reason: None,
        };
        let sidecar_restarts = containers.initialize(pod);
        if containers.reason.is_none() || pod.is_true("Initialized") {
            // Once it is initialized, the restarts of what initialized it do not count.
            containers.restarts = sidecar_restarts;
            containers.run(pod);
        }
        containers
    }

    /// Looks at the init containers, up to the first that is not done. Returns the restarts of
    /// those that stay beside the pod's containers.
    fn initialize(&mut self, pod: Reader<'_>) -> Restarts {
        let mut sidecar_restarts = Restarts::default();
        for (at, status) in pod.items("status.initContainerStatuses").enumerate() {
            let name = status.text("name");
            let mut inits = pod.items("spec.initContainers");
            let is_sidecar = inits.any(|init| init.text("name") == name && is_sidecar(init));
            self.restarts.add(status);
            if is_sidecar {
                sidecar_restarts.add(status);
            }
            let (terminated, waiting) =
                (status.get("state.terminated"), status.text("state.waiting.reason"));
            if terminated.exists() && terminated.int("exitCode") == 0 {
                continue;
            }
            if is_sidecar && status.flag("started") == Some(true) {
                self.ready += usize::from(status.flag("ready") == Some(true));
                continue;
            }
            self.reason = Some(if terminated.exists() {
                format!("Init:{}", end(terminated))
            } else if !matches!(waiting, "" | "PodInitializing") {
                format!("Init:{waiting}")
            } else {
                format!("Init:{at}/{}", pod.count("spec.initContainers"))
            });
            break;
        }
        sidecar_restarts
    }

    /// Looks at the containers, the last one first, so that the first one's reason wins.
    fn run(&mut self, pod: Reader<'_>) {
        let mut is_running = false;
        for status in pod.items("status.containerStatuses").rev() {
            self.restarts.add(status);
            let waiting = status.text("state.waiting.reason");
            let terminated = status.get("state.terminated");
            if !waiting.is_empty() {
                self.reason = Some(waiting.to_owned());
            } else if terminated.exists() {
                self.reason = Some(end(terminated));
            } else if status.flag("ready") == Some(true) && status.get("state.running").exists() {
                is_running = true;
                self.ready += 1;
            }
        }
        // One is done and another one still runs.
        if is_running && self.reason(pod) == "Completed" {
            let reason = if pod.is_true("Ready") { "Running" } else { "NotReady" };
            self.reason = Some(reason.to_owned());
        }
    }

    /// Why the pod is as it is, before its deletion is looked at.
    fn reason(&self, pod: Reader<'_>) -> String {
        if let Some(reason) = &self.reason {
            return reason.clone();
        }
        let gated = pod
            .items("status.conditions")
            .any(|it| it.text("type") == "PodScheduled" && it.text("reason") == GATED);
        if gated {
            return GATED.to_owned();
        }
        pod.text_or("status.reason", pod.text("status.phase")).to_owned()
    }
}

impl Restarts {
    fn add(&mut self, status: Reader<'_>) {
        self.count += status.int("restartCount");
        self.last = self.last.max(status.time("lastState.terminated.finishedAt"));
    }

    /// `3 (5m ago)`.
    fn show(self, pod: Reader<'_>) -> String {
        match self.last {
            Some(last) if self.count != 0 => {
                format!("{} ({} ago)", self.count, pod.since_time(last))
            }
            _ => self.count.to_string(),
        }
    }
}

fn status(pod: Reader<'_>, containers: &Containers) -> String {
    if pod.is_deleted() {
        if pod.text("status.reason") == "NodeLost" {
            return "Unknown".to_owned();
        }
        if !matches!(pod.text("status.phase"), "Succeeded" | "Failed") {
            return "Terminating".to_owned();
        }
    }
    containers.reason(pod)
}

/// An init container that runs on beside the others.
fn is_sidecar(init: Reader<'_>) -> bool {
    init.text("restartPolicy") == "Always"
}

/// How a container ended.
fn end(terminated: Reader<'_>) -> String {
    match (terminated.text("reason"), terminated.int("signal")) {
        ("", 0) => format!("ExitCode:{}", terminated.int("exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn readiness_gates(pod: Reader<'_>) -> String {
    let total = pod.count("spec.readinessGates");
    if total == 0 {
        return NONE.to_owned();
    }
    let gates = pod.items("spec.readinessGates");
    let open = gates.filter(|gate| pod.is_true(gate.text("conditionType"))).count();
    format!("{open}/{total}")
}

const GATED: &str = "SchedulingGated";
