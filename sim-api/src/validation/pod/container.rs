//! Containers of all three kinds.

use std::collections::{BTreeMap, BTreeSet};

use super::{Pod, env, probe, resources, security};
use crate::{
    field::{At, Errors},
    go_syntax,
    status::StatusCause,
    validation::text,
};

/// `validateContainers`.
pub(super) fn containers(e: &mut Errors, pod: &Pod<'_>) {
    let list = pod.spec.at("containers");
    if list.is_empty() {
        return e.required(&list, "");
    }
    let mut names = BTreeSet::new();
    for container in list.items() {
        common(e, pod, &container);
        let name = container.at("name");
        if !names.insert(name.text()) {
            e.duplicate(&name);
        }
        probe::lifecycle(e, pod, &container.at("lifecycle"));
        probe::probes(e, pod, &container);
        let policy = container.at("restartPolicy");
        if policy.is_set() {
            e.forbidden(&policy, "may not be set for non-init containers");
        }
    }
    host_ports(e, &list, list.items());
}

/// `validateInitContainers`.
pub(super) fn init_containers(e: &mut Errors, pod: &Pod<'_>) {
    let regular = pod.spec.at("containers");
    let mut names: BTreeSet<&str> =
        regular.items().map(|container| container.at("name").text()).collect();
    let list = pod.spec.at("initContainers");
    for container in list.items() {
        common(e, pod, &container);
        let policy = container.at("restartPolicy");
        if policy.is_set() && policy.text() != "Always" {
            e.not_supported(&policy, &["Always"]);
        }
        let name = container.at("name");
        if names.contains(name.text()) {
            e.duplicate(&name);
        } else if !name.is_empty() {
            names.insert(name.text());
        }
        // The real path counts within this container alone.
        host_ports(e, &list, [container.clone()].into_iter());
        if policy.text() == "Always" {
            probe::lifecycle(e, pod, &container.at("lifecycle"));
            probe::probes(e, pod, &container);
            continue;
        }
        for key in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if container.at(key).is_set() {
                let detail = "may not be set for init containers without restartPolicy=Always";
                e.forbidden(&container.at(key), detail);
            }
        }
    }
}

/// `validateEphemeralContainers`.
pub(super) fn ephemeral_containers(e: &mut Errors, pod: &Pod<'_>) {
    const DETAIL: &str = "cannot be set for an Ephemeral Container";
    let others: BTreeSet<&str> = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| pod.spec.at(list).items())
        .map(|container| container.at("name").text())
        .collect();
    let mut names = others.clone();
    for container in pod.spec.at("ephemeralContainers").items() {
        common(e, pod, &container);
        only_for_pod(e, &container);
        let name = container.at("name");
        if !names.insert(name.text()) {
            e.duplicate(&name);
        }
        let target = container.at("targetContainerName");
        if !target.is_empty() && !others.contains(target.text()) {
            e.not_found(&target, "");
        }
        for key in [
            "ports",
            "resources",
            "resizePolicy",
            "restartPolicy",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "lifecycle",
        ] {
            if !container.at(key).is_empty() {
                e.forbidden(&container.at(key), DETAIL);
            }
        }
        for mount in container.at("volumeMounts").items() {
            for key in ["subPath", "subPathExpr"] {
                if !mount.at(key).is_empty() {
                    e.forbidden(&mount.at(key), DETAIL);
                }
            }
        }
    }
}

/// `validateContainerOnlyForPod`.
pub(super) fn only_for_pod(e: &mut Errors, container: &At<'_>) {
    let image = container.at("image");
    if image.text().trim() != image.text() {
        e.invalid(&image, "must not have leading or trailing whitespace");
    }
}

