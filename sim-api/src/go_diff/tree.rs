//! Two values side by side, compared member by member.

use serde_json::{Map, Value, json};

use super::edits;
use crate::{
    field::is_same,
    go::quote,
    go_syntax::{self, map_types},
    quantity,
};

/// What Go has of a type, as far as printing asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Map,
    Pointer,
    Scalar,
    Slice,
    Struct,
}

/// A pair of values with the pairs of their members; `report_value.go`.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) go_type: &'static str,
    pub(super) x: Option<Value>,
    pub(super) y: Option<Value>,
    /// By key as it is printed; none for elements, one without key for a pointer's target.
    pub(super) records: Vec<(String, Self)>,
    pub(super) same: usize,
    pub(super) different: usize,
    pub(super) children: usize,
    pub(super) depth: usize,
}

impl Tree {
    pub(super) fn kind(&self) -> Kind {
        kind(self.go_type)
    }

    pub(super) fn compare(
        go_type: &'static str,
        x: Option<Value>,
        y: Option<Value>,
        nesting: usize,
    ) -> Self {
        let mut tree = Self {
            go_type,
            x,
            y,
            records: Vec::new(),
            same: 0,
            different: 0,
            children: 0,
            depth: 0,
        };
        tree.descend(nesting);
        tree
    }

    fn descend(&mut self, nesting: usize) {
        let (Some(x), Some(y)) = (&self.x, &self.y) else {
            self.different += 1;
            return;
        };
        let kind = kind(self.go_type);
        let is_leaf = match kind {
            Kind::Scalar => true,
            Kind::Struct => self.go_type == "resource.Quantity",
            _ => x.is_null() || y.is_null(),
        };
        if is_leaf || nesting > NESTING_MAX {
            let is_equal = match self.go_type {
                "resource.Quantity" => amount(x) == amount(y),
                _ => is_same(x, y),
            };
            if is_equal {
                self.same += 1;
            } else {
                self.different += 1;
            }
            return;
        }
        let records = match kind {
            Kind::Pointer => {
                let target = self.go_type.strip_prefix('*').unwrap_or_default();
                vec![(String::new(), target, Some(x.clone()), Some(y.clone()))]
            }
            Kind::Map => entries(self.go_type, x, y),
            Kind::Slice => elements(self.go_type, x, y),
            _ => members(self.go_type, x)
                .into_iter()
                .zip(members(self.go_type, y))
                .map(|((name, go_type, x), (.., y))| (name.to_owned(), go_type, Some(x), Some(y)))
                .collect(),
        };
        for (key, go_type, x, y) in records {
            let child = Self::compare(go_type, x, y, nesting + 1);
            self.same += child.same;
            self.different += child.different;
            self.children += child.children + 1;
            self.depth = self.depth.max(child.depth + 1);
            self.records.push((key, child));
        }
    }
}

type Pair = (String, &'static str, Option<Value>, Option<Value>);

fn entries(go_type: &'static str, x: &Value, y: &Value) -> Vec<Pair> {
    let Some((name, element)) = map_types(go_type) else { return Vec::new() };
    let empty = Map::new();
    let (x, y) = (x.as_object().unwrap_or(&empty), y.as_object().unwrap_or(&empty));
    let mut keys: Vec<&String> = x.keys().chain(y.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .map(|key| (key_text(name, key), element, x.get(key).cloned(), y.get(key).cloned()))
        .collect()
}

/// The name of a resource prints itself, and is marked for it.
pub(super) fn key_text(map: &str, key: &str) -> String {
    let mark = if map == "core.ResourceList" { "s" } else { "" };
    format!("{mark}{}", quote(key))
}

fn elements(go_type: &'static str, x: &Value, y: &Value) -> Vec<Pair> {
    let element = element(go_type);
    let empty = Vec::new();
    let (x, y) = (x.as_array().unwrap_or(&empty), y.as_array().unwrap_or(&empty));
    let result = |a: usize, b: usize| {
        let pair = Tree::compare(element, Some(x[a].clone()), Some(y[b].clone()), 1);
        edits::Found { same: pair.same, different: pair.different }
    };
    let (mut a, mut b) = (0, 0);
    let mut pairs = Vec::new();
    for edit in edits::difference(x.len(), y.len(), &result) {
        let (takes_x, takes_y) = (edit != edits::Edit::OnlyY, edit != edits::Edit::OnlyX);
        let before = takes_x.then(|| x[a].clone());
        let after = takes_y.then(|| y[b].clone());
        pairs.push((String::new(), element, before, after));
        a += usize::from(takes_x);
        b += usize::from(takes_y);
    }
    pairs
}

pub(super) fn element(go_type: &'static str) -> &'static str {
    go_type.strip_prefix("[]").unwrap_or("uint8")
}

/// The fields of a struct with their values.
pub(super) fn members(
    go_type: &'static str,
    value: &Value,
) -> Vec<(&'static str, &'static str, Value)> {
    match go_type {
        "intstr.IntOrString" => {
            let (kind, int, text) = match value {
                Value::String(text) => (1, 0, text.as_str()),
                other => (0, other.as_i64().unwrap_or_default(), ""),
            };
            vec![
                ("Type", "intstr.Type=int64", json!(kind)),
                ("IntVal", "int32", json!(int)),
                ("StrVal", "string", json!(text)),
            ]
        }
        "resource.Quantity" => {
            let text = value.as_str().unwrap_or_default();
            let (value, scale, format) = quantity::parts(text);
            vec![
                ("i", "resource.int64Amount", json!({"value": value, "scale": scale})),
                ("s", "string", json!(text)),
                ("Format", "resource.Format=string", json!(format)),
            ]
        }
        "resource.int64Amount" => ["value", "scale"]
            .map(|name| (name, "int64", value.get(name).cloned().unwrap_or_default()))
            .to_vec(),
        _ => go_syntax::fields(go_type)
            .unwrap_or_default()
            .iter()
            .map(|field| (field.name, field.go_type, go_syntax::member(value, field).clone()))
            .collect(),
    }
}

pub(super) fn kind(go_type: &str) -> Kind {
    let is_struct =
        matches!(go_type, "intstr.IntOrString" | "resource.Quantity" | "resource.int64Amount");
    match go_type {
        "bytes" => Kind::Slice,
        _ if go_type.starts_with('*') => Kind::Pointer,
        _ if go_type.starts_with("[]") => Kind::Slice,
        _ if go_type.starts_with('{') => Kind::Map,
        _ if is_struct || go_syntax::fields(go_type).is_some() => Kind::Struct,
        _ => Kind::Scalar,
    }
}

/// Whether Go has nothing but zeros there.
pub(super) fn is_zero(go_type: &'static str, value: &Value) -> bool {
    match kind(go_type) {
        Kind::Pointer => value.is_null(),
        Kind::Struct => members(go_type, value).iter().all(|(_, of, value)| is_zero(of, value)),
        _ => match value {
            Value::Null => true,
            Value::Bool(flag) => !flag,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
        },
    }
}

fn amount(value: &Value) -> i128 {
    quantity::nanos(value.as_str().unwrap_or_default()).unwrap_or_default()
}

/// Types do not nest deeper; a guard against a table that refers to itself.
const NESTING_MAX: usize = 40;
