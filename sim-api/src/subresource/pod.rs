//! Parts of a pod with a path of their own: `ephemeralcontainers` and `resize`.
//!
//! Source: `podEphemeralContainersStrategy` and `podResizeStrategy` in
//! `pkg/registry/core/pod/strategy.go`.

use serde_json::Value;

/// The spec that an update of this subresource leaves: of `new` only what it is about, the rest
/// from `old`. `None` for other subresources.
pub(crate) fn spec(subresource: &str, old: &Value, new: &Value) -> Option<Value> {
    let mut spec = old.clone();
    let members = spec.as_object_mut()?;
    match subresource {
        "ephemeralcontainers" => {
            match new.get("ephemeralContainers") {
                Some(containers) => {
                    members.insert("ephemeralContainers".into(), containers.clone())
                }
                None => members.shift_remove("ephemeralContainers"),
            };
        }
        "resize" => {
            let count = |spec: &Value, list: &str| {
                spec.get(list).and_then(Value::as_array).map_or(0, Vec::len)
            };
            // What is added or removed validation refuses.
            if LISTS.iter().any(|list| count(old, list) != count(new, list)) {
                return Some(new.clone());
            }
            for list in LISTS {
                let mine = members.get_mut(list).and_then(Value::as_array_mut);
                let theirs = new.get(list).and_then(Value::as_array);
                for container in mine.into_iter().flatten() {
                    let wanted = theirs
                        .into_iter()
                        .flatten()
                        .find(|other| other.get("name") == container.get("name"));
                    let (Some(wanted), Some(container)) = (wanted, container.as_object_mut())
                    else {
                        continue;
                    };
                    for key in ["resources", "resizePolicy"] {
                        match wanted.get(key) {
                            Some(value) => container.insert(key.into(), value.clone()),
                            None => container.shift_remove(key),
                        };
                    }
                }
            }
        }
        _ => return None,
    }
    Some(spec)
}

const LISTS: [&str; 2] = ["initContainers", "containers"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_subresource_is_written() {
        let old = json!({"nodeName": "n", "containers": [{"name": "c", "image": "i"}]});
        let new = json!({"nodeName": "m", "ephemeralContainers": [{"name": "e"}],
            "containers": [{"name": "c", "image": "j", "resources": {"limits": {"cpu": "1"}}}]});
        assert_eq!(
            spec("ephemeralcontainers", &old, &new).unwrap(),
            json!({"nodeName": "n", "containers": [{"name": "c", "image": "i"}],
                "ephemeralContainers": [{"name": "e"}]})
        );
        assert_eq!(
            spec("resize", &old, &new).unwrap(),
            json!({"nodeName": "n", "containers": [{"name": "c", "image": "i",
                "resources": {"limits": {"cpu": "1"}}}]})
        );
        assert_eq!(spec("status", &old, &new), None);
    }
}
