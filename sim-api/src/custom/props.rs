//! `JSONSchemaProps`: a schema as a CustomResourceDefinition has it.
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apis/apiextensions/types_jsonschema.go`.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

/// A schema, or a part of one. What has the wrong type counts as absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Props {
    /// `type`.
    pub kind: String,
    /// `format`.
    pub format: String,
    /// `title`.
    pub title: String,
    /// `description`.
    pub description: String,
    /// `nullable`.
    pub nullable: bool,
    /// `default`.
    pub default: Option<Value>,
    /// `maximum`.
    pub maximum: Option<Number>,
    /// `exclusiveMaximum`.
    pub exclusive_maximum: bool,
    /// `minimum`.
    pub minimum: Option<Number>,
    /// `exclusiveMinimum`.
    pub exclusive_minimum: bool,
    /// `maxLength`.
    pub max_length: Option<i64>,
    /// `minLength`.
    pub min_length: Option<i64>,
    /// `pattern`.
    pub pattern: String,
    /// `maxItems`.
    pub max_items: Option<i64>,
    /// `minItems`.
    pub min_items: Option<i64>,
    /// `uniqueItems`.
    pub unique_items: bool,
    /// `multipleOf`.
    pub multiple_of: Option<Number>,
    /// `enum`.
    pub choices: Vec<Value>,
    /// `maxProperties`.
    pub max_properties: Option<i64>,
    /// `minProperties`.
    pub min_properties: Option<i64>,
    /// `required`.
    pub required: Vec<String>,
    /// `items`, where it is one schema.
    pub items: Option<Box<Self>>,
    /// Whether `items` is a list of schemas.
    pub has_item_list: bool,
    /// `allOf`.
    pub all_of: Vec<Self>,
    /// `oneOf`.
    pub one_of: Vec<Self>,
    /// `anyOf`.
    pub any_of: Vec<Self>,
    /// `not`.
    pub not: Option<Box<Self>>,
    /// `properties`.
    pub properties: BTreeMap<String, Self>,
    /// `additionalProperties`.
    pub additional: Option<Additional>,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub preserve_unknown: Option<bool>,
    /// `x-kubernetes-embedded-resource`.
    pub embedded_resource: bool,
    /// `x-kubernetes-int-or-string`.
    pub int_or_string: bool,
    /// `x-kubernetes-list-map-keys`.
    pub list_map_keys: Vec<String>,
    /// `x-kubernetes-list-type`.
    pub list_type: Option<String>,
    /// `x-kubernetes-map-type`.
    pub map_type: Option<String>,
    /// `x-kubernetes-validations`.
    pub rules: Vec<Rule>,
    /// Members that no structural schema may have, by their names in JSON.
    pub unsupported: Vec<&'static str>,
}

/// `additionalProperties`.
#[derive(Clone, Debug, PartialEq)]
pub enum Additional {
    /// Whether there may be any.
    Allowed(bool),
    /// What they are.
    Schema(Box<Props>),
}

/// One of `x-kubernetes-validations`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// The expression that must be true.
    pub rule: String,
    /// What is said when it is not.
    pub message: String,
    /// An expression for what is said.
    pub message_expression: String,
    /// The reason of the cause.
    pub reason: Option<String>,
    /// The member that the cause is about.
    pub field_path: String,
    /// Whether `oldSelf` is an optional value, so that the rule holds for new values too.
    pub optional_old_self: Option<bool>,
}

impl Props {
    /// Reads a schema; `None` where it is nested deeper than anybody writes one.
    pub fn parse(value: &Value) -> Option<Self> {
        read(value, 0)
    }

    /// The schema of the members that are no property of their own.
    pub fn additional_schema(&self) -> Option<&Self> {
        match &self.additional {
            Some(Additional::Schema(schema)) => Some(schema),
            _ => None,
        }
    }

    /// `x-kubernetes-preserve-unknown-fields: true`.
    pub fn preserves_unknown(&self) -> bool {
        self.preserve_unknown == Some(true)
    }

    /// Whether it or any schema below it fulfils a condition.
    pub fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self) || self.below().any(|below| below.any(is))
    }

    /// The schemas one level below.
    pub fn below(&self) -> impl Iterator<Item = &Self> {
        self.items
            .as_deref()
            .into_iter()
            .chain(&self.all_of)
            .chain(&self.any_of)
            .chain(&self.one_of)
            .chain(self.not.as_deref())
            .chain(self.properties.values())
            .chain(self.additional_schema())
    }
}

fn read(value: &Value, depth: usize) -> Option<Props> {
    if depth > DEPTH_MAX {
        return None;
    }
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let opt_text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let flag = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or_default();
    let int = |key: &str| value.get(key).and_then(Value::as_i64);
    let number = |key: &str| value.get(key).and_then(Value::as_number).cloned();
    let one = |key: &str| match value.get(key) {
        Some(found @ Value::Object(_)) => read(found, depth + 1).map(|props| Some(Box::new(props))),
        _ => Some(None),
    };
    let many = |key: &str| -> Option<Vec<Props>> {
        let items = value.get(key).and_then(Value::as_array).into_iter().flatten();
        items.map(|item| read(item, depth + 1)).collect()
    };
    let texts = |key: &str| -> Vec<String> {
        let items = value.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let mut properties = BTreeMap::new();
    for (name, property) in value.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        properties.insert(name.clone(), read(property, depth + 1)?);
    }
    let additional = match value.get("additionalProperties") {
        Some(Value::Bool(allowed)) => Some(Additional::Allowed(*allowed)),
        Some(schema @ Value::Object(_)) => {
            Some(Additional::Schema(Box::new(read(schema, depth + 1)?)))
        }
        _ => None,
    };
    let is_there = |key: &str| match value.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(_) => true,
    };
    Some(Props {
        kind: text("type"),
        format: text("format"),
        title: text("title"),
        description: text("description"),
        nullable: flag("nullable"),
        default: value.get("default").filter(|value| !value.is_null()).cloned(),
        maximum: number("maximum"),
        exclusive_maximum: flag("exclusiveMaximum"),
        minimum: number("minimum"),
        exclusive_minimum: flag("exclusiveMinimum"),
        max_length: int("maxLength"),
        min_length: int("minLength"),
        pattern: text("pattern"),
        max_items: int("maxItems"),
        min_items: int("minItems"),
        unique_items: flag("uniqueItems"),
        multiple_of: number("multipleOf"),
        choices: value.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        max_properties: int("maxProperties"),
        min_properties: int("minProperties"),
        required: texts("required"),
        items: one("items")?,
        has_item_list: value.get("items").is_some_and(Value::is_array),
        all_of: many("allOf")?,
        one_of: many("oneOf")?,
        any_of: many("anyOf")?,
        not: one("not")?,
        properties,
        additional,
        preserve_unknown: value
            .get("x-kubernetes-preserve-unknown-fields")
            .and_then(Value::as_bool),
        embedded_resource: flag("x-kubernetes-embedded-resource"),
        int_or_string: flag("x-kubernetes-int-or-string"),
        list_map_keys: texts("x-kubernetes-list-map-keys"),
        list_type: opt_text("x-kubernetes-list-type"),
        map_type: opt_text("x-kubernetes-map-type"),
        rules: value
            .get("x-kubernetes-validations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(rule)
            .collect(),
        unsupported: UNSUPPORTED.into_iter().filter(|key| is_there(key)).collect(),
    })
}

fn rule(value: &Value) -> Rule {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Rule {
        rule: text("rule"),
        message: text("message"),
        message_expression: text("messageExpression"),
        reason: value.get("reason").and_then(Value::as_str).map(str::to_owned),
        field_path: text("fieldPath"),
        optional_old_self: value.get("optionalOldSelf").and_then(Value::as_bool),
    }
}

/// In the order in which the real server looks for them.
const UNSUPPORTED: [&str; 7] = [
    "id",
    "$schema",
    "$ref",
    "patternProperties",
    "dependencies",
    "additionalItems",
    "definitions",
];

/// Levels of a schema. A JSON body is refused at 128 levels, of which a schema takes two each.
const DEPTH_MAX: usize = 80;
