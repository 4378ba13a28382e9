//! What the writing handlers share.

use std::sync::Arc;

use serde_json::Value;
use sim_api::{
    admission::{self, Operation, quota},
    encode,
    list_options::FieldValidation,
    media_type,
    resources::Resource,
    status::Status,
    strict,
};
use sim_store::{Object, StoreError};

use super::get::{object_reply, value_reply};
use crate::{
    authorizer,
    cluster::View,
    controllers,
    flow::config,
    pipeline::{reply::Reply, request::Call},
    services,
    shelf::Shelf,
};

/// Reads and decodes the body.
pub(super) async fn body(call: &mut Call, resource: &Resource) -> Result<Value, Status> {
    let content_type = call.header("content-type").to_owned();
    let body = call.read_body().await?;
    let object =
        media_type::decode_object(call.app.config.release, &content_type, &body, resource)?;
    let validation = FieldValidation::of(&call.query);
    let warnings = strict::check_body(resource, validation, &content_type, &body, &object)?;
    warnings.iter().for_each(|warning| call.warn(warning));
    Ok(object)
}

/// What a client has made of an object, as its definition reads it where it is a custom one.
pub(super) fn read(
    call: &Call,
    resource: &Resource,
    object: Value,
    old: Option<&Value>,
) -> Result<Value, Status> {
    let Some(custom) = &resource.custom else { return Ok(object) };
    let validation = FieldValidation::of(&call.query);
    let is_patch = call.info.verb == "patch";
    let (object, warnings) = custom.read(resource, object, old, validation, is_patch)?;
    warnings.iter().for_each(|warning| call.warn(warning));
    Ok(object)
}

/// Refuses a role or binding that gives away what its writer has not.
pub(super) fn check_escalation(
    call: &Call,
    resource: &Resource,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), Status> {
    let (user, namespace) = (call.user(), &call.info.namespace);
    authorizer::check_escalation(&call.app, &user, resource, namespace, old, new)
}

/// Refuses what the namespace's life forbids: one that is missing or going away.
///
/// Source: the NamespaceLifecycle admission plugin.
pub(super) fn check_namespace(call: &Call, resource: &Resource, name: &str) -> Result<(), Status> {
    if !resource.namespaced {
        return Ok(());
    }
    let namespace = &call.info.namespace;
    let Some(namespaces) = call.app.table.lookup("", "v1", "namespaces") else { return Ok(()) };
    match call.app.shelf(namespaces).collection.get(namespace) {
        None => Err(Status::not_found("", "namespaces", namespace)),
        Some(object) if object.fields().get("status.phase") == Some("Terminating") => {
            Err(Status::namespace_terminating(&resource.group, &resource.plural, name, namespace))
        }
        Some(_) => Ok(()),
    }
}

/// The object that a write begins from.
pub(super) fn current(
    call: &Call,
    shelf: &Shelf,
    resource: &Resource,
) -> Result<Arc<Object>, Status> {
    let key = resource.key(&call.info.namespace, &call.info.name);
    shelf.collection.get(&key).ok_or_else(|| super::get::missing(call, resource))
}

/// What became of a changed object.
pub(super) enum Stored {
    Kept(Arc<Object>),
    /// The change took the last finalizer away, so the object is gone.
    Removed(Arc<Object>),
    /// Somebody else was faster.
    Conflict,
}

/// Stores `value` over `before`, or removes it where nothing holds it any longer.
pub(super) fn replace(
    call: &Call,
    shelf: &Shelf,
    resource: &Resource,
    before: &Object,
    value: &Value,
) -> Result<Stored, Status> {
    if !sim_api::meta::is_released(value) {
        let stored = store(call, shelf, resource, before, value)?;
        return Ok(stored.map_or(Stored::Conflict, Stored::Kept));
    }
    let (app, expected) = (&call.app, Some(before.revision()));
    match shelf.delete(&app.store, before.key(), expected, app.clock.now()) {
        Ok(object) => {
            removed(call, resource, &object);
            // Recorded: the answer is what was asked for, at the version that was there.
            let last = encode::draft(resource, value)?.at_revision(before.revision());
            Ok(Stored::Removed(Arc::new(last)))
        }
        Err(StoreError::Conflict { .. }) => Ok(Stored::Conflict),
        Err(error) => Err(status(resource, before.name(), &error)),
    }
}

