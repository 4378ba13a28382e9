//! The cluster IPs and node ports that Services hold.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sim_api::{
    encode,
    resources::Resource,
    service::{self, Allocators, Changes},
    status::Status,
};
use sim_store::Object;

use crate::app::App;

/// What is taken.
pub(crate) struct Services(Mutex<Allocators>);

/// What a Service that is not stored yet has taken; given back unless it is kept.
#[derive(Default)]
pub(crate) struct Held<'a>(Option<(&'a Services, Changes)>);

impl Services {
    pub(crate) fn new(allocators: Allocators) -> Self {
        Self(Mutex::new(allocators))
    }

    fn lock(&self) -> MutexGuard<'_, Allocators> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what every stored Service has.
    pub(crate) fn adopt_all(&self, app: &App) {
        let Some(resource) = app.table.lookup("", "v1", "services") else { return };
        let mut allocators = self.lock();
        for object in app.shelf(resource).collection.head().range("") {
            if let Ok(service) = encode::decode(resource, object) {
                allocators.adopt(&service);
            }
        }
    }

    /// Gives back what a removed object had, if it is a Service.
    pub(crate) fn release(&self, resource: &Resource, object: &Object) {
        if service::concerns(resource)
            && let Ok(service) = encode::decode(resource, object)
        {
            self.lock().release(&service);
        }
    }
}

impl<'a> Held<'a> {
    /// Fills in what a Service leaves to the cluster; `old` is what it replaces.
    pub(crate) fn allocate(
        app: &'a App,
        resource: &Resource,
        old: Option<&Value>,
        service: &mut Value,
    ) -> Result<Self, Status> {
        if !service::concerns(resource) {
            return Ok(Self::default());
        }
        let mut draw = |below: u64| app.random_below(below);
        let mut allocators = app.services.lock();
        let changes = match old {
            None => allocators.create(service, &mut draw)?,
            Some(old) => allocators.update(old, service, &mut draw)?,
        };
        Ok(Self(Some((&app.services, changes))))
    }

    /// The Service is stored.
    pub(crate) fn keep(mut self) {
        if let Some((services, changes)) = self.0.take() {
            services.lock().commit(&changes);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some((services, changes)) = self.0.take() {
            services.lock().revert(&changes);
        }
    }
}
