//! Properties that hold for every configuration and every arrival pattern.
//!
//! The case counts below add up to more than 10,000.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use proptest::{collection::vec, prelude::*, sample::select};
use sim_flow::{
    Arrival, Borrowing, Controller, ControllerConfig, Dealer, Decision, Defects, Event,
    IntegratorResults, LevelDemand, MatchOutcome, QueueSet, QueueSetConfig, QueueSetEvent, Queuing,
    Release, RequestDigest, RequestHandle, RequestId, RequestState, SeatDemandStats, SeatLimits,
    SeatSeconds, WorkEstimate, adjust, api, bootstrap::Bootstrap, flow_hash,
};
use sim_time::SimTime;

#[derive(Clone, Debug)]
enum Op {
    Arrive { flow: u64, initial: u64, last: u64, latency_us: u64 },
    Cancel(usize),
    Finish(usize),
    Limit(u32),
    Pass { micros: u64 },
    Queues(usize),
    Release,
}

fn ops(max_seats: u64) -> impl Strategy<Value = Vec<Op>> {
    let seats = 1..=max_seats;
    let arrive = (0..6_u64, seats.clone(), 0..=max_seats, 0..3000_u64);
    let op = prop_oneof![
        8 => arrive.prop_map(|(flow, initial, last, latency_us)| {
            Op::Arrive { flow, initial, last, latency_us }
        }),
        5 => any::<usize>().prop_map(Op::Finish),
        5 => (0..9000_u64).prop_map(|micros| Op::Pass { micros }),
        2 => Just(Op::Release),
        1 => any::<usize>().prop_map(Op::Cancel),
    ];
    vec(op, 1..80)
}

fn ops_with_changes() -> impl Strategy<Value = Vec<Op>> {
    let change =
        prop_oneof![(0..9_u32).prop_map(Op::Limit), (0..SHAPES.len()).prop_map(Op::Queues),];
    (ops(10), vec((any::<prop::sample::Index>(), change), 0..6)).prop_map(|(mut ops, changes)| {
        for (at, change) in changes {
            ops.insert(at.index(ops.len()), change);
        }
        ops
    })
}

/// Queues and hand size.
const SHAPES: &[(i64, i64)] = &[(1, 1), (2, 1), (4, 2), (16, 3), (64, 6)];

fn queuing(shape: usize, queue_length_limit: u32) -> Queuing {
    let (queues, hand) = SHAPES[shape];
    Queuing::Queue { dealer: Dealer::new(queues, hand).unwrap(), queue_length_limit }
}

/// A queue set under test, with a tally of its own.
struct Bench {
    /// With the width at arrival.
    set: QueueSet<u64>,
    now: SimTime,
    waiting: Vec<RequestId>,
    executing: Vec<RequestId>,
    accepted: u64,
    started: BTreeSet<RequestId>,
    cancelled: u64,
    refused: u64,
    /// The last handler ended because the next request did not fit.
    blocked: bool,
    limit: u32,
    length_limit: u32,
}

impl Bench {
    fn new(shape: usize, limit: u32, length_limit: u32, defects: Defects) -> Self {
        let config =
            QueueSetConfig { queuing: queuing(shape, length_limit), concurrency_limit: limit };
        Self {
            set: QueueSet::new(SimTime::ZERO, config, defects),
            now: SimTime::ZERO,
            waiting: Vec::new(),
            executing: Vec::new(),
            accepted: 0,
            started: BTreeSet::new(),
            cancelled: 0,
            refused: 0,
            blocked: false,
            limit,
            length_limit,
        }
    }

