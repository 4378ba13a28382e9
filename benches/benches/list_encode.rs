//! From a snapshot to the bytes of a LIST, without a socket.
//!
//! `streamed` yields references and touches no object's bytes, so its bytes per second are not a
//! speed of anything that moves bytes; `written` is the same list copied into a socket's worth of
//! buffer, as the kernel does with what it is given.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use std::{hint::black_box, sync::Arc};

use benches::dataset::{NAMESPACE, drafts};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_api::{
    Query, Release, Resource,
    encode::{self, ListMeta},
    view::Wanted,
};
use sim_server::encode::{
    Source,
    buffered::{Buffered, ListBuilder},
    gzip::Gzip,
    made::{MadeList, Maker, Measure},
    streamed::{Items, StreamedList},
};
use sim_store::{Collection, Store, StoreConfig};
use sim_time::SimTime;

#[global_allocator]
static ALLOCATOR: sim_server::Jemalloc = sim_server::Jemalloc;

struct Fixture {
    resource: Arc<Resource>,
    store: Store,
    pods: Arc<Collection>,
    head: Bytes,
    bytes: u64,
}

impl Fixture {
    fn new(count: usize) -> Self {
        let (resource, drafts) = drafts(&format!("pods={count}x2Ki")).unwrap();
        let store = Store::new(StoreConfig::default());
        let pods = store.collection("pods");
        store.load(&pods, drafts, SimTime::ZERO);
        let head = head(&resource, &store);
        let mut fixture = Self { resource, store, pods, head, bytes: 0 };
        fixture.bytes = fixture.buffered().len() as u64;
        fixture
    }

    fn items(&self) -> Items {
        let (snapshot, _) = self.store.snapshot(&self.pods);
        Items::Cursor(snapshot.cursor(&format!("{NAMESPACE}/")), None)
    }

    fn buffered(&self) -> Bytes {
        ListBuilder::new(&self.head, self.items(), None).finish().into_bytes()
    }

    /// As the server makes it from the second such list on, when each object's form is kept.
    fn protobuf(&self) -> MadeList {
        let (release, accept) = (Release::default(), "application/vnd.kubernetes.protobuf");
        let wanted = Wanted::negotiate(release, &self.resource, accept, false).unwrap();
        let view = wanted.list(&self.resource, &Query::default()).unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let maker = Maker { view, resource: Arc::clone(&self.resource), now };
        let mut measure = Measure::new(&maker, self.items());
        let bytes = loop {
            if let Some(bytes) = measure.step().unwrap() {
                break bytes;
            }
        };
        let meta = ListMeta { resource_version: self.store.revision(), ..ListMeta::default() };
        MadeList::new(maker, &meta, self.items(), bytes)
    }

    fn streamed(&self) -> StreamedList {
        StreamedList::new(self.head.clone(), self.items(), None)
    }
}

fn head(resource: &Resource, store: &Store) -> Bytes {
    let meta = ListMeta { resource_version: store.revision(), ..ListMeta::default() };
    encode::list_prefix(resource, &meta).into()
}

/// Takes every piece; returns the number of bytes.
fn drain(mut source: impl Source) -> usize {
    let mut bytes = 0;
    while let Some(piece) = source.next_piece() {
        bytes += black_box(&piece).len();
    }
    bytes
}

/// Copies every piece into one buffer, again and again.
fn write(mut source: impl Source, socket: &mut Vec<u8>) {
    while let Some(piece) = source.next_piece() {
        socket.clear();
        piece.iter().for_each(|part| socket.extend_from_slice(part));
        black_box(&socket);
    }
}

fn list_encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("list_encode");
    for count in [100, 1_000, 10_000] {
        let fixture = Fixture::new(count);
        assert_eq!(drain(fixture.streamed()) as u64, fixture.bytes);
        group.throughput(Throughput::Bytes(fixture.bytes));
        group.bench_function(BenchmarkId::new("buffered", count), |b| {
            b.iter(|| drain(Buffered::new(fixture.buffered())));
        });
        group.bench_function(BenchmarkId::new("streamed", count), |b| {
            b.iter(|| drain(fixture.streamed()));
        });
        let mut socket = Vec::with_capacity(1 << 20);
        group.bench_function(BenchmarkId::new("buffered_written", count), |b| {
            b.iter(|| write(Buffered::new(fixture.buffered()), &mut socket));
        });
        group.bench_function(BenchmarkId::new("streamed_written", count), |b| {
            b.iter(|| write(fixture.streamed(), &mut socket));
        });
        let bytes = drain(fixture.protobuf()) as u64;
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(BenchmarkId::new("protobuf", count), |b| {
            b.iter(|| drain(fixture.protobuf()));
        });
        group.bench_function(BenchmarkId::new("protobuf_written", count), |b| {
            b.iter(|| write(fixture.protobuf(), &mut socket));
        });
        group.throughput(Throughput::Bytes(fixture.bytes));
        if count == 1_000 {
            group.bench_function(BenchmarkId::new("buffered_gzip", count), |b| {
                b.iter(|| drain(Gzip::new(Buffered::new(fixture.buffered()))));
            });
            group.bench_function(BenchmarkId::new("streamed_gzip", count), |b| {
                b.iter(|| drain(Gzip::new(fixture.streamed())));
            });
            group.bench_function(BenchmarkId::new("pretty", count), |b| {
                b.iter(|| drain(Buffered::new(encode::indent(&fixture.buffered()).into())));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, list_encode);
criterion_main!(benches);
