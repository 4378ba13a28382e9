//! Discovery: what groups, versions and resources there are, in the old documents and in the
//! aggregated one.
//!
//! Source: recorded documents of 1.33.2; k8s.io/apiserver `pkg/endpoints/discovery`.

mod paths;

use base64::{Engine, prelude::BASE64_STANDARD};
pub use paths::health_checks;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    Release, Resource, ResourceTable, Status,
    media_type::{self, Form, Produces, accepted},
    protobuf::Codec,
    resources::{Group, Subresource},
    status::Result,
    view,
};

/// A discovery document and how it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The document.
    pub document: Value,
    /// The form that was negotiated.
    pub form: Form,
    /// The parameters of its Content-Type: aggregated documents tell their type there.
    pub parameters: &'static str,
    /// Its ETag, quotes included; aggregated documents have one and vary by Accept.
    pub etag: Option<String>,
}

impl Answer {
    fn new(document: Value, form: Form) -> Self {
        Self { document, form, parameters: "", etag: None }
    }

    /// Its Content-Type.
    #[must_use]
    pub fn content_type(&self) -> String {
        format!("{}{}", self.form.media_type(), self.parameters)
    }

    /// Its body.
    ///
    /// # Errors
    ///
    /// 406 where a release has no protobuf form of the document.
    pub fn body(&self, release: Release, pretty: bool) -> Result<Vec<u8>> {
        view::body(Codec::for_release(release), self.form, pretty, &self.document)
    }

    /// Fills in the address under which the server is reached, which `/api` tells of.
    pub fn set_server_address(&mut self, address: &str) {
        if let Some(entry) = self.document.pointer_mut("/serverAddressByClientCIDRs/0") {
            entry["serverAddress"] = address.into();
        }
    }
}

/// The answer to GET of a discovery path, without its trailing slashes; `None` for a path that
/// discovery knows nothing of, which is a 404 in plain text.
pub fn answer(
    table: &ResourceTable,
    release: Release,
    path: &str,
    accept: &str,
) -> Option<Result<Answer>> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let legacy = |document: Option<Value>| {
        let document = document.ok_or_else(Status::not_found_path)?;
        Ok(Answer::new(document, media_type::negotiate(accept, &Form::ALL)?))
    };
    // The documents of all groups and of one come from the aggregator, which has no router.
    let routed = |document: Option<Value>| {
        Produces::Objects.check(accept)?;
        legacy(document)
    };
    Some(match parts[..] {
        [""] => Ok(Answer::new(paths::index(table), Form::Json)),
        ["api"] => {
            Produces::Objects.check(accept).and_then(|()| negotiate(table, release, accept, true))
        }
        ["apis"] => negotiate(table, release, accept, false),
        ["api", version] => routed(resource_list(table, "", version)),
        ["apis", group] if table.has_group(group) => legacy(group_document(table, group)),
        ["apis", group, version] if table.has_group(group) => {
            let list = resource_list(table, group, version);
            match table.is_custom_group(group) {
                true if list.is_none() => return None,
                true => legacy(list),
                false => routed(list),
            }
        }
        _ => return None,
    })
}

/// `/api` or `/apis`: the old document or the aggregated one, as the client accepts.
fn negotiate(table: &ResourceTable, release: Release, accept: &str, core: bool) -> Result<Answer> {
    for clause in accepted(accept, &Form::ALL) {
        if clause.parameters.is_empty() {
            let document = if core { api_versions() } else { group_list(table) };
            return Ok(Answer::new(document, clause.form));
        }
        let parameter = |wanted: &str| {
            let found = clause.parameters.iter().find(|(key, _)| key == wanted);
            found.map(|(_, value)| value.as_str())
        };
        if parameter("g") != Some("apidiscovery.k8s.io")
            || parameter("as") != Some("APIGroupDiscoveryList")
        {
            continue;
        }
        let versions = release.aggregated_discovery_versions();
        if let Some(version) = versions.iter().find(|known| parameter("v") == Some(known)) {
            return Ok(aggregated_answer(table, version, core, clause.form));
        }
    }
    Err(Status::not_acceptable(&Form::ALL.map(Form::media_type)))
}

fn aggregated_answer(table: &ResourceTable, version: &str, core: bool, form: Form) -> Answer {
    let document = aggregated(table, version, core);
    let mut etag = String::from("\"");
    for byte in Sha256::digest(crate::encode::to_json(&document)) {
        etag.push_str(&format!("{byte:02X}"));
    }
    etag.push('"');
    let parameters = match version {
        "v2" => ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        _ => ";g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
    };
    Answer { document, form, parameters, etag: Some(etag) }
}