/// `validateContainerCommon`.
fn common(e: &mut Errors, pod: &Pod<'_>, container: &At<'_>) {
    let name = container.at("name");
    if name.is_empty() {
        e.required(&name, "");
    } else {
        text::dns_label(e, &name);
    }
    if container.at("image").is_empty() {
        e.required(&container.at("image"), "");
    }
    let policy = container.at("terminationMessagePolicy");
    match policy.text() {
        "" | "File" | "FallbackToLogsOnError" => {}
        _ => e.not_supported(&policy, &["File", "FallbackToLogsOnError"]),
    }
    ports(e, &container.at("ports"));
    env::variables(e, &container.at("env"));
    env::sources(e, &container.at("envFrom"));
    mounts(e, pod, container);
    devices(e, pod, container);
    pull_policy(e, &container.at("imagePullPolicy"));
    resources::container(e, &container.at("resources"), &pod.claims);
    resize_policy(e, pod, &container.at("resizePolicy"));
    security::container(e, &container.at("securityContext"), pod.host_users());
}

/// `validatePullPolicy`.
pub(super) fn pull_policy(e: &mut Errors, at: &At<'_>) {
    match at.text() {
        "" | "Always" | "IfNotPresent" | "Never" => {}
        _ => e.not_supported(at, &["Always", "IfNotPresent", "Never"]),
    }
}

fn ports(e: &mut Errors, at: &At<'_>) {
    let mut names = BTreeSet::new();
    for port in at.items() {
        let name = port.at("name");
        if !name.is_empty() {
            let errors = text::port_name(name.text());
            if !errors.is_empty() {
                // The real loop reuses its variable, but the path was made before.
                e.each_invalid(&name, errors);
            } else if !names.insert(name.text()) {
                e.duplicate(&name);
            }
        }
        let (own, host) = (port.at("containerPort"), port.at("hostPort"));
        if own.int() == 0 {
            e.required(&own, "");
        } else if let Some(error) = text::port_number(own.int()) {
            e.invalid(&own, error);
        }
        if let Some(error) = text::port_number(host.int()).filter(|_| host.int() != 0) {
            e.invalid(&host, error);
        }
        let protocol = port.at("protocol");
        match protocol.text() {
            "" | "TCP" | "UDP" | "SCTP" => {}
            _ => e.not_supported(&protocol, &["SCTP", "TCP", "UDP"]),
        }
    }
}

/// `AccumulateUniqueHostPorts`.
fn host_ports<'a>(e: &mut Errors, list: &At<'a>, containers: impl Iterator<Item = At<'a>>) {
    let mut taken = BTreeSet::new();
    for (at, container) in containers.enumerate() {
        for (place, port) in container.at("ports").list().iter().enumerate() {
            let port = list.indexed(at).at("ports").indexed(place).holding(port);
            let host = port.at("hostPort");
            if host.int() == 0 {
                continue;
            }
            let (protocol, ip) = (port.at("protocol").text(), port.at("hostIP").text());
            let key = format!("{protocol}/{ip}/{}", host.int());
            if taken.contains(&key) {
                e.duplicate_text(&host, &key);
            }
            taken.insert(key);
        }
    }
}

/// `ValidateVolumeMounts`.
fn mounts(e: &mut Errors, pod: &Pod<'_>, container: &At<'_>) {
    let list = container.at("volumeMounts");
    let devices = by_name(&container.at("volumeDevices"), "devicePath");
    let mut paths = BTreeSet::new();
    for mount in list.items() {
        let (name, path) = (mount.at("name"), mount.at("mountPath"));
        if name.is_empty() {
            e.required(&name, "");
        }
        if !pod.volumes.contains_key(name.text()) {
            e.not_found(&name, "");
        }
        if path.is_empty() {
            e.required(&path, "");
        }
        if !paths.insert(path.text()) {
            e.invalid(&path, "must be unique");
        }
        if devices.contains_key(name.text()) {
            e.invalid(&name, "must not already exist in volumeDevices");
        }
        if devices.values().any(|device| *device == path.text()) {
            e.invalid(&path, "must not already exist as a path in volumeDevices");
        }
        let (sub, expression) = (mount.at("subPath"), mount.at("subPathExpr"));
        // These paths leave out which mount it is.
        let unplaced = |key| list.at(key).holding(mount.at(key).value());
        if !sub.is_empty() {
            text::descending_path(e, &unplaced("subPath"));
        }
        if !expression.is_empty() {
            if !sub.is_empty() {
                e.invalid(&expression, "subPathExpr and subPath are mutually exclusive");
            }
            text::descending_path(e, &unplaced("subPathExpr"));
        }
        propagation(e, &unplaced("mountPropagation"), container);
        recursive_read_only(e, &unplaced("recursiveReadOnly"), &mount);
    }
}

