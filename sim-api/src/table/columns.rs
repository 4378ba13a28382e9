//! Column definitions, from `columns.json`.
//!
//! The file has the kinds under the key of their store, each with its columns as name, type,
//! format, priority and description; a description that begins with `@` stands for one of the
//! texts at the file's head. A form that holds `until` a minor release comes after the one that
//! holds now, with the order in which it has that one's cells.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Release, Resource, encode};

/// The columns of a kind.
#[derive(Debug)]
pub(super) struct Columns {
    /// The definitions, as in a Table.
    pub(super) json: Vec<u8>,
    /// The last minor release that has them; `None` for those of now.
    until: Option<u8>,
    /// Which cell each column has, where that is not the one at its place.
    order: Option<Vec<usize>>,
}

impl Columns {
    /// Puts cells into the order of these columns.
    pub(super) fn arrange(&self, cells: Vec<Value>) -> Vec<Value> {
        match &self.order {
            None => cells,
            Some(order) => order.iter().filter_map(|&at| cells.get(at).cloned()).collect(),
        }
    }
}

/// The columns of a resource as a release prints it.
pub(super) fn of(resource: &Resource, release: Release) -> &'static Columns {
    let forms = COLUMNS.get(resource.storage_key()).map(Vec::as_slice).unwrap_or_default();
    let holds = |form: &&Columns| form.until.is_some_and(|until| release.minor() <= until);
    forms.iter().find(holds).or_else(|| forms.first()).unwrap_or(&DEFAULT)
}

/// One of the descriptions that many columns share: `name`, `created`.
pub(crate) fn text(key: &str) -> &'static str {
    static TEXTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| file().texts);
    TEXTS.get(key).map_or("", String::as_str)
}

/// Whether a resource has columns of its own.
#[cfg(test)]
pub(super) fn has_own(storage_key: &str) -> bool {
    COLUMNS.contains_key(storage_key)
}

#[derive(Default, Deserialize)]
struct File {
    texts: BTreeMap<String, String>,
    kinds: BTreeMap<String, Vec<Form>>,
}

#[derive(Deserialize)]
struct Form {
    until: Option<u8>,
    order: Option<Vec<usize>>,
    columns: Vec<Row>,
}

/// Name, type, format, priority, description.
#[derive(Deserialize)]
struct Row(String, String, String, u8, String);

impl Row {
    fn define(&self, texts: &BTreeMap<String, String>) -> Value {
        let Self(name, kind, format, priority, description) = self;
        let text = description.strip_prefix('@').and_then(|key| texts.get(key));
        json!({
            "name": name,
            "type": kind,
            "format": format,
            "description": text.unwrap_or(description),
            "priority": priority,
        })
    }
}

fn columns(form: Form, texts: &BTreeMap<String, String>) -> Columns {
    let definitions = form.columns.iter().map(|row| row.define(texts)).collect();
    Columns {
        json: encode::to_json(&Value::Array(definitions)),
        until: form.until,
        order: form.order,
    }
}

fn file() -> File {
    // A test reads it too, so that what is built in is known to be readable.
    serde_json::from_str(include_str!("columns.json")).unwrap_or_default()
}

static COLUMNS: LazyLock<BTreeMap<String, Vec<Columns>>> = LazyLock::new(|| {
    let File { texts, kinds } = file();
    let forms = |forms: Vec<Form>| forms.into_iter().map(|form| columns(form, &texts)).collect();
    kinds.into_iter().map(|(key, kind)| (key, forms(kind))).collect()
});

/// Of the kinds without columns of their own. Source: `rest.NewDefaultTableConvertor`.
static DEFAULT: LazyLock<Columns> = LazyLock::new(|| {
    let row = |name: &str, kind: &str, format: &str, text: &str| {
        Row(name.into(), kind.into(), format.into(), 0, text.into())
    };
    let rows =
        vec![row("Name", "string", "name", "@name"), row("Created At", "date", "", "@created")];
    columns(Form { until: None, order: None, columns: rows }, &file().texts)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_whole() {
        let file: File = serde_json::from_str(include_str!("columns.json")).unwrap();
        for (key, forms) in &file.kinds {
            assert!(forms[0].until.is_none() && forms[0].order.is_none(), "{key}");
            for row in forms.iter().flat_map(|form| &form.columns) {
                let text = row.4.strip_prefix('@');
                assert!(text.is_none_or(|text| file.texts.contains_key(text)), "{key} {}", row.0);
            }
            for form in &forms[1..] {
                assert!(form.until.is_some(), "{key}");
                assert_eq!(form.order.as_ref().unwrap().len(), form.columns.len(), "{key}");
            }
        }
    }
}
