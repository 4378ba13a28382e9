//! What can be known before a run starts, and is better said then.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    api::Api,
    config::JobType,
    job::{PreparedJob, Run, Server},
    objects::{self, Readiness},
    resources::Resources,
};

/// What `/sim/state` says: whose server it is, and which controllers run.
pub(super) fn server(state: &Value) -> Server {
    if objects::text(state, "/simulator") != "apisim" {
        return Server::Cluster;
    }
    let some = match state.get("controllers") {
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Bool(on)) => *on,
        Some(Value::String(names)) => !names.is_empty() && names != "none",
        _ => false,
    };
    if some { Server::Cluster } else { Server::Bare }
}

/// Says at the start which waits would never end on this server.
pub(super) fn waits(run: &Run, jobs: &[(Arc<PreparedJob>, Resources)]) {
    if run.server == Server::Cluster {
        return;
    }
    let mut kinds = BTreeSet::new();
    for (job, _) in jobs {
        let config = &job.config;
        let waits = config.wait_when_finished || config.pod_wait || config.object_wait;
        for object in job.objects.iter().filter(|object| waits && object.config.wait) {
            if Readiness::of_kind(&object.kind) != Readiness::None {
                kinds.insert(object.kind.clone());
            }
        }
    }
    if kinds.is_empty() {
        return;
    }
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
    run.log.warn(format!(
        "this server is apisim without an emulated cluster: {kinds} objects will not become \
         ready, and this run will look for that once and not wait"
    ));
}

/// Finds namespaces that templates name and nobody makes: everything created there is answered
/// with 404, as the third scenario is when it is run as printed. Makes them when told to.
pub(super) async fn fixed_namespaces(
    run: &Run,
    api: &Api,
    jobs: &[(Arc<PreparedJob>, Resources)],
    fix: bool,
) {
    for (namespace, (job, objects)) in named_in_templates(jobs) {
        match api.get(&run.namespaces, None, &namespace).await {
            Ok(there) => warn_if_cleaned_up(run, job, &namespace, &there),
            Err(error) if error.is(404) && fix => make(run, api, &namespace).await,
            Err(error) if error.is(404) => run.log.warn(format!(
                "namespace {namespace:?} does not exist and nothing here makes it: kube-burner \
                 makes no namespace for templates that name one, so all {objects} objects of job \
                 {} will be answered with 404, their verification will fail and the run will end \
                 with code 1. Create the namespace, without the label kube-burner-job={}, or use \
                 --fix-namespace",
                job.config.name, job.config.name
            )),
            Err(error) => run.log.warn(format!("cannot look at namespace {namespace:?}: {error}")),
        }
    }
}

async fn make(run: &Run, api: &Api, namespace: &str) {
    let body = json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": namespace}});
    match api.create(&run.namespaces, None, &body).await {
        Ok(()) => run.note(format!(
            "made namespace {namespace:?}, without labels, since templates name it and nothing \
             makes it (--fix-namespace); it is not deleted at the end"
        )),
        Err(error) => run.log.error(format!("cannot make namespace {namespace:?}: {error}")),
    }
}

fn warn_if_cleaned_up(run: &Run, job: &PreparedJob, namespace: &str, there: &Value) {
    let label = there
        .pointer("/metadata/labels/kube-burner-job")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if job.config.cleanup && label == job.config.name {
        run.log.warn(format!(
            "namespace {namespace:?} carries the label kube-burner-job={label}: the job's cleanup \
             deletes it first, and everything created there is then answered with 404"
        ));
    }
    if objects::text(there, "/status/phase") == "Terminating" {
        run.log.warn(format!("namespace {namespace:?} is terminating"));
    }
}

/// Namespaces that templates of create jobs name, with the first such job and how many objects
/// it creates there; without those that an earlier object of kind Namespace may make.
fn named_in_templates(
    jobs: &[(Arc<PreparedJob>, Resources)],
) -> BTreeMap<String, (&PreparedJob, u64)> {
    let mut named: BTreeMap<String, (&PreparedJob, u64)> = BTreeMap::new();
    let mut makes_namespaces = false;
    for (job, _) in jobs.iter().filter(|(job, _)| job.config.job_type == JobType::Create) {
        for object in &job.objects {
            makes_namespaces |= object.kind == "Namespace";
            let namespace = &object.fixed_namespace;
            // A namespace's name with a variable in it cannot be known before.
            if makes_namespaces || namespace.is_empty() || object.namespace_varies() {
                continue;
            }
            let iterations = if object.config.run_once { 1 } else { job.config.job_iterations };
            let entry = named.entry(namespace.clone()).or_insert_with(|| (job.as_ref(), 0));
            entry.1 += object.config.replicas * iterations;
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulator_is_known_by_its_controllers() {
        for (state, found) in [
            (json!({"simulator": "apisim"}), Server::Bare),
            (json!({"simulator": "apisim", "controllers": []}), Server::Bare),
            (json!({"simulator": "apisim", "controllers": ["deployment"]}), Server::Cluster),
            (json!({"simulator": "apisim", "controllers": "none"}), Server::Bare),
            (json!({"simulator": "apisim", "controllers": true}), Server::Cluster),
            (json!({"controllers": []}), Server::Cluster),
            (json!("hello"), Server::Cluster),
        ] {
            assert_eq!(server(&state), found, "{state}");
        }
    }
}
