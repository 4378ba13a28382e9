//! PartialObjectMetadata: objects reduced to their metadata.
//!
//! The metadata comes first in what is stored, so a projection is a copy of the bytes before the
//! metadata's closing brace; nothing is parsed. Every item of a list carries kind and apiVersion
//! (recorded), which the items of other built-in lists do not.
//!
//! Source: `asPartialObjectMetadata` and `asPartialObjectMetadataList` of k8s.io/apiserver
//! `pkg/endpoints/handlers/response.go`.

use serde_json::{Map, Value};
use sim_store::Object;

use crate::{
    Reason, Resource, Status,
    encode::{self, ListMeta, WatchEventType},
    media_type::MetaVersion,
};

/// One object's metadata, as JSON without a newline: the answer to a GET, an item of a list.
pub fn object(object: &Object, version: MetaVersion) -> Vec<u8> {
    let members = object.members();
    let metadata = metadata(&members);
    let mut json = prefix(version);
    json.reserve_exact(metadata.len() + 1);
    json.extend_from_slice(metadata);
    json.push(b'}');
    json
}

/// As [`object`], but for what some kinds have in a member until it is printed: the count of a
/// DaemonSet's templates is no annotation yet when the metadata is taken (recorded).
pub(crate) fn of(resource: &Resource, stored: &Object, version: MetaVersion) -> Vec<u8> {
    if !resource.is("apps", "daemonsets") {
        return object(stored, version);
    }
    let mut parsed: Value = serde_json::from_slice(&object(stored, version)).unwrap_or_default();
    let metadata = parsed.get_mut("metadata").and_then(Value::as_object_mut);
    let Some(metadata) = metadata else { return object(stored, version) };
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove("deprecated.daemonset.template.generation");
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    encode::to_json(&parsed)
}

/// The metadata of an object that is not in the store, as [`object`] shows it.
pub(crate) fn value(object: &Value, version: MetaVersion) -> Vec<u8> {
    bookmark_object(version, object.get("metadata"))
}

