//! FlowSchemas and PriorityLevelConfigurations: from the store into the engine, and the upkeep of
//! the objects that every server has.

use std::sync::{
    PoisonError,
    atomic::{AtomicBool, Ordering},
};

use serde_json::Value;
use sim_api::{
    CauseReason, Status, StatusCause, encode,
    managed_fields::{self, ApplyOptions},
    meta,
    release::{FeatureGates, Gate},
    resources::Resource,
};
use sim_flow::{
    FlowProfile,
    api::{self, FlowSchema, PriorityLevelConfiguration},
    bootstrap::{AUTO_UPDATE_ANNOTATION, Bootstrap, ENSURE_INTERVAL_S, Upkeep, upkeep},
};

use crate::app::App;

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
const SCHEMAS: &str = "flowschemas";
const LEVELS: &str = "prioritylevelconfigurations";

/// Puts switched gates into the engine's view of the release.
pub(super) fn apply_gates(profile: &mut FlowProfile, gates: &FeatureGates) {
    profile.consistent_list_from_cache = gates.enabled(Gate::ConsistentListFromCache);
    profile.watch_list = gates.enabled(Gate::WatchList);
    profile.size_based_list_cost_estimate = gates.enabled(Gate::SizeBasedListCostEstimate);
}

/// Whether writes to this resource change flow control.
pub(crate) fn concerns(resource: &Resource) -> bool {
    resource.group == GROUP
}

/// Keeps two writers from feeding the engine in the wrong order.
#[derive(Default)]
pub(crate) struct Feeding {
    lock: std::sync::Mutex<()>,
    again: AtomicBool,
}

/// Reads all configuration objects and hands them to the engine; writes back the conditions that
/// it found. Returns when the engine has what the store had at the call.
pub(crate) fn feed(app: &App) {
    let Some(apf) = app.flow.apf() else { return };
    app.feeding.again.store(true, Ordering::SeqCst);
    let _one_at_a_time = app.feeding.lock.lock().unwrap_or_else(PoisonError::into_inner);
    if !app.feeding.again.swap(false, Ordering::SeqCst) {
        return;
    }
    let schemas = read(app, SCHEMAS, api::flow_schema_from_json);
    let levels = read(app, LEVELS, api::priority_level_from_json);
    let conditions = apf.step(|state, now| {
        state.controller.handle_config_change(now, schemas, levels);
        state.controller.conditions().to_vec()
    });
    for (name, condition) in conditions {
        if let Ok(condition) = serde_json::to_value(&condition) {
            set_condition(app, &name, &condition);
        }
    }
}

fn read<T>(app: &App, plural: &str, parse: fn(Value) -> serde_json::Result<T>) -> Vec<T> {
    let Some(resource) = app.table.lookup(GROUP, "v1", plural) else { return Vec::new() };
    let head = app.shelf(resource).collection.head();
    head.range("")
        .filter_map(|object| encode::decode(resource, object).ok())
        // What cannot be read is left out: a broken object never stops the server.
        .filter_map(|object| parse(object).ok())
        .collect()
}

/// Writes the condition Dangling into a FlowSchema's status, where it differs.
fn set_condition(app: &App, name: &str, condition: &Value) {
    let Some(resource) = app.table.lookup(GROUP, "v1", SCHEMAS) else { return };
    let shelf = app.shelf(resource);
    let Some(before) = shelf.collection.get(name) else { return };
    let Ok(object) = encode::decode(resource, &before) else { return };
    let mut condition = condition.clone();
    let old = object.pointer("/status/conditions/0").cloned().unwrap_or_default();
    let same = |key: &str| old.get(key) == condition.get(key);
    if same("status") && same("reason") && same("message") {
        return;
    }
    let now = meta::time(app.clock.wall());
    condition["lastTransitionTime"] = now.into();
    // As the real one does, by applying the status alone.
    let applied = serde_json::json!({
        "kind": &*resource.kind,
        "apiVersion": resource.api_version(),
        "metadata": { "name": name },
        "status": { "conditions": [condition] },
    });
    let options = ApplyOptions { manager: CONSUMER, force: true, now: app.clock.wall() };
    let Ok(object) = managed_fields::apply(resource, "status", Some(&object), &applied, &options)
    else {
        return;
    };
    if let Ok(draft) = encode::draft(resource, &object) {
        // Somebody else changed it meanwhile: the next feeding writes it.
        let revision = Some(before.revision());
        let _ = shelf.update(&app.store, draft, revision, app.clock.now());
    }
}

/// Who writes the conditions of flow schemas.
const CONSUMER: &str = "api-priority-and-fairness-config-consumer-v1";

/// Creates, updates and deletes the server's own objects, as the real one does at its start and
/// every minute.
pub(crate) fn ensure(app: &App) {
    if app.flow.apf().is_none() {
        return;
    }
    let release =
        sim_flow::Release::new(app.config.release.minor()).unwrap_or(sim_flow::Release::NEWEST);
    let bootstrap = Bootstrap::new(release);
    let mandatory = bootstrap.mandatory_priority_levels.len();
    let wanted: Vec<_> = bootstrap
        .priority_levels()
        .enumerate()
        .filter_map(|(at, level)| Some((level.to_json("v1").ok()?, at < mandatory)))
        .collect();
    ensure_kind::<PriorityLevelConfiguration>(app, LEVELS, &wanted);
    let mandatory = bootstrap.mandatory_flow_schemas.len();
    let wanted: Vec<_> = bootstrap
        .flow_schemas()
        .enumerate()
        .filter_map(|(at, schema)| Some((schema.to_json("v1").ok()?, at < mandatory)))
        .collect();
    ensure_kind::<FlowSchema>(app, SCHEMAS, &wanted);
    feed(app);
}

