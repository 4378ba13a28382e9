//! Namespaces: made, cleaned up, waited away; and the pulling of images, which needs one.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Stop,
    api::{Api, CallError},
    job::{PreparedJob, Run, Server, retry},
    objects,
    resources::{Resource, Resources},
    template::Renderer,
};
use crate::units::go_duration;

/// Makes a namespace; one that is there already is taken, one that is going away is waited for.
pub(super) async fn create(
    run: &Run,
    api: &Api,
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Result<bool, Stop> {
    let mut metadata = json!({"name": name, "labels": labels});
    if !annotations.is_empty() {
        metadata["annotations"] = json!(annotations);
    }
    let body = json!({"kind": "Namespace", "apiVersion": "v1", "metadata": metadata});
    let once = || async {
        match api.create(&run.namespaces, None, &body).await {
            Ok(()) => {
                run.log.debug(|| format!("created namespace {name}"));
                Ok(true)
            }
            Err(error) if error.is(403) => {
                Err(Stop::fatal(format!("not allowed to create namespace {name}: {error}")))
            }
            Err(error) if error.is_already_exists() => {
                run.log.info(format!("namespace {name} is there already"));
                let there = api.get(&run.namespaces, None, name).await.unwrap_or_default();
                let leaving = objects::text(&there, "/status/phase") == "Terminating";
                if leaving && run.server == Server::Bare {
                    return Err(Stop::fatal(format!(
                        "namespace {name} is terminating, and this server is apisim without an \
                         emulated cluster: nothing finishes that (start it anew, or with \
                         --controllers all)"
                    )));
                }
                if leaving {
                    run.log.warn(format!("namespace {name} is terminating; trying again"));
                }
                Ok(!leaving)
            }
            Err(error) => {
                run.log.error(format!("cannot create namespace {name}: {error}"));
                Ok(false)
            }
        }
    };
    retry(Duration::from_secs(5), Duration::from_secs(5 * 3600), once).await
}

/// Deletes the namespaces with these labels and waits until they are gone.
pub(super) async fn clean_up(run: &Run, api: &Api, selector: &str) -> Result<(), CallError> {
    let found = api.select(&run.namespaces, None, selector).await?;
    if found.is_empty() {
        return Ok(());
    }
    run.log.info(format!("deleting {} namespaces with {selector}", found.len()));
    for namespace in &found {
        match api.delete(&run.namespaces, None, objects::text(namespace, "/metadata/name")).await {
            Err(error) if !error.is(404) => return Err(error),
            _ => {}
        }
    }
    let gone = wait_until_gone(run, api, &run.namespaces, selector, Duration::from_secs(1)).await;
    if let Err(message) = gone {
        run.note(message);
    }
    Ok(())
}

/// Polls until nothing with these labels is left. A cluster is waited for without end, as
/// kube-burner does; where nothing can finish the work, waiting stops once nothing changes.
pub(super) async fn wait_until_gone(
    run: &Run,
    api: &Api,
    resource: &Resource,
    selector: &str,
    interval: Duration,
) -> Result<(), String> {
    let mut fewest = usize::MAX;
    let mut since = Instant::now();
    loop {
        match api.select(resource, None, selector).await {
            Ok(left) if left.is_empty() => return Ok(()),
            Ok(left) => {
                run.log.debug(|| {
                    format!("waiting for {} {} with {selector} to go", left.len(), resource.name)
                });
                if left.len() < fewest {
                    fewest = left.len();
                    since = Instant::now();
                }
            }
            Err(error) => run.log.error(error.to_string()),
        }
        if run.server == Server::Bare && since.elapsed() >= STALLED {
            let message = format!(
                "stopped waiting for {fewest} {} with {selector} to go: this server is apisim \
                 without an emulated cluster, nothing finishes their deletion \
                 (start it with --controllers all)",
                resource.name
            );
            return Err(message);
        }
        tokio::time::sleep(interval).await;
    }
}

/// Deletes what an earlier run of the job, or this one, left behind.
pub(super) async fn collect_garbage(job: &PreparedJob) {
    let selector = format!("kube-burner-job={}", job.config.name);
    let log = job.log();
    if let Err(error) = clean_up(&job.run, &job.typed, &selector).await {
        log.error(format!("cleaning up namespaces: {error}"));
    }
    for object in &job.objects {
        job.limiter.wait().await;
        let namespace = match (object.resource.namespaced, object.fixed_namespace.as_str()) {
            (true, "") => continue,
            (true, fixed) => Some(fixed),
            (false, _) => None,
        };
        log.info(format!("deleting {} with {selector}", object.resource.name));
        let found = match job.api.select(&object.resource, namespace, &selector).await {
            Ok(found) => found,
            Err(error) => {
                log.error(format!("cannot list {}: {error}", object.resource.name));
                continue;
            }
        };
        for item in &found {
            let name = objects::text(item, "/metadata/name");
            match job.api.delete(&object.resource, namespace, name).await {
                Err(error) if !error.is(404) => {
                    log.error(format!("cannot delete {}/{name}: {error}", object.kind));
                }
                _ => {}
            }
        }
    }
}

/// Pulls the images of a job's objects with a DaemonSet in a namespace of its own, which is deleted
/// after the job's `preLoadPeriod`. Nobody looks whether it was ready.
pub(super) async fn pre_load(
    job: &PreparedJob,
    api: &Api,
    resources: &Resources,
    renderer: &Renderer,
) -> Result<(), Stop> {
    let (run, config) = (&job.run, &job.config);
    let mut images = Vec::new();
    for object in &job.objects {
        let sketch = object.sketch(renderer).map_err(|e| {
            Stop::fatal(format!("images of {}: {e}", object.config.object_template))
        })?;
        images.append(&mut objects::images(&sketch));
    }
    if images.is_empty() {
        run.log.info(format!("{}: no images to pull", config.name));
        return Ok(());
    }
    // No more than client-go's defaults, 5 a second and 10 at once.
    let api = api.limited(5.0, 10);
    let mut labels = BTreeMap::from([("kube-burner-preload".to_owned(), "true".to_owned())]);
    labels.extend(config.namespace_labels.clone());
    let made = create(run, &api, PRE_LOAD_NAMESPACE, &labels, &config.namespace_annotations).await;
    if let (Err(Stop::Fatal(message)), Server::Bare) = (&made, run.server) {
        // It would pull nothing here anyway; the load that matters comes after.
        run.note(format!("preLoadImages left out: {message}"));
        return Ok(());
    }
    made?;
    run.log.info(format!(
        "{}: pulling images {images:?} with a DaemonSet in namespace {PRE_LOAD_NAMESPACE}",
        config.name
    ));
    let daemon_sets = resources.of_kind("apps/v1", "DaemonSet").map_err(Stop::fatal)?;
    api.create(daemon_sets, Some(PRE_LOAD_NAMESPACE), &daemon_set(&images, job))
        .await
        .map_err(|e| Stop::fatal(format!("cannot create the DaemonSet that pulls images: {e}")))?;
    if run.server == Server::Bare {
        run.note(
            "preLoadImages pulls nothing here: apisim without an emulated cluster runs no \
             DaemonSets; the pause is kept"
                .to_owned(),
        );
    }
    run.log.info(format!("{}: sleeping for {}", config.name, go_duration(config.pre_load_period)));
    tokio::time::sleep(config.pre_load_period).await;
    let cleaning = clean_up(run, &api, "kube-burner-preload=true");
    match tokio::time::timeout(PRE_LOAD_CLEANING, cleaning).await {
        Ok(Ok(())) => {}
        // As kube-burner, which does not look at this result either.
        Ok(Err(error)) => run.log.warn(format!("cleaning up after pulling images: {error}")),
        Err(_) => run.log.warn("cleaning up after pulling images took too long; going on"),
    }
    Ok(())
}

fn daemon_set(images: &[String], job: &PreparedJob) -> Value {
    let pullers: Vec<_> = images
        .iter()
        .enumerate()
        .map(|(i, image)| {
            json!({"name": format!("container-{i}"), "image": image, "imagePullPolicy": "Always",
                "command": ["echo", format!("init container-{i} completed")], "resources": {}})
        })
        .collect();
    let mut spec = json!({"terminationGracePeriodSeconds": 0, "initContainers": pullers,
        "containers": [{"name": "sleep", "image": "registry.k8s.io/pause:3.1",
            "imagePullPolicy": "Always", "resources": {}}]});
    if !job.config.pre_load_node_labels.is_empty() {
        spec["nodeSelector"] = json!(job.config.pre_load_node_labels);
    }
    json!({"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": {"generateName": "preload"},
        "spec": {"selector": {"matchLabels": {"app": "preload"}},
            "template": {"metadata": {"labels": {"app": "preload"}}, "spec": spec}}})
}

const PRE_LOAD_NAMESPACE: &str = "preload-kube-burner";

/// Time that kube-burner gives to the cleaning after pulling images.
const PRE_LOAD_CLEANING: Duration = Duration::from_secs(300);

/// Without controllers nothing changes any more after the deletions themselves; some polls are
/// allowed for a busy server.
const STALLED: Duration = Duration::from_secs(10);