fn propagation(e: &mut Errors, at: &At<'_>, container: &At<'_>) {
    if !at.is_set() {
        return;
    }
    let known = ["Bidirectional", "HostToContainer", "None"];
    if !known.contains(&at.text()) {
        e.not_supported(at, &known);
    }
    if at.text() == "Bidirectional" && !container.at("securityContext").at("privileged").flag() {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        e.forbidden(at, detail);
    }
}

fn recursive_read_only(e: &mut Errors, at: &At<'_>, mount: &At<'_>) {
    match at.value().as_str() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !mount.at("readOnly").flag() {
                e.forbidden(at, "may only be specified when readOnly is true");
            }
            if !matches!(mount.at("mountPropagation").value().as_str(), None | Some("None")) {
                let detail = "may only be specified when mountPropagation is None or not specified";
                e.forbidden(at, detail);
            }
        }
        Some(_) => e.not_supported(at, &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// `ValidateVolumeDevices`.
fn devices(e: &mut Errors, pod: &Pod<'_>, container: &At<'_>) {
    let mounts = by_name(&container.at("volumeMounts"), "mountPath");
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for device in container.at("volumeDevices").items() {
        let (name, path) = (device.at("name"), device.at("devicePath"));
        if name.is_empty() {
            e.required(&name, "");
        }
        if names.contains(name.text()) {
            e.invalid(&name, "must be unique");
        }
        match pod.volumes.get(name.text()) {
            None => e.not_found(&name, ""),
            Some(volume)
                if !volume.at("persistentVolumeClaim").is_set()
                    && !volume.at("ephemeral").is_set() =>
            {
                let detail = "can only use volume source type of PersistentVolumeClaim or \
                              Ephemeral for block mode";
                e.invalid(&name, detail);
            }
            Some(_) => {}
        }
        if path.is_empty() {
            e.required(&path, "");
        }
        if paths.contains(path.text()) {
            e.invalid(&path, "must be unique");
        }
        if path.text().split('/').any(|part| part == "..") {
            e.invalid(&path, "can not contain backsteps ('..')");
        } else {
            paths.insert(path.text());
        }
        if mounts.contains_key(name.text()) {
            e.invalid(&name, "must not already exist in volumeMounts");
        }
        if mounts.values().any(|mount| *mount == path.text()) {
            e.invalid(&path, "must not already exist as a path in volumeMounts");
        }
        if !name.is_empty() {
            names.insert(name.text());
        }
    }
}

fn by_name<'a>(list: &At<'a>, path: &'a str) -> BTreeMap<&'a str, &'a str> {
    list.items().map(|item| (item.at("name").text(), item.at(path).text())).collect()
}

/// `validateResizePolicy`.
fn resize_policy(e: &mut Errors, pod: &Pod<'_>, at: &At<'_>) {
    let mut known = BTreeSet::new();
    for policy in at.items() {
        let (resource, restart) = (policy.at("resourceName"), policy.at("restartPolicy"));
        if !known.insert(resource.text()) {
            e.duplicate(&policy.holding(resource.value()));
        }
        match resource.text() {
            "cpu" | "memory" => {}
            "" => e.required(at, ""),
            _ => e.not_supported(&at.holding(resource.value()), &["cpu", "memory"]),
        }
        match restart.text() {
            "NotRequired" | "RestartContainer" => {}
            "" => e.required(at, ""),
            _ => {
                let supported = ["NotRequired", "RestartContainer"];
                e.not_supported(&at.holding(restart.value()), &supported);
            }
        }
        if pod.restart_policy() == "Never" && restart.text() != "NotRequired" {
            let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            e.invalid(&at.holding(restart.value()), detail);
        }
    }
}

/// An error about a whole container's security context.
pub(super) fn invalid_context(e: &mut Errors, at: &At<'_>, detail: &str) {
    let value = go_syntax::bad_value("*core.SecurityContext", at.value());
    e.push(StatusCause::invalid(at.field(), value, detail));
}
