//! Patch, delete and read jobs: they work on what labels select.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    Stop,
    config::{APPLY_PATCH, ExecutionMode, JobType},
    job::{PreparedJob, PreparedObject, retry},
    namespaces::wait_until_gone,
    objects,
    wait::finish,
};
use crate::units::go_duration;

impl PreparedJob {
    /// Runs the job. What could not be waited for comes back as text.
    pub(super) async fn work_on_items(self: &Arc<Self>) -> Result<Vec<String>, Stop> {
        match self.config.execution_mode {
            Some(ExecutionMode::Parallel) => self.parallel().await.map(|()| Vec::new()),
            _ => self.sequential().await,
        }
    }

    /// All patches at once, held back by the limiter only. The items are listed once per object.
    async fn parallel(self: &Arc<Self>) -> Result<(), Stop> {
        let mut tasks = JoinSet::new();
        for object in &self.objects {
            let items = self.items(object).await?;
            for iteration in 0..self.config.job_iterations {
                self.spawn_all(&mut tasks, object, &items, iteration);
            }
        }
        finish(tasks).await?;
        if self.config.wait_when_finished {
            self.wait_for_objects("").await?;
        }
        Ok(())
    }

    async fn sequential(self: &Arc<Self>) -> Result<Vec<String>, Stop> {
        let config = &self.config;
        let mut left = Vec::new();
        for iteration in 0..config.job_iterations {
            for object in &self.objects {
                let items = self.items(object).await?;
                let mut tasks = JoinSet::new();
                self.spawn_all(&mut tasks, object, &items, iteration);
                finish(tasks).await?;
                if config.object_wait {
                    self.wait_for(object, "").await?;
                }
                if config.job_type == JobType::Delete && config.wait_for_deletion {
                    let selector = selector(&object.config.label_selector);
                    let gone = wait_until_gone(
                        &self.run,
                        &self.api,
                        &object.resource,
                        &selector,
                        Duration::from_secs(2),
                    );
                    left.extend(gone.await.err());
                }
                self.pause(config.object_delay, "objects").await;
            }
            if config.wait_when_finished {
                self.wait_for_objects("").await?;
            }
            self.pause(config.job_iteration_delay, "iterations").await;
            if iteration % 10 == 0 && iteration > 0 {
                self.log().info(format!(
                    "{}: {iteration}/{} iterations completed",
                    config.name, config.job_iterations
                ));
            }
        }
        Ok(left)
    }

    async fn pause(&self, time: Duration, between: &str) {
        if !time.is_zero() {
            self.log().info(format!("sleeping {} between {between}", go_duration(time)));
            tokio::time::sleep(time).await;
        }
    }

    async fn items(&self, object: &PreparedObject) -> Result<Arc<Vec<Value>>, Stop> {
        let selector = selector(&object.config.label_selector);
        let found = std::cell::RefCell::new(Vec::new());
        let once = || async {
            match self.api.select(&object.resource, None, &selector).await {
                Ok(items) => {
                    self.log().info(format!(
                        "{}: {} {} found with {selector}",
                        self.config.name,
                        items.len(),
                        object.resource.name
                    ));
                    *found.borrow_mut() = items;
                    Ok(true)
                }
                Err(error) => {
                    self.log().error(format!("cannot list {}: {error}", object.resource.name));
                    Ok(false)
                }
            }
        };
        retry(Duration::from_secs(1), self.config.max_wait_timeout, once).await?;
        Ok(Arc::new(found.into_inner()))
    }

    fn spawn_all(
        self: &Arc<Self>,
        tasks: &mut JoinSet<Result<(), Stop>>,
        object: &Arc<PreparedObject>,
        items: &Arc<Vec<Value>>,
        iteration: u64,
    ) {
        for index in 0..items.len() {
            let (job, object, items) = (Arc::clone(self), Arc::clone(object), Arc::clone(items));
            tasks.spawn(async move { job.one(&object, &items[index], iteration).await });
        }
    }

    /// Patches, deletes or reads one object. Refusals are said and counted, and only those of a
    /// person who may not patch end the run, as in kube-burner.
    async fn one(&self, object: &PreparedObject, item: &Value, iteration: u64) -> Result<(), Stop> {
        let name = objects::text(item, "/metadata/name");
        let namespace =
            Some(objects::text(item, "/metadata/namespace")).filter(|ns| !ns.is_empty());
        let resource = &object.resource;
        let (result, doing) = match self.config.job_type {
            JobType::Delete => {
                self.limiter.wait().await;
                (self.api.delete(resource, namespace, name).await, "delete")
            }
            JobType::Read => {
                self.limiter.wait().await;
                (self.api.get(resource, namespace, name).await.map(drop), "read")
            }
            _ => {
                let body = object.patch(&self.variables(&object.config, iteration, 0))?;
                let patch_type = object.config.patch_type.as_str();
                let parameters = match patch_type {
                    APPLY_PATCH => "?fieldManager=kube-controller-manager",
                    _ => "",
                };
                self.limiter.wait().await;
                let patch = (patch_type, parameters, body.as_str());
                (self.api.patch(resource, namespace, name, patch).await, "patch")
            }
        };
        let what = || format!("{}/{name} in namespace {:?}", object.kind, namespace.unwrap_or(""));
        match result {
            Ok(()) => self.log().debug(|| format!("{doing}: {}", what())),
            Err(error) if doing == "patch" && error.is(403) => {
                return Err(Stop::fatal(format!("not allowed to patch {}: {error}", what())));
            }
            Err(error) => self.log().error(format!("cannot {doing} {}: {error}", what())),
        }
        self.operated();
        Ok(())
    }
}

fn selector(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}
