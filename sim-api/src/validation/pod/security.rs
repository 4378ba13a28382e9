//! Security contexts of pods and containers.

use std::collections::BTreeSet;

use super::{Pod, container::invalid_context, windows};
use crate::{
    field::{At, Errors},
    validation::text,
};

/// `validatePodSpecSecurityContext`.
pub(super) fn pod(e: &mut Errors, spec: &At<'_>) {
    let at = spec.at("securityContext");
    for key in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(e, &at.at(key));
    }
    for group in at.at("supplementalGroups").items() {
        id(e, &group);
    }
    if spec.at("hostPID").flag() && spec.at("shareProcessNamespace").flag() {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        let shared = spec.at("shareProcessNamespace");
        e.invalid(&at.at("shareProcessNamespace").holding(shared.value()), detail);
    }
    sysctls(e, &at.at("sysctls"), spec);
    one_of(e, &at.at("fsGroupChangePolicy"), &["Always", "OnRootMismatch"]);
    seccomp(e, &at.at("seccompProfile"));
    windows::options(e, &at.at("windowsOptions"));
    app_armor(e, &at.at("appArmorProfile"));
    one_of(e, &at.at("supplementalGroupsPolicy"), &["Merge", "Strict"]);
    one_of(e, &at.at("seLinuxChangePolicy"), &["Recursive"]);
}

/// `ValidateSecurityContext`, of a container.
pub(super) fn container(e: &mut Errors, at: &At<'_>, host_users: bool) {
    id(e, &at.at("runAsUser"));
    id(e, &at.at("runAsGroup"));
    let mount = at.at("procMount");
    one_of(e, &mount, &["Default", "Unmasked"]);
    if host_users && mount.text() == "Unmasked" {
        e.invalid(&mount, "`hostUsers` must be false to use `Unmasked`");
    }
    seccomp(e, &at.at("seccompProfile"));
    if at.at("allowPrivilegeEscalation").value().as_bool() == Some(false) {
        let detail = "cannot set `allowPrivilegeEscalation` to false and ";
        if at.at("privileged").flag() {
            invalid_context(e, at, &format!("{detail}`privileged` to true"));
        }
        for capability in at.at("capabilities").at("add").texts() {
            if capability == "CAP_SYS_ADMIN" {
                invalid_context(e, at, &format!("{detail}`capabilities.Add` CAP_SYS_ADMIN"));
            }
        }
    }
    windows::options(e, &at.at("windowsOptions"));
    app_armor(e, &at.at("appArmorProfile"));
}

/// `validateHostUsers`.
pub(super) fn host_users(e: &mut Errors, pod: &Pod<'_>) {
    if pod.host_users() {
        return;
    }
    for (key, name) in
        [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")]
    {
        if pod.spec.at(key).flag() {
            e.forbidden(&pod.spec.at(name), "when `pod.Spec.HostUsers` is false");
        }
    }
}

/// `IsValidUserID` and `IsValidGroupID`.
pub(super) fn id(e: &mut Errors, at: &At<'_>) {
    if at.opt_int().is_some_and(|id| !(0..=i64::from(i32::MAX)).contains(&id)) {
        e.invalid(at, &text::between(0, i32::MAX.into()));
    }
}

fn one_of(e: &mut Errors, at: &At<'_>, supported: &[&str]) {
    if at.is_set() && !supported.contains(&at.text()) {
        e.not_supported(at, supported);
    }
}

fn sysctls(e: &mut Errors, at: &At<'_>, spec: &At<'_>) {
    let mut names = BTreeSet::new();
    for sysctl in at.items() {
        let name = sysctl.at("name");
        if name.is_empty() {
            e.required(&name, "");
        } else if !is_sysctl(name.text()) {
            e.invalid(&name, SYSCTL);
        } else if names.contains(name.text()) {
            e.duplicate(&name);
        }
        names.insert(name.text());
        let dotted = dotted(name.text());
        let is_ipc = dotted.starts_with("kernel.shm")
            || dotted.starts_with("kernel.msg")
            || dotted == "kernel.sem"
            || dotted.starts_with("fs.mqueue.");
        if spec.at("hostNetwork").flag() && dotted.starts_with("net.") {
            e.invalid(&name, "may not be specified when 'hostNetwork' is true");
        } else if spec.at("hostIPC").flag() && is_ipc {
            e.invalid(&name, "may not be specified when 'hostIPC' is true");
        }
    }
}

/// With dots where the first separator is a slash. Source: `NormalizeName` of sysctl.
fn dotted(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name[at..].starts_with('/') => {
            let swap = |c| match c {
                '/' => '.',
                '.' => '/',
                other => other,
            };
            name.chars().map(swap).collect()
        }
        _ => name.to_owned(),
    }
}

fn is_sysctl(name: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_segment = |segment: &str| {
        let bytes = segment.as_bytes();
        bytes.first().copied().is_some_and(edge)
            && bytes.last().copied().is_some_and(edge)
            && bytes.iter().all(|&b| edge(b) || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split(['.', '/']).all(is_segment)
}

/// `validateSeccompProfileField`.
fn seccomp(e: &mut Errors, at: &At<'_>) {
    if !at.is_set() {
        return;
    }
    let (kind, profile) = (at.at("type"), at.at("localhostProfile"));
    match kind.text() {
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        "" => e.required(&kind, "type is required when seccompProfile is set"),
        _ => e.not_supported(&kind, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
    match (kind.text() == "Localhost", profile.is_set()) {
        (true, false) => e.required(&profile, "must be set when seccomp type is Localhost"),
        (true, true) => text::descending_path(e, &profile),
        (false, true) => {
            let whole = profile.holding(at.value());
            let detail = "can only be set when seccomp type is Localhost";
            e.invalid_as(&whole, "*core.SeccompProfile", detail);
        }
        (false, false) => {}
    }
}

/// `ValidateAppArmorProfileField`.
fn app_armor(e: &mut Errors, at: &At<'_>) {
    if !at.is_set() {
        return;
    }
    const NEEDED: &str = "must be set when AppArmor type is Localhost";
    let (kind, profile) = (at.at("type"), at.at("localhostProfile"));
    match kind.text() {
        "Localhost" => {
            if !profile.is_set() {
                return e.required(&profile, NEEDED);
            }
            if profile.text().trim() != profile.text() {
                e.invalid(&profile, "must not be padded with whitespace");
            } else if profile.is_empty() {
                e.required(&profile, NEEDED);
            }
            if profile.text().len() > 4095 {
                e.too_long(&profile, 4095);
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if profile.is_set() {
                e.invalid(&profile, "can only be set when AppArmor type is Localhost");
            }
        }
        "" => e.required(&kind, "type is required when appArmorProfile is set"),
        _ => e.not_supported(&kind, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}

const SYSCTL: &str = "must have at most 253 characters and match regex \
     ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
