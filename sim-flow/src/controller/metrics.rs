//! The metrics of flow control, by the real names, labels and buckets.
//!
//! Source: `pkg/util/flowcontrol/metrics/metrics.go`.

use std::{collections::BTreeMap, time::Duration};

use sim_time::SimTime;

use super::{Controller, ControllerConfig, LevelView, signed};
use crate::{Histogram, RejectReason, RequestKind, TimingHistogram, Watermark};

/// One family of metrics.
#[derive(Clone, Debug)]
pub struct MetricFamily {
    /// Full name.
    pub name: &'static str,
    /// Its series; none where nothing has been observed yet.
    pub series: Vec<MetricSeries>,
}

/// One series.
#[derive(Clone, Debug)]
pub struct MetricSeries {
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: MetricValue,
}

/// Value of a series.
#[derive(Clone, Debug)]
pub enum MetricValue {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(f64),
    /// A distribution.
    Histogram(Histogram),
}

/// Metrics of the requests of one schema at one level.
#[derive(Clone, Debug)]
pub(super) struct FlowMetrics {
    pub(super) level: String,
    pub(super) schema: String,
    pub(super) inqueue: i64,
    pub(super) inqueue_seats: i64,
    pub(super) executing: i64,
    pub(super) executing_seats: i64,
    pub(super) dispatched: u64,
    rejected: [u64; 3],
    pub(super) no_accommodation: u64,
    pub(super) wait_executed: Histogram,
    pub(super) wait_refused: Histogram,
    execution: Histogram,
    watch_execution: Histogram,
    queue_length: Histogram,
    pub(super) work_estimated_seats: Histogram,
    pub(super) watch_count_samples: Histogram,
}

impl FlowMetrics {
    pub(super) fn note_rejected(&mut self, reason: RejectReason) {
        self.rejected[reason as usize] += 1;
    }
}

/// Time-weighted metrics of one level.
#[derive(Clone, Debug)]
pub(super) struct LevelMetrics {
    pub(super) seat_utilization: TimingHistogram,
    pub(super) waiting: TimingHistogram,
    pub(super) executing: TimingHistogram,
    pub(super) demand: TimingHistogram,
}

impl LevelMetrics {
    pub(super) fn new(now: SimTime) -> Self {
        Self {
            seat_utilization: TimingHistogram::new(now, SEAT_UTILIZATION_BUCKETS),
            waiting: TimingHistogram::new(now, REQUEST_UTILIZATION_BUCKETS),
            executing: TimingHistogram::new(now, REQUEST_UTILIZATION_BUCKETS),
            demand: TimingHistogram::new(now, DEMAND_BUCKETS),
        }
    }
}

/// Requests of one kind in one phase.
#[derive(Clone, Debug)]
struct KindCount {
    count: u32,
    ratio: TimingHistogram,
}

/// All metrics that no level holds.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    pub(super) flows: Vec<FlowMetrics>,
    slots: BTreeMap<(String, String), usize>,
    estimated_seats_buckets: &'static [f64],
    server_limit: f64,
    waiting: [KindCount; 2],
    executing: [KindCount; 2],
    waiting_watermark: Watermark,
    executing_watermark: Watermark,
}

impl Metrics {
    pub(super) fn new(now: SimTime, config: &ControllerConfig) -> Self {
        let kind = KindCount { count: 0, ratio: TimingHistogram::new(now, READ_WRITE_BUCKETS) };
        let size_based = config.profile.size_based_list_cost_estimate;
        Self {
            flows: Vec::new(),
            slots: BTreeMap::new(),
            estimated_seats_buckets: if size_based {
                SIZE_BASED_SEATS_BUCKETS
            } else {
                COUNT_BASED_SEATS_BUCKETS
            },
            server_limit: f64::from(config.server_concurrency_limit.max(1)),
            waiting: [kind.clone(), kind.clone()],
            executing: [kind.clone(), kind],
            waiting_watermark: Watermark::default(),
            executing_watermark: Watermark::default(),
        }
    }

