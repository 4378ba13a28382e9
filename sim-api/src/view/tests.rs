use std::sync::Arc;

use serde_json::json;
use sim_store::{Store, StoreConfig};

use super::*;
use crate::{ResourceTable, encode::ListMeta, encode::WatchEventType, protobuf::envelope};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const METADATA: &str =
    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

fn resource(group: &str, version: &str, plural: &str) -> Arc<Resource> {
    let table = ResourceTable::for_release(Release::default());
    Arc::clone(table.lookup(group, version, plural).unwrap())
}

fn stored(resource: &Resource, object: &Value) -> Arc<Object> {
    let store = Store::new(StoreConfig::default());
    let collection = store.collection("any");
    let draft = encode::draft(resource, object).unwrap();
    store.create(&collection, draft, sim_time::SimTime::ZERO).unwrap()
}

fn view(resource: &Resource, accept: &str) -> View {
    let wanted = Wanted::negotiate(Release::default(), resource, accept, false).unwrap();
    wanted.object(resource, &Query::default()).unwrap()
}

#[test]
fn an_object_is_the_same_in_every_form() {
    let maps = resource("", "v1", "configmaps");
    let object = json!({"metadata": {"name": "a", "namespace": "n"}, "data": {"k": "v"}});
    let object = stored(&maps, &object);
    let whole = encode::decode(&maps, &object).unwrap();
    let codec = Codec::for_release(Release::default());
    let now = Timestamp::UNIX_EPOCH;

    let body = view(&maps, "application/json").object(&maps, &object, now).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), whole);
    assert!(body.ends_with(b"}\n"));

    let body = view(&maps, PROTOBUF).object(&maps, &object, now).unwrap();
    assert_eq!(body, codec.encode("v1", "ConfigMap", &whole).unwrap());

    let body = view(&maps, METADATA).object(&maps, &object, now).unwrap();
    let unknown = envelope::open(&body).unwrap();
    assert_eq!(
        (&*unknown.api_version, &*unknown.kind),
        ("meta.k8s.io/v1", "PartialObjectMetadata")
    );
}

#[test]
fn a_protobuf_list_is_its_head_its_items_and_its_tail() {
    let maps = resource("", "v1", "configmaps");
    let objects: Vec<_> = ["a", "b"]
        .map(|name| stored(&maps, &json!({"metadata": {"name": name, "namespace": "n"}})))
        .into();
    let view = view(&maps, PROTOBUF);
    let items: Vec<u8> = objects
        .iter()
        .flat_map(|object| view.item(&maps, object, Timestamp::UNIX_EPOCH, false).unwrap())
        .collect();
    let meta = ListMeta { resource_version: 7, ..ListMeta::default() };
    let mut body = view.list_head(&maps, &meta, items.len());
    body.extend_from_slice(&items);
    body.extend_from_slice(view.list_tail());
    let decoded = Codec::for_release(Release::default()).decode(&body, "", "").unwrap();
    assert_eq!(decoded["kind"], "ConfigMapList");
    assert_eq!(decoded["metadata"]["resourceVersion"], "7");
    assert_eq!(decoded["items"][1]["metadata"]["name"], "b");
}

#[test]
fn only_what_is_the_same_for_all_watches_has_a_slot() {
    let (maps, events) =
        (resource("", "v1", "configmaps"), resource("events.k8s.io", "v1", "events"));
    let table = "application/json;as=Table;g=meta.k8s.io;v=v1";
    let mut slots: Vec<_> = ["application/json", PROTOBUF, METADATA]
        .iter()
        .flat_map(|accept| {
            let view = view(&maps, accept);
            [WatchEventType::Added, WatchEventType::Modified]
                .map(|kind| view.frame_slot(&maps, kind).unwrap())
        })
        .collect();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), 6);
    assert_eq!(view(&maps, table).frame_slot(&maps, WatchEventType::Added), None);
    assert_eq!(view(&events, PROTOBUF).frame_slot(&events, WatchEventType::Added), None);
}

#[test]
fn a_view_is_refused_in_the_real_words() {
    let maps = resource("", "v1", "configmaps");
    let wanted = |accept| Wanted::negotiate(Release::default(), &maps, accept, false);
    let refused = wanted("application/yaml").unwrap();
    let refused = refused.watch(&maps, &Query::default(), false).unwrap_err();
    assert_eq!(
        refused.message,
        "only the following media types are accepted: application/json, \
         application/vnd.kubernetes.protobuf"
    );
    assert_eq!(wanted("application/json;stream=other").unwrap_err().code, 406);
    assert!(wanted("application/json;stream=watch").is_ok());
    let refused = wanted(METADATA).unwrap().list(&maps, &Query::default()).unwrap_err();
    assert_eq!(refused.code, 406);
}
