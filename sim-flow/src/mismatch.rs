//! Why a FlowSchema does not match, part by part; for people, so its cost does not matter.

use crate::{
    RequestDigest,
    api::{FlowSchemaSpec, PolicyRulesWithSubjects},
    matching::{contains, resource_matches, scope_matches, subject_matches, url_matches},
};

/// Why one element of `spec.rules`, or one of its rules, does not match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Mismatch {
    /// None of the subjects of `spec.rules[rule]` is the user.
    Subject {
        /// Index of the element.
        rule: usize,
    },
    /// A subject is, but the element has no rule for requests of this kind: on resources, or on
    /// other paths.
    Kind {
        /// Index of the element.
        rule: usize,
        /// Whether the request is on a resource.
        resource_request: bool,
    },
    /// A subject is, and there is such a rule, but parts of it do not match.
    Parts {
        /// Index of the element.
        rule: usize,
        /// Index among its `resourceRules` or `nonResourceRules`.
        index: usize,
        /// The parts; never empty.
        parts: Vec<RulePart>,
    },
}

/// A part of a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RulePart {
    /// `verbs`.
    Verbs,
    /// `apiGroups`.
    ApiGroups,
    /// `resources`.
    Resources,
    /// `namespaces`, of a request in a namespace.
    Namespaces,
    /// `clusterScope`, of a request in none.
    ClusterScope,
    /// `nonResourceURLs`.
    Urls,
}

impl RulePart {
    /// The field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verbs => "verbs",
            Self::ApiGroups => "apiGroups",
            Self::Resources => "resources",
            Self::Namespaces => "namespaces",
            Self::ClusterScope => "clusterScope",
            Self::Urls => "nonResourceURLs",
        }
    }
}

impl FlowSchemaSpec {
    /// All that keeps the schema from matching a request; empty exactly when it matches, or has no
    /// rules.
    pub fn mismatches(&self, digest: &RequestDigest) -> Vec<Mismatch> {
        let mut found = Vec::new();
        for (rule, rules) in self.rules.iter().enumerate() {
            if !rules.subjects.iter().any(|subject| subject_matches(subject, digest)) {
                found.push(Mismatch::Subject { rule });
                continue;
            }
            let parts = if digest.request.is_resource_request {
                resource_parts(rules, digest)
            } else {
                path_parts(rules, digest)
            };
            if parts.is_empty() {
                let resource_request = digest.request.is_resource_request;
                found.push(Mismatch::Kind { rule, resource_request });
            }
            for (index, parts) in parts.into_iter().enumerate() {
                if parts.is_empty() {
                    return Vec::new();
                }
                found.push(Mismatch::Parts { rule, index, parts });
            }
        }
        found
    }
}

fn resource_parts(rules: &PolicyRulesWithSubjects, digest: &RequestDigest) -> Vec<Vec<RulePart>> {
    let request = &digest.request;
    let scope = match request.namespace.as_str() {
        "" => RulePart::ClusterScope,
        _ => RulePart::Namespaces,
    };
    let parts = rules.resource_rules.iter().map(|rule| {
        [
            (RulePart::Verbs, contains(&rule.verbs, &request.verb)),
            (RulePart::ApiGroups, contains(&rule.api_groups, &request.api_group)),
            (RulePart::Resources, resource_matches(rule, digest)),
            (scope, scope_matches(rule, digest)),
        ]
    });
    parts.map(failing).collect()
}

fn path_parts(rules: &PolicyRulesWithSubjects, digest: &RequestDigest) -> Vec<Vec<RulePart>> {
    let parts = rules.non_resource_rules.iter().map(|rule| {
        [
            (RulePart::Verbs, contains(&rule.verbs, &digest.request.verb)),
            (RulePart::Urls, url_matches(rule, digest)),
        ]
    });
    parts.map(failing).collect()
}

fn failing<const N: usize>(parts: [(RulePart, bool); N]) -> Vec<RulePart> {
    parts.into_iter().filter(|(_, matches)| !matches).map(|(part, _)| part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MatchOutcome, Release, bootstrap::Bootstrap};

    #[test]
    fn there_is_a_mismatch_exactly_where_nothing_matches() {
        let bootstrap = Bootstrap::new(Release::OLDEST);
        let mut digest = RequestDigest::default();
        digest.request.is_resource_request = true;
        let users =
            [("system:kube-scheduler", "x"), ("a", "system:nodes"), ("b", "system:masters")];
        for (user, group) in users {
            digest.user.name = user.to_owned();
            digest.user.groups = vec![group.to_owned()];
            for (verb, resource, namespace) in
                [("get", "leases", "kube-system"), ("list", "pods", ""), ("update", "nodes", "")]
            {
                digest.request.verb = verb.to_owned();
                digest.request.resource = resource.to_owned();
                digest.request.namespace = namespace.to_owned();
                for schema in bootstrap.flow_schemas() {
                    let matches =
                        matches!(schema.spec.outcome(&digest), MatchOutcome::Matched { .. });
                    let mismatches = schema.spec.mismatches(&digest);
                    assert_eq!(matches, mismatches.is_empty(), "{}", schema.metadata.name);
                }
            }
        }
    }

    #[test]
    fn the_parts_that_fail_are_named() {
        let bootstrap = Bootstrap::new(Release::NEWEST);
        let mut schemas = bootstrap.flow_schemas();
        let schema = schemas.find(|s| s.metadata.name == "system-leader-election").unwrap();
        let mut digest = RequestDigest::default();
        digest.user.name = "system:kube-scheduler".to_owned();
        digest.request.is_resource_request = true;
        digest.request.verb = "list".to_owned();
        digest.request.api_group = "coordination.k8s.io".to_owned();
        digest.request.resource = "leases".to_owned();
        let mismatches = schema.spec.mismatches(&digest);
        let parts = vec![RulePart::Verbs, RulePart::ClusterScope];
        assert!(mismatches.contains(&Mismatch::Parts { rule: 0, index: 0, parts }));
    }
}
