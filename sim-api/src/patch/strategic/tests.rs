use proptest::prelude::*;
use serde_json::json;

use super::*;

fn run(kind: &str, mut object: Value, patch: Value) -> Result<Value> {
    let typed = Schema::of_kind("v1", kind);
    let Value::Object(patch) = patch else { panic!("a patch is an object") };
    merge(&typed.schema, typed.root, object.as_object_mut().unwrap(), patch)?;
    Ok(object)
}

fn check(kind: &str, object: Value, patch: Value, expected: Value) {
    assert_eq!(run(kind, object, patch.clone()).unwrap(), expected, "{patch}");
}

fn check_error(object: Value, patch: Value, message: &str) {
    assert_eq!(run("Pod", object, patch).unwrap_err().message, message);
}

fn containers(names: &[&str]) -> Value {
    let items: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    json!({"spec": {"containers": items}})
}

#[test]
fn lists_are_merged_by_key_and_woven() {
    check("Pod", containers(&["a", "b"]), containers(&["b", "c"]), containers(&["a", "b", "c"]));
    check("Pod", containers(&["a", "b"]), containers(&["c"]), containers(&["c", "a", "b"]));
    check("Pod", containers(&["a", "b"]), containers(&["b", "a"]), containers(&["b", "a"]));
    check(
        "Pod",
        json!({"spec": {"tolerations": [{"key": "a"}]}}),
        json!({"spec": {"tolerations": [{"key": "b"}]}}),
        json!({"spec": {"tolerations": [{"key": "b"}]}}),
    );
}

#[test]
fn directives_say_what_a_merge_cannot() {
    check(
        "Pod",
        containers(&["a", "b", "c"]),
        json!({"spec": {"containers": [{"name": "b", "$patch": "delete"}]}}),
        containers(&["a", "c"]),
    );
    check(
        "Pod",
        containers(&["a", "b"]),
        json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "z"}]}}),
        containers(&["z"]),
    );
    check(
        "Pod",
        containers(&["a", "b", "c"]),
        json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}}),
        containers(&["b", "c", "a"]),
    );
    check(
        "ConfigMap",
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "x"]}}),
        json!({"metadata": {"finalizers": ["b"]}}),
    );
    check(
        "Pod",
        json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}),
        json!({"spec": {"volumes": [
            {"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}},
        ]}}),
        json!({"spec": {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}}),
    );
    check(
        "ConfigMap",
        json!({"data": {"a": "1"}}),
        json!({"data": {"$patch": "delete"}}),
        json!({"data": {}}),
    );
}

#[test]
fn broken_patches_are_refused_as_recorded() {
    check_error(
        containers(&["c"]),
        json!({"spec": {"containers": [{"image": "noname"}]}}),
        "map: map[image:noname] does not contain declared merge key: name",
    );
    check_error(
        containers(&["c"]),
        json!({"spec": {"containers": [{"name": "c1", "$patch": "bogus"}]}}),
        "unknown patch type: bogus in map: map[$patch:bogus name:c1]",
    );
    check_error(
        containers(&["c2"]),
        json!({"spec": {"$setElementOrder/containers": [{"name": "c2"}],
                        "containers": [{"name": "zz", "image": "n"}]}}),
        "The order in patch list:\n[map[image:n name:zz]]\n doesn't match $setElementOrder \
         list:\n[map[name:c2]]\n",
    );
    check_error(
        json!({"spec": {"os": {}}}),
        json!({"spec": {"os": {"$retainKeys": ["x"], "name": "linux"}}}),
        "invalid patch format of retainKeys",
    );
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!("x")), Just(json!(1)), Just(json!(true)), Just(json!({}))];
    let key = prop_oneof![
        Just("containers"),
        Just("name"),
        Just("env"),
        Just("spec"),
        Just("metadata"),
        Just("finalizers"),
        Just("$patch"),
        Just("$retainKeys"),
        Just("ports"),
        Just("$setElementOrder/containers"),
        Just("$deleteFromPrimitiveList/finalizers"),
    ];
    leaf.prop_recursive(5, 30, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|pairs| {
                pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_patch_is_merged_or_refused(object in values(), patch in values()) {
        if object.is_object() && patch.is_object() {
            let _ = run("Pod", object, patch);
        }
    }

    #[test]
    fn merging_an_object_into_itself_changes_nothing(names in prop::collection::btree_set("[a-e]", 0..5), tags in prop::collection::btree_map("[a-c]", "[x-z]", 0..3)) {
        let env: Vec<Value> = tags.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let items: Vec<Value> = names.iter().map(|name| json!({"name": name, "env": env})).collect();
        let pod = json!({"metadata": {"labels": tags, "finalizers": names}, "spec": {"containers": items}});
        let merged = run("Pod", pod.clone(), pod.clone()).unwrap();
        prop_assert_eq!(crate::encode::to_json(&merged), crate::encode::to_json(&pod));
    }
}
