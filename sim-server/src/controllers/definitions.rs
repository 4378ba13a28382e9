//! CustomResourceDefinitions: names, conditions, the resources that are served, and the end.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use jiff::Timestamp;
use serde_json::Value;
use sim_api::{
    RequestInfo, crd, custom, encode,
    list_options::DeleteOptions,
    meta::{self, DeletePlan, WriteContext},
    resources::{Conversion, Resource},
};
use sim_store::Object;

use super::api_services;
use crate::{app::App, shelf::Shelf};

/// What the definitions made when they were last looked at, by their names.
#[derive(Default)]
pub(super) struct Known {
    made: BTreeMap<String, Made>,
    /// The definitions themselves, with their versions.
    read: RefCell<BTreeMap<String, (u64, Arc<Value>)>>,
}

struct Made {
    /// The definition's version that was looked at.
    revision: u64,
    uid: String,
    /// What its versions' schemas were, for the objects that are there already.
    versions: Value,
    /// Whether objects may be stored that another schema has let in.
    is_mixed: bool,
    resources: Vec<Arc<Resource>>,
}

/// Does what the definitions ask for; called after any of them has changed.
pub(super) fn sync(app: &App) {
    let Some(resource) =
        app.table.lookup("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    else {
        return;
    };
    let mut known = app.extension.definitions.lock().unwrap_or_else(PoisonError::into_inner);
    let shelf = app.shelf(resource);
    let known = &mut *known;
    let sync = Sync { app, resource, shelf: &shelf, now: app.clock.wall(), read: &known.read };
    sync.names();
    serve(app, &sync, &mut known.made);
    if sync.finalize() {
        // Names have become free.
        sync.names();
        serve(app, &sync, &mut known.made);
    }
}

struct Sync<'a> {
    app: &'a App,
    resource: &'a Resource,
    shelf: &'a Shelf,
    now: Timestamp,
    read: &'a RefCell<BTreeMap<String, (u64, Arc<Value>)>>,
}

