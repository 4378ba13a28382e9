//! The schemas of the built-in types, from the same text as [`crate::schema`].
//!
//! Descriptions are not known and left out. A field is required that Go writes even when it is
//! empty, unless it is a struct.
//!
//! Source: `schema/types.txt`; the extensions are those of a recorded 1.33.2.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::{Map, Value, json};

use super::{Dialect, schema::GVK};

/// The types by name, and the names of the kinds' types.
struct Types {
    structs: BTreeMap<&'static str, Vec<Field>>,
    kinds: BTreeMap<(&'static str, &'static str), &'static str>,
}

#[derive(Clone, Copy)]
struct Field {
    name: &'static str,
    shape: &'static str,
    flags: &'static str,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::parse(include_str!("../schema/types.txt")));

impl Types {
    fn parse(text: &'static str) -> Self {
        let mut types = Self { structs: BTreeMap::new(), kinds: BTreeMap::new() };
        let mut current: &mut Vec<Field> = &mut Vec::new();
        for line in text.lines() {
            if let Some(field) = line.strip_prefix(' ') {
                let (name, rest) = field.split_once(' ').unwrap_or((field, "any"));
                let (shape, flags) = rest.split_once(' ').unwrap_or((rest, ""));
                current.push(Field { name, shape, flags });
                continue;
            }
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["kind", api_version, kind, name] => {
                    types.kinds.insert((api_version, kind), name);
                }
                ["type", name, ..] => current = types.structs.entry(name).or_default(),
                _ => {}
            }
        }
        types
    }
}

/// Whether what the kind holds is known.
pub(super) fn has(api_version: &str, kind: &str) -> bool {
    TYPES.kinds.contains_key(&(api_version, kind))
}

/// Adds the schema of a kind under the name that all know it by, and what that refers to. False
/// for an unknown kind.
pub(super) fn put(
    schemas: &mut Map<String, Value>,
    (api_version, kind, gvk): (&str, &str, Value),
    schema_name: &str,
    dialect: Dialect,
) -> bool {
    let Some(&name) = TYPES.kinds.get(&(api_version, kind)) else { return false };
    // A subresource's kind may be that of another resource, which has been here.
    let is_known = schemas.get(schema_name).is_some_and(|schema| schema.get(GVK).is_some());
    if !is_known {
        let mut schema = structure(name, dialect);
        schema[GVK] = json!([gvk]);
        schemas.insert(schema_name.to_owned(), schema);
    }
    put_fields(schemas, name, dialect);
    true
}

/// Adds the schema of a type that is not a kind of a resource, and what that refers to.
pub(super) fn put_type(schemas: &mut Map<String, Value>, name: &str, dialect: Dialect) {
    let Some(&name) = TYPES.structs.get_key_value(name).map(|(name, _)| name) else { return };
    schemas.insert(schema_name(name), structure(name, dialect));
    put_fields(schemas, name, dialect);
}

/// The schema of a list's metadata.
pub(super) const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

pub(super) fn list_meta() -> Value {
    json!({
        "type": "object",
        "properties": {
            "continue": {"type": "string"},
            "remainingItemCount": {"type": "integer", "format": "int64"},
            "resourceVersion": {"type": "string"},
            "selfLink": {"type": "string"},
        },
    })
}

fn put_fields(schemas: &mut Map<String, Value>, name: &str, dialect: Dialect) {
    for field in TYPES.structs.get(name).into_iter().flatten() {
        let innermost = innermost(field.shape);
        if let Some(schema) = special(innermost, dialect) {
            schemas.entry(schema_name(innermost)).or_insert(schema);
            continue;
        }
        let key = schema_name(innermost);
        if TYPES.structs.contains_key(innermost) && !schemas.contains_key(&key) {
            schemas.insert(key, structure(innermost, dialect));
            put_fields(schemas, innermost, dialect);
        }
    }
}

