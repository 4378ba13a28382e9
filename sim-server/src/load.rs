//! What is in the store before the first request.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::Context as _;
use serde_json::{Value, json};
use sim_api::{
    encode, meta, meta::WriteContext, resources::Resource, service::Range, system, yaml,
};
use sim_store::Draft;

use crate::{app::App, controllers, services};

/// The objects that the real server makes for itself.
pub(crate) fn system_objects(app: &App) {
    let port = app.config.secure_port.unwrap_or(DEFAULT_PORT);
    let Some(service_ip) = app.config.service_ranges.first().map(Range::first) else { return };
    for object in system::objects(port, service_ip, app.uuid(), app.clock.wall()) {
        let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let Some(resource) = app.table.by_kind(text("apiVersion"), text("kind")) else { continue };
        let context = WriteContext {
            now: app.clock.wall(),
            uid: app.uuid(),
            name_suffix: app.name_suffix(),
            manager: system::MANAGER.to_owned(),
            release: app.config.release,
        };
        if let Ok(prepared) = system::prepare(resource, &object, &context)
            && let Ok(draft) = encode::draft(resource, &prepared)
        {
            // The store is empty: nothing else has the name.
            let _ = app.shelf(resource).create(&app.store, draft, app.clock.now());
        }
    }
    controllers::at_start(app);
}

/// What the Service `kubernetes` leads to where HTTPS is off.
const DEFAULT_PORT: u16 = 6443;

/// Loads `--load` and `--populate`; returns how many objects there were.
pub(crate) fn all(app: &App) -> anyhow::Result<u64> {
    let mut count = 0;
    for path in &app.config.load {
        count += file(app, path).with_context(|| format!("--load {}", path.display()))?;
    }
    if let Some(populate) = &app.config.populate {
        let objects = populate.objects(&app.config.populate_namespace, app.config.random_seed);
        let mut loader = Loader::new(app);
        for object in objects {
            let value: Value = serde_json::from_slice(&object.json)
                .with_context(|| format!("--populate: {}", object.name))?;
            loader.add(value)?;
        }
        count += loader.finish();
    }
    controllers::after_load(app);
    services::adopt_all(app);
    Ok(count)
}

fn file(app: &App, path: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(path)?;
    let mut loader = Loader::new(app);
    for document in yaml::documents(&text)? {
        for object in items(document) {
            loader.add(object)?;
        }
    }
    Ok(loader.finish())
}

/// The objects of a List, or the object itself.
fn items(document: Value) -> Vec<Value> {
    let is_list = document.get("kind").and_then(Value::as_str).is_some_and(|k| k.ends_with("List"));
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
    let item_kind = kind.strip_suffix("List").unwrap_or_default().to_owned();
    let api_version = document.get("apiVersion").cloned().unwrap_or_default();
    match document {
        Value::Object(mut members) if is_list && members.contains_key("items") => {
            let items = members.remove("items").unwrap_or_default();
            let Value::Array(items) = items else { return Vec::new() };
            items
                .into_iter()
                .map(|mut item| {
                    // The items of a typed list carry neither.
                    if let Value::Object(item) = &mut item
                        && !item_kind.is_empty()
                    {
                        item.entry("kind").or_insert_with(|| json!(item_kind));
                        item.entry("apiVersion").or_insert_with(|| api_version.clone());
                    }
                    item
                })
                .collect()
        }
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

/// Collects drafts by resource and stores them a few thousand at a time.
struct Loader<'a> {
    app: &'a App,
    drafts: BTreeMap<String, (Arc<Resource>, Vec<Draft>)>,
    waiting: usize,
    count: u64,
}

impl<'a> Loader<'a> {
    fn new(app: &'a App) -> Self {
        Self { app, drafts: BTreeMap::new(), waiting: 0, count: 0 }
    }

    fn add(&mut self, mut value: Value) -> anyhow::Result<()> {
        let text = |pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (api_version, kind) = (text("/apiVersion"), text("/kind"));
        let name = text("/metadata/name");
        let mut found = self.app.served().table.by_kind(&api_version, &kind).cloned();
        if found.is_none() {
            // It may be of a definition that was loaded before it.
            self.flush();
            controllers::after_load(self.app);
            found = self.app.served().table.by_kind(&api_version, &kind).cloned();
        }
        let resource = &found.with_context(|| {
            format!("object {name:?}: no kind {kind:?} in {api_version:?} in this release")
        })?;
        let mut namespace = text("/metadata/namespace");
        if resource.namespaced && namespace.is_empty() {
            namespace = "default".to_owned();
        }
        if resource.namespaced {
            ensure_namespace(self.app, &namespace);
        }
        let random = [self.app.uuid(), self.app.uuid()];
        let now = self.app.clock.wall();
        meta::adopt(resource, &namespace, &mut value, random[0], now)
            .map_err(|status| anyhow::anyhow!("{kind} {name:?}: {}", status.message))?;
        let draft = encode::draft(resource, &value)
            .map_err(|status| anyhow::anyhow!("{kind} {name:?}: {}", status.message))?;
        let entry = self
            .drafts
            .entry(resource.storage_key().to_owned())
            .or_insert_with(|| (Arc::clone(resource), Vec::new()));
        entry.1.push(draft);
        self.waiting += 1;
        if self.waiting >= BATCH {
            self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) {
        for (resource, drafts) in std::mem::take(&mut self.drafts).into_values() {
            let shelf = self.app.shelf(&resource);
            let now = self.app.clock.now();
            let added = self.app.store.load(&shelf.collection, drafts, now);
            self.count += added as u64;
        }
        self.waiting = 0;
    }

    fn finish(mut self) -> u64 {
        self.flush();
        self.count
    }
}

/// Drafts held before they are stored.
const BATCH: usize = 4_096;

fn ensure_namespace(app: &App, name: &str) {
    let Some(resource) = app.table.lookup("", "v1", "namespaces") else { return };
    let shelf = app.shelf(resource);
    if shelf.collection.get(name).is_some() {
        return;
    }
    let mut namespace = json!({
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    });
    let now = app.clock.wall();
    if meta::adopt(resource, "", &mut namespace, app.uuid(), now).is_ok()
        && let Ok(draft) = encode::draft(resource, &namespace)
    {
        // A race for the same name is fine: it is there either way.
        let _ = shelf.create(&app.store, draft, app.clock.now());
    }
}
