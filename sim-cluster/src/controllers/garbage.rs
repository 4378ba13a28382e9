//! The garbage collector: dependents whose owners are gone, foreground and orphan finalizers.
//! Source: `pkg/controller/garbagecollector`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use serde_json::{Value, json};

use super::{Manager, namespace::DISCOVERY};
use crate::{
    client::{Client, Failure},
    informer::{Change, Informer, METADATA, Source},
    object::{self, Key, is_going, list, text, uid},
    queue::WorkQueue,
};

/// An object as the graph knows it. Keyed by uid.
struct Node {
    path: String,
    key: Key,
    owners: Vec<Value>,
    going: bool,
    finalizers: Vec<String>,
}

#[derive(Default)]
struct Graph {
    nodes: BTreeMap<String, Node>,
    /// Owner's uid to the uids of dependents.
    dependents: BTreeMap<String, BTreeSet<String>>,
}

pub(super) fn start(manager: &Rc<Manager>) {
    let client = manager.client("generic-garbage-collector");
    let world = manager.world.clone();
    world.clone().spawn(async move {
        let graph: Rc<RefCell<Graph>> = Rc::default();
        let queue = WorkQueue::new(&world);
        let mut monitors: BTreeMap<String, Rc<Informer>> = BTreeMap::new();
        let work = (client.clone(), Rc::clone(&graph));
        // Source: --concurrent-gc-syncs.
        queue.work(20, move |key| {
            let (client, graph) = work.clone();
            async move { collect(&client, &graph, &key.name).await }
        });
        loop {
            for path in deletable(&client).await.unwrap_or_default() {
                if monitors.contains_key(&path) {
                    continue;
                }
                let source = Source::metadata(&path);
                let monitor = Informer::start(&client, source, &[]);
                let (graph, queue, at) = (Rc::clone(&graph), queue.clone(), path.clone());
                monitor.on_change(move |change| graph.borrow_mut().take(change, &at, &queue));
                monitors.insert(path, monitor);
            }
            // Source: the collector's Sync looks for new kinds every 30 s.
            world.sleep(Duration::from_secs(30)).await;
        }
    });
}

/// Paths of all resources that can be listed, watched and deleted.
async fn deletable(client: &Client) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for root in ["/api", "/apis"] {
        let body = client.get_as(root.to_owned(), DISCOVERY).await?;
        let document: Value = serde_json::from_slice(&body).unwrap_or_default();
        for group in list(&document, "/items") {
            let name = text(group, "/metadata/name");
            let Some(version) = list(group, "/versions").first() else { continue };
            let version_name = text(version, "/version");
            for resource in list(version, "/resources") {
                let can = |verb: &str| list(resource, "/verbs").iter().any(|one| one == verb);
                let plural = text(resource, "/resource");
                // Source: `DefaultIgnoredResources`: events.
                if can("list") && can("watch") && can("delete") && plural != "events" {
                    found.push(match name {
                        "" => format!("/api/{version_name}/{plural}"),
                        _ => format!("/apis/{name}/{version_name}/{plural}"),
                    });
                }
            }
        }
    }
    Ok(found)
}

impl Graph {
    fn take(&mut self, change: &Change, path: &str, queue: &WorkQueue) {
        let object = change.object();
        let id = uid(object).to_owned();
        if let Some(node) = self.nodes.remove(&id) {
            for owner in &node.owners {
                let owner = text(owner, "/uid");
                if let Some(set) = self.dependents.get_mut(owner) {
                    set.remove(&id);
                    if set.is_empty() {
                        self.dependents.remove(owner);
                    }
                    if change.new.is_none() {
                        // It may wait for its dependents to be gone.
                        queue.add(Key::new("", owner));
                    }
                }
            }
        }
        let Some(new) = &change.new else {
            for dependent in self.dependents.get(&id).into_iter().flatten() {
                queue.add(Key::new("", dependent));
            }
            return;
        };
        let owners = list(new, "/metadata/ownerReferences").to_vec();
        for owner in &owners {
            self.dependents.entry(text(owner, "/uid").to_owned()).or_default().insert(id.clone());
        }
        let node = Node {
            path: path.to_owned(),
            key: Key::of(new),
            going: is_going(new),
            finalizers: object::finalizers(new).map(str::to_owned).collect(),
            owners,
        };
        let is_due = !node.owners.is_empty() || node.going;
        self.nodes.insert(id.clone(), node);
        if is_due {
            queue.add(Key::new("", &id));
        }
    }
}

impl Node {
    fn url(&self) -> String {
        let (prefix, plural) = self.path.rsplit_once('/').unwrap_or_default();
        if self.key.namespace.is_empty() {
            format!("{}/{}", self.path, self.key.name)
        } else {
            format!("{prefix}/namespaces/{}/{plural}/{}", self.key.namespace, self.key.name)
        }
    }

    fn has(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|one| one == finalizer)
    }
}

