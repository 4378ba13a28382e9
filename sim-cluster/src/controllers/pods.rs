//! Pods from a template, as the workload controllers make them.

use std::{cell::RefCell, rc::Rc};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Recorder;
use crate::{
    client::{Client, Failure},
    object::{self, name, namespace},
};

/// Who owns what is made: apiVersion, kind and the object.
pub(super) struct Owner<'a> {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) object: &'a Value,
}

impl Owner<'_> {
    /// A pod from the owner's template. Source: `pkg/controller/controller_utils.go`
    /// `GetPodFromTemplate`.
    pub(super) fn pod(&self) -> Value {
        let template = &self.object["spec"]["template"];
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": format!("{}-", name(self.object)),
                "namespace": namespace(self.object),
            },
        });
        for field in ["labels", "annotations", "finalizers"] {
            let value = &template["metadata"][field];
            if !value.is_null() {
                pod["metadata"][field] = value.clone();
            }
        }
        pod["metadata"]["ownerReferences"] =
            object::owned_by(self.api_version, self.kind, self.object);
        pod["spec"] = template["spec"].clone();
        pod
    }

    /// Creates it, and says so in an event.
    pub(super) async fn create(
        &self,
        client: &Client,
        recorder: &Recorder,
        pod: &Value,
    ) -> Result<Value, Failure> {
        let path = format!("/api/v1/namespaces/{}/pods", namespace(self.object));
        let about = (self.api_version, self.kind);
        match client.create(path, pod).await {
            Ok(pod) => {
                let message = format!("Created pod: {}", name(&pod));
                recorder.event(about, self.object, ("Normal", "SuccessfulCreate"), &message);
                Ok(pod)
            }
            Err(failure) => {
                if !failure.is_terminating() {
                    let message = format!("Error creating: {}", failure.message);
                    recorder.event(about, self.object, ("Warning", "FailedCreate"), &message);
                }
                Err(failure)
            }
        }
    }

    /// Deletes it, and says so; one that is gone already is fine.
    pub(super) async fn delete(
        &self,
        client: &Client,
        recorder: &Recorder,
        pod: &Value,
    ) -> Result<Option<Value>, Failure> {
        let path = format!("/api/v1/namespaces/{}/pods/{}", namespace(pod), name(pod));
        let about = (self.api_version, self.kind);
        match client.delete(path, &json!({})).await {
            Ok(answer) => {
                let message = format!("Deleted pod: {}", name(pod));
                recorder.event(about, self.object, ("Normal", "SuccessfulDelete"), &message);
                Ok(Some(answer))
            }
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// Does it for all, 1 first, then 2, 4, … at once; stops after a batch with a failure. Returns the
/// highest resourceVersion written. Source: `slowStartBatch`.
pub(super) async fn slow_start<'a, F>(
    count: usize,
    one: impl Fn(usize) -> F + 'a,
) -> Result<u64, Failure>
where
    F: Future<Output = Result<Value, Failure>> + 'a,
{
    let highest = Rc::new(RefCell::new(0));
    let mut done = 0;
    let mut batch = 1;
    while done < count {
        batch = batch.min(count - done);
        let results = join_all((done..done + batch).map(&one)).await;
        for result in results {
            let version = object::version(&result?);
            let mut highest = highest.borrow_mut();
            *highest = (*highest).max(version);
        }
        done += batch;
        batch *= 2;
    }
    let highest = *highest.borrow();
    Ok(highest)
}

/// Sorts the pods so that those come first that are deleted first. Source:
/// `controller_utils.go` `ActivePodsWithRanks`: unassigned, pending, not ready, cheaper by
/// annotation, more of them on the node, ready for less time, more restarts, younger.
pub(super) fn by_deletion(pods: &mut [Rc<Value>], ranks: impl Fn(&Value) -> usize) {
    let key = |pod: &Rc<Value>| {
        let phase = match object::text(pod, "/status/phase") {
            "Pending" | "" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        let cost: i64 = object::annotation(pod, "controller.kubernetes.io/pod-deletion-cost")
            .and_then(|cost| cost.parse().ok())
            .unwrap_or(0);
        let restarts: i64 = object::list(pod, "/status/containerStatuses")
            .iter()
            .map(|status| object::number(status, "/restartCount"))
            .max()
            .unwrap_or(0);
        let ready =
            object::condition(pod, "Ready").map_or("", |c| object::text(c, "/lastTransitionTime"));
        let newest = |time: &str| std::cmp::Reverse(time.to_owned());
        (
            !object::text(pod, "/spec/nodeName").is_empty(),
            phase,
            object::is_ready(pod),
            cost,
            std::cmp::Reverse(ranks(pod)),
            newest(ready),
            std::cmp::Reverse(restarts),
            newest(object::text(pod, "/metadata/creationTimestamp")),
        )
    };
    pods.sort_by_cached_key(key);
}
