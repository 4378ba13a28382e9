//! `/openapi/…`: documents that are made once, since the large ones take tens of milliseconds.

use bytes::Bytes;
use http::header;
use sha2::{Digest, Sha512};
use sim_api::{
    encode,
    openapi::{self, V2Form},
    status::Status,
};

use super::{get, paths};
use crate::{
    controllers::Served,
    encode::body::Body,
    pipeline::{reply::Reply, request::Call},
};

pub(super) fn run(call: &Call, path: &str) -> Result<Reply, Status> {
    if path == "/openapi/v2" {
        return Ok(v2(call));
    }
    let served = call.app.served();
    let Some(body) = document(&served, path, || match path {
        "/openapi/v3" => Some(encode::to_json(&openapi::v3_index(&served.table))),
        _ => openapi::v3_document(&served.table, call.app.config.release, path)
            .map(|document| encode::to_json(&document)),
    }) else {
        return Ok(paths::not_found());
    };
    if path == "/openapi/v3" {
        return Ok(Reply::new(200, "text/plain; charset=utf-8", Body::full(body)));
    }
    Ok(get::large_json(call, 200, body))
}

/// The document of everything, in the form that the client accepts, with an ETag.
///
/// Source: k8s.io/kube-openapi `pkg/handler/handler.go`. It negotiates by itself: what it does
/// not have is a 406 without a body. Vary is there twice, the second from the compression around
/// it (recorded).
fn v2(call: &Call) -> Reply {
    let vary = |reply: Reply| reply.with(header::VARY, "Accept");
    let Some(form) = V2Form::negotiate(call.accept()) else {
        return vary(Reply::new(406, "", Body::empty()));
    };
    let served = call.app.served();
    let made = document(&served, form.media_type(), || {
        Some(openapi::v2(&served.table, call.app.config.release, form))
    });
    let body = made.unwrap_or_default();
    let etag: String = Sha512::digest(&body).iter().map(|byte| format!("{byte:02X}")).collect();
    let etag = format!("\"{etag}\"");
    if call.header("if-none-match") == etag {
        return vary(Reply::new(304, "", Body::empty()).with(header::ETAG, &etag));
    }
    let reply = get::whole(call, 200, form.media_type(), body);
    vary(reply.with(header::ETAG, &etag))
}

fn document(served: &Served, name: &str, make: impl FnOnce() -> Option<Vec<u8>>) -> Option<Bytes> {
    if let Some(found) = served.documents.get(name) {
        return Some(found.clone());
    }
    let body = Bytes::from(make()?);
    served.documents.insert(name.to_owned(), body.clone());
    Some(body)
}
