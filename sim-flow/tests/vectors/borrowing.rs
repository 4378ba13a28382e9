//! limits.json, borrowing.json and e2e.json: seats of levels, and whole runs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use sim_flow::{
    Borrowing, Controller, ControllerConfig, Decision, Event, Integrator, LevelDemand,
    RejectReason, Release, RequestHandle, SeatDemandStats, SeatLimits, WorkEstimate, adjust,
    api::{PriorityLevelConfiguration, priority_level_from_json},
};
use sim_time::SimTime;

use crate::{
    classify::digest_of,
    golden::{assert_close, f64_of, list, replay, str_of, u64_of},
};

fn u32_of(value: &Value) -> u32 {
    u64_of(value).try_into().unwrap()
}

fn config(server_concurrency_limit: u32) -> ControllerConfig {
    ControllerConfig { server_concurrency_limit, ..ControllerConfig::new(release()) }
}

/// The recordings are of 1.33.
fn release() -> Release {
    Release::new(33).unwrap()
}

/// An object as the controller got it: without defaulting.
fn level_of(value: &Value) -> PriorityLevelConfiguration {
    let spec = serde_json::from_value(value["spec"].clone()).unwrap();
    let object = json!({"metadata": {"name": value["name"]}});
    PriorityLevelConfiguration { spec, ..priority_level_from_json(object).unwrap() }
}

#[test]
fn limits() {
    replay("limits", |golden| {
        let sets: BTreeMap<&str, Vec<PriorityLevelConfiguration>> = list(golden, "sets")
            .iter()
            .map(|set| {
                let levels = list(set, "priority_levels").iter().map(level_of).collect();
                (str_of(&set["set"]), levels)
            })
            .collect();
        let cases = list(golden, "cases");
        for case in cases {
            let config = config(u32_of(&case["server_concurrency_limit"]));
            let mut controller = Controller::new(SimTime::ZERO, config);
            let levels = sets[str_of(&case["set"])].clone();
            controller.handle_config_change(SimTime::ZERO, Vec::new(), levels);
            let ours: Vec<Value> = controller
                .levels()
                .map(|level| {
                    let SeatLimits { nominal, min, max } = level.limits();
                    let limit = level.queues().config().concurrency_limit;
                    assert_eq!(limit, level.current_limit());
                    let denominator = level.concurrency_denominator();
                    let name = &level.object().name;
                    json!([name, nominal, min, max, limit, denominator, level.max_seats()])
                })
                .collect();
            assert_eq!(ours, list(case, "levels"), "{} {:?}", case["set"], config);
            assert_close(controller.seat_fair_frac(), &case["fair_frac"], case);
        }
        cases.len()
    });
}

/// Levels whose demand is written by hand.
struct Levels {
    names: Vec<String>,
    integrators: Vec<Integrator>,
    current_limits: Vec<u32>,
    levels: Vec<LevelDemand>,
}

impl Levels {
    fn new(series: &Value) -> Self {
        let names: Vec<String> =
            list(series, "level_order").iter().map(|name| str_of(name).to_owned()).collect();
        let levels = names.iter().map(|name| LevelDemand {
            exempt: name == "exempt",
            limits: SeatLimits::default(),
            demand: SeatDemandStats::default(),
        });
        let mut levels = Self {
            integrators: vec![Integrator::new(SimTime::ZERO); names.len()],
            current_limits: vec![0; names.len()],
            levels: levels.collect(),
            names,
        };
        levels.set_limits(list(series, "limits"));
        levels
    }

    fn index(&self, name: &Value) -> usize {
        self.names.iter().position(|n| n == str_of(name)).unwrap()
    }

    fn set_limits(&mut self, limits: &[Value]) {
        for row in limits {
            let index = self.index(&row[0]);
            let [nominal, min, max] = [1, 2, 3].map(|i| u32_of(&row[i]));
            self.levels[index].limits = SeatLimits { nominal, min, max };
            self.current_limits[index] = row.get(4).map_or(self.current_limits[index], u32_of);
        }
    }

