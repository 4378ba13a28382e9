//! The status of a pod.
//!
//! Source: `ValidatePodStatusUpdate`.

use std::{collections::BTreeSet, net::IpAddr};

use super::{Object, security};
use crate::{
    field::{At, Errors},
    validation::text,
};

pub(super) fn validate(e: &mut Errors, o: &Object<'_>) {
    let (status, old) = (o.at("status"), o.old("status"));
    let (spec, old_spec) = (o.at("spec"), o.old("spec"));
    for condition in status.at("conditions").items() {
        observed_generation(e, &condition.at("observedGeneration"));
        let name = condition.at("type");
        if !matches!(name.text(), "PodScheduled" | "Ready" | "Initialized") {
            let named = condition.at("Type").holding(name.value());
            e.each_invalid(&named, text::qualified(named.text()));
        }
    }
    if spec.at("nodeName").text() != old_spec.at("nodeName").text() {
        e.forbidden(&status.at("nodeName"), "may not be changed directly");
    }
    let nominated = status.at("nominatedNodeName");
    if nominated.text() != old.at("nominatedNodeName").text() && !nominated.is_empty() {
        text::dns_subdomain(e, &nominated);
    }
    observed_generation(e, &status.at("observedGeneration"));
    e.immutable(&status.at("qosClass"), &old.at("qosClass"), "string");
    let policy = old_spec.at("restartPolicy").text();
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    for list in lists {
        let policy = if list == "ephemeralContainerStatuses" { "Never" } else { policy };
        transitions(e, &status.at(list), &old.at(list), policy, &old_spec);
    }
    claims(e, &status.at("resourceClaimStatuses"), &spec.at("resourceClaims"));
    addresses(e, &status.at("podIPs"), "[]core.PodIP");
    let hosts = status.at("hostIPs");
    if let Some(first) = hosts.items().next()
        && first.at("ip").text() != status.at("hostIP").text()
    {
        e.invalid(&first.at("ip"), "must be equal to `hostIP`");
    }
    addresses(e, &hosts, "[]core.HostIP");
    for list in lists {
        for container in status.at(list).items() {
            users(e, &container.at("user").at("linux"), &spec);
        }
    }
}

fn observed_generation(e: &mut Errors, at: &At<'_>) {
    if at.int() < 0 {
        e.invalid(at, "must be a non-negative integer");
    }
}

/// `ValidateContainerStateTransition`.
fn transitions(e: &mut Errors, new: &At<'_>, old: &At<'_>, policy: &str, spec: &At<'_>) {
    if policy == "Always" {
        return;
    }
    for (place, before) in old.items().enumerate() {
        let terminated = before.at("state").at("terminated");
        let may_restart = policy == "OnFailure" && terminated.at("exitCode").int() != 0;
        let name = before.at("name").text();
        let restarts = spec.at("initContainers").items().any(|container| {
            container.at("name").text() == name && container.at("restartPolicy").text() == "Always"
        });
        if !terminated.is_set() || may_restart || restarts {
            continue;
        }
        for after in new.items().filter(|after| after.at("name").text() == name) {
            if !after.at("state").at("terminated").is_set() {
                let detail = "may not be transitioned to non-terminated state";
                e.forbidden(&new.indexed(place).at("state"), detail);
            }
        }
    }
}

fn claims(e: &mut Errors, at: &At<'_>, known: &At<'_>) {
    let mut names = BTreeSet::new();
    for status in at.items() {
        let name = status.at("name");
        if !known.items().any(|claim| claim.at("name").text() == name.text()) {
            e.invalid(&name, "must match the name of an entry in `spec.resourceClaims`");
        }
        if !names.insert(name.text()) {
            e.duplicate(&name);
        }
        let claim = status.at("resourceClaimName");
        if claim.is_set() {
            let named = name.holding(claim.value());
            text::dns_subdomain(e, &named);
        }
    }
}

/// At most one of each family.
fn addresses(e: &mut Errors, at: &At<'_>, go_type: &'static str) {
    for item in at.items() {
        text::ip(e, &item.holding(item.at("ip").value()));
    }
    let found: Vec<Option<IpAddr>> =
        at.items().map(|item| text::legacy_address(item.at("ip").text())).collect();
    if found.len() < 2 {
        return;
    }
    let is_dual =
        found.iter().flatten().any(IpAddr::is_ipv4) && found.iter().flatten().any(IpAddr::is_ipv6);
    if !is_dual || found.len() > 2 {
        e.invalid_as(at, go_type, "may specify no more than one IP for each IP family");
    }
}

fn users(e: &mut Errors, linux: &At<'_>, spec: &At<'_>) {
    if !linux.is_set() {
        return;
    }
    if spec.at("os").at("name").text() == "windows" {
        return e.forbidden(linux, "cannot be set for a windows pod");
    }
    security::id(e, &linux.at("uid"));
    security::id(e, &linux.at("gid"));
    for group in linux.at("supplementalGroups").items() {
        security::id(e, &group);
    }
}
