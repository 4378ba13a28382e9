//! `…/NAME/SUBRESOURCE`.

use sim_api::{list_options::UpdateOptions, resources::Resource, status::Status};

use super::{get, patch, update};
use crate::pipeline::{reply::Reply, request::Call};

pub(crate) async fn run(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let name = call.info.subresource.clone();
    let Some(subresource) = resource.subresource(&name) else {
        return super::paths::unknown_resource(call);
    };
    if !subresource.has_verb(call.info.verb) {
        return Err(Status::method_not_allowed());
    }
    match (name.as_str(), call.info.verb) {
        ("status", "get") => get::run(call, resource),
        ("status", "update") => update::run(call, resource).await,
        ("status", "patch") => patch::run(call, resource).await,
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
    let body = super::write::body(call, resource).await?;
    update::apply(call, resource, options.dry_run, &mut |_| Ok(body.clone()))
}
