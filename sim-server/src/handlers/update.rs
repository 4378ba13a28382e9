//! PUT: replace an object.

use serde_json::Value;
use sim_api::{
    admission::{self, Operation},
    encode,
    list_options::UpdateOptions,
    meta,
    resources::Resource,
    status::Status,
};

use super::write::{self, Stored};
use crate::{
    flow::config,
    pipeline::{reply::Reply, request::Call},
    services::Held,
};

pub(crate) async fn run(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let options = UpdateOptions::parse(&call.query)?;
    let body = write::body(call, resource).await?;
    let key = resource.key(&call.info.namespace, &call.info.name);
    let found = call.app.shelf(resource).collection.get(&key);
    let is_free = found.is_none();
    let found = found.map(|object| encode::decode(resource, &object)).transpose()?;
    meta::check_uid(resource, &key, &body, found.as_ref())?;
    if is_free && resource.creates_on_update && call.info.subresource.is_empty() {
        return super::create::store(call, resource, &body, options.dry_run);
    }
    apply(call, resource, options.dry_run, &mut |_| Ok(body.clone()))
}

/// Changes an object: `change` makes the new version from the old one, and is called again when
/// somebody else was faster.
pub(super) fn apply(
    call: &Call,
    resource: &Resource,
    dry_run: bool,
    change: &mut dyn FnMut(&Value) -> Result<Value, Status>,
) -> Result<Reply, Status> {
    with(call, resource, dry_run, change, false)
}

/// As [`apply`], for a change that has settled who manages what.
pub(super) fn applied(
    call: &Call,
    resource: &Resource,
    dry_run: bool,
    change: &mut dyn FnMut(&Value) -> Result<Value, Status>,
) -> Result<Reply, Status> {
    with(call, resource, dry_run, change, true)
}

fn with(
    call: &Call,
    resource: &Resource,
    dry_run: bool,
    change: &mut dyn FnMut(&Value) -> Result<Value, Status>,
    is_applied: bool,
) -> Result<Reply, Status> {
    let shelf = call.app.shelf(resource);
    for _ in 0..write::TRIES {
        let before = write::current(call, &shelf, resource)?;
        let old = encode::decode(resource, &before)?;
        let new = write::read(call, resource, change(&old)?, Some(&old))?;
        let expected = meta::expected_revision(&new)?;
        if expected.is_some_and(|expected| expected != before.revision()) {
            return Err(Status::modified(&resource.group, &resource.plural, before.name()));
        }
        let part = call.info.subresource.as_str();
        let mut held = Held::default();
        let mut admit = |object: &mut Value| {
            admission::on_update(resource, part, &old, object);
            if part.is_empty() {
                held = Held::allocate(&call.app, resource, Some(&old), object)?;
            }
            Ok(())
        };
        let context = (!is_applied).then(|| call.write_context());
        let context = context.as_ref();
        let value =
            meta::prepare_admitted_update(resource, &call.info, &old, new, context, &mut admit)?;
        let value = config::check(resource, value)?;
        write::check_escalation(call, resource, Some(&old), &value)?;
        write::admit(call, resource, Some(&old), &value, dry_run)?;
        if dry_run {
            write::warn(call, resource, Operation::Update, &value);
            return write::dry_run(call, resource, 200, &value);
        }
        match write::replace(call, &shelf, resource, &before, &value)? {
            Stored::Kept(object) | Stored::Removed(object) => {
                held.keep(&value);
                write::took_effect(call, resource);
                write::warn(call, resource, Operation::Update, &value);
                return write::reply(call, resource, 200, &object);
            }
            // A client that named a version is told so in the next round.
            Stored::Conflict => {}
        }
    }
    Err(Status::modified(&resource.group, &resource.plural, &call.info.name))
}
