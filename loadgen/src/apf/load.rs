//! A small description of load, as `loadgen apf simulate` reads it.
//!
//! ```yaml
//! apiVersion: apisim/v1alpha1
//! kind: ApfLoad
//! kubernetesVersion: "1.33"
//! duration: 30s
//! objects:
//!   pods: {count: 5000, averageBytes: 2000}
//! clients:
//! - name: elephant
//!   user: alice
//!   verb: list
//!   path: /api/v1/namespaces/load/pods?resourceVersion=0
//!   workers: 30
//!   service: {exponential: 100ms}
//! ```

mod file;
mod times;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sim_flow::{ObjectStats, Release, RequestDigest};

use self::file::File;
pub use self::times::ServiceTime;
pub(super) use self::{file::release, times::unit};
use super::request;
use crate::LoadError;

/// Load to be played through.
#[derive(Clone, Debug)]
pub struct Load {
    /// For people; may be empty.
    pub description: String,
    /// The release that decides, when the command line names none.
    pub release: Option<Release>,
    /// `--max-requests-inflight`, in requests; default 400. With API Priority and Fairness it is
    /// one summand of the server's seats.
    pub max_requests_inflight: u32,
    /// `--max-mutating-requests-inflight`, in requests; default 200. The other summand.
    pub max_mutating_requests_inflight: u32,
    /// Whether API Priority and Fairness decides, or the max-in-flight filter; default true.
    pub apf: bool,
    /// Files with configuration objects, read over the release's own; paths as they are to be
    /// opened.
    pub config: Vec<PathBuf>,
    /// Virtual time played through, from 0.
    pub duration: Duration,
    /// Virtual time at the start that no figure counts; default 0. Curves show it all the same.
    pub warmup: Duration,
    /// Seed of service times and open-loop arrivals; default 1.
    pub seed: u64,
    /// Interval between two points of the curves; default a two-hundredth of the duration.
    pub sample_every: Duration,
    /// `--request-timeout`; default 60 s. Requests wait a quarter of it at the longest, and are cut
    /// at its end.
    pub request_timeout: Duration,
    /// Cores that the executing requests share equally, each using one at the most. Without it
    /// every request has a core of its own.
    pub cpus: Option<f64>,
    /// How seats are held.
    pub hold: Hold,
    /// Objects in the cluster by `resource` or `resource.group`, from which LISTs get their width.
    /// A resource that is not here was never counted: one seat.
    pub objects: BTreeMap<String, ObjectStats>,
    /// Whether etcd tells how far its watches are (since 3.4.25 and 3.5.8), without which consistent
    /// LISTs are no reads from the cache; default true.
    pub etcd_supports_progress: bool,
    /// Watches being served all the time, from which mutations get their final phase.
    pub watches: Vec<(Arc<RequestDigest>, u32)>,
    /// Who asks for what.
    pub clients: Vec<Client>,
}

/// How seats are held.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Hold {
    /// While the request executes; its length is not known beforehand. So it is in a server.
    #[default]
    Execution,
    /// In the final phase, with the length known at the arrival. So it is in the upstream
    /// simulation (`simulateAPF`), which cannot execute requests.
    FinalPhase,
}

/// One kind of request from one user.
#[derive(Clone, Debug)]
pub struct Client {
    /// Unique name, for the results.
    pub name: String,
    /// Who and what.
    pub digest: Arc<RequestDigest>,
    /// When requests are made.
    pub pattern: Pattern,
    /// When the first request is made.
    pub start: Duration,
    /// When no further request is made; default never.
    pub stop: Option<Duration>,
    /// How long a request executes, or how much of a core it takes where cores are shared.
    pub service: ServiceTime,
    /// Memory that a request holds while it executes, in bytes; only summed up.
    pub held_bytes: u64,
}

/// When requests are made.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Each worker makes its next request when it has the answer to the last.
    Closed {
        /// Workers, one request each at a time.
        workers: u32,
        /// Pause after an answer.
        think: ServiceTime,
        /// What follows a refusal.
        after_reject: AfterReject,
        /// Requests of each worker; `None` is no end.
        requests: Option<u64>,
    },
    /// Requests come at a rate, whatever happens to them; none is repeated.
    Open {
        /// Mean requests a second.
        rate_per_s: f64,
        /// Random gaps (a Poisson process), or all alike.
        poisson: bool,
    },
}

