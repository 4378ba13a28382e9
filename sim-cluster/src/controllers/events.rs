//! Events as client-go's recorder writes them (core/v1), in the background.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use futures_channel::oneshot;
use serde_json::{Value, json};

use crate::{
    client::Client,
    object::{name, namespace, uid},
};

/// Writes events about objects; one after the other.
#[derive(Clone)]
pub(crate) struct Recorder(Rc<Inner>);

struct Inner {
    client: Client,
    component: String,
    queue: RefCell<VecDeque<Value>>,
    idle: RefCell<Option<oneshot::Sender<()>>>,
    /// What was written, by what makes events alike: name, count and how many similar ones there
    /// were. Source: client-go `tools/record/events_cache.go`.
    seen: RefCell<BTreeMap<String, (String, u64)>>,
    similar: RefCell<BTreeMap<String, (u64, String)>>,
}

impl Recorder {
    pub(crate) fn new(client: Client, component: &str) -> Self {
        let world = client.world().clone();
        let recorder = Self(Rc::new(Inner {
            client,
            component: component.to_owned(),
            queue: RefCell::default(),
            idle: RefCell::default(),
            seen: RefCell::default(),
            similar: RefCell::default(),
        }));
        let own = recorder.clone();
        world.spawn(async move {
            loop {
                own.write_next().await;
            }
        });
        recorder
    }

    /// `kind` and `api_version` are the object's: what came from a list does not say.
    pub(crate) fn event(
        &self,
        (api_version, kind): (&str, &str),
        object: &Value,
        (severity, reason): (&str, &str),
        message: &str,
    ) {
        let mut queue = self.0.queue.borrow_mut();
        // Source: the broadcaster's queue; beyond it events are dropped.
        if queue.len() >= QUEUE_MAX {
            return;
        }
        let space = if namespace(object).is_empty() { "default" } else { namespace(object) };
        queue.push_back(json!({
            "metadata": {"namespace": space},
            "involvedObject": {
                "kind": kind,
                "namespace": namespace(object),
                "name": name(object),
                "uid": uid(object),
                "apiVersion": api_version,
                "resourceVersion": object["metadata"]["resourceVersion"],
            },
            "reason": reason,
            "message": message,
            "source": {"component": self.0.component},
            "type": severity,
            "reportingComponent": self.0.component,
            "reportingInstance": "",
        }));
        if let Some(idle) = self.0.idle.borrow_mut().take() {
            let _ = idle.send(());
        }
    }

    async fn write_next(&self) {
        let next = self.0.queue.borrow_mut().pop_front();
        let Some(mut event) = next else {
            let (send, wait) = oneshot::channel();
            *self.0.idle.borrow_mut() = Some(send);
            let _ = wait.await;
            return;
        };
        let world = self.0.client.world().clone();
        let now = world.time();
        let space = namespace(&event).to_owned();
        let events = format!("/api/v1/namespaces/{space}/events");
        let object = event["involvedObject"].to_string();
        let group = format!("{object}|{}|{}", event["reason"], event["type"]);
        // More than ten alike but for their message are combined into one.
        let combined = {
            let mut similar = self.0.similar.borrow_mut();
            let (count, _) = similar.entry(group.clone()).or_default();
            *count += 1;
            *count > SIMILAR_MAX
        };
        if combined {
            let message = event["message"].as_str().unwrap_or_default();
            event["message"] = json!(format!("(combined from similar events): {message}"));
        }
        let key = if combined { group } else { format!("{group}|{}", event["message"]) };
        let known = self.0.seen.borrow().get(&key).cloned();
        if let Some((known, count)) = known {
            let patch = json!({
                "count": count + 1,
                "lastTimestamp": now,
                "message": event["message"],
            });
            if self.0.client.patch(format!("{events}/{known}"), &patch).await.is_ok() {
                self.0.seen.borrow_mut().insert(key, (known, count + 1));
                return;
            }
        }
        let suffix = world.wall().as_nanosecond() & 0xffff_ffff_ffff_ffff;
        let own =
            format!("{}.{suffix:x}", event["involvedObject"]["name"].as_str().unwrap_or_default());
        event["metadata"]["name"] = json!(own);
        event["firstTimestamp"] = json!(now);
        event["lastTimestamp"] = json!(now);
        event["count"] = json!(1);
        let written = self.0.client.create(events, &event).await;
        if written.is_ok() {
            let mut seen = self.0.seen.borrow_mut();
            if seen.len() >= CACHE_MAX {
                seen.clear();
                self.0.similar.borrow_mut().clear();
            }
            seen.insert(key, (own, 1));
        }
    }
}

/// Source: client-go `maxQueuedEvents`.
const QUEUE_MAX: usize = 1000;

/// Source: `defaultAggregateMaxEvents`.
const SIMILAR_MAX: u64 = 10;

/// Source: `maxLruCacheEntries`.
const CACHE_MAX: usize = 4096;
