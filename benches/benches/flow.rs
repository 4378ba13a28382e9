//! API Priority and Fairness: what a request costs at its level, and the search for its schema.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use std::{collections::VecDeque, hint::black_box, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sim_flow::{
    Arrival, Controller, ControllerConfig, Dealer, Defects, QueueSet, QueueSetConfig,
    QueueSetEvent, Queuing, Release, RequestDigest, RequestId, WorkEstimate,
    api::{
        FlowDistinguisherMethod, FlowSchema, NamedSubject, ObjectMeta, PolicyRulesWithSubjects,
        PriorityLevelConfigurationReference, ResourcePolicyRule, Subject,
    },
    bootstrap::Bootstrap,
};
use sim_time::SimTime;

#[global_allocator]
static ALLOCATOR: sim_server::Jemalloc = sim_server::Jemalloc;

const SEATS: u32 = 600;
const WAITING: u64 = 10_000;

/// A level with all seats taken and requests waiting.
struct Busy {
    queues: QueueSet<()>,
    executing: VecDeque<RequestId>,
    now: SimTime,
    arrived: u64,
    flows: u64,
}

impl Busy {
    fn new(queues: i64, hand: i64, flows: u64) -> Self {
        let dealer = Dealer::new(queues, hand).unwrap();
        let queuing = Queuing::Queue { dealer, queue_length_limit: 100_000 };
        let config = QueueSetConfig { queuing, concurrency_limit: SEATS };
        let mut busy = Self {
            queues: QueueSet::new(SimTime::ZERO, config, Defects::default()),
            executing: VecDeque::new(),
            now: SimTime::ZERO,
            arrived: 0,
            flows,
        };
        for _ in 0..u64::from(SEATS) + WAITING {
            busy.arrive();
        }
        assert_eq!(busy.queues.totals().waiting as u64, WAITING);
        busy
    }

    fn arrive(&mut self) {
        self.now += Duration::from_micros(100);
        self.arrived += 1;
        // The golden ratio's bits: flows that land anywhere, always the same ones.
        let hash = (self.arrived % self.flows + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let arrival = self.queues.handle_arrival(self.now, WorkEstimate::ONE_SEAT, hash, ());
        assert!(matches!(arrival, Arrival::Accepted { .. }));
        self.poll();
    }

    fn finish(&mut self) {
        let request = self.executing.pop_front().unwrap();
        self.queues.handle_finish(self.now, request);
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(event) = self.queues.poll_event() {
            if let QueueSetEvent::Dispatched { id, .. } = event {
                self.executing.push_back(id);
            }
        }
    }
}

fn queue_set(c: &mut Criterion) {
    let mut group = c.benchmark_group("flow");
    // One request arrives, one ends, one that waited is dispatched.
    group.bench_function("arrival_dispatch_finish/128_queues", |b| {
        let mut busy = Busy::new(128, 6, 1_000);
        b.iter(|| {
            busy.arrive();
            busy.finish();
        });
        assert_eq!(busy.queues.totals().waiting as u64, WAITING);
    });
    // The same 16 flows, each in one queue of its own: the other queues are idle.
    for queues in [128, 1_024, 8_192, 65_536] {
        group.bench_function(BenchmarkId::new("16_busy_of_queues", queues), |b| {
            let mut busy = Busy::new(queues, 1, 16);
            b.iter(|| {
                busy.arrive();
                busy.finish();
            });
        });
    }
    group.finish();
}

/// The bootstrap objects and as many more as make `count` schemas, none of which matches.
fn controller(count: usize) -> Controller {
    let bootstrap = Bootstrap::new(Release::NEWEST);
    let mut schemas: Vec<FlowSchema> = bootstrap.flow_schemas().cloned().collect();
    for number in schemas.len()..count {
        let mut schema = FlowSchema {
            metadata: ObjectMeta { name: format!("team-{number}"), ..ObjectMeta::default() },
            ..FlowSchema::default()
        };
        schema.spec.matching_precedence = 500;
        schema.spec.priority_level_configuration =
            PriorityLevelConfigurationReference { name: "workload-low".into() };
        schema.spec.distinguisher_method = Some(FlowDistinguisherMethod { type_: "ByUser".into() });
        let any = || vec!["*".to_owned()];
        schema.spec.rules = vec![PolicyRulesWithSubjects {
            subjects: vec![Subject {
                kind: "Group".into(),
                group: Some(NamedSubject { name: format!("team-{number}") }),
                ..Subject::default()
            }],
            resource_rules: vec![ResourcePolicyRule {
                verbs: any(),
                api_groups: any(),
                resources: any(),
                cluster_scope: true,
                namespaces: any(),
            }],
            non_resource_rules: Vec::new(),
        }];
        schemas.push(schema);
    }
    assert_eq!(schemas.len(), count);
    let levels = bootstrap.priority_levels().cloned().collect();
    let mut controller = Controller::new(SimTime::ZERO, ControllerConfig::new(Release::NEWEST));
    controller.handle_config_change(SimTime::ZERO, schemas, levels);
    controller
}

/// A user whom only the schema before the last takes.
fn digest() -> RequestDigest {
    let mut digest = RequestDigest::default();
    digest.user.name = "alice".into();
    digest.user.groups = vec!["developers".into(), "system:authenticated".into()];
    digest.request.is_resource_request = true;
    digest.request.verb = "list".into();
    digest.request.path = "/api/v1/namespaces/default/pods".into();
    digest.request.api_version = "v1".into();
    digest.request.namespace = "default".into();
    digest.request.resource = "pods".into();
    digest
}

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("flow");
    group.bench_function(BenchmarkId::new("classification", 30), |b| {
        let controller = controller(30);
        let digest = digest();
        assert_eq!(controller.matching_flow_schema(&digest).name, "global-default");
        b.iter(|| black_box(controller.matching_flow_schema(black_box(&digest)).name.len()));
    });
    // Classification, width, hash, queue, metrics: all that an unhindered request meets.
    group.bench_function(BenchmarkId::new("request_and_finish", 30), |b| {
        let mut controller = controller(30);
        let digest = Arc::new(digest());
        let mut now = SimTime::ZERO;
        b.iter(|| {
            now += Duration::from_micros(100);
            let deadline = now + Duration::from_secs(15);
            let admission = controller.handle_request(now, Arc::clone(&digest), deadline);
            let sim_flow::Decision::Execute(request) = admission.decision else {
                panic!("nobody else is there")
            };
            controller.handle_finish(now, request);
            while controller.poll_event().is_some() {}
        });
    });
    group.finish();
}

criterion_group!(benches, queue_set, whole);
criterion_main!(benches);
