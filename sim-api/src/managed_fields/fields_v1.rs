//! FieldsV1: a set of paths as JSON.
//!
//! Each path element is a member, `{}` where the path is in the set and nothing is below it,
//! and a member `.` where both hold.

use serde_json::{Map, Value};

use super::{
    path::PathElement,
    set::{Node, Set},
};

impl Set {
    /// The set as FieldsV1, members in the real order.
    pub fn to_fields_v1(&self) -> Value {
        let mut members = Map::new();
        for (element, node) in self.nodes() {
            let mut inner = match node.below.to_fields_v1() {
                Value::Object(inner) => inner,
                _ => Map::new(),
            };
            if node.is_member && !inner.is_empty() {
                inner.shift_insert(0, ".".to_owned(), Value::Object(Map::new()));
            }
            members.insert(element.to_text(), Value::Object(inner));
        }
        Value::Object(members)
    }

    /// Reads FieldsV1; `None` where it is none. Path elements of an unknown kind are left out,
    /// as the real reader does.
    pub fn from_fields_v1(fields: &Value) -> Option<Self> {
        let mut set = Self::default();
        read(fields, &mut set, 0).map(|_| set)
    }
}

/// Whether the value says that its own path is in the set.
fn read(fields: &Value, set: &mut Set, depth: usize) -> Option<bool> {
    let members = fields.as_object().filter(|_| depth < DEPTH_MAX)?;
    let mut is_member = members.is_empty();
    for (key, value) in members {
        if key == "." {
            is_member = true;
            continue;
        }
        let mut node = Node::default();
        node.is_member = read(value, &mut node.below, depth + 1)?;
        let is_known = matches!(key.split_once(':'), Some(("f" | "k" | "v" | "i", _)));
        if is_known {
            set.attach(PathElement::parse(key)?, node);
        }
    }
    Some(is_member)
}

/// Levels that are read.
const DEPTH_MAX: usize = 200;
