//! What all requests share.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use fixtures::dataset::Populate;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use sim_api::{
    release::{FeatureGates, Release},
    resources::{Resource, ResourceTable},
    service::{Allocators, PortRange, Range},
};
use sim_cluster::ClusterConfig;
use sim_store::{Store, StoreConfig};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    authorizer::Authorizer,
    controllers::{Extension, Served},
    edge::clock::Clock,
    emulation::Report,
    flow::{FlowControl, config::Feeding},
    metrics::Metrics,
    services::Services,
    shelf::Shelf,
    tally::Tally,
};

/// Settings of a server, after [`ServeArgs::into_config`](crate::ServeArgs::into_config).
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub bind_address: IpAddr,
    /// HTTPS port; `Some(0)` takes a free one.
    pub secure_port: Option<u16>,
    /// Plain HTTP port; `Some(0)` takes a free one.
    pub insecure_port: Option<u16>,
    /// Certificate chain and key files; without them a certificate is made.
    pub tls_files: Option<(PathBuf, PathBuf)>,
    /// Where to write a kubeconfig.
    pub write_kubeconfig: Option<PathBuf>,
    /// Where to say that the server is ready.
    pub ready_file: Option<PathBuf>,
    /// The release to behave like.
    pub release: Release,
    /// Its feature gates.
    pub gates: FeatureGates,
    /// Read-only requests at once, 0 = no limit.
    pub max_requests_inflight: u32,
    /// Mutating requests at once, 0 = no limit.
    pub max_mutating_requests_inflight: u32,
    /// Whether `metrics.k8s.io` is served from the start.
    pub metrics_api: bool,
    /// API Priority and Fairness instead of the max-inflight filter.
    pub enable_priority_and_fairness: bool,
    /// How often flow control counts the objects; zero = it always knows.
    pub object_count_poll: Duration,
    /// A request's deadline.
    pub request_timeout: Duration,
    /// Least length of a watch that names none; the most is twice this.
    pub min_request_timeout: Duration,
    /// Time for a request's header to arrive. Source: `secure_serving.go`, 32 s.
    pub read_header_timeout: Duration,
    /// HTTP/2 streams per connection.
    pub http2_max_streams: u32,
    /// How long readyz fails before the server stops accepting.
    pub shutdown_delay: Duration,
    /// How often history is compacted; zero = never.
    pub compaction_interval: Duration,
    /// Addresses of Services, the default family first.
    pub service_ranges: Vec<Range>,
    /// Ports of Services on nodes.
    pub node_ports: PortRange,
    /// Static bearer tokens.
    pub tokens: Vec<Token>,
    /// Who decides what a user may do, in this order.
    pub authorization_modes: Vec<sim_api::auth::Mode>,
    /// Whether requests without credentials are let in.
    pub anonymous_auth: bool,
    /// Files to load before serving.
    pub load: Vec<PathBuf>,
    /// Objects to make before serving.
    pub populate: Option<Populate>,
    /// Namespace of those.
    pub populate_namespace: String,
    /// Seed of everything random.
    pub random_seed: u64,
    /// Least time that requests execute.
    pub(crate) service_times: crate::pipeline::pace::ServiceTimes,
    /// The emulated cluster, if there is one.
    pub cluster: Option<ClusterConfig>,
    /// Worker threads, 0 = one per core.
    pub threads: usize,
    /// Stop at end of standard input.
    pub exit_on_stdin_close: bool,
    /// Stop after this long.
    pub exit_after: Option<Duration>,
    /// Print a line per request.
    pub log_requests: bool,
}

/// One line of a token file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// The bearer token.
    pub token: String,
    /// User name.
    pub user: String,
    /// User's uid.
    pub uid: String,
    /// The groups, without system:authenticated.
    pub groups: Vec<String>,
}

/// Reads a token file: CSV lines of token, user, uid and, quoted, groups.
pub(crate) fn parse_tokens(path: &Path) -> anyhow::Result<Vec<Token>> {
    let text = std::fs::read_to_string(path)?;
    let mut tokens = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let mut fields = line.splitn(4, ',').map(|field| field.trim().trim_matches('"'));
        let mut field = |name: &str| {
            fields.next().filter(|field| !field.is_empty()).ok_or_else(|| {
                anyhow::anyhow!("line {}: no {name}; want token,user,uid,\"groups\"", number + 1)
            })
        };
        let (token, user, uid) = (field("token")?, field("user")?, field("uid")?);
        let groups = field("groups").unwrap_or_default();
        tokens.push(Token {
            token: token.into(),
            user: user.into(),
            uid: uid.into(),
            groups: groups
                .split(',')
                .map(str::trim)
                .filter(|g| !g.is_empty())
                .map(String::from)
                .collect(),
        });
    }
    Ok(tokens)
}

