//! The event queue: whatever is due next happens next.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use rand_pcg::Pcg64Mcg;
use sim_flow::{Event, RequestHandle};
use sim_time::SimTime;

use super::{
    super::{
        config::FlowConfig,
        load::{AfterReject, Hold, Load, Pattern, unit},
    },
    cores::Cores,
    filter::{Decided, Filter, Place, Verdict, deadline},
    outcome::{ClientRow, LevelRow, LevelSeries, Outcome, SCHEMA, UserRow},
    tally::Tally,
};

/// Plays a load through a configuration.
pub fn simulate(config: &FlowConfig, load: &Load) -> Outcome {
    let mut driver = Driver::new(config, load);
    driver.begin();
    driver.run();
    driver.outcome(config)
}

/// What is due at a time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    /// A worker makes a request.
    Ask { client: usize, requests_left: Option<u64> },
    /// An open-loop request comes.
    Come { client: usize },
    /// A request that the engine has dispatched begins, where seats are held in the final phase.
    Begin { request: u64, handle: RequestHandle },
    /// Such a request is answered.
    Answer { request: u64 },
    /// Its seats are free.
    Free { handle: RequestHandle },
    /// The request timeout of a request is over.
    Cut { request: u64 },
    /// The poll of object counts.
    Count,
    /// A point of the curves.
    Sample,
}

/// A request from its arrival to its end.
struct InFlight {
    client: usize,
    level: usize,
    /// Requests its worker has left; none for open-loop requests.
    worker: Option<Option<u64>>,
    arrived: SimTime,
    service: Duration,
    seats: u64,
    cut_at: Option<SimTime>,
    executing: Option<(Place, Option<(u64, u64)>)>,
}

struct Driver<'a> {
    load: &'a Load,
    filter: Filter,
    cores: Cores,
    now: SimTime,
    end: SimTime,
    measure_from: SimTime,
    queue: BinaryHeap<Reverse<(SimTime, u64, Due)>>,
    next_number: u64,
    requests: BTreeMap<u64, InFlight>,
    waiting: BTreeMap<RequestHandle, u64>,
    random: Vec<Pcg64Mcg>,
    level_names: Vec<String>,
    levels: Vec<Tally>,
    clients: Vec<Tally>,
    /// Level and seats of each client's last request.
    last: Vec<(usize, u64)>,
    samples: Vec<(SimTime, Vec<super::filter::LevelState>, Vec<u64>)>,
}

impl<'a> Driver<'a> {
    fn new(config: &FlowConfig, load: &'a Load) -> Self {
        let filter = Filter::new(config, load);
        let level_names = filter.levels();
        let clients = load.clients.len();
        // A stream of its own for each client, so that one more client changes no other.
        let random = (0..clients as u64).map(|index| {
            Pcg64Mcg::new((u128::from(load.seed) << 64) | (u128::from(index) << 1) | 1)
        });
        Self {
            load,
            cores: Cores::new(load.cpus),
            now: SimTime::ZERO,
            end: SimTime::ZERO + load.duration,
            measure_from: SimTime::ZERO + load.warmup,
            queue: BinaryHeap::new(),
            next_number: 0,
            requests: BTreeMap::new(),
            waiting: BTreeMap::new(),
            random: random.collect(),
            levels: vec![Tally::default(); level_names.len()],
            level_names,
            clients: vec![Tally::default(); clients],
            last: vec![(0, 0); clients],
            samples: Vec::new(),
            filter,
        }
    }

    fn begin(&mut self) {
        self.at(SimTime::ZERO, Due::Count);
        for (index, client) in self.load.clients.iter().enumerate() {
            let start = SimTime::ZERO + client.start;
            match &client.pattern {
                Pattern::Closed { workers, requests, .. } => {
                    for _ in 0..*workers {
                        self.at(start, Due::Ask { client: index, requests_left: *requests });
                    }
                }
                Pattern::Open { .. } => {
                    let first = start + self.gap(index);
                    self.at(first, Due::Come { client: index });
                }
            }
        }
        self.at(SimTime::ZERO, Due::Sample);
    }

