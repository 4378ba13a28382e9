//! What the real server passes on to a kubelet or a workload.

use sim_api::{
    encode,
    resources::Resource,
    status::Status,
    subresource::connect::{self, Answer},
};

use crate::{
    encode::body::Body,
    handlers::write,
    pipeline::{reply::Reply, request::Call},
};

pub(super) fn run(call: &Call, resource: &Resource) -> Result<Reply, Status> {
    let object = write::current(call, &call.app.shelf(resource), resource)?;
    let (name, subresource) = (&call.info.name, &call.info.subresource);
    if resource.is("", "pods") {
        let pod = encode::decode(resource, &object)?;
        match connect::pod(&pod, subresource, &call.query)? {
            Answer::EmptyLog => return Ok(Reply::new(200, "text/plain", Body::empty())),
            Answer::Node(node) => {
                if let Some(nodes) = call.app.table.lookup("", "v1", "nodes")
                    && call.app.shelf(nodes).collection.get(&node).is_none()
                {
                    return Err(Status::not_found("", "nodes", &node));
                }
            }
        }
    }
    Err(connect::refused(&resource.group_resource(), subresource, name))
}
