//! `scale`.

use serde_json::Value;
use sim_api::{
    encode,
    list_options::{GetOptions, PatchOptions, UpdateOptions},
    managed_fields::{self, ApplyOptions},
    meta,
    patch::Patch,
    resources::Resource,
    status::Status,
    subresource::scale,
};

use crate::{
    handlers::{
        get::value_reply,
        write::{self, Stored},
    },
    pipeline::{reply::Reply, request::Call},
};

pub(super) async fn run(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let scales = scale::resource();
    let manager = call.write_context().manager;
    let now = call.app.clock.wall();
    match call.info.verb {
        "get" => {
            GetOptions::parse(&call.query)?;
            let shelf = call.app.shelf(resource);
            let object = write::current(call, &shelf, resource)?;
            let value = scale::of(resource, &encode::decode(resource, &object)?);
            value_reply(call, &scales, 200, &value)
        }
        "update" => {
            let options = UpdateOptions::parse(&call.query)?;
            let body = write::body(call, &scales).await?;
            meta::check_applied(resource, &call.info, &body)?;
            put(call, resource, &scales, options.dry_run, &|old| {
                let mut new = meta::filled(&body, old);
                managed_fields::track(&scales, "scale", Some(old), &mut new, &manager, now);
                Ok(new)
            })
        }
        _ => {
            let content_type = call.header("content-type").to_owned();
            let options = PatchOptions::parse_for(&call.query, Patch::is_apply(&content_type))?;
            let body = call.read_body().await?;
            let patch = Patch::parse(&content_type, &body, &scales)?;
            put(call, resource, &scales, options.dry_run, &|old| match &patch {
                Patch::Apply(applied) => {
                    meta::check_applied(resource, &call.info, applied)?;
                    let force = options.force.unwrap_or_default();
                    let options = ApplyOptions { manager: &options.field_manager, force, now };
                    managed_fields::apply(&scales, "scale", Some(old), applied, &options)
                }
                patch => {
                    let mut new = patch.apply(&scales, old)?;
                    managed_fields::track(&scales, "scale", Some(old), &mut new, &manager, now);
                    Ok(new)
                }
            })
        }
    }
}

/// Stores the workload with what `make` makes of its Scale.
fn put(
    call: &Call,
    resource: &Resource,
    scales: &Resource,
    dry_run: bool,
    make: &dyn Fn(&Value) -> Result<Value, Status>,
) -> Result<Reply, Status> {
    let shelf = call.app.shelf(resource);
    for _ in 0..write::TRIES {
        let before = write::current(call, &shelf, resource)?;
        let old = encode::decode(resource, &before)?;
        let new = scale::write(resource, &old, make)?;
        let expected = meta::expected_revision(&new)?;
        if expected.is_some_and(|expected| expected != before.revision()) {
            return Err(Status::modified(&resource.group, &resource.plural, before.name()));
        }
        let new = meta::prepare_applied_update(resource, &call.info, &old, new)?;
        if dry_run {
            return value_reply(call, scales, 200, &scale::of(resource, &new));
        }
        match write::replace(call, &shelf, resource, &before, &new)? {
            Stored::Kept(object) | Stored::Removed(object) => {
                let value = scale::of(resource, &encode::decode(resource, &object)?);
                return value_reply(call, scales, 200, &value);
            }
            Stored::Conflict => {}
        }
    }
    Err(Status::modified(&resource.group, &resource.plural, &call.info.name))
}
