//! WATCH: the initial state where it is asked for, then every change.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use sim_api::{
    encode::WatchEventType,
    list_options::{ListOptions, Selection, WatchStart},
    resources::Resource,
    status::Status,
    view::View,
};
use sim_store::{Event, EventKind, ListCursor, Object};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    app::App,
    encode::{
        body::{AsyncSource, Body},
        segments::Segments,
    },
    flow::WatchEntry,
    pipeline::{
        admit::{self, Seat},
        reply::Reply,
        request::Call,
    },
    shelf::Shelf,
};

pub(crate) async fn run(call: &mut Call, resource: &Arc<Resource>) -> Result<Reply, Status> {
    let wanted = super::get::wanted(call, resource)?;
    let app = &Arc::clone(&call.app);
    let options = ListOptions::parse_watch(&call.query, resource, &app.config.gates)?;
    let initial_events = options.send_initial_events == Some(true);
    let view = wanted.watch(resource, &call.query, initial_events)?;
    let content_type = view.watch_content_type();
    let shelf = app.shelf(resource);
    let bell = shelf.subscribe();
    let mut watch = Watch {
        app: Arc::clone(app),
        resource: Arc::clone(resource),
        view,
        is_first: true,
        selection: options.selection(&call.info),
        prefix: resource.key_prefix(&call.info.namespace),
        cursor: 0,
        initial: None,
        bookmark_at: None,
        events: Vec::new(),
        bookmarks: options.allow_watch_bookmarks,
        next_bookmark: Instant::now() + BOOKMARK_INTERVAL,
        deadline: Instant::now() + length(call, &options),
        ended: false,
        seat: None,
        _entry: admit::watch_entry(call),
        kind_labels: [
            resource.group.to_string(),
            resource.kind.to_string(),
            resource.version.to_string(),
        ],
        shelf,
        bell,
    };
    match options.watch_start() {
        WatchStart::Now => watch.cursor = app.store.revision(),
        WatchStart::State { at_least, bookmark } => {
            if at_least > app.store.revision() {
                super::list::wait_for(call, at_least).await?;
            }
            let (snapshot, revision) = app.store.snapshot(&watch.shelf.collection);
            watch.cursor = revision;
            watch.initial = Some(snapshot.cursor(&watch.prefix));
            watch.bookmark_at = bookmark.then_some(revision);
        }
        WatchStart::After(revision) => watch.cursor = revision,
    }
    if watch.initial.is_some() {
        // Seats are held until the initial state has been sent.
        watch.seat = call.seat.take();
    } else {
        call.seat = None;
    }
    Ok(Reply::new(200, content_type, Body::stream(WatchBody::Idle(Box::new(watch)))))
}

/// Bookmarks come about once a minute. Source: `bookmarkFrequency` of `cacher.go`.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

/// Events taken from the log, or objects from the snapshot, at a time.
const BATCH: usize = 128;

/// How long the watch lives: timeoutSeconds, or between the minimum and twice that.
fn length(call: &Call, options: &ListOptions) -> Duration {
    match options.timeout_seconds {
        Some(seconds) => Duration::from_secs(seconds),
        None => {
            let min = call.app.config.min_request_timeout;
            min + min.mul_f64(call.app.random_unit())
        }
    }
}

/// One open watch: a position in the log, not a queue of its own.
struct Watch {
    app: Arc<App>,
    resource: Arc<Resource>,
    view: View,
    /// No event has been sent yet.
    is_first: bool,
    shelf: Arc<Shelf>,
    selection: Selection,
    prefix: String,
    /// Everything up to this resourceVersion has been sent or did not match.
    cursor: u64,
    /// The rest of the initial state.
    initial: Option<ListCursor>,
    /// The bookmark that ends the initial state.
    bookmark_at: Option<u64>,
    events: Vec<Arc<Event>>,
    bell: watch::Receiver<u64>,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    ended: bool,
    /// Held while the initial state is sent.
    seat: Option<Seat>,
    /// Writes are priced by the watches that hear of them.
    _entry: Option<WatchEntry>,
    kind_labels: [String; 3],
}

impl Watch {
    /// Whether there is still something to watch: the definition of a custom resource may go.
    fn is_served(&self) -> bool {
        let Resource { group, version, plural, custom, .. } = &*self.resource;
        custom.is_none() || self.app.served().table.lookup(group, version, plural).is_some()
    }

    /// The next events; `None` when the watch is over.
    async fn next(&mut self) -> Option<Segments> {
        if self.ended {
            return None;
        }
        if let Some(piece) = self.initial_state() {
            return Some(piece);
        }
        loop {
            // Marks the bell as heard before looking, so that no ring is missed in between.
            self.bell.borrow_and_update();
            if self.app.stopping.load(Ordering::Relaxed) || Instant::now() >= self.deadline {
                return None;
            }
            if let Some(piece) = self.changes() {
                return Some(piece);
            }
            if !self.is_served() {
                return None;
            }
            if self.bookmarks && Instant::now() >= self.next_bookmark {
                self.next_bookmark = Instant::now() + BOOKMARK_INTERVAL;
                return Some(self.bookmark(self.cursor, false).into());
            }
            let wake =
                if self.bookmarks { self.next_bookmark.min(self.deadline) } else { self.deadline };
            // The far end of the bell is the shelf itself, so it does not close.
            let _ = timeout_at(wake, self.bell.changed()).await;
        }
    }