/// The running server's state.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    /// The built-in resources; see [`served`](Self::served) for all.
    pub(crate) table: ResourceTable,
    /// What the definitions of custom resources and the registered services make.
    pub(crate) extension: Extension,
    pub(crate) store: Store,
    pub(crate) authorizer: Authorizer,
    pub(crate) metrics: Metrics,
    pub(crate) flow: FlowControl,
    pub(crate) feeding: Feeding,
    pub(crate) services: Services,
    pub(crate) tally: Tally,
    /// Where the emulated cluster takes orders, once it runs.
    pub(crate) cluster: std::sync::OnceLock<tokio::sync::mpsc::Sender<Report>>,
    /// readyz fails and long-running requests end.
    pub(crate) stopping: AtomicBool,
    shelves: DashMap<String, Arc<Shelf>>,
    stop_asked: Notify,
    random: Mutex<Pcg64>,
}

impl App {
    pub(crate) fn new(config: Config) -> Self {
        let clock = Clock::start();
        let table = ResourceTable::for_release(config.release);
        let app = Self {
            metrics: Metrics::new(&config),
            flow: FlowControl::new(&config, clock),
            authorizer: Authorizer::new(config.authorization_modes.clone()),
            feeding: Feeding::default(),
            tally: Tally::default(),
            cluster: std::sync::OnceLock::new(),
            services: Services::new(Allocators::new(
                &config.service_ranges,
                config.node_ports,
                table.lookup("networking.k8s.io", "v1", "ipaddresses").is_some(),
            )),
            stopping: AtomicBool::new(false),
            store: Store::new(StoreConfig::default()),
            shelves: DashMap::new(),
            stop_asked: Notify::new(),
            random: Mutex::new(Pcg64::seed_from_u64(config.random_seed)),
            clock,
            extension: Extension::new(&table),
            table,
            config,
        };
        for resource in app.table.iter() {
            app.shelf(resource);
        }
        app
    }

    /// Every resource that is served now.
    pub(crate) fn served(&self) -> Arc<Served> {
        self.extension.served()
    }

    /// Where the objects of a resource are kept; versions of one resource share it.
    pub(crate) fn shelf(&self, resource: &Resource) -> Arc<Shelf> {
        let key = resource.storage_key();
        if let Some(found) = self.shelves.get(key) {
            return Arc::clone(&found);
        }
        let made = self
            .shelves
            .entry(key.to_owned())
            .or_insert_with(|| Arc::new(Shelf::new(self.store.collection(key))));
        Arc::clone(&made)
    }

    /// Asks the server to stop, as a signal would.
    pub(crate) fn stop(&self) {
        self.stop_asked.notify_one();
    }

    /// Resolves when [`stop`](Self::stop) was called.
    pub(crate) async fn stopped(&self) {
        self.stop_asked.notified().await;
    }

    /// readyz fails from here on.
    pub(crate) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Lets every watch see that the server is stopping.
    pub(crate) fn wake_watchers(&self) {
        for shelf in &self.shelves {
            shelf.wake();
        }
    }

    /// 128 random bits in the form of a UUID, from the server's seed.
    pub(crate) fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.with_random(|random| random.fill_bytes(&mut bytes));
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Five characters as generateName appends them, without vowels and the digits that look
    /// like them. Source: `apimachinery/pkg/util/rand`.
    pub(crate) fn name_suffix(&self) -> String {
        const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        self.with_random(|random| {
            (0..5)
                .map(|_| {
                    let index = random.next_u32() as usize % ALPHABET.len();
                    char::from(ALPHABET[index])
                })
                .collect()
        })
    }

    /// A number below the given one; 0 where there is none.
    pub(crate) fn random_below(&self, below: u64) -> u64 {
        self.with_random(|random| random.next_u64()).checked_rem(below).unwrap_or(0)
    }

    /// A number in [0, 1).
    pub(crate) fn random_unit(&self) -> f64 {
        let bits = self.with_random(|random| random.next_u32());
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    fn with_random<T>(&self, draw: impl FnOnce(&mut Pcg64) -> T) -> T {
        draw(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
