//! What a simulation found.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything that a simulation found. All figures are modelled.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Which layout this is.
    pub schema: &'static str,
    /// The load's description.
    pub description: String,
    /// Where the configuration objects come from.
    pub origin: String,
    /// The release that decided.
    pub kubernetes_version: String,
    /// Whether API Priority and Fairness decided, or the max-in-flight filter.
    pub apf: bool,
    /// Seats of the server.
    pub server_seats: u32,
    /// Seed of service times and arrivals.
    pub seed: u64,
    /// Virtual time played through, in seconds.
    pub duration_s: f64,
    /// Virtual time from which on figures count, in seconds.
    pub measured_from_s: f64,
    /// Seats in use of all levels, mean over time.
    pub mean_seats: f64,
    /// Bytes held by executing requests, mean over time.
    pub mean_held_bytes: f64,
    /// By level, by name; only levels that saw a request.
    pub levels: Vec<LevelRow>,
    /// By user, in the load's order.
    pub users: Vec<UserRow>,
    /// By entry of the load.
    pub clients: Vec<ClientRow>,
    /// When the curves have a point, in seconds.
    pub t_s: Vec<f64>,
    /// The curves of each level that saw a request.
    pub series: Vec<LevelSeries>,
}

/// One level.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LevelRow {
    /// Its name; `(readOnly)` and `(mutating)` are the pools of the max-in-flight filter.
    pub name: String,
    /// NominalCL, in seats.
    pub nominal_limit: u32,
    /// MinCL, in seats.
    pub lower_limit: u32,
    /// MaxCL, in seats.
    pub upper_limit: u32,
    /// CurrentCL at the end, in seats.
    pub current_limit: u32,
    /// The most seats of one request; 0 where the level sets none.
    pub max_seats: u32,
    /// Counts.
    #[serde(flatten)]
    pub row: Row,
}

/// One user.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRow {
    /// The user's name.
    pub user: String,
    /// Part of all completed requests, in percent.
    pub share_percent: f64,
    /// Counts.
    #[serde(flatten)]
    pub row: Row,
}

/// One entry of the load.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientRow {
    /// Its name.
    pub name: String,
    /// Its user.
    pub user: String,
    /// The level it went to at last.
    pub level: String,
    /// Seats of its last request.
    pub seats_each: u64,
    /// Counts.
    #[serde(flatten)]
    pub row: Row,
    /// Requests executing, at the times of the curves.
    pub executing: Vec<u64>,
}

/// Counts over the time that counts.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Requests made.
    pub arrived: u64,
    /// Requests answered.
    pub completed: u64,
    /// Requests cut by the request timeout while they executed.
    pub cut: u64,
    /// Requests refused, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Completed of all that came to an end, in percent; none where nothing did.
    pub success_percent: Option<f64>,
    /// Completed requests a second.
    pub per_s: f64,
    /// From arrival to dispatch, of the requests that were dispatched.
    pub wait: Times,
    /// From arrival to answer, of the completed requests.
    pub latency: Times,
    /// Requests executing, mean over time.
    pub mean_executing: f64,
    /// Most requests executing at once; for a user with several clients an upper bound.
    pub most_executing: u64,
    /// Seats of the executing requests, mean over time.
    pub mean_seats: f64,
    /// Most seats at once; for a user with several clients an upper bound.
    pub most_seats: u64,
    /// Bytes held by the executing requests, mean over time.
    pub mean_held_bytes: f64,
    /// Most bytes held at once; for a user with several clients an upper bound.
    pub most_held_bytes: u64,
}

/// Lengths of time, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// How many there are.
    pub count: u64,
    /// The median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// Curves of one level.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LevelSeries {
    /// Its name.
    pub name: String,
    /// CurrentCL, in seats.
    pub limit: Vec<u32>,
    /// Seats in use.
    pub seats: Vec<u64>,
    /// Requests executing.
    pub executing: Vec<usize>,
    /// Requests waiting in the queues.
    pub waiting: Vec<usize>,
}

impl Outcome {
    /// A level, by name.
    pub fn level(&self, name: &str) -> Option<&LevelRow> {
        self.levels.iter().find(|level| level.name == name)
    }

    /// A client, by name.
    pub fn client(&self, name: &str) -> Option<&ClientRow> {
        self.clients.iter().find(|client| client.name == name)
    }

    /// Requests of a client that executed at the last point of the curves at or before `t_s`.
    pub fn executing_at(&self, client: &str, t_s: f64) -> Option<u64> {
        let at = self.t_s.partition_point(|t| *t <= t_s + 1e-9).checked_sub(1)?;
        self.client(client)?.executing.get(at).copied()
    }
}

impl Row {
    /// Requests refused for any reason.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// The layout of [`Outcome`].
pub(super) const SCHEMA: &str = "apisim/apf-simulation/v1";
