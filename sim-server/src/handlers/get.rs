//! GET of one object.

use bytes::Bytes;
use serde_json::Value;
use sim_api::{
    list_options::GetOptions, release::Gate, resources::Resource, status::Status, view::Wanted,
};
use sim_store::Object;

use crate::{
    encode::{
        body::Body,
        buffered::Buffered,
        gzip::{self, Gzip, Peeked},
    },
    pipeline::{
        reply::{JSON, Reply},
        request::Call,
    },
};

pub(crate) fn run(call: &Call, resource: &Resource) -> Result<Reply, Status> {
    wanted(call, resource)?;
    let options = GetOptions::parse(&call.query)?;
    let shelf = call.app.shelf(resource);
    if let Some(asked) = options.resource_version {
        let current = call.app.store.revision();
        if asked > current {
            return Err(Status::too_large_resource_version(asked, current));
        }
    }
    let key = resource.key(&call.info.namespace, &call.info.name);
    let object = shelf.collection.get(&key).ok_or_else(|| missing(call, resource))?;
    object_reply(call, resource, 200, &object)
}

pub(crate) fn missing(call: &Call, resource: &Resource) -> Status {
    Status::not_found(&resource.group, &resource.plural, &call.info.name)
}

/// What the client accepts of a resource; to be asked before anything is done.
pub(crate) fn wanted(call: &Call, resource: &Resource) -> Result<Wanted, Status> {
    Wanted::negotiate(call.app.config.release, resource, call.accept(), call.pretty)
}

/// One stored object, as the client accepts it.
pub(crate) fn object_reply(
    call: &Call,
    resource: &Resource,
    code: u16,
    object: &Object,
) -> Result<Reply, Status> {
    let view = wanted(call, resource)?.object(resource, &call.query)?;
    let body = view.object(resource, object, call.app.clock.wall())?;
    Ok(whole(call, code, view.content_type(), body.into()))
}

/// An object of a resource that is not stored, as the client accepts it.
pub(crate) fn value_reply(
    call: &Call,
    resource: &Resource,
    code: u16,
    object: &Value,
) -> Result<Reply, Status> {
    let view = wanted(call, resource)?.object(resource, &call.query)?;
    let body = view.value(resource, object, call.app.clock.wall())?;
    Ok(whole(call, code, view.content_type(), body.into()))
}

/// A body that is complete, compressed where client and size allow.
pub(crate) fn whole(call: &Call, code: u16, content_type: &'static str, body: Bytes) -> Reply {
    if body.len() <= gzip::THRESHOLD_BYTES {
        return Reply::new(code, content_type, Body::full(body));
    }
    compressible(call, Reply::new(code, content_type, Body::empty()), Buffered::new(body))
}

/// [`whole`] of JSON.
pub(crate) fn large_json(call: &Call, code: u16, json: Bytes) -> Reply {
    whole(call, code, JSON, json)
}

/// Sends a source as the body of `reply`, through gzip where client and size allow.
pub(crate) fn compressible(
    call: &Call,
    reply: Reply,
    source: impl crate::encode::Source + 'static,
) -> Reply {
    if !gzip::is_accepted(call.header("accept-encoding"))
        || !call.app.config.gates.enabled(Gate::APIResponseCompression)
    {
        return reply.with_body(Body::source(source));
    }
    let source = Peeked::new(source);
    if !source.is_large {
        return reply.with_body(Body::source(source));
    }
    reply
        .with_body(Body::source(Gzip::new(source)))
        .with(http::header::CONTENT_ENCODING, "gzip")
        .with(http::header::VARY, "Accept-Encoding")
}
