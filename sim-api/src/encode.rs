//! Objects to bytes and back: the JSON that Go writes, what the store keeps, and the pieces
//! from which a LIST or a WATCH is put together without parsing what is stored.

mod fields;
mod json;
mod yaml;

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};
use sim_store::{Draft, Object, StrMap};

pub use self::{
    json::{compact, indent, pretty, to_json},
    yaml::{to_yaml, yaml_of_json},
};
use crate::{Resource, Status, convert, meta, status::Result};

/// What the store keeps of an object, but for its resourceVersion.
///
/// `object` must have been through [`meta::prepare_create`] or [`meta::prepare_update`], which
/// put the metadata in order; whatever resourceVersion it carries is dropped.
pub fn draft(resource: &Resource, object: &Value) -> Result<Draft> {
    let mut stored = convert::to_storage(resource, object);
    let members = stored
        .as_object_mut()
        .ok_or_else(|| Status::bad_request("the object is not a JSON object"))?;
    members.shift_remove("kind");
    members.shift_remove("apiVersion");
    let metadata = meta::ordered(members.get("metadata"));
    let labels = labels(&metadata);
    let fields = fields::selectable(resource, &metadata, members);
    let name = text(&metadata, "name").into();
    let namespace = resource.namespaced.then(|| text(&metadata, "namespace").into());

    // The metadata is written by hand, first of all, so that the place of the resourceVersion
    // is known without a search through the body.
    let mut body = b",{\"metadata\":{".to_vec();
    let mut rv_at = None;
    let mut first = true;
    for (key, value) in &metadata {
        if key == "resourceVersion" {
            continue;
        }
        if rv_at.is_none() && meta::comes_after_resource_version(key) {
            rv_at = Some(put_resource_version(&mut body, &mut first));
        }
        put_member(&mut body, &mut first, key, value);
    }
    let rv_at = rv_at.unwrap_or_else(|| put_resource_version(&mut body, &mut first));
    body.push(b'}');
    let mut first = false;
    for (key, value) in members.iter().filter(|(key, _)| *key != "metadata") {
        put_member(&mut body, &mut first, key, value);
    }
    body.push(b'}');
    Ok(Draft { namespace, name, labels, fields, body, rv_at })
}

/// The whole object, kind and apiVersion first, in the shape of `resource`'s version.
pub fn decode(resource: &Resource, object: &Object) -> Result<Value> {
    let stored: Map<String, Value> = serde_json::from_slice(&object.item())
        .map_err(|error| Status::internal(&format!("stored object: {error}")))?;
    let mut whole = Map::new();
    whole.insert("kind".into(), resource.kind.as_ref().into());
    whole.insert("apiVersion".into(), resource.api_version().into());
    whole.extend(stored);
    Ok(convert::from_storage(resource, Value::Object(whole)))
}

/// The members of a list's metadata.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListMeta {
    /// The version at which the list holds.
    pub resource_version: u64,
    /// The token of the next page, if there is one.
    pub continue_token: Option<String>,
    /// How many items follow, where that is known: on pages without a selector.
    pub remaining_item_count: Option<u64>,
}

impl ListMeta {
    /// The JSON object, keys in the real order.
    pub fn to_value(&self) -> Value {
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".into(), self.resource_version.to_string().into());
        if let Some(token) = &self.continue_token {
            metadata.insert("continue".into(), token.as_str().into());
        }
        if let Some(count) = self.remaining_item_count {
            metadata.insert("remainingItemCount".into(), count.into());
        }
        Value::Object(metadata)
    }
}

/// What a list's JSON begins with, up to and with the bracket that opens its items.
///
/// After it come the stored objects ([`Object::item`] the first, [`Object::json`] the others),
/// then [`LIST_SUFFIX`].
pub fn list_prefix(resource: &Resource, list_meta: &ListMeta) -> Vec<u8> {
    let mut prefix = format!(
        r#"{{"kind":"{}","apiVersion":"{}","metadata":"#,
        resource.list_kind(),
        resource.api_version()
    )
    .into_bytes();
    let mut metadata = list_meta.to_value();
    if resource.custom.is_some() && list_meta.continue_token.is_none() {
        // Lists of custom resources always have one.
        metadata["continue"] = "".into();
    }
    prefix.extend_from_slice(&to_json(&metadata));
    prefix.extend_from_slice(b",\"items\":[");
    prefix
}

