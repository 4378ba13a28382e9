//! Who may do what.
//!
//! All of it is pure: the driver authenticates, keeps [`rbac::Rbac`] in step with the store, and
//! asks [`authorize`].
//!
//! Source: k8s.io/apiserver `pkg/authorization`, `pkg/endpoints/handlers/responsewriters`;
//! k8s.io/kubernetes `plugin/pkg/auth/authorizer` (release-1.33).

pub mod bootstrap;
pub mod escalation;
pub mod impersonation;
pub mod rbac;
pub mod review;
mod rule;

use crate::{RequestInfo, Status, go, meta::names};

pub use self::rule::Rule;

/// Who sends a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The uid; empty for none.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// What else the authenticator says.
    pub extra: Vec<(String, Vec<String>)>,
}

impl User {
    /// Whether the user is in the group that may do everything.
    pub fn is_privileged(&self) -> bool {
        self.groups.iter().any(|group| group == PRIVILEGED)
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attributes<'a> {
    /// Whether it is about a resource; else it is about `path`.
    pub is_resource: bool,
    /// The verb.
    pub verb: &'a str,
    /// The API group.
    pub group: &'a str,
    /// The resource, plural.
    pub resource: &'a str,
    /// The subresource; empty for none.
    pub subresource: &'a str,
    /// The object's name; empty for none.
    pub name: &'a str,
    /// The namespace; empty for all of them and for what is in none.
    pub namespace: &'a str,
    /// The path.
    pub path: &'a str,
}

impl<'a> Attributes<'a> {
    /// What a request wants.
    pub fn of(info: &'a RequestInfo) -> Self {
        Self {
            is_resource: info.is_resource_request,
            verb: info.verb,
            group: &info.api_group,
            resource: &info.resource,
            subresource: &info.subresource,
            name: &info.name,
            namespace: &info.namespace,
            path: &info.path,
        }
    }
}

/// What an authorizer says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Decision {
    /// It may be done. Otherwise there is no opinion, which is a refusal when nobody has one.
    pub allowed: bool,
    /// Why; may be empty.
    pub reason: String,
}

/// An authorizer, as `--authorization-mode` names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Everybody may do everything.
    AlwaysAllow,
    /// Only system:masters may do anything.
    AlwaysDeny,
    /// Roles and bindings.
    Rbac,
}

impl Mode {
    /// Reads the flag: names in a row, separated by commas.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong with it.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        let mut modes = Vec::new();
        for name in text.split(',').map(str::trim) {
            let mode = match name {
                "AlwaysAllow" => Self::AlwaysAllow,
                "AlwaysDeny" => Self::AlwaysDeny,
                "RBAC" => Self::Rbac,
                "ABAC" | "Node" | "Webhook" => {
                    return Err(format!(
                        "mode {name} is not emulated; use AlwaysAllow, AlwaysDeny or RBAC"
                    ));
                }
                _ => return Err(format!("{} is not a valid mode", go::quote(name))),
            };
            if modes.contains(&mode) {
                return Err(format!("mode {name} is there more than once"));
            }
            modes.push(mode);
        }
        Ok(modes)
    }
}

/// Asks the authorizers in turn; the first one with an opinion decides.
#[must_use]
pub fn authorize(
    modes: &[Mode],
    rbac: &rbac::Rbac,
    user: &User,
    attributes: &Attributes<'_>,
) -> Decision {
    if user.is_privileged() {
        return Decision { allowed: true, reason: String::new() };
    }
    let mut reasons: Vec<String> = Vec::new();
    for mode in modes {
        let decision = match mode {
            Mode::AlwaysAllow => Decision { allowed: true, reason: String::new() },
            Mode::AlwaysDeny => {
                Decision { allowed: false, reason: "Everything is forbidden.".to_owned() }
            }
            Mode::Rbac => rbac.authorize(user, attributes),
        };
        if decision.allowed {
            return decision;
        }
        if !decision.reason.is_empty() {
            reasons.push(decision.reason);
        }
    }
    Decision { allowed: false, reason: reasons.join("\n") }
}

/// 403 of a request that nobody allows. The answer also has `X-Content-Type-Options: nosniff`.
///
/// Source: `responsewriters.Forbidden`, which escapes what HTML would take for its own.
#[must_use]
pub fn forbidden(user: &User, attributes: &Attributes<'_>, reason: &str) -> Status {
    let Attributes { verb, group, resource, subresource, name, namespace, path, .. } = *attributes;
    let user = go::quote(&user.name);
    let mut detail = if attributes.is_resource {
        let whole = match subresource {
            "" => resource.to_owned(),
            sub => format!("{resource}/{sub}"),
        };
        let place = match namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {}", go::quote(namespace)),
        };
        let (whole, group) = (go::quote(&whole), go::quote(group));
        format!("User {user} cannot {verb} resource {whole} in API group {group} {place}")
    } else {
        format!("User {user} cannot {verb} path {}", go::quote(path))
    };
    detail = detail.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if !reason.is_empty() {
        detail = format!("{detail}: {reason}");
    }
    Status::forbidden(group, resource, name, &detail)
}

/// The group whose members may do everything.
pub const PRIVILEGED: &str = "system:masters";
/// The group of everyone who has shown credentials.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of those who have not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// Name of the user who sent no credentials.
pub const ANONYMOUS: &str = "system:anonymous";

/// The user name of a service account.
#[must_use]
pub fn service_account_user(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// The groups of a service account, without system:authenticated.
#[must_use]
pub fn service_account_groups(namespace: &str) -> Vec<String> {
    vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
}

/// Namespace and name of the service account that a user is.
#[must_use]
pub fn split_service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let valid = names::label(namespace).is_empty() && names::subdomain(name).is_empty();
    valid.then_some((namespace, name))
}

#[cfg(test)]
mod tests;