fn structure(name: &str, dialect: Dialect) -> Value {
    let fields = TYPES.structs.get(name).map(Vec::as_slice).unwrap_or_default();
    let mut sorted: Vec<&Field> = fields.iter().collect();
    sorted.sort_by_key(|field| field.name);
    let properties: Map<String, Value> =
        sorted.iter().map(|field| (field.name.to_owned(), field.to_schema(dialect))).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    let required: Vec<&str> =
        sorted.iter().filter(|field| field.is_required(name)).map(|field| field.name).collect();
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

impl Field {
    fn words(&self, mark: char) -> impl Iterator<Item = &'static str> {
        self.flags.split(' ').filter_map(move |word| word.strip_prefix(mark))
    }

    fn is_required(&self, of: &str) -> bool {
        // A role may be without rules, though Go writes them always; times may be zero.
        let may_lack = matches!(of, "rbac.v1.ClusterRole" | "rbac.v1.Role")
            || matches!(self.shape, "time" | "microtime");
        self.words('!').any(|zero| zero != "{}") && !may_lack
    }

    fn to_schema(self, dialect: Dialect) -> Value {
        let mut schema = shape(self.shape, dialect);
        let mut extensions = Map::new();
        for strategy in self.words('@') {
            let (strategy, key) = match strategy.split_once(':') {
                Some((strategy, key)) => (strategy, Some(key)),
                None => (strategy, None),
            };
            extensions.insert("x-kubernetes-patch-strategy".into(), strategy.into());
            if let Some(key) = key {
                extensions.insert("x-kubernetes-patch-merge-key".into(), key.into());
            }
        }
        if extensions.is_empty() {
            return schema;
        }
        if dialect == Dialect::V3 && schema.get("$ref").is_some() {
            // Beside a reference nothing counts.
            schema = json!({"allOf": [schema]});
        }
        if let Some(members) = schema.as_object_mut() {
            members.append(&mut extensions);
        }
        schema
    }
}

/// What the innermost elements of a type's lists and maps are.
fn innermost(shape: &str) -> &str {
    let shape = shape.trim_start_matches('*');
    match shape.split_once([']', '}']) {
        Some((_, element)) => innermost(element),
        None => shape,
    }
}

fn shape(text: &str, dialect: Dialect) -> Value {
    let text = text.trim_start_matches('*');
    if let Some((keys, element)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let mut list = json!({"type": "array", "items": shape(element, dialect)});
        match keys {
            "" => {}
            "=" => list["x-kubernetes-list-type"] = "set".into(),
            keys => {
                list["x-kubernetes-list-type"] = "map".into();
                list["x-kubernetes-list-map-keys"] = keys.split(',').collect();
            }
        }
        return list;
    }
    if let Some((_, element)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        return json!({"type": "object", "additionalProperties": shape(element, dialect)});
    }
    match text {
        "boolean" | "string" => json!({"type": text}),
        "bytes" => json!({"type": "string", "format": "byte"}),
        "int32" | "int64" => json!({"type": "integer", "format": text}),
        "float64" => json!({"type": "number", "format": "double"}),
        "any" => json!({"x-kubernetes-preserve-unknown-fields": true}),
        named => dialect.reference(&schema_name(named)),
    }
}

/// The schemas of what has its own way of being read.
fn special(name: &str, dialect: Dialect) -> Option<Value> {
    Some(match (name, dialect) {
        ("time" | "microtime", _) => json!({"type": "string", "format": "date-time"}),
        ("duration", _) | ("quantity", Dialect::V2) => json!({"type": "string"}),
        ("quantity", Dialect::V3) => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        ("intorstring", Dialect::V2) => json!({"type": "string", "format": "int-or-string"}),
        ("intorstring", Dialect::V3) => json!({
            "format": "int-or-string",
            "oneOf": [{"type": "integer"}, {"type": "string"}],
        }),
        _ => return None,
    })
}

/// `io.k8s.api.core.v1.Container` of `core.v1.Container`.
fn schema_name(name: &str) -> String {
    let package = match name {
        "time" => return "io.k8s.apimachinery.pkg.apis.meta.v1.Time".to_owned(),
        "microtime" => return "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime".to_owned(),
        "duration" => return "io.k8s.apimachinery.pkg.apis.meta.v1.Duration".to_owned(),
        "quantity" => return "io.k8s.apimachinery.pkg.api.resource.Quantity".to_owned(),
        "intorstring" => return "io.k8s.apimachinery.pkg.util.intstr.IntOrString".to_owned(),
        name if name.starts_with("meta.") => "io.k8s.apimachinery.pkg.apis",
        name if name.starts_with("apiextensions.") => "io.k8s.apiextensions-apiserver.pkg.apis",
        name if name.starts_with("apiregistration.") => "io.k8s.kube-aggregator.pkg.apis",
        _ => "io.k8s.api",
    };
    format!("{package}.{name}")
}