    fn initial_state(&mut self) -> Option<Segments> {
        while let Some(cursor) = &mut self.initial {
            let mut objects = Vec::with_capacity(BATCH);
            cursor.next_batch(BATCH, &mut objects);
            let at_end = objects.is_empty();
            let mut piece = Segments::with_capacity(objects.len() * 3 + 1);
            objects.retain(|object| self.selection.matches(object));
            for object in &objects {
                self.push_object(&mut piece, WatchEventType::Added, object);
            }
            if at_end {
                self.initial = None;
                self.seat = None;
                if let Some(revision) = self.bookmark_at.take() {
                    piece.push(self.bookmark(revision, true));
                }
            }
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    }

    /// The changes since the cursor that concern this watch.
    fn changes(&mut self) -> Option<Segments> {
        let mut events = std::mem::take(&mut self.events);
        let mut piece = Segments::default();
        while piece.is_empty() {
            events.clear();
            let log = &self.shelf.collection;
            if log.events_after(self.cursor, BATCH, &mut events).is_err() {
                let window = log.window();
                // A watch may start from `oldest`; the first version it would see is the next.
                let status = Status::watch_expired(self.cursor, window.oldest + 1);
                self.ended = true;
                piece.push(self.view.error_event(&status).into());
                break;
            }
            let Some(last) = events.last() else { break };
            self.cursor = last.revision();
            for event in &events {
                self.push_event(&mut piece, event);
            }
        }
        events.clear();
        self.events = events;
        (!piece.is_empty()).then_some(piece)
    }

    /// What this watch sees of a change: an object may come into or go out of its selection.
    fn push_event(&mut self, piece: &mut Segments, event: &Event) {
        let (prefix, selection) = (&*self.prefix, &self.selection);
        let sees = |object: &Object| object.key().starts_with(prefix) && selection.matches(object);
        let before = event.previous.as_deref().is_some_and(sees);
        let now = event.kind != EventKind::Deleted && sees(&event.object);
        let kind = match (before, now) {
            (false, false) => return,
            (false, true) => WatchEventType::Added,
            (true, true) => WatchEventType::Modified,
            (true, false) => WatchEventType::Deleted,
        };
        if kind == WatchEventType::Deleted && event.kind != EventKind::Deleted {
            // It left the selection: the version that was selected, at the change's version.
            if let Some(previous) = &event.previous {
                let gone = previous.at_revision(event.revision());
                self.push_object(piece, kind, &gone);
            }
            return;
        }
        let Some(slot) = self.view.frame_slot(&self.resource, kind) else {
            self.push_object(piece, kind, &event.object);
            return;
        };
        let frame = event.frame(slot, || self.frame(kind, &event.object));
        self.push(piece, frame);
    }

    fn push_object(&mut self, piece: &mut Segments, kind: WatchEventType, object: &Object) {
        let frame = self.frame(kind, object);
        self.push(piece, frame);
    }

    fn push(&mut self, piece: &mut Segments, frame: Bytes) {
        self.count(frame.len());
        self.is_first = false;
        piece.push(frame);
    }

    fn bookmark(&mut self, revision: u64, ends_initial_events: bool) -> Bytes {
        let is_first = std::mem::take(&mut self.is_first);
        let now = self.app.clock.wall();
        self.view.bookmark(&self.resource, revision, ends_initial_events, now, is_first).into()
    }

    /// An object that cannot be read is an error event.
    fn frame(&self, kind: WatchEventType, object: &Object) -> Bytes {
        let now = self.app.clock.wall();
        let frame = self.view.event(&self.resource, kind, object, now, self.is_first);
        frame.unwrap_or_else(|status| self.view.error_event(&status)).into()
    }

    fn count(&self, bytes: usize) {
        let metrics = &self.app.metrics;
        metrics.watch_events.with_label_values(&self.kind_labels).inc();
        #[expect(clippy::cast_precision_loss, reason = "a histogram of sizes")]
        metrics.watch_events_sizes.with_label_values(&self.kind_labels).observe(bytes as f64);
    }
}

type Step = Pin<Box<dyn Future<Output = (Box<Watch>, Option<Segments>)> + Send>>;

/// A watch as a body: idle between two pieces, or on its way to the next.
enum WatchBody {
    Idle(Box<Watch>),
    Busy(Step),
    Done,
}

impl AsyncSource for WatchBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Segments>> {
        if let Self::Idle(_) = self
            && let Self::Idle(mut watch) = std::mem::replace(self, Self::Done)
        {
            *self = Self::Busy(Box::pin(async move {
                let piece = watch.next().await;
                (watch, piece)
            }));
        }
        let Self::Busy(step) = self else { return Poll::Ready(None) };
        match step.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready((watch, Some(piece))) => {
                *self = Self::Idle(watch);
                Poll::Ready(Some(piece))
            }
            Poll::Ready((_, None)) => {
                *self = Self::Done;
                Poll::Ready(None)
            }
        }
    }
}
