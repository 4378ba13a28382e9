//! One event to many watchers, without their sockets: each reads the log from its position and
//! takes the frame that all of them share.
//!
//! The time of one iteration is that of all watchers; elements per second are deliveries.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use benches::dataset::{drafts, stamped};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_api::encode::{self, WatchEventType};
use sim_store::{Store, StoreConfig};
use sim_time::SimTime;

#[global_allocator]
static ALLOCATOR: sim_server::Jemalloc = sim_server::Jemalloc;

fn fan_out(c: &mut Criterion) {
    let (resource, drafts) = drafts("pods=1000x2Ki").unwrap();
    let store = Store::new(StoreConfig::default());
    let pods = store.collection("pods");
    store.load(&pods, drafts.iter().cloned(), SimTime::ZERO);
    let mut now = SimTime::ZERO;
    let mut serial: u64 = 0;
    let mut group = c.benchmark_group("watch");
    for watchers in [1, 100, 10_000] {
        group.throughput(Throughput::Elements(watchers));
        group.bench_function(BenchmarkId::new("one_event", watchers), |b| {
            b.iter_custom(|iterations| {
                let mut cursors: Vec<u64> = (0..watchers).map(|_| store.revision()).collect();
                let mut events = Vec::new();
                let mut spent = Duration::ZERO;
                for _ in 0..iterations {
                    serial += 1;
                    now += Duration::from_secs(60);
                    let index = usize::try_from(serial).unwrap() % drafts.len();
                    let draft = stamped(&drafts[index], serial);
                    assert!(store.update(&pods, draft, None, now).unwrap().changed);
                    if serial.is_multiple_of(256) {
                        store.compact(store.revision());
                    }
                    let began = Instant::now();
                    for cursor in &mut cursors {
                        pods.events_after(*cursor, 128, &mut events).unwrap();
                        for event in events.drain(..) {
                            *cursor = event.revision();
                            let kind = WatchEventType::Modified;
                            black_box(event.frame(kind as u8, || {
                                let mut frame = encode::watch_frame_prefix(kind, &resource);
                                frame.extend_from_slice(&event.object.members());
                                frame.extend_from_slice(encode::WATCH_FRAME_SUFFIX);
                                Bytes::from(frame)
                            }));
                        }
                    }
                    spent += began.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
