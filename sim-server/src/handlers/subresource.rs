//! `…/NAME/SUBRESOURCE`.

mod connect;
mod eviction;
mod scale;

use serde_json::Value;
use sim_api::{
    encode,
    list_options::{CreateOptions, UpdateOptions},
    meta,
    resources::Resource,
    status::Status,
    subresource::binding,
};

use super::{
    get, patch, update,
    write::{self, Stored},
};
use crate::pipeline::{reply::Reply, request::Call};

pub(crate) async fn run(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let name = call.info.subresource.clone();
    let Some(subresource) = resource.subresource(&name) else {
        return super::paths::unknown_resource(call);
    };
    let verb = call.info.verb;
    if !subresource.has_verb(verb) {
        return Err(Status::method_not_allowed());
    }
    match (name.as_str(), verb) {
        ("scale", _) => scale::run(call, resource).await,
        ("binding", "create") => bind(call).await,
        ("eviction", "create") => eviction::run(call, resource).await,
        ("log" | "exec" | "attach" | "portforward" | "proxy", _) => connect::run(call, resource),
        ("status" | "ephemeralcontainers" | "resize" | "approval", "get") => {
            get::run(call, resource)
        }
        ("status" | "ephemeralcontainers" | "resize" | "approval", "update") => {
            update::run(call, resource).await
        }
        ("status" | "ephemeralcontainers" | "resize" | "approval", "patch") => {
            patch::run(call, resource).await
        }
        ("finalize", "update") if resource.plural == "namespaces" => finalize(call, resource).await,
        _ => Err(Status::not_implemented(&format!(
            "the {name} subresource of {} is not emulated by apisim yet",
            resource.group_resource()
        ))),
    }
}

/// PUT of a namespace's spec.finalizers.
async fn finalize(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let options = UpdateOptions::parse(&call.query)?;
    let body = write::body(call, resource).await?;
    update::apply(call, resource, options.dry_run, &mut |_| Ok(body.clone()))
}

/// POST of a Binding, to a pod's `binding` or to `bindings`.
pub(crate) async fn bind(call: &mut Call) -> Result<Reply, Status> {
    let options = CreateOptions::parse(&call.query)?;
    let app = std::sync::Arc::clone(&call.app);
    let (Some(pods), Some(bindings)) =
        (app.table.lookup("", "v1", "pods"), app.table.lookup("", "v1", "bindings"))
    else {
        return super::paths::unknown_resource(call);
    };
    let body = write::body(call, bindings).await?;
    let asked = if call.info.name.is_empty() { meta::name(&body) } else { &call.info.name };
    let of = if call.info.name.is_empty() { bindings } else { pods };
    write::check_namespace(call, of, asked)?;
    binding::check(&body, &call.info.name)?;
    meta::name(&body).clone_into(&mut call.info.name);
    let now = call.app.clock.wall();
    change(call, pods, options.dry_run, |pod| binding::bind(pods, pod, &body, now))?;
    Ok(Reply::status(&Status::created(), call))
}

/// Changes the stored object of the request, past the rules for updates.
fn change(
    call: &Call,
    resource: &Resource,
    dry_run: bool,
    make: impl Fn(&Value) -> Result<Value, Status>,
) -> Result<(), Status> {
    let shelf = call.app.shelf(resource);
    for _ in 0..write::TRIES {
        let before = write::current(call, &shelf, resource)?;
        let value = make(&encode::decode(resource, &before)?)?;
        if dry_run {
            return Ok(());
        }
        match write::replace(call, &shelf, resource, &before, &value)? {
            Stored::Kept(_) | Stored::Removed(_) => return Ok(()),
            Stored::Conflict => {}
        }
    }
    Err(Status::modified(&resource.group, &resource.plural, &call.info.name))
}
