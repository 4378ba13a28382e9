//! What a run leaves behind.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::config::Job;

/// How often one kind of request was made and answered so.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RequestCount {
    /// The job, or what happened before and after the jobs.
    pub phase: String,
    /// The API's verb: create, get, list, patch, delete.
    pub verb: String,
    /// Group and resource, or a path.
    pub resource: String,
    /// The status code, or what went wrong.
    pub answer: String,
    /// Requests.
    pub count: u64,
}

impl RequestCount {
    /// Whether these are changes or reads of single objects that did not come about. A creation
    /// that failed is seen by the verification of objects.
    pub(super) fn is_unseen_failure(&self) -> bool {
        matches!(self.verb.as_str(), "patch" | "delete") && !self.answer.starts_with('2')
    }
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct InitOutcome {
    /// 0; 1 when a verification failed or the run could not go on; 2 when its time was over. As
    /// kube-burner's.
    pub exit_code: u8,
    /// What went wrong, one line each.
    pub errors: Vec<String>,
    /// What was left out and should be known, such as waits that this server cannot end.
    pub notes: Vec<String>,
    /// The run's UUID.
    pub uuid: String,
    /// `jobSummary` documents in kube-burner's own shape, one per job that was started.
    pub job_summaries: Vec<Value>,
    /// Requests by phase, verb, resource and answer.
    pub requests: Vec<RequestCount>,
}

/// One job's times.
#[derive(Clone, Debug)]
pub(super) struct Executed {
    pub(super) job: Job,
    pub(super) start: Timestamp,
    pub(super) end: Option<Timestamp>,
    pub(super) operations: u64,
}

impl Executed {
    pub(super) fn start(job: &Job) -> Self {
        Self { job: job.clone(), start: Timestamp::now(), end: None, operations: 0 }
    }

    /// The `jobSummary` document, with sorted keys as kube-burner writes it. `passed` is about the
    /// whole run there, and so it is here.
    pub(super) fn document(&self, uuid: &str, passed: bool, errors: &str) -> Value {
        let end = self.end.unwrap_or(self.start);
        let elapsed = (end.duration_since(self.start).as_secs_f64()).round();
        let mut document: BTreeMap<&str, Value> = [
            ("timestamp", json!(self.start.to_string())),
            ("endTimestamp", json!(end.to_string())),
            ("elapsedTime", json!(elapsed)),
            ("uuid", json!(uuid)),
            ("metricName", json!("jobSummary")),
            ("jobConfig", sorted(serde_json::to_value(&self.job).unwrap_or_default())),
            ("version", json!(concat!("loadgen ", env!("CARGO_PKG_VERSION")))),
            ("passed", json!(passed)),
        ]
        .into();
        if elapsed > 0.0 && self.operations > 0 {
            let qps = (self.operations as f64 / elapsed * 1000.0).round() / 1000.0;
            document.insert("achievedQps", json!(qps));
        }
        if !errors.is_empty() {
            document.insert("executionErrors", json!(errors));
        }
        json!(document)
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => json!(map.into_iter().collect::<BTreeMap<_, _>>()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_summary_has_the_keys_of_kube_burner() {
        let job = Job { name: "a".into(), job_iterations: 3, ..Job::default() };
        let mut executed = Executed::start(&job);
        executed.end = Some(executed.start + jiff::SignedDuration::from_millis(2400));
        executed.operations = 3;
        let document = executed.document("u", true, "");
        let keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "achievedQps",
                "elapsedTime",
                "endTimestamp",
                "jobConfig",
                "metricName",
                "passed",
                "timestamp",
                "uuid",
                "version"
            ]
        );
        assert_eq!(document["elapsedTime"], 2.0);
        assert_eq!(document["achievedQps"], 1.5);
        assert_eq!(document["jobConfig"]["jobIterations"], 3);
        assert!(document["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(executed.document("u", false, "x")["executionErrors"], "x");
    }
}