/// What is to be done about one object; decided at once, carried out afterwards.
enum Todo {
    Nothing,
    /// With this policy, if it still has this uid.
    Delete(String, &'static str),
    /// Take the owner's reference off the dependents, then the finalizer off the owner.
    Orphan(String, Vec<String>),
    /// All dependents that block are gone, or there are some to delete in the foreground first.
    Foreground(String, Vec<String>),
}

async fn collect(client: &Client, graph: &RefCell<Graph>, id: &str) -> Result<(), Failure> {
    let todo = decide(&graph.borrow(), id);
    let gone = |result: Result<Value, Failure>| match result {
        Err(failure) if failure.is_not_found() || failure.is_conflict() => Ok(()),
        other => other.map(|_| ()),
    };
    match todo {
        Todo::Nothing => Ok(()),
        Todo::Delete(url, policy) => {
            // The owner may be there and not yet seen: the real one asks for it as well.
            if owner_lives(client, graph, id).await? {
                return Ok(());
            }
            let options = json!({"propagationPolicy": policy, "preconditions": {"uid": id}});
            gone(client.delete(url, &options).await)
        }
        Todo::Orphan(url, dependents) => {
            for dependent in dependents {
                let owners = json!([{"$patch": "delete", "uid": id}]);
                let patch = json!({"metadata": {"ownerReferences": owners}});
                gone(client.patch(dependent, &patch).await)?;
            }
            gone(remove_finalizer(client, url, "orphan").await)
        }
        Todo::Foreground(url, dependents) if dependents.is_empty() => {
            gone(remove_finalizer(client, url, "foregroundDeletion").await)
        }
        Todo::Foreground(_, dependents) => {
            for dependent in dependents {
                let options = json!({"propagationPolicy": "Foreground"});
                gone(client.delete(dependent, &options).await)?;
            }
            Ok(())
        }
    }
}

fn decide(graph: &Graph, id: &str) -> Todo {
    let Some(node) = graph.nodes.get(id) else { return Todo::Nothing };
    let dependents = || {
        let ids = graph.dependents.get(id).into_iter().flatten();
        ids.filter_map(|id| graph.nodes.get(id))
    };
    if node.going && node.has("orphan") {
        return Todo::Orphan(node.url(), dependents().map(Node::url).collect());
    }
    if node.going && node.has("foregroundDeletion") {
        let blocking = |dependent: &&Node| {
            dependent.owners.iter().any(|owner| {
                text(owner, "/uid") == id && object::flag(owner, "/blockOwnerDeletion")
            })
        };
        let all: Vec<_> = dependents().filter(blocking).collect();
        let to_delete: Vec<_> =
            all.iter().filter(|dependent| !dependent.going).map(|one| one.url()).collect();
        if !all.is_empty() && to_delete.is_empty() {
            return Todo::Nothing;
        }
        return Todo::Foreground(node.url(), to_delete);
    }
    if node.going || node.owners.is_empty() {
        return Todo::Nothing;
    }
    let state = |owner: &Value| graph.nodes.get(text(owner, "/uid"));
    let waits = |owner: &&Node| owner.going && owner.has("foregroundDeletion");
    if node.owners.iter().any(|owner| state(owner).is_some_and(|owner| !waits(&owner))) {
        return Todo::Nothing;
    }
    let foreground = node.owners.iter().any(|owner| state(owner).is_some());
    let policy = match node
        .finalizers
        .iter()
        .map(String::as_str)
        .find(|one| matches!(*one, "orphan" | "foregroundDeletion"))
    {
        Some("orphan") => "Orphan",
        Some(_) => "Foreground",
        None if foreground => "Foreground",
        None => "Background",
    };
    Todo::Delete(node.url(), policy)
}

/// Whether one of the owners answers under its uid.
async fn owner_lives(client: &Client, graph: &RefCell<Graph>, id: &str) -> Result<bool, Failure> {
    let (owners, space) = {
        let graph = graph.borrow();
        let Some(node) = graph.nodes.get(id) else { return Ok(true) };
        (node.owners.clone(), node.key.namespace.clone())
    };
    for owner in &owners {
        if graph.borrow().nodes.contains_key(text(owner, "/uid")) {
            continue;
        }
        let Some(url) = url_of(owner, &space) else { continue };
        match client.get_as(url, METADATA).await {
            Ok(body) => {
                let there: Value = serde_json::from_slice(&body).unwrap_or_default();
                if uid(&there) == text(owner, "/uid") {
                    return Ok(true);
                }
            }
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(false)
}

/// Where an owner would be, its resource guessed from its kind as `UnsafeGuessKindToResource` does.
fn url_of(owner: &Value, space: &str) -> Option<String> {
    let (version, kind) = (text(owner, "/apiVersion"), text(owner, "/kind"));
    let root = if version.contains('/') { "/apis" } else { "/api" };
    let lower = kind.to_lowercase();
    let plural = match lower.as_bytes().last()? {
        b's' | b'x' => format!("{lower}es"),
        b'y' => format!("{}ies", &lower[..lower.len() - 1]),
        _ => format!("{lower}s"),
    };
    let name = text(owner, "/name");
    Some(if space.is_empty() || kind == "Node" {
        format!("{root}/{version}/{plural}/{name}")
    } else {
        format!("{root}/{version}/namespaces/{space}/{plural}/{name}")
    })
}

async fn remove_finalizer(client: &Client, url: String, finalizer: &str) -> Result<Value, Failure> {
    let object = client.get(url.clone()).await?;
    let kept: Vec<_> = object::finalizers(&object).filter(|one| *one != finalizer).collect();
    let patch = json!({"metadata": {
        "finalizers": kept,
        "resourceVersion": object["metadata"]["resourceVersion"],
    }});
    client.merge_patch(url, &patch).await
}
