//! A kube-burner configuration, read as strictly as kube-burner reads it.
//!
//! Field names, defaults and the JSON of a job are those of kube-burner v1.17.3
//! (`pkg/config/types.go`, `config.go`). A misspelt key is an error that names it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny};
use serde_json::Value;

use crate::units;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// What holds for all jobs.
    #[serde(default)]
    pub global: Global,
    /// The jobs, in their order.
    #[serde(default)]
    pub jobs: Vec<Job>,
    /// Prometheus endpoints and indexers; read, and not used.
    #[serde(default)]
    metrics_endpoints: Vec<IgnoredAny>,
}

/// What holds for all jobs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Global {
    /// Measurements; none of them is taken here.
    pub measurements: Vec<Measurement>,
    /// Time given to each request; default 60 s.
    #[serde(with = "go")]
    pub request_timeout: Duration,
    /// Whether the created namespaces are deleted at the end.
    pub gc: bool,
    /// Wait for readiness once, after all jobs, instead of after each.
    pub wait_when_finished: bool,
    /// Time given to `gc`; default 1 h.
    #[serde(with = "go")]
    pub gc_timeout: Duration,
    /// Without effect here: there are no metrics.
    pub gc_metrics: bool,
    /// Without effect here.
    pub cluster_health: bool,
    /// In the file it has no effect in kube-burner either: `--timeout` (4 h) replaces it.
    #[serde(with = "go")]
    pub timeout: Duration,
    /// Files with further templates.
    pub function_templates: Vec<String>,
    /// `default` or `gvr`.
    pub deletion_strategy: String,
    /// kube-burner takes it from the command line.
    uuid: IgnoredAny,
    /// Likewise.
    runid: IgnoredAny,
}

/// A measurement that was asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct Measurement {
    /// Its name, such as `podLatency`, or `none`.
    #[serde(default)]
    pub name: String,
}

/// What a job does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobType {
    /// Creates objects from templates.
    #[default]
    Create,
    /// Deletes what labels select.
    Delete,
    /// Patches what labels select.
    Patch,
    /// Reads what labels select, one by one.
    Read,
    /// Not supported.
    Kubevirt,
}

/// How the objects of a patch job are worked through.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionMode {
    /// All at once, held back by qps and burst only.
    Parallel,
    /// One object after the other, iteration by iteration.
    Sequential,
}