    /// Applies an operation; whether it may dispatch.
    fn apply(&mut self, op: &Op) -> bool {
        match *op {
            Op::Arrive { flow, initial, last, latency_us } => {
                let work = WorkEstimate {
                    initial_seats: initial,
                    final_seats: if latency_us == 0 { 0 } else { last },
                    additional_latency: Duration::from_micros(latency_us),
                };
                let hash = flow_hash("schema", &flow.to_string());
                match self.set.handle_arrival(self.now, work, hash, work.max_seats()) {
                    Arrival::Accepted { id, .. } => {
                        self.accepted += 1;
                        self.waiting.push(id);
                    }
                    Arrival::Rejected { .. } => self.refused += 1,
                }
            }
            Op::Cancel(pick) => {
                if self.waiting.is_empty() {
                    return false;
                }
                let id = self.waiting.remove(pick % self.waiting.len());
                assert!(self.set.handle_cancel(self.now, id).is_some());
                self.cancelled += 1;
                return false;
            }
            Op::Finish(pick) => {
                if self.executing.is_empty() {
                    return false;
                }
                let id = self.executing.remove(pick % self.executing.len());
                self.set.handle_finish(self.now, id);
            }
            Op::Limit(limit) => {
                self.limit = limit;
                self.set.handle_limit_change(self.now, limit);
            }
            Op::Pass { micros } => {
                self.now += Duration::from_micros(micros);
                return false;
            }
            Op::Queues(shape) => {
                let config = QueueSetConfig {
                    queuing: queuing(shape, self.length_limit),
                    concurrency_limit: self.limit,
                };
                self.set.handle_config_change(self.now, config);
            }
            Op::Release => {
                if self.set.handle_release(self.now).is_none() {
                    return false;
                }
            }
        }
        self.take_events();
        true
    }

    fn take_events(&mut self) {
        self.blocked = false;
        while let Some(event) = self.set.poll_event() {
            match event {
                QueueSetEvent::Dispatched { id, .. } => {
                    assert!(self.started.insert(id), "a request is dispatched once");
                    let at = self.waiting.iter().position(|&waiting| waiting == id);
                    self.waiting.remove(at.expect("only what waits is dispatched"));
                    self.executing.push(id);
                    self.blocked = false;
                }
                QueueSetEvent::NoAccommodation { .. } => self.blocked = true,
            }
        }
    }

    /// Finishes everything; the number of rounds it took.
    fn drain(&mut self) -> u64 {
        let mut rounds = 0;
        loop {
            self.now += Duration::from_millis(1);
            if let Some(due) = self.set.poll_timeout() {
                self.now = self.now.max(due);
            }
            let released = self.apply(&Op::Release);
            if !released && !self.apply(&Op::Finish(0)) {
                return rounds;
            }
            rounds += 1;
        }
    }

