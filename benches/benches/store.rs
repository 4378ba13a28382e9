//! The store's own operations on 100,000 pods of 2 kB.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use benches::dataset::{NAMESPACE, drafts, stamped};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_store::{Collection, Draft, ListQuery, Store, StoreConfig};
use sim_time::SimTime;

#[global_allocator]
static ALLOCATOR: sim_server::Jemalloc = sim_server::Jemalloc;

const OBJECTS: usize = 100_000;

struct Fixture {
    store: Store,
    pods: Arc<Collection>,
    drafts: Vec<Draft>,
    /// Each write is a minute after the one before: the watch window stays at its least, and
    /// history is compacted, so that a long run does not grow.
    now: SimTime,
    writes: u64,
}

impl Fixture {
    fn new() -> Self {
        let (_, drafts) = drafts(&format!("pods={OBJECTS}x2Ki")).unwrap();
        let store = Store::new(StoreConfig::default());
        let pods = store.collection("pods");
        store.load(&pods, drafts.iter().cloned(), SimTime::ZERO);
        Self { store, pods, drafts, now: SimTime::ZERO, writes: 0 }
    }

    fn tick(&mut self) {
        self.now += Duration::from_secs(60);
        self.writes += 1;
        if self.writes.is_multiple_of(256) {
            self.store.compact(self.store.revision());
        }
    }

    /// The draft number `n`, in an order that jumps about, with other content each time.
    fn draft(&self, n: u64) -> Draft {
        let index = usize::try_from(n).unwrap() * 7_919 % self.drafts.len();
        stamped(&self.drafts[index], n)
    }
}

fn writes(c: &mut Criterion) {
    let mut fixture = Fixture::new();
    let mut group = c.benchmark_group("store");
    let mut serial = 0;
    group.bench_function(BenchmarkId::new("insert", OBJECTS), |b| {
        b.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for _ in 0..iterations {
                serial += 1;
                let mut draft = fixture.draft(serial);
                draft.name = format!("{}-new", draft.name).into();
                let key = draft.key();
                fixture.tick();
                let began = Instant::now();
                let made = fixture.store.create(&fixture.pods, draft, fixture.now);
                spent += began.elapsed();
                black_box(made.unwrap());
                fixture.store.delete(&fixture.pods, &key, None, fixture.now).unwrap();
            }
            spent
        });
    });
    group.bench_function(BenchmarkId::new("update", OBJECTS), |b| {
        b.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for _ in 0..iterations {
                serial += 1;
                let draft = fixture.draft(serial);
                fixture.tick();
                let began = Instant::now();
                let updated = fixture.store.update(&fixture.pods, draft, None, fixture.now);
                spent += began.elapsed();
                assert!(updated.unwrap().changed);
            }
            spent
        });
    });
    group.finish();
}

fn reads(c: &mut Criterion) {
    let fixture = Fixture::new();
    let mut group = c.benchmark_group("store");
    group.bench_function(BenchmarkId::new("snapshot", OBJECTS), |b| {
        b.iter(|| fixture.store.snapshot(&fixture.pods));
    });
    let (snapshot, _) = fixture.store.snapshot(&fixture.pods);
    let prefix = format!("{NAMESPACE}/");
    let keys: Vec<_> = snapshot.range(&prefix).map(|pod| Arc::clone(pod.key())).collect();
    for (name, at) in [("first", 0), ("middle", OBJECTS / 2), ("last", OBJECTS - 500)] {
        group.bench_function(BenchmarkId::new("page_of_500", name), |b| {
            b.iter(|| {
                let query = ListQuery {
                    prefix: &prefix,
                    start: Some(&keys[at]),
                    limit: 500,
                    matches: None,
                };
                let page = snapshot.list(&query);
                assert_eq!(page.objects.len(), 500);
                page
            });
        });
    }
    group.finish();
}

fn load(c: &mut Criterion) {
    const LOADED: usize = 10_000;
    let (_, drafts) = drafts(&format!("pods={LOADED}x2Ki")).unwrap();
    let mut group = c.benchmark_group("store");
    group.throughput(Throughput::Elements(LOADED as u64)).sample_size(20);
    group.bench_function(BenchmarkId::new("load", LOADED), |b| {
        b.iter_batched(
            || (Store::new(StoreConfig::default()), drafts.clone()),
            |(store, drafts)| {
                let pods = store.collection("pods");
                assert_eq!(store.load(&pods, drafts, SimTime::ZERO), LOADED);
                store
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, writes, reads, load);
criterion_main!(benches);
