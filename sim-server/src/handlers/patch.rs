//! PATCH: JSON patch, merge patch, strategic merge patch and apply.

use serde_json::Value;
use sim_api::{
    list_options::PatchOptions,
    managed_fields::{self, ApplyOptions},
    meta,
    patch::Patch,
    resources::Resource,
    status::Status,
    strict,
};

use super::{create, update};
use crate::pipeline::{reply::Reply, request::Call};

pub(crate) async fn run(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let content_type = call.header("content-type").to_owned();
    let options = PatchOptions::parse_for(&call.query, Patch::is_apply(&content_type))?;
    let body = call.read_body().await?;
    let patch = Patch::parse(&content_type, &body, resource)?;
    match &patch {
        Patch::Apply(applied) => apply(call, resource, &options, applied),
        patch => update::apply(call, resource, options.dry_run, &mut |old| {
            let patched = patch.apply(resource, old)?;
            let validation = options.field_validation;
            let warnings = strict::check_patched(resource, validation, patch, old, &patched)?;
            warnings.iter().for_each(|warning| call.warn(warning));
            Ok(patched)
        }),
    }
}

/// Applies to an object, or creates it.
fn apply(
    call: &Call,
    resource: &Resource,
    options: &PatchOptions,
    applied: &Value,
) -> Result<Reply, Status> {
    let subresource = &call.info.subresource;
    let make = |live: Option<&Value>| {
        meta::check_applied(resource, &call.info, applied)?;
        let options = ApplyOptions {
            manager: &options.field_manager,
            force: options.force.unwrap_or_default(),
            now: call.app.clock.wall(),
        };
        managed_fields::apply(resource, subresource, live, applied, &options)
    };
    let key = resource.key(&call.info.namespace, &call.info.name);
    let is_free = call.app.shelf(resource).collection.get(&key).is_none();
    if is_free && subresource.is_empty() {
        let object = make(None)?;
        return create::applied(call, resource, &object, options.dry_run);
    }
    update::applied(call, resource, options.dry_run, &mut |old| make(Some(old)))
}