/// One job. Its JSON is what kube-burner puts into `jobConfig`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Job {
    /// How often; default 0, which a create or read job may not have.
    #[serde(skip_serializing_if = "zero")]
    pub job_iterations: u64,
    /// Pause between iterations.
    #[serde(with = "go", skip_serializing_if = "Duration::is_zero")]
    pub job_iteration_delay: Duration,
    /// Pause after the job.
    #[serde(with = "go", skip_serializing_if = "Duration::is_zero")]
    pub job_pause: Duration,
    /// A command to run before cleaning up; refused here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub before_cleanup: String,
    /// The job's name, unique in the file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The objects.
    #[serde(skip_serializing)]
    pub objects: Vec<Object>,
    /// Watchers; refused here.
    #[serde(skip_serializing)]
    pub(super) watchers: Vec<IgnoredAny>,
    /// Default create.
    pub job_type: JobType,
    /// Requests a second; 0 or less becomes client-go's default of 5.
    #[serde(skip_serializing_if = "zero_f32")]
    pub qps: f32,
    /// Requests at once; 0 or less becomes client-go's default of 10.
    #[serde(skip_serializing_if = "zero_i64")]
    pub burst: i64,
    /// The namespace, or the start of the namespaces' names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Time given to a wait for readiness; 0 becomes the run's time-out.
    #[serde(with = "go", skip_serializing_if = "Duration::is_zero")]
    pub max_wait_timeout: Duration,
    /// Delete jobs: wait until what was deleted is gone; default true.
    #[serde(skip_serializing_if = "is_false")]
    pub wait_for_deletion: bool,
    /// Wait for readiness after each iteration.
    #[serde(skip_serializing_if = "is_false")]
    pub pod_wait: bool,
    /// Wait for readiness after all iterations; default true.
    #[serde(skip_serializing_if = "is_false")]
    pub wait_when_finished: bool,
    /// Create jobs: delete the namespaces of an earlier run of this job first; default true.
    #[serde(skip_serializing_if = "is_false")]
    pub cleanup: bool,
    /// A namespace per iteration; default true.
    #[serde(skip_serializing_if = "is_false")]
    pub namespaced_iterations: bool,
    /// Iterations that share a namespace; default 1.
    #[serde(skip_serializing_if = "zero")]
    pub iterations_per_namespace: u64,
    /// Count the created objects afterwards; default true.
    #[serde(skip_serializing_if = "is_false")]
    pub verify_objects: bool,
    /// End with code 1 when the count is wrong; default true.
    #[serde(skip_serializing_if = "is_false")]
    pub error_on_verify: bool,
    /// Pull the images with a DaemonSet first; default true.
    #[serde(skip_serializing_if = "is_false")]
    pub pre_load_images: bool,
    /// How long that DaemonSet is left; default 1 min.
    #[serde(with = "go", skip_serializing_if = "Duration::is_zero")]
    pub pre_load_period: Duration,
    /// Node selector of that DaemonSet.
    #[serde(skip_serializing)]
    pub pre_load_node_labels: BTreeMap<String, String>,
    /// Labels for the created namespaces.
    #[serde(skip_serializing)]
    pub namespace_labels: BTreeMap<String, String>,
    /// Annotations for the created namespaces.
    #[serde(skip_serializing)]
    pub namespace_annotations: BTreeMap<String, String>,
    /// Delete and create again for a while; refused here.
    #[serde(skip_serializing_if = "is_false")]
    pub churn: bool,
    /// Of churn.
    #[serde(skip_serializing_if = "zero")]
    pub churn_cycles: u64,
    /// Of churn.
    #[serde(skip_serializing_if = "zero")]
    pub churn_percent: u64,
    /// Of churn.
    #[serde(with = "go", skip_serializing_if = "Duration::is_zero")]
    pub churn_duration: Duration,
    /// Of churn.
    #[serde(with = "go", skip_serializing_if = "Duration::is_zero")]
    pub churn_delay: Duration,
    /// Leave this job out of the summaries.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_indexing: bool,
    /// Templates: a variable that is not there is not an error.
    #[serde(skip_serializing_if = "is_false")]
    pub default_missing_keys_with_zero: bool,
    /// Patch jobs: default parallel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_mode: Option<ExecutionMode>,
    /// Sequential jobs: pause between objects.
    #[serde(with = "go", skip_serializing_if = "Duration::is_zero")]
    pub object_delay: Duration,
    /// Sequential jobs: wait for each object's readiness.
    #[serde(skip_serializing_if = "is_false")]
    pub object_wait: bool,
    /// Of measurements.
    #[serde(skip_serializing_if = "is_false")]
    pub metrics_aggregate: bool,
    /// Of measurements.
    pub metrics_closing: String,
    /// Delete the job's namespaces after it.
    pub gc: bool,
}

/// What a job creates, patches, deletes or reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Object {
    /// The template's file.
    pub object_template: String,
    /// Create jobs: objects per iteration.
    pub replicas: u64,
    /// Variables of the template.
    pub input_vars: BTreeMap<String, Value>,
    /// Other jobs: the kind.
    pub kind: String,
    /// Patch jobs: the media type.
    pub patch_type: String,
    /// Other jobs: the API version; default `v1`.
    pub api_version: String,
    /// Other jobs: which objects.
    pub label_selector: BTreeMap<String, String>,
    /// Whether its readiness is waited for; default true.
    pub wait: bool,
    /// How its readiness is told.
    pub wait_options: WaitOptions,
    /// Create jobs: only in the first iteration.
    pub run_once: bool,
    kube_virt_op: IgnoredAny,
}

/// How readiness is told where the kind does not say it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct WaitOptions {
    /// Of [`kind`](Self::kind).
    pub api_version: String,
    /// Wait for objects of another kind.
    pub kind: String,
    /// With these labels.
    pub label_selector: BTreeMap<String, String>,
    /// jq paths; refused here.
    custom_status_paths: Vec<IgnoredAny>,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            measurements: Vec::new(),
            request_timeout: Duration::from_secs(60),
            gc: false,
            wait_when_finished: false,
            gc_timeout: Duration::from_secs(3600),
            gc_metrics: false,
            cluster_health: false,
            timeout: DEFAULT_TIMEOUT,
            function_templates: Vec::new(),
            deletion_strategy: "default".to_owned(),
            uuid: IgnoredAny,
            runid: IgnoredAny,
        }
    }
}

