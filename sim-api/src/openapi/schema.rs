//! The schemas of kinds.

use serde_json::{Map, Value, json};

use super::Dialect;
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
pub(super) fn shared() -> Map<String, Value> {
    let open = |description: &str| {
        json!({
            "type": "object",
            "description": description,
            "x-kubernetes-preserve-unknown-fields": true,
        })
    };
    [
        (DELETE_OPTIONS, open("How to delete.")),
        (PATCH, open("A patch, in the form that its Content-Type says.")),
        (STATUS, open("The outcome of an operation that answers with no object.")),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

/// Adds the schemas of the resource's kind, its list and its subresources' kinds.
pub(super) fn put(schemas: &mut Map<String, Value>, resource: &Resource, dialect: Dialect) {
    let own = Gvk::of(resource);
    let item = dialect.reference(&own.schema_name());
    schemas.insert(own.schema_name(), kind(&own));
    if resource.has_verb("list") {
        let list = Gvk::list_of(resource);
        let mut schema = kind(&list);
        schema["properties"]["items"] =
            json!({"type": "array", "description": "The objects.", "items": item});
        schema["required"] = json!(["items"]);
        schemas.insert(list.schema_name(), schema);
    }
    for sub in resource.subresources.iter().filter(|sub| !is_connection(sub)) {
        let gvk = Gvk::of_subresource(resource, sub);
        schemas.entry(gvk.schema_name()).or_insert_with(|| kind(&gvk));
    }
}

/// Whether a subresource leads elsewhere, to a node or into a pod, and has no objects.
pub(super) fn is_connection(sub: &Subresource) -> bool {
    sub.kind.ends_with("Options")
}

fn kind(gvk: &Gvk) -> Value {
    let api_version = match gvk.group.as_str() {
        "" => gvk.version.clone(),
        group => format!("{group}/{}", gvk.version),
    };
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
pub(super) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
pub(super) const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
