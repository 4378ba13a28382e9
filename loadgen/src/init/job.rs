//! One job, made ready: its objects found on the server, its templates read.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use super::{
    Stop,
    api::{Api, Limiter},
    config::{APPLY_PATCH, Job, JobType, Object},
    log::Log,
    objects,
    resources::{Resource, Resources},
    template::{self, Ready, Renderer, Variables},
};

/// What all jobs of a run share.
pub(super) struct Run {
    pub(super) uuid: String,
    pub(super) runid: String,
    pub(super) log: Log,
    pub(super) server: Server,
    pub(super) namespaces: Resource,
    /// What should be known at the end; each once.
    pub(super) notes: Mutex<Vec<String>>,
}

/// What kind of server this is, as far as waits are concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Server {
    /// It has controllers, or is believed to have them.
    Cluster,
    /// apisim without an emulated cluster: nothing becomes ready by itself.
    Bare,
}

/// A job that can be run.
pub(super) struct PreparedJob {
    pub(super) run: Arc<Run>,
    pub(super) config: Job,
    pub(super) objects: Vec<Arc<PreparedObject>>,
    /// Whether an object needs a namespace that this job must make.
    pub(super) needs_namespace: bool,
    /// For objects: kube-burner's dynamic client.
    pub(super) api: Api,
    /// For namespaces and pods: kube-burner's typed client.
    pub(super) typed: Api,
    /// Holds back creations, patches, deletions and reads.
    pub(super) limiter: Arc<Limiter>,
    /// Holds back the polls for readiness.
    pub(super) wait_limiter: Arc<Limiter>,
    pub(super) operations: AtomicU64,
}

/// An object of a job.
pub(super) struct PreparedObject {
    pub(super) config: Object,
    pub(super) kind: String,
    pub(super) resource: Resource,
    pub(super) wait_resource: Option<Resource>,
    template: Option<Ready>,
    /// The namespace that the template itself names; empty if none.
    pub(super) fixed_namespace: String,
    /// Whether its readiness was seen, for objects that need be waited for only once.
    pub(super) ready: AtomicBool,
}

/// Where templates are found and how they are read.
pub(super) struct Templates<'a> {
    pub(super) folder: &'a Path,
    pub(super) renderer: &'a Renderer,
}

impl PreparedJob {
    pub(super) fn new(
        run: &Arc<Run>,
        config: &Job,
        api: &Api,
        resources: &Resources,
        templates: &Templates<'_>,
    ) -> Result<Self, String> {
        let mut job = Self {
            run: Arc::clone(run),
            config: config.clone(),
            objects: Vec::new(),
            needs_namespace: false,
            api: api.limited(config.qps, config.burst()),
            typed: api.limited(config.qps, config.burst()),
            limiter: Limiter::new(config.qps, config.burst()),
            wait_limiter: Limiter::new(config.qps, config.burst()),
            operations: AtomicU64::new(0),
        };
        let log = &run.log;
        log.info(format!("{}: qps {}, burst {}", config.name, config.qps, config.burst));
        for object in &config.objects {
            if config.job_type == JobType::Create && object.replicas < 1 {
                log.warn(format!(
                    "{}: {} has no replicas and is left out",
                    config.name, object.object_template
                ));
                continue;
            }
            let prepared = if config.job_type == JobType::Create {
                PreparedObject::to_create(config, object, resources, templates)?
            } else {
                PreparedObject::to_select(config, object, resources, templates)?
            };
            if config.job_type == JobType::Create {
                log.info(format!(
                    "{}: {} iterations of {} {}",
                    config.name, config.job_iterations, object.replicas, prepared.kind
                ));
                job.needs_namespace |=
                    prepared.resource.namespaced && prepared.fixed_namespace.is_empty();
            }
            job.objects.push(Arc::new(prepared));
        }
        Ok(job)
    }

    pub(super) fn log(&self) -> &Log {
        &self.run.log
    }

