//! `/metrics`: the real families, with their labels and buckets.
//!
//! Source: `golden/metrics/metrics_133.json` (recorded) for names, labels and buckets. The values
//! of `process_*` are this simulator's own and say nothing of a real server's.

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec,
    Opts, Registry, TextEncoder,
};
use sim_api::request_info::RequestInfo;

use crate::app::Config;

pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) request_total: IntCounterVec,
    request_duration: HistogramVec,
    request_sli_duration: HistogramVec,
    response_sizes: HistogramVec,
    pub(crate) longrunning: IntGaugeVec,
    pub(crate) current_inflight: IntGaugeVec,
    pub(crate) request_terminations: IntCounterVec,
    pub(crate) request_aborts: IntCounterVec,
    pub(crate) watch_events: IntCounterVec,
    pub(crate) watch_events_sizes: HistogramVec,
    pub(crate) tls_handshake_errors: IntCounter,
    pub(crate) authenticated_users: IntCounterVec,
    pub(crate) storage_objects: IntGaugeVec,
    pub(crate) watch_cache_capacity: IntGaugeVec,
    process: Process,
}

/// The labels of one request.
#[derive(Clone, Debug)]
pub(crate) struct RequestLabels {
    pub(crate) verb: &'static str,
    pub(crate) dry_run: &'static str,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) scope: &'static str,
}

impl RequestLabels {
    /// Source: `endpoints/metrics`, `cleanVerb` and `CleanScope`: LIST and WATCH are told from
    /// GET, a patch by content type is not.
    pub(crate) fn new(info: &RequestInfo, dry_run: bool) -> Self {
        let verb = match info.verb {
            "get" => "GET",
            "list" => "LIST",
            "watch" => "WATCH",
            "create" | "post" => "POST",
            "update" | "put" => "PUT",
            "patch" => "PATCH",
            "delete" => "DELETE",
            "deletecollection" => "DELETECOLLECTION",
            "proxy" => "CONNECT",
            "head" => "HEAD",
            _ => "other",
        };
        let (resource, subresource) = if info.is_resource_request {
            (info.resource.clone(), info.subresource.clone())
        } else {
            (String::new(), non_resource(&info.path))
        };
        Self {
            verb,
            dry_run: if dry_run { "All" } else { "" },
            group: info.api_group.clone(),
            version: info.api_version.clone(),
            resource,
            subresource,
            scope: info.scope(),
        }
    }
}

/// The few paths that get a series of their own, so that a scan of paths makes no series.
fn non_resource(path: &str) -> String {
    match path {
        "/healthz" | "/livez" | "/readyz" | "/metrics" | "/version" | "/openapi/v2"
        | "/openapi/v3" | "/api" | "/apis" => path.to_owned(),
        _ => String::new(),
    }
}

