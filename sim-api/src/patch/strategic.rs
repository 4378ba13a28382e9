//! Strategic merge patch: lists are merged by key, and directives say what a merge cannot.
//!
//! An object is merged member by member, null takes a member away. A list is replaced unless its
//! field's patch strategy is `merge`; then its elements are told apart by the merge key, or by
//! their value where they are single values. Beside that:
//!
//! - `$patch: delete|replace` within an object or element;
//! - `$retainKeys: [KEYS]` drops the members that it does not name;
//! - `$deleteFromPrimitiveList/FIELD: [VALUES]`;
//! - `$setElementOrder/FIELD: [ELEMENTS]` says in which order the elements come out.
//!
//! Where the order is not given, the patch's elements keep their order among themselves, as do
//! the others, and the two are woven together as they stood before. What stood nowhere before
//! comes first.
//!
//! Source: k8s.io/apimachinery `pkg/util/strategicpatch/patch.go` (release-1.33), texts of
//! `pkg/util/mergepatch/errors.go`; recorded 1.33.2.

use serde_json::{Map, Value};

use super::directive;
use crate::{
    Status, go,
    schema::{PatchStrategy, Schema, Type, TypeRef},
    status::Result,
};

type Members = Map<String, Value>;

/// Merges `patch` into `original`, an object of the type.
pub(super) fn merge(
    schema: &Schema,
    type_ref: TypeRef,
    original: &mut Members,
    mut patch: Members,
) -> Result<()> {
    if let Some(found) = patch.get(PATCH) {
        match found.as_str() {
            Some("replace") => {
                patch.shift_remove(PATCH);
                *original = patch;
            }
            Some("delete") => original.clear(),
            _ => return Err(bad_patch_type(found, &patch)),
        }
        return Ok(());
    }
    directive::retain_keys(original, &mut patch)?;
    directive::set_element_order(schema, type_ref, original, &mut patch)?;
    for (key, value) in patch {
        if let Some(key) = key.strip_prefix(DELETE_FROM_LIST) {
            delete_from_list(original, key, value)?;
        } else {
            member(schema, type_ref, original, key, value)?;
        }
    }
    Ok(())
}

fn member(
    schema: &Schema,
    type_ref: TypeRef,
    original: &mut Members,
    key: String,
    mut value: Value,
) -> Result<()> {
    if value.is_null() {
        original.shift_remove(&key);
        return Ok(());
    }
    match (original.get_mut(&key), value) {
        (Some(Value::Object(found)), Value::Object(patch)) => {
            if strategy(schema, type_ref, &key).is_some_and(|strategy| strategy.replaces) {
                *found = patch;
                return Ok(());
            }
            merge(schema, member_type(schema, type_ref, &key), found, patch)
        }
        (Some(Value::Array(found)), Value::Array(patch)) => {
            *found = list(schema, type_ref, &key, std::mem::take(found), patch)?;
            Ok(())
        }
        (Some(found @ (Value::Object(_) | Value::Array(_))), other) => {
            *found = without_nulls(other);
            Ok(())
        }
        (found, other) => {
            value = without_nulls(other);
            if let Some(value) = without_directives(value) {
                match found {
                    // It keeps its place.
                    Some(found) => *found = value,
                    None => drop(original.insert(key, value)),
                }
            }
            Ok(())
        }
    }
}

/// Merges two lists as the field's strategy says.
pub(super) fn list(
    schema: &Schema,
    owner: TypeRef,
    key: &str,
    original: Vec<Value>,
    patch: Vec<Value>,
) -> Result<Vec<Value>> {
    let strategy = strategy(schema, owner, key).filter(|strategy| strategy.merges);
    let Some(strategy) = strategy else { return Ok(patch) };
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    let merge_key = &*strategy.merge_key;
    if !holds_objects(&original, &patch)? {
        let mut merged = original.clone();
        for item in &patch {
            if !merged.contains(item) {
                merged.push(item.clone());
            }
        }
        return arrange(merged, &patch, &original, "");
    }
    if merge_key.is_empty() {
        return Err(Status::plain_error(format!("cannot merge lists without merge key for {key}")));
    }
    let element = schema.list(member_type(schema, owner, key));
    let element = element.map_or_else(|| member_type(schema, owner, key), |(element, _)| element);
    let (original, patch) = special_elements(original, patch, merge_key)?;
    let mut merged = original.clone();
    for item in &patch {
        let Value::Object(members) = item else { continue };
        let value = members.get(merge_key).ok_or_else(|| no_merge_key(members, merge_key))?;
        match merged.iter_mut().find(|found| found.get(merge_key) == Some(value)) {
            Some(Value::Object(found)) => merge(schema, element, found, members.clone())?,
            _ => merged.extend(without_directives(item.clone())),
        }
    }
    arrange(merged, &patch, &original, merge_key)
}

