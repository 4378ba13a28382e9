//! LIST: find the snapshot, cut the page, choose the encoder.

use std::{sync::Arc, time::Duration};

use sim_api::{
    encode::{self, ListMeta},
    list_options::{ContinueToken, ListOptions, ReadFrom},
    resources::Resource,
    status::Status,
    view::View,
};
use sim_store::{ListQuery, Object, Snapshot, StoreError};
use tokio::time::Instant;

use super::get::{self, compressible, whole};
use crate::{
    encode::{
        body::Body,
        buffered::{GoBuffer, ListBuilder},
        made::{MadeList, Maker, Measure},
        streamed::{Filter, Items, StreamedList},
    },
    pipeline::{reply::Reply, request::Call},
};

pub(crate) async fn run(call: &Call, resource: &Arc<Resource>) -> Result<Reply, Status> {
    let wanted = get::wanted(call, resource)?;
    let options = ListOptions::parse(&call.query, resource, &call.app.config.gates)?;
    let (snapshot, revision) = snapshot(call, resource, &options).await?;
    let view = wanted.list(resource, &call.query)?;
    let (meta, items) = cut(call, resource, &options, &snapshot, revision);
    drop(snapshot);
    answer(call, resource, view, &meta, items).await
}

/// A list of any items, as the client accepts it.
pub(super) async fn answer(
    call: &Call,
    resource: &Arc<Resource>,
    view: View,
    meta: &ListMeta,
    items: Items,
) -> Result<Reply, Status> {
    let streams = view.streams(&call.app.config.gates);
    let content_type = view.content_type();
    let reply = || Reply::new(200, content_type, Body::empty());
    if view.has_stored_items(resource) {
        let head = view.list_head(resource, meta, 0);
        let item_prefix = encode::list_item_prefix(resource);
        if streams {
            let list = StreamedList::new(head.into(), items, item_prefix);
            return Ok(compressible(call, reply(), list));
        }
        let mut builder = ListBuilder::new(&head, items, item_prefix);
        let mut turns = Turns::default();
        while !builder.step() {
            turns.take().await;
        }
        let body = view.finish_list(builder.into_buffer().into_bytes());
        return Ok(whole(call, 200, content_type, body));
    }
    let items = sorted(&view, items);
    let maker = Maker { view, resource: Arc::clone(resource), now: call.app.clock.wall() };
    let mut turns = Turns::default();
    let mut bytes = 0;
    if maker.view.announces_length() {
        let mut measure = Measure::new(&maker, items.clone());
        bytes = loop {
            match measure.step()? {
                Some(bytes) => break bytes,
                None => turns.take().await,
            }
        };
    }
    let view = maker.view.clone();
    let mut list = MadeList::new(maker, meta, items, bytes);
    if streams {
        return Ok(compressible(call, reply(), list));
    }
    let mut buffer = GoBuffer::default();
    while !list.step_into(&mut buffer)? {
        turns.take().await;
    }
    let body = view.finish_list(buffer.into_bytes());
    Ok(whole(call, 200, content_type, body))
}

/// The items in the order in which they are shown.
fn sorted(view: &View, mut items: Items) -> Items {
    let Some(table) = view.sorts() else { return items };
    let mut objects = Vec::new();
    let mut before = None;
    while before != Some(objects.len()) {
        before = Some(objects.len());
        items.next_batch(&mut objects);
    }
    table.sort(&mut objects);
    Items::Page(objects.into_iter())
}

/// Lets other requests have a turn now and then.
#[derive(Default)]
struct Turns(usize);

impl Turns {
    async fn take(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(BATCHES_PER_TURN) {
            tokio::task::yield_now().await;
        }
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
            let matches: Filter = Arc::new(move |object| selection.matches(object));
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
