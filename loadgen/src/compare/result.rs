//! What a comparison leaves behind: the schema of `result.json`.
//!
//! Bytes are bytes, times are milliseconds unless the name says seconds. A field is only ever
//! added; a change of meaning is a new [`SCHEMA`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{recorded::Nearest, sample::Samples};

/// The value of [`CompareResult::schema`].
pub const SCHEMA: &str = "apisim.compare/v1";

/// A whole comparison.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompareResult {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of loadgen.
    pub version: String,
    /// Commit that loadgen was built from, where the build was told.
    pub commit: Option<String>,
    /// When the run began, RFC 3339, UTC.
    pub started: String,
    /// How long it took, seconds.
    pub elapsed_s: f64,
    /// Whether it was broken off or a storm failed; then some figures are missing.
    pub incomplete: bool,
    /// Seed of the objects.
    pub seed: u64,
    /// Between two samples, milliseconds.
    pub sample_interval_ms: u64,
    /// Where it ran; server and clients share it.
    pub machine: Machine,
    /// What was listed.
    pub dataset: DatasetInfo,
    /// The storms, in their order.
    pub storms: Vec<Storm>,
    /// What each profile did.
    pub profiles: Vec<ProfileResult>,
}

/// The machine of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Model name of the CPU; empty where the kernel does not say.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cores: u64,
    /// Memory of the machine.
    pub memory_bytes: u64,
    /// Kernel and its version.
    pub kernel: String,
}

/// What was listed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetInfo {
    /// As asked for.
    pub name: String,
    /// `KIND=COUNT[xSIZE]`.
    pub spec: String,
    /// Plural of the kind that was listed.
    pub plural: String,
    /// How many of these.
    pub objects: u64,
    /// JSON of one.
    pub object_bytes: u64,
    /// What the storms asked for.
    pub path: String,
}

/// One storm, as planned.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storm {
    /// Such as `10-slow`; unique.
    pub id: String,
    /// LISTs in flight.
    pub concurrency: u64,
    /// Requests over all clients.
    pub requests: u64,
    /// Bytes a second that each client reads; none is as fast as it can.
    pub read_rate: Option<u64>,
    /// Whether gzip was asked for.
    pub gzip: bool,
    /// Whether the clients called themselves curl, and so got indented, unstreamed bodies.
    pub curl: bool,
}

/// One profile under all storms.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileResult {
    /// Such as `1.33`.
    pub profile: String,
    /// `gitVersion` that the server gave.
    pub server_version: Option<String>,
    /// From the start of the process until it was ready with all objects, seconds.
    pub load_s: f64,
    /// RSS when all was loaded and nothing asked.
    pub idle_rss_bytes: u64,
    /// The allocator's figure at the same time.
    pub idle_allocated_bytes: Option<u64>,
    /// Storms that ran, in order.
    pub storms: Vec<Measured>,
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// Memory over the whole run.
    pub samples: Samples,
}

/// What one storm measured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// [`Storm::id`].
    pub id: String,
    /// Start, since the server's start.
    pub start_ms: u64,
    /// End, since the server's start.
    pub end_ms: u64,
    /// One body as the server builds it, before gzip.
    pub body_bytes: u64,
    /// All body bytes on the wire.
    pub wire_bytes: u64,
    /// RSS right before.
    pub start_rss_bytes: u64,
    /// VmHWM of the storm.
    pub peak_rss_bytes: u64,
    /// Largest sample of the allocator's figure.
    pub peak_allocated_bytes: Option<u64>,
    /// From the first request to the end of the last, seconds.
    pub elapsed_s: f64,
    /// Requests that ended.
    pub requests: u64,
    /// With 2xx and a whole body.
    pub ok: u64,
    /// By status code.
    pub codes: BTreeMap<String, u64>,
    /// By kind.
    pub errors: BTreeMap<String, u64>,
    /// Start to last byte.
    pub latency: Times,
    /// Start to first byte of the body.
    pub first_byte: Times,
    /// The recorded run that stands beside this one, if one is near enough.
    pub recorded: Option<Nearest>,
}

/// A distribution of times, ms.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Values of the histogram with how many were at each, ascending.
    pub counts: Vec<(f64, u64)>,
}

impl CompareResult {
    /// The planned storm of a measured one.
    pub fn storm(&self, id: &str) -> Option<&Storm> {
        self.storms.iter().find(|storm| storm.id == id)
    }
}

impl ProfileResult {
    /// What this profile did in a storm.
    pub fn measured(&self, id: &str) -> Option<&Measured> {
        self.storms.iter().find(|storm| storm.id == id)
    }

    /// How far the storm took the process above its idle memory.
    pub fn above_idle_bytes(&self, storm: &Measured) -> u64 {
        storm.peak_rss_bytes.saturating_sub(self.idle_rss_bytes)
    }
}

impl Storm {
    /// The storm in a few words, such as `10 slow`.
    pub fn label(&self) -> String {
        let how = match (self.curl, self.gzip, self.read_rate.is_some()) {
            (true, _, true) => "slow curl",
            (true, _, false) => "curl",
            (_, true, true) => "slow gzip",
            (_, true, false) => "gzip",
            (_, _, true) => "slow",
            (_, _, false) => "fast",
        };
        format!("{} {how}", self.concurrency)
    }
}

impl Measured {
    /// Bytes that were in flight at most.
    pub fn in_flight_bytes(&self, storm: &Storm) -> u64 {
        storm.concurrency * self.body_bytes
    }

    /// Requests that did not end with 2xx and a whole body.
    pub fn failed(&self) -> u64 {
        self.requests - self.ok.min(self.requests)
    }
}

impl Times {
    /// The distribution of a histogram of microseconds.
    pub fn of(histogram: &hdrhistogram::Histogram<u64>) -> Self {
        let millis = |micros: u64| micros as f64 / 1_000.0;
        let at = |quantile| millis(histogram.value_at_quantile(quantile));
        let counts = histogram
            .iter_recorded()
            .map(|value| (millis(value.value_iterated_to()), value.count_at_value()));
        Self {
            p50_ms: at(0.50),
            p90_ms: at(0.90),
            p99_ms: at(0.99),
            max_ms: millis(histogram.max()),
            counts: counts.collect(),
        }
    }
}
