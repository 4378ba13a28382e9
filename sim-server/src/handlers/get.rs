//! GET of one object.

use std::sync::Arc;

use bytes::Bytes;
use sim_api::{
    encode,
    list_options::GetOptions,
    media_type::{self, Form},
    release::Gate,
    resources::Resource,
    status::Status,
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
    media_type::negotiate(call.accept(), &[Form::Json, Form::Yaml])?;
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

/// One object, in the form that the client accepts.
pub(crate) fn object_reply(
    call: &Call,
    resource: &Resource,
    code: u16,
    object: &Arc<Object>,
) -> Result<Reply, Status> {
    let form = media_type::negotiate(call.accept(), &[Form::Json, Form::Yaml])?;
    let json = match form {
        Form::Yaml => {
            let yaml = encode::to_yaml(&encode::decode(resource, object)?);
            return Ok(whole(call, code, YAML, yaml.into()));
        }
        _ if call.pretty => encode::pretty(&encode::decode(resource, object)?),
        _ if resource.is_storage_version() => whole_object(resource, object),
        _ => encode::to_json(&encode::decode(resource, object)?),
    };
    Ok(large_json(call, code, json.into()))
}

/// `{"kind":…,"apiVersion":…,` and the stored members, with the final newline of Go's encoder.
fn whole_object(resource: &Resource, object: &Object) -> Vec<u8> {
    let prefix = resource.object_prefix();
    let members = object.members();
    let mut json = Vec::with_capacity(prefix.len() + members.len() + 1);
    json.extend_from_slice(prefix);
    json.extend_from_slice(&members);
    json.push(b'\n');
    json
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

/// The content type of YAML.
pub(crate) const YAML: &str = "application/yaml";

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