    fn run(&mut self) {
        loop {
            let queued = self.queue.peek().map(|Reverse((at, ..))| *at);
            let job = self.cores.next_end();
            let engine = match &self.filter {
                Filter::Apf(controller) => Some(controller.poll_timeout()),
                Filter::Inflight(_) => None,
            };
            let Some(next) = [queued, job, engine].into_iter().flatten().min() else { break };
            if next > self.end {
                break;
            }
            self.pass_to(next);
            if job == Some(next) {
                if let Some(request) = self.cores.finish_next(next) {
                    self.complete(request);
                }
            } else if engine == Some(next) {
                if let Filter::Apf(controller) = &mut self.filter {
                    controller.handle_timeout(next);
                }
            } else if let Some(Reverse((_, _, due))) = self.queue.pop() {
                self.handle(due);
            }
            self.collect();
        }
        self.pass_to(self.end);
    }

    fn handle(&mut self, due: Due) {
        match due {
            Due::Ask { client, requests_left } => {
                if self.asks(client) && requests_left != Some(0) {
                    self.arrive(client, Some(requests_left.map(|left| left - 1)));
                }
            }
            Due::Come { client } => {
                if self.asks(client) {
                    self.arrive(client, None);
                    let next = self.now + self.gap(client);
                    self.at(next, Due::Come { client });
                }
            }
            Due::Begin { request, handle } => self.execute(request, Place::Apf(handle)),
            Due::Answer { request } => self.complete(request),
            Due::Free { handle } => self.filter.release(self.now, handle),
            Due::Cut { request } => {
                if self.requests.contains_key(&request) {
                    self.cut(request);
                }
            }
            Due::Count => {
                self.filter.count_objects(self.now, self.load);
                self.at(self.now + COUNT_INTERVAL, Due::Count);
            }
            Due::Sample => {
                let states = self.level_names.iter().map(|name| self.filter.state(name)).collect();
                let executing = self.clients.iter().map(|client| client.executing).collect();
                self.samples.push((self.now, states, executing));
                self.at(self.now + self.load.sample_every, Due::Sample);
            }
        }
    }

    /// Whether a client still makes requests.
    fn asks(&self, client: usize) -> bool {
        let stop = self.load.clients[client].stop;
        self.now < self.end && stop.is_none_or(|stop| self.now < SimTime::ZERO + stop)
    }

    fn arrive(&mut self, client: usize, worker: Option<Option<u64>>) {
        let spec = &self.load.clients[client];
        let service = spec.service.sample(&mut self.random[client]).max(TICK);
        let Decided { level, seats, verdict } =
            self.filter.decide(self.now, self.load, &spec.digest, service);
        let level = self.level_names.iter().position(|name| *name == level).unwrap_or(0);
        self.last[client] = (level, seats);
        if self.counts() {
            self.clients[client].arrived += 1;
            self.levels[level].arrived += 1;
        }
        let id = self.next_number;
        self.next_number += 1;
        let request = InFlight {
            client,
            level,
            worker,
            arrived: self.now,
            service,
            seats,
            cut_at: deadline(self.now, self.load, &spec.digest),
            executing: None,
        };
        match verdict {
            Verdict::Execute(place) => {
                self.requests.insert(id, request);
                self.execute(id, place);
            }
            Verdict::Wait(handle) => {
                self.requests.insert(id, request);
                self.waiting.insert(handle, id);
            }
            Verdict::Reject { reason, retry_after_s } => {
                self.rejected(&request, reason, retry_after_s);
            }
        }
    }

    /// What the engine decided on waiting requests.
    fn collect(&mut self) {
        loop {
            let Filter::Apf(controller) = &mut self.filter else { return };
            let Some(event) = controller.poll_event() else { return };
            match event {
                Event::Execute(handle) => {
                    match (self.waiting.remove(&handle), self.load.hold) {
                        (Some(id), Hold::Execution) => self.execute(id, Place::Apf(handle)),
                        // After what else is due now, as a goroutine that is woken up.
                        (Some(request), Hold::FinalPhase) => {
                            self.at(self.now, Due::Begin { request, handle });
                        }
                        (None, _) => {}
                    }
                }
                Event::Reject(handle, rejection) => {
                    let request =
                        self.waiting.remove(&handle).and_then(|id| self.requests.remove(&id));
                    if let Some(request) = request {
                        self.rejected(&request, rejection.reason.as_str(), rejection.retry_after_s);
                    }
                }
            }
        }
    }

