//! How many watchers will hear of a mutation.

use std::collections::BTreeMap;

use slab::Slab;

use super::ListOptions;
use crate::RequestInfo;

/// Counts the watches of this server by what they watch.
///
/// A watch of pods on one node is not counted: each pod concerns one such watch only. Other
/// selectors do not matter. Source: `pkg/util/flowcontrol/watch_tracker.go`.
#[derive(Clone, Debug, Default)]
pub struct WatchTracker {
    /// Watches by group, resource, namespace and name.
    counts: BTreeMap<(String, String), BTreeMap<(String, String), u64>>,
    watches: Slab<Option<Watched>>,
}

#[derive(Clone, Debug)]
struct Watched {
    resource: (String, String),
    object: (String, String),
}

/// Name of a registered watch, to forget it by.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct WatchId(usize);

impl WatchTracker {
    /// Notes a watch that begins to be served; `None` if the request is no watch. To be
    /// [forgotten](Self::forget) when it ends.
    pub fn register(&mut self, request: &RequestInfo, query: &str) -> Option<WatchId> {
        if request.verb != "watch" {
            return None;
        }
        let on_one_node = request.resource == "pods"
            && ListOptions::parse(query)
                .and_then(|options| options.required_field("spec.nodeName"))
                .is_some_and(|node| !node.is_empty());
        let watched = (!on_one_node).then(|| Watched {
            resource: (request.resource.clone(), request.api_group.clone()),
            object: (request.namespace.clone(), request.name.clone()),
        });
        if let Some(watched) = &watched {
            let objects = self.counts.entry(watched.resource.clone()).or_default();
            *objects.entry(watched.object.clone()).or_default() += 1;
        }
        Some(WatchId(self.watches.insert(watched)))
    }

    /// Forgets a watch that has ended. Forgetting one twice does nothing.
    pub fn forget(&mut self, id: WatchId) {
        let Some(Some(watched)) = self.watches.try_remove(id.0) else { return };
        let Some(objects) = self.counts.get_mut(&watched.resource) else { return };
        if let Some(count) = objects.get_mut(&watched.object) {
            *count -= 1;
            if *count == 0 {
                objects.remove(&watched.object);
            }
        }
        if objects.is_empty() {
            self.counts.remove(&watched.resource);
        }
    }

    /// Watches that hear of a mutation: those of the whole resource, of its namespace, and of the
    /// object by name. Reading concerns nobody.
    pub fn interested(&self, request: &RequestInfo) -> u64 {
        if matches!(request.verb.as_str(), "get" | "list" | "watch" | "proxy") {
            return 0;
        }
        let resource = (request.resource.clone(), request.api_group.clone());
        let Some(objects) = self.counts.get(&resource) else { return 0 };
        let of = |namespace: &str, name: &str| {
            let object = (namespace.to_owned(), name.to_owned());
            objects.get(&object).copied().unwrap_or(0)
        };
        let (namespace, name) = (request.namespace.as_str(), request.name.as_str());
        let mut count = of("", "");
        if !namespace.is_empty() {
            count += of(namespace, "");
        }
        if !name.is_empty() {
            count += of(namespace, name);
        }
        count
    }
}