/// What a list's JSON begins with, up to and with the bracket that opens its items.
pub fn list_prefix(version: MetaVersion, list_meta: &ListMeta) -> Vec<u8> {
    let mut prefix =
        format!(r#"{{"kind":"{LIST_KIND}","apiVersion":"{}","metadata":"#, version.api_version())
            .into_bytes();
    prefix.extend_from_slice(&encode::to_json(&list_meta.to_value()));
    prefix.extend_from_slice(b",\"items\":[");
    prefix
}

/// A bookmark at `revision`; the one that ends the initial events says so.
pub fn bookmark(version: MetaVersion, revision: u64, ends_initial_events: bool) -> Vec<u8> {
    let object = bookmark_value(version, revision, ends_initial_events);
    encode::watch_frame(WatchEventType::Bookmark, &object)
}

/// The object of a bookmark.
pub(crate) fn bookmark_value(version: MetaVersion, revision: u64, ends: bool) -> Value {
    let metadata = encode::bookmark_metadata(LIST_KIND, version.api_version(), revision, ends);
    with_metadata(version, Some(&Value::Object(metadata)))
}

/// The JSON of the object around some metadata.
pub(crate) fn bookmark_object(version: MetaVersion, metadata: Option<&Value>) -> Vec<u8> {
    encode::to_json(&with_metadata(version, metadata))
}

fn with_metadata(version: MetaVersion, metadata: Option<&Value>) -> Value {
    let mut object = Map::new();
    object.insert("kind".into(), KIND.into());
    object.insert("apiVersion".into(), version.api_version().into());
    object.insert("metadata".into(), metadata.cloned().unwrap_or_default());
    Value::Object(object)
}

/// 406: a list was asked for as one PartialObjectMetadata.
pub fn refuse_list(resource: &Resource) -> Status {
    not_acceptable(format!(
        "you requested {KIND}, but the requested object is a list ({}List)",
        go_type(resource)
    ))
}

/// 406: one object was asked for as a PartialObjectMetadataList.
pub fn refuse_object(resource: &Resource) -> Status {
    not_acceptable(format!(
        "you requested {LIST_KIND}, but the requested object is not a list ({})",
        go_type(resource)
    ))
}

fn not_acceptable(message: String) -> Status {
    Status::failure(406, Reason::NotAcceptable, message)
}

/// The type that the real server has the objects in: its package is the group's first word.
fn go_type(resource: &Resource) -> String {
    let group = &*resource.group;
    if group.contains('.') && !group.ends_with(".k8s.io") {
        return "*unstructured.Unstructured".to_owned();
    }
    let package = match group.split('.').next().unwrap_or_default() {
        "" | "events" => "core",
        first => first,
    };
    format!("*{package}.{}", resource.kind)
}

/// `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",`.
fn prefix(version: MetaVersion) -> Vec<u8> {
    format!(r#"{{"kind":"{KIND}","apiVersion":"{}","#, version.api_version()).into_bytes()
}

/// `"metadata":{…}`: the stored members up to the brace that closes the first of them.
fn metadata(members: &[u8]) -> &[u8] {
    let (mut depth, mut in_string, mut escaped) = (0u32, false, false);
    for (at, &byte) in members.iter().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' => depth += 1,
            b'}' if depth <= 1 => return members.get(..=at).unwrap_or(members),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    members
}

pub(crate) const KIND: &str = "PartialObjectMetadata";
pub(crate) const LIST_KIND: &str = "PartialObjectMetadataList";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Release, ResourceTable};

    #[test]
    fn the_metadata_ends_where_its_brace_does() {
        for (members, expected) in [
            (r#""metadata":{"name":"a"},"spec":{}}"#, r#""metadata":{"name":"a"}"#),
            (r#""metadata":{"name":"a"}}"#, r#""metadata":{"name":"a"}"#),
            (r#""metadata":{}}"#, r#""metadata":{}"#),
            (
                r#""metadata":{"annotations":{"a":"}\"}{\\"},"uid":"u"},"data":{"}":"{"}}"#,
                r#""metadata":{"annotations":{"a":"}\"}{\\"},"uid":"u"}"#,
            ),
        ] {
            assert_eq!(metadata(members.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn what_is_no_list_is_not_made_one() {
        let table = ResourceTable::for_release(Release::default());
        for (group, plural, list, object) in [
            ("", "configmaps", "*core.ConfigMapList", "*core.ConfigMap"),
            ("apps", "deployments", "*apps.DeploymentList", "*apps.Deployment"),
            ("rbac.authorization.k8s.io", "roles", "*rbac.RoleList", "*rbac.Role"),
            ("events.k8s.io", "events", "*core.EventList", "*core.Event"),
        ] {
            let resource = table.lookup(group, "v1", plural).unwrap();
            let message = refuse_list(resource).message;
            assert!(message.ends_with(&format!("is a list ({list})")), "{message}");
            let message = refuse_object(resource).message;
            assert!(message.ends_with(&format!("is not a list ({object})")), "{message}");
        }
    }

    #[test]
    fn a_bookmark_carries_metadata_alone() {
        let frame = bookmark(MetaVersion::V1, 7, false);
        let frame: Value = serde_json::from_slice(&frame).unwrap();
        assert_eq!(
            frame,
            json!({"type": "BOOKMARK", "object": {"kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": "7", "creationTimestamp": null}}})
        );
    }

    proptest! {
        #[test]
        fn any_metadata_is_found(name in "\\PC{0,20}", key in "[{}\"\\\\a]{0,6}") {
            let metadata_value = json!({"name": name, "annotations": { key.clone(): key.clone() }});
            let whole = json!({"metadata": metadata_value, "data": { key: name }});
            let json = encode::to_json(&whole);
            let found = [b"{", metadata(&json[1..]), b"}"].concat();
            prop_assert_eq!(
                serde_json::from_slice::<Value>(&found).unwrap(),
                json!({"metadata": whole["metadata"]})
            );
        }
    }
}