impl Metrics {
    pub(crate) fn new(config: &Config) -> Self {
        let registry = Registry::new();
        let r = Builder(&registry);
        let request = [
            "verb",
            "dry_run",
            "group",
            "version",
            "resource",
            "subresource",
            "scope",
            "component",
        ];
        let mut with_code = request.to_vec();
        with_code.push("code");
        let plain = ["component", "group", "resource", "scope", "subresource", "verb", "version"];
        let metrics = Self {
            request_total: r.counter(
                "apiserver_request_total",
                "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.",
                &with_code,
            ),
            request_duration: r.histogram(
                "apiserver_request_duration_seconds",
                "Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.",
                &request,
                &[
                    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0,
                    6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
                ],
            ),
            request_sli_duration: r.histogram(
                "apiserver_request_sli_duration_seconds",
                "Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in seconds for each verb, group, version, resource, subresource, scope and component.",
                &plain,
                &[
                    0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
                    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
                ],
            ),
            response_sizes: r.histogram(
                "apiserver_response_sizes",
                "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.",
                &plain,
                &[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
            ),
            longrunning: r.gauges(
                "apiserver_longrunning_requests",
                "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.",
                &plain,
            ),
            current_inflight: r.gauges(
                "apiserver_current_inflight_requests",
                "Maximal number of currently used inflight request limit of this apiserver per request kind in last second.",
                &["request_kind"],
            ),
            request_terminations: r.counter(
                "apiserver_request_terminations_total",
                "Number of requests which apiserver terminated in self-defense.",
                &["code", "component", "group", "resource", "scope", "subresource", "verb", "version"],
            ),
            request_aborts: r.counter(
                "apiserver_request_aborts_total",
                "Number of requests which apiserver aborted possibly due to a timeout, for each group, version, verb, resource, subresource and scope",
                &["group", "resource", "scope", "subresource", "verb", "version"],
            ),
            watch_events: r.counter(
                "apiserver_watch_events_total",
                "Number of events sent in watch clients",
                &["group", "kind", "version"],
            ),
            watch_events_sizes: r.histogram(
                "apiserver_watch_events_sizes",
                "Watch event size distribution in bytes",
                &["group", "kind", "version"],
                &[1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131_072.0],
            ),
            tls_handshake_errors: r.single(
                "apiserver_tls_handshake_errors_total",
                "Number of requests dropped with 'TLS handshake error from' error",
            ),
            authenticated_users: r.counter(
                "authenticated_user_requests",
                "Counter of authenticated requests broken out by username.",
                &["username"],
            ),
            storage_objects: r.gauges(
                "apiserver_storage_objects",
                "Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.",
                &["resource"],
            ),
            watch_cache_capacity: r.gauges(
                "apiserver_watch_cache_capacity",
                "Total capacity of watch cache broken by resource type.",
                &["resource"],
            ),
            process: Process::new(&r),
            registry: registry.clone(),
        };
        metrics.describe(&r, config);
        metrics
    }

    /// The families that never change: what is running, and with which gates.
    fn describe(&self, r: &Builder<'_>, config: &Config) {
        let build = r.gauge_vec(
            "kubernetes_build_info",
            "A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
            &[
                "build_date", "compiler", "git_commit", "git_tree_state", "git_version",
                "go_version", "major", "minor", "platform",
            ],
        );
        let version = config.release.version_document();
        let field = |name: &str| {
            version.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        let values = [
            field("buildDate"),
            field("compiler"),
            field("gitCommit"),
            field("gitTreeState"),
            field("gitVersion"),
            field("goVersion"),
            field("major"),
            field("minor"),
            field("platform"),
        ];
        build.with_label_values(&values).set(1.0);
        let feature = r.gauge_vec(
            "kubernetes_feature_enabled",
            "This metric records the data about the stage and enablement of a k8s feature.",
            &["name", "stage"],
        );
        for (name, stage, enabled) in config.gates.iter() {
            feature.with_label_values(&[name, stage.as_str()]).set(f64::from(u8::from(enabled)));
        }
    }

    /// Counts a request that has ended.
    pub(crate) fn observe(
        &self,
        labels: &RequestLabels,
        code: u16,
        long_running: bool,
        took: Duration,
        bytes: u64,
    ) {
        let l = labels;
        let code = code.to_string();
        let request = [
            l.verb,
            l.dry_run,
            &*l.group,
            &*l.version,
            &*l.resource,
            &*l.subresource,
            l.scope,
            COMPONENT,
        ];
        let mut with_code = request.to_vec();
        with_code.push(&code);
        self.request_total.with_label_values(&with_code).inc();
        if long_running {
            return;
        }
        let seconds = took.as_secs_f64();
        self.request_duration.with_label_values(&request).observe(seconds);
        let plain = l.plain();
        self.request_sli_duration.with_label_values(&plain).observe(seconds);
        if matches!(l.verb, "GET" | "LIST") && !l.resource.is_empty() {
            #[expect(clippy::cast_precision_loss, reason = "a histogram of sizes")]
            self.response_sizes.with_label_values(&plain).observe(bytes as f64);
        }
    }

    /// Counts an authenticated request. Source: `compressUsername` of `filters/metrics.go`: names
    /// that are not the system's share a series.
    pub(crate) fn count_user(&self, name: &str) {
        let label = if name.starts_with("system:") || name == "admin" || name == "client" {
            name
        } else if name.contains('@') {
            "email_id"
        } else {
            "other"
        };
        self.authenticated_users.with_label_values(&[label]).inc();
    }

    /// The text exposition, format 0.0.4.
    pub(crate) fn text(&self) -> Vec<u8> {
        self.process.update();
        let mut text = Vec::new();
        // Writing to a Vec cannot fail, and every family has at least one series.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}

impl RequestLabels {
    /// The values of component, group, resource, scope, subresource, verb, version.
    pub(crate) fn plain(&self) -> [&str; 7] {
        [
            COMPONENT,
            &self.group,
            &self.resource,
            self.scope,
            &self.subresource,
            self.verb,
            &self.version,
        ]
    }
}

/// Content-Type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const COMPONENT: &str = "apiserver";

/// `process_*`, read from `/proc/self` when asked.
struct Process {
    cpu: Gauge,
    resident: Gauge,
    virtual_: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    threads: Gauge,
}

impl Process {
    fn new(r: &Builder<'_>) -> Self {
        let start = r.gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
        );
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        start.set(jiff::Timestamp::now().as_second() as f64);
        Self {
            cpu: r.gauge(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            ),
            resident: r.gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
            virtual_: r.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
            open_fds: r.gauge("process_open_fds", "Number of open file descriptors."),
            max_fds: r.gauge("process_max_fds", "Maximum number of open file descriptors."),
            threads: r.gauge("go_threads", "Number of OS threads created."),
        }
    }

    fn update(&self) {
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            let kib = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name))?;
                line.split_whitespace().nth(1)?.parse::<f64>().ok()
            };
            self.resident.set(kib("VmRSS:").unwrap_or_default() * 1024.0);
            self.virtual_.set(kib("VmSize:").unwrap_or_default() * 1024.0);
            self.threads.set(kib("Threads:").unwrap_or_default());
        }
        if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
            // Fields 14 and 15, in clock ticks of 10 ms; the name before them may hold spaces.
            let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let ticks: f64 = after_name
                .split_whitespace()
                .skip(11)
                .take(2)
                .filter_map(|field| field.parse::<f64>().ok())
                .sum();
            self.cpu.set(ticks / 100.0);
        }
        if let Ok(fds) = std::fs::read_dir("/proc/self/fd") {
            self.open_fds.set(f64::from(u32::try_from(fds.count()).unwrap_or(u32::MAX)));
        }
        if let Ok(limits) = std::fs::read_to_string("/proc/self/limits") {
            let max = limits
                .lines()
                .find_map(|line| line.strip_prefix("Max open files"))
                .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            self.max_fds.set(max.unwrap_or_default());
        }
    }
}

/// Registers families; names are constants, so a clash is a bug that the first start shows.
struct Builder<'a>(&'a Registry);

impl Builder<'_> {
    fn add<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        made: prometheus::Result<C>,
    ) -> C {
        let family = made.expect("the family's name and labels are valid");
        self.0.register(Box::new(family.clone())).expect("the family's name is unique");
        family
    }

    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn single(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.add(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.add(Gauge::new(name, help))
    }

    fn histogram(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(HistogramVec::new(opts, labels))
    }
}
