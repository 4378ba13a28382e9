//! The flags of `sim-server` and `loadgen serve`, spelled as the real kube-apiserver's where it
//! has them.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Args;
use fixtures::dataset::Populate;
use sim_api::{
    auth::Mode,
    release::{FeatureGates, Release},
    service::{PortRange, Range},
};

use crate::{
    app::{Config, parse_tokens},
    pipeline::pace::ServiceTimes,
};

/// What a person typed.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Address to listen on, e.g. 127.0.0.1. The simulator is meant for the loopback interface
    #[arg(long, default_value = "127.0.0.1")]
    pub bind_address: IpAddr,
    /// Port for HTTPS (HTTP/2 and HTTP/1.1), 0 = off
    #[arg(long, default_value_t = 6443)]
    pub secure_port: u16,
    /// Port for plain HTTP (HTTP/1.1 and h2c): 0 = off, a number, or `auto` for any free one.
    /// Everyone there is in system:masters unless a token says otherwise
    #[arg(long, default_value = "0")]
    pub insecure_port: String,
    /// The server's certificate chain, PEM; without it one is made at start
    #[arg(long, requires = "tls_private_key_file")]
    pub tls_cert_file: Option<PathBuf>,
    /// The key of --tls-cert-file, PEM
    #[arg(long, requires = "tls_cert_file")]
    pub tls_private_key_file: Option<PathBuf>,
    /// Write a kubeconfig with the CA and an admin token here; `kubectl --kubeconfig` works with it
    #[arg(long)]
    pub write_kubeconfig: Option<PathBuf>,
    /// Write {"pid","https","http","version"} here, atomically, once serving
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
    /// The release to behave like, 1.29 to 1.37
    #[arg(long, default_value = "1.33")]
    pub kubernetes_version: String,
    /// Gates to switch, e.g. StreamingCollectionEncodingToJSON=false,WatchList=true
    #[arg(long, default_value = "")]
    pub feature_gates: String,
    /// Read-only requests at once, 0 = no limit
    #[arg(long, default_value_t = 400)]
    pub max_requests_inflight: u32,
    /// Mutating requests at once, 0 = no limit
    #[arg(long, default_value_t = 200)]
    pub max_mutating_requests_inflight: u32,
    /// Serve metrics.k8s.io, so that `kubectl top` works: what nodes and pods use is told by
    /// their annotations or by what pods request (docs in sim_api::metrics_api). Without it, an
    /// APIService v1beta1.metrics.k8s.io whose Service is there does the same
    #[arg(long)]
    pub metrics_api: bool,
    /// API Priority and Fairness; false = the max-inflight filter
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub enable_priority_and_fairness: bool,
    /// How often flow control counts the objects, by which it prices LISTs: 1m as the real server
    /// does, 0s = it always knows
    #[arg(long, default_value = "0s", value_parser = duration)]
    pub object_count_poll_period: Duration,
    /// A request must be done within this, e.g. 60s
    #[arg(long, default_value = "1m0s", value_parser = duration)]
    pub request_timeout: Duration,
    /// A watch without timeoutSeconds ends between this and twice this, in seconds
    #[arg(long, default_value_t = 1_800)]
    pub min_request_timeout: u64,
    /// Streams that one HTTP/2 client may have open
    #[arg(long, default_value_t = 100)]
    pub http2_max_streams_per_connection: u32,
    /// Wait this long with readyz failing before closing, e.g. 5s
    #[arg(long, default_value = "0s", value_parser = duration)]
    pub shutdown_delay_duration: Duration,
    /// Compact the history this often, 0s = never (--etcd-compaction-interval of the real one)
    #[arg(long, default_value = "5m0s", value_parser = duration)]
    pub etcd_compaction_interval: Duration,
    /// Addresses of Services, one range or one of each family
    #[arg(long, value_name = "CIDR,...", default_value = "10.0.0.0/24", value_delimiter = ',')]
    pub service_cluster_ip_range: Vec<Range>,
    /// Ports of Services on nodes
    #[arg(long, value_name = "FIRST-LAST", default_value_t = PortRange::default())]
    pub service_node_port_range: PortRange,
    /// Tokens: a CSV file of token,user,uid,"group1,group2"
    #[arg(long)]
    pub token_auth_file: Option<PathBuf>,
    /// Let requests without credentials in as system:anonymous
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub anonymous_auth: bool,
    /// Who decides what a user may do: AlwaysAllow, AlwaysDeny, RBAC, or several in a row
    #[arg(long, default_value = "AlwaysAllow")]
    pub authorization_mode: String,
    /// Manifests, List objects or `kubectl get -o json|yaml` dumps to load before serving
    #[arg(long, num_args = 1..)]
    pub load: Vec<PathBuf>,
    /// Objects to make before serving, KIND=COUNT or KIND=COUNTxSIZE, e.g. nodes=100,pods=10000x2Ki
    #[arg(long, default_value = "")]
    pub populate: String,
    /// Namespace of the objects that --populate makes
    #[arg(long, default_value = "load")]
    pub populate_namespace: String,
    /// Seed of everything random: uids, generated names, watch time-outs
    #[arg(long, default_value_t = 1)]
    pub random_seed: u64,
    /// What a request of a verb executes at least, holding its seats, e.g. list=700ms,get=15ms:
    /// this server is far faster than the real one, and a queue needs work that takes time
    #[arg(long, value_name = "VERB=TIME,...", default_value = "")]
    pub service_time: String,
    /// CPUs that share the work of --service-time: with more requests than CPUs each takes longer;
    /// 0 = every request has its own
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub service_cpus: u16,
    /// Emulate a cluster: controllers, scheduler, kubelets. A file (kind: Cluster), or in short
    /// nodes=10,cpus=8,memoryGiB=32,maxPods=110,clientQps=real,kubelets=kwok,controlPlane=false
    #[arg(long, value_name = "FILE|nodes=N,...")]
    pub cluster: Option<String>,
    /// Rate limits of the emulated cluster's clients: those of the real programs, or none
    #[arg(long, value_name = "real|unlimited")]
    pub client_qps: Option<String>,
    /// Worker threads, 0 = one per core
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Stop when standard input closes, so that a parent's death takes the server with it
    #[arg(long)]
    pub exit_on_stdin_close: bool,
    /// Stop by itself after this long, e.g. 10m; 0s = never
    #[arg(long, default_value = "0s", value_parser = duration)]
    pub exit_after: Duration,
    /// Log level: 0 start and stop, 2 every request
    #[arg(short, long = "v", value_name = "LEVEL", default_value_t = 0)]
    pub v: u8,
}

