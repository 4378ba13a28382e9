//! Roles, ClusterRoles and their bindings.
//!
//! Source: `rbac/validation/validation.go` and the kinds' strategies.

use super::{Object, metadata::same, text};
use crate::{
    field::{At, Errors},
    meta::names,
};

pub(super) fn role(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    for rule in o.at("rules").items() {
        policy_rule(e, &rule, o.resource.namespaced);
    }
    let aggregation = o.at("aggregationRule");
    if !aggregation.is_set() || o.resource.namespaced {
        return;
    }
    let selectors = aggregation.at("clusterRoleSelectors");
    if selectors.is_empty() {
        let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        e.required(&selectors, detail);
    }
    for selector in selectors.items() {
        text::selector(e, &selector);
        if text::matches(&selector, &selector).is_none() {
            e.invalid_value(&selector, "\"null\"", "invalid label selector.");
        }
    }
}

pub(super) fn role_update(e: &mut Errors, o: &Object<'_>) {
    role(e, o);
    role(e, o);
    o.metadata_update(e);
}

fn policy_rule(e: &mut Errors, rule: &At<'_>, is_namespaced: bool) {
    let [verbs, urls, groups, resources, names] =
        ["verbs", "nonResourceURLs", "apiGroups", "resources", "resourceNames"]
            .map(|key| rule.at(key));
    if verbs.is_empty() {
        e.required(&verbs, "verbs must contain at least one value");
    }
    if !urls.is_empty() {
        if is_namespaced {
            let detail = "namespaced rules cannot apply to non-resource URLs";
            e.invalid_as(&urls, "[]string", detail);
        }
        if !groups.is_empty() || !resources.is_empty() || !names.is_empty() {
            let detail = "rules cannot apply to both regular resources and non-resource URLs";
            e.invalid_as(&urls, "[]string", detail);
        }
        return;
    }
    if groups.is_empty() {
        e.required(&groups, "resource rules must supply at least one api group");
    }
    if resources.is_empty() {
        e.required(&resources, "resource rules must supply at least one resource");
    }
}

pub(super) fn binding(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let role = o.at("roleRef");
    text::one_of(e, &role.at("apiGroup"), &[GROUP]);
    let is_namespaced = o.resource.namespaced;
    let kinds: &[&str] = if is_namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&role.at("kind").text()) {
        e.not_supported(&role.at("kind"), kinds);
    }
    let name = role.at("name");
    if name.is_empty() {
        e.required(&name, "");
    } else {
        e.each_invalid(&name, names::path_segment(name.text(), false));
    }
    for one in o.at("subjects").items() {
        subject(e, &one, is_namespaced);
    }
}

pub(super) fn binding_update(e: &mut Errors, o: &Object<'_>) {
    binding(e, o);
    binding(e, o);
    o.metadata_update(e);
    if !same(&o.at("roleRef"), &o.old("roleRef")) {
        e.invalid_as(&o.at("roleRef"), "rbac.RoleRef", "cannot change roleRef");
    }
}

fn subject(e: &mut Errors, at: &At<'_>, is_namespaced: bool) {
    let [kind, group, name] = ["kind", "apiGroup", "name"].map(|key| at.at(key));
    if name.is_empty() {
        e.required(&name, "");
    }
    match kind.text() {
        "ServiceAccount" => {
            if !name.is_empty() {
                text::dns_subdomain(e, &name);
            }
            if !group.is_empty() {
                e.not_supported(&group, &[""]);
            }
            if !is_namespaced && at.at("namespace").is_empty() {
                e.required(&at.at("namespace"), "");
            }
        }
        "User" | "Group" => text::one_of(e, &group, &[GROUP]),
        _ => e.not_supported(&kind, &["ServiceAccount", "User", "Group"]),
    }
}

const GROUP: &str = "rbac.authorization.k8s.io";
