//! traces_*.json: a queue set driven through recorded operations.

use std::collections::BTreeMap;

use serde_json::Value;
use sim_flow::{
    Arrival, Dealer, Defects, QueueDump, QueueSet, QueueSetConfig, QueueSetEvent, Queuing,
    RequestId, RequestState, SeatSeconds, WorkEstimate,
};
use sim_time::SimTime;

use crate::golden::{assert_close, hash_of, i64_of, list, replay, str_of, u64_of};

fn config_of(value: &Value) -> QueueSetConfig {
    let queuing = match i64_of(&value["queues"]) {
        -1 => Queuing::Exempt,
        0 => Queuing::Reject,
        queues => Queuing::Queue {
            dealer: Dealer::new(queues, i64_of(&value["hand_size"])).unwrap(),
            queue_length_limit: u64_of(&value["queue_length_limit"]).try_into().unwrap(),
        },
    };
    let concurrency_limit = u64_of(&value["concurrency_limit"]).try_into().unwrap();
    QueueSetConfig { queuing, concurrency_limit }
}

/// R as recorded: read off the metric, a float of seat-seconds, and written in fixed point again.
fn as_metric(r: SeatSeconds) -> String {
    let units = format!("{:.0}", r.to_f64() * 1e8).parse().unwrap();
    SeatSeconds::from_units(units).to_string().trim_end_matches("ss").to_owned()
}

struct Replay<'a> {
    name: &'a str,
    set: QueueSet<u64>,
    ids: BTreeMap<u64, RequestId>,
}

