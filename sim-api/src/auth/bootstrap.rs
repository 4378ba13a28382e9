//! The roles and bindings that every server makes for itself, from `bootstrap.txt`.
//!
//! Source: k8s.io/kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`; the notation is
//! explained in the file.

use serde_json::{Map, Value, json};

use super::{Rule, rbac::GROUP};
use crate::Release;

/// Those objects, roles before the bindings to them.
#[must_use]
pub fn objects(release: Release) -> Vec<Value> {
    let (mut roles, mut bindings) = (Vec::new(), Vec::new());
    let mut role: Option<Role> = None;
    for line in TABLE.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (since, line) = match line.split_once("+ ") {
            Some((since, rest)) => (since.parse().unwrap_or_default(), rest),
            None => (0, line),
        };
        let is_served = release.minor() >= since;
        let mut words = line.split_whitespace();
        let head = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        if matches!(head, "role" | "gather" | "local" | "bind" | "locally") {
            roles.extend(role.take().map(Role::into_object));
            match (head, &words[..]) {
                ("role", [name, ..]) if is_served => {
                    if let Some(controller) = name.strip_prefix(CONTROLLER) {
                        let subject = format!("account:{controller}");
                        bindings.push(binding(name, None, name, &[&subject]));
                    }
                    role = Some(Role::new(name, None, &words));
                }
                ("gather", [name, from, ..]) => {
                    let mut gathering = Role::new(name, None, &words);
                    gathering.gathers = Some((*from).to_owned());
                    role = Some(gathering);
                }
                ("local", [namespace, name]) => role = Some(Role::new(name, Some(namespace), &[])),
                ("bind", [name, subjects @ ..]) => {
                    bindings.push(binding(name, None, name, subjects));
                }
                ("locally", [namespace, name, role, subjects @ ..]) => {
                    bindings.push(binding(name, Some(namespace), role, subjects));
                }
                _ => {}
            }
        } else if let Some(role) = &mut role
            && is_served
        {
            role.rules.push(rule(line));
        }
    }
    roles.extend(role.map(Role::into_object));
    roles.append(&mut bindings);
    roles
}

struct Role {
    name: String,
    namespace: Option<String>,
    aggregates_to: Option<String>,
    gathers: Option<String>,
    rules: Vec<Rule>,
}

impl Role {
    fn new(name: &str, namespace: Option<&str>, words: &[&str]) -> Self {
        let label = words.iter().find_map(|word| word.strip_prefix("label="));
        Self {
            name: name.to_owned(),
            namespace: namespace.map(Into::into),
            aggregates_to: label.map(Into::into),
            gathers: None,
            rules: Vec::new(),
        }
    }

    fn into_object(self) -> Value {
        let kind = if self.namespace.is_some() { "Role" } else { "ClusterRole" };
        let mut object = object(kind, &self.name, self.namespace.as_deref());
        if let Some(to) = self.aggregates_to {
            object["metadata"]["labels"][format!("{AGGREGATE}{to}")] = "true".into();
        }
        let rules: Vec<Value> = self.rules.iter().map(Rule::to_value).collect();
        object["rules"] = if self.gathers.is_some() { Value::Null } else { rules.into() };
        if let Some(from) = self.gathers {
            let labels = Map::from_iter([(format!("{AGGREGATE}{from}"), "true".into())]);
            object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": labels}]});
        }
        object
    }
}

fn object(kind: &str, name: &str, namespace: Option<&str>) -> Value {
    let mut object = json!({
        "kind": kind,
        "apiVersion": format!("{GROUP}/v1"),
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
    });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn binding(name: &str, namespace: Option<&str>, role: &str, subjects: &[&str]) -> Value {
    let (kind, role_kind) = match namespace {
        Some(_) => ("RoleBinding", "Role"),
        None => ("ClusterRoleBinding", "ClusterRole"),
    };
    let subjects: Vec<Value> = subjects
        .iter()
        .filter_map(|subject| match subject.split_once(':')? {
            ("account", name) => {
                Some(json!({"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}))
            }
            ("group", name) => Some(json!({"kind": "Group", "apiGroup": GROUP, "name": name})),
            (_, name) => Some(json!({"kind": "User", "apiGroup": GROUP, "name": name})),
        })
        .collect();
    let mut object = object(kind, name, namespace);
    if !subjects.is_empty() {
        object["subjects"] = subjects.into();
    }
    object["roleRef"] = json!({"apiGroup": GROUP, "kind": role_kind, "name": role});
    object
}

fn rule(line: &str) -> Rule {
    let line = if line == "events" { EVENTS } else { line };
    let sorted = |text: &str, of: fn(&str) -> Vec<String>| {
        let mut items: Vec<String> = text.split(',').flat_map(|item| of(item.trim())).collect();
        items.sort();
        items
    };
    let Some((verbs_text, rest)) = line.split_once(" @ ") else {
        let mut words = line.split_whitespace();
        return Rule {
            verbs: sorted(words.next().unwrap_or_default(), verbs),
            non_resource_urls: words.map(Into::into).collect(),
            ..Rule::default()
        };
    };
    let (groups, rest) = rest.split_once(" : ").unwrap_or((rest, ""));
    let (resources, names) = rest.split_once(" = ").unwrap_or((rest, ""));
    let plain = |item: &str| if item.is_empty() { vec![] } else { vec![item.to_owned()] };
    Rule {
        verbs: sorted(verbs_text, verbs),
        api_groups: sorted(groups, |name| vec![group(name)]),
        resources: sorted(resources, plain),
        resource_names: sorted(names, plain),
        non_resource_urls: Vec::new(),
    }
}

fn verbs(short: &str) -> Vec<String> {
    let all: &[&str] = match short {
        "r" => &["get", "list", "watch"],
        "w" => &["create", "delete", "deletecollection", "patch", "update"],
        verb => return vec![verb.to_owned()],
    };
    all.iter().map(|&verb| verb.to_owned()).collect()
}

fn group(short: &str) -> String {
    match short {
        "core" => String::new(),
        "*" | "apps" | "autoscaling" | "batch" | "extensions" | "policy" => short.to_owned(),
        _ if short.ends_with(".k8s.io") => short.to_owned(),
        _ => format!("{short}.k8s.io"),
    }
}

const TABLE: &str = include_str!("bootstrap.txt");
const EVENTS: &str = "create,patch,update @ core,events : events";
const CONTROLLER: &str = "system:controller:";
const AGGREGATE: &str = "rbac.authorization.k8s.io/aggregate-to-";
