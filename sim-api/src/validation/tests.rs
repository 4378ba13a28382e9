//! What was recorded, and what the real sources say of other kinds.

use serde_json::{Value, json};

use crate::{Release, ResourceTable, status::StatusCause};

fn told(causes: Vec<StatusCause>) -> Vec<String> {
    causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

pub(super) fn created(group: &str, version: &str, plural: &str, object: &Value) -> Vec<String> {
    let table = ResourceTable::for_release(Release::default());
    told(super::on_create(table.lookup(group, version, plural).unwrap(), object))
}

pub(super) fn updated(
    group: &str,
    version: &str,
    plural: &str,
    (new, old): (&Value, &Value),
) -> Vec<String> {
    let table = ResourceTable::for_release(Release::default());
    told(super::on_update(table.lookup(group, version, plural).unwrap(), "", new, old))
}

#[test]
fn an_update_tells_errors_as_often_as_the_real_one() {
    let old = json!({"metadata": {"name": "x", "namespace": "n", "uid": "1"}});
    let new = json!({"metadata": {"name": "x", "namespace": "n", "uid": "2",
        "labels": {"a": "b~"}}});
    let errors = updated("", "v1", "configmaps", (&new, &old));
    let count = |field: &str| errors.iter().filter(|error| error.starts_with(field)).count();
    assert_eq!(count("metadata.uid: Invalid value: \"2\": field is immutable"), 2);
    assert_eq!(count("metadata.labels: Invalid value: \"b~\""), 4);
    assert_eq!(errors.len(), 6);
}

#[test]
fn secrets_of_known_types_need_their_keys() {
    let secret = |kind: &str, data: Value| {
        let metadata = json!({"name": "x", "namespace": "n"});
        let object = json!({"metadata": metadata, "type": kind, "data": data});
        created("", "v1", "secrets", &object)
    };
    assert_eq!(
        secret("kubernetes.io/tls", json!({})),
        ["data[tls.crt]: Required value", "data[tls.key]: Required value"]
    );
    assert_eq!(secret("kubernetes.io/tls", json!({"tls.crt": "", "tls.key": ""})), [""; 0]);
    assert_eq!(
        secret("kubernetes.io/dockercfg", json!({".dockercfg": "eA=="})),
        ["data[.dockercfg]: Invalid value: \"<secret contents redacted>\": invalid character 'x' \
          looking for beginning of value"]
    );
}
