//! ReplicaSets and ReplicationControllers: as many pods as they say.
//! Source: `pkg/controller/replicaset/replica_set.go`.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::{
    Manager, PODS_BY_CONTROLLER, Recorder,
    pods::{Owner, by_deletion, slow_start},
};
use crate::{
    client::{Client, Failure},
    object::{self, Key, is_active, is_going, list, number, text, uid},
    queue::WorkQueue,
};

pub(super) fn start(manager: &Rc<Manager>) {
    let client = manager.client("replicaset-controller");
    let recorder = manager.recorder(&client, "replicaset-controller");
    let queue = WorkQueue::new(&manager.world);
    let add = queue.clone();
    manager.replica_sets.on_change(move |change| add.add(Key::of(change.object())));
    let add = queue.clone();
    manager.pods.on_change(move |change| {
        for pod in [&change.old, &change.new].into_iter().flatten() {
            if let Some(owner) = object::controller_of(pod)
                && owner["kind"] == "ReplicaSet"
            {
                add.add(Key::new(object::namespace(pod), text(owner, "/name")));
            }
        }
    });
    let (manager, again) = (Rc::clone(manager), queue.clone());
    // Source: --concurrent-replicaset-syncs.
    queue.work(5, move |key| {
        let (manager, client, recorder) = (Rc::clone(&manager), client.clone(), recorder.clone());
        let again = again.clone();
        async move { sync(&manager, &client, &recorder, &again, &key).await }
    });
}

async fn sync(
    manager: &Manager,
    client: &Client,
    recorder: &Recorder,
    again: &WorkQueue,
    key: &Key,
) -> Result<(), Failure> {
    let Some(set) = manager.replica_sets.get(key) else { return Ok(()) };
    let mut pods = manager.pods.indexed(PODS_BY_CONTROLLER, uid(&set));
    pods.retain(|pod| is_active(pod));
    let owner = Owner { api_version: "apps/v1", kind: "ReplicaSet", object: &set };
    let wanted = usize::try_from(number(&set, "/spec/replicas")).unwrap_or(0);
    let mut outcome = Ok(0);
    if !is_going(&set) {
        outcome = if pods.len() < wanted {
            let missing = (wanted - pods.len()).min(BURST);
            let pod = owner.pod();
            slow_start(missing, |_| owner.create(client, recorder, &pod)).await
        } else {
            let surplus = (pods.len() - wanted).min(BURST);
            let mut on_node: BTreeMap<String, usize> = BTreeMap::new();
            for pod in &pods {
                *on_node.entry(text(pod, "/spec/nodeName").to_owned()).or_default() += 1;
            }
            by_deletion(&mut pods, |pod| on_node[text(pod, "/spec/nodeName")]);
            let gone: Vec<_> = pods.drain(..surplus).collect();
            delete_all(&owner, client, recorder, &gone).await
        };
    }
    if let Ok(version) = outcome {
        // So that the next sync does not make them again.
        manager.pods.caught_up(client, version).await;
    }
    let mut pods = manager.pods.indexed(PODS_BY_CONTROLLER, uid(&set));
    pods.retain(|pod| is_active(pod));
    let failure = outcome.as_ref().err().map(|failure| failure.message.clone());
    let status = status_of(manager, &set, &pods, failure);
    if let Some(status) = status.filter(|_| manager.replica_sets.get(key).is_some()) {
        let mut new = (*set).clone();
        new["apiVersion"] = json!("apps/v1");
        new["kind"] = json!("ReplicaSet");
        new["status"] = status;
        let path = format!("/apis/apps/v1/namespaces/{}/replicasets/{}", key.namespace, key.name);
        match client.update(format!("{path}/status"), &new).await {
            // Source: updateReplicaSetStatus gets it and tries once more.
            Err(failure) if failure.is_conflict() => {
                let mut fresh = client.get(path.clone()).await?;
                fresh["status"] = new["status"].take();
                let done = client.update(format!("{path}/status"), &fresh).await?;
                manager.replica_sets.caught_up(client, object::version(&done)).await;
            }
            Err(failure) if failure.is_not_found() => {}
            other => manager.replica_sets.caught_up(client, object::version(&other?)).await,
        }
    }
    let seconds = number(&set, "/spec/minReadySeconds");
    if seconds > 0 && pods.iter().any(|pod| object::is_ready(pod)) {
        let delay = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let available = pods.iter().filter(|pod| is_available(manager, pod, seconds)).count();
        if available < pods.len() {
            again.add_after(key.clone(), delay);
        }
    }
    outcome.map(|_| ())
}

async fn delete_all(
    owner: &Owner<'_>,
    client: &Client,
    recorder: &Recorder,
    pods: &[Rc<Value>],
) -> Result<u64, Failure> {
    let deletions = pods.iter().map(|pod| owner.delete(client, recorder, pod));
    let mut highest = 0;
    for done in futures_util::future::join_all(deletions).await {
        if let Some(pod) = done? {
            highest = highest.max(object::version(&pod));
        }
    }
    Ok(highest)
}

/// Ready for at least `seconds`. Source: `podutil.IsPodAvailable`.
pub(super) fn is_available(manager: &Manager, pod: &Value, seconds: i64) -> bool {
    if !object::is_ready(pod) {
        return false;
    }
    if seconds == 0 {
        return true;
    }
    let since = object::condition(pod, "Ready").map_or("", |c| text(c, "/lastTransitionTime"));
    since
        .parse::<jiff::Timestamp>()
        .is_ok_and(|since| manager.world.wall().as_second() - since.as_second() >= seconds)
}

/// The new status; `None` when it is what stands there.
fn status_of(
    manager: &Manager,
    set: &Value,
    pods: &[Rc<Value>],
    failure: Option<String>,
) -> Option<Value> {
    let min_ready = number(set, "/spec/minReadySeconds");
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    let fully = |pod: &Value| {
        labels.as_object().is_none_or(|labels| {
            labels.iter().all(|(key, value)| pod["metadata"]["labels"].get(key) == Some(value))
        })
    };
    let count = |test: &dyn Fn(&Value) -> bool| pods.iter().filter(|pod| test(pod)).count();
    let ready = count(&object::is_ready);
    let available = count(&|pod| is_available(manager, pod, min_ready));
    let mut status = json!({"replicas": pods.len()});
    for (field, value) in [
        ("fullyLabeledReplicas", count(&fully)),
        ("readyReplicas", ready),
        ("availableReplicas", available),
    ] {
        if value > 0 {
            status[field] = json!(value);
        }
    }
    status["observedGeneration"] = json!(object::generation(set));
    let mut conditions = list(set, "/status/conditions").to_vec();
    match failure {
        Some(message) => {
            object::set_condition(
                &mut conditions,
                json!({
                    "type": "ReplicaFailure",
                    "status": "True",
                    "lastTransitionTime": manager.world.time(),
                    "reason": "FailedCreate",
                    "message": message,
                }),
            );
        }
        None => conditions.retain(|condition| condition["type"] != "ReplicaFailure"),
    }
    if !conditions.is_empty() {
        status["conditions"] = Value::Array(conditions);
    }
    (status != set["status"]).then_some(status)
}

/// Source: `BurstReplicas`.
const BURST: usize = 500;
