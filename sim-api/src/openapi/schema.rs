//! The schemas of kinds.

use serde_json::{Map, Value, json};

use super::{Dialect, types};
use crate::{Resource, resources::Subresource};

/// A kind with its group and version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Gvk {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

impl Gvk {
    pub(super) fn of(resource: &Resource) -> Self {
        Self::new(&resource.group, &resource.version, &resource.kind)
    }

    /// The kind of the resource's lists.
    fn list_of(resource: &Resource) -> Self {
        Self::new(&resource.group, &resource.version, &resource.list_kind())
    }

    pub(super) fn of_subresource(resource: &Resource, sub: &Subresource) -> Self {
        match &*sub.version {
            "" => Self::new(&resource.group, &resource.version, &sub.kind),
            version => Self::new(&sub.group, version, &sub.kind),
        }
    }

    fn new(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    pub(super) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        json!({"group": self.group, "kind": self.kind, "version": self.version})
    }

    /// `io.k8s.api.apps.v1.Deployment`; custom kinds have their group's labels reversed.
    pub(super) fn schema_name(&self) -> String {
        let Self { group, version, kind } = self;
        let package = match group.as_str() {
            "" => "io.k8s.api.core".to_owned(),
            "apiextensions.k8s.io" => {
                "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".to_owned()
            }
            "apiregistration.k8s.io" => {
                "io.k8s.kube-aggregator.pkg.apis.apiregistration".to_owned()
            }
            group if !group.contains('.') || group.ends_with(".k8s.io") => {
                format!("io.k8s.api.{}", group.split('.').next().unwrap_or_default())
            }
            group => group.rsplit('.').collect::<Vec<_>>().join("."),
        };
        format!("{package}.{version}.{kind}")
    }
}

/// The name of the schema of what a GET of the collection answers.
pub(super) fn list_name(resource: &Resource) -> String {
    Gvk::list_of(resource).schema_name()
}

/// The schemas that every document has.
pub(super) fn shared(dialect: Dialect) -> Map<String, Value> {
    let open = |description: &str| {
        json!({
            "type": "object",
            "description": description,
            "x-kubernetes-preserve-unknown-fields": true,
        })
    };
    let mut schemas: Map<String, Value> = [
        (types::LIST_META, types::list_meta()),
        (PATCH, open("A patch, in the form that its Content-Type says.")),
        (STATUS, open("The outcome of an operation that answers with no object.")),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect();
    for name in ["meta.v1.DeleteOptions", "meta.v1.ObjectMeta"] {
        types::put_type(&mut schemas, name, dialect);
    }
    schemas
}

/// Adds the schemas of the resource's kind, its list and its subresources' kinds.
pub(super) fn put(schemas: &mut Map<String, Value>, resource: &Resource, dialect: Dialect) {
    let own = Gvk::of(resource);
    let item = dialect.reference(&own.schema_name());
    match &resource.custom {
        Some(custom) => {
            schemas.insert(own.schema_name(), custom_kind(&own, &custom.openapi, dialect));
        }
        None => put_kind(schemas, &own, dialect),
    }
    if resource.has_verb("list") {
        let list = Gvk::list_of(resource);
        let schema = json!({
            "type": "object",
            "properties": {
                "apiVersion": {"type": "string"},
                "items": {"type": "array", "items": item},
                "kind": {"type": "string"},
                "metadata": dialect.reference(types::LIST_META),
            },
            "required": ["items"],
            (GVK): [list.to_value()],
        });
        schemas.insert(list.schema_name(), schema);
    }
    for sub in resource.subresources.iter().filter(|sub| !is_connection(sub)) {
        let gvk = Gvk::of_subresource(resource, sub);
        if !schemas.contains_key(&gvk.schema_name()) {
            put_kind(schemas, &gvk, dialect);
        }
    }
}

fn put_kind(schemas: &mut Map<String, Value>, gvk: &Gvk, dialect: Dialect) {
    let (api_version, name) = (gvk.api_version(), gvk.schema_name());
    if !types::put(schemas, (&api_version, &gvk.kind, gvk.to_value()), &name, dialect) {
        schemas.insert(name, kind(gvk));
    }
}

/// A custom kind, by the schema of its definition.
fn custom_kind(gvk: &Gvk, given: &Value, dialect: Dialect) -> Value {
    let Value::Object(mut schema) = given.clone() else { return kind(gvk) };
    if dialect == Dialect::V2 {
        return v2_of(&Value::Object(schema), 0).map_or_else(
            || kind(gvk),
            |mut schema| {
                schema[GVK] = json!([gvk.to_value()]);
                schema
            },
        );
    }
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        let text = || json!({"type": "string"});
        properties.insert("apiVersion".into(), text());
        properties.insert("kind".into(), text());
        properties.insert("metadata".into(), dialect.reference(OBJECT_META));
    }
    schema.entry("type").or_insert_with(|| "object".into());
    schema.insert(GVK.into(), json!([gvk.to_value()]));
    Value::Object(schema)
}

/// What version 2 can say of a schema: no choices, nothing that may be null.
///
/// Source: `ToStructuralOpenAPIV2` of k8s.io/apiextensions-apiserver.
fn v2_of(schema: &Value, depth: usize) -> Option<Value> {
    let schema = schema.as_object().filter(|_| depth < DEPTH_MAX)?;
    let is_open =
        ["nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"]
            .iter()
            .any(|key| schema.get(*key).is_some_and(|value| value == true));
    if is_open && depth > 0 {
        return Some(json!({}));
    }
    let mut kept = Map::new();
    for (key, value) in schema {
        let value = match (key.as_str(), value) {
            ("oneOf" | "anyOf" | "allOf" | "not" | "default" | "nullable", _) => continue,
            ("properties", Value::Object(properties)) => properties
                .iter()
                .filter_map(|(name, schema)| Some((name.clone(), v2_of(schema, depth + 1)?)))
                .collect(),
            ("items" | "additionalProperties", Value::Object(_)) => {
                let Some(schema) = v2_of(value, depth + 1) else { continue };
                schema
            }
            (_, value) => value.clone(),
        };
        kept.insert(key.clone(), value);
    }
    Some(Value::Object(kept))
}

/// Schemas within each other.
const DEPTH_MAX: usize = 64;

/// Whether a subresource leads elsewhere, to a node or into a pod, and has no objects.
pub(super) fn is_connection(sub: &Subresource) -> bool {
    sub.kind.ends_with("Options")
}

/// A kind of which nothing else is known.
fn kind(gvk: &Gvk) -> Value {
    let api_version = gvk.api_version();
    json!({
        "type": "object",
        "description": format!("{} of {api_version}.", gvk.kind),
        "properties": {
            "apiVersion": {"type": "string", "description": "The group and version of the object's form."},
            "kind": {"type": "string", "description": "The kind of object."},
            "metadata": {
                "type": "object",
                "description": "What all objects have: name, labels and the like.",
                "x-kubernetes-preserve-unknown-fields": true,
            },
        },
        "x-kubernetes-group-version-kind": [gvk.to_value()],
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

pub(super) const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
pub(super) const GVK: &str = "x-kubernetes-group-version-kind";
pub(super) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
pub(super) const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
