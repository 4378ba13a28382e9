//! The paths of a resource.

use serde_json::{Map, Value};

use super::{
    Dialect, group_version,
    operation::Operation,
    parameter::{NAME, NAMESPACE, PRETTY, Parameter},
    schema::{self, Gvk},
};
use crate::{Resource, resources::Subresource};

/// A path and what may be done there.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// With `{name}` and `{namespace}`.
    pub(super) path: String,
    parameters: Vec<Parameter>,
    operations: Vec<Operation>,
}

impl Path {
    pub(super) fn to_value(&self, dialect: Dialect) -> Value {
        let mut item = Map::new();
        for operation in &self.operations {
            item.insert(operation.method.to_owned(), operation.to_value(dialect));
        }
        let parameters = self.parameters.iter().map(|parameter| parameter.to_value(dialect));
        item.insert("parameters".into(), parameters.collect());
        Value::Object(item)
    }
}

/// Every path of the resource and its subresources, those without operations left out.
pub(super) fn paths(resource: &Resource) -> Vec<Path> {
    let base = format!("/{}", group_version(resource));
    let (scope, place) = if resource.namespaced {
        ("/namespaces/{namespace}", vec![NAMESPACE])
    } else {
        ("", vec![])
    };
    let collection = format!("{base}{scope}/{}", resource.plural);
    let object = format!("{collection}/{{name}}");
    let named = [&[NAME], place.as_slice(), &[PRETTY]].concat();

    let mut paths = Vec::new();
    let mut put = |path: String, parameters: Vec<Parameter>, operations: Vec<Operation>| {
        if !operations.is_empty() {
            paths.push(Path { path, parameters, operations });
        }
    };
    if resource.namespaced && resource.has_verb("list") {
        let id = format!("list{}{}ForAllNamespaces", id_group(resource), resource.kind);
        let everywhere = operation(resource, ("get", "list", "list"), id);
        put(format!("{base}/{}", resource.plural), vec![PRETTY], vec![everywhere]);
    }
    let of_collection = operations(resource, COLLECTION_METHODS);
    put(collection, [place.as_slice(), &[PRETTY]].concat(), of_collection);
    put(object.clone(), named.clone(), operations(resource, OBJECT_METHODS));
    for sub in &resource.subresources {
        let path = format!("{object}/{}", sub.name);
        put(path, named.clone(), sub_operations(resource, sub));
    }
    paths
}

fn operations(resource: &Resource, methods: &[Method]) -> Vec<Operation> {
    let allowed = methods.iter().filter(|(_, verb, _)| resource.has_verb(verb));
    allowed.map(|&method| operation(resource, method, id(resource, method, ""))).collect()
}

fn operation(resource: &Resource, (method, _, action): Method, id: String) -> Operation {
    let gvk = Gvk::of(resource);
    let reply = match action {
        "delete" | "deletecollection" => schema::STATUS.to_owned(),
        "list" => schema::list_name(resource),
        _ => gvk.schema_name(),
    };
    Operation { method, action, id, tag: tag(resource), gvk, reply: Some(reply) }
}

fn sub_operations(resource: &Resource, sub: &Subresource) -> Vec<Operation> {
    let allowed = SUBRESOURCE_METHODS.iter().filter(|(_, verb, _)| sub.has_verb(verb));
    let connects = schema::is_connection(sub);
    allowed
        .map(|&(method, verb, action)| {
            let gvk = Gvk::of_subresource(resource, sub);
            let is_text = connects || sub.name == "log";
            Operation {
                method,
                action: if connects { "connect" } else { action },
                id: if connects {
                    let words =
                        [&*pascal(method), place(resource), &resource.kind, &pascal(&sub.name)];
                    format!("connect{}{}", id_group(resource), words.concat())
                } else {
                    id(resource, (method, verb, action), &sub.name)
                },
                tag: tag(resource),
                reply: (!is_text).then(|| gvk.schema_name()),
                gvk,
            }
        })
        .collect()
}

/// `readAppsV1NamespacedDeploymentScale`.
fn id(resource: &Resource, (_, _, action): Method, sub: &str) -> String {
    let (verb, what) = match action {
        "deletecollection" => ("delete", "Collection"),
        "get" => ("read", ""),
        "post" => ("create", ""),
        "put" => ("replace", ""),
        action => (action, ""),
    };
    let words = [verb, &id_group(resource), what, place(resource), &resource.kind, &pascal(sub)];
    words.concat()
}

/// `AppsV1`.
fn id_group(resource: &Resource) -> String {
    let labels = group(resource).split('.').map(pascal).collect::<String>();
    labels + &pascal(&resource.version)
}

/// `apps_v1`, `rbacAuthorization_v1`.
fn tag(resource: &Resource) -> String {
    let mut labels = group(resource).split('.');
    let first = labels.next().unwrap_or_default();
    format!("{first}{}_{}", labels.map(pascal).collect::<String>(), resource.version)
}

fn group(resource: &Resource) -> &str {
    match &*resource.group {
        "" => "core",
        group => group.trim_end_matches(".k8s.io"),
    }
}

fn place(resource: &Resource) -> &'static str {
    if resource.namespaced { "Namespaced" } else { "" }
}

fn pascal(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// HTTP method, the verb that allows it, `x-kubernetes-action`.
type Method = (&'static str, &'static str, &'static str);

const COLLECTION_METHODS: &[Method] = &[
    ("get", "list", "list"),
    ("post", "create", "post"),
    ("delete", "deletecollection", "deletecollection"),
];
const OBJECT_METHODS: &[Method] = &[
    ("get", "get", "get"),
    ("put", "update", "put"),
    ("patch", "patch", "patch"),
    ("delete", "delete", "delete"),
];
const SUBRESOURCE_METHODS: &[Method] = &[
    ("get", "get", "get"),
    ("put", "update", "put"),
    ("post", "create", "post"),
    ("patch", "patch", "patch"),
    ("delete", "delete", "delete"),
];
