//! The configuration objects that a command looks at: of a release, from files, or from a server.

mod live;
mod parse;

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use sim_flow::{
    Controller, ControllerConfig, ObjectStats, Release,
    api::{FlowSchema, PriorityLevelConfiguration},
    bootstrap::Bootstrap,
};
use sim_time::SimTime;

pub use self::live::LiveLimits;
use crate::{LoadError, units};

/// Flags that say which configuration.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// YAML or JSON with FlowSchemas and PriorityLevelConfigurations, laid over those of the
    /// release; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Take the files for everything there is, without the objects of the release
    #[arg(long, requires = "files")]
    pub no_bootstrap: bool,

    /// Release whose objects and rules hold, 1.29 … 1.37 [default: the server's, or 1.33]
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<String>,

    /// Read-only requests in flight, as the server's flag; with the next one, its seats
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub max_requests_inflight: u32,

    /// Mutating requests in flight, as the server's flag
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub max_mutating_requests_inflight: u32,

    /// Read the objects from this server, e.g. http://127.0.0.1:8080
    #[arg(long, value_name = "URL", conflicts_with_all = ["kubeconfig", "files"])]
    pub server: Option<String>,

    /// Read the objects from the server of this kubeconfig
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    pub context: Option<String>,

    /// Bearer token
    #[arg(long, value_name = "TOKEN", requires = "server")]
    pub token: Option<String>,
}

/// Configuration objects and what decides with them.
#[derive(Clone, Debug)]
pub struct FlowConfig {
    /// Where the objects come from, for people.
    pub origin: String,
    /// The release that decides.
    pub release: Release,
    /// Seats of the server: the sum of both max-in-flight flags.
    pub server_seats: u32,
    /// All FlowSchemas.
    pub flow_schemas: Vec<FlowSchema>,
    /// All PriorityLevelConfigurations.
    pub priority_levels: Vec<PriorityLevelConfiguration>,
    /// Objects in the cluster by `resource` or `resource.group`.
    pub objects: BTreeMap<String, ObjectStats>,
    /// What a server says of its limits now; only from a server.
    pub live: Option<LiveLimits>,
}

impl ConfigArgs {
    /// Reads the configuration.
    ///
    /// # Errors
    /// One line with flag, or file and field; or why the server did not answer.
    pub async fn read(&self) -> Result<FlowConfig, LoadError> {
        let release = self.release()?;
        let seats = self.max_requests_inflight.saturating_add(self.max_mutating_requests_inflight);
        if seats == 0 {
            return Err(LoadError::usage("--max-requests-inflight", "the server has no seats"));
        }
        if self.server.is_some() || self.kubeconfig.is_some() {
            return live::read(self, release, seats).await;
        }
        let release = release.unwrap_or(DEFAULT_RELEASE);
        let mut config = if self.no_bootstrap {
            FlowConfig::empty(release, seats)
        } else {
            FlowConfig::bootstrap(release, seats)
        };
        for file in &self.files {
            config.overlay_file(file)?;
        }
        Ok(config)
    }

    /// The release asked for.
    pub(super) fn release(&self) -> Result<Option<Release>, LoadError> {
        let release = self.kubernetes_version.as_deref().map(super::load::release).transpose();
        release.map_err(|message| LoadError::usage("--kubernetes-version", message))
    }
}

impl FlowConfig {
    /// No objects but the mandatory ones that every server imagines.
    pub fn empty(release: Release, server_seats: u32) -> Self {
        Self {
            origin: String::new(),
            release,
            server_seats,
            flow_schemas: Vec::new(),
            priority_levels: Vec::new(),
            objects: BTreeMap::new(),
            live: None,
        }
    }

    /// The objects that every server of a release has.
    pub fn bootstrap(release: Release, server_seats: u32) -> Self {
        let bootstrap = Bootstrap::new(release);
        Self {
            origin: format!("the objects of Kubernetes {release}"),
            flow_schemas: bootstrap.flow_schemas().cloned().collect(),
            priority_levels: bootstrap.priority_levels().cloned().collect(),
            ..Self::empty(release, server_seats)
        }
    }

    /// An engine with these objects and object counts.
    pub fn controller(&self, now: SimTime) -> Controller {
        let mut settings = ControllerConfig::new(self.release);
        settings.server_concurrency_limit = self.server_seats;
        let mut controller = Controller::new(now, settings);
        controller.handle_config_change(
            now,
            self.flow_schemas.clone(),
            self.priority_levels.clone(),
        );
        for (resource, stats) in &self.objects {
            controller.object_counts_mut().set(now, resource, *stats);
        }
        controller
    }
}

/// Object counts on the command line: `pods=20000` or `pods=20000x2Ki`, separated by commas.
pub(super) fn objects(text: &str) -> Result<Vec<(String, ObjectStats)>, String> {
    text.split(',').filter(|part| !part.is_empty()).map(object_count).collect()
}

fn object_count(part: &str) -> Result<(String, ObjectStats), String> {
    let wrong = || format!("{part:?} is not like pods=20000 or pods=20000x2KiB");
    let (resource, rest) = part.split_once('=').ok_or_else(wrong)?;
    let (count, size) = rest.split_once('x').unwrap_or((rest, "0"));
    let count = count.parse::<u32>().map_err(|_| wrong())?;
    let average_bytes = units::bytes(size).map_err(|_| wrong())?;
    let average_bytes = i64::try_from(average_bytes).map_err(|_| wrong())?;
    if resource.is_empty() {
        return Err(wrong());
    }
    Ok((resource.to_owned(), ObjectStats { count: count.into(), average_bytes }))
}

/// The oldest release that streams lists, as elsewhere in this program.
pub(super) const DEFAULT_RELEASE: Release = match Release::new(33) {
    Some(release) => release,
    None => Release::NEWEST,
};