/// The aggregated document of the core group or of all others.
pub fn aggregated(table: &ResourceTable, version: &str, core: bool) -> Value {
    let groups = table.groups();
    let items: Vec<Value> = groups
        .iter()
        .filter(|group| group.name.is_empty() == core)
        .map(|group| {
            let mut metadata = Map::new();
            put(&mut metadata, "name", group.name);
            metadata.insert("creationTimestamp".into(), Value::Null);
            let versions: Vec<Value> = group
                .versions
                .iter()
                .map(|(version, resources)| {
                    if resources.is_empty() {
                        // Nobody could be asked.
                        return json!({"version": version, "freshness": "Stale"});
                    }
                    let resources: Vec<Value> =
                        resources.iter().map(|resource| aggregated_resource(resource)).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let mut object = Map::new();
    object.insert("resource".into(), resource.plural.as_ref().into());
    // Custom resources tell all of their kind.
    let (group, version) = match resource.custom {
        Some(_) => (&*resource.group, &*resource.version),
        None => ("", ""),
    };
    object.insert("responseKind".into(), kind(group, version, &resource.kind));
    let scope = if resource.namespaced { "Namespaced" } else { "Cluster" };
    object.insert("scope".into(), scope.into());
    object.insert("singularResource".into(), resource.singular.as_ref().into());
    object.insert("verbs".into(), json!(resource.verbs));
    put_list(&mut object, "shortNames", json!(resource.short_names));
    put_list(&mut object, "categories", json!(resource.categories));
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|sub| {
            let of_own_kind = sub.version.is_empty();
            let response = match of_own_kind {
                true => kind(group, version, &sub.kind),
                false => kind(&sub.group, &sub.version, &sub.kind),
            };
            json!({
                "subresource": sub.name,
                "responseKind": response,
                "verbs": sub.verbs,
            })
        })
        .collect();
    put_list(&mut object, "subresources", Value::Array(subresources));
    Value::Object(object)
}

/// `/api`.
fn api_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    })
}

/// `/apis`.
fn group_list(table: &ResourceTable) -> Value {
    let groups: Vec<Value> = table
        .groups()
        .iter()
        .filter(|group| !group.name.is_empty())
        .map(|group| Value::Object(group_members(group)))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
fn group_document(table: &ResourceTable, name: &str) -> Option<Value> {
    let groups = table.groups();
    let group = groups.iter().find(|group| group.name == name)?;
    let mut document = Map::new();
    document.insert("kind".into(), "APIGroup".into());
    document.insert("apiVersion".into(), "v1".into());
    document.append(&mut group_members(group));
    Some(Value::Object(document))
}

fn group_members(group: &Group<'_>) -> Map<String, Value> {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|(version, _)| {
            json!({"groupVersion": format!("{}/{version}", group.name), "version": version})
        })
        .collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    let mut members = Map::new();
    members.insert("name".into(), group.name.into());
    members.insert("versions".into(), Value::Array(versions));
    members.insert("preferredVersion".into(), preferred);
    members
}

/// `/api/v1`, `/apis/GROUP/VERSION`.
fn resource_list(table: &ResourceTable, group: &str, version: &str) -> Option<Value> {
    let resources: Vec<&Resource> = table
        .iter()
        .map(AsRef::as_ref)
        .filter(|resource: &&Resource| resource.group == group && resource.version == version)
        .collect();
    let group_version = resources.first()?.api_version().to_owned();
    let mut entries = Vec::new();
    for resource in resources {
        entries.push(entry(resource));
        entries.extend(resource.subresources.iter().map(|sub| sub_entry(resource, sub)));
    }
    let mut document = Map::new();
    document.insert("kind".into(), "APIResourceList".into());
    // The core group's document was there before documents had versions.
    if !group.is_empty() {
        document.insert("apiVersion".into(), "v1".into());
    }
    document.insert("groupVersion".into(), group_version.into());
    document.insert("resources".into(), Value::Array(entries));
    Some(Value::Object(document))
}

fn entry(resource: &Resource) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), resource.plural.as_ref().into());
    object.insert("singularName".into(), resource.singular.as_ref().into());
    object.insert("namespaced".into(), resource.namespaced.into());
    object.insert("kind".into(), resource.kind.as_ref().into());
    object.insert("verbs".into(), json!(resource.verbs));
    put_list(&mut object, "shortNames", json!(resource.short_names));
    put_list(&mut object, "categories", json!(resource.categories));
    if resource.is_stored() {
        let hash = Sha256::digest(resource.stored_as.as_bytes());
        let hash = BASE64_STANDARD.encode(hash.get(..8).unwrap_or_default());
        object.insert("storageVersionHash".into(), hash.into());
    }
    Value::Object(object)
}

fn sub_entry(resource: &Resource, sub: &Subresource) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), format!("{}/{}", resource.plural, sub.name).into());
    object.insert("singularName".into(), "".into());
    object.insert("namespaced".into(), resource.namespaced.into());
    put(&mut object, "group", &sub.group);
    put(&mut object, "version", &sub.version);
    object.insert("kind".into(), sub.kind.as_ref().into());
    object.insert("verbs".into(), json!(sub.verbs));
    Value::Object(object)
}

fn put(object: &mut Map<String, Value>, key: &str, value: &str) {
    if !value.is_empty() {
        object.insert(key.into(), value.into());
    }
}

fn put_list(object: &mut Map<String, Value>, key: &str, value: Value) {
    if value.as_array().is_some_and(|items| !items.is_empty()) {
        object.insert(key.into(), value);
    }
}

#[cfg(test)]
mod tests;
