//! The admission plugins that change or refuse what is written: LimitRanger, Priority,
//! ResourceQuota, and those of the classes.
//!
//! They look at other objects, through [`Cluster`]; what they decide is a pure function of what
//! they see. NamespaceLifecycle is asked by the caller, DefaultTolerationSeconds and
//! StorageObjectInUseProtection need nothing but the object and are in [`crate::meta`].
//!
//! Source: k8s.io/kubernetes `plugin/pkg/admission`, k8s.io/apiserver
//! `pkg/admission/plugin/resourcequota` (release-1.33).

mod amount;
mod classes;
mod limits;
mod priority;
pub mod quota;
mod webhooks;

use serde_json::Value;

pub use self::webhooks::{Operation, uncalled};
use crate::{Resource, Status, status::Result};

/// The objects that admission looks at.
pub trait Cluster {
    /// An object, whole; `namespace` is empty for a cluster-scoped resource.
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value>;

    /// All objects of a resource, in a namespace or, where that is empty, in all.
    fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Value>;
}

/// What plugins put into an object that is created, before its kind's strategy and validation
/// see it.
///
/// # Errors
///
/// 403 with what the plugin has against it.
pub fn on_create(resource: &Resource, object: &mut Value, cluster: &dyn Cluster) -> Result<()> {
    limits::on_create(resource, object, cluster);
    priority::on_create(resource, object, cluster)?;
    classes::on_create(resource, object, cluster)
}

/// What plugins put into an object that replaces another, through a subresource or, where that is
/// empty, as a whole.
pub fn on_update(resource: &Resource, subresource: &str, old: &Value, object: &mut Value) {
    priority::on_update(resource, subresource, old, object);
}

/// What plugins say of an object that is valid, before it is created.
///
/// # Errors
///
/// 403 with what the plugin has against it.
pub fn check_create(resource: &Resource, object: &Value, cluster: &dyn Cluster) -> Result<()> {
    limits::check_create(resource, object, cluster)?;
    priority::check(resource, object, false, cluster)
}

/// What plugins say of an object that is valid, before it replaces another.
///
/// # Errors
///
/// 403 with what the plugin has against it.
pub fn check_update(
    resource: &Resource,
    subresource: &str,
    old: &Value,
    object: &Value,
    cluster: &dyn Cluster,
) -> Result<()> {
    limits::check_update(resource, subresource, object, cluster)?;
    if !subresource.is_empty() {
        return Ok(());
    }
    priority::check(resource, object, true, cluster)?;
    classes::check_resize(resource, old, object, cluster)
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
