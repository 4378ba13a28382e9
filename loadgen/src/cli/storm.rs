//! `loadgen storm`: concurrent LISTs, GETs and WATCHes.

use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::json;

use super::{Output, progress::Progress, table::Table, target::TargetArgs};
use crate::{
    LoadError, StormSpec, StormSummary,
    init::{resource_named, resources::query},
    recorder::Percentiles,
    storm, units,
    watch::{self, WatchSummary},
};

/// Concurrent LIST, GET or WATCH requests against any apiserver
///
/// Each of the connections has one request under way at a time. Example: loadgen storm
/// --server http://127.0.0.1:8080 --resource pods --limit 5000 --concurrency 10 --requests 1000
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").args(["resource", "path"]).required(true))]
pub(super) struct StormArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// What is asked for: pods, deployments.apps, Node, … (looked up in the server's discovery)
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,

    /// The path itself, instead of --resource; {n} in it becomes the request's number
    #[arg(long, value_name = "PATH", conflicts_with_all = ["namespace", "name"])]
    path: Option<String>,

    /// list, watch, or get with --name
    #[arg(long, value_enum, default_value_t = Verb::List)]
    verb: Verb,

    /// Namespace [default: all]
    #[arg(long, short = 'n', value_name = "NAME")]
    namespace: Option<String>,

    /// One object; {n} in it becomes the request's number
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Objects per answer; further pages are not asked for
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// resourceVersion of LIST and WATCH: 0 is served from the watch cache
    #[arg(long, value_name = "RV")]
    resource_version: Option<String>,

    /// Exact or NotOlderThan
    #[arg(long, value_name = "MATCH")]
    resource_version_match: Option<String>,

    /// Label selector
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,

    /// Field selector
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,

    /// Connections, each with one request (or watch) at a time
    #[arg(long, short = 'c', value_name = "N", default_value_t = 10)]
    concurrency: usize,

    /// Requests over all connections [default: 100, unless --duration is given]
    #[arg(long, value_name = "N")]
    requests: Option<u64>,

    /// How long requests are started, or watches are kept, e.g. 30s [watches: 10s]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    duration: Option<Duration>,

    /// Time for one request, its body included
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = units::duration)]
    timeout: Duration,

    /// json, protobuf, table, metadata, or a media type
    #[arg(long, value_name = "TYPE", default_value = "json")]
    accept: String,

    /// Accept gzip
    #[arg(long)]
    gzip: bool,

    /// With --gzip: also decompress, to count what is behind it
    #[arg(long, requires = "gzip")]
    inflate: bool,

    /// How fast each connection reads, e.g. 1MiB/s [default: as fast as it can]
    #[arg(long, value_name = "RATE", value_parser = units::bytes_per_s)]
    read_rate: Option<u64>,

    /// Requests at a fixed rate, e.g. 50/s, with latency from the intended start
    #[arg(long, value_name = "RATE", value_parser = units::per_s)]
    open_loop: Option<f64>,

    /// Impersonate a user
    #[arg(long = "as", value_name = "USER")]
    as_user: Option<String>,

    /// Impersonate a group; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", requires = "as_user")]
    as_groups: Vec<String>,

    /// User agent; curl/… gets indented answers from an apiserver, which are never streamed
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,

    /// HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    http2: bool,

    /// Watches that share an HTTP/2 connection
    #[arg(long, value_name = "N", default_value_t = 100, requires = "http2")]
    watches_per_connection: usize,

    /// Wait and repeat where the server answers with Retry-After, up to 10 times, as client-go
    #[arg(long)]
    honour_retry_after: bool,

    /// End with code 1 if fewer requests than this were answered in full, e.g. 99.5 (percent)
    #[arg(long, value_name = "PERCENT")]
    min_ok: Option<f64>,

    /// What is printed
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Verb {
    List,
    Get,
    Watch,
}

pub(super) async fn run(args: &StormArgs) -> Result<u8, LoadError> {
    let mut spec = args.spec()?;
    spec.path_and_query = args.path_and_query(&spec).await?;
    if args.verb == Verb::Watch { args.watch(&spec).await } else { args.storm(&spec).await }
}

