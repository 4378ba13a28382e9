//! APIServices: those of what is served, and whether those of others can be reached.

use std::sync::PoisonError;

use serde_json::Value;
use sim_api::{
    RequestInfo,
    aggregation::{self, Backend, Remote},
    encode,
    meta::{self, WriteContext},
    metrics_api,
    resources::Resource,
};

use crate::app::App;

/// What APIServices say, besides the built-in ones.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Registered {
    /// Versions that nobody answers for.
    pub(super) unavailable: Vec<Remote>,
    /// Whether `metrics.k8s.io` is answered here.
    pub(super) has_metrics: bool,
}

/// Registers what is served from the start.
pub(super) fn at_start(app: &App) {
    let Some(resource) = services(app) else { return };
    for service in aggregation::builtin(&app.table) {
        create(app, resource, service);
    }
    if app.config.metrics_api {
        create(app, resource, metrics_api::service());
        sync(app);
    }
}

/// Registers the versions of custom resources, and forgets those that are gone.
pub(super) fn register_custom(app: &App) {
    let Some(resource) = services(app) else { return };
    let wanted = aggregation::custom(&app.served().table);
    let shelf = app.shelf(resource);
    for service in &wanted {
        if shelf.collection.get(meta::name(service)).is_none() {
            create(app, resource, service.clone());
        }
    }
    for (name, service) in all(app, resource) {
        let is_wanted = wanted.iter().any(|wanted| meta::name(wanted) == name);
        if aggregation::is_of_custom(&service) && !is_wanted {
            // Somebody else may have removed it already.
            let _ = shelf.delete(&app.store, &name, None, app.clock.now());
        }
    }
}

/// Brings the conditions up to date, and tells what is registered.
pub(super) fn sync(app: &App) {
    let Some(resource) = services(app) else { return };
    let extension = &app.extension;
    let mut known = extension.registered.lock().unwrap_or_else(PoisonError::into_inner);
    let mut registered = Registered::default();
    for (name, service) in all(app, resource) {
        let Some(remote) = Remote::of(&service) else { continue };
        let is_metrics = name == metrics_api::SERVICE;
        let refer = |key: &str| {
            let found = service.pointer(&format!("/spec/service/{key}"));
            found.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let place = format!("{}/{}", refer("namespace"), refer("name"));
        let found = find(app, "services", &place);
        let endpoints = find(app, "endpoints", &place);
        let backend = Backend {
            service: found.as_ref(),
            endpoints: endpoints.as_ref(),
            is_played: is_metrics && (found.is_some() || app.config.metrics_api),
        };
        let refreshed = aggregation::refresh(&service, backend, app.clock.wall());
        if let Some(refreshed) = &refreshed {
            put(app, resource, &name, &service, refreshed.clone());
        }
        let is_available = aggregation::is_available(refreshed.as_ref().unwrap_or(&service));
        match is_available {
            true => registered.has_metrics |= is_metrics,
            false => registered.unavailable.push(remote),
        }
    }
    if *known != registered {
        *known = registered;
        drop(known);
        super::serve(app);
    }
}

fn services(app: &App) -> Option<&Resource> {
    app.table.lookup("apiregistration.k8s.io", "v1", "apiservices").map(AsRef::as_ref)
}

fn find(app: &App, plural: &str, key: &str) -> Option<Value> {
    let resource = app.table.lookup("", "v1", plural)?;
    let object = app.shelf(resource).collection.get(key)?;
    encode::decode(resource, &object).ok()
}

fn all(app: &App, resource: &Resource) -> Vec<(String, Value)> {
    super::objects(app, resource)
        .into_iter()
        .map(|(object, value)| (object.name().to_owned(), value))
        .collect()
}

fn context(app: &App) -> WriteContext {
    WriteContext {
        now: app.clock.wall(),
        uid: app.uuid(),
        name_suffix: app.name_suffix(),
        manager: "kube-apiserver".to_owned(),
        release: app.config.release,
    }
}

fn create(app: &App, resource: &Resource, service: Value) {
    if let Ok(value) = meta::prepare_create(resource, "", service, &context(app))
        && let Ok(draft) = encode::draft(resource, &value)
    {
        // Where there is one of that name, it stays.
        let _ = app.shelf(resource).create(&app.store, draft, app.clock.now());
    }
}

fn put(app: &App, resource: &Resource, name: &str, old: &Value, new: Value) {
    let request = RequestInfo {
        name: name.to_owned(),
        subresource: "status".to_owned(),
        ..RequestInfo::default()
    };
    if let Ok(value) = meta::prepare_update(resource, &request, old, new, &context(app))
        && let Ok(draft) = encode::draft(resource, &value)
    {
        // Who writes meanwhile comes by here too.
        let expected = meta::expected_revision(old).ok().flatten();
        let _ = app.shelf(resource).update(&app.store, draft, expected, app.clock.now());
    }
}
