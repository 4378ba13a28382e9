//! A reflector and its store: LIST, WATCH, re-WATCH, re-LIST as client-go does.
//! Source: client-go `tools/cache/reflector.go`; spec/list-watch.md 5.5.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use futures_channel::oneshot;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    call::Frame,
    client::{Client, Failure},
    object::{self, Key},
    world::Stream,
};

/// What is watched.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// E.g. `/api/v1/pods`.
    pub(crate) path: String,
    /// E.g. `fieldSelector=spec.nodeName%3Dn1`; may be empty.
    pub(crate) selector: String,
    /// Accept of the LIST and of the WATCH.
    accept: [&'static str; 2],
}

impl Source {
    pub(crate) fn all(path: &str) -> Self {
        Self::selected(path, String::new())
    }

    pub(crate) fn selected(path: &str, selector: String) -> Self {
        Self { path: path.to_owned(), selector, accept: [JSON, JSON] }
    }

    /// Metadata of all objects only.
    pub(crate) fn metadata(path: &str) -> Self {
        Self { accept: [METADATA_LIST, METADATA], ..Self::all(path) }
    }

    fn query(&self, rest: &str) -> String {
        let Self { path, selector, .. } = self;
        let and = if selector.is_empty() { "" } else { "&" };
        format!("{path}?{selector}{and}{rest}")
    }
}

/// What has happened to an object; one of the two is there.
pub(crate) struct Change {
    pub(crate) old: Option<Rc<Value>>,
    pub(crate) new: Option<Rc<Value>>,
}

impl Change {
    /// The object, as it is or was last.
    pub(crate) fn object(&self) -> &Rc<Value> {
        // One is there, by construction.
        self.new.as_ref().or(self.old.as_ref()).expect("a change is of something")
    }
}

type Handler = Box<dyn Fn(&Change)>;
type Index = (fn(&Value) -> String, BTreeMap<String, BTreeSet<Key>>);

/// The objects of one kind, as last seen.
#[derive(Default)]
pub(crate) struct Informer {
    items: RefCell<BTreeMap<Key, Rc<Value>>>,
    handlers: RefCell<Vec<Handler>>,
    indexes: RefCell<Vec<Index>>,
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
    seen: Cell<u64>,
    synced: Cell<bool>,
}

impl Informer {
    /// Starts one; `indexes` are functions from object to key, empty for none.
    pub(crate) fn start(
        client: &Client,
        source: Source,
        indexes: &[fn(&Value) -> String],
    ) -> Rc<Self> {
        let informer = Rc::new(Self::default());
        *informer.indexes.borrow_mut() = indexes.iter().map(|of| (*of, BTreeMap::new())).collect();
        let world = client.world().clone();
        let (own, client) = (Rc::clone(&informer), client.clone());
        world.spawn(async move { reflect(&client, &source, &Sink::Informer(own)).await });
        informer
    }

