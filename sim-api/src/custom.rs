//! Custom resources: what a version of a CustomResourceDefinition says about its objects.
//!
//! A [`Custom`] is made once, when its definition changes, and hangs on the version's
//! [`Resource`]. It reads objects ([`Custom::read`]: defaults, pruning), validates them, tells
//! their types to apply, their columns to Tables and their schema to OpenAPI.
//!
//! # Bounds
//!
//! Schemas and expressions come from clients. Bodies nest at most 128 levels and schemas 80;
//! patterns are compiled by an engine that runs in linear time, to at most a megabyte each;
//! expressions have a budget of steps (`cel`).
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/registry/customresource`, `pkg/apiserver/schema`
//! and `pkg/apiserver/customresource_handler.go`, release-1.33.

mod coerce;
mod columns;
mod defaults;
mod embedded;
mod field_path;
mod json_path;
mod list;
mod path;
mod pattern;
mod props;
mod rules;
mod scale;
pub(crate) mod text;
mod validate;
mod warnings;

use std::{fmt, sync::Arc};

use serde_json::{Map, Value, json};

pub use self::{
    columns::Columns,
    path::Path,
    pattern::Patterns,
    props::{Additional, Props, Rule},
    scale::Scale,
};
pub(crate) use self::{
    defaults::default_errors, field_path::field_path, pattern::compile as compile_pattern,
    rules::rule_errors,
};
use self::{json_path::JsonPath, rules::Rules};
use crate::{
    Resource, Status, Subresource,
    list_options::FieldValidation,
    resources::{Conversion, Str},
    schema::Schema,
    status::{Result, StatusCause},
};

/// What is known of the objects of one version of a custom resource.
pub struct Custom {
    /// The name of its CustomResourceDefinition.
    pub definition: String,
    /// The uid of that.
    pub uid: String,
    /// Whether the definition is being deleted: then nothing can be created.
    pub is_terminating: bool,
    /// What is said to whoever uses the version, as it is deprecated.
    pub deprecation: Option<String>,
    /// What is said to whoever uses the version where a webhook should convert its objects.
    pub unconverted: Option<String>,
    /// `openAPIV3Schema` as it was given.
    pub openapi: Value,
    /// The same, read.
    pub schema: Props,
    /// How its Tables look.
    pub columns: Columns,
    /// The paths of the scale subresource, if there is one.
    pub scale: Option<Scale>,
    /// Whether all unknown members are kept: `spec.preserveUnknownFields`.
    preserves_unknown: bool,
    has_status: bool,
    patterns: Patterns,
    rules: Option<Rules>,
    types: Arc<Schema>,
    selectable: Vec<(String, JsonPath)>,
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { definition, uid, openapi, is_terminating, .. } = self;
        f.debug_struct("Custom")
            .field("definition", definition)
            .field("uid", uid)
            .field("is_terminating", is_terminating)
            .field("openapi", openapi)
            .finish_non_exhaustive()
    }
}

/// Two are the same when one definition said the same twice.
impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.definition == other.definition
            && self.uid == other.uid
            && self.is_terminating == other.is_terminating
            && self.openapi == other.openapi
    }
}

impl Eq for Custom {}

/// The resources that a CustomResourceDefinition serves, one a version; none before its names
/// are accepted.
pub fn resources(crd: &Value) -> Vec<Resource> {
    let is_true = |wanted: &str| {
        let conditions = crd.pointer("/status/conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|condition| {
            condition.get("type").and_then(Value::as_str) == Some(wanted)
                && condition.get("status").and_then(Value::as_str) == Some("True")
        })
    };
    if !is_true("Established") && !is_true("NamesAccepted") {
        return Vec::new();
    }
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array);
    let versions: Vec<&Value> = versions.into_iter().flatten().collect();
    let flag = |version: &Value, key: &str| version.get(key).and_then(Value::as_bool) == Some(true);
    let stored = versions.iter().find(|version| flag(version, "storage"));
    let stored = stored.and_then(|version| version.get("name")?.as_str()).unwrap_or_default();
    versions
        .iter()
        .filter(|version| flag(version, "served"))
        .filter_map(|version| resource(crd, version, stored, is_true("Terminating")))
        .collect()
}

fn resource(crd: &Value, version: &Value, stored: &str, is_terminating: bool) -> Option<Resource> {
    let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let texts = |pointer: &str| -> Vec<Str> {
        let items = crd.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| Some(item.as_str()?.to_owned().into())).collect()
    };
    let owned = |text: &str| -> Str { text.to_owned().into() };
    let name = version.get("name")?.as_str()?;
    let kind = text("/status/acceptedNames/kind");
    let mut resource = Resource::new(
        owned(text("/spec/group")),
        owned(name),
        owned(text("/status/acceptedNames/plural")),
        owned(text("/status/acceptedNames/singular")),
        owned(kind),
    );
    let openapi = version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or(json!({}));
    let schema = Props::parse(&openapi)?;
    let has = |key: &str| version.get("subresources").and_then(|subs| subs.get(key)).is_some();
    let custom = Custom {
        definition: text("/metadata/name").to_owned(),
        uid: text("/metadata/uid").to_owned(),
        is_terminating,
        deprecation: deprecation(&resource, version),
        unconverted: (text("/spec/conversion/strategy") == "Webhook" && stored != name).then(|| {
            let definition = text("/metadata/name");
            format!(
                "the conversion webhook of {definition} was not called: apisim shows objects as \
                 they are stored, by the schema of this version"
            )
        }),
        columns: Columns::new(version.get("additionalPrinterColumns")),
        scale: version.pointer("/subresources/scale").and_then(Scale::parse),
        preserves_unknown: crd.pointer("/spec/preserveUnknownFields") == Some(&Value::Bool(true)),
        has_status: has("status"),
        patterns: Patterns::of(&schema),
        rules: Rules::of(&schema),
        types: Arc::new(Schema::from_structural(resource.api_version(), kind, &openapi)),
        selectable: selectable(version),
        schema,
        openapi,
    };
    resource.namespaced = text("/spec/scope") == "Namespaced";
    resource.short_names = texts("/status/acceptedNames/shortNames");
    resource.categories = texts("/status/acceptedNames/categories");
    let list_kind = text("/status/acceptedNames/listKind");
    resource.set_list_kind(list_kind);
    let verbs = if is_terminating { TERMINATING_VERBS } else { VERBS };
    resource.verbs = verbs.iter().map(|&verb| verb.into()).collect();
    let sub_verbs = || ["get", "patch", "update"].map(Str::from).to_vec();
    if custom.has_status {
        resource.subresources.push(Subresource {
            name: "status".into(),
            group: "".into(),
            version: "".into(),
            kind: owned(kind),
            verbs: sub_verbs(),
        });
    }
    if custom.scale.is_some() {
        resource.subresources.push(Subresource {
            name: "scale".into(),
            group: "autoscaling".into(),
            version: "v1".into(),
            kind: "Scale".into(),
            verbs: sub_verbs(),
        });
    }
    let mut fields: Vec<Str> = vec!["metadata.name".into(), "metadata.namespace".into()];
    fields.extend(custom.selectable.iter().map(|(name, _)| owned(name)));
    resource.selectable_fields = Some(fields);
    resource.counts_generation = true;
    resource.updates_unconditionally = false;
    resource.stored_as = format!("{}/{stored}/{kind}", resource.group).into();
    if stored != name {
        resource.conversion = Conversion::Custom;
    }
    resource.custom = Some(Arc::new(custom));
    Some(resource)
}

fn selectable(version: &Value) -> Vec<(String, JsonPath)> {
    let fields = version.get("selectableFields").and_then(Value::as_array);
    let paths = fields.into_iter().flatten().filter_map(|field| field.get("jsonPath")?.as_str());
    paths
        .filter_map(|path| {
            let name = path.strip_prefix('.').unwrap_or(path);
            Some((name.to_owned(), JsonPath::parse(path)?))
        })
        .collect()
}

/// Source: `getOrCreateServingInfoFor`, the default warning of a deprecated version.
fn deprecation(resource: &Resource, version: &Value) -> Option<String> {
    if version.get("deprecated").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let given = version.get("deprecationWarning").and_then(Value::as_str);
    let own = || format!("{} {} is deprecated", resource.api_version(), resource.kind);
    Some(given.map_or_else(own, str::to_owned))
}

impl Custom {
    /// The types of its objects.
    pub fn types(&self) -> &Arc<Schema> {
        &self.types
    }

    /// What becomes of an object that comes from a client, or that a patch has made: defaults are
    /// set, unknown members are dropped. Tells what is to be warned of.
    ///
    /// # Errors
    ///
    /// 400 where unknown members are to be refused; 422 for a patch.
    pub fn read(
        &self,
        resource: &Resource,
        mut object: Value,
        old: Option<&Value>,
        validation: FieldValidation,
        is_patch: bool,
    ) -> Result<(Value, Vec<String>)> {
        let mut unknown = Vec::new();
        let given = (is_patch && validation == FieldValidation::Strict).then(|| object.clone());
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            unknown = coerce::metadata(metadata);
        }
        unknown.append(&mut self.settle(&mut object));
        let mut warnings = warnings::of_finalizers(&object, old);
        if unknown.is_empty() || validation == FieldValidation::Ignore {
            return Ok((object, warnings));
        }
        let mut unknown: Vec<String> =
            unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
        if let Some(mut given) = given {
            coerce::sort(&mut given);
            let given = String::from_utf8_lossy(&crate::encode::to_json(&given)).into_owned();
            let detail = format!("strict decoding error: {}", unknown.join(", "));
            let cause = StatusCause::invalid_text("patch", &given, &detail);
            return Err(Status::invalid("", "", "", vec![cause]));
        }
        if validation == FieldValidation::Strict {
            let kind = &resource.kind;
            return Err(Status::bad_request(format!(
                "{kind} in version {} cannot be handled as a {kind}: strict decoding error: {}",
                crate::go::quote(&resource.version),
                unknown.join(", ")
            )));
        }
        unknown.append(&mut warnings);
        Ok((object, unknown))
    }

    /// Sets defaults and prunes; tells the paths of what went.
    fn settle(&self, object: &mut Value) -> Vec<String> {
        coerce::default(object, &self.schema);
        let mut unknown = Vec::new();
        if !self.preserves_unknown {
            unknown = coerce::prune(object, &self.schema);
            coerce::drop_nulls(object, Some(&self.schema));
        }
        coerce::sort(object);
        unknown
    }

    /// A stored object as this version shows it, where another version or schema has written it.
    pub(crate) fn show(&self, object: &mut Value) {
        self.settle(object);
    }

    /// What is wrong with an object that is created, beyond its metadata.
    pub(crate) fn create_errors(&self, object: &Value) -> Vec<StatusCause> {
        let mut causes = validate::on_create(object, &self.schema, &self.patterns);
        if let Some(scale) = &self.scale {
            scale.spec_errors(object, &mut causes);
            scale.status_errors(object, &mut causes);
        }
        causes.append(&mut embedded::errors(object, &self.schema));
        causes.append(&mut list::duplicates(object, &self.schema));
        self.rules(object, None, &mut causes);
        causes
    }

    /// What is wrong with an object that replaces another, beyond its metadata.
    pub(crate) fn update_errors(
        &self,
        subresource: &str,
        object: &Value,
        old: &Value,
    ) -> Vec<StatusCause> {
        let mut causes = Vec::new();
        if subresource == "status" {
            let status = self.schema.properties.get("status");
            if let (Some(schema), Some(status)) = (status, object.get("status")) {
                let at = Path::ROOT;
                let at = at.member("status");
                let old = old.get("status");
                causes = validate::on_update(status, old, schema, &self.patterns, &at);
            }
        } else {
            let (schema, patterns) = (&self.schema, &self.patterns);
            causes = validate::on_update(object, Some(old), schema, patterns, &Path::ROOT);
        }
        if let Some(scale) = &self.scale {
            if subresource != "status" {
                scale.spec_errors(object, &mut causes);
            }
            scale.status_errors(object, &mut causes);
        }
        if subresource != "status" {
            causes.append(&mut embedded::errors(object, &self.schema));
        }
        if list::duplicates(old, &self.schema).is_empty() {
            causes.append(&mut list::duplicates(object, &self.schema));
        }
        self.rules(object, Some(old), &mut causes);
        causes
    }

    /// The rules in CEL, which are asked only of objects that are otherwise well formed.
    fn rules(&self, object: &Value, old: Option<&Value>, causes: &mut Vec<StatusCause>) {
        let Some(rules) = &self.rules else { return };
        if causes.iter().any(StatusCause::blocks_rules) {
            causes.push(StatusCause::invalid_text(
                "<nil>",
                "null",
                "some validation rules were not checked because the object was invalid; correct \
                 the existing errors to complete validation",
            ));
            return;
        }
        rules.check(object, old, &self.schema, &Path::ROOT, causes);
    }

    /// The values of the selectable fields of an object without its kind.
    pub(crate) fn selectable_values(
        &self,
        members: &Map<String, Value>,
    ) -> impl Iterator<Item = (&str, String)> {
        self.selectable.iter().map(|(name, path)| {
            let found = path.find_in(members);
            let text = match found.first() {
                None | Some(Value::Null) => String::new(),
                Some(value) => crate::go::print(value),
            };
            (name.as_str(), text)
        })
    }

    /// What the strategy does to an object that is created: its status is not the client's.
    pub(crate) fn prepare_create(&self, members: &mut Map<String, Value>) {
        if self.has_status {
            members.shift_remove("status");
        }
    }

    /// Whether the status counts for the generation, as it is no subresource.
    pub(crate) fn status_counts(&self) -> bool {
        !self.has_status
    }
}

/// As discovery tells them. Source: `customresource_discovery_controller.go`.
const VERBS: &[&str] =
    &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const TERMINATING_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "watch"];
