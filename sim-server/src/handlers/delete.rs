//! DELETE of an object, and of a collection.

use std::sync::Arc;

use sim_api::{
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
    let outcome = one(call, &shelf, resource, &key, &options)?;
    write::took_effect(call, resource);
    match outcome {
        Outcome::Remains(object) => write::reply(call, resource, 200, &object),
        Outcome::WouldRemain(value) => write::dry_run(call, resource, 200, &value),
        Outcome::Removed(object) if resource.returns_deleted_object() => {
            write::reply(call, resource, 200, &object)
        }
        Outcome::Removed(object) => {
            let uid = meta::uid(&encode::decode(resource, &object)?).to_owned();
            let name = object.name();
            let status = Status::deleted(&resource.group, &resource.plural, name, &uid);
            Ok(Reply::status(&status, call))
        }
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
            DeletePlan::Update(value) if dry_run => return Ok(Outcome::WouldRemain(value)),
            DeletePlan::Remove if dry_run => return Ok(Outcome::Removed(before)),
            DeletePlan::Update(value) => {
                match write::replace(call, shelf, resource, &before, &value)? {
                    Stored::Kept(object) => return Ok(Outcome::Remains(object)),
                    Stored::Removed(object) => return Ok(Outcome::Removed(object)),
                    Stored::Conflict => {}
                }
            }
            DeletePlan::Remove => {
                let now = call.app.clock.now();
                let expected = Some(before.revision());
                match shelf.delete(&call.app.store, key, expected, now) {
                    // The answer carries the object as it was; the event has the new version.
                    Ok(_) => return Ok(Outcome::Removed(before)),
                    Err(sim_store::StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(write::status(resource, before.name(), &error)),
                }
            }
        }
    }
    Err(Status::modified(&resource.group, &resource.plural, key))
}
