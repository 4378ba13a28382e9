//! Events as client-go's recorder writes them (core/v1), in the background.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use futures_channel::oneshot;
use serde_json::{Value, json};
use sim_time::SimTime;

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
    similar: RefCell<BTreeMap<String, (SimTime, BTreeSet<String>)>>,
    /// How many more events an object may have, and as of when.
    allowed: RefCell<BTreeMap<String, (f64, SimTime)>>,
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
            allowed: RefCell::default(),
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
        // Which version of the object it was makes no difference.
        let about = &event["involvedObject"];
        let object = ["kind", "namespace", "name", "uid", "apiVersion"]
            .map(|field| about[field].as_str().unwrap_or_default())
            .join("|");
        let group = format!("{object}|{}|{}", event["reason"], event["type"]);
        let message = event["message"].as_str().unwrap_or_default().to_owned();
        let combined = self.0.combines(&group, &message, world.now());
        if combined {
            event["message"] = json!(format!("(combined from similar events): {message}"));
        }
        let key = if combined { group } else { format!("{group}|{message}") };
        let known = self.0.seen.borrow().get(&key).cloned();
        if !self.0.allows(&object, world.now()) {
            // Counted, and told with the next one that is written.
            if let Some((_, count)) = self.0.seen.borrow_mut().get_mut(&key) {
                *count += 1;
            }
            return;
        }
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
                self.0.allowed.borrow_mut().clear();
            }
            seen.insert(key, (own, 1));
        }
    }
}

impl Inner {
    /// Whether so many different messages are alike but for their words that this one goes into
    /// the event that stands for all. Source: `EventAggregate`.
    fn combines(&self, group: &str, message: &str, now: SimTime) -> bool {
        let mut similar = self.similar.borrow_mut();
        let (last, messages) = similar.entry(group.to_owned()).or_default();
        if now.saturating_since(*last).as_secs() > SIMILAR_SECONDS {
            messages.clear();
        }
        *last = now;
        messages.insert(message.to_owned());
        let combined = messages.len() >= SIMILAR_MAX;
        if combined {
            messages.pop_first();
        }
        combined
    }

    /// Whether the object may have one more event. Source: `EventSourceObjectSpamFilter`.
    fn allows(&self, object: &str, now: SimTime) -> bool {
        let mut allowed = self.allowed.borrow_mut();
        let (tokens, last) = allowed.entry(object.to_owned()).or_insert((SPAM_BURST, now));
        let grown = now.saturating_since(*last).as_secs_f64() / SPAM_SECONDS;
        *tokens = (*tokens + grown).min(SPAM_BURST);
        *last = now;
        let allows = *tokens >= 1.0;
        if allows {
            *tokens -= 1.0;
        }
        allows
    }
}

/// Source: client-go `maxQueuedEvents`.
const QUEUE_MAX: usize = 1000;

/// Source: `defaultAggregateMaxEvents`.
const SIMILAR_MAX: usize = 10;

/// Source: `defaultAggregateIntervalInSeconds`.
const SIMILAR_SECONDS: u64 = 600;

/// Source: `defaultSpamBurst`.
const SPAM_BURST: f64 = 25.0;

/// One more in this time. Source: `defaultSpamQPS`, 1/300.
const SPAM_SECONDS: f64 = 300.0;

/// Source: `maxLruCacheEntries`.
const CACHE_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use futures_executor::LocalPool;
    use jiff::Timestamp;

    use super::*;
    use crate::{
        call::{Action, Answer, Identity},
        world::World,
    };

    /// Recorded of the real controller at a join of 50 nodes with 8 daemon sets: 400 pods created,
    /// 80 events created and 120 patched, so 10 and 15 for each set.
    #[test]
    fn fifty_created_pods_are_ten_events_and_fifteen_patches() {
        let mut pool = LocalPool::new();
        let world = World::new(Timestamp::UNIX_EPOCH, 1, pool.spawner());
        let identity =
            Identity { user: "u".to_owned(), groups: Vec::new(), user_agent: "a".to_owned() };
        let recorder = Recorder::new(Client::new(&world, identity, None), "daemonset-controller");
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for index in 0..50 {
            // Its status changes meanwhile.
            let set = json!({"metadata": {"name": "s", "namespace": "n", "uid": "1",
                "resourceVersion": index.to_string()}});
            let message = format!("Created pod: s-{index}");
            recorder.event(
                ("apps/v1", "DaemonSet"),
                &set,
                ("Normal", "SuccessfulCreate"),
                &message,
            );
            pool.run_until_stalled();
            for action in world.take_actions() {
                if let Action::Call(id, request) = action {
                    *counts.entry(request.method).or_default() += 1;
                    world.answer(id, Answer { code: 200, ..Answer::default() });
                }
            }
            pool.run_until_stalled();
        }
        assert_eq!(counts, BTreeMap::from([("PATCH", 15), ("POST", 10)]));
    }
}
