//! A cluster small enough for a test: it keeps objects, and makes Deployments ready by itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{Call, Reply};

/// What the test looks at and may set before.
#[derive(Default)]
pub struct State {
    /// Objects by `resource/namespace/name`.
    pub objects: BTreeMap<String, Value>,
    /// Requests by method, resource and code.
    pub counts: BTreeMap<String, u64>,
    /// Media types, queries and bodies of patches.
    pub patches: Vec<(String, String, String)>,
    /// Lists of Deployments so far; they are ready from the second on.
    pub deployment_lists: u64,
    /// Deployments never become ready.
    pub never_ready: bool,
    /// What `/sim/state` answers; none is 404.
    pub sim_state: Option<Value>,
    /// Namespaces that are deleted stay, terminating.
    pub namespaces_stay: bool,
}

pub type Shared = Arc<Mutex<State>>;

/// The script that answers as the cluster does.
pub fn script(state: &Shared) -> impl Fn(Call) -> Reply + Send + Sync + 'static {
    let state = Arc::clone(state);
    move |call| {
        let mut state = state.lock().unwrap();
        let (resource, reply) = state.answer(&call);
        *state.counts.entry(format!("{} {resource} {}", call.method, reply.code)).or_default() += 1;
        reply
    }
}

impl State {
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    fn answer(&mut self, call: &Call) -> (String, Reply) {
        let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
        let place = match parts.as_slice() {
            ["version"] => return ("version".into(), Reply::text(200, "{}")),
            ["sim", "state"] => {
                let reply = match &self.sim_state {
                    Some(state) => Reply::text(200, state.to_string()),
                    None => status(404, "NotFound"),
                };
                return ("sim".into(), reply);
            }
            ["api"] => return ("api".into(), discovery(&[("", CORE)])),
            ["apis"] => return ("apis".into(), discovery(&[("apps", APPS)])),
            ["api", "v1", rest @ ..] | ["apis", "apps", "v1", rest @ ..] => rest,
            _ => return ("unknown".into(), status(404, "NotFound")),
        };
        let (resource, namespace, name) = match place {
            ["namespaces", ns, resource] => (*resource, *ns, None),
            ["namespaces", ns, resource, name] => (*resource, *ns, Some(*name)),
            [resource] => (*resource, "", None),
            [resource, name] => (*resource, "", Some(*name)),
            _ => return ("unknown".into(), status(404, "NotFound")),
        };
        (resource.to_owned(), self.on_resource(call, resource, namespace, name))
    }

    fn on_resource(
        &mut self,
        call: &Call,
        resource: &str,
        namespace: &str,
        name: Option<&str>,
    ) -> Reply {
        let key = |name: &str| format!("{resource}/{namespace}/{name}");
        match (call.method.as_str(), name) {
            ("GET", None) => self.list(call, resource, namespace),
            ("POST", None) => self.create(call, resource, namespace),
            ("GET", Some(name)) => match self.objects.get(&key(name)) {
                Some(object) => Reply::text(200, object.to_string()),
                None => status(404, "NotFound"),
            },
            ("PATCH", Some(name)) if self.objects.contains_key(&key(name)) => {
                let body = String::from_utf8(call.body.to_vec()).unwrap();
                let content_type = call.header("content-type").to_owned();
                self.patches.push((content_type, call.query.clone(), body));
                Reply::text(200, "{}")
            }
            ("DELETE", Some(name)) if resource == "namespaces" && self.namespaces_stay => {
                self.objects.get_mut(&key(name)).unwrap()["status"]["phase"] = "Terminating".into();
                Reply::text(200, "{}")
            }
            ("DELETE", Some(name)) => {
                if self.objects.remove(&key(name)).is_none() {
                    return status(404, "NotFound");
                }
                if resource == "namespaces" {
                    let inside = format!("/{name}/");
                    self.objects.retain(|key, _| !key.contains(&inside));
                }
                Reply::text(200, "{}")
            }
            _ => status(404, "NotFound"),
        }
    }

    fn create(&mut self, call: &Call, resource: &str, namespace: &str) -> Reply {
        if !namespace.is_empty() && !self.objects.contains_key(&format!("namespaces//{namespace}"))
        {
            return status(404, "NotFound");
        }
        let mut object: Value = serde_json::from_slice(&call.body).unwrap();
        let generated = format!("generated-{}", self.objects.len());
        let name = object["metadata"]["name"].as_str().unwrap_or(&generated).to_owned();
        let key = format!("{resource}/{namespace}/{name}");
        if self.objects.contains_key(&key) {
            return status(409, "AlreadyExists");
        }
        object["metadata"]["name"] = name.into();
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.into();
        }
        self.objects.insert(key, object);
        Reply::text(201, "{}")
    }

    fn list(&mut self, call: &Call, resource: &str, namespace: &str) -> Reply {
        if resource == "deployments" {
            self.deployment_lists += 1;
        }
        let ready = self.deployment_lists > 1 && !self.never_ready;
        let selector = call
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix("labelSelector="))
            .unwrap_or_default()
            .replace("%3D", "=")
            .replace("%2C", ",");
        let start = format!("{resource}/{namespace}");
        let items: Vec<Value> = self
            .objects
            .iter_mut()
            .filter(|(key, _)| {
                if namespace.is_empty() {
                    key.starts_with(&format!("{resource}/"))
                } else {
                    key.starts_with(&format!("{start}/"))
                }
            })
            .map(|(_, object)| object)
            .filter(|object| {
                selector.split(',').filter(|s| !s.is_empty()).all(|pair| {
                    let (name, value) = pair.split_once('=').unwrap();
                    object["metadata"]["labels"][name] == value
                })
            })
            .map(|object| {
                if resource == "deployments" && ready {
                    object["status"]["readyReplicas"] = object["spec"]["replicas"].clone();
                }
                object.clone()
            })
            .collect();
        Reply::text(200, json!({"metadata": {}, "items": items}).to_string())
    }
}

/// Plural name, kind, and whether it is namespaced.
type Listed = (&'static str, &'static str, bool);

fn discovery(groups: &[(&str, &[Listed])]) -> Reply {
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, resources)| {
            let resources: Vec<Value> = resources
                .iter()
                .map(|(name, kind, namespaced)| {
                    let scope = if *namespaced { "Namespaced" } else { "Cluster" };
                    json!({"resource": name, "responseKind": {"kind": kind}, "scope": scope})
                })
                .collect();
            json!({"metadata": {"name": group},
                "versions": [{"version": "v1", "resources": resources}]})
        })
        .collect();
    Reply::text(200, json!({"items": items}).to_string())
}

fn status(code: u16, reason: &str) -> Reply {
    let status = json!({"kind": "Status", "reason": reason, "message": format!("test: {reason}")});
    Reply::text(code, status.to_string())
}

const CORE: &[Listed] = &[
    ("namespaces", "Namespace", false),
    ("pods", "Pod", true),
    ("configmaps", "ConfigMap", true),
    ("secrets", "Secret", true),
    ("services", "Service", true),
];

const APPS: &[Listed] = &[("deployments", "Deployment", true), ("daemonsets", "DaemonSet", true)];