/// What each item of a list has before its stored members, if anything: custom resources carry
/// apiVersion and kind, the items of a built-in list do not.
pub fn list_item_prefix(resource: &Resource) -> Option<Bytes> {
    resource.custom.is_some().then(|| Bytes::copy_from_slice(resource.object_prefix()))
}

/// What a list's JSON ends with.
pub const LIST_SUFFIX: &[u8] = b"]}\n";

/// `{"kind":"Pod","apiVersion":"v1",`: what a single object begins with.
///
/// After it come [`Object::members`] and a newline.
pub fn object_prefix(resource: &Resource) -> &Arc<[u8]> {
    resource.object_prefix()
}

/// The type of a watch event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WatchEventType {
    /// The object is new, or new to the selector.
    Added,
    /// Only metadata.resourceVersion, to go on from.
    Bookmark,
    /// The object is gone, or gone from the selector.
    Deleted,
    /// A Status; the stream ends.
    Error,
    /// The object has changed.
    Modified,
}

impl WatchEventType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Bookmark => "BOOKMARK",
            Self::Deleted => "DELETED",
            Self::Error => "ERROR",
            Self::Modified => "MODIFIED",
        }
    }
}

/// What a watch event of a stored object begins with: the frame, kind and apiVersion.
///
/// After it come [`Object::members`], then [`WATCH_FRAME_SUFFIX`].
pub fn watch_frame_prefix(event: WatchEventType, resource: &Resource) -> Vec<u8> {
    let mut prefix = format!(r#"{{"type":"{}","object":"#, event.as_str()).into_bytes();
    prefix.extend_from_slice(resource.object_prefix());
    prefix
}

/// What a watch event's JSON ends with, after the object's own brace.
pub const WATCH_FRAME_SUFFIX: &[u8] = b"}\n";

/// A whole watch event around an object that is not taken from the store as it is.
pub fn watch_frame(event: WatchEventType, object: &Value) -> Vec<u8> {
    watch_frame_of_json(event, &to_json(object))
}

/// A whole watch event around an object that has been encoded already.
pub fn watch_frame_of_json(event: WatchEventType, object: &[u8]) -> Vec<u8> {
    let mut frame = format!(r#"{{"type":"{}","object":"#, event.as_str()).into_bytes();
    frame.reserve_exact(object.len() + WATCH_FRAME_SUFFIX.len());
    frame.extend_from_slice(object);
    frame.extend_from_slice(WATCH_FRAME_SUFFIX);
    frame
}

/// A whole bookmark event at `revision`; the one that ends the initial events says so.
///
/// The real one prints the zero value of the kind around the metadata, which for some kinds
/// has members more; no client reads them, and this one prints the metadata alone.
pub fn bookmark(resource: &Resource, revision: u64, ends_initial_events: bool) -> Vec<u8> {
    watch_frame(WatchEventType::Bookmark, &bookmark_object(resource, revision, ends_initial_events))
}

/// The object of a bookmark.
pub(crate) fn bookmark_object(resource: &Resource, revision: u64, ends: bool) -> Value {
    let mut metadata =
        bookmark_metadata(&resource.list_kind(), resource.api_version(), revision, ends);
    if resource.custom.is_some() {
        // What has no type has no empty times.
        metadata.shift_remove("creationTimestamp");
    }
    let mut members = fields::zero_value(resource);
    let mut object = Map::new();
    object.insert("kind".into(), resource.kind.as_ref().into());
    object.insert("apiVersion".into(), resource.api_version().into());
    object.insert("metadata".into(), Value::Object(metadata));
    object.append(&mut members);
    Value::Object(object)
}

/// The metadata of a bookmark; where it ends the initial events it shows an empty list of the
/// kind that the events' objects would make.
pub(crate) fn bookmark_metadata(
    list_kind: &str,
    api_version: &str,
    revision: u64,
    ends_initial_events: bool,
) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), revision.to_string().into());
    metadata.insert("creationTimestamp".into(), Value::Null);
    if ends_initial_events {
        let blueprint = format!(
            "{{\"kind\":\"{list_kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{{}},\
             \"items\":null}}\n"
        );
        let annotations = serde_json::json!({
            "k8s.io/initial-events-end": "true",
            "kubernetes.io/initial-events-list-blueprint": BASE64_STANDARD.encode(blueprint),
        });
        metadata.insert("annotations".into(), annotations);
    }
    metadata
}