/// What a worker does after a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AfterReject {
    /// Goes on after this pause.
    Pause(ServiceTime),
    /// Goes on after the seconds of `Retry-After`.
    RetryAfter,
    /// Stops.
    Stop,
}

impl Load {
    /// Reads a load file.
    ///
    /// # Errors
    /// One line with file and field.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let text =
            std::fs::read_to_string(path).map_err(|e| LoadError::file(path, e.to_string()))?;
        Self::parse(&text, path.parent().unwrap_or_else(|| Path::new(".")))
            .map_err(|message| LoadError::file(path, message))
    }

    /// Reads the text of a load file; `directory` is what its paths are relative to.
    ///
    /// # Errors
    /// One line with the field.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, String> {
        let file: File = from_yaml(text)?;
        file.into_load(directory)
    }

    /// Seats of the server.
    pub fn server_seats(&self) -> u32 {
        self.max_requests_inflight.saturating_add(self.max_mutating_requests_inflight)
    }
}

/// Reads YAML; a wrong value is told with the field of its line.
pub(super) fn from_yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    if text.trim().is_empty() {
        return Err("the file is empty".to_owned());
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let line = error.location().and_then(|at| usize::try_from(at.line()).ok());
        let key = line.and_then(|line| text.lines().nth(line.checked_sub(1)?)).and_then(key_of);
        match key {
            Some(key) if !first.contains(&format!("`{key}`")) => format!("{key}: {first}"),
            _ => first.to_owned(),
        }
    })
}

/// The key that a line of YAML begins with.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(|c: char| c == '-' || c.is_whitespace());
    let (key, _) = line.split_once(':')?;
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    plain.then_some(key)
}

fn digest_of(
    user: &str,
    groups: Option<Vec<String>>,
    verb: &str,
    path: &str,
) -> Result<Arc<RequestDigest>, String> {
    let groups = groups.unwrap_or_else(|| request::implied_groups(user));
    Ok(Arc::new(request::digest(user, groups, verb, path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(body: &str) -> Result<Load, String> {
        let head = "apiVersion: apisim/v1alpha1\nkind: ApfLoad\nduration: 10s\n";
        Load::parse(&format!("{head}{body}"), Path::new("."))
    }

    #[test]
    fn defaults_are_those_of_the_server() {
        let load = load("clients:\n- {user: alice, path: /version, service: 5ms}\n").unwrap();
        assert_eq!(load.server_seats(), 600);
        assert_eq!(load.request_timeout, Duration::from_secs(60));
        assert_eq!(load.sample_every, Duration::from_millis(50));
        let client = &load.clients[0];
        assert_eq!(client.name, "alice");
        assert_eq!(client.digest.user.groups, ["system:authenticated"]);
        assert_eq!(client.digest.request.verb, "get");
        assert!(matches!(client.pattern, Pattern::Closed { workers: 1, requests: None, .. }));
    }

    #[test]
    fn mistakes_name_their_field() {
        let client = |fields: &str| {
            load(&format!("clients:\n- {{user: u, path: /version, service: 1ms, {fields}}}\n"))
                .unwrap_err()
        };
        for (error, part) in [
            (load("").unwrap_err(), "clients"),
            (load("durations: 3s\nclients: []\n").unwrap_err(), "durations"),
            (load("warmup: soon\nclients: []\n").unwrap_err(), "warmup"),
            (load("clients: []\n").unwrap_err(), "clients: at least one"),
            (load("kubernetesVersion: '1.99'\nclients: []\n").unwrap_err(), "kubernetesVersion"),
            (client("workers: 0"), "clients[0] (u): workers"),
            (client("verb: list"), "clients[0] (u): verb"),
            (client("rate: 5/s, workers: 2"), "clients[0] (u): rate"),
            (client("service2: 1ms"), "service2"),
            (client("think: often"), "often"),
        ] {
            assert!(error.contains(part), "{error:?} should name {part:?}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