/// Wrong usage: names the flag, file and field. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ArgsError(String);

impl ArgsError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl ServeArgs {
    /// What the flags mean.
    ///
    /// # Errors
    ///
    /// One line that names the flag, and the file and field where there is one.
    pub fn into_config(self) -> Result<Config, ArgsError> {
        let flag =
            |flag: &str, error: &dyn std::fmt::Display| ArgsError(format!("{flag}: {error}"));
        let release = Release::parse(&self.kubernetes_version)
            .map_err(|error| flag("--kubernetes-version", &error))?;
        let mut gates = FeatureGates::of(release);
        gates
            .set_from_flag(&self.feature_gates)
            .map_err(|error| flag("--feature-gates", &error))?;
        let insecure_port = match self.insecure_port.as_str() {
            "0" => None,
            "auto" => Some(0),
            port => Some(port.parse().map_err(|_| {
                flag("--insecure-port", &format!("{port:?} is not a port, 0 or auto"))
            })?),
        };
        if insecure_port.is_none() && self.secure_port == 0 {
            return Err(ArgsError::new(
                "--secure-port and --insecure-port are both 0: there is nothing to serve on",
            ));
        }
        let seats = self.max_requests_inflight.saturating_add(self.max_mutating_requests_inflight);
        if self.enable_priority_and_fairness && seats == 0 {
            // The real server's words, and it does not start either.
            return Err(ArgsError::new(
                "--max-requests-inflight, --max-mutating-requests-inflight: server concurrency \
                 limit: MaxRequestsInFlight=0 and MaxMutatingRequestsInFlight=0 but they must add \
                 up to something positive",
            ));
        }
        let authorization_modes = Mode::parse_list(&self.authorization_mode)
            .map_err(|error| flag("--authorization-mode", &error))?;
        check_ranges(&self.service_cluster_ip_range)
            .map_err(|error| flag("--service-cluster-ip-range", &error))?;
        let tokens = match &self.token_auth_file {
            Some(path) => parse_tokens(path)
                .map_err(|error| flag(&format!("--token-auth-file {}", path.display()), &error))?,
            None => Vec::new(),
        };
        let populate = if self.populate.is_empty() {
            None
        } else {
            Some(Populate::parse(&self.populate).map_err(|error| flag("--populate", &error))?)
        };
        let service_times =
            ServiceTimes::parse(&self.service_time).map_err(|e| flag("--service-time", &e))?;
        let service_times = service_times.on_cpus(self.service_cpus);
        let cluster = crate::emulation::config(
            self.cluster.as_deref(),
            self.client_qps.as_deref(),
            release.git_version(),
        )
        .map_err(|(name, error)| flag(name, &error))?;
        Ok(Config {
            cluster,
            bind_address: self.bind_address,
            secure_port: (self.secure_port != 0).then_some(self.secure_port),
            insecure_port,
            tls_files: self.tls_cert_file.zip(self.tls_private_key_file),
            write_kubeconfig: self.write_kubeconfig,
            ready_file: self.ready_file,
            release,
            gates,
            max_requests_inflight: self.max_requests_inflight,
            max_mutating_requests_inflight: self.max_mutating_requests_inflight,
            metrics_api: self.metrics_api,
            enable_priority_and_fairness: self.enable_priority_and_fairness,
            object_count_poll: self.object_count_poll_period,
            request_timeout: self.request_timeout,
            min_request_timeout: Duration::from_secs(self.min_request_timeout),
            read_header_timeout: Duration::from_secs(32),
            http2_max_streams: self.http2_max_streams_per_connection,
            shutdown_delay: self.shutdown_delay_duration,
            compaction_interval: self.etcd_compaction_interval,
            service_ranges: self.service_cluster_ip_range,
            node_ports: self.service_node_port_range,
            tokens,
            anonymous_auth: self.anonymous_auth,
            authorization_modes,
            load: self.load,
            populate,
            populate_namespace: self.populate_namespace,
            random_seed: self.random_seed,
            service_times,
            threads: self.threads,
            exit_on_stdin_close: self.exit_on_stdin_close,
            exit_after: (!self.exit_after.is_zero()).then_some(self.exit_after),
            log_requests: self.v >= 2,
        })
    }
}

/// One range, or one of each family.
fn check_ranges(ranges: &[Range]) -> Result<(), &'static str> {
    let families = ranges.iter().map(|range| range.first().is_ipv4());
    match families.collect::<Vec<_>>()[..] {
        [_] => Ok(()),
        [first, second] if first != second => Ok(()),
        _ => Err("must be one range, or one of IPv4 and one of IPv6"),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    sim_api::duration::parse(text).map_err(|error| error.to_string())
}