    /// Counts an operation for `achievedQps`.
    pub(super) fn operated(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn variables(&self, object: &Object, iteration: u64, replica: u64) -> Variables {
        let mut variables: Variables = BTreeMap::from(
            [
                ("JobName", Value::from(self.config.name.as_str())),
                ("Iteration", iteration.into()),
                ("UUID", self.run.uuid.as_str().into()),
                ("RunID", self.run.runid.as_str().into()),
                ("Replica", replica.into()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        variables.extend(object.input_vars.clone());
        variables
    }
}

impl Run {
    /// Says something once now and once more at the end.
    pub(super) fn note(&self, text: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&text) {
            self.log.warn(&text);
            notes.push(text);
        }
    }
}

impl PreparedObject {
    fn to_create(
        job: &Job,
        object: &Object,
        resources: &Resources,
        templates: &Templates<'_>,
    ) -> Result<Self, String> {
        let template = templates.read(&object.object_template, job)?;
        // Kind and namespace must be known before any variable is.
        let file = &object.object_template;
        let bare = objects::from_yaml(&template::without_actions(&template.source))
            .map_err(|e| format!("{file}: not YAML without its template actions: {e}"))?;
        let kind = objects::text(&bare, "/kind").to_owned();
        if kind.is_empty() {
            return Err(format!("{file}: kind is missing"));
        }
        let resource = resources
            .of_kind(objects::text(&bare, "/apiVersion"), &kind)
            .map_err(|e| format!("{file}: {e}"))?;
        Ok(Self {
            config: object.clone(),
            kind,
            resource: resource.clone(),
            wait_resource: None,
            template: Some(template),
            fixed_namespace: objects::text(&bare, "/metadata/namespace").to_owned(),
            ready: AtomicBool::new(false),
        })
    }

    fn to_select(
        job: &Job,
        object: &Object,
        resources: &Resources,
        templates: &Templates<'_>,
    ) -> Result<Self, String> {
        let api_version =
            if object.api_version.is_empty() { "v1" } else { object.api_version.as_str() };
        let at = |e| format!("{}: {e}", job.name);
        let resource = resources.of_kind(api_version, &object.kind).map_err(at)?.clone();
        let wait = &object.wait_options;
        let wait_resource = if wait.kind.is_empty() {
            None
        } else {
            let version =
                if wait.api_version.is_empty() { api_version } else { wait.api_version.as_str() };
            Some(resources.of_kind(version, &wait.kind).map_err(at)?.clone())
        };
        let template = (!object.object_template.is_empty())
            .then(|| templates.read(&object.object_template, job))
            .transpose()?;
        Ok(Self {
            config: object.clone(),
            kind: object.kind.clone(),
            resource,
            wait_resource,
            template,
            fixed_namespace: String::new(),
            ready: AtomicBool::new(false),
        })
    }

    fn template(&self) -> Result<&Ready, Stop> {
        self.template.as_ref().ok_or_else(|| Stop::fatal(format!("{}: no template", self.kind)))
    }

    fn rendered(&self, variables: &Variables) -> Result<String, Stop> {
        let file = &self.config.object_template;
        self.template()?.render(variables).map_err(|e| Stop::fatal(format!("{file}: {e}")))
    }

    /// The object as JSON.
    pub(super) fn object(&self, variables: &Variables) -> Result<Value, Stop> {
        let text = self.rendered(variables)?;
        let file = &self.config.object_template;
        objects::from_yaml(&text).map_err(|e| Stop::fatal(format!("{file}: {e}")))
    }

    /// The body of a patch: a `.json` template goes out as it is, an apply patch as rendered YAML,
    /// any other as rendered JSON.
    pub(super) fn patch(&self, variables: &Variables) -> Result<String, Stop> {
        if self.config.object_template.ends_with("json") {
            return Ok(self.template()?.source.clone());
        }
        if self.config.patch_type == APPLY_PATCH {
            return self.rendered(variables);
        }
        self.object(variables).map(|object| object.to_string())
    }

    /// Whether the namespace that the template names depends on variables.
    pub(super) fn namespace_varies(&self) -> bool {
        let named = |line: &str| line.trim_start().starts_with("namespace:") && line.contains("{{");
        self.template.as_ref().is_some_and(|template| template.source.lines().any(named))
    }

    /// The object with empty variables, to see what images it uses.
    pub(super) fn sketch(&self, renderer: &Renderer) -> Result<Value, String> {
        let Some(template) = &self.template else { return Ok(Value::Null) };
        let lenient = renderer.read(&template.source, false)?;
        objects::from_yaml(&lenient.render(&self.config.input_vars)?)
    }
}

impl Templates<'_> {
    fn read(&self, file: &str, job: &Job) -> Result<Ready, String> {
        let source = fs::read_to_string(find(self.folder, file))
            .map_err(|e| format!("{}: {file}: {e}", job.name))?;
        if source.trim().is_empty() {
            return Err(format!("{}: {file}: the template is empty", job.name));
        }
        self.renderer
            .read(&source, !job.default_missing_keys_with_zero)
            .map_err(|e| format!("{}: {file}: {e}", job.name))
    }
}

/// Files named in a configuration are looked for beside it; kube-burner, which is started in that
/// folder, looks in the current one, so that comes second.
pub(super) fn find(folder: &Path, file: &str) -> PathBuf {
    let beside = folder.join(file);
    if beside.exists() { beside } else { PathBuf::from(file) }
}

/// Tries until `once` says it is done, waiting `first`, then three times as long each time, as
/// often as fits into `timeout`. Returns whether it was done.
///
/// Source: `RetryWithExponentialBackOff`, kube-burner v1.17.3 `pkg/util/utils.go`.
pub(super) async fn retry<F, Fut>(
    first: Duration,
    timeout: Duration,
    mut once: F,
) -> Result<bool, Stop>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<bool, Stop>>,
{
    let mut wait = first;
    for step in (0..retry_steps(first, timeout)).rev() {
        if once().await? {
            return Ok(true);
        }
        if step > 0 {
            tokio::time::sleep(wait).await;
            wait *= 3;
        }
    }
    Ok(false)
}

fn retry_steps(first: Duration, timeout: Duration) -> u32 {
    let steps = (timeout.as_secs_f64() / first.as_secs_f64()).ln() / 3_f64.ln();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped; a NaN becomes 0"
    )]
    let steps = steps.ceil().clamp(1.0, 40.0) as u32;
    // A NaN, of zero by zero, is cast to 0.
    steps.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_tries_fit_as_in_kube_burner() {
        let s = Duration::from_secs;
        assert_eq!(retry_steps(s(1), s(4 * 3600)), 9);
        assert_eq!(retry_steps(s(5), s(5 * 3600)), 8);
        assert_eq!(retry_steps(s(1), s(60)), 4);
        assert_eq!(retry_steps(s(1), Duration::ZERO), 1);
        assert_eq!(retry_steps(s(1), Duration::MAX), 40);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_threefold() {
        let start = tokio::time::Instant::now();
        let mut tries = 0;
        let done = retry(Duration::from_secs(1), Duration::from_secs(60), || {
            tries += 1;
            let done = tries == 4;
            async move { Ok(done) }
        });
        assert!(done.await.unwrap());
        assert_eq!(start.elapsed().as_secs(), 1 + 3 + 9);
    }
}
