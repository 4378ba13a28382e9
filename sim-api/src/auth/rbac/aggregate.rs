//! ClusterRoles, and those that gather the rules of others.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use sim_store::{LabelOperator, LabelRequirement, LabelSelector, StrMap};

use crate::auth::Rule;

#[derive(Debug, Default)]
pub(super) struct ClusterRole {
    /// Its own.
    rules: Arc<[Rule]>,
    /// With those of the roles that it gathers.
    all: Option<Arc<[Rule]>>,
    labels: StrMap,
    /// Which roles it gathers; nothing for one that does not.
    gathers: Vec<LabelSelector>,
}

impl ClusterRole {
    pub(super) fn read(object: &Value) -> Self {
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let selectors = object.pointer("/aggregationRule/clusterRoleSelectors");
        Self {
            rules: Rule::list(object.get("rules")).into(),
            all: None,
            labels: labels
                .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
                .collect(),
            gathers: selectors
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(selector)
                .collect(),
        }
    }

    pub(super) fn rules(&self) -> &[Rule] {
        self.all.as_ref().unwrap_or(&self.rules)
    }

    fn takes(&self, other: &Self) -> bool {
        self.gathers.iter().any(|selector| selector.matches(&other.labels))
    }
}

/// Puts `role` in place of what has the name, and gathers anew where that matters.
pub(super) fn replace(
    roles: &mut BTreeMap<String, ClusterRole>,
    name: &str,
    role: Option<ClusterRole>,
) {
    let (is_gatherer, is_gathered) = {
        let gathered = |role: &ClusterRole| roles.values().any(|other| other.takes(role));
        let old = roles.get(name);
        let both = || old.into_iter().chain(&role);
        (both().any(|role| !role.gathers.is_empty()), both().any(gathered))
    };
    match role {
        Some(role) => roles.insert(name.to_owned(), role),
        None => roles.remove(name),
    };
    if is_gatherer || is_gathered {
        gather(roles);
    }
}

/// Sets what the gathering roles have in all.
fn gather(roles: &mut BTreeMap<String, ClusterRole>) {
    let gatherers: Vec<&String> =
        roles.iter().filter(|(_, role)| !role.gathers.is_empty()).map(|(name, _)| name).collect();
    let mut gathered: Vec<(String, Arc<[Rule]>)> = Vec::new();
    for name in gatherers {
        // What is reached from here; a role that gathers itself is reached once.
        let mut reached = vec![name];
        let mut next = 0;
        while let Some(role) = reached.get(next).and_then(|name| roles.get(*name)) {
            next += 1;
            if role.gathers.is_empty() {
                continue;
            }
            for (other_name, other) in roles.iter() {
                if role.takes(other) && !reached.contains(&other_name) {
                    reached.push(other_name);
                }
            }
        }
        let mut rules: Vec<Rule> = Vec::new();
        for role in reached.iter().filter_map(|name| roles.get(*name)) {
            for rule in role.rules.iter() {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
        gathered.push((name.clone(), rules.into()));
    }
    for (name, rules) in gathered {
        if let Some(role) = roles.get_mut(&name) {
            role.all = Some(rules);
        }
    }
}

/// A label selector of an object; `None` where it cannot be read.
fn selector(value: &Value) -> Option<LabelSelector> {
    let text = |value: &'_ Value, key: &str| -> Option<String> {
        Some(value.get(key)?.as_str()?.to_owned())
    };
    let labels = value.get("matchLabels").and_then(Value::as_object);
    let labels = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| LabelRequirement::new(key, LabelOperator::In, value.as_str()).ok());
    let expressions = value.get("matchExpressions").and_then(Value::as_array);
    let expressions = expressions.into_iter().flatten().map(|expression| {
        let operator = match text(expression, "operator")?.as_str() {
            "In" => LabelOperator::In,
            "NotIn" => LabelOperator::NotIn,
            "Exists" => LabelOperator::Exists,
            "DoesNotExist" => LabelOperator::DoesNotExist,
            _ => return None,
        };
        let values = expression.get("values").and_then(Value::as_array);
        let values = values.into_iter().flatten().filter_map(Value::as_str);
        LabelRequirement::new(&text(expression, "key")?, operator, values).ok()
    });
    let requirements: Option<Vec<LabelRequirement>> = labels.chain(expressions).collect();
    Some(LabelSelector::from_requirements(requirements?))
}
