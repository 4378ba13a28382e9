//! Runs a kube-burner configuration as kube-burner v1.17.3 does.
//!
//! Phases, requests, labels, rate limits, waits and exit codes are those of kube-burner; the words
//! are not. Not built: churn, watchers, `beforeCleanup`, kubevirt jobs, `gvr` deletion, jq paths,
//! measurements, metrics and alerts; a configuration that asks for what would change the load is
//! refused before anything is sent, the rest is named in a warning.
//!
//! A wait that needs controllers would never end on an apisim without an emulated cluster. Such a
//! server is recognised by its `/sim/state`; the run says at its start what it will not wait for,
//! and stops waiting for deletions once nothing changes.

mod api;
mod check;
pub mod config;
mod create;
mod items;
mod job;
pub mod log;
mod namespaces;
mod objects;
pub(crate) mod resources;
mod summary;
mod template;
mod wait;

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    LoadError, Target,
    client::ApiClient,
    units::{self, go_duration},
};

use api::{Api, Ledger, Limiter};
use config::{Config, JobType};
use job::{PreparedJob, Run, Server, Templates};
use log::Log;
use resources::{Resource, Resources};
use summary::Executed;
pub use summary::{InitOutcome, RequestCount};
use template::{Renderer, Variables};

/// A run to make.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// YAML or JSON with variables for the configuration file.
    pub user_data: Option<PathBuf>,
    /// Whether a variable that the configuration file uses may be missing.
    pub allow_missing: bool,
    /// The server.
    pub target: Target,
    /// Time given to the whole run; kube-burner's default is 4 h.
    pub timeout: Duration,
    /// The run's UUID; made up if there is none.
    pub uuid: Option<String>,
    /// Seed of random template functions; made up if there is none.
    pub seed: Option<u64>,
    /// Whether namespaces that templates name, and nobody makes, are made (without labels).
    pub fix_namespace: bool,
}

/// Why a run ends before its end.
#[derive(Debug)]
enum Stop {
    /// It cannot go on; the message says why.
    Fatal(String),
}

impl Stop {
    fn fatal(message: impl Into<String>) -> Self {
        Self::Fatal(message.into())
    }
}

/// A run in progress: what must survive its time-out.
#[derive(Default)]
struct Progress {
    executed: Mutex<Vec<Executed>>,
    errors: Mutex<Vec<String>>,
    ledger: Arc<Ledger>,
}

/// Runs a configuration to its end.
///
/// # Errors
/// When the configuration, its templates or the server cannot be used at all. What goes wrong
/// later is in the outcome, with kube-burner's exit code.
pub async fn run(options: &InitOptions, log: &Log) -> Result<InitOutcome, LoadError> {
    let wrong = |message: String| LoadError::file(&options.config, message);
    let folder = options.config.parent().unwrap_or_else(|| Path::new("."));
    let seed = options.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let mut renderer = Renderer::new(seed);
    let config = read_config(options, &renderer)?;
    renderer.share(folder, &config.global.function_templates).map_err(wrong)?;
    warn_about(&config, log);

    let progress = Progress::default();
    progress.ledger.enter("start");
    let api = Api {
        client: ApiClient::new(&options.target, USER_AGENT, config.global.request_timeout)?,
        limiter: Limiter::new(100.0, 100),
        ledger: Arc::clone(&progress.ledger),
    };
    let run = Arc::new(Run {
        uuid: options.uuid.clone().unwrap_or_else(random_uuid),
        runid: random_uuid(),
        log: log.clone(),
        server: meet_server(options, &api).await?,
        namespaces: Resource {
            group: String::new(),
            version: "v1".to_owned(),
            name: "namespaces".to_owned(),
            kind: "Namespace".to_owned(),
            namespaced: false,
        },
        notes: Mutex::new(Vec::new()),
    });
    log.info(format!("starting with UUID {}, random seed {seed}", run.uuid));

    let templates = Templates { folder, renderer: &renderer };
    let mut jobs = Vec::with_capacity(config.jobs.len());
    for job in &config.jobs {
        // kube-burner asks for discovery anew for each job, so its requests are made here too.
        let resources = api.discover().await.map_err(|error| LoadError::Handshake {
            address: options.target.base.clone(),
            message: format!("discovery: {error}"),
        })?;
        let prepared = PreparedJob::new(&run, job, &api, &resources, &templates).map_err(wrong)?;
        jobs.push((Arc::new(prepared), resources));
    }
    check::waits(&run, &jobs);
    check::fixed_namespaces(&run, &api, &jobs, options.fix_namespace).await;

    let work = progress.work(&config, &run, &jobs, &api, &renderer);
    let exit_code = match tokio::time::timeout(options.timeout, work).await {
        Ok(Ok(code)) => code,
        Ok(Err(Stop::Fatal(message))) => {
            progress.fail(log, message);
            1
        }
        Err(_) => {
            progress.fail(log, format!("the time of {} is over", go_duration(options.timeout)));
            2
        }
    };
    Ok(progress.outcome(&run, exit_code))
}