impl Replay<'_> {
    fn dispatched(&mut self) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some(event) = self.set.poll_event() {
            if let QueueSetEvent::Dispatched { id, .. } = event {
                ids.push(self.set.request(id).unwrap().payload);
            }
        }
        ids
    }

    fn step(&mut self, op: &Value, request: Option<&Value>) {
        let now = SimTime::from_nanos(u64_of(&op["t_ns"]));
        let what = format!("{} {op}", self.name);
        let mut dispatched = Vec::new();
        match str_of(&op["op"]) {
            "arrive" => {
                let request = request.unwrap();
                let id = u64_of(&request["id"]);
                let work = WorkEstimate {
                    initial_seats: u64_of(&request["init"]),
                    final_seats: u64_of(&request["final"]),
                    additional_latency: std::time::Duration::from_nanos(u64_of(
                        &request["add_lat_ns"],
                    )),
                };
                match self.set.handle_arrival(now, work, hash_of(&request["hash"]), id) {
                    Arrival::Accepted { id: request_id, queue, .. } => {
                        self.ids.insert(id, request_id);
                        assert!(op.get("rejected").is_none(), "{what}");
                        let recorded = op.get("queue").map(|q| usize::try_from(u64_of(q)).unwrap());
                        assert_eq!(queue, recorded, "{what}");
                        if queue.is_none() {
                            dispatched.push(id);
                        }
                    }
                    Arrival::Rejected { reason, .. } => {
                        assert_eq!(Some(reason.as_str()), op["rejected"].as_str(), "{what}");
                    }
                }
            }
            "finish" => {
                self.set.handle_finish(now, self.ids[&u64_of(&op["id"])]);
            }
            "release" => {
                let (_, id) = self.set.handle_release(now).expect("a request lingers");
                assert_eq!(id, u64_of(&op["id"]), "{what}");
            }
            "cancel" => {
                let id = u64_of(&op["id"]);
                assert_eq!(self.set.handle_cancel(now, self.ids[&id]), Some(id), "{what}");
            }
            "config" => self.set.handle_config_change(now, config_of(&op["config"])),
            other => panic!("unknown operation {other}"),
        }
        dispatched.extend(self.dispatched());
        let recorded: Vec<u64> = list(op, "dispatched").iter().map(u64_of).collect();
        assert_eq!(dispatched, recorded, "{what}");
        if let Some(idle) = op.get("idle") {
            assert_eq!(idle.as_bool(), Some(self.set.is_idle()), "{what}");
        }
    }

    fn compare(&mut self, dump: &Value) {
        let what = format!("{} after {}", self.name, dump["after_op"]);
        let totals = self.set.totals();
        assert_eq!(totals.waiting as u64, u64_of(&dump["waiting"]), "{what}");
        assert_eq!(totals.executing as u64, u64_of(&dump["executing"]), "{what}");
        assert_eq!(totals.rejected, u64_of(&dump["rejected"]), "{what}");
        assert_eq!(totals.cancelled, u64_of(&dump["cancelled"]), "{what}");
        assert_eq!(0, u64_of(&dump["timedout"]), "{what}");
        assert_eq!(totals.seats_in_use, u64_of(&dump["seats_in_use"]), "{what}");
        assert_eq!(totals.seats_waiting, u64_of(&dump["seats_waiting"]), "{what}");
        assert_eq!(self.set.num_queues() as u64, u64_of(&dump["num_queues"]), "{what}");
        assert_eq!(Some(self.set.is_idle()), dump["idle"].as_bool(), "{what}");
        assert_eq!(as_metric(self.set.current_r()), str_of(&dump["current_r"]), "{what}");
        assert_close(self.set.demand().value(), &dump["demand"], &what);
        let integ = self.set.demand_mut().results(SimTime::from_nanos(u64_of(&dump["t_ns"])));
        let ours = [integ.duration_s, integ.average, integ.deviation, integ.min, integ.max];
        for (ours, recorded) in ours.into_iter().zip(list(dump, "integ")) {
            assert_close(ours, recorded, &what);
        }
        self.compare_queues(dump, &what);
    }

    fn compare_queues(&self, dump: &Value, what: &str) {
        let ours = self.set.dump();
        let ids = |queue: Option<usize>| -> Vec<u64> {
            let of_queue = ours.executing.iter().filter(|(q, _)| *q == queue);
            let mut ids: Vec<_> = of_queue.map(|(_, request)| request.payload).collect();
            ids.sort_unstable();
            ids
        };
        let queueless: Vec<u64> = list(dump, "queueless").iter().map(u64_of).collect();
        assert_eq!(ids(None), queueless, "{what}");
        let recorded: BTreeMap<usize, &Value> = list(dump, "queues")
            .iter()
            .map(|queue| (usize::try_from(u64_of(&queue["q"])).unwrap(), queue))
            .collect();
        for (index, queue) in ours.queues.iter().enumerate() {
            let what = format!("{what} queue {index}");
            let waiting: Vec<u64> = ours
                .waiting
                .iter()
                .filter(|(q, ..)| *q == index)
                .map(|(_, _, request)| request.payload)
                .collect();
            let Some(recorded) = recorded.get(&index) else {
                let idle =
                    QueueDump { next_dispatch_r: queue.next_dispatch_r, ..Default::default() };
                assert_eq!(*queue, idle, "{what}");
                continue;
            };
            let pending: Vec<u64> = list(recorded, "pending").iter().map(u64_of).collect();
            let executing: Vec<u64> = list(recorded, "executing").iter().map(u64_of).collect();
            assert_eq!(waiting, pending, "{what}");
            assert_eq!(ids(Some(index)), executing, "{what}");
            assert_eq!(queue.seats_in_use, u64_of(&recorded["seats_in_use"]), "{what}");
            assert_eq!(queue.initial_seats_sum, u64_of(&recorded["init_sum"]), "{what}");
            assert_eq!(queue.max_seats_sum, u64_of(&recorded["max_sum"]), "{what}");
            let ss = |value: &Value| format!("{}ss", str_of(value));
            assert_eq!(queue.total_work_sum.to_string(), ss(&recorded["work_sum"]), "{what}");
            assert_eq!(
                queue.next_dispatch_r.to_string(),
                ss(&recorded["next_dispatch_r"]),
                "{what}"
            );
        }
        assert!(recorded.keys().all(|&index| index < ours.queues.len()), "{what}");
    }

    /// Every request is where its recorded outcome says.
    fn compare_results(&self, results: &[Value]) {
        for result in results {
            let request = self.ids.get(&u64_of(&result["id"])).and_then(|&id| self.set.request(id));
            if let Some(request) = request {
                assert_eq!(request.state, RequestState::Executing, "{} {result}", self.name);
            }
        }
    }
}

fn replay_file(name: &str) {
    replay(name, |golden| {
        let scenarios = list(golden, "scenarios");
        for scenario in scenarios {
            let requests: BTreeMap<u64, &Value> =
                list(scenario, "requests").iter().map(|r| (u64_of(&r["id"]), r)).collect();
            let config = config_of(&scenario["config"]);
            let mut replay = Replay {
                name: str_of(&scenario["name"]),
                set: QueueSet::new(SimTime::ZERO, config, Defects::default()),
                ids: BTreeMap::new(),
            };
            let mut dumps = list(scenario, "dumps").iter().peekable();
            for (index, op) in list(scenario, "ops").iter().enumerate() {
                let request = op.get("id").and_then(|id| requests.get(&u64_of(id)));
                replay.step(op, request.copied());
                while let Some(dump) = dumps.next_if(|d| u64_of(&d["after_op"]) == index as u64) {
                    replay.compare(dump);
                }
            }
            assert!(dumps.next().is_none(), "{}: a dump was not reached", replay.name);
            replay.compare_results(list(scenario, "results"));
        }
        scenarios.len()
    });
}

#[test]
fn traces_basic() {
    replay_file("traces_basic");
}

#[test]
fn traces_limits() {
    replay_file("traces_limits");
}

#[test]
fn traces_mix() {
    replay_file("traces_mix");
}

#[test]
fn traces_reconfig() {
    replay_file("traces_reconfig");
}

#[test]
fn traces_wide() {
    replay_file("traces_wide");
}