impl Sync<'_> {
    /// All definitions; only those that have changed are read.
    fn all(&self) -> Vec<(Arc<Object>, Arc<Value>)> {
        let mut before = self.read.take();
        let mut read = BTreeMap::new();
        let mut all = Vec::new();
        for object in super::stored(self.app, self.resource) {
            let value = match before.remove(object.name()) {
                Some((revision, value)) if revision == object.revision() => value,
                _ => match encode::decode(self.resource, &object) {
                    Ok(value) => Arc::new(value),
                    Err(_) => continue,
                },
            };
            read.insert(object.name().to_owned(), (object.revision(), Arc::clone(&value)));
            all.push((object, value));
        }
        self.read.replace(read);
        all
    }

    /// Gives names to those that have not got theirs, and establishes them. A name that has
    /// become free may be for another, hence the rounds.
    fn names(&self) {
        for _ in 0..ROUNDS {
            let all = self.all();
            let mut changed = false;
            for (object, crd) in &all {
                if let Some(approved) = crd::approve(crd, self.now) {
                    changed |= self.put(object, crd, &approved).is_some();
                    break;
                }
                let others = all.iter().map(|(_, crd)| &**crd);
                let named = crd::accept_names(crd, others, self.now);
                changed |= named.is_some();
                let object = match &named {
                    Some(named) => self.put(object, crd, named),
                    None => Some(Arc::clone(object)),
                };
                let Some(object) = object else { continue };
                let Ok(crd) = encode::decode(self.resource, &object) else { continue };
                if let Some(established) = crd::establish(&crd, self.now) {
                    self.put(&object, &crd, &established);
                    changed = true;
                }
                if changed {
                    // Others are to see the names that are taken now.
                    break;
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Stores a new status as the real server's controllers do. Nothing where somebody else was
    /// faster, who will come by here too.
    fn put(&self, before: &Object, old: &Value, new: &Value) -> Option<Arc<Object>> {
        let request = RequestInfo {
            name: before.name().to_owned(),
            subresource: "status".to_owned(),
            ..RequestInfo::default()
        };
        let context = self.context();
        let mut new = new.clone();
        let finalizers = new.pointer("/metadata/finalizers").cloned();
        new = meta::prepare_update(self.resource, &request, old, new, &context).ok()?;
        if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
            match finalizers {
                Some(Value::Array(list)) if !list.is_empty() => {
                    metadata.insert("finalizers".into(), list.into());
                }
                _ => drop(metadata.shift_remove("finalizers")),
            }
        }
        let (store, now) = (&self.app.store, self.app.clock.now());
        let expected = Some(before.revision());
        if meta::is_released(&new) {
            return self.shelf.delete(store, before.key(), expected, now).ok();
        }
        let draft = encode::draft(self.resource, &new).ok()?;
        self.shelf.update(store, draft, expected, now).ok().map(|updated| updated.object)
    }

    fn context(&self) -> WriteContext {
        WriteContext {
            now: self.now,
            uid: self.app.uuid(),
            name_suffix: self.app.name_suffix(),
            manager: "kube-apiserver".to_owned(),
            release: self.app.config.release,
        }
    }

    /// Deletes the objects of definitions that are to go, and those without objects. Tells
    /// whether any is gone.
    fn finalize(&self) -> bool {
        let mut gone = false;
        for (object, crd) in self.all() {
            if !crd::is_terminating(&crd) {
                continue;
            }
            let (mut object, mut crd) = (object, Value::clone(&crd));
            if let Some(marked) = crd::in_progress(&crd, self.now) {
                let Some(stored) = self.put(&object, &crd, &marked) else { continue };
                object = stored;
                let Ok(value) = encode::decode(self.resource, &object) else { continue };
                crd = value;
            }
            let resources = custom::resources(&crd);
            let left = resources.first().map_or(0, |resource| self.delete_all(resource));
            if left == 0 {
                gone |= self.put(&object, &crd, &crd::released(&crd, self.now)).is_some();
            }
        }
        gone
    }

    /// Deletes all objects of a resource; tells how many remain, held by finalizers.
    fn delete_all(&self, resource: &Resource) -> usize {
        let shelf = self.app.shelf(resource);
        let (snapshot, _) = self.app.store.snapshot(&shelf.collection);
        let mut cursor = snapshot.cursor("");
        let options = DeleteOptions::default();
        loop {
            let mut objects = Vec::new();
            cursor.next_batch(super::BATCH, &mut objects);
            if objects.is_empty() {
                break;
            }
            for object in objects {
                self.delete(resource, &shelf, &object, &options);
            }
        }
        shelf.collection.head().len()
    }

    fn delete(&self, resource: &Resource, shelf: &Shelf, object: &Object, options: &DeleteOptions) {
        let (store, now) = (&self.app.store, self.app.clock.now());
        let Ok(value) = encode::decode(resource, object) else { return };
        let expected = Some(object.revision());
        // Who changes it meanwhile comes by here afterwards.
        match meta::plan_delete(resource, &value, options, &self.context()) {
            Ok(DeletePlan::Remove | DeletePlan::UpdateAndRemove(_)) => {
                let _ = shelf.delete(store, object.key(), expected, now);
            }
            Ok(DeletePlan::Update(marked)) => {
                if let Ok(draft) = encode::draft(resource, &marked) {
                    let _ = shelf.update(store, draft, expected, now);
                }
            }
            Ok(DeletePlan::Unchanged) | Err(_) => {}
        }
    }
}

/// Serves what the definitions say, if that is something else than before.
fn serve(app: &App, sync: &Sync<'_>, known: &mut BTreeMap<String, Made>) {
    let mut before = std::mem::take(known);
    let mut changed = false;
    for (object, crd) in sync.all() {
        let name = object.name().to_owned();
        let old = before.remove(&name);
        let made = match old {
            Some(made) if made.revision == object.revision() => made,
            old => {
                let made = make(app, &object, &crd, old.as_ref());
                changed |= old.is_none_or(|old| old.resources != made.resources);
                made
            }
        };
        known.insert(name, made);
    }
    changed |= before.values().any(|made| !made.resources.is_empty());
    if !changed {
        return;
    }
    let custom = known.values().flat_map(|made| made.resources.iter().cloned()).collect();
    *app.extension.custom.lock().unwrap_or_else(PoisonError::into_inner) = custom;
    super::serve(app);
    api_services::register_custom(app);
    for made in before.values() {
        for resource in &made.resources {
            // Watches see that there is nothing to watch any longer.
            app.shelf(resource).wake();
        }
    }
}

fn make(app: &App, object: &Object, crd: &Value, old: Option<&Made>) -> Made {
    let uid = meta::uid(crd).to_owned();
    let versions = crd.pointer("/spec/versions").cloned().unwrap_or_default();
    let mut resources = custom::resources(crd);
    let is_new = old.is_none_or(|old| old.uid != uid || old.resources.is_empty());
    let is_mixed = match old {
        Some(old) if !is_new && (old.is_mixed || old.versions != versions) => {
            // What is there was written by another schema, unless nothing is there.
            resources
                .first()
                .is_some_and(|resource| !app.shelf(resource).collection.head().is_empty())
        }
        _ => false,
    };
    if is_mixed {
        resources.iter_mut().for_each(|resource| resource.conversion = Conversion::Custom);
    }
    let resources = resources.into_iter().map(Arc::new).collect();
    Made { revision: object.revision(), uid, versions, is_mixed, resources }
}

/// Definitions whose names are settled after one write; each round settles one.
const ROUNDS: usize = 10_000;