    fn fire(&mut self, now: SimTime, period: &Value) -> usize {
        for (level, integrator) in self.levels.iter_mut().zip(&mut self.integrators) {
            level.demand.update(integrator.reset(now));
        }
        let adjustment = adjust(Borrowing::ExemptApart, &self.levels);
        if let Some(limits) = adjustment.current_limits {
            self.current_limits = limits;
        }
        assert_close(adjustment.fair_frac, &period["fair_frac"], &period["p"]);
        let rows = list(period, "rows");
        assert_eq!(rows.len(), self.levels.len());
        for (i, row) in rows.iter().enumerate() {
            let what = format!("period {} level {}", period["p"], self.names[i]);
            compare_row(&self.levels[i], adjustment.targets[i], row, &what);
            for column in [6, 7] {
                assert_eq!(self.current_limits[i], u32_of(&row[column]), "{what}");
            }
        }
        rows.len()
    }
}

fn compare_row(level: &LevelDemand, target: f64, row: &Value, what: &str) {
    let stats = level.demand;
    assert_eq!(stats.high_watermark, u32_of(&row[0]), "{what}");
    assert_close(stats.average, &row[1], what);
    assert_close(stats.deviation, &row[2], what);
    assert_close(stats.average + stats.deviation, &row[3], what);
    assert_close(stats.smoothed, &row[4], what);
    if !row[5].is_null() {
        assert_close(target, &row[5], what);
    }
}

fn borrowing_series(series: &Value) -> usize {
    let start = SimTime::ZERO;
    let mut levels = Levels::new(series);
    let mut demand = list(series, "demand").iter().peekable();
    let mut rows = 0;
    for period in list(series, "periods") {
        let changes_config = period.get("event").is_some();
        let early = if changes_config { 3 } else { 0 };
        let now = start + Duration::from_secs(10 * u64_of(&period["p"]) - early);
        while let Some(set) = demand.next_if(|set| u64_of(&set[0]) <= now.as_nanos()) {
            let index = levels.index(&set[1]);
            let at = SimTime::from_nanos(u64_of(&set[0]));
            levels.integrators[index].set(at, f64_of(&set[2]));
        }
        levels.set_limits(list(period, "limits"));
        rows += levels.fire(now, period);
    }
    rows
}

fn integrator(steps: &Value) {
    let mut now = SimTime::ZERO;
    let mut integrator = Integrator::new(now);
    for step in steps.as_array().unwrap() {
        now += Duration::from_nanos(u64_of(&step[0]));
        let results = match str_of(&step[1]) {
            "set" => {
                integrator.set(now, f64_of(&step[2]));
                continue;
            }
            "add" => {
                integrator.add(now, f64_of(&step[2]));
                continue;
            }
            "get" => integrator.results(now),
            "reset" => integrator.reset(now),
            other => panic!("unknown step {other}"),
        };
        let ours =
            [results.duration_s, results.average, results.deviation, results.min, results.max];
        for (i, ours) in ours.into_iter().enumerate() {
            assert_close(ours, &step[3][i], step);
        }
    }
}

#[test]
fn borrowing() {
    replay("borrowing", |golden| {
        let sequences = list(golden, "integrator");
        sequences.iter().for_each(integrator);
        list(golden, "series").iter().map(borrowing_series).sum::<usize>() + sequences.len()
    });
}

/// What has become of a request.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    dispatched: Option<SimTime>,
    ended: Option<SimTime>,
    outcome: &'static str,
}

struct Run<'a> {
    controller: Controller,
    requests: &'a [Value],
    by_handle: BTreeMap<RequestHandle, usize>,
    /// (time, request) of ends of execution.
    finishes: BTreeMap<(SimTime, usize), RequestHandle>,
    fates: Vec<Fate>,
}

