//! What the writing handlers share.

use std::sync::Arc;

use serde_json::Value;
use sim_api::{
    encode, list_options::FieldValidation, media_type, resources::Resource, status::Status,
};
use sim_store::{Object, StoreError};

use super::get::{object_reply, value_reply};
use crate::{
    controllers,
    flow::config,
    pipeline::{reply::Reply, request::Call},
    shelf::Shelf,
};

/// Reads and decodes the body.
pub(super) async fn body(call: &mut Call, resource: &Resource) -> Result<Value, Status> {
    let content_type = call.header("content-type").to_owned();
    let body = call.read_body().await?;
    media_type::decode_object(call.app.config.release, &content_type, &body, resource)
}

/// What a client has made of an object, as its definition reads it where it is a custom one.
pub(super) fn read(call: &Call, resource: &Resource, object: Value) -> Result<Value, Status> {
    let Some(custom) = &resource.custom else { return Ok(object) };
    let validation = FieldValidation::of(&call.query);
    let (object, warnings) = custom.read(resource, object, validation)?;
    warnings.iter().for_each(|warning| call.warn(warning));
    Ok(object)
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
    let store = &call.app.store;
    let now = call.app.clock.now();
    let expected = Some(before.revision());
    let stored = if sim_api::meta::is_released(value) {
        shelf.delete(store, before.key(), expected, now).map(Stored::Removed)
    } else {
        let draft = encode::draft(resource, value)?;
        shelf.update(store, draft, expected, now).map(|updated| Stored::Kept(updated.object))
    };
    match stored {
        Err(StoreError::Conflict { .. }) => Ok(Stored::Conflict),
        Err(error) => Err(status(resource, before.name(), &error)),
        Ok(stored) => Ok(stored),
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
