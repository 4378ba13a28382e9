//! Bindings, by their subjects.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use crate::{
    auth::{User, service_account_user},
    go, meta,
};

/// A RoleBinding or, with no namespace, a ClusterRoleBinding.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Binding {
    /// Its name.
    pub name: String,
    /// Its namespace; empty for a ClusterRoleBinding.
    pub namespace: String,
    /// What it grants.
    pub role: RoleRef,
    subjects: Vec<Subject>,
}

/// Which role a binding grants.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RoleRef {
    /// `Role` or `ClusterRole`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Subject {
    Group(String),
    /// Namespace and name, and the user that it is.
    ServiceAccount(String, String, String),
    User(String),
}

impl Binding {
    /// Reads an object; subjects of unknown kinds are nobody.
    #[must_use]
    pub fn read(object: &Value) -> Self {
        let namespace = meta::namespace(object);
        let subjects = object.get("subjects").and_then(Value::as_array);
        Self {
            name: meta::name(object).to_owned(),
            namespace: namespace.to_owned(),
            role: RoleRef {
                kind: text(object, "/roleRef/kind"),
                name: text(object, "/roleRef/name"),
            },
            subjects: subjects
                .into_iter()
                .flatten()
                .filter_map(|subject| Subject::read(subject, namespace))
                .collect(),
        }
    }
}

impl Subject {
    fn read(subject: &Value, default_namespace: &str) -> Option<Self> {
        let name = text(subject, "/name");
        match subject.get("kind")?.as_str()? {
            "Group" => Some(Self::Group(name)),
            "User" => Some(Self::User(name)),
            "ServiceAccount" => {
                let namespace = match text(subject, "/namespace") {
                    given if given.is_empty() => default_namespace.to_owned(),
                    given => given,
                };
                let user = service_account_user(&namespace, &name);
                (!namespace.is_empty()).then_some(Self::ServiceAccount(namespace, name, user))
            }
            _ => None,
        }
    }

    fn is(&self, user: &User) -> bool {
        match self {
            Self::Group(name) => user.groups.contains(name),
            Self::ServiceAccount(_, _, name) | Self::User(name) => user.name == *name,
        }
    }
}

/// The bindings of one namespace, or of the cluster.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    by_name: BTreeMap<String, Arc<Binding>>,
    by_user: BTreeMap<String, Vec<Arc<Binding>>>,
    by_group: BTreeMap<String, Vec<Arc<Binding>>>,
}

impl Bindings {
    pub(super) fn put(&mut self, binding: Binding) {
        self.remove(&binding.name);
        let binding = Arc::new(binding);
        for subject in &binding.subjects {
            let (map, name) = self.place(subject);
            let known = map.entry(name.to_owned()).or_default();
            // A subject that is named twice.
            if !known.iter().any(|known| Arc::ptr_eq(known, &binding)) {
                known.push(Arc::clone(&binding));
            }
        }
        self.by_name.insert(binding.name.clone(), binding);
    }

    pub(super) fn remove(&mut self, name: &str) {
        let Some(binding) = self.by_name.remove(name) else { return };
        for subject in &binding.subjects {
            let (map, name) = self.place(subject);
            if let Some(known) = map.get_mut(name) {
                known.retain(|known| !Arc::ptr_eq(known, &binding));
                if known.is_empty() {
                    map.remove(name);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(super) fn of<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a Arc<Binding>> {
        let groups = user.groups.iter().filter_map(|group| self.by_group.get(group));
        self.by_user.get(&user.name).into_iter().chain(groups).flatten()
    }

    fn place<'a>(
        &mut self,
        subject: &'a Subject,
    ) -> (&mut BTreeMap<String, Vec<Arc<Binding>>>, &'a str) {
        match subject {
            Subject::Group(name) => (&mut self.by_group, name),
            Subject::ServiceAccount(_, _, name) | Subject::User(name) => (&mut self.by_user, name),
        }
    }
}

/// A binding in the words of the authorizer.
pub(super) fn describe(binding: &Binding, user: &User) -> String {
    let (kind, name) = match &*binding.namespace {
        "" => ("ClusterRoleBinding", binding.name.clone()),
        namespace => ("RoleBinding", format!("{}/{namespace}", binding.name)),
    };
    let subject = match binding.subjects.iter().find(|subject| subject.is(user)) {
        Some(Subject::Group(name)) => format!("Group {}", go::quote(name)),
        Some(Subject::User(name)) => format!("User {}", go::quote(name)),
        Some(Subject::ServiceAccount(namespace, name, _)) => {
            format!("ServiceAccount {}", go::quote(&format!("{name}/{namespace}")))
        }
        None => String::new(),
    };
    let RoleRef { kind: role_kind, name: role } = &binding.role;
    format!("{kind} {} of {role_kind} {} to {subject}", go::quote(&name), go::quote(role))
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
