//! What may be done at a path.

use serde_json::{Map, Value, json};

use super::{
    Dialect,
    parameter::{self, Parameter},
    schema::{self, Gvk},
    types,
};

/// A method at a path.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// In lower case.
    pub(super) method: &'static str,
    /// The value of `x-kubernetes-action`.
    pub(super) action: &'static str,
    /// Unique in a document.
    pub(super) id: String,
    /// `apps_v1`.
    pub(super) tag: String,
    pub(super) gvk: Gvk,
    /// The name of the schema of a success; `None` for text.
    pub(super) reply: Option<String>,
}

impl Operation {
    pub(super) fn to_value(&self, dialect: Dialect) -> Value {
        let mut value = Map::new();
        let mut put = |key: &str, member: Value| value.insert(key.to_owned(), member);
        put("tags", json!([self.tag]));
        put("operationId", self.id.as_str().into());
        let mut parameters: Vec<Value> =
            self.parameters().iter().map(|parameter| parameter.to_value(dialect)).collect();
        if let Some((body, media_types)) = self.body() {
            let schema = dialect.reference(&body);
            match dialect {
                Dialect::V2 => {
                    parameters.push(json!({"name": "body", "in": "body", "schema": schema}));
                    put("consumes", json!(media_types));
                }
                Dialect::V3 => {
                    put("requestBody", json!({"content": content(media_types, &schema)}));
                }
            }
        }
        if !parameters.is_empty() {
            put("parameters", Value::Array(parameters));
        }
        if dialect == Dialect::V2 {
            put("produces", json!(self.media_types()));
        }
        put("responses", self.responses(dialect));
        put("x-kubernetes-action", self.action.into());
        put("x-kubernetes-group-version-kind", self.gvk.to_value());
        Value::Object(value)
    }

    fn parameters(&self) -> &'static [Parameter] {
        match self.action {
            "delete" | "deletecollection" => parameter::DELETE,
            "list" => parameter::LIST,
            "patch" => parameter::PATCH,
            "post" | "put" => parameter::WRITE,
            _ => &[],
        }
    }

    /// The name of the schema of what is sent, and in which forms.
    fn body(&self) -> Option<(String, &'static [&'static str])> {
        match self.action {
            "delete" | "deletecollection" => Some((schema::DELETE_OPTIONS.to_owned(), ANY)),
            "patch" => {
                let merges = types::has(&self.gvk.api_version(), &self.gvk.kind);
                let forms = if merges { PATCHES } else { OTHER_PATCHES };
                Some((schema::PATCH.to_owned(), forms))
            }
            "post" | "put" => Some((self.gvk.schema_name(), ANY)),
            _ => None,
        }
    }

    fn media_types(&self) -> &'static [&'static str] {
        match (self.action, &self.reply) {
            ("connect", _) => ANY,
            (_, None) => TEXT_OR_OBJECTS,
            ("list", _) => STREAMS,
            _ => OBJECTS,
        }
    }

    fn responses(&self, dialect: Dialect) -> Value {
        let schema = match &self.reply {
            Some(name) => dialect.reference(name),
            None => json!({"type": "string"}),
        };
        let mut responses = Map::new();
        for &(code, description) in self.successes() {
            let mut response = json!({"description": description});
            match dialect {
                Dialect::V2 => response["schema"] = schema.clone(),
                Dialect::V3 => response["content"] = content(self.media_types(), &schema),
            }
            responses.insert(code.to_owned(), response);
        }
        responses.insert("401".to_owned(), json!({"description": "Unauthorized"}));
        Value::Object(responses)
    }

    fn successes(&self) -> &'static [(&'static str, &'static str)] {
        const OK: (&str, &str) = ("200", "OK");
        const CREATED: (&str, &str) = ("201", "Created");
        const ACCEPTED: (&str, &str) = ("202", "Accepted");
        match self.action {
            "delete" => &[OK, ACCEPTED],
            "patch" | "put" => &[OK, CREATED],
            "post" => &[OK, CREATED, ACCEPTED],
            _ => &[OK],
        }
    }
}

fn content(media_types: &[&str], schema: &Value) -> Value {
    let entries = media_types.iter();
    Value::Object(
        entries.map(|&name| (name.to_owned(), json!({"schema": schema.clone()}))).collect(),
    )
}

const ANY: &[&str] = &["*/*"];
const OBJECTS: &[&str] =
    &["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"];
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];
/// Of custom kinds and those whose merge keys are not known.
const OTHER_PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];
const STREAMS: &[&str] = &[
    "application/json",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf",
    "application/vnd.kubernetes.protobuf;stream=watch",
    "application/yaml",
];
const TEXT_OR_OBJECTS: &[&str] =
    &["application/json", "application/vnd.kubernetes.protobuf", "application/yaml", "text/plain"];
