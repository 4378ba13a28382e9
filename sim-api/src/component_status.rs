//! `componentstatuses`: nothing of it is stored, each GET asks the components how they are.
//!
//! Here there are none but the store, which is well; the others are where nobody listens.
//!
//! Source: k8s.io/kubernetes `pkg/registry/core/componentstatus/rest.go`; recorded of 1.33.2.

use serde_json::{Value, json};
use sim_store::StrMap;

use crate::{Status, list_options::Selection, meta, status::Result};

/// All components that are selected.
#[must_use]
pub fn list(selection: &Selection) -> Vec<Value> {
    let is_selected = |component: &Value| {
        let fields = StrMap::from_pairs([("metadata.name", meta::name(component))]);
        selection.name.as_deref().is_none_or(|name| name == meta::name(component))
            && selection.labels.matches(&StrMap::default())
            && selection.fields.matches(&fields)
    };
    all().into_iter().filter(is_selected).collect()
}

/// One component.
///
/// # Errors
///
/// 500 for one that there is not.
pub fn get(name: &str) -> Result<Value> {
    let found = all().into_iter().find(|component| meta::name(component) == name);
    found.ok_or_else(|| Status::plain_error(format!("Component not found: {name}")))
}

fn all() -> [Value; 3] {
    let refused = |name: &str, port: u16| {
        let message = format!(
            "Get \"https://127.0.0.1:{port}/healthz\": dial tcp 127.0.0.1:{port}: connect: \
             connection refused"
        );
        component(name, "False", &message)
    };
    [
        refused("scheduler", 10_259),
        refused("controller-manager", 10_257),
        component("etcd-0", "True", "ok"),
    ]
}

fn component(name: &str, status: &str, message: &str) -> Value {
    json!({
        "kind": "ComponentStatus",
        "apiVersion": "v1",
        "metadata": {"name": name, "creationTimestamp": null},
        "conditions": [{"type": "Healthy", "status": status, "message": message}],
    })
}