    fn execute(&mut self, id: u64, place: Place) {
        let counts = self.counts();
        let Some(request) = self.requests.get_mut(&id) else { return };
        let (client, level, seats) = (request.client, request.level, request.seats);
        let wait = self.now.saturating_since(request.arrived);
        let end = self.now + request.service;
        let entry = match self.load.hold {
            Hold::Execution => Some(self.cores.start(self.now, id, request.service)),
            Hold::FinalPhase => None,
        };
        request.executing = Some((place, entry));
        let cut_at = request.cut_at;
        let held_bytes = self.load.clients[client].held_bytes;
        for tally in [&mut self.clients[client], &mut self.levels[level]] {
            tally.start(seats, held_bytes);
            if counts {
                tally.waited(wait);
            }
        }
        match (self.load.hold, place, cut_at) {
            (Hold::Execution, _, Some(at)) => self.at(at, Due::Cut { request: id }),
            (Hold::FinalPhase, Place::Apf(handle), _) => {
                self.at(end, Due::Answer { request: id });
                self.at(end, Due::Free { handle });
                self.filter.finish(self.now, place);
            }
            (Hold::FinalPhase, Place::Inflight(_), _) => {
                self.at(end, Due::Answer { request: id });
            }
            (Hold::Execution, _, None) => {}
        }
    }

    fn complete(&mut self, id: u64) {
        let Some(request) = self.take(id) else { return };
        if self.counts() {
            let latency = self.now.saturating_since(request.arrived);
            self.clients[request.client].answered(latency);
            self.levels[request.level].answered(latency);
        }
        self.answered(&request);
    }

    fn cut(&mut self, id: u64) {
        let Some(request) = self.take(id) else { return };
        if let Some((_, Some(entry))) = request.executing {
            self.cores.remove(self.now, entry);
        }
        if self.counts() {
            self.clients[request.client].cut += 1;
            self.levels[request.level].cut += 1;
        }
        self.answered(&request);
    }

    /// Ends an executing request; its seats are still to be given back.
    fn take(&mut self, id: u64) -> Option<InFlight> {
        let request = self.requests.remove(&id)?;
        let held_bytes = self.load.clients[request.client].held_bytes;
        for tally in [&mut self.clients[request.client], &mut self.levels[request.level]] {
            tally.end(request.seats, held_bytes);
        }
        Some(request)
    }

    /// The client has its answer, and then the seats are free: a client that asks again at once is
    /// before that. So it is in the upstream simulation, and a server gives seats back only when
    /// the last byte is out.
    fn answered(&mut self, request: &InFlight) {
        if let (Some(requests_left), Pattern::Closed { think, .. }) =
            (request.worker, &self.load.clients[request.client].pattern)
        {
            let ask = Due::Ask { client: request.client, requests_left };
            let think = think.sample(&mut self.random[request.client]);
            if think.is_zero() {
                self.handle(ask);
            } else {
                self.at(self.now + think, ask);
            }
        }
        match (request.executing, self.load.hold) {
            (Some((place, _)), Hold::Execution) | (Some((place @ Place::Inflight(_), _)), _) => {
                self.filter.finish(self.now, place);
            }
            _ => {}
        }
    }

    fn rejected(&mut self, request: &InFlight, reason: &'static str, retry_after_s: u64) {
        if self.counts() {
            for tally in [&mut self.clients[request.client], &mut self.levels[request.level]] {
                *tally.rejected.entry(reason).or_default() += 1;
            }
        }
        let Some(requests_left) = request.worker else { return };
        let Pattern::Closed { after_reject, .. } = &self.load.clients[request.client].pattern
        else {
            return;
        };
        let pause = match after_reject {
            AfterReject::Pause(pause) => pause.sample(&mut self.random[request.client]).max(TICK),
            AfterReject::RetryAfter => Duration::from_secs(retry_after_s),
            AfterReject::Stop => return,
        };
        self.at(self.now + pause, Due::Ask { client: request.client, requests_left });
    }

    fn at(&mut self, at: SimTime, due: Due) {
        self.next_number += 1;
        self.queue.push(Reverse((at, self.next_number, due)));
    }

    fn gap(&mut self, client: usize) -> Duration {
        let Pattern::Open { rate_per_s, poisson } = self.load.clients[client].pattern else {
            return Duration::ZERO;
        };
        let gap = if poisson { -(1.0 - unit(&mut self.random[client])).ln() } else { 1.0 };
        Duration::from_secs_f64(gap / rate_per_s).max(TICK)
    }

