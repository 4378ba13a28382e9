//! kube-burner configurations against a small cluster: the requests must be kube-burner's.
//!
//! The numbers beside the expectations are those recorded of the real kube-burner v1.17.3, which
//! ran the same files with 100 iterations.

#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{
    cluster::{self, Shared, State},
    serve,
};
use loadgen::{
    LoadError, Target,
    init::{
        self, InitOptions, InitOutcome,
        log::{Level, Log},
    },
};
use serde_json::json;

/// A folder with a scenario's files, in which the configuration is made smaller.
struct Scenario {
    folder: PathBuf,
    config: PathBuf,
}

impl Scenario {
    fn new(test: &str, config: &str, edits: &[(&str, &str)]) -> Self {
        let (scenario, config) = config.split_once('/').unwrap();
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/scenarios").join(scenario);
        let folder =
            std::env::temp_dir().join(format!("loadgen-init-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for entry in fs::read_dir(source).unwrap() {
            let entry = entry.unwrap();
            let mut text = fs::read_to_string(entry.path()).unwrap();
            if entry.file_name() == config {
                for (from, to) in edits {
                    assert!(text.contains(from), "{from}");
                    text = text.replace(from, to);
                }
            }
            fs::write(folder.join(entry.file_name()), text).unwrap();
        }
        Self { config: folder.join(config), folder }
    }

    async fn run(
        &self,
        state: &Shared,
        edit: impl FnOnce(&mut InitOptions),
    ) -> (Result<InitOutcome, LoadError>, Vec<String>) {
        let address = serve(None, cluster::script(state)).await;
        let mut options = InitOptions {
            config: self.config.clone(),
            user_data: None,
            allow_missing: false,
            target: Target::new(format!("http://{address}")),
            timeout: Duration::from_secs(60),
            uuid: Some("u-1".to_owned()),
            seed: Some(1),
            fix_namespace: false,
        };
        edit(&mut options);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let log = Log::new(Level::Info, move |level, text| {
            sink.lock().unwrap().push(format!("{} {text}", level.name()));
        });
        let outcome = init::run(&options, &log).await;
        let lines = std::mem::take(&mut *lines.lock().unwrap());
        (outcome, lines)
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const SMALL_3: &[(&str, &str)] = &[
    ("jobIterations: 100", "jobIterations: 5"),
    ("qps: 100", "qps: 1000"),
    ("burst: 100", "burst: 1000"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_1_makes_the_recorded_requests() {
    let small = [("preLoadPeriod: 3s", "preLoadPeriod: 10ms"), ("qps: 1\n", "qps: 1000\n")];
    let scenario = Scenario::new("s1", "s1/s1-config-fast.yaml", &small);
    let state = Shared::default();
    let (outcome, lines) = scenario.run(&state, |_| {}).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit_code, 0, "{:?}", outcome.errors);
    let state = state.lock().unwrap();
    // Recorded: 2 POST namespaces, 1 POST daemonsets, 1 POST deployments, 1 DELETE namespaces,
    // one each of /version, /api, /apis.
    for (what, count) in [
        ("GET version 200", 1),
        ("GET api 200", 1),
        ("GET apis 200", 1),
        ("POST namespaces 201", 2),
        ("POST daemonsets 201", 1),
        ("DELETE namespaces 200", 1),
        ("POST deployments 201", 1),
    ] {
        assert_eq!(state.count(what), count, "{what}: {:?}", state.counts);
    }
    assert!(state.count("GET deployments 200") >= 2, "it was not ready at first");
    assert!(lines.iter().any(|line| line.starts_with("warning measurement \"none\"")));
    let namespace = &state.objects["namespaces//kube-burner-test-0"]["metadata"]["labels"];
    assert_eq!(namespace["kube-burner-job"], "delete-me", "namespaceLabels win");
    assert_eq!(namespace["kube-burner-uuid"], "u-1");
    let deployment = &state.objects["deployments/kube-burner-test-0/deployment-0-1"];
    assert_eq!(deployment["metadata"]["labels"]["kube-burner.io/replica"], "1");
    assert_eq!(deployment["spec"]["template"]["metadata"]["labels"]["kube-burner-uuid"], "u-1");
    assert_eq!(outcome.job_summaries[0]["jobConfig"]["name"], "create-deployments");
    assert_eq!(outcome.job_summaries[0]["passed"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_2_makes_a_namespace_per_iteration_and_deletes_them() {
    let small =
        [("preLoadPeriod: 3s", "preLoadPeriod: 10ms"), ("Iterations: 100", "Iterations: 7")];
    let scenario = Scenario::new("s2", "s2/s2-config-fast.yaml", &small);
    let state = Shared::default();
    assert_eq!(scenario.run(&state, |_| {}).await.0.unwrap().exit_code, 0);
    {
        let state = state.lock().unwrap();
        assert_eq!(state.count("POST namespaces 201"), 8);
        assert_eq!(state.count("POST deployments 201"), 7);
        assert!(state.objects.contains_key("deployments/kube-burner-test-6/deployment-6-1"));
    }
    let delete = Scenario::new("s2-delete", "s2/s2-delete.yaml", &[]);
    let (outcome, _) = delete.run(&state, |_| {}).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit_code, 0);
    let state = state.lock().unwrap();
    assert_eq!(state.count("DELETE namespaces 200"), 8);
    assert!(state.objects.is_empty());
    let deletes: Vec<_> = outcome.requests.iter().filter(|r| r.verb == "delete").collect();
    assert_eq!((deletes.len(), deletes[0].count), (1, 7), "{:?}", outcome.requests);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_3_as_printed_ends_with_code_1_and_says_so_before() {
    let scenario = Scenario::new("s3printed", "s3/api-intensive-100-fast.yml", SMALL_3);
    let state = Shared::default();
    let (outcome, lines) = scenario.run(&state, |_| {}).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit_code, 1);
    let state = state.lock().unwrap();
    // Recorded: 400 creates 404; LISTs: 110 deployments (up to one per iteration and 10 more),
    // 4 each of configmaps, secrets and services, 2 pods, 3 namespaces; 7 discoveries.
    for (what, count) in [
        ("POST deployments 404", 5),
        ("POST configmaps 404", 5),
        ("POST secrets 404", 5),
        ("POST services 404", 5),
        ("GET configmaps 200", 4),
        ("GET secrets 200", 4),
        ("GET services 200", 4),
        ("GET pods 200", 2),
        ("GET api 200", 7),
        ("GET apis 200", 7),
    ] {
        assert_eq!(state.count(what), count, "{what}: {:?}", state.counts);
    }
    // A waiter that starts after another one has seen the objects ready asks no more.
    let lists = state.count("GET deployments 200");
    assert!((1 + 10..=5 + 10).contains(&lists), "{lists}");
    // One GET of the namespace is this program's own, to warn before it starts.
    assert_eq!(state.count("GET namespaces 200"), 3);
    assert_eq!(state.count("GET namespaces 404"), 1);
    let warning = lines.iter().position(|line| line.contains("--fix-namespace")).unwrap();
    let start = lines.iter().position(|line| line.contains("starting job")).unwrap();
    assert!(warning < start && lines[warning].contains("20 objects"), "{}", lines[warning]);
    assert!(outcome.errors[0].contains("verification"), "{:?}", outcome.errors);
    assert_eq!(outcome.job_summaries.len(), 7, "the other jobs still ran");
    assert!(outcome.job_summaries.iter().all(|s| s["passed"] == false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_3_with_its_namespace_makes_the_recorded_requests() {
    let scenario = Scenario::new("s3fixed", "s3/api-intensive-100-fast.yml", SMALL_3);
    let state = Shared::default();
    let (outcome, _) = scenario.run(&state, |options| options.fix_namespace = true).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit_code, 0, "{:?}", outcome.errors);
    let state = state.lock().unwrap();
    // Recorded with 100: 400 POST 201, 3,000 PATCH (10 iterations of 3 objects of 100), 100
    // DELETE of each; the 100 pods came from controllers, which this cluster has none of.
    for (what, count) in [
        ("POST deployments 201", 5),
        ("POST services 201", 5),
        ("PATCH deployments 200", 150),
        ("DELETE deployments 200", 5),
        ("DELETE services 200", 5),
        ("DELETE configmaps 200", 5),
        ("DELETE secrets 200", 5),
        ("DELETE namespaces 200", 0),
    ] {
        assert_eq!(state.count(what), count, "{what}: {:?}", state.counts);
    }
    let namespace = &state.objects["namespaces//api-intensive"];
    assert!(namespace["metadata"].get("labels").is_none(), "{namespace}");
    for (media, query, body) in [
        ("application/json-patch+json", "", r#"[{"op": "add""#),
        (
            "application/apply-patch+yaml",
            "fieldManager=kube-controller-manager",
            "kind: Deployment",
        ),
        ("application/strategic-merge-patch+json", "", r#""patched-smp-9":"iteration-9""#),
    ] {
        let of_type: Vec<_> = state.patches.iter().filter(|(m, _, _)| m == media).collect();
        assert_eq!(of_type.len(), 50, "{media}");
        assert!(of_type.iter().all(|(_, q, _)| q == query));
        assert!(of_type.iter().any(|(_, _, b)| b.contains(body)), "{:?}", of_type[0]);
    }
}

#[tokio::test]
async fn a_simulator_without_controllers_is_not_waited_for() {
    let small = [
        ("preLoadPeriod: 3s", "preLoadPeriod: 10ms"),
        ("preLoadImages: true", "preLoadImages: false"),
        ("qps: 1\n", "qps: 1000\n"),
    ];
    let scenario = Scenario::new("bare", "s1/s1-config-fast.yaml", &small);
    let state = Shared::new(Mutex::new(State {
        sim_state: Some(json!({"simulator": "apisim", "controllers": []})),
        never_ready: true,
        ..State::default()
    }));
    let (outcome, lines) = scenario.run(&state, |_| {}).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit_code, 0);
    assert!(outcome.notes[0].contains("did not wait for Deployment"), "{:?}", outcome.notes);
    assert!(lines.iter().any(|line| line.contains("Deployment objects will not become ready")));
}

#[tokio::test]
async fn a_terminating_namespace_on_a_simulator_without_controllers_stops_the_run() {
    let small = [("preLoadImages: true", "preLoadImages: false"), ("qps: 1\n", "qps: 1000\n")];
    let scenario = Scenario::new("terminating", "s1/s1-config-fast.yaml", &small);
    let state = Shared::new(Mutex::new(State {
        sim_state: Some(json!({"simulator": "apisim", "controllers": []})),
        ..State::default()
    }));
    let leaving =
        json!({"metadata": {"name": "kube-burner-test-0"}, "status": {"phase": "Terminating"}});
    state.lock().unwrap().objects.insert("namespaces//kube-burner-test-0".into(), leaving);
    let (outcome, _) = scenario.run(&state, |_| {}).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit_code, 1);
    assert!(outcome.errors[0].contains("terminating"), "{:?}", outcome.errors);
}

#[tokio::test]
async fn a_run_whose_time_is_over_ends_with_code_2_and_still_has_its_figures() {
    let small = [("preLoadImages: true", "preLoadImages: false"), ("qps: 1\n", "qps: 1000\n")];
    let scenario = Scenario::new("timeout", "s1/s1-config-fast.yaml", &small);
    let state = Shared::new(Mutex::new(State { never_ready: true, ..State::default() }));
    let shorter = |options: &mut InitOptions| options.timeout = Duration::from_millis(1500);
    let (outcome, _) = scenario.run(&state, shorter).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit_code, 2, "{:?}", outcome.errors);
    assert_eq!(outcome.job_summaries[0]["passed"], false);
    assert!(
        outcome.requests.iter().any(|r| r.resource == "apps/deployments" && r.verb == "create")
    );
}

#[tokio::test]
async fn an_object_that_does_not_become_ready_in_its_time_ends_the_run() {
    let small = [
        ("preLoadImages: true", "preLoadImages: false\n    maxWaitTimeout: 1s"),
        ("qps: 1\n", "qps: 1000\n"),
    ];
    let scenario = Scenario::new("wait", "s1/s1-config-fast.yaml", &small);
    let state = Shared::new(Mutex::new(State { never_ready: true, ..State::default() }));
    let (outcome, _) = scenario.run(&state, |_| {}).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit_code, 1);
    assert!(outcome.errors[0].contains("did not become ready in 1s"), "{:?}", outcome.errors);
}

#[tokio::test]
async fn wrong_files_are_usage_errors_that_name_file_and_field() {
    for (test, edit, part) in [
        ("key", ("qps: 1\n", "qpss: 1\n"), "qpss"),
        ("file", ("s1-deployment.yaml", "missing.yaml"), "missing.yaml"),
        ("duration", ("preLoadPeriod: 3s", "preLoadPeriod: 3 s"), "duration"),
    ] {
        let scenario = Scenario::new(test, "s1/s1-config-fast.yaml", &[edit]);
        let state = Shared::default();
        let (outcome, _) = scenario.run(&state, |_| {}).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("s1-config-fast.yaml") && text.contains(part), "{text}");
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(state.lock().unwrap().count("POST namespaces 201"), 0);
    }
}
