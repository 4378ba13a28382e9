//! The scale subresource of custom resources.
//!
//! Source: `pkg/registry/customresource/{etcd,validator}.go` of k8s.io/apiextensions-apiserver.

use serde_json::{Map, Value, json};

use crate::{go, status::StatusCause};

/// Where an object has what a Scale shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scale {
    spec: String,
    status: String,
    selector: Option<String>,
}

impl Scale {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            spec: text("specReplicasPath")?,
            status: text("statusReplicasPath")?,
            selector: text("labelSelectorPath").filter(|path| !path.is_empty()),
        })
    }

    /// The Scale of an object.
    pub fn of(&self, object: &Value) -> Value {
        let mut metadata = Map::new();
        for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            let value = object.get("metadata").and_then(|metadata| metadata.get(key));
            if let Some(value) = value {
                metadata.insert(key.to_owned(), value.clone());
            }
        }
        let number = |path: &str| at(object, path).and_then(Value::as_i64).unwrap_or_default();
        let mut spec = Map::new();
        if number(&self.spec) != 0 {
            spec.insert("replicas".into(), number(&self.spec).into());
        }
        let mut status = json!({"replicas": number(&self.status)});
        let selector = self.selector.as_deref().and_then(|path| at(object, path)?.as_str());
        if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
            status["selector"] = selector.into();
        }
        json!({
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": metadata,
            "spec": spec,
            "status": status,
        })
    }

    /// Sets the replicas of an object to those of a Scale.
    pub fn set(&self, object: &mut Value, replicas: i64) {
        let mut place = object;
        for name in names(&self.spec) {
            if !place.is_object() {
                *place = json!({});
            }
            let Some(members) = place.as_object_mut() else { return };
            place = members.entry(name).or_insert(Value::Null);
        }
        *place = replicas.into();
    }

    /// The names on the way to the replicas, for who manages them.
    pub fn spec_path(&self) -> impl Iterator<Item = &str> {
        names(&self.spec)
    }

    pub(super) fn spec_errors(&self, object: &Value, causes: &mut Vec<StatusCause>) {
        replicas_error(object, &self.spec, causes);
    }

    pub(super) fn status_errors(&self, object: &Value, causes: &mut Vec<StatusCause>) {
        replicas_error(object, &self.status, causes);
        let Some(path) = &self.selector else { return };
        if let Err(error) = nested(object, path, |value| value.as_str(), "string") {
            causes.push(StatusCause::invalid(path.as_str(), "\"\"", &error));
        }
    }
}

fn replicas_error(object: &Value, path: &str, causes: &mut Vec<StatusCause>) {
    match nested(object, path, Value::as_i64, "int64") {
        Err(error) => causes.push(StatusCause::invalid(path, "0", &error)),
        Ok(Some(replicas)) if replicas < 0 => {
            let detail = "should be a non-negative integer";
            causes.push(StatusCause::invalid(path, replicas.to_string(), detail));
        }
        Ok(Some(replicas)) if replicas > i64::from(i32::MAX) => {
            let detail = format!("should be less than or equal to {}", i32::MAX);
            causes.push(StatusCause::invalid(path, replicas.to_string(), &detail));
        }
        Ok(_) => {}
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('.').unwrap_or(path).split('.')
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    names(path).try_fold(object, |value, name| value.get(name))
}

/// `unstructured.NestedInt64` and the like, with their errors.
fn nested<'a, T>(
    object: &'a Value,
    path: &str,
    read: impl Fn(&'a Value) -> Option<T>,
    wanted: &str,
) -> Result<Option<T>, String> {
    let refuse = |value: &Value, path: &str, wanted: &str| {
        Err(format!(
            ".{path} accessor error: {} is of the type {}, expected {wanted}",
            go::print(value),
            go_type(value)
        ))
    };
    let mut value = object;
    let mut passed = Vec::new();
    for name in names(path) {
        let Value::Object(members) = value else {
            return refuse(value, &passed.join("."), "map[string]interface{}");
        };
        passed.push(name);
        match members.get(name) {
            None => return Ok(None),
            Some(found) => value = found,
        }
    }
    match read(value) {
        Some(found) => Ok(Some(found)),
        None => refuse(value, &passed.join("."), wanted),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_read_and_written() {
        let scale = Scale {
            spec: ".spec.replicas".into(),
            status: ".status.replicas".into(),
            selector: Some(".status.selector".into()),
        };
        let mut object =
            json!({"metadata": {"name": "x"}, "status": {"replicas": 2, "selector": "a=b"}});
        scale.set(&mut object, 3);
        let shown = scale.of(&object);
        assert_eq!(shown["spec"], json!({"replicas": 3}));
        assert_eq!(shown["status"], json!({"replicas": 2, "selector": "a=b"}));
        let mut causes = Vec::new();
        scale.spec_errors(&json!({"spec": {"replicas": "x"}}), &mut causes);
        scale.spec_errors(&json!({"spec": {"replicas": -1}}), &mut causes);
        let texts: Vec<_> = causes.iter().map(|c| c.message.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Invalid value: 0: .spec.replicas accessor error: x is of the type string, \
                 expected int64",
                "Invalid value: -1: should be a non-negative integer"
            ]
        );
    }
}