impl StormArgs {
    fn spec(&self) -> Result<StormSpec, LoadError> {
        let mut spec = StormSpec::new(self.target.target()?, "/");
        spec.concurrency = self.concurrency;
        spec.requests = self.requests.or_else(|| {
            (self.duration.is_none() && self.verb != Verb::Watch).then_some(DEFAULT_REQUESTS)
        });
        spec.duration =
            self.duration.or_else(|| (self.verb == Verb::Watch).then_some(DEFAULT_WATCH));
        spec.timeout = self.timeout;
        spec.accept = accept(&self.accept, self.verb == Verb::List)?;
        spec.gzip = self.gzip;
        spec.inflate = self.inflate;
        spec.read_rate = self.read_rate;
        spec.open_loop = self.open_loop;
        spec.as_user.clone_from(&self.as_user);
        spec.as_groups.clone_from(&self.as_groups);
        spec.http2 = self.http2;
        spec.honour_retry_after = self.honour_retry_after;
        if let Some(agent) = &self.user_agent {
            spec.user_agent.clone_from(agent);
        }
        if self.min_ok.is_some_and(|min| !(0.0..=100.0).contains(&min)) {
            return Err(LoadError::usage("--min-ok", "must be between 0 and 100"));
        }
        if self.verb == Verb::Get && self.name.is_none() && self.path.is_none() {
            return Err(LoadError::usage("--verb get", "needs --name"));
        }
        Ok(spec)
    }

    async fn path_and_query(&self, spec: &StormSpec) -> Result<String, LoadError> {
        let mut pairs = Vec::new();
        let limit = self.limit.map(|limit| limit.to_string());
        for (name, value) in [
            ("limit", &limit),
            ("resourceVersion", &self.resource_version),
            ("resourceVersionMatch", &self.resource_version_match),
            ("labelSelector", &self.selector),
            ("fieldSelector", &self.field_selector),
        ] {
            if let Some(value) = value {
                pairs.push((name, value.as_str()));
            }
        }
        if self.verb == Verb::Watch {
            pairs.extend([("watch", "true"), ("allowWatchBookmarks", "true")]);
        }
        let mut path = match (&self.path, &self.resource) {
            (Some(path), _) => path.clone(),
            (None, resource) => {
                let name = resource.as_deref().unwrap_or_default();
                resource_named(&spec.target, name).await?.path(self.namespace.as_deref())
            }
        };
        if let Some(name) = &self.name {
            path = format!("{path}/{name}");
        }
        let query = query(&pairs);
        // A path that was given may have a query of its own.
        Ok(if path.contains('?') { path + &query.replacen('?', "&", 1) } else { path + &query })
    }

    async fn storm(&self, spec: &StormSpec) -> Result<u8, LoadError> {
        let bar = Progress::new(spec.requests);
        let show = |p: storm::StormProgress| {
            let of = p.total.map(|total| format!(" of {total}")).unwrap_or_default();
            bar.at(
                p.requests,
                format!(
                    "{}{of} requests, {} ok, {}, {:.0} s",
                    p.requests,
                    p.ok,
                    units::show_bytes(p.wire_bytes),
                    p.elapsed.as_secs_f64()
                ),
            );
        };
        let result = storm::run_until(spec, &show, interrupted()).await?;
        bar.end();
        let summary = result.summary();
        match self.output {
            Output::Json => {
                println!("{:#}", json!({"path": spec.path_and_query, "result": summary}));
            }
            Output::Text => {
                print!("GET {}\n\n{}", spec.path_and_query, storm_table(&summary).text());
            }
            Output::Markdown => print!("{}", storm_table(&summary).markdown()),
            Output::Csv => print!("{}", storm_table(&summary).csv()),
        }
        if result.behind {
            eprintln!(
                "loadgen: the generator fell behind: {} of {} requests started late, so the rate \
                 asked for was not offered; use more connections or a lower rate",
                result.late, result.requests
            );
        }
        Ok(self.verdict(summary.ok, summary.requests))
    }

