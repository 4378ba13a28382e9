//! What the real server's own controllers do, done at once: after a write, before its answer.
//!
//! The rules are in `sim_api::crd` and `sim_api::aggregation`; here is when they are asked and
//! what is stored.

mod definitions;

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use bytes::Bytes;
use dashmap::DashMap;
use sim_api::{
    crd,
    resources::{Resource, ResourceTable},
};

use self::definitions::Known;
use crate::app::App;

/// Everything that is served at one time: the built-in resources and the custom ones.
pub(crate) struct Served {
    pub(crate) table: ResourceTable,
    /// Documents that are made once, by path. Only paths that exist are in it.
    pub(crate) documents: DashMap<String, Bytes>,
}

impl Served {
    fn new(table: ResourceTable) -> Self {
        Self { table, documents: DashMap::new() }
    }
}

/// What comes and goes while the server runs.
pub(crate) struct Extension {
    served: ArcSwap<Served>,
    /// One change of definitions at a time; holds what the last one made.
    definitions: Mutex<Known>,
}

impl Extension {
    /// Only the built-in resources.
    pub(crate) fn new(table: &ResourceTable) -> Self {
        Self {
            served: ArcSwap::from_pointee(Served::new(table.clone())),
            definitions: Mutex::default(),
        }
    }

    pub(crate) fn served(&self) -> Arc<Served> {
        self.served.load_full()
    }
}

/// Lets a write take effect before the client hears of it.
pub(crate) fn after_write(app: &App, resource: &Resource) {
    if crd::is_definitions(resource)
        || resource.custom.as_ref().is_some_and(|custom| custom.is_terminating)
    {
        definitions::sync(app);
    }
}

/// Lets all that was loaded take effect.
pub(crate) fn after_load(app: &App) {
    definitions::sync(app);
}
