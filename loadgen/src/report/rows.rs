//! The one table, as rows of figures: every renderer shows these and no others.

use super::format::{mib, number, thousands};
use crate::{
    compare::result::{CompareResult, Measured, Storm},
    recorded::Nearest,
};

/// One storm: a row per profile, and one of ratios per further profile.
#[derive(Debug)]
pub(super) struct Group {
    /// Such as `10 slow`.
    pub(super) label: String,
    pub(super) rows: Vec<Row>,
    pub(super) ratios: Vec<Ratio>,
}

/// One profile under one storm.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) profile: String,
    pub(super) here: Option<Here>,
    pub(super) recorded: Option<Nearest>,
}

/// What was measured here.
#[derive(Clone, Debug)]
pub(super) struct Here {
    /// Most memory above idle, MiB.
    pub(super) above_idle_mib: f64,
    /// The same as a multiple of the bytes in flight.
    pub(super) multiple: f64,
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p99_ms: f64,
    /// Median to the first byte of the body.
    pub(super) first_byte_ms: f64,
    /// MiB of JSON a second over all clients, gzip or not.
    pub(super) mib_per_s: f64,
    pub(super) failed: u64,
}

/// The first profile's figures divided by another's.
#[derive(Debug)]
pub(super) struct Ratio {
    /// Such as `1.32 / 1.33`.
    pub(super) label: String,
    pub(super) here_memory: Option<Quotient>,
    pub(super) here_p50: Option<f64>,
    pub(super) here_first_byte: Option<f64>,
    /// Only where both recorded runs have one shape.
    pub(super) recorded_memory: Option<f64>,
    pub(super) recorded_p50: Option<f64>,
    pub(super) recorded_first_byte: Option<f64>,
}

/// A quotient of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quotient {
    pub(super) value: f64,
    /// The divisor was lost in noise; the quotient is this or more.
    pub(super) at_least: bool,
}

/// The table of a result.
pub(super) fn groups(result: &CompareResult) -> Vec<Group> {
    result.storms.iter().map(|storm| group(result, storm)).collect()
}

fn group(result: &CompareResult, storm: &Storm) -> Group {
    let rows: Vec<Row> = result
        .profiles
        .iter()
        .map(|profile| {
            let measured = profile.measured(&storm.id);
            Row {
                profile: profile.profile.clone(),
                here: measured.map(|m| Here::of(m, storm, profile.above_idle_bytes(m))),
                recorded: measured.and_then(|m| m.recorded.clone()),
            }
        })
        .collect();
    let ratios = match rows.split_first() {
        Some((first, others)) => others.iter().map(|other| Ratio::of(first, other)).collect(),
        None => Vec::new(),
    };
    Group { label: storm.label(), rows, ratios }
}

impl Here {
    fn of(measured: &Measured, storm: &Storm, above_idle_bytes: u64) -> Self {
        let in_flight = measured.in_flight_bytes(storm).max(1) as f64;
        let seconds = measured.elapsed_s.max(0.001);
        Self {
            above_idle_mib: mib(above_idle_bytes),
            multiple: above_idle_bytes as f64 / in_flight,
            p50_ms: measured.latency.p50_ms,
            p90_ms: measured.latency.p90_ms,
            p99_ms: measured.latency.p99_ms,
            first_byte_ms: measured.first_byte.p50_ms,
            mib_per_s: mib(measured.ok * measured.body_bytes) / seconds,
            failed: measured.failed(),
        }
    }

    /// The cells under [`HERE`].
    pub(super) fn cells(&self) -> [String; 8] {
        [
            number(self.above_idle_mib),
            number(self.multiple),
            number(self.p50_ms),
            number(self.p90_ms),
            number(self.p99_ms),
            number(self.first_byte_ms),
            number(self.mib_per_s),
            self.failed.to_string(),
        ]
    }
}

