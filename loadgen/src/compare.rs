//! `loadgen compare`: the same LIST storms against servers of several releases.
//!
//! One server child per profile, one after the other, all with the same objects. Memory is read
//! from outside the child. What the real kube-apiserver did in the nearest recorded run stands
//! beside what is measured here; nothing is computed from one to the other.

mod args;
mod child;
mod error;
mod machine;
mod plan;
mod progress;
pub mod result;

use std::{
    fs,
    io::{Write as _, stdout},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

pub use args::{CompareArgs, Output};
pub use error::CompareError;

use self::{
    child::{Server, ServerCommand},
    plan::PlanOptions,
    progress::Progress,
    result::{CompareResult, DatasetInfo, Measured, ProfileResult, SCHEMA, Storm, Times},
};
use crate::{
    StormResult, StormSpec, Target,
    dataset::Dataset,
    recorded::{self, ListShape},
    report,
    sample::{self, Sampler, Samples},
    storm,
};

/// Runs the comparison, prints its table and writes its report.
///
/// Gives the exit code: 0, or 1 when a storm had failures or a server went away.
///
/// # Errors
/// When the run cannot be begun, is interrupted, or its report cannot be written. No server is
/// left behind.
pub async fn run(args: &CompareArgs) -> Result<u8, CompareError> {
    let stop = stop_signal();
    tokio::select! {
        biased;
        // Dropping the run kills the server that it has.
        () = stop => Err(CompareError::Interrupted),
        code = run_all(args) => code,
    }
}

async fn run_all(args: &CompareArgs) -> Result<u8, CompareError> {
    let dataset = args.dataset()?;
    let profiles = args.profiles()?;
    let options = PlanOptions {
        concurrency: args.concurrency()?,
        requests: args.requests,
        quick: args.quick,
    };
    let storms = plan::storms(&options, &dataset);
    if let Some(available) = machine::available_bytes()
        && let Some(message) = plan::shortage(&storms, &dataset, available)
    {
        return Err(CompareError::Memory(message));
    }
    let cannot = |source| CompareError::File { path: args.out.clone(), source };
    fs::create_dir_all(&args.out).map_err(cannot)?;
    let progress = Progress::new();
    let (program, first_arguments) = args.server_program()?;
    let began = Instant::now();
    let mut result = CompareResult {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("APISIM_COMMIT").map(str::to_owned),
        started: machine::utc(SystemTime::now()),
        elapsed_s: 0.0,
        incomplete: false,
        seed: args.seed,
        sample_interval_ms: SAMPLE_INTERVAL_MS,
        machine: machine::machine(),
        dataset: DatasetInfo {
            name: dataset.name(),
            spec: dataset.spec(),
            plural: dataset.listed().spec.plural.to_owned(),
            objects: dataset.listed().count,
            object_bytes: dataset.listed().object_bytes(),
            path: dataset.path(),
        },
        storms,
        profiles: Vec::new(),
    };
    for profile in &profiles {
        let command = ServerCommand {
            program: program.clone(),
            first_arguments: first_arguments.clone(),
            profile: profile.clone(),
            populate: dataset.spec(),
            seed: args.seed,
            directory: args.out.clone(),
        };
        let measured = run_profile(&command, &dataset, &result.storms, progress).await?;
        let failed = measured.error.clone();
        result.profiles.push(measured);
        if let Some(error) = failed {
            result.incomplete = true;
            progress.line(&format!("{profile}: {error}"));
            if !args.keep_going {
                break;
            }
        }
    }
    add_recorded(&mut result);
    result.elapsed_s = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    finish(&result, args)
}

/// One profile: its server, all storms, its memory.
async fn run_profile(
    command: &ServerCommand,
    dataset: &Dataset,
    storms: &[Storm],
    progress: Progress,
) -> Result<ProfileResult, CompareError> {
    let profile = &command.profile;
    let started = Instant::now();
    let mut server = Server::start(command)?;
    let pid = server.pid();
    let step =
        progress.step(format!("{profile}: loading {}", dataset.spec()), dataset.json_bytes());
    let ready = server
        .ready(|| {
            let loaded = sample::process_memory(pid).map_or(0, |memory| memory.rss_bytes);
            step.at(loaded.min(dataset.json_bytes()));
        })
        .await?;
    let load_s = started.elapsed().as_secs_f64();
    step.done(&format!("{load_s:.1} s"));

    let target = ready.target();
    let sampler = Sampler::start(pid, &target, started, SAMPLE_INTERVAL)?;
    settle(pid, None).await;
    let idle_rss_bytes = sample::process_memory(pid).map_or(0, |memory| memory.rss_bytes);
    let mut run = ProfileRun {
        pid,
        target,
        started,
        idle_rss_bytes,
        body_bytes: dataset.body_bytes(),
        path: dataset.path(),
        sampler,
    };
    let mut result = ProfileResult {
        profile: profile.clone(),
        server_version: ready.version(),
        load_s,
        idle_rss_bytes,
        idle_allocated_bytes: run.sampler.allocated_bytes(),
        storms: Vec::new(),
        error: None,
        samples: Samples::default(),
    };
    for storm in storms {
        let measured = run.storm(storm, profile, progress).await;
        let gone = server.check();
        match measured {
            Ok(measured) => result.storms.push(measured),
            Err(error) => result.error = Some(format!("{}: {error}", storm.label())),
        }
        if let Err(error) = gone {
            result.error = Some(format!("{}: {error}", storm.label()));
        }
        if result.error.is_some() {
            break;
        }
    }
    result.samples = run.sampler.stop();
    for storm in &mut result.storms {
        storm.peak_allocated_bytes = result.samples.peak_allocated(storm.start_ms, storm.end_ms);
    }
    server.stop(result.error.is_some()).await;
    Ok(result)
}

/// A server under storms.
struct ProfileRun {
    pid: u32,
    target: Target,
    started: Instant,
    idle_rss_bytes: u64,
    /// One plain body, as last seen.
    body_bytes: u64,
    path: String,
    sampler: Sampler,
}

impl ProfileRun {
    async fn storm(
        &mut self,
        storm: &Storm,
        profile: &str,
        progress: Progress,
    ) -> Result<Measured, CompareError> {
        settle(self.pid, Some(self.idle_rss_bytes)).await;
        let proc =
            |source| CompareError::File { path: format!("/proc/{}", self.pid).into(), source };
        sample::reset_peak(self.pid).map_err(proc)?;
        let before = sample::process_memory(self.pid).map_err(proc)?;
        let mut spec = StormSpec::new(self.target.clone(), self.path.clone());
        spec.concurrency = usize::try_from(storm.concurrency).unwrap_or(usize::MAX);
        spec.requests = Some(storm.requests);
        spec.read_rate = storm.read_rate;
        spec.gzip = storm.gzip;
        if storm.curl {
            spec.user_agent = CURL_USER_AGENT.to_owned();
        }
        let step = progress.step(format!("{profile}: storm {}", storm.label()), storm.requests);
        let start_ms = self.millis();
        let outcome = storm::run(&spec, &|now| step.at(now.requests)).await?;
        let end_ms = self.millis();
        let after = sample::process_memory(self.pid).map_err(proc)?;
        let body_bytes = self.body_bytes_of(storm, &outcome);
        let above = after.peak_bytes.saturating_sub(self.idle_rss_bytes) as f64 / MIB;
        step.done(&format!(
            "{:>5.1} s, {above:.0} MiB above idle{}",
            outcome.elapsed.as_secs_f64(),
            if outcome.ok == outcome.requests { "" } else { ", with failures" },
        ));
        Ok(Measured {
            id: storm.id.clone(),
            start_ms,
            end_ms,
            body_bytes,
            wire_bytes: outcome.wire_bytes,
            start_rss_bytes: before.rss_bytes,
            peak_rss_bytes: after.peak_bytes,
            peak_allocated_bytes: None,
            elapsed_s: outcome.elapsed.as_secs_f64(),
            requests: outcome.requests,
            ok: outcome.ok,
            codes: outcome.codes.iter().map(|(code, n)| (code.to_string(), *n)).collect(),
            errors: outcome.errors.clone(),
            latency: Times::of(&outcome.latency),
            first_byte: Times::of(&outcome.ttfb),
            recorded: None,
        })
    }

    /// One body as the server builds it: what came, but what would have come without gzip.
    fn body_bytes_of(&mut self, storm: &Storm, outcome: &StormResult) -> u64 {
        match outcome.body_bytes.checked_div(outcome.ok) {
            Some(bytes) if storm.curl => bytes,
            Some(bytes) if !storm.gzip => {
                self.body_bytes = bytes;
                bytes
            }
            _ => self.body_bytes,
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Waits until the process has given back what it will: RSS near `idle`, or no longer falling.
async fn settle(pid: u32, idle: Option<u64>) {
    let rss = || sample::process_memory(pid).map(|memory| memory.rss_bytes);
    let near = idle.map(|idle| idle + idle / 50 + NEAR_BYTES);
    let begun = Instant::now();
    let (mut least, mut least_at) = (u64::MAX, Instant::now());
    while begun.elapsed() < SETTLE_LIMIT {
        let Ok(now) = rss() else { return };
        if near.is_some_and(|near| now <= near) {
            return;
        }
        if now + SETTLE_STEP_BYTES < least {
            (least, least_at) = (now, Instant::now());
        } else if least_at.elapsed() >= SETTLE_STILL {
            return;
        }
        tokio::time::sleep(SAMPLE_INTERVAL).await;
    }
}

/// Puts the nearest recorded run beside every measured one.
fn add_recorded(result: &mut CompareResult) {
    let profiles: Vec<String> =
        result.profiles.iter().map(|profile| profile.profile.clone()).collect();
    for storm in &result.storms {
        let shape = ListShape {
            plural: result.dataset.plural.clone(),
            objects: result.dataset.objects,
            object_bytes: result.dataset.object_bytes,
            concurrency: storm.concurrency,
            slow: storm.read_rate.is_some(),
            gzip: storm.gzip,
        };
        let nearest = if storm.curl {
            profiles.iter().map(|profile| recorded::nearest_curl(profile, &shape)).collect()
        } else {
            recorded::nearest(&profiles, &shape)
        };
        for (profile, nearest) in result.profiles.iter_mut().zip(nearest) {
            if let Some(measured) = profile.storms.iter_mut().find(|m| m.id == storm.id) {
                measured.recorded = nearest;
            }
        }
    }
}

/// Writes the files, prints the table, and gives the exit code.
fn finish(result: &CompareResult, args: &CompareArgs) -> Result<u8, CompareError> {
    let json = report::json(result)?;
    // What is shown is what was written: a later `loadgen report` shows the same.
    let result = report::parse(&json)?;
    let write = |name: &str, text: &str| {
        let path = args.out.join(name);
        fs::write(&path, text).map_err(|source| CompareError::File { path, source })
    };
    write("result.json", &json)?;
    write("result.csv", &report::csv(&result))?;
    write("report.html", &report::html(&result))?;
    let text = match args.output {
        Output::Text => format!("{}\n{}", report::text(&result), files(&args.out)),
        Output::Json => json,
        Output::Csv => report::csv(&result),
        Output::Markdown => report::markdown(&result),
    };
    let shown = stdout().lock().write_all(text.as_bytes());
    shown.map_err(|source| CompareError::File { path: "stdout".into(), source })?;
    let failed = result.profiles.iter().flat_map(|profile| &profile.storms).any(|s| s.failed() > 0);
    Ok(u8::from(failed || result.incomplete))
}

fn files(out: &Path) -> String {
    let html = out.join("report.html");
    format!("Report: {} (result.json and result.csv beside it)\n", html.display())
}

/// Done when this process is asked to stop.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler the process just ends, and the server with it.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// As an old curl says it; any that begins with `curl/` gets indented JSON.
const CURL_USER_AGENT: &str = "curl/8.0";

const SAMPLE_INTERVAL_MS: u64 = 50;

const SAMPLE_INTERVAL: Duration = Duration::from_millis(SAMPLE_INTERVAL_MS);

/// A server that keeps memory longer than this starts the next storm with it; the report says so.
const SETTLE_LIMIT: Duration = Duration::from_secs(6);

/// This long without falling counts as settled.
const SETTLE_STILL: Duration = Duration::from_millis(1_500);

const SETTLE_STEP_BYTES: u64 = 1 << 20;

const NEAR_BYTES: u64 = 2 << 20;

const MIB: f64 = 1_048_576.0;