/// Stores `value` over `before`; `None` when somebody else was faster.
pub(super) fn store(
    call: &Call,
    shelf: &Shelf,
    resource: &Resource,
    before: &Object,
    value: &Value,
) -> Result<Option<Arc<Object>>, Status> {
    let draft = encode::draft(resource, value)?;
    let (app, expected) = (&call.app, Some(before.revision()));
    match shelf.update(&app.store, draft, expected, app.clock.now()) {
        Ok(updated) => Ok(Some(updated.object)),
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(status(resource, before.name(), &error)),
    }
}

/// Lets go of what a removed object held.
pub(super) fn removed(call: &Call, resource: &Resource, object: &Object) {
    services::release(&call.app, resource, object);
}

/// Asks the plugins that only look, and charges the namespace's quotas for what is about to be
/// stored; in a dry run only asks them too.
pub(super) fn admit(
    call: &Call,
    resource: &Resource,
    old: Option<&Value>,
    value: &Value,
    dry_run: bool,
) -> Result<(), Status> {
    let app = &call.app;
    match old {
        None => admission::check_create(resource, value, &View(app))?,
        Some(old) => {
            let part = &call.info.subresource;
            admission::check_update(resource, part, old, value, &View(app))?;
        }
    }
    if !resource.namespaced {
        return Ok(());
    }
    let Some(quotas) = app.table.lookup("", "v1", "resourcequotas") else { return Ok(()) };
    let mut done: Vec<String> = Vec::new();
    'again: for _ in 0..TRIES {
        let (part, now) = (&call.info.subresource, app.clock.wall());
        let charged = quota::charge(resource, part, old, value, &View(app), now)?;
        if dry_run {
            return Ok(());
        }
        let shelf = app.shelf(quotas);
        for quota in charged {
            let name = sim_api::meta::name(&quota);
            if done.iter().any(|known| known == name) {
                continue;
            }
            let expected = sim_api::meta::expected_revision(&quota)?;
            let draft = encode::draft(quotas, &quota)?;
            if shelf.update(&app.store, draft, expected, app.clock.now()).is_err() {
                // Somebody else charged it meanwhile, or it is gone.
                continue 'again;
            }
            done.push(name.to_owned());
        }
        return Ok(());
    }
    let name = sim_api::meta::name(value);
    Err(Status::modified(&resource.group, &resource.plural, name))
}

/// Warns of each admission webhook that would have been called.
pub(super) fn warn(call: &Call, resource: &Resource, operation: Operation, value: &Value) {
    let part = &call.info.subresource;
    for warning in admission::uncalled(resource, part, operation, value, &View(&call.app)) {
        call.warn(&warning);
    }
}

/// Lets a change of flow control's objects take effect before the client hears of it.
pub(super) fn took_effect(call: &Call, resource: &Resource) {
    if config::concerns(resource) {
        config::feed(&call.app);
    }
    controllers::after_write(&call.app, resource);
}

/// A store error as the API says it.
pub(super) fn status(resource: &Resource, name: &str, error: &StoreError) -> Status {
    match error {
        StoreError::AlreadyExists { .. } => {
            Status::already_exists(&resource.group, &resource.plural, name)
        }
        StoreError::NotFound { .. } => Status::not_found(&resource.group, &resource.plural, name),
        StoreError::Conflict { .. } => Status::modified(&resource.group, &resource.plural, name),
        StoreError::Expired { .. } => Status::list_expired(),
        StoreError::Future { requested, current } => {
            Status::too_large_resource_version(*requested, *current)
        }
    }
}

/// The answer to a write: the object as stored, or, for a dry run, as it would be.
pub(super) fn reply(
    call: &Call,
    resource: &Resource,
    code: u16,
    object: &Arc<Object>,
) -> Result<Reply, Status> {
    object_reply(call, resource, code, object)
}

/// The answer to a dry run.
pub(super) fn dry_run(
    call: &Call,
    resource: &Resource,
    code: u16,
    value: &Value,
) -> Result<Reply, Status> {
    value_reply(call, resource, code, value)
}

/// How often a change is tried again when others change the same object.
/// Source: `GuaranteedUpdate` tries until the deadline; 1,000 is beyond any that got there.
pub(super) const TRIES: usize = 1_000;