impl Progress {
    async fn work(
        &self,
        config: &Config,
        run: &Arc<Run>,
        jobs: &[(Arc<PreparedJob>, Resources)],
        api: &Api,
        renderer: &Renderer,
    ) -> Result<u8, Stop> {
        let mut code = 0;
        self.ledger.enter("image pre-load");
        for (job, resources) in jobs {
            if job.config.pre_load_images && job.config.job_type == JobType::Create {
                namespaces::pre_load(job, api, resources, renderer).await?;
            }
        }
        let mut waits = Vec::new();
        for (job, _) in jobs {
            self.ledger.enter(&job.config.name);
            self.locked(&self.executed).push(Executed::start(&job.config));
            let start = Instant::now();
            run.log.info(format!("starting job {}", job.config.name));
            let (failed, made) = self.one_job(job).await?;
            code = code.max(failed);
            waits.push((Arc::clone(job), made));
            if !job.config.job_pause.is_zero() {
                run.log.info(format!("pausing for {}", go_duration(job.config.job_pause)));
                tokio::time::sleep(job.config.job_pause).await;
            }
            self.end_job(job);
            let took = units::rounded(start.elapsed());
            run.log.info(format!("job {} took {}", job.config.name, go_duration(took)));
            if job.config.gc {
                namespaces::collect_garbage(job).await;
            }
        }
        if config.global.wait_when_finished {
            self.ledger.enter("final wait");
            for (job, made) in waits {
                job.wait_in(made).await?;
            }
        }
        if config.global.gc {
            self.ledger.enter("garbage collection");
            let collecting = async {
                for (job, _) in jobs {
                    namespaces::collect_garbage(job).await;
                }
            };
            if tokio::time::timeout(config.global.gc_timeout, collecting).await.is_err() {
                self.fail(&run.log, "the time for garbage collection is over".to_owned());
                code = if code == 0 { 2 } else { code };
            }
        }
        run.log.info(format!("finished; UUID {}", run.uuid));
        Ok(code)
    }

    /// Runs one job; the exit code it asks for and the namespaces it made.
    async fn one_job(&self, job: &Arc<PreparedJob>) -> Result<(u8, Vec<String>), Stop> {
        let log = job.log();
        if job.config.job_type != JobType::Create {
            let left = job.work_on_items().await?;
            let code = u8::from(!left.is_empty());
            for message in left {
                self.fail(log, message);
            }
            return Ok((code, Vec::new()));
        }
        if job.config.cleanup {
            namespaces::collect_garbage(job).await;
        }
        let made = job.create_all().await?;
        let mut code = 0;
        if job.config.verify_objects && !job.verify().await? {
            let message =
                format!("{}: verification of the created objects failed", job.config.name);
            if job.config.error_on_verify {
                self.fail(log, message);
                code = 1;
            } else {
                log.error(message);
            }
        }
        Ok((code, made))
    }

    fn end_job(&self, job: &PreparedJob) {
        if let Some(executed) = self.locked(&self.executed).last_mut() {
            executed.end = Some(jiff::Timestamp::now());
            executed.operations = job.operations.load(Ordering::Relaxed);
        }
    }

    fn fail(&self, log: &Log, message: String) {
        log.error(&message);
        self.locked(&self.errors).push(message);
    }

