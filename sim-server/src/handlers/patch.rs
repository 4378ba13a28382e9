//! PATCH: JSON patch and merge patch.

use sim_api::{list_options::PatchOptions, patch::Patch, resources::Resource, status::Status};

use super::update;
use crate::pipeline::{reply::Reply, request::Call};

pub(crate) async fn run(call: &mut Call, resource: &Resource) -> Result<Reply, Status> {
    let options = PatchOptions::parse(&call.query)?;
    let content_type = call.header("content-type").to_owned();
    let body = call.read_body().await?;
    let patch = Patch::parse(&content_type, &body, resource)?;
    update::apply(call, resource, options.dry_run, &mut |old| patch.apply(resource, old))
}