    /// Index of the metrics of a schema at a level.
    pub(super) fn flow(&mut self, level: &str, schema: &str) -> usize {
        let key = (level.to_owned(), schema.to_owned());
        *self.slots.entry(key).or_insert_with(|| {
            self.flows.push(FlowMetrics {
                level: level.to_owned(),
                schema: schema.to_owned(),
                inqueue: 0,
                inqueue_seats: 0,
                executing: 0,
                executing_seats: 0,
                dispatched: 0,
                rejected: [0; 3],
                no_accommodation: 0,
                wait_executed: Histogram::new(DURATION_BUCKETS),
                wait_refused: Histogram::new(DURATION_BUCKETS),
                execution: Histogram::new(DURATION_BUCKETS),
                watch_execution: Histogram::new(DURATION_BUCKETS),
                queue_length: Histogram::new(QUEUE_LENGTH_BUCKETS),
                work_estimated_seats: Histogram::new(self.estimated_seats_buckets),
                watch_count_samples: Histogram::new(WATCH_COUNT_BUCKETS),
            });
            self.flows.len() - 1
        })
    }

    pub(super) fn note_enqueued(
        &mut self,
        now: SimTime,
        flow: usize,
        kind: RequestKind,
        seats: u64,
        queue_length: usize,
    ) {
        let metrics = &mut self.flows[flow];
        metrics.inqueue += 1;
        metrics.inqueue_seats += signed(seats);
        metrics.queue_length.observe(queue_length as f64);
        self.note_waiting(now, kind, 1);
    }

    /// A request leaves its queue, to execute or for good, after waiting so long.
    pub(super) fn note_unqueued(
        &mut self,
        now: SimTime,
        flow: usize,
        kind: RequestKind,
        seats: u64,
        waited: Duration,
    ) {
        let metrics = &mut self.flows[flow];
        metrics.inqueue -= 1;
        metrics.inqueue_seats -= signed(seats);
        metrics.wait_executed.observe(waited.as_secs_f64());
        self.note_waiting(now, kind, -1);
    }

    pub(super) fn note_executing(
        &mut self,
        now: SimTime,
        flow: usize,
        kind: RequestKind,
        seats: u64,
    ) {
        let metrics = &mut self.flows[flow];
        metrics.executing += 1;
        metrics.executing_seats += signed(seats);
        metrics.dispatched += 1;
        let count = step(&mut self.executing[kind as usize], now, 1, self.server_limit);
        self.executing_watermark.record(now, kind, count);
    }

    pub(super) fn note_finished(
        &mut self,
        now: SimTime,
        flow: usize,
        kind: RequestKind,
        is_watch: bool,
        executed: Duration,
    ) {
        let metrics = &mut self.flows[flow];
        metrics.executing -= 1;
        let histogram =
            if is_watch { &mut metrics.watch_execution } else { &mut metrics.execution };
        histogram.observe(executed.as_secs_f64());
        let count = step(&mut self.executing[kind as usize], now, -1, self.server_limit);
        self.executing_watermark.record(now, kind, count);
    }

    fn note_waiting(&mut self, now: SimTime, kind: RequestKind, delta: i32) {
        let count = step(&mut self.waiting[kind as usize], now, delta, self.server_limit);
        self.waiting_watermark.record(now, kind, count);
    }
}

fn step(kind: &mut KindCount, now: SimTime, delta: i32, limit: f64) -> u32 {
    kind.count = kind.count.saturating_add_signed(delta);
    kind.ratio.set(now, f64::from(kind.count) / limit);
    kind.count
}