    /// Calls it with each change from now on, and with what is there now as added.
    pub(crate) fn on_change(&self, handler: impl Fn(&Change) + 'static) {
        for item in self.items.borrow().values() {
            handler(&Change { old: None, new: Some(Rc::clone(item)) });
        }
        self.handlers.borrow_mut().push(Box::new(handler));
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Rc<Value>> {
        self.items.borrow().get(key).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Rc<Value>> {
        self.items.borrow().values().cloned().collect()
    }

    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Rc<Value>> {
        let from = Key::new(namespace, "");
        let items = self.items.borrow();
        items
            .range((Bound::Included(from), Bound::Unbounded))
            .take_while(|(key, _)| &*key.namespace == namespace)
            .map(|(_, item)| Rc::clone(item))
            .collect()
    }

    /// Those of which the index-th function said `of`.
    pub(crate) fn indexed(&self, index: usize, of: &str) -> Vec<Rc<Value>> {
        let indexes = self.indexes.borrow();
        let Some(keys) = indexes.get(index).and_then(|(_, keys)| keys.get(of)) else {
            return Vec::new();
        };
        keys.iter().filter_map(|key| self.get(key)).collect()
    }

    pub(crate) async fn synced(&self) {
        while !self.synced.get() {
            self.changed().await;
        }
    }

    /// Until everything up to that resourceVersion was seen, but at most 5 s of it.
    pub(crate) async fn caught_up(&self, client: &Client, version: u64) {
        use futures_util::future::{Either, select};
        let limit = client.world().sleep(Duration::from_secs(5));
        let wait = async {
            while self.seen.get() < version {
                self.changed().await;
            }
        };
        futures_util::pin_mut!(limit, wait);
        match select(limit, wait).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }

    async fn changed(&self) {
        let (send, wait) = oneshot::channel();
        self.waiting.borrow_mut().push(send);
        let _ = wait.await;
    }

    fn notify(&self) {
        for waiting in self.waiting.take() {
            let _ = waiting.send(());
        }
    }

    fn put(&self, new: Value) {
        let key = Key::of(&new);
        self.seen.set(self.seen.get().max(object::version(&new)));
        let new = Rc::new(new);
        let old = self.items.borrow_mut().insert(key.clone(), Rc::clone(&new));
        self.index(&key, old.as_deref(), Some(&new));
        self.tell(&Change { old, new: Some(new) });
    }

    fn remove(&self, key: &Key, last: Option<Value>) {
        if let Some(last) = &last {
            self.seen.set(self.seen.get().max(object::version(last)));
        }
        let Some(old) = self.items.borrow_mut().remove(key) else { return };
        self.index(key, Some(&old), None);
        let old = last.map_or(old, Rc::new);
        self.tell(&Change { old: Some(old), new: None });
    }

    fn replace(&self, items: Vec<Value>, version: u64) {
        let keys: BTreeSet<Key> = items.iter().map(Key::of).collect();
        let gone: Vec<Key> =
            self.items.borrow().keys().filter(|key| !keys.contains(*key)).cloned().collect();
        for key in gone {
            self.remove(&key, None);
        }
        for item in items {
            let same = self
                .get(&Key::of(&item))
                .is_some_and(|old| object::version(&old) == object::version(&item));
            if !same {
                self.put(item);
            }
        }
        self.seen.set(self.seen.get().max(version));
        self.synced.set(true);
        self.notify();
    }

    fn index(&self, key: &Key, old: Option<&Value>, new: Option<&Value>) {
        for (of, keys) in &mut *self.indexes.borrow_mut() {
            let (old, new) = (old.map(*of), new.map(*of));
            if old == new {
                continue;
            }
            if let Some(old) = old.filter(|old| !old.is_empty())
                && let Some(set) = keys.get_mut(&old)
            {
                set.remove(key);
                if set.is_empty() {
                    keys.remove(&old);
                }
            }
            if let Some(new) = new.filter(|new| !new.is_empty()) {
                keys.entry(new).or_default().insert(key.clone());
            }
        }
    }

    fn tell(&self, change: &Change) {
        for handler in &*self.handlers.borrow() {
            handler(change);
        }
        self.notify();
    }
}

/// Where a reflector puts what it sees.
pub(crate) enum Sink {
    Informer(Rc<Informer>),
    /// Nobody looks: the load of a watch without the work.
    Nobody,
}

impl Sink {
    fn replace(&self, items: &[&RawValue], version: u64) {
        if let Self::Informer(informer) = self {
            let items =
                items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect();
            informer.replace(items, version);
        }
    }

    fn event(&self, kind: &str, object: &RawValue) {
        let Self::Informer(informer) = self else { return };
        let Ok(value) = serde_json::from_str::<Value>(object.get()) else { return };
        match kind {
            "DELETED" => informer.remove(&Key::of(&value), Some(value)),
            _ => informer.put(value),
        }
    }

    fn progress(&self, version: u64) {
        if let Self::Informer(informer) = self {
            informer.seen.set(informer.seen.get().max(version));
            informer.notify();
        }
    }
}

#[derive(Deserialize)]
struct Head {
    metadata: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    resource_version: String,
    #[serde(rename = "continue")]
    token: String,
}

#[derive(Deserialize)]
struct List<'a> {
    metadata: Meta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// LIST and WATCH, for ever.
pub(crate) async fn reflect(client: &Client, source: &Source, sink: &Sink) {
    let world = client.world().clone();
    let mut from = "0".to_owned();
    let mut backoff = Backoff::default();
    loop {
        let listed = list(client, source, sink, &from).await;
        let mut version = match listed {
            Ok(version) => version,
            Err(failure) => {
                if failure.code == 410 || failure.reason == "Expired" {
                    from.clear();
                }
                world.sleep(backoff.next(&world)).await;
                continue;
            }
        };
        loop {
            // Source: reflector.go: minWatchTimeout 5 min, at most twice that.
            let seconds = 300 + world.random(300);
            let query = source.query(&format!(
                "allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}&watch=true"
            ));
            let mut stream = client.watch(query, source.accept[1]);
            let end = follow(&mut stream, sink, &mut version).await;
            if end.code == 410 {
                break;
            }
            if !(200..300).contains(&end.code) {
                world.sleep(backoff.next(&world)).await;
            } else {
                backoff = Backoff::default();
            }
        }
        from.clone_from(&version);
    }
}

/// One LIST with its pages; the resourceVersion of the result.
async fn list(
    client: &Client,
    source: &Source,
    sink: &Sink,
    from: &str,
) -> Result<String, Failure> {
    let mut pages: Vec<Bytes> = Vec::new();
    let mut token = String::new();
    loop {
        let rest = if token.is_empty() {
            let version =
                if from.is_empty() { String::new() } else { format!("&resourceVersion={from}") };
            format!("limit=500{version}")
        } else {
            format!("continue={token}&limit=500")
        };
        let body = client.get_as(source.query(&rest), source.accept[0]).await?;
        let head = read::<Head>(&body)?;
        token = head.metadata.token;
        pages.push(body);
        if token.is_empty() {
            break;
        }
    }
    let mut version = String::new();
    let mut items = Vec::new();
    for page in &pages {
        let list = read::<List<'_>>(page)?;
        version = list.metadata.resource_version;
        items.extend(list.items.unwrap_or_default());
    }
    sink.replace(&items, version.parse().unwrap_or(0));
    Ok(version)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure {
        code: 0,
        reason: String::new(),
        message: error.to_string(),
    })
}

/// Takes frames until the stream ends; its code, 410 when the watch expired.
async fn follow(stream: &mut Stream, sink: &Sink, version: &mut String) -> Failure {
    loop {
        let body = match stream.next().await {
            Frame::Event(body) => body,
            Frame::End(answer) => return Failure::of(&answer),
        };
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&body) else { continue };
        if event.kind == "ERROR" {
            let status: Value = serde_json::from_str(event.object.get()).unwrap_or_default();
            let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok());
            return Failure {
                code: code.unwrap_or(500),
                reason: String::new(),
                message: String::new(),
            };
        }
        if let Ok(head) = serde_json::from_str::<Head>(event.object.get()) {
            *version = head.metadata.resource_version;
        }
        if event.kind == "BOOKMARK" {
            sink.progress(version.parse().unwrap_or(0));
        } else {
            sink.event(event.kind, event.object);
        }
    }
}

/// Source: reflector.go: 0.8 s, doubled, at most 30 s, jitter up to once again.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    fn next(&mut self, world: &crate::world::World) -> Duration {
        let base = Duration::from_millis(800).saturating_mul(1 << self.0.min(6));
        self.0 += 1;
        base.min(Duration::from_secs(30)).mul_f64(1.0 + world.fraction())
    }
}

const JSON: &str = "application/json";

/// Accept of metadata only: a list's, and an object's or a watch's.
pub(crate) const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
pub(crate) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
