use serde_json::{Value, json};

use super::*;
use crate::{Release, Resource, ResourceTable, Status};

fn resource(group: &str, plural: &str) -> std::sync::Arc<Resource> {
    let table = ResourceTable::for_release(Release::default());
    std::sync::Arc::clone(table.lookup(group, "v1", plural).unwrap())
}

fn options(manager: &str, force: bool) -> ApplyOptions<'_> {
    ApplyOptions { manager, force, now: "2026-01-02T03:04:05Z".parse().unwrap() }
}

/// Applies to a ConfigMap.
fn apply_data(
    live: Option<&Value>,
    manager: &str,
    force: bool,
    data: Value,
) -> Result<Value, Status> {
    let applied = json!({
        "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}, "data": data,
    });
    apply(&resource("", "configmaps"), "", live, &applied, &options(manager, force))
}

fn owners(object: &Value) -> Vec<(String, Value)> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let entry =
        |entry: &Value| (entry["manager"].as_str().unwrap().to_owned(), entry["fieldsV1"].clone());
    entries.iter().map(entry).collect()
}

#[test]
fn fields_no_longer_applied_go_away() {
    let first = apply_data(None, "m", false, json!({"a": "1", "b": "2"})).unwrap();
    assert_eq!(owners(&first), [("m".into(), json!({"f:data": {"f:a": {}, "f:b": {}}}))]);
    let second = apply_data(Some(&first), "m", false, json!({"a": "1"})).unwrap();
    assert_eq!(second["data"], json!({"a": "1"}));
    // What another manager owns too stays.
    let shared = apply_data(Some(&first), "n", false, json!({"b": "2"})).unwrap();
    let left = apply_data(Some(&shared), "m", false, json!({"a": "1"})).unwrap();
    assert_eq!(left["data"], json!({"a": "1", "b": "2"}));
    let none = apply_data(Some(&second), "m", false, json!({})).unwrap();
    assert_eq!(none.get("data"), None);
}

#[test]
fn conflicts_name_the_manager_and_the_field() {
    let first = apply_data(None, "m", false, json!({"a": "1", "b": "2"})).unwrap();
    let status = apply_data(Some(&first), "n", false, json!({"a": "9"})).unwrap_err();
    assert_eq!(status.message, "Apply failed with 1 conflict: conflict with \"m\": .data.a");
    let status = apply_data(Some(&first), "n", false, json!({"a": "9", "b": "9"})).unwrap_err();
    assert_eq!(
        status.message,
        "Apply failed with 2 conflicts: conflicts with \"m\":\n- .data.a\n- .data.b"
    );
    let forced = apply_data(Some(&first), "n", true, json!({"a": "9"})).unwrap();
    assert_eq!(forced["data"], json!({"a": "9", "b": "2"}));
    assert_eq!(
        owners(&forced),
        [
            ("m".into(), json!({"f:data": {"f:b": {}}})),
            ("n".into(), json!({"f:data": {"f:a": {}}}))
        ]
    );
}

#[test]
fn an_update_takes_what_it_changes() {
    let configmaps = resource("", "configmaps");
    let live = apply_data(None, "m", false, json!({"a": "1", "b": "2"})).unwrap();
    let mut new = live.clone();
    new["data"]["a"] = json!("5");
    let now = "2026-01-02T03:04:06Z".parse().unwrap();
    track(&configmaps, "", Some(&live), &mut new, "ed", now);
    assert_eq!(
        owners(&new),
        [
            ("m".into(), json!({"f:data": {"f:b": {}}})),
            ("ed".into(), json!({"f:data": {"f:a": {}}}))
        ]
    );
    let mut same = new.clone();
    track(&configmaps, "", Some(&new), &mut same, "ed", "2026-01-02T03:05:06Z".parse().unwrap());
    assert_eq!(same, new);
    let mut reset = new.clone();
    reset["metadata"]["managedFields"] = json!([{}]);
    track(&configmaps, "", Some(&new), &mut reset, "ed", now);
    assert_eq!(reset["metadata"].get("managedFields"), None);
    let again = apply_data(Some(&reset), "m", true, json!({"a": "5"})).unwrap();
    assert_eq!(owners(&again)[1].0, "before-first-apply");
}

#[test]
fn many_managers_become_one() {
    let configmaps = resource("", "configmaps");
    let mut live = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}});
    track(&configmaps, "", None, &mut live, "m0", "2026-01-02T03:04:00Z".parse().unwrap());
    assert_eq!(live["metadata"].get("managedFields"), None);
    for n in 0..14 {
        let mut new = live.clone();
        new["data"][format!("k{n}")] = json!("v");
        let at = format!("2026-01-02T03:04:{:02}Z", n + 1).parse().unwrap();
        let before = (n > 0).then_some(&live);
        track(&configmaps, "", before, &mut new, &format!("m{n}"), at);
        live = new;
    }
    let owners = owners(&live);
    assert_eq!(owners.len(), 10);
    assert_eq!(owners[0].0, "ancient-changes");
    let ancient = owners[0].1["f:data"].as_object().unwrap();
    assert_eq!(ancient.len(), 1 + 5, "{ancient:?}");
}

#[test]
fn sets_are_printed_in_the_real_order_and_read_back() {
    let text = r#"{"f:a":{".":{},"k:{\"name\":\"x\",\"port\":80}":{".":{},"f:b":{}},"v:\"s\"":{},"i:3":{}},"f:z":{}}"#;
    let value: Value = serde_json::from_str(text).unwrap();
    let set = Set::from_fields_v1(&value).unwrap();
    assert_eq!(set.to_fields_v1().to_string(), text);
    let paths: Vec<String> = set
        .paths()
        .into_iter()
        .map(|path| path.iter().map(ToString::to_string).collect())
        .collect();
    assert_eq!(
        paths,
        [".a", ".z", ".a[name=\"x\",port=80]", ".a[=\"s\"]", ".a[3]", ".a[name=\"x\",port=80].b"]
    );
    assert_eq!(Set::from_fields_v1(&json!({"f:a": 1})), None);
    assert_eq!(Set::from_fields_v1(&json!({"k:nonsense": {}})), None);
    assert!(Set::from_fields_v1(&json!({"x:future": {}})).unwrap().is_empty());
}
