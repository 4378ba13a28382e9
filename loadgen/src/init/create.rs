//! Create jobs: namespaces, objects, and the count of them afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    Stop,
    job::{PreparedJob, PreparedObject, retry},
    namespaces, objects,
    wait::finish,
};
use crate::units::go_duration;

impl PreparedJob {
    /// Creates everything and waits for it. Returns the namespaces that were made.
    pub(super) async fn create_all(self: &Arc<Self>) -> Result<Vec<String>, Stop> {
        let config = &self.config;
        let labels = self.namespace_labels();
        let mut made: Vec<String> = Vec::new();
        let mut waited: BTreeSet<String> = BTreeSet::new();
        let mut namespace = String::new();
        if self.needs_namespace && !config.namespaced_iterations {
            namespace.clone_from(&config.namespace);
            self.make_namespace(&namespace, &labels).await?;
            made.push(namespace.clone());
        }
        let mut tasks = JoinSet::new();
        let tenth = (config.job_iterations / 10).max(1);
        for iteration in 0..config.job_iterations {
            if iteration % tenth == 0 {
                self.log().info(format!(
                    "{}: {iteration}/{} iterations completed",
                    config.name, config.job_iterations
                ));
            }
            if self.needs_namespace && config.namespaced_iterations {
                namespace = config.namespace_of(iteration);
                if !made.contains(&namespace) {
                    if !self.make_namespace(&namespace, &labels).await? {
                        continue;
                    }
                    made.push(namespace.clone());
                }
            }
            for (index, object) in self.objects.iter().enumerate() {
                if !object.config.run_once || iteration == 0 {
                    self.spawn_replicas(&mut tasks, index, object, &namespace, iteration).await?;
                }
            }
            // What is done already is looked at now, so that a fatal answer stops the run soon.
            while let Some(joined) = tasks.try_join_next() {
                joined.map_err(|e| Stop::fatal(format!("a task broke off: {e}")))??;
            }
            let wait_now = !config.wait_when_finished && config.pod_wait;
            if wait_now && (!config.namespaced_iterations || !waited.contains(&namespace)) {
                finish(std::mem::take(&mut tasks)).await?;
                self.wait_for_objects(&namespace).await?;
                waited.insert(namespace.clone());
            }
            if !config.job_iteration_delay.is_zero() {
                self.log()
                    .info(format!("sleeping for {}", go_duration(config.job_iteration_delay)));
                tokio::time::sleep(config.job_iteration_delay).await;
            }
        }
        finish(tasks).await?;
        if config.wait_when_finished {
            self.wait_in(self.namespaces_to_wait_in(&namespace)).await?;
        }
        Ok(made)
    }

    /// One waiter per namespace; per iteration where the templates name the namespace themselves,
    /// which is kube-burner's way too and makes most of the LISTs of such a job.
    fn namespaces_to_wait_in(&self, namespace: &str) -> Vec<String> {
        let config = &self.config;
        match (self.needs_namespace, config.namespaced_iterations) {
            (_, false) => vec![namespace.to_owned()],
            (false, true) => {
                vec![String::new(); usize::try_from(config.job_iterations).unwrap_or(0)]
            }
            (true, true) => {
                let last = (config.job_iterations - 1) / config.iterations_per_namespace;
                (0..=last).map(|n| format!("{}-{n}", config.namespace)).collect()
            }
        }
    }