/// A stored object's selectable fields under the names that field selectors are checked for.
///
/// Renames a field of the resource's version to the store's (`spec.host`, `regarding.kind`), or
/// answers that the kind does not know it.
pub fn selectable_field<'a>(resource: &Resource, field: &'a str) -> Option<&'a str> {
    fields::stored_name(resource, field)
}

fn labels(metadata: &Map<String, Value>) -> StrMap {
    metadata
        .get("labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect()
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn put_resource_version(body: &mut Vec<u8>, first: &mut bool) -> usize {
    put_key(body, first, "resourceVersion");
    body.extend_from_slice(b"\"\"");
    body.len() - 1
}

fn put_member(body: &mut Vec<u8>, first: &mut bool, key: &str, value: &Value) {
    put_key(body, first, key);
    json::write(body, value);
}

fn put_key(body: &mut Vec<u8>, first: &mut bool, key: &str) {
    if !std::mem::take(first) {
        body.push(b',');
    }
    json::write(body, &Value::String(key.to_owned()));
    body.push(b':');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Release, ResourceTable};

    fn resource(group: &str, version: &str, plural: &str) -> Arc<Resource> {
        let table = ResourceTable::for_release(Release::default());
        Arc::clone(table.lookup(group, version, plural).unwrap())
    }

    fn check_draft(resource: &Resource, object: &Value, body: &str) {
        let draft = draft(resource, object).unwrap();
        let mut found = draft.body.clone();
        assert_eq!(&found[draft.rv_at - 1..=draft.rv_at], b"\"\"");
        found.insert(draft.rv_at, b'^');
        assert_eq!(String::from_utf8(found).unwrap(), body);
    }

    #[test]
    fn a_draft_has_ordered_metadata_and_a_place_for_its_version() {
        let object = json!({
            "apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "n"},
            "metadata": {"labels": {"b": "<&>"}, "name": "a", "resourceVersion": "7", "namespace": "ns"},
        });
        check_draft(
            &resource("", "v1", "pods"),
            &object,
            r#",{"metadata":{"name":"a","namespace":"ns","resourceVersion":"^","labels":{"b":"\u003c\u0026\u003e"}},"spec":{"nodeName":"n"}}"#,
        );
        check_draft(
            &resource("", "v1", "nodes"),
            &json!({"metadata": {"name": "n"}}),
            r#",{"metadata":{"name":"n","resourceVersion":"^"}}"#,
        );
        let draft = draft(&resource("", "v1", "pods"), &object).unwrap();
        assert_eq!(draft.fields.get("spec.nodeName"), Some("n"));
        assert_eq!(draft.fields.get("metadata.namespace"), Some("ns"));
        assert_eq!(draft.labels.get("b"), Some("<&>"));
        assert_eq!(draft.namespace.as_deref(), Some("ns"));
    }

    #[test]
    fn an_event_is_stored_alike_through_both_its_versions() {
        let core = json!({
            "metadata": {"name": "e", "namespace": "ns"}, "reason": "r", "message": "m",
            "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "kubelet"},
        });
        let new = json!({
            "metadata": {"name": "e", "namespace": "ns"}, "reason": "r", "note": "m",
            "regarding": {"kind": "Pod", "name": "p"}, "deprecatedSource": {"component": "kubelet"},
        });
        let core = draft(&resource("", "v1", "events"), &core).unwrap();
        let events = resource("events.k8s.io", "v1", "events");
        let new = draft(&events, &new).unwrap();
        assert_eq!((&core.body, &core.fields), (&new.body, &new.fields));
        assert_eq!(core.fields.get("source"), Some("kubelet"));
        assert_eq!(selectable_field(&events, "regarding.kind"), Some("involvedObject.kind"));
        assert_eq!(selectable_field(&events, "involvedObject.kind"), None);
    }

    #[test]
    fn a_list_is_its_prefix_items_and_suffix() {
        let meta = ListMeta {
            resource_version: 12,
            continue_token: Some("tok".into()),
            remaining_item_count: Some(3),
        };
        let mut list = list_prefix(&resource("apps", "v1", "deployments"), &meta);
        list.extend_from_slice(LIST_SUFFIX);
        assert_eq!(
            String::from_utf8(list).unwrap(),
            "{\"kind\":\"DeploymentList\",\"apiVersion\":\"apps/v1\",\"metadata\":{\
             \"resourceVersion\":\"12\",\"continue\":\"tok\",\"remainingItemCount\":3},\
             \"items\":[]}\n"
        );
    }
}
