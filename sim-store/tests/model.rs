//! The store against a plain model: a list of every state that ever was.
//!
//! Properties (names of the specification): no write is lost; LIST at a version is the state at
//! that version (L3); LIST and WATCH replay to any later LIST (W1), each change once and in order
//! (W2); no silent gap (W4); the pages of one token chain are the snapshot (L2).

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use proptest::prelude::*;
use sim_store::{
    Collection, Draft, Event, EventKind, ListQuery, Object, RingConfig, Snapshot, Store,
    StoreConfig, StoreError, StrMap,
};
use sim_time::SimTime;

#[derive(Clone, Debug)]
enum Op {
    Create(u8, u8),
    Update(u8, u8, Expect),
    Delete(u8, Expect),
    Load(Vec<u8>),
    Compact(u8),
    Wait(u8),
}

#[derive(Clone, Copy, Debug)]
enum Expect {
    Any,
    Current,
    Stale,
}

/// One state of the model: key to (version, content).
type State = BTreeMap<String, (u64, u8)>;

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![Just(Expect::Any), Just(Expect::Current), Just(Expect::Stale)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..24_u8, any::<u8>()).prop_map(|(key, content)| Op::Create(key, content)),
        4 => (0..24_u8, 0..4_u8, expect()).prop_map(|(key, c, e)| Op::Update(key, c, e)),
        2 => (0..24_u8, expect()).prop_map(|(key, e)| Op::Delete(key, e)),
        1 => prop::collection::vec(0..24_u8, 0..6).prop_map(Op::Load),
        1 => any::<u8>().prop_map(Op::Compact),
        1 => any::<u8>().prop_map(Op::Wait),
    ]
}

/// Keys whose namespaces sort differently from the keys themselves: `-` is less than `/`.
fn place(key: u8) -> (String, String) {
    (["ns", "ns-a", "z"][usize::from(key % 3)].to_owned(), format!("o{:02}", key / 3))
}

fn name_of(key: u8) -> String {
    let (namespace, name) = place(key);
    format!("{namespace}/{name}")
}

fn draft(key: u8, content: u8) -> Draft {
    let (namespace, name) = place(key);
    let head = format!(",{{\"metadata\":{{\"name\":\"{name}\",\"resourceVersion\":\"");
    let rv_at = head.len();
    let color = if content.is_multiple_of(2) { "even" } else { "odd" };
    Draft {
        namespace: Some(namespace.into()),
        name: name.into(),
        labels: StrMap::from_pairs([("color", color)]),
        fields: StrMap::default(),
        body: format!("{head}\"}},\"data\":{content}}}").into_bytes(),
        rv_at,
    }
}

fn content(object: &Object) -> u8 {
    let json: serde_json::Value = serde_json::from_slice(&object.item()).unwrap();
    assert_eq!(json["metadata"]["resourceVersion"], object.revision().to_string());
    u8::try_from(json["data"].as_u64().unwrap()).unwrap()
}

fn state_of(snapshot: &Snapshot) -> State {
    snapshot
        .range("")
        .map(|object| (object.key().to_string(), (object.revision(), content(object))))
        .collect()
}

fn replay(mut state: State, events: &[std::sync::Arc<Event>]) -> State {
    for event in events {
        let key = event.object.key().to_string();
        let now = (event.revision(), content(&event.object));
        match event.kind {
            EventKind::Added => assert_eq!(state.insert(key, now), None, "added twice"),
            EventKind::Modified => {
                let before = event.previous.as_ref().unwrap();
                assert_eq!(state.insert(key, now).unwrap().0, before.revision());
            }
            EventKind::Deleted => {
                let gone = state.remove(&key).expect("deleted what was there");
                assert_eq!(gone.1, now.1, "the last version is carried");
            }
        }
    }
    state
}

struct World {
    store: Store,
    collection: std::sync::Arc<Collection>,
    now: SimTime,
    /// Every state, by the revision at which it began.
    states: BTreeMap<u64, State>,
    compacted: u64,
}

impl World {
    fn new(ring: RingConfig) -> Self {
        let store = Store::new(StoreConfig { ring });
        let collection = store.collection("things");
        // A second collection shares the counter.
        store.collection("others");
        let states = BTreeMap::from([(store.revision(), State::new())]);
        Self { store, collection, now: SimTime::ZERO, states, compacted: 0 }
    }

    fn last(&self) -> State {
        self.states.values().next_back().unwrap().clone()
    }

    fn revision_for(&self, key: u8, expect: Expect) -> Option<u64> {
        let current = self.last().get(&name_of(key)).map_or(1, |(revision, _)| *revision);
        match expect {
            Expect::Any => None,
            Expect::Current => Some(current),
            Expect::Stale => Some(current + 1_000),
        }
    }

    fn write(&mut self, key: u8, value: Option<(u64, u8)>) {
        let mut state = self.last();
        let revision = self.store.revision();
        match value {
            Some(value) => state.insert(name_of(key), value),
            None => state.remove(&name_of(key)),
        };
        assert!(self.states.insert(revision, state).is_none(), "one version, one change");
    }