impl Default for Job {
    fn default() -> Self {
        Self {
            job_iterations: 0,
            job_iteration_delay: Duration::ZERO,
            job_pause: Duration::ZERO,
            before_cleanup: String::new(),
            name: String::new(),
            objects: Vec::new(),
            watchers: Vec::new(),
            job_type: JobType::Create,
            qps: 0.0,
            burst: 0,
            namespace: String::new(),
            max_wait_timeout: Duration::ZERO,
            wait_for_deletion: true,
            pod_wait: false,
            wait_when_finished: true,
            cleanup: true,
            namespaced_iterations: true,
            iterations_per_namespace: 1,
            verify_objects: true,
            error_on_verify: true,
            pre_load_images: true,
            pre_load_period: Duration::from_secs(60),
            pre_load_node_labels: BTreeMap::new(),
            namespace_labels: BTreeMap::new(),
            namespace_annotations: BTreeMap::new(),
            churn: false,
            churn_cycles: 100,
            churn_percent: 10,
            churn_duration: Duration::from_secs(3600),
            churn_delay: Duration::from_secs(300),
            skip_indexing: false,
            default_missing_keys_with_zero: false,
            execution_mode: None,
            object_delay: Duration::ZERO,
            object_wait: false,
            metrics_aggregate: false,
            metrics_closing: "afterJobPause".to_owned(),
            gc: false,
        }
    }
}

impl Default for Object {
    fn default() -> Self {
        Self {
            object_template: String::new(),
            replicas: 0,
            input_vars: BTreeMap::new(),
            kind: String::new(),
            patch_type: String::new(),
            api_version: String::new(),
            label_selector: BTreeMap::new(),
            wait: true,
            wait_options: WaitOptions::default(),
            run_once: false,
            kube_virt_op: IgnoredAny,
        }
    }
}

impl Config {
    /// Reads the (already rendered) text of a configuration, checks it, and applies the defaults
    /// that depend on other fields. `timeout` is the run's.
    ///
    /// # Errors
    /// One line that names the field, and what is not supported here.
    pub fn parse(text: &str, timeout: Duration) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the file is empty".to_owned());
        }
        let mut config: Self =
            serde_saphyr::from_str(text).map_err(|e| one_line(&e.to_string()))?;
        config.global.timeout = timeout;
        for index in 0..config.jobs.len() {
            config.check_job(index)?;
        }
        for job in &mut config.jobs {
            job.complete(&config.global);
        }
        Ok(config)
    }

    /// Whether metrics endpoints were given, which are not used.
    pub fn has_metrics_endpoints(&self) -> bool {
        !self.metrics_endpoints.is_empty()
    }

    fn check_job(&self, index: usize) -> Result<(), String> {
        let job = &self.jobs[index];
        let at = format!("jobs[{index}] ({})", job.name);
        if !is_dns_1123(&job.name) {
            return Err(format!("{at}: name must be lower-case letters, digits, '-' and '.'"));
        }
        if self.jobs[..index].iter().any(|other| other.name == job.name) {
            return Err(format!("{at}: name is used twice"));
        }
        let creates = job.job_type == JobType::Create;
        if creates && !job.namespace.is_empty() && !is_dns_1123(&job.namespace) {
            return Err(format!("{at}: namespace {:?} is not a DNS name", job.namespace));
        }
        if self.global.wait_when_finished && job.gc {
            return Err(format!("{at}: gc and global.waitWhenFinished exclude each other"));
        }
        if job.job_iterations < 1 && matches!(job.job_type, JobType::Create | JobType::Read) {
            return Err(format!("{at}: jobIterations must be at least 1"));
        }
        if job.iterations_per_namespace < 1 {
            return Err(format!("{at}: iterationsPerNamespace must be at least 1"));
        }
        if !["afterJobPause", "afterMeasurements", "afterJob"]
            .contains(&job.metrics_closing.as_str())
        {
            return Err(format!("{at}: metricsClosing has no value {:?}", job.metrics_closing));
        }
        for (there, what) in [
            (job.churn, "churn"),
            (job.job_type == JobType::Kubevirt, "jobType kubevirt"),
            (!job.watchers.is_empty(), "watchers"),
            (!job.before_cleanup.is_empty(), "beforeCleanup"),
            (self.global.deletion_strategy != "default", "global.deletionStrategy"),
        ] {
            if there {
                return Err(format!("{at}: {what} is not supported by loadgen init"));
            }
        }
        job.objects.iter().enumerate().try_for_each(|(i, object)| {
            object.check(job.job_type).map_err(|message| format!("{at}: objects[{i}]: {message}"))
        })
    }
}