    fn counts(&self) -> bool {
        self.now >= self.measure_from
    }

    fn pass_to(&mut self, next: SimTime) {
        let from = self.now.max(self.measure_from);
        if next > from {
            let ns = next.saturating_since(from).as_nanos() as f64;
            for tally in self.levels.iter_mut().chain(&mut self.clients) {
                tally.pass(ns);
            }
        }
        self.now = next;
    }

    fn outcome(self, config: &FlowConfig) -> Outcome {
        let load = self.load;
        let measured = load.duration - load.warmup;
        let rows = self.clients.iter().cloned().map(|tally| tally.row(measured));
        let clients: Vec<_> = load
            .clients
            .iter()
            .zip(rows)
            .enumerate()
            .map(|(index, (client, row))| ClientRow {
                name: client.name.clone(),
                user: client.digest.user.name.clone(),
                level: self.level_names.get(self.last[index].0).cloned().unwrap_or_default(),
                seats_each: self.last[index].1,
                row,
                executing: self.samples.iter().map(|(.., clients)| clients[index]).collect(),
            })
            .collect();
        let seen: Vec<usize> = (0..self.levels.len())
            .filter(|level| {
                self.levels[*level].arrived > 0
                    || self.last.iter().any(|l| l.0 == *level && l.1 > 0)
            })
            .collect();
        let series = seen.iter().map(|level| {
            let states = || self.samples.iter().map(|(_, states, _)| states[*level]);
            LevelSeries {
                name: self.level_names[*level].clone(),
                limit: states().map(|state| state.limit).collect(),
                seats: states().map(|state| state.seats).collect(),
                executing: states().map(|state| state.executing).collect(),
                waiting: states().map(|state| state.waiting).collect(),
            }
        });
        let series = series.collect();
        let levels: Vec<_> = seen.iter().map(|level| self.level_row(*level, measured)).collect();
        Outcome {
            schema: SCHEMA,
            description: load.description.clone(),
            origin: config.origin.clone(),
            kubernetes_version: config.release.to_string(),
            apf: load.apf,
            server_seats: config.server_seats,
            seed: load.seed,
            duration_s: load.duration.as_secs_f64(),
            measured_from_s: load.warmup.as_secs_f64(),
            mean_seats: levels.iter().map(|level| level.row.mean_seats).sum(),
            mean_held_bytes: levels.iter().map(|level| level.row.mean_held_bytes).sum(),
            users: self.users(measured),
            levels,
            clients,
            t_s: self.samples.iter().map(|(at, ..)| at.as_secs_f64()).collect(),
            series,
        }
    }

    fn level_row(&self, level: usize, measured: Duration) -> LevelRow {
        let name = &self.level_names[level];
        let row = self.levels[level].clone().row(measured);
        let view = match &self.filter {
            Filter::Apf(controller) => controller.level(name),
            Filter::Inflight(_) => None,
        };
        let now = self.filter.state(name).limit;
        let (nominal, lower, upper, max_seats) = view.map_or((now, now, now, 0), |view| {
            let limits = view.limits();
            (limits.nominal, limits.min, limits.max, view.max_seats())
        });
        LevelRow {
            name: name.clone(),
            nominal_limit: nominal,
            lower_limit: lower,
            upper_limit: upper,
            current_limit: now,
            max_seats,
            row,
        }
    }

    fn users(&self, measured: Duration) -> Vec<UserRow> {
        let mut users: Vec<(String, Tally)> = Vec::new();
        for (client, tally) in self.load.clients.iter().zip(&self.clients) {
            let name = &client.digest.user.name;
            match users.iter_mut().find(|(user, _)| user == name) {
                Some((_, sum)) => sum.add(tally),
                None => users.push((name.clone(), tally.clone())),
            }
        }
        let all = users.iter().map(|(_, tally)| tally.completed).sum::<u64>().max(1) as f64;
        let row = |(user, tally): (String, Tally)| UserRow {
            user,
            share_percent: tally.completed as f64 / all * 100.0,
            row: tally.row(measured),
        };
        users.into_iter().map(row).collect()
    }
}

/// Nothing takes no time at all, or time might not go on.
const TICK: Duration = Duration::from_nanos(1);

/// The server polls about once a minute.
const COUNT_INTERVAL: Duration = Duration::from_secs(60);
