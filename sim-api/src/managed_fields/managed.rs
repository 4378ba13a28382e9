//! The entries of `metadata.managedFields`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::Set;
use crate::go;

/// Who manages fields: the identity of an entry.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: Operation,
    /// Empty for an apply: whoever applies is the same at whatever version.
    pub(super) api_version: String,
    pub(super) subresource: String,
}

/// How a manager came to its fields.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// What a manager owns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Owned {
    pub(super) set: Set,
    /// The version whose fields these are.
    pub(super) api_version: String,
    pub(super) time: Option<String>,
}

/// All entries of an object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Managed(pub(super) BTreeMap<Manager, Owned>);

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

impl Manager {
    pub(super) fn update(name: &str, api_version: &str, subresource: &str) -> Self {
        Self {
            name: if name.is_empty() { "unknown" } else { name }.to_owned(),
            operation: Operation::Update,
            api_version: api_version.to_owned(),
            subresource: subresource.to_owned(),
        }
    }

    pub(super) fn apply(name: &str, subresource: &str) -> Self {
        Self {
            name: if name.is_empty() { "unknown" } else { name }.to_owned(),
            operation: Operation::Apply,
            api_version: String::new(),
            subresource: subresource.to_owned(),
        }
    }
}

impl Managed {
    /// Reads `metadata.managedFields`.
    ///
    /// # Errors
    ///
    /// What the real server says when an entry is none.
    pub(super) fn decode(entries: Option<&Value>) -> Result<Self, String> {
        let mut managed = Self::default();
        let entries = entries.and_then(Value::as_array).into_iter().flatten();
        for (at, entry) in entries.enumerate() {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let operation = match text("operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return Err("operation must be `Apply` or `Update`".to_owned()),
            };
            let api_version = text("apiVersion");
            if api_version.is_empty() {
                return Err("apiVersion must not be empty".to_owned());
            }
            match text("fieldsType") {
                "FieldsV1" => {}
                "" => return Err(format!("missing fieldsType in managed fields entry {at}")),
                other => {
                    let other = go::quote(other);
                    return Err(format!("invalid fieldsType {other} in managed fields entry {at}"));
                }
            }
            let set = match entry.get("fieldsV1") {
                None | Some(Value::Null) => Set::default(),
                Some(fields) => Set::from_fields_v1(fields)
                    .ok_or_else(|| "error decoding set from entry".to_owned())?,
            };
            let manager = Manager {
                name: text("manager").to_owned(),
                operation,
                api_version: match operation {
                    Operation::Apply => String::new(),
                    Operation::Update => api_version.to_owned(),
                },
                subresource: text("subresource").to_owned(),
            };
            let time = entry.get("time").and_then(Value::as_str).map(str::to_owned);
            let owned = Owned { set, api_version: api_version.to_owned(), time };
            managed.0.insert(manager, owned);
        }
        Ok(managed)
    }

    /// The entries in the real order: applies first, then by time and name.
    pub(super) fn encode(&self) -> Value {
        let mut entries: Vec<(&Manager, &Owned)> = self.0.iter().collect();
        entries.sort_by(|(a, mine), (b, other)| {
            (a.operation, &mine.time, &a.name, &mine.api_version, &a.subresource).cmp(&(
                b.operation,
                &other.time,
                &b.name,
                &other.api_version,
                &b.subresource,
            ))
        });
        entries.into_iter().map(|(manager, owned)| entry(manager, owned)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Merges the oldest updates of each version while there are too many.
    pub(super) fn cap_updates(&mut self) {
        let updates = |managed: &Self| -> Vec<Manager> {
            let updates = managed.0.keys().filter(|m| m.operation == Operation::Update);
            updates.cloned().collect()
        };
        let mut updates = updates(self);
        let mut count = updates.len();
        if count <= UPDATES_MAX {
            return;
        }
        let time =
            |managed: &Self, manager: &Manager| managed.0.get(manager).and_then(|o| o.time.clone());
        updates.sort_by_cached_key(|manager| (time(self, manager), manager.clone()));
        let mut first_of: BTreeMap<String, Manager> = BTreeMap::new();
        for manager in updates {
            if count <= UPDATES_MAX {
                return;
            }
            let version = manager.api_version.clone();
            let Some(first) = first_of.get(&version) else {
                first_of.insert(version, manager);
                continue;
            };
            let bucket = Manager::update(ANCIENT_CHANGES, &version, "");
            if !self.0.contains_key(&bucket)
                && let Some(owned) = self.0.remove(first)
            {
                self.0.insert(bucket.clone(), owned);
            }
            if manager == bucket {
                continue;
            }
            if let Some(merged) = self.0.remove(&manager)
                && let Some(owned) = self.0.get_mut(&bucket)
            {
                owned.set = owned.set.union(&merged.set);
                owned.time = merged.time;
                count -= 1;
            }
        }
    }
}

fn entry(manager: &Manager, owned: &Owned) -> Value {
    let mut entry = Map::new();
    if !manager.name.is_empty() {
        entry.insert("manager".into(), manager.name.as_str().into());
    }
    entry.insert("operation".into(), manager.operation.as_str().into());
    entry.insert("apiVersion".into(), owned.api_version.as_str().into());
    if let Some(time) = &owned.time {
        entry.insert("time".into(), time.as_str().into());
    }
    entry.insert("fieldsType".into(), "FieldsV1".into());
    entry.insert("fieldsV1".into(), owned.set.to_fields_v1());
    if !manager.subresource.is_empty() {
        entry.insert("subresource".into(), manager.subresource.as_str().into());
    }
    Value::Object(entry)
}

/// Source: `DefaultMaxUpdateManagers`.
const UPDATES_MAX: usize = 10;
/// Source: `oldUpdatesManagerName`.
const ANCIENT_CHANGES: &str = "ancient-changes";