impl Job {
    /// Applies what depends on the rest of the file and on the kind of job.
    fn complete(&mut self, global: &Global) {
        if self.namespace.len() > 62 {
            self.namespace.truncate(57);
        }
        if global.wait_when_finished {
            self.pod_wait = false;
            self.wait_when_finished = false;
        }
        if self.max_wait_timeout.is_zero() {
            self.max_wait_timeout = global.timeout;
        }
        if self.qps <= 0.0 {
            self.qps = 5.0;
        }
        if self.burst <= 0 {
            self.burst = 10;
        }
        match self.job_type {
            JobType::Delete => {
                self.pre_load_images = false;
                self.job_iterations = 1;
                self.wait_when_finished = false;
                self.execution_mode = Some(ExecutionMode::Sequential);
            }
            JobType::Read => self.execution_mode = Some(ExecutionMode::Sequential),
            JobType::Patch => {
                self.execution_mode.get_or_insert(ExecutionMode::Parallel);
            }
            JobType::Create | JobType::Kubevirt => {}
        }
    }

    /// The namespace of an iteration.
    pub fn namespace_of(&self, iteration: u64) -> String {
        format!("{}-{}", self.namespace, iteration / self.iterations_per_namespace)
    }

    /// Tokens of the job's buckets.
    pub fn burst(&self) -> u32 {
        u32::try_from(self.burst).unwrap_or(u32::MAX)
    }
}

impl Object {
    fn check(&self, job_type: JobType) -> Result<(), String> {
        if !self.wait_options.custom_status_paths.is_empty() {
            return Err("waitOptions.customStatusPaths is not supported by loadgen init".into());
        }
        if job_type == JobType::Create {
            if self.object_template.is_empty() {
                return Err("objectTemplate is missing".into());
            }
            return Ok(());
        }
        if self.kind.is_empty() {
            return Err("kind is missing".into());
        }
        if self.label_selector.is_empty() {
            return Err(format!("labelSelector must not be empty for {}", self.kind));
        }
        if job_type == JobType::Patch {
            if self.object_template.is_empty() {
                return Err("objectTemplate is missing".into());
            }
            if !PATCH_TYPES.contains(&self.patch_type.as_str()) {
                return Err(format!(
                    "patchType {:?} is none of {}",
                    self.patch_type,
                    PATCH_TYPES.join(", ")
                ));
            }
            if self.object_template.ends_with("json") && self.patch_type == APPLY_PATCH {
                return Err("an apply patch must be YAML".into());
            }
        }
        Ok(())
    }
}

fn is_dns_1123(name: &str) -> bool {
    let part = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(part)
}

/// The message of an error that may draw pictures, without them.
fn one_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn zero(n: &u64) -> bool {
    *n == 0
}

fn zero_i64(n: &i64) -> bool {
    *n == 0
}

fn zero_f32(n: &f32) -> bool {
    *n == 0.0
}

fn is_false(b: &bool) -> bool {
    !b
}

/// Durations as Go's YAML has them (`30s`, or nanoseconds) and as Go's JSON has them
/// (nanoseconds).
mod go {
    use super::{Deserialize, Deserializer, Duration, Serializer, units};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Nanos(u64),
        Text(String),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        match Written::deserialize(d)? {
            Written::Nanos(nanos) => Ok(Duration::from_nanos(nanos)),
            Written::Text(text) => units::duration(&text).map_err(serde::de::Error::custom),
        }
    }

    pub(super) fn serialize<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Media type of server-side apply.
pub(super) const APPLY_PATCH: &str = "application/apply-patch+yaml";

const PATCH_TYPES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    APPLY_PATCH,
];

