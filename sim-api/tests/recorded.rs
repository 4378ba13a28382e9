//! Exchanges recorded from a real kube-apiserver 1.33.2, as far as this crate decides them.
//!
//! `fixtures/requests/api-rules.json.gz` holds two lists: discovery documents, and steps that
//! were refused or that created an object. For a refusal the whole Status must be equal, for a
//! creation the metadata without managedFields. [`NOT_YET`] lists the steps that need rules
//! which are not built yet; a step that starts to pass must leave that list.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sim_api::{
    FeatureGates, Query, Release, RequestInfo, ResourceTable, Status, discovery,
    list_options::{
        CreateOptions, DeleteOptions, GetOptions, ListOptions, PatchOptions, UpdateOptions,
    },
    media_type,
    meta::{self, WriteContext},
    patch::Patch,
};

#[test]
fn discovery_documents_equal_the_recorded_ones() {
    let recorded = recorded();
    let release = Release::default();
    let table = ResourceTable::for_release(release);
    let mut checked = 0;
    for (step, exchange) in recorded["discovery"].as_object().unwrap() {
        let text = |key: &str| exchange[key].as_str().unwrap();
        let path = text("path").trim_end_matches('/');
        let found = match discovery::answer(&table, release, path, text("accept")) {
            None => json!("404 page not found\n"),
            Some(Err(status)) => status.to_value(),
            Some(Ok(mut answer)) => {
                answer.set_server_address("<addr>");
                answer.document
            }
        };
        assert_eq!(found, exchange["response"], "{step}");
        checked += 1;
    }
    assert!(checked > 15, "only {checked} documents");
}

#[test]
fn refusals_and_creations_equal_the_recorded_ones() {
    let table = ResourceTable::for_release(Release::default());
    let (mut passed, mut wrong) = (0, Vec::new());
    for step in recorded()["steps"].as_array().unwrap() {
        let name = step["step"].as_str().unwrap();
        let found = run(&table, step);
        let equal = match &found {
            Outcome::Status(status) => {
                let found = status.to_value().to_string();
                // What the server makes up is a placeholder in the recording.
                let found = found.replace("0xc000000000", "<hex>").replace("gbcdfg", "g<sfx1>");
                serde_json::from_str::<Value>(&found).unwrap() == step["response"]
            }
            Outcome::Created(object) => is_same_metadata(object, &step["response"]),
            Outcome::NotDecidedHere => continue,
        };
        match (equal, NOT_YET.contains(&name)) {
            (true, false) => passed += 1,
            (false, true) => {}
            (true, true) => wrong.push(format!("{name} passes now: take it off the list")),
            (false, false) => wrong.push(format!(
                "{name}\n   found {}\nexpected {}",
                match &found {
                    Outcome::Status(status) => status.to_value(),
                    Outcome::Created(object) => object["metadata"].clone(),
                    Outcome::NotDecidedHere => Value::Null,
                },
                step["response"]
            )),
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {passed} right\n{}", wrong.len(), wrong.join("\n"));
    assert!(passed > 100, "only {passed} steps");
}

enum Outcome {
    Status(Status),
    Created(Value),
    /// It depends on what is stored, or on who asks.
    NotDecidedHere,
}

fn run(table: &ResourceTable, step: &Value) -> Outcome {
    let text = |key: &str| step[key].as_str().unwrap_or_default();
    let (path, query) = text("path").split_once('?').unwrap_or_else(|| (text("path"), ""));
    let info = RequestInfo::parse(text("method"), path, query);
    let query = Query::parse(query);
    let Some(resource) = table.lookup(&info.api_group, &info.api_version, &info.resource) else {
        return match table.has_group(&info.api_group) && info.is_resource_request {
            true => Outcome::Status(Status::not_found_path()),
            false => Outcome::NotDecidedHere,
        };
    };
    let across = resource.namespaced && info.namespace.is_empty();
    if !info.subresource.is_empty() || (across && info.verb == "create") {
        return Outcome::NotDecidedHere;
    }
    let gates = FeatureGates::of(Release::default());
    let (content_type, body) = (text("contentType"), text("body").as_bytes());
    let outcome = match info.verb {
        "get" => GetOptions::parse(&query).map(|_| None),
        "list" | "deletecollection" => ListOptions::parse(&query, resource, &gates).map(|_| None),
        "watch" => ListOptions::parse_watch(&query, resource, &gates).map(|_| None),
        "create" => (|| {
            CreateOptions::parse(&query)?;
            let release = Release::default();
            let object = media_type::decode_object(release, content_type, body, resource)?;
            meta::prepare_create(resource, &info.namespace, object, &context()).map(Some)
        })(),
        "update" => (|| {
            UpdateOptions::parse(&query)?;
            media_type::decode_object(Release::default(), content_type, body, resource)?;
            Ok(None)
        })(),
        "patch" => (|| {
            PatchOptions::parse(&query)?;
            Patch::parse(content_type, body, resource)?;
            Ok(None)
        })(),
        "delete" => DeleteOptions::parse(&query, content_type, body).map(|_| None),
        _ => Ok(None),
    };
    match outcome {
        Err(status) => Outcome::Status(status),
        Ok(Some(object)) if step["status"] == 201 => Outcome::Created(object),
        Ok(_) => Outcome::NotDecidedHere,
    }
}

fn context() -> WriteContext {
    WriteContext {
        now: "2026-01-02T03:04:05Z".parse().unwrap(),
        uid: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        name_suffix: "bcdfg".into(),
        manager: "golden".into(),
        release: Release::default(),
    }
}

/// Equal but for what the server makes up: placeholders in the recording.
fn is_same_metadata(object: &Value, recorded: &Value) -> bool {
    let found = object["metadata"].as_object().unwrap();
    let expected = recorded["metadata"].as_object().unwrap();
    let keys = |map: &serde_json::Map<String, Value>| -> Vec<String> {
        let is_checked =
            |key: &&String| !matches!(key.as_str(), "resourceVersion" | "managedFields");
        map.keys().filter(is_checked).cloned().collect()
    };
    keys(found) == keys(expected)
        && found.iter().all(|(key, value)| match expected.get(key) {
            // That is for the test of changes.
            None => key == "managedFields",
            Some(Value::String(text)) if text.contains('<') => true,
            Some(expected) => value == expected,
        })
}

fn recorded() -> Value {
    let packed = include_bytes!("../../fixtures/requests/api-rules.json.gz");
    let mut json = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// Steps that need rules which are not built yet.
const NOT_YET: &[&str] = &[
    // Labels that the server gives to jobs.
    "body__immutable_fields#8",
    "crud__jobs#0",
    "delete__service_and_node_delete_response#2",
];
