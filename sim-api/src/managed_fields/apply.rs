//! Server-side apply.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    compare::compare,
    conflict::{self, Conflicts},
    field_set::field_set,
    last_applied,
    managed::{Managed, Manager, Owned},
    merge::merge,
    remove::remove,
    set::Set,
    track::{bare, disown, entries, ignored, never_owned, put, update},
    validate,
};
use crate::{
    Resource, Status, meta,
    schema::{Schema, Typed},
    status::Result,
};

/// Who applies, and how.
#[derive(Clone, Debug)]
pub struct ApplyOptions<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Whether fields are taken from other managers.
    pub force: bool,
    /// The wall clock.
    pub now: Timestamp,
}

/// Applies an object to the one that is there, or to nothing.
///
/// The result is the new object, with managedFields and without defaults. Where nothing changes
/// it is the old one.
///
/// # Errors
///
/// 400 or 500 when what is applied is not such an object, 409 when others own what it changes.
pub fn apply(
    resource: &Resource,
    subresource: &str,
    live: Option<&Value>,
    applied: &Value,
    options: &ApplyOptions<'_>,
) -> Result<Value> {
    check_kind(resource, applied)?;
    let typed = Schema::of(resource);
    if applied.pointer("/metadata/managedFields").is_some_and(|entries| !entries.is_null()) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let kind = json!({"kind": &*resource.kind, "apiVersion": resource.api_version()});
    let managed = Managed::decode(live.and_then(entries)).map_err(|error| {
        Status::plain_error(format!("failed to decode managed fields: {error}"))
    })?;
    let before = live.map_or(kind, |live| bare(live.clone()));
    let apply = Apply { typed: &typed, resource, subresource, live: &before, applied, options };
    // What nobody is known to have set was there before the first apply.
    let managed = match live {
        Some(_) if managed.is_empty() => {
            let manager = Manager::update(BEFORE_FIRST_APPLY, resource.api_version(), "");
            let zero = bare(typed.zero());
            update(&typed, resource, &zero, &before, managed, manager, options.now)
        }
        _ => managed,
    };
    let (changed, managed) = match apply.run(managed.clone(), options.force)? {
        Ok(done) => done,
        Err(conflicts) => apply.as_kubectl(managed, conflicts)?,
    };
    let is_new = changed.is_some();
    let mut object = changed.unwrap_or_else(|| before.clone());
    if options.manager == "kubectl" && is_new {
        last_applied::bring_up_to_date(&mut object, applied);
    }
    if object.get("metadata").is_none_or(Value::is_null)
        && let Some(members) = object.as_object_mut()
    {
        members.insert("metadata".into(), Value::Object(Map::new()));
    }
    let mut object = typed.canonical(object);
    put(&mut object, &managed);
    Ok(object)
}

/// The new object, or nothing where it is the old one, and who manages what.
type Done = (Option<Value>, Managed);

struct Apply<'a> {
    typed: &'a Typed,
    resource: &'a Resource,
    subresource: &'a str,
    live: &'a Value,
    applied: &'a Value,
    options: &'a ApplyOptions<'a>,
}