/// kube-burner's `--timeout`.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(4 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, DEFAULT_TIMEOUT)
    }

    fn scenario(name: &str) -> String {
        let path = format!("{}/../fixtures/scenarios/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn all_scenarios_are_understood() {
        for (file, jobs) in [
            ("s1/s1-config.yaml", 1),
            ("s1/s1-config-fast.yaml", 1),
            ("s1/s1-delete.yaml", 1),
            ("s2/s2-config.yaml", 1),
            ("s2/s2-config-fast.yaml", 1),
            ("s2/s2-delete.yaml", 1),
            ("s3/api-intensive-100.yml", 7),
            ("s3/api-intensive-100-fast.yml", 7),
        ] {
            let config = parse(&scenario(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            assert_eq!(config.jobs.len(), jobs, "{file}");
        }
        let config = parse(&scenario("s1/s1-config.yaml")).unwrap();
        let job = &config.jobs[0];
        assert_eq!(job.pre_load_period, Duration::from_secs(30));
        assert!(!job.verify_objects && job.namespaced_iterations && job.cleanup);
        assert_eq!(job.namespace_labels["kube-burner-job"], "delete-me");
        assert_eq!(config.global.measurements[0].name, "none");
        assert_eq!(job.namespace_of(3), "kube-burner-test-3");
        let config = parse(&scenario("s3/api-intensive-100.yml")).unwrap();
        assert_eq!(config.jobs[1].execution_mode, Some(ExecutionMode::Parallel));
        assert_eq!(config.jobs[1].objects[1].patch_type, APPLY_PATCH);
        assert_eq!(config.jobs[2].job_iterations, 1);
        assert_eq!(config.jobs[0].max_wait_timeout, DEFAULT_TIMEOUT);
    }

    #[test]
    fn a_misspelt_key_is_named() {
        for (text, key) in [
            ("jobs:\n- name: a\n  jobIterations: 1\n  qpss: 5\n", "qpss"),
            ("global:\n  measurment: []\n", "measurment"),
            ("jbos: []\n", "jbos"),
            ("jobs:\n- name: a\n  jobIterations: 1\n  objects:\n  - replica: 1\n", "replica"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(key), "{message}");
            assert!(!message.contains('\n'));
        }
    }

    #[test]
    fn what_cannot_be_run_is_refused_by_name() {
        for (job, part) in [
            ("name: Big", "name must be"),
            ("name: a", "jobIterations"),
            ("{name: a, jobIterations: 1, churn: true}", "churn is not supported"),
            ("{name: a, jobIterations: 1, namespace: A_b}", "namespace"),
            ("{name: a, jobIterations: 1, preLoadPeriod: 3 s}", "duration"),
            ("{name: a, jobIterations: 1, jobType: destroy}", "destroy"),
            ("{name: a, jobIterations: 1, objects: [{replicas: 1}]}", "objectTemplate"),
            ("{name: a, jobType: delete, objects: [{kind: Pod}]}", "labelSelector"),
            (
                "{name: a, jobType: patch, objects: [{kind: Pod, labelSelector: {a: b}, \
                 objectTemplate: x.yml, patchType: merge}]}",
                "patchType \"merge\"",
            ),
        ] {
            let message = parse(&format!("jobs:\n- {job}\n")).unwrap_err();
            assert!(message.contains(part), "{job}: {message}");
        }
        let twice = "jobs:\n- {name: a, jobIterations: 1}\n- {name: a, jobIterations: 1}\n";
        assert!(parse(twice).unwrap_err().contains("twice"));
        assert!(parse("").unwrap_err().contains("empty"));
    }

    #[test]
    fn a_jobs_json_is_that_of_kube_burner() {
        let config = parse("jobs:\n- {name: a, jobIterations: 2, qps: 1, burst: 1}\n").unwrap();
        let json = serde_json::to_value(&config.jobs[0]).unwrap();
        assert_eq!(json["maxWaitTimeout"], 14_400_000_000_000_u64);
        assert_eq!(json["churnPercent"], 10);
        assert_eq!(json["gc"], false);
        assert_eq!(json["jobType"], "create");
        for absent in ["objects", "jobPause", "churn", "namespace", "namespaceLabels"] {
            assert!(json.get(absent).is_none(), "{absent}");
        }
    }
}
