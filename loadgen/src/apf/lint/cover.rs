//! Whether one schema matches everything that a part of another does.
//!
//! Conservative: what is said to be covered is, as long as authentication puts users into the
//! groups that it puts them into.

use sim_flow::api::{
    FlowSchemaSpec, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule, Subject,
    WILDCARD,
};

/// One rule of a schema, with the subjects it is for.
pub(super) struct Part<'a> {
    subjects: &'a [Subject],
    rule: Rule<'a>,
}

enum Rule<'a> {
    Resource(&'a ResourcePolicyRule),
    Path(&'a NonResourcePolicyRule),
}

/// The rules of a schema one by one, with the path of each.
pub(super) fn parts(spec: &FlowSchemaSpec) -> Vec<(String, Part<'_>)> {
    let mut parts = Vec::new();
    for (i, rules) in spec.rules.iter().enumerate() {
        let subjects = rules.subjects.as_slice();
        for (j, rule) in rules.resource_rules.iter().enumerate() {
            let field = format!("spec.rules[{i}].resourceRules[{j}]");
            parts.push((field, Part { subjects, rule: Rule::Resource(rule) }));
        }
        for (j, rule) in rules.non_resource_rules.iter().enumerate() {
            let field = format!("spec.rules[{i}].nonResourceRules[{j}]");
            parts.push((field, Part { subjects, rule: Rule::Path(rule) }));
        }
    }
    parts
}

/// Whether `spec` matches every request that `part` matches.
pub(super) fn covers(spec: &FlowSchemaSpec, part: &Part<'_>) -> bool {
    // Each subject by itself: different elements may cover different ones.
    part.subjects.iter().all(|subject| {
        spec.rules
            .iter()
            .any(|rules| covers_subject(&rules.subjects, subject) && covers_rule(rules, &part.rule))
    })
}

fn covers_rule(rules: &PolicyRulesWithSubjects, rule: &Rule<'_>) -> bool {
    match rule {
        Rule::Resource(inner) => rules.resource_rules.iter().any(|outer| {
            covers_list(&outer.verbs, &inner.verbs)
                && covers_list(&outer.api_groups, &inner.api_groups)
                && covers_list(&outer.resources, &inner.resources)
                && covers_list(&outer.namespaces, &inner.namespaces)
                && (outer.cluster_scope || !inner.cluster_scope)
        }),
        Rule::Path(inner) => rules.non_resource_rules.iter().any(|outer| {
            covers_list(&outer.verbs, &inner.verbs)
                && inner
                    .non_resource_urls
                    .iter()
                    .all(|url| outer.non_resource_urls.iter().any(|other| covers_url(other, url)))
        }),
    }
}

fn covers_list(outer: &[String], inner: &[String]) -> bool {
    matches!(outer, [only] if only == WILDCARD) || inner.iter().all(|value| outer.contains(value))
}

/// An entry takes its path and all below; one ending in `*` all below what is before.
fn covers_url(outer: &str, inner: &str) -> bool {
    if outer == WILDCARD || outer == inner {
        return true;
    }
    let prefix = outer.strip_suffix('*').unwrap_or(outer);
    let inner = inner.strip_suffix('*').unwrap_or(inner);
    inner.strip_prefix(prefix).is_some_and(|rest| prefix.ends_with('/') || rest.starts_with('/'))
}

fn covers_subject(outer: &[Subject], inner: &Subject) -> bool {
    let names = |subject: &Subject| {
        (
            subject.user.as_ref().map(|user| user.name.clone()),
            subject.group.as_ref().map(|group| group.name.clone()),
            subject.service_account.as_ref().map(|a| (a.namespace.clone(), a.name.clone())),
        )
    };
    let inner = names(inner);
    let anybody = |outer: &Subject| {
        let (user, group, _) = names(outer);
        user.as_deref() == Some(WILDCARD) || group.as_deref() == Some(WILDCARD)
    };
    if outer.iter().any(anybody) {
        return true;
    }
    let has_group =
        |name: &str| outer.iter().any(|subject| names(subject).1.as_deref() == Some(name));
    let has_account = |namespace: &str, name: &str| {
        outer.iter().filter_map(|subject| names(subject).2).any(|(outer_namespace, outer_name)| {
            outer_namespace == namespace && (outer_name == WILDCARD || outer_name == name)
        })
    };
    let everybody = has_group(AUTHENTICATED) && has_group(UNAUTHENTICATED);
    match inner {
        (Some(user), ..) => {
            outer.iter().any(|subject| names(subject).0.as_deref() == Some(user.as_str()))
                || everybody
                || (has_group(AUTHENTICATED) && user != ANONYMOUS && user != WILDCARD)
                || service_account(&user).is_some_and(|(namespace, name)| {
                    has_account(namespace, name)
                        || has_group(SERVICE_ACCOUNTS)
                        || has_group(&format!("{SERVICE_ACCOUNTS}:{namespace}"))
                })
        }
        (_, Some(group), _) => {
            has_group(&group)
                || (everybody && group != WILDCARD)
                || (has_group(AUTHENTICATED) && group != UNAUTHENTICATED && group != WILDCARD)
                || (has_group(SERVICE_ACCOUNTS) && group.starts_with("system:serviceaccounts:"))
        }
        (.., Some((namespace, name))) => {
            has_account(&namespace, &name)
                || has_group(AUTHENTICATED)
                || has_group(SERVICE_ACCOUNTS)
                || has_group(&format!("{SERVICE_ACCOUNTS}:{namespace}"))
        }
        _ => true,
    }
}

fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}

const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const ANONYMOUS: &str = "system:anonymous";
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