impl Apply<'_> {
    fn run(&self, mut managed: Managed, force: bool) -> Result<Result<Done, Conflicts>> {
        if let Some(error) = validate::error(self.typed, self.applied) {
            let named = |key: &str| {
                self.applied.pointer(&format!("/metadata/{key}")).and_then(Value::as_str)
            };
            return Err(Status::plain_error(format!(
                "failed to create typed patch object ({}/{}; {}, Kind={}): {error}",
                named("namespace").unwrap_or_default(),
                named("name").unwrap_or_default(),
                // Go prints a group version, with its slash.
                if self.resource.group.is_empty() {
                    format!("/{}", self.resource.version)
                } else {
                    self.resource.api_version().to_owned()
                },
                self.resource.kind,
            )));
        }
        let manager = Manager::apply(self.options.manager, self.subresource);
        let ignored = ignored(self.resource, self.subresource);
        let merged = merge(self.typed, self.live, self.applied);
        let set = field_set(self.typed, self.applied).recursive_difference(&ignored);
        let api_version = self.resource.api_version();
        let last = managed.0.insert(
            manager.clone(),
            Owned { set: set.clone(), api_version: api_version.to_owned(), time: None },
        );
        let pruned = match &last {
            Some(last) if !last.set.is_empty() => {
                let last = last.set.recursive_difference(&ignored);
                prune(self.typed, &merged, &managed, &last)
            }
            _ => merged,
        };
        // Compared as Go would have them: fields that are nothing are not there.
        let pruned = self.typed.canonical(pruned);
        let comparison = compare(self.typed, self.live, &pruned).without(&ignored);
        let changed = comparison.added.union(&comparison.modified);
        let conflicts: Conflicts = managed
            .0
            .iter()
            .filter(|(other, _)| **other != manager)
            .map(|(other, owned)| (other.clone(), owned.set.intersection(&changed)))
            .filter(|(_, set)| !set.is_empty())
            .collect();
        if !force && !conflicts.is_empty() {
            return Ok(Err(conflicts));
        }
        disown(&mut managed, &comparison, Some(&manager));
        let set = set.difference(&never_owned());
        let is_same = comparison.is_same();
        // Who comes to own fields without changing any has no time.
        let time = match is_same {
            true => last.and_then(|last| last.time),
            false => Some(meta::time(self.options.now)),
        };
        if set.is_empty() {
            managed.0.remove(&manager);
        } else {
            managed.0.insert(manager, Owned { set, api_version: api_version.to_owned(), time });
        }
        Ok(Ok(((!is_same).then_some(pruned), managed)))
    }

    /// An apply by kubectl takes what an earlier one without `--server-side` applied.
    fn as_kubectl(&self, managed: Managed, conflicts: Conflicts) -> Result<Done> {
        let allowed = match self.options.manager {
            "kubectl" => last_applied::allowed_conflicts(self.typed, self.live),
            _ => None,
        };
        let Some(allowed) = allowed else { return Err(conflict::status(&conflicts)) };
        let left: Conflicts = conflicts
            .into_iter()
            .map(|(manager, set)| (manager, set.difference(&allowed)))
            .filter(|(_, set)| !set.is_empty())
            .collect();
        if !left.is_empty() {
            return Err(conflict::status(&left));
        }
        self.run(managed, true)?.map_err(|conflicts| conflict::status(&conflicts))
    }
}

/// Takes away what the manager applied last time and does not own now, unless somebody else
/// does.
fn prune(typed: &Typed, merged: &Value, managed: &Managed, last: &Set) -> Value {
    let schema = &typed.schema;
    let named = |set: &Set| set.with_named_fields(schema, typed.root);
    let pruned = remove(typed, merged, &named(last));
    // Owned by anybody, the manager's new fields among them: back again.
    let owned = managed.0.values().fold(Set::default(), |all, owned| all.union(&owned.set));
    let (all, left) = (named(&field_set(typed, merged)), named(&field_set(typed, &pruned)));
    let pruned = remove(typed, merged, &all.difference(&left.union(&named(&owned))));
    // What was not the manager's own, but went with an item that was, comes back too.
    let left = named(&field_set(typed, &pruned));
    remove(typed, merged, &all.difference(&left).intersection(&named(last)))
}

fn check_kind(resource: &Resource, applied: &Value) -> Result<()> {
    let text = |key: &str| applied.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    if kind == resource.kind && api_version == resource.api_version() {
        return Ok(());
    }
    let shown =
        if api_version.contains('/') { api_version.to_owned() } else { format!("/{api_version}") };
    Err(Status::bad_request(format!("invalid object type: {shown}, Kind={kind}")))
}

/// Source: `beforeApplyManagerName`.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
