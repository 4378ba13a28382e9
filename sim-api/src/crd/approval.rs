//! Groups of the Kubernetes community: their definitions must be approved.
//!
//! Source: `pkg/apihelpers/helpers.go` and `pkg/controller/apiapproval` of
//! k8s.io/apiextensions-apiserver, release-1.33.

use jiff::Timestamp;
use serde_json::Value;

use super::conditions;
use crate::go;

/// Whether definitions of a group need an approval.
pub(crate) fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"].iter().any(|domain| {
        group.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// What the annotation says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Approval {
    Approved,
    /// It is known not to be.
    Bypassed,
    Invalid,
    Missing,
}

impl Approval {
    pub(crate) fn of(annotation: &str) -> Self {
        let is_url = annotation
            .split_once("://")
            .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        match annotation {
            "" => Self::Missing,
            text if text.starts_with("unapproved") => Self::Bypassed,
            _ if is_url => Self::Approved,
            _ => Self::Invalid,
        }
    }

    /// What is told of it.
    pub(crate) fn message(self, annotation: &str) -> String {
        let see = "see https://github.com/kubernetes/enhancements/pull/1111";
        let must = format!("protected groups must have approval annotation \"{ANNOTATION}\"");
        match self {
            Self::Approved => format!("approved in {annotation}"),
            Self::Bypassed => format!("not approved: {}", go::quote(annotation)),
            Self::Missing => format!("{must}, {see}"),
            Self::Invalid => {
                format!("{must} with either a URL or a reason starting with \"unapproved\", {see}")
            }
        }
    }
}

/// The definition with the condition that tells of its approval; nothing where it needs none or
/// says so already.
pub fn approve(crd: &Value, now: Timestamp) -> Option<Value> {
    if !is_protected(crd.pointer("/spec/group")?.as_str()?) {
        return None;
    }
    let annotations = crd.pointer("/metadata/annotations");
    let annotation = annotations.and_then(|all| all.get(ANNOTATION)?.as_str()).unwrap_or_default();
    let approval = Approval::of(annotation);
    let (status, reason) = match approval {
        Approval::Approved => ("True", "ApprovedAnnotation"),
        Approval::Bypassed => ("False", "UnapprovedAnnotation"),
        Approval::Invalid => ("False", "InvalidAnnotation"),
        Approval::Missing => ("False", "MissingAnnotation"),
    };
    let mut changed = crd.clone();
    let message = approval.message(annotation);
    conditions::set(&mut changed, CONDITION, status, reason, &message, now);
    (changed != *crd).then_some(changed)
}

/// Source: `KubeAPIApprovedAnnotation`.
pub(crate) const ANNOTATION: &str = "api-approved.kubernetes.io";
const CONDITION: &str = "KubernetesAPIApprovalPolicyConformant";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_groups_of_the_community_need_an_approval() {
        let now = Timestamp::UNIX_EPOCH;
        let crd = |group: &str, annotation: &str| {
            json!({"metadata": {"annotations": {ANNOTATION: annotation}}, "spec": {"group": group},
                "status": {"conditions": null}})
        };
        assert!(approve(&crd("example.com", ""), now).is_none());
        assert!(!is_protected("notk8s.io"));
        for (annotation, reason) in [
            ("https://github.com/x/pull/1", "ApprovedAnnotation"),
            ("unapproved, experimental", "UnapprovedAnnotation"),
            ("what", "InvalidAnnotation"),
        ] {
            let approved = approve(&crd("net.k8s.io", annotation), now).unwrap();
            assert_eq!(approved["status"]["conditions"][0]["reason"], reason);
            assert!(approve(&approved, now).is_none());
        }
    }
}