    /// Requests with seats that were wider than the limit when they arrived: dispatch may have
    /// narrowed their final phase since.
    fn wide(&self) -> usize {
        let limit = u64::from(self.limit);
        let of = self.set.requests().filter(|r| r.state != RequestState::Waiting);
        of.filter(|r| r.payload > limit).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2500))]

    /// P1, first half.
    #[test]
    fn narrow_requests_never_exceed_the_limit(
        shape in 0..SHAPES.len(), limit in 10..20_u32, length in 1..5_u32, ops in ops(10),
    ) {
        let mut bench = Bench::new(shape, limit, length, Defects::default());
        for op in &ops {
            bench.apply(op);
            prop_assert!(bench.set.totals().seats_in_use <= limit.into());
        }
    }

    /// P1, second half.
    #[test]
    fn only_one_wide_request_exceeds_the_limit(
        shape in 0..SHAPES.len(), limit in 1..8_u32, length in 1..5_u32, ops in ops(10),
    ) {
        let mut bench = Bench::new(shape, limit, length, Defects::default());
        for op in &ops {
            bench.apply(op);
            if bench.set.totals().seats_in_use > limit.into() {
                prop_assert!(bench.wide() >= 1);
                prop_assert!(bench.executing.len() <= 1);
            }
        }
    }

    /// P2, P3, P5 and P6, with changes of limits and queues in between.
    #[test]
    fn work_is_conserved_and_everything_ends(
        shape in 0..SHAPES.len(), limit in 1..12_u32, length in 1..5_u32, ops in ops_with_changes(),
    ) {
        let mut bench = Bench::new(shape, limit, length, Defects { leak_waiting_seats: false });
        let (mut r, mut since) = (SeatSeconds::ZERO, SimTime::ZERO);
        for op in &ops {
            let limit_before = bench.limit;
            let dispatches = bench.apply(op);
            let totals = *bench.set.totals();
            prop_assert_eq!(totals.waiting, bench.waiting.len());
            prop_assert_eq!(totals.executing, bench.executing.len());
            let states = |state| bench.set.requests().filter(move |r| r.state == state);
            let waiting: u64 = states(RequestState::Waiting).map(|r| r.work.max_seats()).sum();
            prop_assert_eq!(totals.seats_waiting, waiting);
            if dispatches {
                let full = totals.seats_in_use >= bench.limit.into();
                prop_assert!(totals.waiting == 0 || full || bench.blocked, "{:?}", op);
                // R never goes back, nor faster than all seats serving one queue.
                let now_r = bench.set.current_r();
                let elapsed = bench.now.saturating_since(since);
                let most = SeatSeconds::new(limit_before.into(), elapsed).units();
                let moved = now_r.units().checked_sub(r.units());
                let slack = ops.len() as u64;
                prop_assert!(moved.is_some_and(|moved| moved <= most + slack || limit_before != bench.limit));
                (r, since) = (now_r, bench.now);
            }
        }
        bench.apply(&Op::Limit(bench.limit.max(1)));
        let rounds = bench.drain();
        prop_assert!(rounds <= 2 * bench.accepted);
        let totals = *bench.set.totals();
        prop_assert!(bench.set.is_idle());
        prop_assert_eq!((totals.seats_in_use, totals.seats_waiting), (0, 0));
        prop_assert!(bench.set.demand().value().abs() < f64::EPSILON);
        prop_assert_eq!(bench.started.len() as u64 + bench.cancelled, bench.accepted);
        prop_assert_eq!(totals.rejected, bench.refused + bench.cancelled);
        prop_assert_eq!(bench.set.requests().count(), 0);
    }

    /// P9: what a queue is charged in the end is the work done, to the unit of the fixed point.
    #[test]
    fn the_charge_is_the_work_done(
        requests in vec((1..50_u64, 0..50_u64, 0..20_000_000_u64, 0..40_000_000_u64), 1..12),
    ) {
        let config = QueueSetConfig { queuing: queuing(0, 50), concurrency_limit: 1000 };
        let mut set = QueueSet::new(SimTime::ZERO, config, Defects::default());
        let mut now = SimTime::from_secs(1);
        for (initial_seats, final_seats, latency, service) in requests {
            let work = WorkEstimate {
                initial_seats, final_seats, additional_latency: Duration::from_nanos(latency),
            };
            let Arrival::Accepted { id, .. } = set.handle_arrival(now, work, 0, ()) else {
                panic!("there is room");
            };
            let start = set.current_r();
            now += Duration::from_nanos(service);
            set.handle_finish(now, id);
            let end = set.dump_queues().next().unwrap().next_dispatch_r;
            let guess = 3_000_000 - i64::try_from(service).unwrap();
            let charge = work.total_work()
                .wrapping_sub(SeatSeconds::from_seats_nanos(initial_seats as f64, guess));
            prop_assert_eq!(end, start.wrapping_add(charge));
            let done = SeatSeconds::new(initial_seats, Duration::from_nanos(service))
                .wrapping_add(work.final_work());
            prop_assert!(charge.units().abs_diff(done.units()) <= 1);
        }
    }

    /// P8: hands are distinct cards of the deck, and a function of the hash.
    #[test]
    fn hands_are_distinct_and_repeatable(
        shape in select(vec![(1, 1), (2, 2), (5, 5), (16, 4), (64, 6), (128, 6), (15, 15)]),
        hash in any::<u64>(),
    ) {
        let dealer = Dealer::new(shape.0, shape.1).unwrap();
        let hand = dealer.deal(hash);
        let cards: BTreeSet<u32> = hand.cards().iter().copied().collect();
        prop_assert_eq!(cards.len() as i64, shape.1);
        prop_assert!(cards.iter().all(|&card| i64::from(card) < shape.0));
        let again = dealer.deal(hash);
        prop_assert_eq!(again.cards(), hand.cards());
    }

    /// P7: current limits stay in their bounds, and their sum near that of the nominal ones.
    #[test]
    fn borrowing_conserves_seats(
        server in 1..2000_u32,
        levels in vec((1..200_u32, 0..=100_u32, prop::option::of(0..300_u32), 0..3000_u32, 0.0..3000.0), 1..12),
        exempt_demand in 0..3000_u32,
    ) {
        let share_sum: u32 = levels.iter().map(|level| level.0).sum();
        let mut demands: Vec<LevelDemand> = levels.iter().map(|&(shares, lend, borrow, high, smoothed)| {
            let nominal = (server * shares).div_ceil(share_sum);
            let borrowing = borrow.map_or(server, |percent| nominal * percent / 100);
            LevelDemand {
                exempt: false,
                limits: SeatLimits { nominal, min: nominal - nominal * lend / 100, max: nominal + borrowing },
                demand: SeatDemandStats { high_watermark: high, smoothed, ..Default::default() },
            }
        }).collect();
        let mut exempt = SeatDemandStats::default();
        exempt.update(IntegratorResults {
            duration_s: 10.0, average: 0.0, deviation: f64::NAN, min: 0.0, max: exempt_demand.into(),
        });
        let limits = SeatLimits { nominal: 0, min: 0, max: server };
        demands.push(LevelDemand { exempt: true, limits, demand: exempt });
        let adjustment = adjust(Borrowing::ExemptApart, &demands);
        if let Some(current) = adjustment.current_limits {
            let limited: Vec<_> = demands.iter().zip(&current).filter(|(l, _)| !l.exempt).collect();
            for (level, current) in &limited {
                prop_assert!(level.limits.min <= **current && **current <= level.limits.max);
            }
            let sum: u64 = limited.iter().map(|(_, c)| u64::from(**c)).sum();
            let nominal: u64 = limited.iter().map(|(l, _)| u64::from(l.limits.nominal)).sum();
            let min: u64 = limited.iter().map(|(l, _)| u64::from(l.limits.min)).sum();
            prop_assert!(min <= sum && sum <= nominal + limited.len() as u64);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// P4: of two queues that are never empty, neither gets ahead by more than the seats' worth of
    /// the largest requests.
    #[test]
    fn backlogged_queues_get_equal_work(
        limit in 1..8_u64,
        a in (1..8_u64, 1..30_u64), b in (1..8_u64, 1..30_u64),
    ) {
        let dealer = Dealer::new(2, 1).unwrap();
        let config = QueueSetConfig {
            queuing: Queuing::Queue { dealer, queue_length_limit: 1000 },
            concurrency_limit: u32::try_from(limit).unwrap(),
        };
        let mut set = QueueSet::new(SimTime::ZERO, config, Defects::default());
        let kinds = [(a.0.min(limit), a.1), (b.0.min(limit), b.1)];
        for _ in 0..150 {
            for (flow, &(seats, _)) in kinds.iter().enumerate() {
                set.handle_arrival(SimTime::ZERO, WorkEstimate::initial(seats), flow as u64, flow);
            }
        }
        let mut running = BTreeSet::new();
        let mut served = [0_u64; 2];
        let mut started = [0; 2];
        let largest = kinds.iter().map(|(seats, ms)| seats * ms.max(&3)).max().unwrap();
        let mut now = SimTime::ZERO;
        loop {
            while let Some(event) = set.poll_event() {
                if let QueueSetEvent::Dispatched { id, .. } = event {
                    let flow = set.request(id).unwrap().payload;
                    started[flow] += 1;
                    running.insert((now + Duration::from_millis(kinds[flow].1), id));
                }
            }
            if started.iter().any(|&count| count >= 149) {
                break;
            }
            let Some((end, id)) = running.pop_first() else { break };
            now = end;
            let flow = set.handle_finish(now, id).expect("nothing lingers");
            served[flow] += kinds[flow].0 * kinds[flow].1;
            let apart = served[0].abs_diff(served[1]);
            prop_assert!(apart <= (2 * limit + 2) * largest, "{served:?} of {kinds:?}");
        }
    }

    /// P10: classification is total, repeatable, and the first match in order of precedence.
    #[test]
    fn classification_is_total_and_in_order(
        precedences in vec((1..20_i32, 0..4_usize, any::<bool>()), 0..12),
        user in select(vec!["alice", "bob", "system:serviceaccount:ns:sa", ""]),
        group in prop::option::of(select(vec!["system:masters", "system:authenticated", "devs"])),
        verb in select(vec!["get", "list", "create"]),
        namespace in select(vec!["", "ns", "other"]),
    ) {
        let users = ["alice", "bob", "*", "nobody"];
        let schemas: Vec<api::FlowSchema> = precedences.iter().enumerate().map(|(i, &(precedence, user, cluster))| {
            api::flow_schema_from_json(serde_json::json!({
                "metadata": {"name": format!("s{}", i % 7)},
                "spec": {
                    "matchingPrecedence": precedence,
                    "priorityLevelConfiguration": {"name": if i % 5 == 4 { "missing" } else { "workload-low" }},
                    "distinguisherMethod": {"type": "ByUser"},
                    "rules": [{
                        "subjects": [{"kind": "User", "user": {"name": users[user]}}],
                        "resourceRules": [{"verbs": ["get", "list"], "apiGroups": ["*"],
                            "resources": ["pods"], "clusterScope": cluster, "namespaces": ["ns"]}]}]},
            })).unwrap()
        }).collect();
        let levels = Bootstrap::new(Release::NEWEST).priority_levels().cloned().collect();
        let mut controller = Controller::new(SimTime::ZERO, ControllerConfig::new(Release::NEWEST));
        controller.handle_config_change(SimTime::ZERO, schemas.clone(), levels);
        let mut digest = RequestDigest::default();
        digest.user.name = user.to_owned();
        digest.user.groups = group.iter().map(|&group| group.to_owned()).collect();
        digest.request.is_resource_request = true;
        digest.request.verb = verb.to_owned();
        digest.request.resource = "pods".to_owned();
        digest.request.namespace = namespace.to_owned();
        let classified = controller.classify(&digest);
        prop_assert_eq!(&classified.flow_schema, &controller.classify(&digest).flow_schema);
        let first = schemas.iter()
            .filter(|s| s.spec.priority_level_configuration.name != "missing")
            .filter(|s| matches!(s.spec.outcome(&digest), MatchOutcome::Matched { .. }))
            .map(|s| (s.spec.matching_precedence, s.metadata.name.as_str()))
            .min();
        let expected = match (group, first) {
            (Some("system:masters"), _) => "exempt",
            (_, Some((_, name))) => name,
            (_, None) => "catch-all",
        };
        prop_assert_eq!(classified.flow_schema.name.as_str(), expected);
    }

    /// P3 for the controller: every request has one end, and the gauges come back to zero.
    #[test]
    fn a_controller_comes_to_rest(
        server in 1..40_u32,
        requests in vec((0..3_usize, 0..50_u64, 1..6_u64, 1..400_u64, 0..20_u64), 1..60),
    ) {
        let config = ControllerConfig {
            server_concurrency_limit: server,
            defects: Defects { leak_waiting_seats: false },
            ..ControllerConfig::new(Release::NEWEST)
        };
        let mut apf = Controller::with_bootstrap(SimTime::ZERO, config);
        let groups = ["system:masters", "system:authenticated", "system:serviceaccounts"];
        let mut now = SimTime::ZERO;
        let mut ends: BTreeSet<(SimTime, RequestHandle)> = BTreeSet::new();
        let mut waiting: BTreeMap<RequestHandle, Duration> = BTreeMap::new();
        let mut executed = 0;
        let mut refused = 0;
        let total = requests.len();
        let mut requests = requests.into_iter();
        loop {
            let next = requests.next();
            if let Some((who, gap, seats, service, latency)) = next {
                now += Duration::from_millis(gap);
                while let Some(&(end, handle)) = ends.first().filter(|(end, _)| *end <= now) {
                    ends.remove(&(end, handle));
                    apf.handle_finish(end.max(now), handle);
                }
                let mut digest = RequestDigest::default();
                digest.user.groups = vec![groups[who].to_owned()];
                digest.request.verb = "get".to_owned();
                digest.request.path = "/x".to_owned();
                let work = WorkEstimate {
                    initial_seats: seats,
                    final_seats: latency.min(5),
                    additional_latency: Duration::from_millis(latency),
                };
                let service = Duration::from_millis(service);
                let deadline = now + Duration::from_millis(300);
                match apf.handle_request_of_width(now, Arc::new(digest), work, deadline).decision {
                    Decision::Execute(handle) => {
                        ends.insert((now + service, handle));
                        executed += 1;
                    }
                    Decision::Reject(_) => refused += 1,
                    Decision::Wait(handle) => drop(waiting.insert(handle, service)),
                }
            } else if let Some((end, handle)) = ends.pop_first() {
                now = now.max(end);
                apf.handle_finish(now, handle);
            } else if waiting.is_empty() {
                break;
            } else {
                now = apf.poll_timeout();
                apf.handle_timeout(now);
            }
            while let Some(event) = apf.poll_event() {
                match event {
                    Event::Execute(handle) => {
                        let service = waiting.remove(&handle).expect("it waited");
                        ends.insert((now + service, handle));
                        executed += 1;
                    }
                    Event::Reject(handle, _) => {
                        prop_assert!(waiting.remove(&handle).is_some());
                        refused += 1;
                    }
                }
            }
        }
        prop_assert_eq!(executed + refused, total);
        now += Duration::from_secs(1);
        apf.handle_timeout(now);
        for level in apf.levels() {
            let totals = level.queues().totals();
            prop_assert_eq!((totals.seats_in_use, totals.seats_waiting), (0, 0));
            prop_assert!(level.queues().is_idle());
        }
        for family in apf.metrics(now) {
            if family.name.contains("current_executing") || family.name.contains("current_inqueue") {
                for series in family.series {
                    let sim_flow::MetricValue::Gauge(value) = series.value else { panic!() };
                    if !family.name.starts_with("apiserver_current") {
                        prop_assert!(value.abs() < f64::EPSILON, "{} {:?}", family.name, series.labels);
                    }
                }
            }
        }
    }
}

/// P8: every queue is as likely as the others, by the χ² test on the flows of 20,000 users.
#[test]
fn hands_are_uniform() {
    let dealer = Dealer::new(64, 6).unwrap();
    let mut counts = [0_u32; 64];
    for user in 0..20_000 {
        let hash = flow_hash("global-default", &format!("user-{user}"));
        for &card in dealer.deal(hash).cards() {
            counts[card as usize] += 1;
        }
    }
    let expected = f64::from(20_000 * 6) / 64.0;
    let chi2: f64 = counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    // 63 degrees of freedom: 103.4 is passed by one sample in a thousand.
    assert!(chi2 < 103.4, "{chi2}");
}
