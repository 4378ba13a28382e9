//! What the real server's own controllers do, done at once: after a write, before its answer.
//!
//! The rules are in `sim_api::crd` and `sim_api::aggregation`; here is when they are asked and
//! what is stored.

mod api_services;
mod definitions;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use dashmap::DashMap;
use serde_json::Value;
use sim_api::{
    aggregation, crd, encode, metrics_api,
    resources::{self, Resource, ResourceTable},
};
use sim_store::Object;

use self::{api_services::Registered, definitions::Known};
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
    /// What the definitions serve.
    custom: Mutex<Vec<Arc<Resource>>>,
    /// What APIServices register; one change at a time.
    registered: Mutex<Registered>,
    /// So that the last to serve has seen the last change.
    serving: Mutex<()>,
}

impl Extension {
    /// Only the built-in resources.
    pub(crate) fn new(table: &ResourceTable) -> Self {
        Self {
            served: ArcSwap::from_pointee(Served::new(table.clone())),
            definitions: Mutex::default(),
            custom: Mutex::default(),
            registered: Mutex::default(),
            serving: Mutex::default(),
        }
    }

    pub(crate) fn served(&self) -> Arc<Served> {
        self.served.load_full()
    }

    /// Whether an APIService refers to a Service.
    fn has_remote(&self) -> bool {
        let registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        registered.has_metrics || !registered.unavailable.is_empty()
    }
}

/// Lets a write take effect before the client hears of it.
pub(crate) fn after_write(app: &App, resource: &Resource) {
    if crd::is_definitions(resource)
        || resource.custom.as_ref().is_some_and(|custom| custom.is_terminating)
    {
        definitions::sync(app);
    }
    let is_backend = resource.is("", "services") || resource.is("", "endpoints");
    if aggregation::is_services(resource) || (is_backend && app.extension.has_remote()) {
        api_services::sync(app);
    }
}

/// Registers what is served from the start.
pub(crate) fn at_start(app: &App) {
    api_services::at_start(app);
}

/// Lets all that was loaded take effect.
pub(crate) fn after_load(app: &App) {
    definitions::sync(app);
    api_services::sync(app);
}

/// Serves what definitions and APIServices say now.
fn serve(app: &App) {
    let extension = &app.extension;
    let _turn = extension.serving.lock().unwrap_or_else(PoisonError::into_inner);
    let mut custom = extension.custom.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let registered = extension.registered.lock().unwrap_or_else(PoisonError::into_inner).clone();
    custom.sort_by(|a, b| resources::custom_order(a, b));
    if registered.has_metrics {
        // Its priority is the least.
        custom.extend(metrics_api::resources());
    }
    let table = app.table.with_custom(custom).with_unavailable(&registered.unavailable);
    extension.served.store(Arc::new(Served::new(table)));
}

/// Every object of a resource, as it is stored.
fn stored(app: &App, resource: &Resource) -> Vec<Arc<Object>> {
    let (snapshot, _) = app.store.snapshot(&app.shelf(resource).collection);
    let mut cursor = snapshot.cursor("");
    let mut objects = Vec::new();
    let mut before = None;
    while before != Some(objects.len()) {
        before = Some(objects.len());
        cursor.next_batch(BATCH, &mut objects);
    }
    objects
}

/// Every object of a resource.
pub(crate) fn objects(app: &App, resource: &Resource) -> Vec<(Arc<Object>, Value)> {
    stored(app, resource)
        .into_iter()
        .filter_map(|object| {
            let value = encode::decode(resource, &object).ok()?;
            Some((object, value))
        })
        .collect()
}

/// Objects taken at a time.
const BATCH: usize = 256;