type Labels = Vec<(&'static str, String)>;

#[derive(Default)]
struct Families(Vec<MetricFamily>);

impl Families {
    fn add(&mut self, name: &'static str, series: impl Iterator<Item = (Labels, MetricValue)>) {
        let series = series.map(|(labels, value)| MetricSeries { labels, value }).collect();
        self.0.push(MetricFamily { name, series });
    }

    fn per_flow(
        &mut self,
        name: &'static str,
        flows: &[FlowMetrics],
        value: impl Fn(&FlowMetrics) -> Option<MetricValue>,
    ) {
        let labels = |flow: &FlowMetrics| {
            vec![("flow_schema", flow.schema.clone()), ("priority_level", flow.level.clone())]
        };
        self.add(name, flows.iter().filter_map(|flow| Some((labels(flow), value(flow)?))));
    }

    fn per_level<'a>(
        &mut self,
        name: &'static str,
        levels: impl Iterator<Item = LevelView<'a>>,
        value: impl Fn(LevelView<'a>) -> Option<f64>,
    ) {
        let labels = |level: LevelView<'_>| vec![("priority_level", level.object().name.clone())];
        let gauge = |level| Some((labels(level), MetricValue::Gauge(value(level)?)));
        self.add(name, levels.filter_map(gauge));
    }
}

impl Controller {
    /// Every metric of flow control as of `now`, in the order of names within each group.
    ///
    /// `apiserver_current_inflight_requests` and `apiserver_current_inqueue_requests` are the
    /// highest counts of the last full second. Series of flows appear with their first request.
    pub fn metrics(&self, now: SimTime) -> Vec<MetricFamily> {
        let mut families = Families::default();
        self.flow_counters(&mut families);
        self.flow_histograms(&mut families);
        self.level_gauges(&mut families);
        self.virtual_time_gauges(&mut families);
        self.timing_histograms(&mut families, now);
        self.kind_metrics(&mut families, now);
        families.0
    }

    /// Requests of `kind` that wait now.
    pub fn requests_waiting(&self, kind: RequestKind) -> u32 {
        self.metrics.waiting[kind as usize].count
    }

    /// Requests of `kind` that execute now; watches while they initialise.
    pub fn requests_executing(&self, kind: RequestKind) -> u32 {
        self.metrics.executing[kind as usize].count
    }

    fn flow_counters(&self, families: &mut Families) {
        let flows = &self.metrics.flows;
        let seen = |flow: &FlowMetrics| flow.work_estimated_seats.count() > 0;
        let gauge =
            |flow: &FlowMetrics, value: i64| seen(flow).then_some(MetricValue::Gauge(value as f64));
        let counter = |value: u64| (value > 0).then_some(MetricValue::Counter(value));
        families.per_flow("apiserver_flowcontrol_current_executing_requests", flows, |f| {
            gauge(f, f.executing)
        });
        families.per_flow("apiserver_flowcontrol_current_executing_seats", flows, |f| {
            gauge(f, f.executing_seats)
        });
        let queued = |flow: &FlowMetrics, value: i64| {
            (flow.queue_length.count() > 0).then_some(MetricValue::Gauge(value as f64))
        };
        families.per_flow("apiserver_flowcontrol_current_inqueue_requests", flows, |f| {
            queued(f, f.inqueue)
        });
        families.per_flow("apiserver_flowcontrol_current_inqueue_seats", flows, |f| {
            queued(f, f.inqueue_seats)
        });
        families.per_flow("apiserver_flowcontrol_dispatched_requests_total", flows, |f| {
            counter(f.dispatched)
        });
        families.per_flow(
            "apiserver_flowcontrol_request_dispatch_no_accommodation_total",
            flows,
            |f| counter(f.no_accommodation),
        );
        let reasons =
            [RejectReason::ConcurrencyLimit, RejectReason::QueueFull, RejectReason::TimeOut];
        let rejected = flows.iter().flat_map(|flow| {
            reasons.into_iter().filter_map(|reason| {
                let labels = vec![
                    ("flow_schema", flow.schema.clone()),
                    ("priority_level", flow.level.clone()),
                    ("reason", reason.as_str().to_owned()),
                ];
                Some((labels, counter(flow.rejected[reason as usize])?))
            })
        });
        families.add("apiserver_flowcontrol_rejected_requests_total", rejected);
    }

    fn flow_histograms(&self, families: &mut Families) {
        let flows = &self.metrics.flows;
        let some = |h: &Histogram| (h.count() > 0).then(|| MetricValue::Histogram(h.clone()));
        families.per_flow("apiserver_flowcontrol_request_queue_length_after_enqueue", flows, |f| {
            some(&f.queue_length)
        });
        families.per_flow("apiserver_flowcontrol_watch_count_samples", flows, |f| {
            some(&f.watch_count_samples)
        });
        families.per_flow("apiserver_flowcontrol_work_estimated_seats", flows, |f| {
            some(&f.work_estimated_seats)
        });
        let split = |name: &'static str, label: &'static str, parts: [&'static str; 2]| {
            let series = flows.iter().flat_map(move |flow| {
                let histograms = if label == "type" {
                    [&flow.execution, &flow.watch_execution]
                } else {
                    [&flow.wait_executed, &flow.wait_refused]
                };
                parts.into_iter().zip(histograms).filter_map(move |(part, histogram)| {
                    let mut labels = vec![
                        ("flow_schema", flow.schema.clone()),
                        ("priority_level", flow.level.clone()),
                        (label, part.to_owned()),
                    ];
                    labels.sort_unstable();
                    Some((labels, some(histogram)?))
                })
            });
            (name, series)
        };
        let (name, series) =
            split("apiserver_flowcontrol_request_execution_seconds", "type", ["regular", "watch"]);
        families.add(name, series);
        let (name, series) = split(
            "apiserver_flowcontrol_request_wait_duration_seconds",
            "execute",
            ["true", "false"],
        );
        families.add(name, series);
    }

    fn level_gauges(&self, families: &mut Families) {
        type Value = fn(LevelView<'_>) -> f64;
        let gauges: [(&'static str, Value); 10] = [
            ("apiserver_flowcontrol_current_limit_seats", |l| l.current_limit().into()),
            ("apiserver_flowcontrol_demand_seats_average", |l| l.demand().average),
            ("apiserver_flowcontrol_demand_seats_high_watermark", |l| {
                l.demand().high_watermark.into()
            }),
            ("apiserver_flowcontrol_demand_seats_smoothed", |l| l.demand().smoothed),
            ("apiserver_flowcontrol_demand_seats_stdev", |l| l.demand().deviation),
            ("apiserver_flowcontrol_lower_limit_seats", |l| l.limits().min.into()),
            ("apiserver_flowcontrol_nominal_limit_seats", |l| l.limits().nominal.into()),
            ("apiserver_flowcontrol_target_seats", |l| l.target()),
            ("apiserver_flowcontrol_upper_limit_seats", |l| l.limits().max.into()),
            ("apiserver_flowcontrol_current_r", |l| l.queues().current_r().to_f64()),
        ];
        for (name, value) in gauges {
            families.per_level(name, self.levels(), |level| Some(value(level)));
        }
        let fair_frac = (Vec::new(), MetricValue::Gauge(self.fair_frac));
        families.add("apiserver_flowcontrol_seat_fair_frac", std::iter::once(fair_frac));
    }

    /// These exist for levels that have dispatched from a queue.
    fn virtual_time_gauges(&self, families: &mut Families) {
        let queued = |level: LevelView<'_>| level.queues().totals().enqueues > 0;
        families.per_level("apiserver_flowcontrol_dispatch_r", self.levels(), |level| {
            queued(level).then(|| level.queues().dispatch_r().to_f64())
        });
        families.per_level("apiserver_flowcontrol_latest_s", self.levels(), |level| {
            queued(level).then(|| level.queues().latest_s().to_f64())
        });
        for (name, discounted) in [
            ("apiserver_flowcontrol_next_discounted_s_bounds", true),
            ("apiserver_flowcontrol_next_s_bounds", false),
        ] {
            let series = self.levels().filter_map(|level| {
                let bounds = level.queues().next_s_bounds()?;
                let (min, max) = if discounted {
                    (bounds.discounted_min, bounds.discounted_max)
                } else {
                    (bounds.min, bounds.max)
                };
                Some([("min", min), ("max", max)].map(|(bound, r)| {
                    let labels = vec![
                        ("bound", bound.to_owned()),
                        ("priority_level", level.object().name.clone()),
                    ];
                    (labels, MetricValue::Gauge(r.to_f64()))
                }))
            });
            families.add(name, series.flatten());
        }
        let advances = self.levels().flat_map(|level| {
            let totals = level.queues().totals();
            [("true", totals.epoch_advances), ("false", totals.epoch_failures)]
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(move |(success, count)| {
                    let labels = vec![
                        ("priority_level", level.object().name.clone()),
                        ("success", success.to_owned()),
                    ];
                    (labels, MetricValue::Counter(count))
                })
        });
        families.add("apiserver_flowcontrol_epoch_advance_total", advances);
    }

    fn timing_histograms(&self, families: &mut Families, now: SimTime) {
        let value = |timing: &TimingHistogram| MetricValue::Histogram(timing.histogram(now));
        let name_of = |level: LevelView<'_>| ("priority_level", level.object().name.clone());
        let demand = self.levels().map(|l| (vec![name_of(l)], value(&l.0.metrics.demand)));
        families.add("apiserver_flowcontrol_demand_seats", demand);
        let seats = self.levels().map(|level| {
            let labels = vec![("phase", "executing".to_owned()), name_of(level)];
            (labels, value(&level.0.metrics.seat_utilization))
        });
        families.add("apiserver_flowcontrol_priority_level_seat_utilization", seats);
        let requests = self.levels().flat_map(|level| {
            let metrics = &level.0.metrics;
            [("executing", &metrics.executing), ("waiting", &metrics.waiting)].map(
                |(phase, timing)| {
                    (vec![("phase", phase.to_owned()), name_of(level)], value(timing))
                },
            )
        });
        families.add("apiserver_flowcontrol_priority_level_request_utilization", requests);
    }

    fn kind_metrics(&self, families: &mut Families, now: SimTime) {
        let kinds = [RequestKind::Mutating, RequestKind::ReadOnly];
        let metrics = &self.metrics;
        let phases = [("executing", &metrics.executing), ("waiting", &metrics.waiting)];
        let label = |kind: RequestKind| ("request_kind", kind.as_str().to_owned());
        let current = phases.into_iter().flat_map(|(phase, counts)| {
            kinds.map(|kind| {
                let histogram = counts[kind as usize].ratio.histogram(now);
                let labels = vec![("phase", phase.to_owned()), label(kind)];
                (labels, MetricValue::Histogram(histogram))
            })
        });
        families.add("apiserver_flowcontrol_read_vs_write_current_requests", current);
        for (name, watermark) in [
            ("apiserver_current_inflight_requests", &metrics.executing_watermark),
            ("apiserver_current_inqueue_requests", &metrics.waiting_watermark),
        ] {
            let series = kinds.map(|kind| {
                let count = f64::from(watermark.read(now, kind));
                (vec![label(kind)], MetricValue::Gauge(count))
            });
            families.add(name, series.into_iter());
        }
    }
}

const DURATION_BUCKETS: &[f64] =
    &[0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0];

const QUEUE_LENGTH_BUCKETS: &[f64] = &[0.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

/// Up to 1.33.
const COUNT_BASED_SEATS_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 10.0];

/// Since 1.34.
const SIZE_BASED_SEATS_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0];

const WATCH_COUNT_BUCKETS: &[f64] = &[0.0, 1.0, 10.0, 100.0, 1000.0, 10000.0];

const SEAT_UTILIZATION_BUCKETS: &[f64] =
    &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0];

const REQUEST_UTILIZATION_BUCKETS: &[f64] =
    &[0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0];

const READ_WRITE_BUCKETS: &[f64] =
    &[0.0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0];

const DEMAND_BUCKETS: &[f64] = &[0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.8, 4.0, 6.0];
