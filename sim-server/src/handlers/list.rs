//! LIST: find the snapshot, cut the page, choose the encoder.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sim_api::{
    encode::{self, ListMeta},
    list_options::{ContinueToken, ListOptions, ReadFrom},
    media_type::{self, Form},
    release::Gate,
    resources::Resource,
    status::Status,
};
use sim_store::{ListQuery, Object, Snapshot, StoreError};
use tokio::time::Instant;

use super::get::{YAML, compressible, large_json, whole};
use crate::{
    encode::{
        body::Body,
        buffered::ListBuilder,
        streamed::{Items, StreamedList},
    },
    pipeline::{
        reply::{JSON, Reply},
        request::Call,
    },
};

pub(crate) async fn run(call: &Call, resource: &Resource) -> Result<Reply, Status> {
    let form = media_type::negotiate(call.accept(), &[Form::Json, Form::Yaml])?;
    let options = ListOptions::parse(&call.query, resource, &call.app.config.gates)?;
    let (snapshot, revision) = snapshot(call, resource, &options).await?;
    let (meta, items) = cut(call, resource, &options, &snapshot, revision);
    drop(snapshot);
    let head = encode::list_prefix(resource, &meta);
    let item_prefix = encode::list_item_prefix(resource);
    let streams = call.app.config.gates.enabled(Gate::StreamingCollectionEncodingToJSON)
        && form == Form::Json
        && !call.pretty;
    if streams {
        let list = StreamedList::new(head.into(), items, item_prefix);
        return Ok(compressible(call, Reply::new(200, JSON, Body::empty()), list));
    }
    let mut builder = ListBuilder::new(&head, items, item_prefix);
    let mut batches = 0;
    while !builder.step() {
        batches += 1;
        if batches % BATCHES_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    let body = builder.into_buffer().into_bytes();
    match form {
        Form::Yaml => {
            let yaml = encode::yaml_of_json(&body);
            Ok(whole(call, 200, YAML, yaml.into()))
        }
        // The second copy that MarshalIndent makes; the first is let go.
        _ if call.pretty => Ok(large_json(call, 200, encode::indent(&body).into())),
        _ => Ok(large_json(call, 200, body)),
    }
}

/// Other requests get a turn after so many batches of 60 items.
const BATCHES_PER_TURN: usize = 16;

/// The state to read and the resourceVersion to report.
pub(crate) async fn snapshot(
    call: &Call,
    resource: &Resource,
    options: &ListOptions,
) -> Result<(Arc<Snapshot>, u64), Status> {
    let store = &call.app.store;
    let shelf = call.app.shelf(resource);
    match options.read_from() {
        ReadFrom::Latest => Ok(store.snapshot(&shelf.collection)),
        ReadFrom::AtLeast(revision) => {
            wait_for(call, revision).await?;
            Ok(store.snapshot(&shelf.collection))
        }
        ReadFrom::Exact(revision) => {
            match store.snapshot_at(&shelf.collection, revision) {
                Ok(snapshot) => Ok((snapshot, revision)),
                // Recorded: etcd's own words, and no proper Status.
                Err(StoreError::Future { .. }) => Err(Status::plain_error(
                    "etcdserver: mvcc: required revision is a future revision",
                )),
                Err(_) => match &options.continue_token {
                    None => Err(Status::list_expired()),
                    Some(token) => {
                        let again = ContinueToken { rv: -1, start: token.start.clone() };
                        Err(Status::continue_expired(again.encode()))
                    }
                },
            }
        }
    }
}

/// Waits until `revision` has been assigned, at most 3 s. Source: `blockTimeout`, spec 2.2.
pub(super) async fn wait_for(call: &Call, revision: u64) -> Result<(), Status> {
    let until = Instant::now() + Duration::from_secs(3);
    loop {
        let current = call.app.store.revision();
        if revision <= current {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(Status::too_large_resource_version(revision, current));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The list's metadata, and its items: a page, or a cursor where there is no limit.
fn cut(
    call: &Call,
    resource: &Resource,
    options: &ListOptions,
    snapshot: &Snapshot,
    revision: u64,
) -> (ListMeta, Items) {
    let prefix = resource.key_prefix(&call.info.namespace);
    let selection = options.selection(&call.info);
    if options.effective_limit() == 0 && options.continue_token.is_none() {
        let filter = (!selection.is_empty()).then(|| {
            let matches: Box<dyn Fn(&Object) -> bool + Send> =
                Box::new(move |object| selection.matches(object));
            matches
        });
        let meta = ListMeta { resource_version: revision, ..ListMeta::default() };
        return (meta, Items::Cursor(snapshot.cursor(&prefix), filter));
    }
    let (meta, objects) = page(call, resource, options, snapshot, revision);
    (meta, Items::Page(objects.into_iter()))
}

/// The list's metadata, and its objects: a page, or all where there is no limit.
pub(super) fn page(
    call: &Call,
    resource: &Resource,
    options: &ListOptions,
    snapshot: &Snapshot,
    revision: u64,
) -> (ListMeta, Vec<Arc<Object>>) {
    let prefix = resource.key_prefix(&call.info.namespace);
    let selection = options.selection(&call.info);
    let start = options.continue_token.as_ref().map(|token| format!("{prefix}{}", token.start));
    let matches = |object: &Object| selection.matches(object);
    let page = snapshot.list(&ListQuery {
        prefix: &prefix,
        start: start.as_deref(),
        limit: options.effective_limit(),
        matches: if selection.is_empty() { None } else { Some(&matches) },
    });
    let next = page.next.map(|next| {
        let start = next.strip_prefix(&*prefix).unwrap_or(&next).to_owned();
        let rv = i64::try_from(revision).unwrap_or(i64::MAX);
        ContinueToken { rv, start }.encode()
    });
    let meta = ListMeta {
        resource_version: revision,
        continue_token: next,
        remaining_item_count: page.remaining,
    };
    (meta, page.objects)
}

/// A list's whole body.
pub(super) fn of_objects(resource: &Resource, meta: &ListMeta, objects: Vec<Arc<Object>>) -> Bytes {
    let head = encode::list_prefix(resource, meta);
    let items = Items::Page(objects.into_iter());
    ListBuilder::new(&head, items, encode::list_item_prefix(resource)).finish().into_bytes()
}
