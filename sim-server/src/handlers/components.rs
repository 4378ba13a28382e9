//! `componentstatuses`.

use sim_api::{component_status, list_options::ListOptions, resources::Resource, status::Status};

use super::get;
use crate::pipeline::{reply::Reply, request::Call};

pub(crate) fn get(call: &Call, resource: &Resource) -> Result<Reply, Status> {
    let component = component_status::get(&call.info.name)?;
    get::value_reply(call, resource, 200, &component)
}

pub(crate) fn list(call: &Call, resource: &Resource) -> Result<Reply, Status> {
    let wanted = get::wanted(call, resource)?;
    let options = ListOptions::parse(&call.query, resource, &call.app.config.gates)?;
    let components = component_status::list(&options.selection(&call.info));
    let view = wanted.list(resource, &call.query)?;
    let body = view.values(resource, &components, call.app.clock.wall())?;
    Ok(get::whole(call, 200, view.content_type(), body.into()))
}
