//! Which FlowSchema a request matches.
//!
//! Source: `pkg/util/flowcontrol/rule.go`.

use crate::{
    RequestDigest,
    api::{
        FlowSchemaSpec, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule,
        Subject, WILDCARD,
    },
};

/// The part of a request that tells flows of one schema apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Distinguisher {
    /// The namespace; empty for cluster scope.
    ByNamespace,
    /// The user name.
    ByUser,
    /// Nothing: one flow.
    None,
}

impl Distinguisher {
    /// The method that `spec` names; one it does not know is none.
    pub fn of_spec(spec: &FlowSchemaSpec) -> Self {
        match spec.distinguisher_method.as_ref().map(|method| method.type_.as_str()) {
            Some("ByNamespace") => Self::ByNamespace,
            Some("ByUser") => Self::ByUser,
            _ => Self::None,
        }
    }

    /// The flow distinguisher of a request.
    pub fn of_request(self, digest: &RequestDigest) -> &str {
        match self {
            Self::ByNamespace => &digest.request.namespace,
            Self::ByUser => &digest.user.name,
            Self::None => "",
        }
    }
}

/// Why a schema matches or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MatchOutcome {
    /// Element `rule` of `spec.rules` matches.
    Matched {
        /// Index of the element.
        rule: usize,
    },
    /// A subject of element `rule` matches, but none of its rules does.
    NoRule {
        /// Index of the last such element.
        rule: usize,
    },
    /// No subject of any element matches.
    NoSubject,
}

impl FlowSchemaSpec {
    /// Whether the schema matches a request, and why.
    pub fn outcome(&self, digest: &RequestDigest) -> MatchOutcome {
        let mut outcome = MatchOutcome::NoSubject;
        for (rule, rules) in self.rules.iter().enumerate() {
            if rules.subjects.iter().any(|subject| subject_matches(subject, digest)) {
                if rules.rule_matches(digest) {
                    return MatchOutcome::Matched { rule };
                }
                outcome = MatchOutcome::NoRule { rule };
            }
        }
        outcome
    }
}

impl PolicyRulesWithSubjects {
    fn rule_matches(&self, digest: &RequestDigest) -> bool {
        if digest.request.is_resource_request {
            self.resource_rules.iter().any(|rule| resource_rule_matches(rule, digest))
        } else {
            self.non_resource_rules.iter().any(|rule| non_resource_rule_matches(rule, digest))
        }
    }
}

pub(crate) fn subject_matches(subject: &Subject, digest: &RequestDigest) -> bool {
    let user = &digest.user;
    match subject.kind.as_str() {
        "User" => subject
            .user
            .as_ref()
            .is_some_and(|wanted| wanted.name == WILDCARD || wanted.name == user.name),
        "Group" => subject
            .group
            .as_ref()
            .is_some_and(|wanted| wanted.name == WILDCARD || user.groups.contains(&wanted.name)),
        "ServiceAccount" => subject.service_account.as_ref().is_some_and(|wanted| {
            user.name
                .strip_prefix(SERVICE_ACCOUNT_PREFIX)
                .and_then(|rest| rest.strip_prefix(wanted.namespace.as_str()))
                .and_then(|rest| rest.strip_prefix(':'))
                .is_some_and(|name| wanted.name == WILDCARD || wanted.name == name)
        }),
        _ => false,
    }
}

fn resource_rule_matches(rule: &ResourcePolicyRule, digest: &RequestDigest) -> bool {
    scope_matches(rule, digest)
        && contains(&rule.verbs, &digest.request.verb)
        && contains(&rule.api_groups, &digest.request.api_group)
        && resource_matches(rule, digest)
}

/// Whether a rule is for the request's namespace, or for requests without one.
pub(crate) fn scope_matches(rule: &ResourcePolicyRule, digest: &RequestDigest) -> bool {
    let namespace = &digest.request.namespace;
    if namespace.is_empty() { rule.cluster_scope } else { contains(&rule.namespaces, namespace) }
}

/// Whether a rule names the request's resource and subresource.
pub(crate) fn resource_matches(rule: &ResourcePolicyRule, digest: &RequestDigest) -> bool {
    let request = &digest.request;
    is_wildcard(&rule.resources)
        || rule.resources.iter().any(|wanted| {
            if request.subresource.is_empty() {
                *wanted == request.resource
            } else {
                wanted
                    .strip_prefix(request.resource.as_str())
                    .and_then(|rest| rest.strip_prefix('/'))
                    .is_some_and(|rest| rest == request.subresource)
            }
        })
}

fn non_resource_rule_matches(rule: &NonResourcePolicyRule, digest: &RequestDigest) -> bool {
    contains(&rule.verbs, &digest.request.verb) && url_matches(rule, digest)
}

/// Whether a rule names the request's path, or one above it.
pub(crate) fn url_matches(rule: &NonResourcePolicyRule, digest: &RequestDigest) -> bool {
    let path = digest.request.path.as_str();
    rule.non_resource_urls.iter().any(|url| {
        if url == WILDCARD || url == path {
            return true;
        }
        let prefix = url.strip_suffix('*').unwrap_or(url);
        path.strip_prefix(prefix).is_some_and(|rest| prefix.ends_with('/') || rest.starts_with('/'))
    })
}

/// A list names everything only when the wildcard is its sole element.
fn is_wildcard(list: &[String]) -> bool {
    matches!(list, [only] if only == WILDCARD)
}

pub(crate) fn contains(list: &[String], value: &str) -> bool {
    is_wildcard(list) || list.iter().any(|element| element == value)
}

const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";
