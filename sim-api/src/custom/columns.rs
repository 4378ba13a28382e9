//! `additionalPrinterColumns`: the columns of a custom resource's Tables.
//!
//! Source: `pkg/registry/customresource/tableconvertor` and `customresource_handler.go` of
//! k8s.io/apiextensions-apiserver.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json_path::JsonPath;
use crate::{encode, table};

/// The columns after the name.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The definitions of all, the name among them, as in a Table.
    pub(crate) json: Vec<u8>,
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    kind: String,
    path: Option<JsonPath>,
}

impl Columns {
    pub(super) fn new(given: Option<&Value>) -> Self {
        let given = given.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let age = json!([{
            "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp",
            "description": table::text("created"),
        }]);
        // Without columns of its own a resource has its age.
        let own_age = age.as_array().map(Vec::as_slice).unwrap_or_default();
        let given = if given.is_empty() { own_age } else { given };
        let mut definitions = vec![json!({
            "name": "Name", "type": "string", "format": "name",
            "description": table::text("name"), "priority": 0,
        })];
        let mut columns = Vec::with_capacity(given.len());
        for column in given {
            let text = |key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default();
            let path = text("jsonPath");
            let description = match text("description") {
                "" => format!("Custom resource definition column (in JSONPath format): {path}"),
                given => given.to_owned(),
            };
            definitions.push(json!({
                "name": text("name"),
                "type": text("type"),
                "format": text("format"),
                "description": description,
                "priority": column.get("priority").and_then(Value::as_i64).unwrap_or_default(),
            }));
            columns.push(Column { kind: text("type").to_owned(), path: JsonPath::parse(path) });
        }
        Self { json: encode::to_json(&Value::Array(definitions)), columns }
    }

    /// The cells of an object.
    pub(crate) fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let name = object.pointer("/metadata/name").cloned().unwrap_or_default();
        let mut cells = vec![name];
        cells.extend(self.columns.iter().map(|column| {
            let found = column.path.as_ref().map(|path| path.find(object)).unwrap_or_default();
            found.first().map_or(Value::Null, |value| cell(&column.kind, value, now))
        }));
        cells
    }
}

fn cell(kind: &str, value: &Value, now: Timestamp) -> Value {
    match (kind, value) {
        ("string", Value::Null) => "<nil>".into(),
        ("string", Value::String(text)) => text.as_str().into(),
        ("string", Value::Array(_) | Value::Object(_)) => {
            String::from_utf8_lossy(&encode::to_json(value)).into_owned().into()
        }
        ("string", value) => value.to_string().into(),
        ("integer", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => number.into(),
            #[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
            (None, Some(number)) => (number as i64).into(),
            _ => Value::Null,
        },
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(at) => table::human_duration(now.duration_since(at)).into(),
            Err(_) => "<invalid>".into(),
        },
        _ => Value::Null,
    }
}