    fn locked<'a, T>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self, run: &Run, exit_code: u8) -> InitOutcome {
        let errors = self.locked(&self.errors).clone();
        let text = errors.join("; ");
        let mut executed = self.locked(&self.executed);
        let now = jiff::Timestamp::now();
        let job_summaries = executed
            .iter_mut()
            .filter(|executed| !executed.job.skip_indexing)
            .map(|executed| {
                executed.end.get_or_insert(now);
                executed.document(&run.uuid, exit_code == 0, &text)
            })
            .collect();
        let requests = self.ledger.counts();
        let mut notes = self.locked(&run.notes).clone();
        notes.extend(requests.iter().filter(|r| r.is_unseen_failure()).map(|r| {
            format!(
                "{}: {} of its {} requests for {} were answered with {}; like kube-burner, this \
                 run only logs that, and its exit code does not tell",
                r.phase, r.count, r.verb, r.resource, r.answer
            )
        }));
        InitOutcome { exit_code, errors, notes, uuid: run.uuid.clone(), job_summaries, requests }
    }
}

fn read_config(options: &InitOptions, renderer: &Renderer) -> Result<Config, LoadError> {
    let wrong = |message: String| LoadError::file(&options.config, message);
    let source = fs::read_to_string(&options.config).map_err(|e| wrong(e.to_string()))?;
    // As kube-burner: the environment's variables, under those of the file.
    let mut variables: Variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    if let Some(path) = &options.user_data {
        let text = fs::read_to_string(path).map_err(|e| LoadError::file(path, e.to_string()))?;
        let Value::Object(own) = objects::from_yaml(&text).map_err(|e| LoadError::file(path, e))?
        else {
            return Err(LoadError::file(path, "is not a map of variables"));
        };
        variables.extend(own);
    }
    let text = renderer
        .read(&source, !options.allow_missing)
        .and_then(|template| template.render(&variables))
        .map_err(wrong)?;
    Config::parse(&text, options.timeout).map_err(wrong)
}

fn warn_about(config: &Config, log: &Log) {
    for measurement in &config.global.measurements {
        log.warn(format!("measurement {:?} is not supported; none is taken", measurement.name));
    }
    if config.has_metrics_endpoints() {
        log.warn("metricsEndpoints are not used: no metrics are scraped and nothing is indexed");
    }
    if config.global.cluster_health {
        log.warn("global.clusterHealth is not supported; nothing is checked");
    }
    if config.jobs.is_empty() {
        log.warn("the configuration has no jobs");
    }
}

/// Makes sure that there is a server, and sees whether it is an apisim without controllers.
async fn meet_server(options: &InitOptions, api: &Api) -> Result<Server, LoadError> {
    api.path("/version").await.map_err(|error| LoadError::Handshake {
        address: options.target.base.clone(),
        message: format!("/version: {error}"),
    })?;
    // Only apisim has this path; a real server answers 404, or 403 to those who may not know.
    let Ok(state) = api.path("/sim/state").await else { return Ok(Server::Cluster) };
    Ok(check::server(&state))
}

/// The resource that `name` means on a server: `pods`, `deployments.apps`, `Deployment`.
pub(crate) async fn resource_named(target: &Target, name: &str) -> Result<Resource, LoadError> {
    let client = ApiClient::new(target, crate::storm::USER_AGENT, Duration::from_secs(60))?;
    let api = Api { client, limiter: Limiter::new(0.0, 1), ledger: Arc::default() };
    let resources = api.discover().await.map_err(|error| LoadError::Handshake {
        address: target.base.clone(),
        message: format!("discovery: {error}"),
    })?;
    resources
        .of_name(name)
        .cloned()
        .ok_or_else(|| LoadError::usage("--resource", format!("the server has no {name:?}")))
}

fn random_uuid() -> String {
    // The standard library's hash keys are this program's only source of entropy; a UUID needs
    // to differ from run to run and nothing more.
    let random = RandomState::new();
    let bytes = (u128::from(random.hash_one(1)) << 64) | u128::from(random.hash_one(2));
    uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid().to_string()
}

/// kube-burner's name comes first, since the server makes a field manager's name of it.
const USER_AGENT: &str = concat!("kube-burner/v1.17.3 loadgen/", env!("CARGO_PKG_VERSION"));