/// Runs [`ensure`] every minute.
pub(crate) async fn keep_up(app: &App) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_secs(ENSURE_INTERVAL_S));
    ticks.tick().await;
    loop {
        ticks.tick().await;
        ensure(app);
    }
}

/// What upkeep compares of a kind.
trait Kept {
    type Spec: PartialEq;
    fn parse(value: Value) -> serde_json::Result<Self>
    where
        Self: Sized;
    fn parts(&self) -> (&api::ObjectMeta, &Self::Spec);
}

impl Kept for FlowSchema {
    type Spec = api::FlowSchemaSpec;

    fn parse(value: Value) -> serde_json::Result<Self> {
        api::flow_schema_from_json(value)
    }

    fn parts(&self) -> (&api::ObjectMeta, &Self::Spec) {
        (&self.metadata, &self.spec)
    }
}

impl Kept for PriorityLevelConfiguration {
    type Spec = api::PriorityLevelConfigurationSpec;

    fn parse(value: Value) -> serde_json::Result<Self> {
        api::priority_level_from_json(value)
    }

    fn parts(&self) -> (&api::ObjectMeta, &Self::Spec) {
        (&self.metadata, &self.spec)
    }
}

fn ensure_kind<K: Kept>(app: &App, plural: &str, wanted: &[(Value, bool)]) {
    let Some(resource) = app.table.lookup(GROUP, "v1", plural) else { return };
    let shelf = app.shelf(resource);
    for (object, _) in wanted {
        if shelf.collection.get(meta::name(object)).is_none() {
            create(app, resource, object.clone());
        }
    }
    for object in shelf.collection.head().range("") {
        let Ok(current) = encode::decode(resource, object) else { continue };
        let Ok(parsed) = K::parse(current.clone()) else { continue };
        let bootstrap = wanted.iter().find(|(wanted, _)| meta::name(wanted) == object.name());
        let parsed_bootstrap = bootstrap
            .and_then(|(value, mandatory)| Some((K::parse(value.clone()).ok()?, *mandatory)));
        let (metadata, spec) = parsed.parts();
        let compare =
            parsed_bootstrap.as_ref().map(|(kept, mandatory)| (kept.parts().1, *mandatory));
        let plan = upkeep(metadata, spec, compare);
        let revision = Some(object.revision());
        match plan {
            Upkeep::Keep => {}
            Upkeep::Delete => {
                let _ = shelf.delete(&app.store, object.key(), revision, app.clock.now());
            }
            Upkeep::Annotate(on) => annotate(app, resource, current, on, revision),
            Upkeep::Write => {
                let mut changed = current;
                if let Some((wanted, _)) = bootstrap {
                    changed["spec"] = wanted["spec"].clone();
                    let generation = changed["metadata"]["generation"].as_i64().unwrap_or(0);
                    changed["metadata"]["generation"] = (generation + 1).into();
                }
                annotate(app, resource, changed, true, revision);
            }
        }
    }
}

fn annotate(app: &App, resource: &Resource, mut object: Value, on: bool, revision: Option<u64>) {
    object["metadata"]["annotations"][AUTO_UPDATE_ANNOTATION] = on.to_string().into();
    if let Ok(draft) = encode::draft(resource, &object) {
        let _ = app.shelf(resource).update(&app.store, draft, revision, app.clock.now());
    }
}

fn create(app: &App, resource: &Resource, mut object: Value) {
    let now = app.clock.wall();
    object["metadata"]["generation"] = 1.into();
    object["metadata"]["annotations"][AUTO_UPDATE_ANNOTATION] = "true".into();
    object["status"] = serde_json::json!({});
    if meta::adopt(resource, "", &mut object, app.uuid(), now).is_ok()
        && let Ok(draft) = encode::draft(resource, &object)
    {
        let _ = app.shelf(resource).create(&app.store, draft, app.clock.now());
    }
}

/// Fills in the defaults of a FlowSchema or PriorityLevelConfiguration, and refuses a bad one
/// with the real causes. Other resources are left alone.
pub(crate) fn check(resource: &Resource, mut object: Value) -> Result<Value, Status> {
    if !concerns(resource) {
        return Ok(object);
    }
    let unreadable = |error: serde_json::Error| {
        let (kind, version) = (&resource.kind, &resource.version);
        Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {error}"
        ))
    };
    let (causes, typed) = match &*resource.plural {
        SCHEMAS => {
            let schema = api::flow_schema_from_json(object.clone()).map_err(unreadable)?;
            (schema.validate(), schema.to_json(&resource.version).map_err(unreadable)?)
        }
        LEVELS => {
            let level = api::priority_level_from_json(object.clone()).map_err(unreadable)?;
            (level.validate(), level.to_json(&resource.version).map_err(unreadable)?)
        }
        _ => return Ok(object),
    };
    if !causes.is_empty() {
        let causes = causes.into_iter().map(cause).collect();
        let name = meta::name(&object);
        return Err(Status::invalid(&resource.group, &resource.kind, name, causes));
    }
    object["spec"] = typed["spec"].clone();
    Ok(object)
}

fn cause(cause: api::Cause) -> StatusCause {
    let reason = match cause.reason {
        "FieldValueDuplicate" => CauseReason::FieldValueDuplicate,
        "FieldValueForbidden" => CauseReason::FieldValueForbidden,
        "FieldValueNotSupported" => CauseReason::FieldValueNotSupported,
        "FieldValueRequired" => CauseReason::FieldValueRequired,
        _ => CauseReason::FieldValueInvalid,
    };
    StatusCause { reason, message: cause.message, field: cause.field }
}
