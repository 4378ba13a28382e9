//! What differs between two objects of one type.

use serde_json::Value;

use super::{
    path::PathElement,
    set::{Node, Set},
};
use crate::schema::{ListType, Schema, Type, TypeRef, Typed};

/// The paths at which two objects differ.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Comparison {
    /// Only in the new one.
    pub(super) added: Set,
    /// Other in the new one.
    pub(super) modified: Set,
    /// Only in the old one.
    pub(super) removed: Set,
}

impl Comparison {
    pub(super) fn is_same(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// Leaves out what is at or below the paths of `ignored`.
    pub(super) fn without(self, ignored: &Set) -> Self {
        if ignored.is_empty() {
            return self;
        }
        Self {
            added: self.added.recursive_difference(ignored),
            modified: self.modified.recursive_difference(ignored),
            removed: self.removed.recursive_difference(ignored),
        }
    }
}

/// Compares two objects. Values that do not fit their type are compared as a whole.
pub(super) fn compare(typed: &Typed, old: &Value, new: &Value) -> Comparison {
    let mut found = Level::default();
    walk(&typed.schema, typed.root, Some(old), Some(new), &mut found);
    Comparison {
        added: found.added.below,
        modified: found.modified.below,
        removed: found.removed.below,
    }
}

/// What differs at and below one path.
#[derive(Default)]
struct Level {
    added: Node,
    modified: Node,
    removed: Node,
}

impl Level {
    /// A value that is compared as a whole.
    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (None, _) => self.added.is_member = true,
            (_, None) => self.removed.is_member = true,
            (old, new) => self.modified.is_member |= old != new,
        }
    }

    fn attach(&mut self, element: impl Fn() -> PathElement, found: Self) {
        for (nodes, node) in [
            (&mut self.added, found.added),
            (&mut self.modified, found.modified),
            (&mut self.removed, found.removed),
        ] {
            if !node.is_empty() {
                nodes.below.attach(element(), node);
            }
        }
    }
}

fn walk(
    schema: &Schema,
    type_ref: TypeRef,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Level,
) {
    let is_leaf = schema.is_atomic(type_ref)
        || match schema.resolve(type_ref) {
            Type::List { element, list_type } => {
                items(schema, *element, list_type, old, new, found)
            }
            Type::Any => anything(schema, type_ref, old, new, found),
            _ => members(schema, type_ref, old, new, found),
        };
    if is_leaf {
        found.leaf(old, new);
    } else if old.is_none() {
        found.added.is_member = true;
    } else if new.is_none() {
        found.removed.is_member = true;
    }
}

/// Compares objects member by member; whether they are to be compared as a whole instead.
fn members(
    schema: &Schema,
    type_ref: TypeRef,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Level,
) -> bool {
    let fits = |value: Option<&Value>| matches!(value, None | Some(Value::Null | Value::Object(_)));
    let (before, after) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
    let is_empty = |members: Option<&serde_json::Map<_, _>>| members.is_none_or(|m| m.is_empty());
    if !fits(old) || !fits(new) || (is_empty(before) && is_empty(after)) {
        return true;
    }
    let mut member = |key: &str, old: Option<&Value>, new: Option<&Value>| {
        let place = schema.member(type_ref, key).unwrap_or_default();
        let mut inner = Level::default();
        walk(schema, place, old, new, &mut inner);
        found.attach(|| PathElement::Field(key.into()), inner);
    };
    for (key, old) in before.into_iter().flatten() {
        member(key, Some(old), after.and_then(|after| after.get(key)));
    }
    for (key, new) in after.into_iter().flatten() {
        if before.is_none_or(|before| !before.contains_key(key)) {
            member(key, None, Some(new));
        }
    }
    false
}

/// Compares lists element by element; whether they are to be compared as a whole instead.
fn items(
    schema: &Schema,
    element: TypeRef,
    list_type: &ListType,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Level,
) -> bool {
    let fits = |value: Option<&Value>| matches!(value, None | Some(Value::Null | Value::Array(_)));
    let (before, after) = (
        index(schema, element, list_type, list(old)),
        index(schema, element, list_type, list(new)),
    );
    if !fits(old) || !fits(new) || (list(old).is_empty() && list(new).is_empty()) {
        return true;
    }
    let mut paths: Vec<&PathElement> = before.iter().map(|(path, _)| path).collect();
    paths.extend(after.iter().map(|(path, _)| path).filter(|path| find(&before, path).is_empty()));
    for path in paths {
        let (old, new) = (find(&before, path), find(&after, path));
        let mut inner = Level::default();
        let mut item = |old: Option<&&Value>, new: Option<&&Value>| {
            if old.is_some() || new.is_some() {
                walk(schema, element, old.copied(), new.copied(), &mut inner);
            }
        };
        // Elements that occur twice are compared as one.
        match (old.len() > 1, new.len() > 1) {
            (false, false) => item(old.first(), new.first()),
            (true, true) => inner.modified.is_member = old != new,
            (true, false) => {
                item(None, new.first());
                inner.removed.is_member = true;
            }
            (false, true) => {
                item(old.first(), None);
                inner.added.is_member = true;
            }
        }
        found.attach(|| path.clone(), inner);
    }
    false
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The elements of a list by what tells them apart, in their order.
pub(super) fn index<'a>(
    schema: &Schema,
    element: TypeRef,
    list_type: &ListType,
    items: &'a [Value],
) -> Vec<(PathElement, Vec<&'a Value>)> {
    let mut indexed: Vec<(PathElement, Vec<&Value>)> = Vec::with_capacity(items.len());
    for item in items {
        let Ok(path) = PathElement::of_item(schema, list_type, element, item) else { continue };
        match indexed.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) => known.push(item),
            None => indexed.push((path, vec![item])),
        }
    }
    indexed
}

pub(super) fn find<'i, 'a>(
    indexed: &'i [(PathElement, Vec<&'a Value>)],
    path: &PathElement,
) -> &'i [&'a Value] {
    indexed.iter().find(|(known, _)| known == path).map_or(&[][..], |(_, items)| items)
}

/// Compares values whose type is what they are; whether as a whole.
fn anything(
    schema: &Schema,
    type_ref: TypeRef,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Level,
) -> bool {
    match (old, new) {
        (Some(Value::Object(_)), Some(Value::Object(_)) | None)
        | (None, Some(Value::Object(_))) => members(schema, type_ref, old, new, found),
        (Some(Value::Object(before)), Some(_)) if !before.is_empty() => {
            members(schema, type_ref, old, None, found);
            true
        }
        (Some(_), Some(Value::Object(after))) if !after.is_empty() => {
            members(schema, type_ref, None, new, found);
            true
        }
        _ => true,
    }
}
