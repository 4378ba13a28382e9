//! Namespaces that are deleted: their content goes, pods first, then their finalizer.
//! Source: `pkg/controller/namespace/deletion`, KEP-5080.

use std::{rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::Manager;
use crate::{
    client::{Client, Failure},
    informer::METADATA_LIST,
    object::{self, Key, is_going, list, text},
    queue::WorkQueue,
};

pub(super) fn start(manager: &Rc<Manager>) {
    let client = manager.client("namespace-controller");
    let queue = WorkQueue::new(&manager.world);
    let add = queue.clone();
    manager.namespaces.on_change(move |change| {
        if let Some(space) = change.new.as_ref().filter(|space| is_going(space)) {
            add.add(Key::of(space));
        }
    });
    let (manager, again) = (Rc::clone(manager), queue.clone());
    // Source: --concurrent-namespace-syncs.
    queue.work(10, move |key| {
        let (manager, client, again) = (Rc::clone(&manager), client.clone(), again.clone());
        async move {
            let Some(space) = manager.namespaces.get(&key) else { return Ok(()) };
            if list(&space, "/spec/finalizers").is_empty() {
                return Ok(());
            }
            if let Some(wait) = sync(&client, &space).await? {
                again.add_after(key, wait);
            }
            Ok(())
        }
    });
}

/// How long to wait for what is left; `None` when it is done.
async fn sync(client: &Client, space: &Value) -> Result<Option<Duration>, Failure> {
    let name = object::name(space);
    let resources = namespaced(client).await?;
    let pods = resources.iter().filter(|resource| resource.ends_with("/pods"));
    let others = resources.iter().filter(|resource| !resource.ends_with("/pods"));
    let mut left: Vec<(String, usize)> = Vec::new();
    let mut wait = 0;
    for resource in pods {
        let (count, grace) = empty(client, resource, name).await?;
        if count > 0 {
            left.push((resource.clone(), count));
            wait = wait.max(grace);
        }
    }
    if left.is_empty() {
        for resource in others {
            let (count, grace) = empty(client, resource, name).await?;
            if count > 0 {
                left.push((resource.clone(), count));
                wait = wait.max(grace);
            }
        }
    }
    if !left.is_empty() {
        report(client, space, &left).await?;
        // Source: half of the estimate, and a second.
        let seconds = u64::try_from(wait / 2 + 1).unwrap_or(1);
        // Nothing here takes as long as the grace period says.
        return Ok(Some(Duration::from_millis(seconds.min(2) * 250)));
    }
    let mut done = space.clone();
    done["apiVersion"] = json!("v1");
    done["kind"] = json!("Namespace");
    let kept: Vec<_> = list(space, "/spec/finalizers")
        .iter()
        .filter(|one| *one != "kubernetes")
        .cloned()
        .collect();
    done["spec"]["finalizers"] = json!(kept);
    match client.update(format!("/api/v1/namespaces/{name}/finalize"), &done).await {
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
        Ok(_) => Ok(None),
    }
}

/// Paths of all namespaced resources that can be listed and deleted, as `/api/v1/…/pods` without
/// the namespace: prefix, a space, and the resource.
async fn namespaced(client: &Client) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for root in ["/api", "/apis"] {
        let body = client.get_as(root.to_owned(), DISCOVERY).await?;
        let document: Value = serde_json::from_slice(&body).unwrap_or_default();
        for group in list(&document, "/items") {
            let name = text(group, "/metadata/name");
            let Some(version) = list(group, "/versions").first() else { continue };
            let prefix = match name {
                "" => format!("/api/{}", text(version, "/version")),
                name => format!("/apis/{name}/{}", text(version, "/version")),
            };
            for resource in list(version, "/resources") {
                let can = |verb: &str| list(resource, "/verbs").iter().any(|one| one == verb);
                if resource["scope"] == "Namespaced" && can("list") && can("deletecollection") {
                    let plural = text(resource, "/resource");
                    // The same objects as those of the core group.
                    if !(plural == "events" && name == "events.k8s.io") {
                        found.push(format!("{prefix}/namespaces/NAMESPACE/{plural}"));
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Deletes all of a kind in the namespace; how many are left, and the longest grace period.
async fn empty(client: &Client, resource: &str, space: &str) -> Result<(usize, i64), Failure> {
    let path = resource.replace("NAMESPACE", space);
    let options = json!({"propagationPolicy": "Background"});
    // One that is served without being deletable says so; its content stays.
    let deleted = client.delete(path.clone(), &options).await;
    match deleted {
        Err(failure) if failure.code == 405 || failure.is_not_found() => return Ok((0, 0)),
        Err(failure) => return Err(failure),
        Ok(_) => {}
    }
    let body = client.get_as(path, METADATA_LIST).await?;
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    let items = list(&document, "/items");
    let grace =
        items.iter().map(|item| object::number(item, "/metadata/deletionGracePeriodSeconds")).max();
    Ok((items.len(), grace.unwrap_or(0)))
}

/// Source: `namespaced_resources_deleter.go`, `status_condition_utils.go`.
async fn report(client: &Client, space: &Value, left: &[(String, usize)]) -> Result<(), Failure> {
    let now = client.world().time();
    let mut conditions = list(space, "/status/conditions").to_vec();
    let what: Vec<_> = left
        .iter()
        .map(|(path, count)| {
            let plural = path.rsplit('/').next().unwrap_or_default();
            format!("{plural}. has {count} resource instances")
        })
        .collect();
    let rows = [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered".to_owned(),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned(),
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".to_owned(),
        ),
        (
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            format!("Some resources are remaining: {}", what.join(", ")),
        ),
        (
            "NamespaceFinalizersRemaining",
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished".to_owned(),
        ),
    ];
    let mut changed = false;
    for (kind, status, reason, message) in rows {
        let condition = json!({"type": kind, "status": status, "lastTransitionTime": now,
            "reason": reason, "message": message});
        changed |= object::set_condition(&mut conditions, condition);
    }
    if !changed {
        return Ok(());
    }
    let mut new = space.clone();
    new["apiVersion"] = json!("v1");
    new["kind"] = json!("Namespace");
    object::set(&mut new, &["status", "conditions"], Value::Array(conditions));
    let path = format!("/api/v1/namespaces/{}/status", object::name(space));
    match client.update(path, &new).await {
        Err(failure) if !failure.is_conflict() && !failure.is_not_found() => Err(failure),
        _ => Ok(()),
    }
}

pub(super) const DISCOVERY: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
