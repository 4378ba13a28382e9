//! The cluster IPs and node ports that Services hold, and the objects that tell of them.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use sim_api::{
    encode, meta,
    meta::WriteContext,
    resources::Resource,
    service::{self, Allocators, Changes, objects},
    status::Status,
    system,
};
use sim_store::Object;

use crate::app::App;

/// What is taken.
pub(crate) struct Services(Mutex<Allocators>);

/// What a Service that is not stored yet has taken; given back unless it is kept.
#[derive(Default)]
pub(crate) struct Held<'a>(Option<(&'a App, Changes)>);

impl Services {
    pub(crate) fn new(allocators: Allocators) -> Self {
        Self(Mutex::new(allocators))
    }

    fn lock(&self) -> MutexGuard<'_, Allocators> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes what every stored Service has, and tells of it.
pub(crate) fn adopt_all(app: &App) {
    put_ranges(app);
    let Some(resource) = app.table.lookup("", "v1", "services") else { return };
    for object in app.shelf(resource).collection.head().range("") {
        if let Ok(service) = encode::decode(resource, object) {
            app.services.lock().adopt(&service);
            for ip in service::addresses(&service) {
                put_address(app, ip, &service);
            }
        }
    }
}

/// Gives back what a removed object had, if it is a Service.
pub(crate) fn release(app: &App, resource: &Resource, object: &Object) {
    if service::concerns(resource)
        && let Ok(service) = encode::decode(resource, object)
    {
        for ip in service::addresses(&service) {
            remove_address(app, ip);
        }
        app.services.lock().release(&service);
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
        Ok(Self(Some((app, changes))))
    }

    /// The Service is stored.
    pub(crate) fn keep(mut self, service: &Value) {
        if let Some((app, changes)) = self.0.take() {
            for ip in changes.taken_addresses() {
                put_address(app, *ip, service);
            }
            for ip in changes.released_addresses() {
                remove_address(app, *ip);
            }
            app.services.lock().commit(&changes);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some((app, changes)) = self.0.take() {
            app.services.lock().revert(&changes);
        }
    }
}

fn put_address(app: &App, ip: IpAddr, service: &Value) {
    put(app, "ipaddresses", &objects::address(ip, meta::namespace(service), meta::name(service)));
}

fn remove_address(app: &App, ip: IpAddr) {
    let Some(resource) = app.table.lookup(objects::GROUP, "v1", "ipaddresses") else { return };
    // Somebody may have removed it by hand.
    let _ = app.shelf(resource).delete(&app.store, &ip.to_string(), None, app.clock.now());
}

fn put_ranges(app: &App) {
    let ranges = &app.config.service_ranges;
    let Some((resource, object)) = put(app, "servicecidrs", &objects::default_ranges(ranges))
    else {
        return;
    };
    let Ok(mut ready) = encode::decode(resource, &object) else { return };
    ready["status"] = objects::ready(&meta::time(app.clock.wall()));
    if let Ok(draft) = encode::draft(resource, &ready) {
        let _ = app.shelf(resource).update(&app.store, draft, None, app.clock.now());
    }
}

/// Stores an object of the server's own, in releases that have such.
fn put<'a>(
    app: &'a App,
    plural: &str,
    object: &Value,
) -> Option<(&'a Resource, std::sync::Arc<Object>)> {
    let resource = app.table.lookup(objects::GROUP, "v1", plural)?;
    let context = WriteContext {
        now: app.clock.wall(),
        uid: app.uuid(),
        name_suffix: app.name_suffix(),
        manager: system::MANAGER.to_owned(),
        release: app.config.release,
    };
    let prepared = system::prepare(resource, object, &context).ok()?;
    let draft = encode::draft(resource, &prepared).ok()?;
    // One that is there already says the same.
    let stored = app.shelf(resource).create(&app.store, draft, app.clock.now()).ok()?;
    Some((resource, stored))
}
