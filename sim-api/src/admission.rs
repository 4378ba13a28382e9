//! The admission plugins that change or refuse what is written: LimitRanger, Priority and
//! ResourceQuota.
//!
//! They look at other objects, through [`Cluster`]; what they decide is a pure function of what
//! they see. NamespaceLifecycle is asked by the caller, DefaultTolerationSeconds and
//! StorageObjectInUseProtection need nothing but the object and are in [`crate::meta`].
//!
//! Source: k8s.io/kubernetes `plugin/pkg/admission`, k8s.io/apiserver
//! `pkg/admission/plugin/resourcequota` (release-1.33).

mod amount;
mod limits;
mod priority;
pub mod quota;
mod webhooks;

use serde_json::Value;

pub use self::webhooks::{Operation, uncalled};
use crate::{Resource, Status, meta, status::Result};

/// The objects that admission looks at.
pub trait Cluster {
    /// An object, whole; `namespace` is empty for a cluster-scoped resource.
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value>;

    /// All objects of a resource, in a namespace or, where that is empty, in all.
    fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Value>;
}

/// Admits an object that is created, before its kind's strategy and validation see it.
///
/// # Errors
///
/// 403 with what the plugin has against it.
pub fn on_create(resource: &Resource, object: &mut Value, cluster: &dyn Cluster) -> Result<()> {
    limits::on_create(resource, object, cluster)?;
    priority::on_create(resource, object, cluster)
}

/// Admits an object that replaces another, through a subresource or, where that is empty, as a
/// whole.
///
/// # Errors
///
/// 403 with what the plugin has against it.
pub fn on_update(
    resource: &Resource,
    subresource: &str,
    old: &Value,
    object: &mut Value,
    cluster: &dyn Cluster,
) -> Result<()> {
    limits::on_update(resource, subresource, meta::namespace(old), object, cluster)?;
    priority::on_update(resource, subresource, old, object, cluster)
}

/// 403 as plugins say it: of an object without a name its generateName is told.
fn forbidden(resource: &Resource, object: &Value, detail: &str) -> Status {
    let text = |key: &str| {
        let metadata = object.get("metadata");
        metadata.and_then(|metadata| metadata.get(key)?.as_str()).unwrap_or_default()
    };
    let name = match (text("name"), text("generateName")) {
        ("", "") => "Unknown",
        ("", base) => base,
        (name, _) => name,
    };
    Status::forbidden(&resource.group, &resource.plural, name, detail)
}

/// Several errors as Go's aggregate prints them: equal ones once.
fn aggregate(mut errors: Vec<String>) -> String {
    let mut seen = Vec::with_capacity(errors.len());
    errors.retain(|error| {
        let is_new = !seen.contains(error);
        seen.push(error.clone());
        is_new
    });
    match errors.as_slice() {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

#[cfg(test)]
mod tests;
