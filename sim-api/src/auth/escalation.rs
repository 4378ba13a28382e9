//! Nobody may grant what they do not have.
//!
//! Source: k8s.io/kubernetes `pkg/registry/rbac/{escalation_check.go,*/policybased}`,
//! `pkg/registry/rbac/validation/rule.go` (release-1.33).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Attributes, Rule, User,
    rbac::{Binding, GROUP, Kind, Rbac},
    rule::quoted,
};
use crate::{Status, field, go, meta};

/// Lets a question be asked of the roles and bindings.
pub type Ask<'a> = &'a dyn Fn(&mut dyn FnMut(&Rbac));

/// Refuses a role or binding that would give away more than `user` has. `old` is what it
/// replaces, `namespace` the request's; `may` asks the authorizers, `roles` the roles alone.
/// Neither is called from within the other.
///
/// # Errors
///
/// 403 with the missing rules, 404 where a binding's role is not there.
pub fn check(
    kind: Kind,
    user: &User,
    namespace: &str,
    (old, new): (Option<&Value>, &Value),
    may: &dyn Fn(&Attributes<'_>) -> bool,
    roles: Ask<'_>,
) -> Result<(), Status> {
    if user.is_privileged() || old.is_some_and(|old| only_lets_go(old, new)) {
        return Ok(());
    }
    let name = meta::name(new);
    let refuse = |detail: String| Status::forbidden(GROUP, kind.plural(), name, &detail);
    let granted = match kind {
        Kind::ClusterRole | Kind::Role => {
            let request_name = old.map_or("", meta::name);
            if may(&attributes("escalate", kind, request_name, namespace)) {
                return Ok(());
            }
            Rule::list(new.get("rules"))
        }
        Kind::ClusterRoleBinding | Kind::RoleBinding => {
            let binding = Binding::read(new);
            let role = match &*binding.role.kind {
                "Role" => Kind::Role,
                _ => Kind::ClusterRole,
            };
            if may(&attributes("bind", role, &binding.role.name, namespace)) {
                return Ok(());
            }
            let mut found = Ok(Vec::new());
            roles(&mut |rbac| found = rbac.role(&binding.role, namespace));
            found?
        }
    };
    let (mut held, mut errors) = (Vec::new(), Vec::new());
    roles(&mut |rbac| (held, errors) = rbac.rules_for(user, namespace));
    let confirm = |granted: &[Rule]| confirm(user, (&held, &errors), granted);
    confirm(&granted).map_err(refuse)?;
    let gathers =
        |object: &Value| object.get("aggregationRule").is_some_and(|rule| !rule.is_null());
    if kind == Kind::ClusterRole && (gathers(new) || old.is_some_and(gathers)) {
        let everything = || vec!["*".to_owned()];
        let all = [
            Rule {
                verbs: everything(),
                api_groups: everything(),
                resources: everything(),
                ..Rule::default()
            },
            Rule { verbs: everything(), non_resource_urls: everything(), ..Rule::default() },
        ];
        confirm(&all).map_err(|_| {
            refuse("must have cluster-admin privileges to use the aggregationRule".to_owned())
        })?;
    }
    Ok(())
}

fn attributes<'a>(verb: &'a str, kind: Kind, name: &'a str, namespace: &'a str) -> Attributes<'a> {
    Attributes {
        is_resource: true,
        verb,
        group: GROUP,
        resource: kind.plural(),
        name,
        namespace,
        ..Attributes::default()
    }
}

/// Source: `validation.ConfirmNoEscalation`.
fn confirm(
    user: &User,
    (held, errors): (&[Rule], &[String]),
    granted: &[Rule],
) -> Result<(), String> {
    let missing: Vec<Rule> = granted
        .iter()
        .flat_map(Rule::pieces)
        .filter(|piece| !held.iter().any(|rule| rule.covers(piece)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing: BTreeSet<String> = Rule::compacted(missing).iter().map(Rule::print).collect();
    let missing: Vec<String> = missing.into_iter().collect();
    let mut text = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        go::quote(&user.name),
        quoted(&user.groups),
        missing.join("\n")
    );
    if !errors.is_empty() {
        text.push_str(&format!("; resolution errors: [{}]", errors.join(" ")));
    }
    Err(text)
}

/// Whether an update changes only what lets the garbage collector delete the object.
///
/// Source: `rbacregistry.IsOnlyMutatingGCFields`.
fn only_lets_go(old: &Value, new: &Value) -> bool {
    let rest = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
                metadata.shift_remove(key);
            }
        }
        object
    };
    field::is_same(&rest(old), &rest(new))
}
