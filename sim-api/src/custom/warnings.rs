//! What a client is warned of, though it may do it.
//!
//! Source: `validateKubeFinalizerName` of k8s.io/apiextensions-apiserver
//! `pkg/registry/customresource/validator.go`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::go;

/// Of the finalizers that are new.
pub(super) fn of_finalizers(object: &Value, old: Option<&Value>) -> Vec<String> {
    let of = |object: &Value| -> BTreeSet<String> {
        let names = object.pointer("/metadata/finalizers").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let known = old.map(of).unwrap_or_default();
    of(object)
        .difference(&known)
        .filter(|name| !name.contains('/') && !STANDARD.contains(&name.as_str()))
        .map(|name| {
            let path = if name.contains('.') { " including a path (/)" } else { "" };
            format!(
                "metadata.finalizers: {}: prefer a domain-qualified finalizer name{path} to avoid \
                 accidental conflicts with other finalizer writers",
                go::quote(name)
            )
        })
        .collect()
}

const STANDARD: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_new_names_without_a_path_are_told() {
        let object = json!({"metadata": {"finalizers": ["a", "b.io", "c.io/x", "orphan", "old"]}});
        let old = json!({"metadata": {"finalizers": ["old"]}});
        let texts = of_finalizers(&object, Some(&old));
        assert_eq!(
            texts,
            [
                "metadata.finalizers: \"a\": prefer a domain-qualified finalizer name to avoid \
                 accidental conflicts with other finalizer writers",
                "metadata.finalizers: \"b.io\": prefer a domain-qualified finalizer name including \
                 a path (/) to avoid accidental conflicts with other finalizer writers",
            ]
        );
    }
}