/// The cells under [`RECORDED`] but for the last.
pub(super) fn recorded_cells(nearest: &Nearest) -> [String; 5] {
    let or_dash = |value: Option<f64>| value.map_or_else(dash, number);
    [
        nearest.version.clone(),
        thousands(nearest.growth_mib),
        or_dash(nearest.in_flight_multiple),
        or_dash(nearest.p50_ms),
        or_dash(nearest.ttfb_p50_ms),
    ]
}

impl Ratio {
    fn of(first: &Row, other: &Row) -> Self {
        let here = first.here.as_ref().zip(other.here.as_ref());
        let recorded = first.recorded.as_ref().zip(other.recorded.as_ref());
        let recorded = recorded.filter(|(a, b)| a.shape == b.shape && a.version != b.version);
        let over = |a: f64, b: f64| (a > 0.0 && b > 0.0).then(|| a / b);
        Self {
            label: format!("{} / {}", first.profile, other.profile),
            here_memory: here
                .and_then(|(a, b)| Quotient::of_memory(a.above_idle_mib, b.above_idle_mib)),
            here_p50: here.and_then(|(a, b)| over(a.p50_ms, b.p50_ms)),
            here_first_byte: here.and_then(|(a, b)| over(a.first_byte_ms, b.first_byte_ms)),
            recorded_memory: recorded.and_then(|(a, b)| over(a.growth_mib, b.growth_mib)),
            recorded_p50: recorded.and_then(|(a, b)| over(a.p50_ms?, b.p50_ms?)),
            recorded_first_byte: recorded.and_then(|(a, b)| over(a.ttfb_p50_ms?, b.ttfb_p50_ms?)),
        }
    }

    /// The cells under [`HERE`].
    pub(super) fn here_cells(&self) -> [String; 8] {
        let or_empty = |value: Option<f64>| value.map_or_else(String::new, times);
        let memory = self.here_memory.map_or_else(String::new, Quotient::text);
        let empty = String::new;
        [
            memory,
            empty(),
            or_empty(self.here_p50),
            empty(),
            empty(),
            or_empty(self.here_first_byte),
            empty(),
            empty(),
        ]
    }

    /// The cells under [`RECORDED`] but for the last.
    pub(super) fn recorded_cells(&self) -> [String; 5] {
        let or_empty = |value: Option<f64>| value.map_or_else(String::new, times);
        [
            String::new(),
            or_empty(self.recorded_memory),
            String::new(),
            or_empty(self.recorded_p50),
            or_empty(self.recorded_first_byte),
        ]
    }
}

impl Quotient {
    fn of_memory(a: f64, b: f64) -> Option<Self> {
        let at_least = b < NOISE_MIB;
        (a >= NOISE_MIB).then(|| Self { value: a / b.max(NOISE_MIB), at_least })
    }

    /// Such as `3.10x` or `>20.5x`.
    pub(super) fn text(self) -> String {
        format!("{}{}", if self.at_least { ">" } else { "" }, times(self.value))
    }
}

/// Such as `3.10x`.
pub(super) fn times(value: f64) -> String {
    format!("{}x", number(value))
}

/// What stands where there is no figure.
pub(super) fn dash() -> String {
    "–".to_owned()
}

/// Titles of the columns measured here, in two lines.
pub(super) const HERE: [(&str, &str); 8] = [
    ("MiB above", "idle"),
    ("x bytes", "in flight"),
    ("p50", "ms"),
    ("p90", "ms"),
    ("p99", "ms"),
    ("first", "byte ms"),
    ("MiB/s", "of JSON"),
    ("failed", ""),
];

/// Titles of the recorded columns, in two lines.
pub(super) const RECORDED: [(&str, &str); 6] = [
    ("real", "version"),
    ("MiB above", "its start"),
    ("x bytes", "in flight"),
    ("p50", "ms"),
    ("first", "byte ms"),
    ("nearest", "run"),
];

pub(super) const HERE_TITLE: &str = "measured here: this simulator, on this machine";

pub(super) const RECORDED_TITLE: &str = "recorded there: the real kube-apiserver";

/// Less than this is the allocator's, the kernel's and the sampler's own coming and going.
const NOISE_MIB: f64 = 4.0;
