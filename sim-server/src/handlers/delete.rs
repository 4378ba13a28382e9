//! DELETE of an object, and of a collection.

use std::sync::Arc;

use sim_api::{
    admission::Operation,
    encode,
    list_options::{DeleteOptions, ListOptions},
    meta::{self, DeletePlan},
    resources::Resource,
    status::Status,
};
use sim_store::Object;

use super::{
    get,
    write::{self, Stored},
};
use crate::{
    encode::streamed::Items,
    pipeline::{reply::Reply, request::Call},
    shelf::Shelf,
};

pub(crate) async fn run(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let options = options(call).await?;
    let shelf = call.app.shelf(resource);
    let key = resource.key(&call.info.namespace, &call.info.name);
    warn(call, resource, &options);
    if let Some(before) = shelf.collection.get(&key) {
        let object = encode::decode(resource, &before)?;
        write::warn(call, resource, Operation::Delete, &object);
    }
    let outcome = one(call, &shelf, resource, &key, &options)?;
    write::took_effect(call, resource);
    let code = options.code(matches!(outcome, Outcome::Removed(_)));
    match outcome {
        Outcome::Remains(object) => write::reply(call, resource, code, &object),
        Outcome::WouldRemain(value) => write::dry_run(call, resource, code, &value),
        Outcome::Removed(object) if resource.returns_deleted_object() => {
            write::reply(call, resource, code, &object)
        }
        Outcome::Removed(object) => {
            let uid = meta::uid(&encode::decode(resource, &object)?).to_owned();
            let name = object.name();
            let status = Status::deleted(&resource.group, &resource.plural, name, &uid);
            Ok(Reply::status(&status, call))
        }
    }
}

/// What the client should know of this deletion.
fn warn(call: &Call, resource: &Resource, options: &DeleteOptions) {
    if let Some(warning) = options.warning(resource) {
        call.warn(warning);
    }
}

/// DELETE of all objects that match; answers with the list of them.
pub(crate) async fn collection(call: &mut Call, resource: &Arc<Resource>) -> Result<Reply, Status> {
    let wanted = get::wanted(call, resource)?;
    let options = options(call).await?;
    let list = ListOptions::parse(&call.query, resource, &call.app.config.gates)?;
    let shelf = call.app.shelf(resource);
    let (snapshot, revision) = super::list::snapshot(call, resource, &list).await?;
    let (meta, objects) = super::list::page(call, resource, &list, &snapshot, revision);
    warn(call, resource, &options);
    for object in &objects {
        match one(call, &shelf, resource, object.key(), &options) {
            Ok(_) => {}
            // Somebody else deleted it meanwhile.
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
        tokio::task::yield_now().await;
    }
    write::took_effect(call, resource);
    let view = wanted.list(resource, &call.query)?;
    super::list::answer(call, resource, view, &meta, Items::Page(objects.into_iter())).await
}

async fn options(call: &mut Call) -> Result<DeleteOptions, Status> {
    let content_type = call.header("content-type").to_owned();
    let body = call.read_body().await?;
    DeleteOptions::parse(&call.query, &content_type, &body)
}

pub(super) enum Outcome {
    /// Marked for deletion; something still holds it.
    Remains(Arc<Object>),
    WouldRemain(serde_json::Value),
    Removed(Arc<Object>),
}

/// Deletes one object, as often as it takes while others change it.
pub(super) fn one(
    call: &Call,
    shelf: &Shelf,
    resource: &Resource,
    key: &str,
    options: &DeleteOptions,
) -> Result<Outcome, Status> {
    for _ in 0..write::TRIES {
        let Some(before) = shelf.collection.get(key) else {
            let name = key.rsplit('/').next().unwrap_or(key);
            return Err(Status::not_found(&resource.group, &resource.plural, name));
        };
        let old = encode::decode(resource, &before)?;
        let plan = meta::plan_delete(resource, &old, options, &call.write_context())?;
        let dry_run = options.dry_run;
        match plan {
            DeletePlan::Unchanged => return Ok(Outcome::Remains(before)),
            DeletePlan::Update(value) | DeletePlan::UpdateAndRemove(value) if dry_run => {
                return Ok(Outcome::WouldRemain(value));
            }
            DeletePlan::Remove if dry_run => return Ok(Outcome::Removed(before)),
            DeletePlan::Update(value) => {
                match write::replace(call, shelf, resource, &before, &value)? {
                    Stored::Kept(object) => return Ok(Outcome::Remains(object)),
                    Stored::Removed(object) => return Ok(Outcome::Removed(object)),
                    Stored::Conflict => {}
                }
            }
            DeletePlan::UpdateAndRemove(value) => {
                let marked = write::store(call, shelf, resource, &before, &value)?;
                if let Some(marked) = marked
                    && let Some(object) = remove(call, shelf, resource, &marked)?
                {
                    return Ok(Outcome::Removed(object));
                }
            }
            DeletePlan::Remove => {
                if let Some(object) = remove(call, shelf, resource, &before)? {
                    return Ok(Outcome::Removed(object));
                }
            }
        }
    }
    Err(Status::modified(&resource.group, &resource.plural, key))
}

/// Removes a version of an object; `None` when there is a newer one by now.
fn remove(
    call: &Call,
    shelf: &Shelf,
    resource: &Resource,
    before: &Object,
) -> Result<Option<Arc<Object>>, Status> {
    let (app, expected) = (&call.app, Some(before.revision()));
    match shelf.delete(&app.store, before.key(), expected, app.clock.now()) {
        Ok(object) => {
            write::removed(call, resource, &object);
            Ok(Some(object))
        }
        Err(sim_store::StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(write::status(resource, before.name(), &error)),
    }
}