impl Run<'_> {
    fn execute(&mut self, now: SimTime, index: usize, handle: RequestHandle) {
        let end = now + Duration::from_nanos(u64_of(&self.requests[index][6]));
        self.fates[index] = Fate { dispatched: Some(now), ended: Some(end), outcome: "executed" };
        self.finishes.insert((end, index), handle);
    }

    fn arrive(&mut self, now: SimTime, index: usize, users: &[Value]) {
        let request = &self.requests[index];
        let user = usize::try_from(u64_of(&request[2])).unwrap();
        let digest = Arc::new(digest_of(&users[user]));
        let classified = self.controller.classify(&digest);
        assert_eq!(classified.flow_schema.name, str_of(&request[8]), "{request}");
        assert_eq!(classified.level.object().name, str_of(&request[9]), "{request}");
        assert_eq!(classified.distinguisher, str_of(&request[10]), "{request}");
        let work = WorkEstimate {
            initial_seats: u64_of(&request[3]),
            final_seats: u64_of(&request[4]),
            additional_latency: Duration::from_nanos(u64_of(&request[5])),
        };
        let deadline = now + Duration::from_nanos(u64_of(&request[7]));
        let admission = self.controller.handle_request_of_width(now, digest, work, deadline);
        match admission.decision {
            Decision::Execute(handle) => self.execute(now, index, handle),
            Decision::Reject(_) => {
                self.fates[index] =
                    Fate { dispatched: None, ended: Some(now), outcome: "rejected" };
            }
            Decision::Wait(handle) => {
                self.by_handle.insert(handle, index);
            }
        }
    }

    fn drain(&mut self, now: SimTime) {
        while let Some(event) = self.controller.poll_event() {
            match event {
                Event::Execute(handle) => {
                    let index = self.by_handle.remove(&handle).unwrap();
                    self.execute(now, index, handle);
                }
                Event::Reject(handle, rejection) => {
                    assert_eq!(rejection.reason, RejectReason::TimeOut);
                    let index = self.by_handle.remove(&handle).unwrap();
                    let ended = Some(now);
                    self.fates[index] = Fate { dispatched: None, ended, outcome: "timeout" };
                }
            }
        }
    }

    /// Rows are read a millisecond after the firing, but nothing an adjustment sets changes then.
    fn compare_period(&self, period: &Value) {
        assert_close(self.controller.seat_fair_frac(), &period["fair_frac"], &period["p"]);
        for (level, row) in self.controller.levels().zip(list(period, "rows")) {
            let what = format!("period {} level {}", period["p"], level.object().name);
            let demand = LevelDemand {
                exempt: level.is_exempt(),
                limits: level.limits(),
                demand: level.demand(),
            };
            compare_row(&demand, level.target(), row, &what);
            assert_eq!(level.current_limit(), u32_of(&row[6]), "{what}");
            assert_eq!(level.queues().config().concurrency_limit, u32_of(&row[7]), "{what}");
        }
    }
}

fn e2e_run(golden: &Value) -> usize {
    let requests = list(golden, "requests");
    let config = config(u32_of(&golden["server_concurrency_limit"]));
    let mut run = Run {
        controller: Controller::with_bootstrap(SimTime::ZERO, config),
        requests,
        by_handle: BTreeMap::new(),
        finishes: BTreeMap::new(),
        fates: vec![Fate::default(); requests.len()],
    };
    let mut arrivals: Vec<(SimTime, usize)> =
        requests.iter().map(|r| SimTime::from_nanos(u64_of(&r[1]))).zip(0..).collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    let mut periods = list(golden, "periods").iter().peekable();
    let last = periods.clone().last().map_or(SimTime::ZERO, period_time);
    loop {
        let timer = run.controller.poll_timeout();
        let finish = run.finishes.keys().next().map(|(at, _)| *at);
        let arrival = arrivals.peek().map(|(at, _)| *at);
        let now = [finish, arrival].into_iter().flatten().fold(timer, SimTime::min);
        if now > last && finish.is_none() && arrival.is_none() && run.by_handle.is_empty() {
            break;
        }
        if timer == now {
            run.controller.handle_timeout(now);
        } else if finish == Some(now) {
            let (_, handle) = run.finishes.pop_first().unwrap();
            run.controller.handle_finish(now, handle);
        } else if let Some((_, index)) = arrivals.next() {
            run.arrive(now, index, list(golden, "users"));
        }
        run.drain(now);
        if timer == now
            && let Some(period) = periods.next_if(|period| period_time(period) == now)
        {
            run.compare_period(period);
        }
    }
    assert!(periods.next().is_none(), "a period was not reached");
    let mut counts = BTreeMap::new();
    for (request, fate) in requests.iter().zip(&run.fates) {
        let nanos = |t: Option<SimTime>| t.map_or(Value::Null, |t| json!(t.as_nanos()));
        assert_eq!(fate.outcome, str_of(&request[11]), "{request}");
        assert_eq!(nanos(fate.dispatched), request[12], "{request}");
        assert_eq!(nanos(fate.ended), request[13], "{request}");
        *counts.entry(fate.outcome).or_insert(0) += 1;
    }
    for (outcome, count) in counts {
        assert_eq!(json!(count), golden["counts"][outcome], "{outcome}");
    }
    requests.len()
}

fn period_time(period: &Value) -> SimTime {
    SimTime::from_secs(10 * u64_of(&period["p"]))
}

#[test]
fn e2e() {
    replay("e2e", |golden| list(golden, "runs").iter().map(e2e_run).sum());
}
