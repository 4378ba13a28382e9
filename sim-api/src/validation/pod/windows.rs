//! What Windows has and Linux has not, and the other way round.

use super::all_containers;
use crate::{
    field::{At, Errors},
    validation::text,
};

/// `validateWindowsSecurityContextOptions`, without the format of the user's domain.
pub(super) fn options(e: &mut Errors, at: &At<'_>) {
    let name = at.at("gmsaCredentialSpecName");
    if name.is_set() {
        text::dns_subdomain(e, &name);
    }
    let spec = at.at("gmsaCredentialSpec");
    if spec.is_set() {
        if spec.is_empty() {
            e.invalid(&spec, "gmsaCredentialSpec cannot be an empty string");
        } else if spec.text().len() > 64 << 10 {
            e.invalid(&spec, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    if at.at("runAsUserName").is_set() {
        user(e, &at.at("runAsUserName"));
    }
}

fn user(e: &mut Errors, at: &At<'_>) {
    if at.is_empty() {
        return e.invalid(at, "runAsUserName cannot be an empty string");
    }
    if at.text().chars().any(|c| c.is_ascii_control()) {
        return e.invalid(at, "runAsUserName cannot contain control characters");
    }
    if at.text().matches('\\').count() > 1 {
        return e.invalid(at, "runAsUserName cannot contain more than one backslash");
    }
    let (domain, user) = match at.text().split_once('\\') {
        Some((domain, user)) => (Some(domain), user),
        None => (None, at.text()),
    };
    if domain.is_some_and(|domain| domain.len() >= 256) {
        e.invalid(at, "runAsUserName's Domain length must be under 256 characters");
    }
    if domain.is_some_and(|domain| !is_net_bios(domain) && !is_dns(domain)) {
        e.invalid(at, "runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    }
    if user.is_empty() {
        e.invalid(at, "runAsUserName's User cannot be empty");
    } else if user.len() > 104 {
        let detail = "runAsUserName's User length must not be longer than 104 characters";
        e.invalid(at, detail);
    }
    if !user.is_empty() && user.chars().all(|c| c == '.' || c == ' ') {
        e.invalid(at, "runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(|c| "\"/\\:;|=,+*?<>@[]".contains(c)) {
        let detail = "runAsUserName's User cannot contain the following characters: \
                      \"/\\:;|=,+*?<>@[]";
        e.invalid(at, detail);
    }
}

fn is_net_bios(domain: &str) -> bool {
    let forbidden = |c: char| "\\/:*?\"<>|".contains(c);
    (1..=15).contains(&domain.chars().count())
        && !domain.starts_with('.')
        && !domain.contains(forbidden)
}

fn is_dns(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    domain.split('.').all(|label| label.len() <= 63 && text::label(label).is_empty())
}

/// `validateWindowsHostProcessPod`.
pub(super) fn host_process(e: &mut Errors, spec: &At<'_>) {
    let wanted = |of: &At<'_>| {
        let options = of.at("securityContext").at("windowsOptions");
        options.at("hostProcess").value().as_bool()
    };
    let pod = wanted(spec);
    let (mut all, mut with) = (0, 0);
    for container in all_containers(spec) {
        all += 1;
        let own = wanted(&container);
        if let (Some(pod), Some(own)) = (pod, own)
            && pod != own
        {
            let at = container.at("securityContext").at("windowsOptions").at("hostProcess");
            let detail =
                format!("pod hostProcess value must be identical if both are specified, was {pod}");
            e.invalid(&at, &detail);
        }
        if own.or(pod) == Some(true) {
            with += 1;
        }
    }
    if with == 0 {
        return;
    }
    if with != all {
        let detail = "If pod contains any hostProcess containers then all containers must be \
                      HostProcess containers";
        e.invalid_text(spec, "", detail);
    }
    if !spec.at("hostNetwork").flag() {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        e.invalid_value(&spec.at("hostNetwork"), "false", detail);
    }
}

/// `validateLinux`.
pub(super) fn not_on_linux(e: &mut Errors, spec: &At<'_>) {
    for of in std::iter::once(spec.clone()).chain(all_containers(spec)) {
        let options = of.at("securityContext").at("windowsOptions");
        if options.is_set() {
            e.forbidden(&options, "windows options cannot be set for a linux pod");
        }
    }
}

/// `validateWindows`.
pub(super) fn only_on_linux(e: &mut Errors, spec: &At<'_>) {
    let mut forbid = |at: At<'_>, is_set: bool| {
        if is_set {
            e.forbidden(&at, "cannot be set for a windows pod");
        }
    };
    let context = spec.at("securityContext");
    for key in ["appArmorProfile", "seLinuxOptions"] {
        forbid(context.at(key), context.at(key).is_set());
    }
    forbid(spec.at("hostUsers"), spec.at("hostUsers").is_set());
    for key in ["hostPID", "hostIPC"] {
        forbid(spec.at(key), spec.at(key).flag());
    }
    for key in ["seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls"] {
        forbid(context.at(key), context.at(key).is_set());
    }
    let shared = spec.at("shareProcessNamespace");
    forbid(shared.clone(), shared.is_set());
    for key in [
        "runAsUser",
        "runAsGroup",
        "supplementalGroups",
        "supplementalGroupsPolicy",
        "seLinuxChangePolicy",
    ] {
        forbid(context.at(key), context.at(key).is_set());
    }
    for container in all_containers(spec) {
        let context = container.at("securityContext");
        for key in [
            "appArmorProfile",
            "seLinuxOptions",
            "seccompProfile",
            "capabilities",
            "readOnlyRootFilesystem",
            "privileged",
            "allowPrivilegeEscalation",
            "procMount",
            "runAsUser",
            "runAsGroup",
        ] {
            forbid(context.at(key), context.at(key).is_set());
        }
    }
}
