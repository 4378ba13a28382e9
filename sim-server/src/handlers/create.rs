//! POST of a new object.

use serde_json::Value;
use sim_api::{
    admission::{self, Operation},
    encode,
    list_options::CreateOptions,
    meta,
    resources::Resource,
    status::Status,
    strict,
};
use sim_store::StoreError;

use super::write;
use crate::{
    cluster::View,
    flow::config,
    pipeline::{reply::Reply, request::Call},
    services::Held,
};

pub(crate) async fn run(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let options = CreateOptions::parse(&call.query)?;
    let body = write::body(call, resource).await?;
    let warnings = strict::creation_warnings(resource, &body);
    warnings.iter().for_each(|warning| call.warn(warning));
    store(call, resource, &body, options.dry_run)
}

/// Stores a new object; also what PUT does to a name that is free, where the resource allows.
pub(super) fn store(
    call: &Call,
    resource: &Resource,
    body: &Value,
    dry_run: bool,
) -> Result<Reply, Status> {
    with(call, resource, body, dry_run, false)
}

/// Stores what an apply made out of nothing.
pub(super) fn applied(
    call: &Call,
    resource: &Resource,
    object: &Value,
    dry_run: bool,
) -> Result<Reply, Status> {
    with(call, resource, object, dry_run, true)
}

fn with(
    call: &Call,
    resource: &Resource,
    body: &Value,
    dry_run: bool,
    is_applied: bool,
) -> Result<Reply, Status> {
    let body = &write::read(call, resource, body.clone(), None)?;
    let namespace = call.info.namespace.clone();
    let generated = meta::generate_name(body).is_some();
    let shelf = call.app.shelf(resource);
    for attempt in 1.. {
        let context = call.write_context();
        let cluster = View(&call.app);
        let mut held = Held::default();
        let mut admit = |object: &mut Value| {
            write::check_namespace(call, resource, meta::name(object))?;
            admission::on_create(resource, object, &cluster)?;
            held = Held::allocate(&call.app, resource, None, object)?;
            Ok(())
        };
        let value = meta::prepare_admitted_create(
            resource,
            &namespace,
            body.clone(),
            &context,
            is_applied,
            &mut admit,
        )?;
        let value = config::check(resource, value)?;
        write::check_escalation(call, resource, None, &value)?;
        let name = meta::name(&value).to_owned();
        if dry_run {
            let key = resource.key(&namespace, &name);
            if shelf.collection.get(&key).is_some() {
                return Err(Status::already_exists(&resource.group, &resource.plural, &name));
            }
            write::admit(call, resource, None, &value, true)?;
            write::warn(call, resource, Operation::Create, &value);
            return write::dry_run(call, resource, 201, &value);
        }
        write::admit(call, resource, None, &value, false)?;
        let draft = encode::draft(resource, &value)?;
        match shelf.create(&call.app.store, draft, call.app.clock.now()) {
            Ok(object) => {
                held.keep(&value);
                write::took_effect(call, resource);
                write::warn(call, resource, Operation::Create, &value);
                return write::reply(call, resource, 201, &object);
            }
            // Source: RetryGenerateName, up to 8 tries.
            Err(StoreError::AlreadyExists { .. }) if generated && attempt < 8 => {}
            Err(error) => return Err(taken(call, resource, &name, &error)),
        }
    }
    Err(Status::internal("no name was generated"))
}

/// Why the store refused: the name may be held by an object that is being deleted.
fn taken(call: &Call, resource: &Resource, name: &str, error: &StoreError) -> Status {
    let key = resource.key(&call.info.namespace, name);
    let holder = call.app.shelf(resource).collection.get(&key);
    let holder = holder.and_then(|object| encode::decode(resource, &object).ok());
    let deleted = holder.is_some_and(|o| o.pointer("/metadata/deletionTimestamp").is_some());
    if deleted {
        return Status::already_exists_terminating(&resource.group, &resource.plural, name);
    }
    write::status(resource, name, error)
}
