//! Waiting until objects are ready.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{
    Stop,
    job::{PreparedJob, PreparedObject, Server},
    objects::Readiness,
};
use crate::units::go_duration;

impl PreparedJob {
    /// Waits in each of these namespaces, in as many at once as the job's qps, as kube-burner does.
    pub(super) async fn wait_in(
        self: &Arc<Self>,
        namespaces: impl IntoIterator<Item = String>,
    ) -> Result<(), Stop> {
        self.log().info(format!(
            "{}: waiting up to {} for objects to be ready",
            self.config.name,
            go_duration(self.config.max_wait_timeout)
        ));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive rate; saturates"
        )]
        let at_once = (self.config.qps as usize).clamp(1, Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(at_once));
        let mut waiters = JoinSet::new();
        for namespace in namespaces {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let job = Arc::clone(self);
            waiters.spawn(async move {
                let _permit = permit;
                job.wait_for_objects(&namespace).await
            });
        }
        finish(waiters).await
    }

    /// Waits for all objects of the job in one namespace; empty for all namespaces.
    pub(super) async fn wait_for_objects(&self, namespace: &str) -> Result<(), Stop> {
        for object in &self.objects {
            self.wait_for(object, namespace).await?;
        }
        self.log()
            .debug(|| format!("{}: nothing left to wait for in {namespace:?}", self.config.name));
        Ok(())
    }

    pub(super) async fn wait_for(
        &self,
        object: &PreparedObject,
        namespace: &str,
    ) -> Result<(), Stop> {
        if !object.config.wait || object.ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        let wanted = &object.config.wait_options;
        let (kind, resource, namespace) = match &object.wait_resource {
            Some(resource) => (wanted.kind.as_str(), resource, ""),
            None if object.fixed_namespace.is_empty() => {
                (object.kind.as_str(), &object.resource, namespace)
            }
            None => (object.kind.as_str(), &object.resource, object.fixed_namespace.as_str()),
        };
        let readiness = Readiness::of_kind(kind);
        if readiness == Readiness::None {
            return Ok(());
        }
        let mut selector = vec![format!("kube-burner-runid={}", self.run.runid)];
        selector.extend(wanted.label_selector.iter().map(|(k, v)| format!("{k}={v}")));
        let selector = selector.join(",");
        let start = Instant::now();
        while !self.all_ready(resource, readiness, namespace, &selector).await {
            if self.run.server == Server::Bare {
                self.run.note(format!(
                    "did not wait for {kind} objects to be ready: this server is apisim without \
                     an emulated cluster, which would make them so (start it with --controllers \
                     all)"
                ));
                return Ok(());
            }
            if start.elapsed() >= self.config.max_wait_timeout {
                return Err(Stop::fatal(format!(
                    "{} in namespace {namespace:?} did not become ready in {}",
                    resource.name,
                    go_duration(self.config.max_wait_timeout)
                )));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if !object.fixed_namespace.is_empty() || object.config.run_once {
            object.ready.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn all_ready(
        &self,
        resource: &super::resources::Resource,
        readiness: Readiness,
        namespace: &str,
        selector: &str,
    ) -> bool {
        let namespace = Some(namespace).filter(|ns| !ns.is_empty());
        let pods = readiness == Readiness::Pod;
        let api = if pods { &self.typed } else { &self.api };
        let mut token: Option<String> = None;
        loop {
            self.wait_limiter.wait().await;
            let mut pairs = vec![("labelSelector", selector)];
            if pods {
                pairs.push(("limit", "1000"));
            }
            if let Some(token) = &token {
                pairs.push(("continue", token));
            }
            let (list, next) = match api.page(resource, namespace, &pairs).await {
                Ok(page) => page,
                Err(error) => {
                    self.log().error(format!("cannot list {}: {error}", resource.name));
                    return false;
                }
            };
            if !list.items.iter().all(|item| readiness.is_met(item)) {
                self.log().debug(|| {
                    format!("waiting for {} in {:?}", resource.name, namespace.unwrap_or_default())
                });
                return false;
            }
            token = next;
            if token.is_none() {
                return true;
            }
        }
    }
}

/// Waits for tasks; the first that must stop the run does so.
pub(super) async fn finish(mut tasks: JoinSet<Result<(), Stop>>) -> Result<(), Stop> {
    while let Some(joined) = tasks.join_next().await {
        joined.map_err(|e| Stop::fatal(format!("a task broke off: {e}")))??;
    }
    Ok(())
}
