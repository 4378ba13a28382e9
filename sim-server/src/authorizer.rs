//! The authorizers, driven: roles and bindings kept in step with the store.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use serde_json::Value;
use sim_api::{
    auth::{
        self, Attributes, Decision, Mode, User, bootstrap, escalation,
        rbac::{GROUP, Kind, Rbac},
    },
    encode,
    meta::WriteContext,
    resources::Resource,
    status::Status,
    system,
};
use sim_store::EventKind;

use crate::app::App;

/// What `--authorization-mode` asks for.
pub(crate) struct Authorizer {
    modes: Vec<Mode>,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    rbac: Rbac,
    /// Up to which version the objects of each kind have been taken in, in the order of
    /// [`Kind::ALL`].
    seen: [u64; Kind::ALL.len()],
}

impl Authorizer {
    pub(crate) fn new(modes: Vec<Mode>) -> Self {
        Self { modes, state: RwLock::default() }
    }

    pub(crate) fn modes(&self) -> &[Mode] {
        &self.modes
    }

    fn uses_roles(&self) -> bool {
        self.modes.contains(&Mode::Rbac)
    }

    /// Whether the user may do it.
    pub(crate) fn decide(&self, app: &App, user: &User, wanted: &Attributes<'_>) -> Decision {
        if user.is_privileged() || !self.uses_roles() {
            return auth::authorize(&self.modes, &Rbac::default(), user, wanted);
        }
        self.read(app, |rbac| auth::authorize(&self.modes, rbac, user, wanted))
    }

    /// Reads roles and bindings as they are now.
    pub(crate) fn read<T>(&self, app: &App, read: impl FnOnce(&Rbac) -> T) -> T {
        read(&self.current(app).rbac)
    }

    fn current(&self, app: &App) -> RwLockReadGuard<'_, State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if !self.uses_roles() || state.is_current(app) {
            return state;
        }
        drop(state);
        self.state.write().unwrap_or_else(PoisonError::into_inner).catch_up(app);
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_current(&self, app: &App) -> bool {
        let newest = |kind| resource(app, kind).map_or(0, |resource| newest(app, resource));
        Kind::ALL.into_iter().zip(self.seen).all(|(kind, seen)| newest(kind) == seen)
    }

    /// Takes in what has been written since the last time.
    fn catch_up(&mut self, app: &App) {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            let Some(resource) = resource(app, kind) else { continue };
            let shelf = app.shelf(resource);
            let head = shelf.collection.head();
            let mut events = Vec::new();
            let since = shelf.collection.events_after(self.seen[at], usize::MAX, &mut events);
            if self.seen[at] == 0 || since.is_err() {
                // The history does not reach back that far.
                self.rbac.clear(kind);
                for object in head.range("") {
                    if let Ok(value) = encode::decode(resource, object) {
                        self.rbac.put(kind, &value);
                    }
                }
                self.seen[at] = head.revision();
                continue;
            }
            for event in events {
                let object = &event.object;
                if event.kind == EventKind::Deleted {
                    self.rbac.remove(kind, object.namespace().unwrap_or_default(), object.name());
                } else if let Ok(value) = encode::decode(resource, object) {
                    self.rbac.put(kind, &value);
                }
                self.seen[at] = event.revision();
            }
        }
    }
}

fn resource(app: &App, kind: Kind) -> Option<&Resource> {
    app.table.lookup(GROUP, "v1", kind.plural()).map(|resource| &**resource)
}

fn newest(app: &App, resource: &Resource) -> u64 {
    app.shelf(resource).collection.head().revision()
}

/// Refuses a role or binding that gives away what the user has not.
pub(crate) fn check_escalation(
    app: &App,
    user: &User,
    resource: &Resource,
    namespace: &str,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), Status> {
    let authorizer = &app.authorizer;
    let Some(kind) = Kind::of(resource).filter(|_| authorizer.uses_roles()) else {
        return Ok(());
    };
    let may = |wanted: &Attributes<'_>| authorizer.decide(app, user, wanted).allowed;
    let roles = |ask: &mut dyn FnMut(&Rbac)| authorizer.read(app, ask);
    escalation::check(kind, user, namespace, (old, new), &may, &roles)
}

/// Creates the roles and bindings that the real server has from its start.
pub(crate) fn ensure_bootstrap(app: &App) {
    if !app.authorizer.uses_roles() {
        return;
    }
    for object in bootstrap::objects(app.config.release) {
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
}
