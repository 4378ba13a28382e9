//! Admission webhooks are not called. A request that one would have seen is told so.
//!
//! Source of the matching: k8s.io/apiserver `pkg/admission/plugin/webhook/predicates`.

use serde_json::Value;
use sim_store::{LabelSelector, StrMap};

use super::Cluster;
use crate::{Resource, meta, table::selector_text};

/// What a request does to an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// A pod's exec and the like.
    Connect,
    /// POST, or the first PUT or apply.
    Create,
    /// DELETE.
    Delete,
    /// PUT and PATCH.
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Create => "CREATE",
            Self::Delete => "DELETE",
            Self::Update => "UPDATE",
        }
    }
}

/// One sentence for each webhook that the request matches.
pub fn uncalled(
    resource: &Resource,
    subresource: &str,
    operation: Operation,
    object: &Value,
    cluster: &dyn Cluster,
) -> Vec<String> {
    // Webhooks never see the objects that configure them.
    if resource.group == GROUP && resource.plural.ends_with("webhookconfigurations") {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    for (plural, what) in [
        ("mutatingwebhookconfigurations", "mutating"),
        ("validatingwebhookconfigurations", "validating"),
    ] {
        for configuration in cluster.list(GROUP, plural, "") {
            let webhooks = configuration.get("webhooks").and_then(Value::as_array);
            for webhook in webhooks.into_iter().flatten() {
                let asked = Asked { resource, subresource, operation, object, cluster };
                if asked.matches(webhook) {
                    let name = webhook.get("name").and_then(Value::as_str).unwrap_or_default();
                    warnings.push(format!(
                        "apisim does not call admission webhooks: {what} webhook {name} of {} was \
                         not called",
                        meta::name(&configuration)
                    ));
                }
            }
        }
    }
    warnings
}

struct Asked<'a> {
    resource: &'a Resource,
    subresource: &'a str,
    operation: Operation,
    object: &'a Value,
    cluster: &'a dyn Cluster,
}

impl Asked<'_> {
    fn matches(&self, webhook: &Value) -> bool {
        let rules = webhook.get("rules").and_then(Value::as_array);
        rules.into_iter().flatten().any(|rule| self.is_in(rule))
            && selects(webhook.get("objectSelector"), self.object)
            && self.is_in_namespace(webhook)
    }

    fn is_in(&self, rule: &Value) -> bool {
        let names = |key: &str| {
            rule.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        };
        let has = |key: &str, wanted: &str| names(key).any(|name| name == "*" || name == wanted);
        let scope = rule.get("scope").and_then(Value::as_str).unwrap_or("*");
        let in_scope = match scope {
            "Namespaced" => self.resource.namespaced,
            "Cluster" => !self.resource.namespaced,
            _ => true,
        };
        let (resource, subresource) = (&*self.resource.plural, self.subresource);
        let is_named = names("resources").any(|pattern| {
            let (name, part) = pattern.split_once('/').unwrap_or((pattern, ""));
            (name == "*" || name == resource) && (part == "*" || part == subresource)
        });
        in_scope
            && is_named
            && has("operations", self.operation.as_str())
            && has("apiGroups", &self.resource.group)
            && has("apiVersions", &self.resource.version)
    }

    /// A namespace is judged by its own labels, another cluster-scoped object not at all.
    fn is_in_namespace(&self, webhook: &Value) -> bool {
        let selector = webhook.get("namespaceSelector");
        if self.resource.is("", "namespaces") {
            return selects(selector, self.object);
        }
        if !self.resource.namespaced {
            return true;
        }
        let namespace = self.cluster.get("", "namespaces", "", meta::namespace(self.object));
        namespace.is_some_and(|namespace| selects(selector, &namespace))
    }
}

/// A selector that is missing or empty selects everything.
fn selects(selector: Option<&Value>, object: &Value) -> bool {
    let Some(selector) = selector.filter(|selector| !selector.is_null()) else { return true };
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)));
    let labels = StrMap::from_pairs(labels);
    selector_text(selector)
        .and_then(|text| LabelSelector::parse(text.as_ref()).ok())
        .is_some_and(|selector| selector.matches(&labels))
}

const GROUP: &str = "admissionregistration.k8s.io";