/// Elements of the patch that are directives: `$patch` beside the merge key deletes an element,
/// `$patch: replace` on its own makes the patch the list.
fn special_elements(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut plain = Vec::with_capacity(patch.len());
    let mut replaces = false;
    for item in patch {
        let Some(members) = item.as_object() else { continue };
        let Some(found) = members.get(PATCH) else {
            plain.push(item);
            continue;
        };
        match found.as_str() {
            Some("delete") => {
                let value =
                    members.get(merge_key).ok_or_else(|| no_merge_key(members, merge_key))?;
                original.retain(|known| known.get(merge_key) != Some(value));
            }
            Some("replace") => replaces = true,
            Some("merge") => {
                return Err(Status::plain_error(
                    "merging lists cannot yet be specified in the patch",
                ));
            }
            _ => return Err(bad_patch_type(found, members)),
        }
    }
    Ok(if replaces { (plain, Vec::new()) } else { (original, plain) })
}

fn delete_from_list(original: &mut Members, key: &str, value: Value) -> Result<()> {
    let Value::Array(unwanted) = value else {
        return Err(Status::bad_request("invalid patch format of primitive list"));
    };
    if let Some(Value::Array(items)) = original.get_mut(key) {
        items.retain(|item| !unwanted.contains(item));
    }
    Ok(())
}

/// Puts a merged list in order: `order` first decides, then how things stood in `before`.
pub(super) fn arrange(
    merged: Vec<Value>,
    order: &[Value],
    before: &[Value],
    merge_key: &str,
) -> Result<Vec<Value>> {
    let place = |list: &[Value], item: &Value| {
        list.iter().position(|known| match merge_key {
            "" => known == item,
            key => known.get(key).is_some() && known.get(key) == item.get(key),
        })
    };
    if !merge_key.is_empty() {
        for item in merged.iter().chain(order) {
            match item {
                Value::Object(members) if !members.contains_key(merge_key) => {
                    return Err(no_merge_key(members, merge_key));
                }
                _ => {}
            }
        }
    }
    let (mut named, mut others): (Vec<_>, Vec<_>) =
        merged.into_iter().partition(|item| place(order, item).is_some());
    named.sort_by_key(|item| place(order, item));
    others.sort_by_key(|item| place(before, item).unwrap_or(usize::MAX));
    let mut woven = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(ours), Some(theirs)) = (named.peek(), others.peek()) {
        let stood_first = match (place(before, theirs), place(before, ours)) {
            (Some(theirs), Some(ours)) => theirs < ours,
            _ => false,
        };
        woven.extend(if stood_first { others.next() } else { named.next() });
    }
    woven.extend(named);
    woven.extend(others);
    Ok(woven)
}

/// Whether two lists that belong together hold objects; they must hold one sort of thing.
fn holds_objects(original: &[Value], patch: &[Value]) -> Result<bool> {
    let sort = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(number) if number.is_f64() => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    };
    let mut sorts = original.iter().chain(patch).map(sort);
    let Some(first) = sorts.next() else { return Ok(false) };
    if first == 5 {
        return Err(Status::unprocessable());
    }
    match sorts.all(|sort| sort == first) {
        true => Ok(first == 6),
        false => Err(Status::plain_error("list element types are not identical")),
    }
}

/// What a patch adds must not carry nulls, which would stand for nothing.
fn without_nulls(mut value: Value) -> Value {
    drop_nulls(&mut value);
    value
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A value that is added as it is; objects that carry `$patch` have nothing to patch.
pub(super) fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(members) if members.contains_key(PATCH) => None,
        Value::Object(members) => {
            let kept = members
                .into_iter()
                .filter_map(|(key, value)| Some((key, without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(items.into_iter().filter_map(without_directives).collect()),
        value => Some(value),
    }
}

pub(super) fn strategy<'a>(
    schema: &'a Schema,
    type_ref: TypeRef,
    key: &str,
) -> Option<&'a PatchStrategy> {
    match schema.resolve(type_ref) {
        Type::Struct(fields) => fields.field(key).map(|field| &field.patch),
        _ => None,
    }
}

fn member_type(schema: &Schema, type_ref: TypeRef, key: &str) -> TypeRef {
    schema.member(type_ref, key).unwrap_or_default()
}

fn bad_patch_type(found: &Value, members: &Members) -> Status {
    Status::plain_error(format!(
        "unknown patch type: {} in map: {}",
        go::print(found),
        go::print_map(members)
    ))
}

fn no_merge_key(members: &Members, key: &str) -> Status {
    Status::plain_error(format!(
        "map: {} does not contain declared merge key: {key}",
        go::print_map(members)
    ))
}

const PATCH: &str = "$patch";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

#[cfg(test)]
mod tests;
