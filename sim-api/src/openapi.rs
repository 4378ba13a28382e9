//! OpenAPI documents, made from the resource table: which paths there are, what may be done at
//! each and with which parameters. What the kinds hold is left open.
//!
//! Clients read little of it. kubectl looks for the PATCH of a kind and whether that takes
//! `fieldValidation`, before it creates or applies anything; `kubectl explain` finds the kind of
//! a resource by its collection's path and prints the members of its schema. Merge keys tell how a
//! strategic merge patch is made.
//!
//! # What differs from the real documents
//!
//! - The schemas are those of 1.33 on every release, and have no descriptions and no defaults. A
//!   kind that came later allows any member; its PATCH does not list
//!   `application/strategic-merge-patch+json`, since kubectl would look for merge keys.
//! - There are only the documents of group versions, and no `/watch/` paths.
//!
//! Source: documents of a recorded 1.33.2; kubectl `pkg/explain/v2`, `pkg/cmd/apply/patcher.go`;
//! k8s.io/cli-runtime `pkg/resource/query_param_verifier_v3.go`; client-go `openapi`.

mod operation;
mod parameter;
mod path;
mod protobuf;
mod schema;
mod types;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

use crate::{Release, Resource, ResourceTable, media_type};

/// `/openapi/v3`: the documents there are. The hash in a URL changes with the document, so that
/// a client may keep what it fetched.
pub fn v3_index(table: &ResourceTable) -> Value {
    let mut paths = Map::new();
    for name in group_versions(table) {
        let mut hash = Sha512::new();
        // All that a document is made of, but for the version in its title.
        for resource in resources(table, &name) {
            hash.update(format!("{resource:?}"));
        }
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect();
        let url = format!("/openapi/v3/{name}?hash={hash}");
        paths.insert(name, json!({"serverRelativeURL": url}));
    }
    json!({"paths": paths})
}

/// The document at `/openapi/v3/api/v1` or `/openapi/v3/apis/GROUP/VERSION`; `None` for others.
pub fn v3_document(table: &ResourceTable, release: Release, path: &str) -> Option<Value> {
    let name = path.strip_prefix("/openapi/v3/")?.trim_end_matches('/');
    let mut resources = resources(table, name).peekable();
    resources.peek()?;
    let (paths, schemas) = members(resources, Dialect::V3);
    Some(json!({
        "openapi": "3.0.0",
        "info": info(release),
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// A form of `/openapi/v2`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum V2Form {
    /// JSON.
    Json,
    /// The messages of gnostic.
    Protobuf,
}

impl V2Form {
    /// The client's best; `None` where it accepts neither. A type from before a name was found
    /// to be wrong is still understood.
    ///
    /// Source: k8s.io/kube-openapi `pkg/handler/handler.go`.
    #[must_use]
    pub fn negotiate(accept: &str) -> Option<Self> {
        const OLD: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
        let (json, protobuf) = (Self::Json.media_type(), Self::Protobuf.media_type());
        let found = media_type::best(accept, &[json, OLD, protobuf])?;
        Some(if found == json { Self::Json } else { Self::Protobuf })
    }

    /// Its Content-Type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        }
    }
}

/// The body of `/openapi/v2`: everything in one document.
pub fn v2(table: &ResourceTable, release: Release, form: V2Form) -> Vec<u8> {
    let document = v2_document(table, release);
    match form {
        V2Form::Json => crate::encode::to_json(&document),
        V2Form::Protobuf => protobuf::document(&document),
    }
}

fn v2_document(table: &ResourceTable, release: Release) -> Value {
    let (paths, definitions) = members(table.iter().map(AsRef::as_ref), Dialect::V2);
    json!({
        "swagger": "2.0",
        "info": info(release),
        "paths": paths,
        "definitions": definitions,
    })
}

/// The version of OpenAPI that a document is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dialect {
    V2,
    V3,
}

impl Dialect {
    /// A reference to the schema of that name.
    fn reference(self, name: &str) -> Value {
        match self {
            Self::V2 => json!({"$ref": format!("#/definitions/{name}")}),
            Self::V3 => json!({"$ref": format!("#/components/schemas/{name}")}),
        }
    }
}

/// The paths of the resources and the schemas that those refer to, both sorted.
fn members<'a>(resources: impl Iterator<Item = &'a Resource>, dialect: Dialect) -> (Value, Value) {
    let (mut paths, mut schemas) = (Map::new(), schema::shared(dialect));
    for resource in resources {
        for path in path::paths(resource) {
            paths.insert(path.path.clone(), path.to_value(dialect));
        }
        schema::put(&mut schemas, resource, dialect);
    }
    paths.sort_keys();
    schemas.sort_keys();
    (Value::Object(paths), Value::Object(schemas))
}

fn info(release: Release) -> Value {
    json!({"title": "Kubernetes", "version": release.git_version()})
}

/// `api/v1`, `apis/apps/v1`, …, sorted.
fn group_versions(table: &ResourceTable) -> Vec<String> {
    let mut names: Vec<String> = table.iter().map(|resource| group_version(resource)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn group_version(resource: &Resource) -> String {
    let prefix = if resource.group.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", resource.api_version())
}

fn resources<'a>(table: &'a ResourceTable, name: &str) -> impl Iterator<Item = &'a Resource> {
    table.iter().map(AsRef::as_ref).filter(move |resource| group_version(resource) == name)
}

#[cfg(test)]
mod tests;
