//! Merging what is applied into what is there.

use serde_json::{Map, Value};

use super::{
    compare::{find, index},
    path::PathElement,
};
use crate::schema::{ListType, Schema, Type, TypeRef, Typed};

/// The object with everything that `applied` says.
pub(super) fn merge(typed: &Typed, live: &Value, applied: &Value) -> Value {
    walk(&typed.schema, typed.root, Some(live), Some(applied))
        .unwrap_or_else(|| Value::Object(Map::new()))
}

fn walk(
    schema: &Schema,
    type_ref: TypeRef,
    live: Option<&Value>,
    applied: Option<&Value>,
) -> Option<Value> {
    let whole = || applied.or(live).cloned();
    if schema.is_atomic(type_ref) {
        return whole();
    }
    match schema.resolve(type_ref) {
        Type::List { element, list_type } => {
            let empty = |value: Option<&Value>| match value {
                Some(Value::Array(items)) => items.is_empty(),
                _ => true,
            };
            if empty(live) && empty(applied) {
                return whole();
            }
            let list = |value: Option<&'_ Value>| value.and_then(Value::as_array).cloned();
            let (live, applied) =
                (list(live).unwrap_or_default(), list(applied).unwrap_or_default());
            let items = items(schema, *element, list_type, &live, &applied);
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Type::Any => match (live, applied) {
            (Some(Value::Object(_)), Some(Value::Object(_)) | None)
            | (None, Some(Value::Object(_))) => members(schema, type_ref, live, applied),
            _ => whole(),
        },
        _ => members(schema, type_ref, live, applied),
    }
}

fn members(
    schema: &Schema,
    type_ref: TypeRef,
    live: Option<&Value>,
    applied: Option<&Value>,
) -> Option<Value> {
    let (ours, theirs) = (live.and_then(Value::as_object), applied.and_then(Value::as_object));
    if ours.is_none_or(Map::is_empty) && theirs.is_none_or(Map::is_empty) {
        return applied.or(live).cloned();
    }
    let mut merged = Map::new();
    let mut member = |key: &String, live: Option<&Value>, applied: Option<&Value>| {
        let place = schema.member(type_ref, key).unwrap_or_default();
        if let Some(value) = walk(schema, place, live, applied) {
            merged.insert(key.clone(), value);
        }
    };
    for (key, live) in ours.into_iter().flatten() {
        member(key, Some(live), theirs.and_then(|theirs| theirs.get(key)));
    }
    for (key, applied) in theirs.into_iter().flatten() {
        if ours.is_none_or(|ours| !ours.contains_key(key)) {
            member(key, None, Some(applied));
        }
    }
    (!merged.is_empty()).then_some(Value::Object(merged))
}

/// Elements come in the order of what is applied; those that are not in it keep their places
/// between the ones that are in both, as far as that goes.
fn items(
    schema: &Schema,
    element: TypeRef,
    list_type: &ListType,
    live: &[Value],
    applied: &[Value],
) -> Vec<Value> {
    let paths = |items: &[Value]| -> Vec<PathElement> {
        items
            .iter()
            .filter_map(|item| PathElement::of_item(schema, list_type, element, item).ok())
            .collect()
    };
    let (ours, theirs) = (paths(live), paths(applied));
    let (before, wanted) =
        (index(schema, element, list_type, live), index(schema, element, list_type, applied));
    // An element that occurs twice has no one to merge with.
    let single =
        |indexed: &[(PathElement, Vec<&Value>)], path: &PathElement| match find(indexed, path) {
            [item] => Some((*item).clone()),
            _ => None,
        };
    let mut shared = theirs.iter().filter(|path| !find(&before, path).is_empty());
    let mut next_shared = shared.next();
    let mut done: Vec<&PathElement> = Vec::with_capacity(theirs.len());
    let mut merged = Vec::with_capacity(live.len().max(applied.len()));
    let (mut at, mut to) = (0, 0);
    while at < ours.len() || to < theirs.len() {
        if let (Some(path), Some(wanted_path)) = (ours.get(at), theirs.get(to)) {
            if path == wanted_path {
                done.push(path);
                merged.extend(walk(
                    schema,
                    element,
                    single(&before, path).as_ref(),
                    single(&wanted, path).as_ref(),
                ));
                (at, to) = (at + 1, to + 1);
                next_shared = shared.next();
                continue;
            }
            let is_wanted = !find(&wanted, path).is_empty();
            if is_wanted && next_shared.is_some_and(|next| next != path) {
                at += 1;
                continue;
            }
        }
        if let Some(path) = ours.get(at) {
            if find(&wanted, path).is_empty() {
                merged.extend(walk(schema, element, live.get(at), None));
                at += 1;
                continue;
            }
            if done.contains(&path) {
                at += 1;
            }
        }
        if let Some(path) = theirs.get(to) {
            done.push(path);
            merged.extend(walk(
                schema,
                element,
                single(&before, path).as_ref(),
                single(&wanted, path).as_ref(),
            ));
            to += 1;
            if next_shared == Some(path) {
                next_shared = shared.next();
            }
        }
    }
    merged
}
