//! Roles and bindings, indexed by who they are about.
//!
//! A request looks only at the bindings of its user and of the user's groups, in the cluster and
//! in its namespace.
//!
//! A ClusterRole that gathers others has their rules here at once. In a real cluster a
//! controller copies them into the object a moment later.
//!
//! Source: k8s.io/kubernetes `plugin/pkg/auth/authorizer/rbac`, `pkg/registry/rbac/validation`,
//! `pkg/controller/clusterroleaggregation` (release-1.33).

mod aggregate;
mod binding;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

pub use self::binding::{Binding, RoleRef};
use self::{
    aggregate::ClusterRole,
    binding::{Bindings, describe},
};
use super::{Attributes, Decision, Rule, User};
use crate::{Resource, Status, go, meta};

/// The API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// What an [`Rbac`] is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `clusterroles`.
    ClusterRole,
    /// `clusterrolebindings`.
    ClusterRoleBinding,
    /// `roles`.
    Role,
    /// `rolebindings`.
    RoleBinding,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ClusterRole, Self::ClusterRoleBinding, Self::Role, Self::RoleBinding];

    /// The kind of a resource's objects.
    #[must_use]
    pub fn of(resource: &Resource) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| resource.is(GROUP, kind.plural()))
    }

    /// The resource's name.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::ClusterRole => "clusterroles",
            Self::ClusterRoleBinding => "clusterrolebindings",
            Self::Role => "roles",
            Self::RoleBinding => "rolebindings",
        }
    }
}

/// All roles and bindings of a cluster.
#[derive(Debug, Default)]
pub struct Rbac {
    cluster_roles: BTreeMap<String, ClusterRole>,
    /// By namespace, then by name.
    roles: BTreeMap<String, BTreeMap<String, Arc<[Rule]>>>,
    cluster_bindings: Bindings,
    /// By namespace.
    bindings: BTreeMap<String, Bindings>,
}

impl Rbac {
    /// Takes in an object that is new or has changed.
    pub fn put(&mut self, kind: Kind, object: &Value) {
        let (namespace, name) = (meta::namespace(object), meta::name(object));
        match kind {
            Kind::ClusterRole => {
                let role = ClusterRole::read(object);
                aggregate::replace(&mut self.cluster_roles, name, Some(role));
            }
            Kind::Role => {
                let rules = Rule::list(object.get("rules")).into();
                self.roles.entry(namespace.into()).or_default().insert(name.into(), rules);
            }
            Kind::ClusterRoleBinding => self.cluster_bindings.put(Binding::read(object)),
            Kind::RoleBinding => {
                self.bindings.entry(namespace.into()).or_default().put(Binding::read(object));
            }
        }
    }

    /// Forgets an object.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        match kind {
            Kind::ClusterRole => aggregate::replace(&mut self.cluster_roles, name, None),
            Kind::Role => {
                if let Some(roles) = self.roles.get_mut(namespace) {
                    roles.remove(name);
                    if roles.is_empty() {
                        self.roles.remove(namespace);
                    }
                }
            }
            Kind::ClusterRoleBinding => self.cluster_bindings.remove(name),
            Kind::RoleBinding => {
                if let Some(bindings) = self.bindings.get_mut(namespace) {
                    bindings.remove(name);
                    if bindings.is_empty() {
                        self.bindings.remove(namespace);
                    }
                }
            }
        }
    }

    /// Forgets everything of a kind.
    pub fn clear(&mut self, kind: Kind) {
        match kind {
            Kind::ClusterRole => self.cluster_roles.clear(),
            Kind::Role => self.roles.clear(),
            Kind::ClusterRoleBinding => self.cluster_bindings = Bindings::default(),
            Kind::RoleBinding => self.bindings.clear(),
        }
    }

    /// Whether the user may do it, and by which binding.
    #[must_use]
    pub fn authorize(&self, user: &User, wanted: &Attributes<'_>) -> Decision {
        let mut missing: Vec<String> = Vec::new();
        // A path is in no namespace.
        let namespace = if wanted.is_resource { wanted.namespace } else { "" };
        for binding in self.bindings_of(user, namespace) {
            match self.rules_of(&binding.role, &binding.namespace) {
                Ok(rules) => {
                    if rules.iter().any(|rule| rule.allows(wanted)) {
                        let reason = format!("RBAC: allowed by {}", describe(binding, user));
                        return Decision { allowed: true, reason };
                    }
                }
                Err(error) if !missing.contains(&error) => missing.push(error),
                Err(_) => {}
            }
        }
        let reason = match &missing[..] {
            [] => String::new(),
            [one] => format!("RBAC: {one}"),
            all => format!("RBAC: [{}]", all.join(", ")),
        };
        Decision { allowed: false, reason }
    }

    /// All rules that hold for a user in a namespace, and what could not be found.
    #[must_use]
    pub fn rules_for(&self, user: &User, namespace: &str) -> (Vec<Rule>, Vec<String>) {
        let mut bindings: Vec<&Arc<Binding>> = self.bindings_of(user, namespace).collect();
        bindings.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        bindings.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for binding in bindings {
            match self.rules_of(&binding.role, &binding.namespace) {
                Ok(found) => rules.extend(found.iter().cloned()),
                Err(error) => errors.push(error),
            }
        }
        (rules, errors)
    }

    /// The rules of a role that a binding of this namespace refers to.
    ///
    /// # Errors
    ///
    /// 404 where there is no such role.
    pub fn role(&self, role: &RoleRef, namespace: &str) -> Result<Vec<Rule>, Status> {
        match self.rules_of(role, namespace) {
            Ok(rules) => Ok(rules.to_vec()),
            Err(error) => Err(match &*role.kind {
                "ClusterRole" => Status::not_found(GROUP, "clusterroles", &role.name),
                "Role" => Status::not_found(GROUP, "roles", &role.name),
                _ => Status::plain_error(error),
            }),
        }
    }

    fn rules_of(&self, role: &RoleRef, namespace: &str) -> Result<&[Rule], String> {
        let found = match &*role.kind {
            "ClusterRole" => self.cluster_roles.get(&role.name).map(ClusterRole::rules),
            "Role" => self.roles.get(namespace).and_then(|roles| Some(&**roles.get(&role.name)?)),
            other => return Err(format!("unsupported role reference kind: {}", go::quote(other))),
        };
        // The authorizer's cache names the singular.
        let singular = role.kind.to_ascii_lowercase();
        found.ok_or_else(|| format!("{singular}.{GROUP} {} not found", go::quote(&role.name)))
    }

    /// Those of the cluster first; one may come more than once.
    fn bindings_of<'a>(
        &'a self,
        user: &'a User,
        namespace: &str,
    ) -> impl Iterator<Item = &'a Arc<Binding>> {
        let local = if namespace.is_empty() { None } else { self.bindings.get(namespace) };
        self.cluster_bindings.of(user).chain(local.into_iter().flat_map(|local| local.of(user)))
    }
}