    fn apply(&mut self, op: &Op) {
        let before = self.store.revision();
        match op {
            Op::Create(key, data) => {
                let made = self.store.create(&self.collection, draft(*key, *data), self.now);
                match made {
                    Ok(object) => {
                        assert!(!self.last().contains_key(&name_of(*key)));
                        self.write(*key, Some((object.revision(), *data)));
                    }
                    Err(StoreError::AlreadyExists { key: name }) => {
                        assert!(self.last().contains_key(&*name));
                        assert_eq!(self.store.revision(), before);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Op::Update(key, data, expect) => {
                let expected = self.revision_for(*key, *expect);
                let draft = draft(*key, *data);
                match self.store.update(&self.collection, draft, expected, self.now) {
                    Ok(updated) if updated.changed => {
                        self.write(*key, Some((updated.object.revision(), *data)));
                    }
                    Ok(_) => {
                        assert_eq!(self.last()[&name_of(*key)].1, *data, "no write, no change");
                        assert_eq!(self.store.revision(), before);
                    }
                    Err(error) => self.check_refusal(*key, *expect, &error, before),
                }
            }
            Op::Delete(key, expect) => {
                let expected = self.revision_for(*key, *expect);
                let name = name_of(*key);
                match self.store.delete(&self.collection, &name, expected, self.now) {
                    Ok(object) => {
                        assert_eq!(object.revision(), before + 1);
                        self.write(*key, None);
                    }
                    Err(error) => self.check_refusal(*key, *expect, &error, before),
                }
            }
            Op::Load(keys) => {
                let drafts = keys.iter().map(|key| draft(*key, 7));
                let added = self.store.load(&self.collection, drafts, self.now);
                let mut state = self.last();
                let mut revision = before;
                for key in keys {
                    if let Entry::Vacant(free) = state.entry(name_of(*key)) {
                        revision += 1;
                        free.insert((revision, 7));
                        self.states.insert(revision, state.clone());
                    }
                }
                assert_eq!((added as u64, self.store.revision()), (revision - before, revision));
            }
            Op::Compact(back) => {
                let revision = before.saturating_sub(u64::from(*back) % 32);
                self.store.compact(revision);
                self.compacted = self.compacted.max(revision);
            }
            Op::Wait(seconds) => self.now += Duration::from_secs((*seconds).into()),
        }
    }

    fn check_refusal(&self, key: u8, expect: Expect, error: &StoreError, before: u64) {
        assert_eq!(self.store.revision(), before, "a refused write changes nothing");
        match error {
            StoreError::NotFound { .. } => assert!(!self.last().contains_key(&name_of(key))),
            StoreError::Conflict { .. } => assert!(matches!(expect, Expect::Stale)),
            error => panic!("{error}"),
        }
    }

    fn check(&self) {
        let (head, revision) = self.store.snapshot(&self.collection);
        assert_eq!(state_of(&head), self.last(), "an acknowledged write is in the next LIST");
        assert_eq!(revision, self.store.revision());
        let bytes: usize = head.range("").map(|object| object.json().len()).sum();
        assert_eq!(self.collection.size(), (head.len(), bytes as u64));
        let window = self.collection.window();
        for (at, state) in &self.states {
            // The state between two changes is the earlier one.
            match self.store.snapshot_at(&self.collection, *at) {
                Ok(past) => assert_eq!(&state_of(&past), state, "LIST at {at}"),
                Err(StoreError::Expired { oldest, .. }) => {
                    assert!(*at < oldest && oldest <= self.compacted, "{at} < {oldest}");
                }
                Err(error) => panic!("{error}"),
            }
            let mut events = Vec::new();
            match self.collection.events_after(*at, usize::MAX, &mut events) {
                Ok(()) => {
                    assert!(events.iter().is_sorted_by_key(|event| event.revision()));
                    assert_eq!(replay(state.clone(), &events), self.last(), "WATCH from {at}");
                }
                Err(StoreError::Expired { oldest, .. }) => {
                    assert_eq!(oldest, window.oldest);
                    assert!(*at < oldest);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(window.len <= window.capacity);
        let future = self.store.snapshot_at(&self.collection, revision + 1);
        assert!(matches!(future, Err(StoreError::Future { .. })));
    }
}

fn small_ring() -> RingConfig {
    RingConfig { capacity_min: 4, capacity_max: 16, ..RingConfig::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_store_is_the_model(ops in prop::collection::vec(op(), 1..80)) {
        let mut world = World::new(small_ring());
        for op in &ops {
            world.apply(op);
        }
        world.check();
    }

    #[test]
    fn pages_of_one_chain_are_the_snapshot(
        ops in prop::collection::vec(op(), 1..60),
        later in prop::collection::vec(op(), 0..20),
        limit in 1_usize..7,
        prefix in prop_oneof![Just(""), Just("ns/"), Just("ns-a/"), Just("none/")],
        odd_only in any::<bool>(),
    ) {
        let mut world = World::new(RingConfig::default());
        ops.iter().filter(|op| !matches!(op, Op::Compact(_))).for_each(|op| world.apply(op));
        let (snapshot, revision) = world.store.snapshot(&world.collection);
        let odd = |object: &Object| object.labels().get("color") == Some("odd");
        let matches: Option<&dyn Fn(&Object) -> bool> = odd_only.then_some(&odd);
        let all: Vec<_> = snapshot
            .range(prefix)
            .filter(|object| matches.is_none_or(|matches| matches(object)))
            .map(|object| object.key().to_string())
            .collect();
        let candidates = snapshot.range(prefix).count();

        // Others write between the pages.
        let mut later = later.iter().filter(|op| !matches!(op, Op::Compact(_)));
        let mut start: Option<String> = None;
        let mut seen = Vec::new();
        loop {
            let at = world.store.snapshot_at(&world.collection, revision).unwrap();
            let query = ListQuery { prefix, start: start.as_deref(), limit, matches };
            let page = at.list(&query);
            prop_assert!(page.objects.len() <= limit);
            seen.extend(page.objects.iter().map(|object| object.key().to_string()));
            if !odd_only && page.next.is_some() {
                prop_assert_eq!(page.remaining, Some((candidates - seen.len()) as u64));
            } else {
                prop_assert_eq!(page.remaining, None);
            }
            let Some(next) = page.next else { break };
            start = Some(next);
            if let Some(op) = later.next() {
                world.apply(op);
            }
        }
        prop_assert_eq!(&seen, &all);
        prop_assert!(all.is_sorted());

        let mut cursor = snapshot.cursor(prefix);
        let mut streamed = Vec::new();
        loop {
            let before = streamed.len();
            cursor.next_batch(limit, &mut streamed);
            if streamed.len() == before {
                break;
            }
        }
        streamed.retain(|object| matches.is_none_or(|matches| matches(object)));
        let streamed: Vec<_> = streamed.iter().map(|object| object.key().to_string()).collect();
        prop_assert_eq!(streamed, all);
    }
}

#[test]
fn the_ring_grows_while_events_are_fresh_and_shrinks_when_they_are_not() {
    let store = Store::new(StoreConfig::default());
    let things = store.collection("things");
    let write = |millis: u64, count: u64| {
        for n in 0..count {
            let now = SimTime::from_millis(millis + n * 20);
            let draft = draft(0, u8::try_from(n % 250).unwrap());
            let _ = store.create(&things, draft.clone(), now);
            store.update(&things, draft, None, now).unwrap();
        }
    };
    // 50 writes a second for 75 s make 3,750 fresh events: 6,400 (worked example G6).
    write(0, 6_000);
    assert_eq!(things.window().capacity, 6_400);
    // A write a minute: a quarter of the ring is old, so each full ring halves it.
    for minute in 0..20_000_u64 {
        let now = SimTime::from_secs(1_000 + minute * 60);
        let draft = draft(1, u8::try_from(minute % 250).unwrap());
        let _ = store.create(&things, draft.clone(), now);
        store.update(&things, draft, None, now).unwrap();
    }
    assert_eq!(things.window().capacity, 100);
}

#[test]
fn history_is_bounded_in_bytes() {
    let ring = RingConfig { history_bytes_max: 10_000, ..RingConfig::default() };
    let store = Store::new(StoreConfig { ring });
    let things = store.collection("things");
    store.create(&things, draft(0, 0), SimTime::ZERO).unwrap();
    for n in 0..5_000_u64 {
        // Old enough that the ring stays at 100 events.
        let now = SimTime::from_secs(n * 100);
        store.update(&things, draft(0, u8::try_from(n % 200 + 1).unwrap()), None, now).unwrap();
    }
    assert_eq!(things.window().len, 100);
    let old = store.snapshot_at(&things, 10);
    assert!(matches!(old, Err(StoreError::Expired { .. })), "{old:?}");
    assert!(store.snapshot_at(&things, store.revision() - 50).is_ok());
}

#[test]
fn writers_in_parallel_lose_nothing() {
    let store = Store::new(StoreConfig::default());
    let things = store.collection("things");
    std::thread::scope(|scope| {
        for writer in 0..4_u8 {
            let (store, things) = (&store, &things);
            scope.spawn(move || {
                for n in 0..500_u32 {
                    let key = writer * 6 + u8::try_from(n % 6).unwrap();
                    let data = u8::try_from(n % 251).unwrap();
                    let _ = store.create(things, draft(key, data), SimTime::ZERO);
                    let (snapshot, revision) = store.snapshot(things);
                    assert!(snapshot.get(&name_of(key)).is_some(), "read your own write");
                    assert!(revision >= snapshot.revision());
                    store.delete(things, &name_of(key), None, SimTime::ZERO).unwrap();
                }
            });
        }
    });
    assert_eq!(store.revision(), 1 + 4 * 500 * 2, "every write has a version of its own");
    assert!(things.head().is_empty());
}