    async fn watch(&self, spec: &StormSpec) -> Result<u8, LoadError> {
        let bar = Progress::new(None);
        let show = |p: watch::WatchProgress| {
            let seconds = p.elapsed.as_secs_f64();
            bar.at(p.open, format!("{} watches open, {} events, {seconds:.0} s", p.open, p.events));
        };
        let result = watch::run(spec, self.watches_per_connection, &show, interrupted()).await?;
        bar.end();
        let summary = result.summary();
        match self.output {
            Output::Json => {
                println!("{:#}", json!({"path": spec.path_and_query, "result": summary}));
            }
            Output::Text => {
                print!("GET {}\n\n{}", spec.path_and_query, watch_table(&summary).text());
            }
            Output::Markdown => print!("{}", watch_table(&summary).markdown()),
            Output::Csv => print!("{}", watch_table(&summary).csv()),
        }
        Ok(self.verdict(summary.opened, summary.watches))
    }

    fn verdict(&self, ok: u64, all: u64) -> u8 {
        let Some(min) = self.min_ok else { return 0 };
        let percent = if all == 0 { 0.0 } else { ok as f64 * 100.0 / all as f64 };
        if percent >= min {
            return 0;
        }
        eprintln!("loadgen: {percent:.2} % were answered in full, --min-ok asks for {min} %");
        1
    }
}

async fn interrupted() {
    // Where signals cannot be had, there is nothing to wait for.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn accept(name: &str, list: bool) -> Result<String, LoadError> {
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let partial = if list { "PartialObjectMetadataList" } else { "PartialObjectMetadata" };
    Ok(match name {
        "json" => "application/json".to_owned(),
        "protobuf" => "application/vnd.kubernetes.protobuf".to_owned(),
        "table" => table.to_owned(),
        "metadata" => format!("application/json;as={partial};g=meta.k8s.io;v=v1,application/json"),
        media if media.contains('/') => media.to_owned(),
        other => {
            let message =
                format!("{other:?} is none of json, protobuf, table, metadata, and no media type");
            return Err(LoadError::usage("--accept", message));
        }
    })
}

fn storm_table(s: &StormSummary) -> Table {
    let mut table = Table::new(["what", "value"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("requests", s.requests.to_string());
    row("answered in full, 2xx", s.ok.to_string());
    for (code, count) in &s.codes {
        row(&format!("status {code}"), count.to_string());
    }
    for (kind, count) in &s.errors {
        row(&format!("error: {kind}"), count.to_string());
    }
    row("seconds", format!("{:.2}", s.elapsed_s));
    row("requests/s", format!("{:.1}", s.requests_per_s));
    row("bytes over the wire", units::show_bytes(s.wire_bytes));
    if s.body_bytes > s.wire_bytes {
        row("bytes of bodies", units::show_bytes(s.body_bytes));
    }
    row("MiB/s over the wire", format!("{:.1}", s.wire_mib_per_s));
    percentiles(&mut row, "latency", &s.latency);
    percentiles(&mut row, "first byte", &s.ttfb);
    if s.failed_latency.count > 0 {
        percentiles(&mut row, "latency of failures", &s.failed_latency);
    }
    if s.retries > 0 {
        row("repeated", s.retries.to_string());
        row("waits for Retry-After", s.retry_after_waits.to_string());
        row("seconds in them", format!("{:.1}", s.retry_after_s));
    }
    if s.late > 0 {
        row("started late", s.late.to_string());
    }
    table
}

fn watch_table(s: &WatchSummary) -> Table {
    let mut table = Table::new(["what", "value"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("watches", s.watches.to_string());
    row("opened", s.opened.to_string());
    for (code, count) in &s.codes {
        row(&format!("status {code}"), count.to_string());
    }
    for (kind, count) in &s.errors {
        row(&format!("error: {kind}"), count.to_string());
    }
    row("ended by the server", s.ended.to_string());
    for (kind, count) in &s.events {
        row(&format!("events: {kind}"), count.to_string());
    }
    row("bytes over the wire", units::show_bytes(s.wire_bytes));
    row("seconds", format!("{:.2}", s.elapsed_s));
    percentiles(&mut row, "opening", &s.open_latency);
    table
}

fn percentiles(row: &mut impl FnMut(&str, String), name: &str, p: &Percentiles) {
    for (which, ms) in [("p50", p.p50_ms), ("p90", p.p90_ms), ("p99", p.p99_ms), ("max", p.max_ms)]
    {
        row(&format!("{name} {which}, ms"), format!("{ms:.2}"));
    }
}

const DEFAULT_REQUESTS: u64 = 100;
const DEFAULT_WATCH: Duration = Duration::from_secs(10);
