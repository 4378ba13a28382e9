//! OpenAPI documents, as much of them as kubectl reads before it writes: which kinds there are
//! and which query parameters their PATCH takes. What the kinds hold is left open.
//!
//! Source: kubectl `pkg/util/openapi`, `k8s.io/cli-runtime/pkg/resource/query_param_verifier_v3.go`.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{Release, Resource, ResourceTable};

/// `/openapi/v3`: the documents there are, each with the hash of what it says.
pub fn v3_index(table: &ResourceTable) -> Value {
    let mut paths = Map::new();
    for group_version in group_versions(table) {
        let document = group_document(table, Release::default(), &group_version);
        let digest = Sha256::digest(crate::encode::to_json(&document));
        let hash: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        let url = format!("/openapi/v3/{group_version}?hash={hash}");
        paths.insert(group_version, json!({"serverRelativeURL": url}));
    }
    json!({"paths": paths})
}

/// The document at `/openapi/v3/api/v1` or `/openapi/v3/apis/GROUP/VERSION`; `None` for others.
pub fn v3_document(table: &ResourceTable, release: Release, path: &str) -> Option<Value> {
    let group_version = path.strip_prefix("/openapi/v3/")?.trim_end_matches('/');
    group_versions(table)
        .iter()
        .any(|known| known == group_version)
        .then(|| group_document(table, release, group_version))
}

/// `/openapi/v2`, as JSON: everything in one document.
pub fn v2(table: &ResourceTable, release: Release) -> Value {
    let (mut paths, mut definitions) = (Map::new(), Map::new());
    for resource in table.iter() {
        put_paths(&mut paths, resource, Form::V2);
        definitions.insert(schema_name(resource), schema(resource));
    }
    json!({
        "swagger": "2.0",
        "info": info(release),
        "paths": paths,
        "definitions": definitions,
    })
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Form {
    V2,
    V3,
}

/// `api/v1`, `apis/apps/v1`, …
fn group_versions(table: &ResourceTable) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for resource in table.iter() {
        let name = group_version(resource);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    names
}

fn group_version(resource: &Resource) -> String {
    let prefix = if resource.group.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", resource.api_version())
}

fn group_document(table: &ResourceTable, release: Release, name: &str) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for resource in table.iter().filter(|resource| group_version(resource) == name) {
        put_paths(&mut paths, resource, Form::V3);
        schemas.insert(schema_name(resource), schema(resource));
    }
    json!({
        "openapi": "3.0.0",
        "info": info(release),
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn info(release: Release) -> Value {
    json!({"title": "Kubernetes", "version": release.git_version()})
}

fn put_paths(paths: &mut Map<String, Value>, resource: &Resource, form: Form) {
    let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    let collection = format!("/{}{scope}/{}", group_version(resource), resource.plural);
    for (path, methods) in [
        (collection.clone(), COLLECTION_METHODS),
        (format!("{collection}/{{name}}"), OBJECT_METHODS),
    ] {
        let mut item = Map::new();
        for (method, verb, action) in methods {
            if resource.has_verb(verb) {
                item.insert((*method).to_owned(), operation(resource, action, verb, form));
            }
        }
        if !item.is_empty() {
            paths.insert(path, Value::Object(item));
        }
    }
}

fn operation(resource: &Resource, action: &str, verb: &str, form: Form) -> Value {
    let parameters: Vec<Value> = parameters(verb)
        .iter()
        .map(|(name, kind)| match form {
            Form::V2 => json!({"name": name, "in": "query", "type": kind, "uniqueItems": true}),
            Form::V3 => {
                json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
            }
        })
        .collect();
    let name = schema_name(resource);
    let ok = match form {
        Form::V2 => json!({
            "description": "OK",
            "schema": {"$ref": format!("#/definitions/{name}")},
        }),
        Form::V3 => json!({
            "description": "OK",
            "content": {
                "application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}},
            },
        }),
    };
    json!({
        "operationId": operation_id(resource, verb),
        "parameters": parameters,
        "responses": {"200": ok},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk(resource),
    })
}

fn operation_id(resource: &Resource, verb: &str) -> String {
    let place = if resource.namespaced { "Namespaced" } else { "" };
    format!(
        "{verb}{}{}{place}{}",
        pascal(&resource.group),
        pascal(&resource.version),
        resource.kind
    )
}

fn parameters(verb: &str) -> &'static [(&'static str, &'static str)] {
    match verb {
        "patch" => &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
            ("force", "boolean"),
        ],
        "create" | "update" => {
            &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")]
        }
        "delete" | "deletecollection" => &[
            ("dryRun", "string"),
            ("gracePeriodSeconds", "integer"),
            ("orphanDependents", "boolean"),
            ("propagationPolicy", "string"),
        ],
        "list" => &[
            ("allowWatchBookmarks", "boolean"),
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("sendInitialEvents", "boolean"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ],
        _ => &[],
    }
}

fn gvk(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

/// A kind as an object of which only the members that all kinds share are told.
fn schema(resource: &Resource) -> Value {
    json!({
        "type": "object",
        "description": format!("{} of {}.", resource.kind, resource.api_version()),
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        },
        "x-kubernetes-group-version-kind": [gvk(resource)],
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// `io.k8s.api.apps.v1.Deployment`.
fn schema_name(resource: &Resource) -> String {
    let group = match resource.group.split('.').next() {
        None | Some("") => "core",
        Some(first) => first,
    };
    format!("io.k8s.api.{group}.{}.{}", resource.version, resource.kind)
}

fn pascal(text: &str) -> String {
    let text = if text.is_empty() { "core" } else { text };
    let parts = text.trim_end_matches(".k8s.io").split('.');
    parts
        .map(|part| {
            let mut chars = part.chars();
            let first = chars.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(chars).collect::<String>()
        })
        .collect()
}

/// Method, verb that allows it, action.
type Methods = &'static [(&'static str, &'static str, &'static str)];
const COLLECTION_METHODS: Methods = &[
    ("get", "list", "list"),
    ("post", "create", "post"),
    ("delete", "deletecollection", "deletecollection"),
];
const OBJECT_METHODS: Methods = &[
    ("get", "get", "get"),
    ("put", "update", "put"),
    ("patch", "patch", "patch"),
    ("delete", "delete", "delete"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patchable_kind_says_that_it_takes_field_validation() {
        let table = ResourceTable::for_release(Release::default());
        for resource in table.iter().filter(|resource| resource.has_verb("patch")) {
            let path = format!("/openapi/v3/{}", group_version(resource));
            let document = v3_document(&table, Release::default(), &path).unwrap();
            let found = document["paths"].as_object().unwrap().values().any(|item| {
                item["patch"]["x-kubernetes-group-version-kind"] == gvk(resource)
                    && item["patch"]["parameters"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|parameter| parameter["name"] == "fieldValidation")
            });
            assert!(found, "{}", resource.group_resource());
        }
    }

    #[test]
    fn the_index_lists_the_documents() {
        let table = ResourceTable::for_release(Release::default());
        let index = v3_index(&table);
        let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
        assert!(url.starts_with("/openapi/v3/apis/apps/v1?hash="));
        assert!(v3_document(&table, Release::default(), "/openapi/v3/apis/nosuch/v1").is_none());
        assert!(
            v2(&table, Release::default())["definitions"]["io.k8s.api.core.v1.Pod"].is_object()
        );
    }
}
