//! The stored objects, as admission sees them.

use serde_json::Value;
use sim_api::{admission::Cluster, encode, resources::Resource};

use crate::app::App;

/// All stored objects.
pub(crate) struct View<'a>(pub(crate) &'a App);

impl View<'_> {
    fn resource(&self, group: &str, plural: &str) -> Option<&Resource> {
        self.0.table.lookup(group, "v1", plural).map(AsRef::as_ref)
    }
}

impl Cluster for View<'_> {
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let resource = self.resource(group, plural)?;
        let object = self.0.shelf(resource).collection.get(&resource.key(namespace, name))?;
        encode::decode(resource, &object).ok()
    }

    fn list(&self, group: &str, plural: &str, namespace: &str) -> Vec<Value> {
        let Some(resource) = self.resource(group, plural) else { return Vec::new() };
        let head = self.0.shelf(resource).collection.head();
        let prefix = resource.key_prefix(namespace);
        head.range(&prefix).filter_map(|object| encode::decode(resource, object).ok()).collect()
    }
}