    fn namespace_labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from(
            [
                ("kube-burner-job", &self.config.name),
                ("kube-burner-uuid", &self.run.uuid),
                ("kube-burner-runid", &self.run.runid),
            ]
            .map(|(name, value)| (name.to_owned(), value.clone())),
        );
        labels.extend(self.config.namespace_labels.clone());
        labels
    }

    async fn make_namespace(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<bool, Stop> {
        let annotations = &self.config.namespace_annotations;
        namespaces::create(&self.run, &self.typed, name, labels, annotations).await
    }

    async fn spawn_replicas(
        self: &Arc<Self>,
        tasks: &mut JoinSet<Result<(), Stop>>,
        index: usize,
        object: &Arc<PreparedObject>,
        namespace: &str,
        iteration: u64,
    ) -> Result<(), Stop> {
        for replica in 1..=object.config.replicas {
            self.limiter.wait().await;
            let mut body = object.object(&self.variables(&object.config, iteration, replica))?;
            let labels = objects::burner_labels(
                &self.run.uuid,
                &self.run.runid,
                &self.config.name,
                index,
                iteration,
                replica,
            );
            objects::set_labels(&mut body, &labels);
            let job = Arc::clone(self);
            let object = Arc::clone(object);
            let own = objects::text(&body, "/metadata/namespace");
            let namespace = if own.is_empty() { namespace } else { own }.to_owned();
            tasks.spawn(async move { job.create_one(&object, &namespace, body).await });
        }
        Ok(())
    }

    /// Creates one object. What exists already, or cannot exist since its namespace does not, is
    /// left; anything else is tried again.
    async fn create_one(
        &self,
        object: &PreparedObject,
        namespace: &str,
        body: Value,
    ) -> Result<(), Stop> {
        let name = objects::text(&body, "/metadata/name");
        let what = format!("{}/{name} in namespace {namespace:?}", object.kind);
        let once = || async {
            match self.api.create(&object.resource, Some(namespace), &body).await {
                Ok(()) => {
                    self.operated();
                    self.log().debug(|| format!("created {what}"));
                    Ok(true)
                }
                Err(error) if error.is(401) => {
                    Err(Stop::fatal(format!("not authorized to create {what}: {error}")))
                }
                Err(error) if error.is_already_exists() => {
                    self.log().error(format!("{what} is there already"));
                    Ok(true)
                }
                Err(error) => {
                    let lost = error.is(404);
                    let more = if lost { "" } else { "; trying again" };
                    self.log().error(format!("cannot create {what}: {error}{more}"));
                    Ok(lost)
                }
            }
        };
        retry(Duration::from_secs(1), self.config.max_wait_timeout, once).await.map(drop)
    }

    /// Whether as many objects are there as were to be created.
    pub(super) async fn verify(&self) -> Result<bool, Stop> {
        self.log().info(format!("{}: verifying the created objects", self.config.name));
        let mut all_there = true;
        for (index, object) in self.objects.iter().enumerate() {
            let selector = format!(
                "kube-burner-uuid={},kube-burner-runid={},kube-burner-job={},kube-burner-index={index}",
                self.run.uuid, self.run.runid, self.config.name
            );
            let found = self.count(object, &selector).await?;
            let iterations = if object.config.run_once { 1 } else { self.config.job_iterations };
            let expected = object.config.replicas * iterations;
            if found == Some(expected) {
                self.log().debug(|| format!("{} {} found", expected, object.resource.name));
                continue;
            }
            all_there = false;
            let found = found.map_or_else(|| "an unknown number".to_owned(), |n| n.to_string());
            self.log().error(format!(
                "{}: {found} {} found, {expected} expected",
                self.config.name, object.resource.name
            ));
        }
        Ok(all_there)
    }

    async fn count(&self, object: &PreparedObject, selector: &str) -> Result<Option<u64>, Stop> {
        let counted = std::cell::Cell::new(None);
        let once = || async {
            let mut count = 0;
            let mut token: Option<String> = None;
            loop {
                let mut pairs = vec![("labelSelector", selector), ("limit", "500")];
                if let Some(token) = &token {
                    pairs.push(("continue", token));
                }
                match self.api.page(&object.resource, None, &pairs).await {
                    Ok((list, next)) => {
                        count += list.items.len() as u64;
                        token = next;
                    }
                    Err(error) => {
                        self.log().error(format!("cannot count: {error}"));
                        return Ok(false);
                    }
                }
                if token.is_none() {
                    counted.set(Some(count));
                    return Ok(true);
                }
            }
        };
        retry(Duration::from_secs(1), Duration::from_secs(60), once).await?;
        Ok(counted.get())
    }
}
