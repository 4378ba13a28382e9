//! Deployments: ReplicaSets by template, rolled out within the strategy's fence.
//! Source: `pkg/controller/deployment`.

use std::{rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::{
    BY_CONTROLLER, Manager, PODS_BY_CONTROLLER, Recorder,
    rollout::{Fence, Old, new_replicas, old_replicas},
};
use crate::{
    client::{Client, Failure},
    object::{self, Key, annotation, is_going, list, name, number, text, uid},
    queue::WorkQueue,
};

struct Controller {
    manager: Rc<Manager>,
    client: Client,
    recorder: Recorder,
    queue: WorkQueue,
}

pub(super) fn start(manager: &Rc<Manager>) {
    let client = manager.client("deployment-controller");
    let recorder = manager.recorder(&client, "deployment-controller");
    let queue = WorkQueue::new(&manager.world);
    let add = queue.clone();
    manager.deployments.on_change(move |change| add.add(Key::of(change.object())));
    let add = queue.clone();
    manager.replica_sets.on_change(move |change| {
        for set in [&change.old, &change.new].into_iter().flatten() {
            if let Some(owner) = object::controller_of(set)
                && owner["kind"] == "Deployment"
            {
                add.add(Key::new(object::namespace(set), text(owner, "/name")));
            }
        }
    });
    // Only Recreate waits for pods to be gone.
    let (add, sets) = (queue.clone(), Rc::clone(manager));
    manager.pods.on_change(move |change| {
        let Some(pod) = change.old.as_ref().filter(|_| change.new.is_none()) else { return };
        let Some(owner) = object::controller_of(pod) else { return };
        let set = Key::new(object::namespace(pod), text(owner, "/name"));
        if let Some(set) = sets.replica_sets.get(&set)
            && let Some(owner) = object::controller_of(&set)
        {
            add.add(Key::new(object::namespace(pod), text(owner, "/name")));
        }
    });
    let own =
        Rc::new(Controller { manager: Rc::clone(manager), client, recorder, queue: queue.clone() });
    // Source: --concurrent-deployment-syncs.
    queue.work(5, move |key| {
        let own = Rc::clone(&own);
        async move { own.sync(&key).await }
    });
}

impl Controller {
    async fn sync(&self, key: &Key) -> Result<(), Failure> {
        let Some(deployment) = self.manager.deployments.get(key) else { return Ok(()) };
        let mut sets = self.manager.replica_sets.indexed(BY_CONTROLLER, uid(&deployment));
        sets.sort_by_key(|set| text(set, "/metadata/creationTimestamp").to_owned());
        if is_going(&deployment) {
            return self.sync_status(&deployment, None, &sets).await;
        }
        let new = sets.iter().find(|set| same_template(set, &deployment)).cloned();
        let is_new = |set: &Rc<Value>| new.as_ref().is_some_and(|new| uid(new) == uid(set));
        let old: Vec<_> = sets.iter().filter(|set| !is_new(set)).cloned().collect();
        let paused = object::flag(&deployment, "/spec/paused");
        let recreate = text(&deployment, "/spec/strategy/type") == "Recreate";
        let new = if paused {
            new
        } else if recreate {
            if self.scale_down_all(&deployment, &old).await? {
                return self.sync_status(&deployment, new.as_ref(), &old).await;
            }
            let running = old.iter().any(|set| {
                let pods = self.manager.pods.indexed(PODS_BY_CONTROLLER, uid(set));
                pods.iter().any(|pod| !object::is_finished(pod))
            });
            if running {
                return self.sync_status(&deployment, new.as_ref(), &old).await;
            }
            Some(self.new_set(&deployment, new, &old).await?)
        } else {
            Some(self.new_set(&deployment, new, &old).await?)
        };
        self.scale(&deployment, new.as_ref(), &old, paused, recreate).await?;
        // As they are now.
        let fresh = |set: &Rc<Value>| self.manager.replica_sets.get(&Key::of(set));
        let new = new.and_then(|set| fresh(&set).or(Some(set)));
        let old: Vec<_> = old.iter().filter_map(fresh).collect();
        let mut all = old.clone();
        all.extend(new.clone());
        if new.as_ref().is_some_and(|new| is_complete(&deployment, new, &all)) {
            self.clean_up(&deployment, &old).await?;
        }
        self.sync_status(&deployment, new.as_ref(), &old).await
    }

    /// The set of the deployment's template: made, or brought up to date.
    async fn new_set(
        &self,
        deployment: &Value,
        known: Option<Rc<Value>>,
        old: &[Rc<Value>],
    ) -> Result<Rc<Value>, Failure> {
        let revision = old.iter().map(|set| revision(set)).max().unwrap_or(0) + 1;
        if let Some(known) = known {
            let revision = revision.max(self::revision(&known));
            let wanted = annotations_of(deployment, revision, Some(&known));
            if known["metadata"]["annotations"] != wanted {
                let mut set = (*known).clone();
                set["metadata"]["annotations"] = wanted;
                let set = self.update_set(set).await?;
                self.set_revision(deployment, revision).await?;
                return Ok(set);
            }
            self.set_revision(deployment, revision).await?;
            return Ok(known);
        }
        let mut template = deployment["spec"]["template"].clone();
        let collisions = number(deployment, "/status/collisionCount");
        let hash = object::template_hash(&template, collisions);
        object::set(&mut template, &["metadata", "labels", HASH], json!(hash));
        let mut selector = deployment["spec"]["selector"].clone();
        object::set(&mut selector, &["matchLabels", HASH], json!(hash));
        let wanted = number(deployment, "/spec/replicas");
        let all: i64 = old.iter().map(|set| number(set, "/spec/replicas")).sum();
        let replicas = if text(deployment, "/spec/strategy/type") == "Recreate" {
            wanted
        } else {
            new_replicas(wanted, Fence::of(deployment), 0, all)
        };
        let mut set = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": format!("{}-{hash}", name(deployment)),
                "namespace": object::namespace(deployment),
                "labels": template["metadata"]["labels"],
                "annotations": annotations_of(deployment, revision, None),
                "ownerReferences": object::owned_by("apps/v1", "Deployment", deployment),
            },
            "spec": {"replicas": replicas, "selector": selector, "template": template},
        });
        let min_ready = number(deployment, "/spec/minReadySeconds");
        if min_ready > 0 {
            set["spec"]["minReadySeconds"] = json!(min_ready);
        }
        let path =
            format!("/apis/apps/v1/namespaces/{}/replicasets", object::namespace(deployment));
        let made = match self.client.create(path.clone(), &set).await {
            Err(failure) if failure.already_exists() => {
                let there = self.client.get(format!("{path}/{}", name(&set))).await?;
                if object::controller_uid(&there) != uid(deployment) {
                    // Another template with the same hash.
                    let status = json!({"status": {"collisionCount": collisions + 1}});
                    self.patch_status(deployment, &status).await?;
                    return Err(failure);
                }
                there
            }
            other => other?,
        };
        if replicas > 0 {
            self.say_scaled(deployment, "up", name(&made), 0, replicas);
        }
        self.manager.replica_sets.caught_up(&self.client, object::version(&made)).await;
        self.set_revision(deployment, revision).await?;
        Ok(Rc::new(made))
    }

    async fn set_revision(&self, deployment: &Value, revision: i64) -> Result<(), Failure> {
        if annotation(deployment, REVISION) == Some(&*revision.to_string()) {
            return Ok(());
        }
        let mut new = deployment.clone();
        object::set(&mut new, &["metadata", "annotations", REVISION], json!(revision.to_string()));
        new["apiVersion"] = json!("apps/v1");
        new["kind"] = json!("Deployment");
        let done = self.client.update(path_of(deployment), &new).await?;
        self.manager.deployments.caught_up(&self.client, object::version(&done)).await;
        Ok(())
    }

    async fn scale(
        &self,
        deployment: &Value,
        new: Option<&Rc<Value>>,
        old: &[Rc<Value>],
        paused: bool,
        recreate: bool,
    ) -> Result<(), Failure> {
        let wanted = number(deployment, "/spec/replicas");
        let fence = Fence::of(deployment);
        let replicas = |set: &Value| number(set, "/spec/replicas");
        if paused {
            let mut active: Vec<_> =
                old.iter().chain(new).filter(|set| replicas(set) > 0).collect();
            if active.is_empty() {
                active.extend(new);
            }
            if let [only] = active[..] {
                self.scale_set(deployment, only, wanted).await?;
            }
            return Ok(());
        }
        let Some(new) = new else { return Ok(()) };
        if recreate {
            return self.scale_set(deployment, new, wanted).await;
        }
        let all: i64 = replicas(new) + old.iter().map(|set| replicas(set)).sum::<i64>();
        let up = new_replicas(wanted, fence, replicas(new), all);
        if up != replicas(new) {
            return self.scale_set(deployment, new, up).await;
        }
        let facts = |set: &Rc<Value>| Old {
            replicas: replicas(set),
            available: number(set, "/status/availableReplicas"),
        };
        let of_old: Vec<_> = old.iter().map(facts).collect();
        let after = old_replicas(wanted, fence, facts(new), &of_old);
        for (set, after) in old.iter().zip(after) {
            self.scale_set(deployment, set, after).await?;
        }
        Ok(())
    }

    /// Whether there was something to scale down.
    async fn scale_down_all(&self, deployment: &Value, old: &[Rc<Value>]) -> Result<bool, Failure> {
        let mut some = false;
        for set in old.iter().filter(|set| number(set, "/spec/replicas") > 0) {
            self.scale_set(deployment, set, 0).await?;
            some = true;
        }
        Ok(some)
    }

    async fn scale_set(&self, deployment: &Value, set: &Rc<Value>, to: i64) -> Result<(), Failure> {
        let from = number(set, "/spec/replicas");
        let wanted = annotations_of(deployment, revision(set), Some(set));
        let stale = set["metadata"]["annotations"][DESIRED] != wanted[DESIRED];
        if from == to && !stale {
            return Ok(());
        }
        let mut new = (**set).clone();
        new["spec"]["replicas"] = json!(to);
        for field in [DESIRED, MAX] {
            object::set(&mut new, &["metadata", "annotations", field], wanted[field].clone());
        }
        self.update_set(new).await?;
        if from != to {
            let direction = if to > from { "up" } else { "down" };
            self.say_scaled(deployment, direction, name(set), from, to);
        }
        Ok(())
    }

    async fn update_set(&self, mut set: Value) -> Result<Rc<Value>, Failure> {
        set["apiVersion"] = json!("apps/v1");
        set["kind"] = json!("ReplicaSet");
        let path = format!(
            "/apis/apps/v1/namespaces/{}/replicasets/{}",
            object::namespace(&set),
            name(&set)
        );
        let set = self.client.update(path, &set).await?;
        self.manager.replica_sets.caught_up(&self.client, object::version(&set)).await;
        Ok(Rc::new(set))
    }

    fn say_scaled(&self, deployment: &Value, way: &str, set: &str, from: i64, to: i64) {
        let message = format!("Scaled {way} replica set {set} from {from} to {to}");
        let about = ("apps/v1", "Deployment");
        self.recorder.event(about, deployment, ("Normal", "ScalingReplicaSet"), &message);
    }

    /// Deletes the oldest sets without replicas beyond `revisionHistoryLimit`.
    async fn clean_up(&self, deployment: &Value, old: &[Rc<Value>]) -> Result<(), Failure> {
        let keep = deployment["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
        let surplus = old.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        let mut by_revision: Vec<_> = old.iter().collect();
        by_revision.sort_by_key(|set| revision(set));
        for set in by_revision.into_iter().take(surplus) {
            let empty =
                ["/spec/replicas", "/status/replicas"].iter().all(|at| number(set, at) == 0);
            if empty && !is_going(set) {
                let path = format!(
                    "/apis/apps/v1/namespaces/{}/replicasets/{}",
                    object::namespace(set),
                    name(set)
                );
                match self.client.delete(path, &json!({})).await {
                    Err(failure) if !failure.is_not_found() => return Err(failure),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn sync_status(
        &self,
        deployment: &Value,
        new: Option<&Rc<Value>>,
        old: &[Rc<Value>],
    ) -> Result<(), Failure> {
        let all: Vec<_> = old.iter().chain(new).collect();
        let now = self.manager.world.time();
        let status = status_of(deployment, new.map(|new| &**new), &all, &now);
        if status == deployment["status"] {
            return Ok(());
        }
        let progressing = status["conditions"]
            .as_array()
            .and_then(|all| all.iter().find(|condition| condition["type"] == "Progressing"));
        if progressing.is_some_and(|condition| condition["reason"] != "NewReplicaSetAvailable")
            && let Some(seconds) = deployment["spec"]["progressDeadlineSeconds"].as_u64()
            && seconds < 86_400
        {
            self.queue.add_after(Key::of(deployment), Duration::from_secs(seconds));
        }
        let mut fresh = deployment.clone();
        fresh["apiVersion"] = json!("apps/v1");
        fresh["kind"] = json!("Deployment");
        fresh["status"] = status;
        match self.client.update(format!("{}/status", path_of(deployment)), &fresh).await {
            Ok(done) => {
                self.manager.deployments.caught_up(&self.client, object::version(&done)).await;
                Ok(())
            }
            Err(failure) if failure.is_not_found() => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn patch_status(&self, deployment: &Value, patch: &Value) -> Result<(), Failure> {
        let path = format!("{}/status", path_of(deployment));
        self.client.merge_patch(path, patch).await.map(|_| ())
    }
}

fn path_of(deployment: &Value) -> String {
    let (space, name) = (object::namespace(deployment), name(deployment));
    format!("/apis/apps/v1/namespaces/{space}/deployments/{name}")
}

fn revision(set: &Value) -> i64 {
    annotation(set, REVISION).and_then(|revision| revision.parse().ok()).unwrap_or(0)
}

/// The set's annotations: the deployment's, but for kubectl's, and what the controller keeps there.
fn annotations_of(deployment: &Value, revision: i64, known: Option<&Value>) -> Value {
    let mut all = known.map_or_else(|| json!({}), |set| set["metadata"]["annotations"].clone());
    if !all.is_object() {
        all = json!({});
    }
    if let Some(own) = deployment["metadata"]["annotations"].as_object() {
        for (key, value) in own {
            if !OWN.contains(&key.as_str()) {
                all[key] = value.clone();
            }
        }
    }
    let wanted = number(deployment, "/spec/replicas");
    all[DESIRED] = json!(wanted.to_string());
    all[MAX] = json!((wanted + Fence::of(deployment).surge).to_string());
    all[REVISION] = json!(revision.to_string());
    all
}

/// Equal but for the hash label.
fn same_template(set: &Value, deployment: &Value) -> bool {
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(HASH);
        if labels.is_empty()
            && deployment["spec"]["template"]["metadata"].get("labels").is_none()
            && let Some(metadata) = template["metadata"].as_object_mut()
        {
            metadata.remove("labels");
        }
    }
    template == deployment["spec"]["template"]
}

fn is_complete(deployment: &Value, new: &Value, all: &[Rc<Value>]) -> bool {
    let wanted = number(deployment, "/spec/replicas");
    let sum = |field: &str| all.iter().map(|set| number(set, field)).sum::<i64>();
    number(new, "/status/replicas") == wanted
        && sum("/status/replicas") == wanted
        && number(new, "/status/availableReplicas") == wanted
}

/// Source: `sync.go` `calculateStatus`, `progress.go`.
fn status_of(deployment: &Value, new: Option<&Value>, all: &[&Rc<Value>], now: &str) -> Value {
    let sum = |field: &str| all.iter().map(|set| number(set, field)).sum::<i64>();
    let wanted = number(deployment, "/spec/replicas");
    let available = sum("/status/availableReplicas");
    let spec_total = sum("/spec/replicas");
    let updated = new.map_or(0, |set| number(set, "/status/replicas"));
    let total = sum("/status/replicas");
    let mut status = json!({"observedGeneration": object::generation(deployment)});
    for (field, value) in [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("/status/readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (spec_total - available).max(0)),
    ] {
        if value > 0 {
            status[field] = json!(value);
        }
    }
    if let Some(count) = deployment["status"].get("collisionCount") {
        status["collisionCount"] = count.clone();
    }
    let mut conditions = list(deployment, "/status/conditions").to_vec();
    let stamp = |condition: &mut Value| {
        condition["lastUpdateTime"] = json!(now);
        condition["lastTransitionTime"] = json!(now);
    };
    let least = wanted - Fence::of(deployment).unavailable;
    let mut condition = if available >= least {
        json!({"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
               "message": "Deployment has minimum availability."})
    } else {
        json!({"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable",
               "message": "Deployment does not have minimum availability."})
    };
    stamp(&mut condition);
    object::set_condition(&mut conditions, condition);
    if let Some(new) = new {
        let complete = updated == wanted && total == wanted && available == wanted;
        let done = conditions.iter().any(|condition| {
            condition["type"] == "Progressing" && condition["reason"] == "NewReplicaSetAvailable"
        });
        let old = |field: &str| number(deployment, &format!("/status/{field}"));
        let progressed = updated > old("updatedReplicas")
            || total - updated < old("replicas") - old("updatedReplicas")
            || available > old("availableReplicas");
        let set = name(new);
        let (reason, message) = if complete {
            ("NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed."))
        } else {
            ("ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
        };
        // Once available, only a new set makes it progress again.
        let mentions = conditions.iter().any(|condition| {
            condition["type"] == "Progressing" && text(condition, "/message").contains(set)
        });
        if complete || !done || progressed && !mentions {
            let mut condition = json!({"type": "Progressing", "status": "True", "reason": reason,
                "message": message});
            stamp(&mut condition);
            object::set_condition(&mut conditions, condition);
        }
    }
    status["conditions"] = Value::Array(conditions);
    status
}

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// What is not copied to sets. Source: `annotationsToSkip`.
const OWN: [&str; 5] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];
