//! The directives of a strategic merge patch that concern several members of an object.

use serde_json::{Map, Value};

use super::strategic::{arrange, list, strategy, without_directives};
use crate::{
    Status, go,
    schema::{Schema, TypeRef},
    status::Result,
};

/// `$retainKeys`: drops what it does not name.
pub(super) fn retain_keys(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
) -> Result<()> {
    let Some(keys) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let refuse = || Status::bad_request("invalid patch format of retainKeys");
    let keys = keys.as_array().ok_or_else(refuse)?;
    let is_kept = |key: &str| keys.iter().any(|kept| kept == key);
    for (key, value) in patch.iter() {
        let is_directive = key.starts_with(DELETE_FROM_LIST) || key.starts_with(SET_ORDER);
        if !value.is_null() && !is_directive && !is_kept(key) {
            return Err(refuse());
        }
    }
    original.retain(|key, _| is_kept(key));
    Ok(())
}

/// `$setElementOrder/FIELD`: merges the field now, in the order given.
pub(super) fn set_element_order(
    schema: &Schema,
    type_ref: TypeRef,
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
) -> Result<()> {
    let directives: Vec<String> =
        patch.keys().filter(|key| key.starts_with(SET_ORDER)).cloned().collect();
    for directive in directives {
        let order = patch.shift_remove(&directive).unwrap_or_default();
        let Value::Array(order) = order else {
            return Err(Status::bad_request("invalid patch format of setElementOrder list"));
        };
        let key = directive.strip_prefix(SET_ORDER).unwrap_or_default();
        let given = array(patch.shift_remove(key), key)?;
        let before = array(original.get(key).cloned(), key)?;
        let merge_key = strategy(schema, type_ref, key).map_or("", |found| &*found.merge_key);
        check(given.as_deref().unwrap_or_default(), &order, merge_key)?;
        let merged = match (&before, given) {
            (None, None) => continue,
            (Some(before), None) => before.clone(),
            (None, Some(given)) => given.into_iter().filter_map(without_directives).collect(),
            (Some(before), Some(given)) => list(schema, type_ref, key, before.clone(), given)?,
        };
        let merged = arrange(merged, &order, before.as_deref().unwrap_or_default(), merge_key)?;
        original.insert(key.to_owned(), Value::Array(merged));
    }
    Ok(())
}

fn array(value: Option<Value>, key: &str) -> Result<Option<Vec<Value>>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(_) => Err(Status::plain_error(format!(
            "expected a []interface {{}}, but received something else for {key}"
        ))),
    }
}

/// The patch's elements must come in the order given.
fn check(given: &[Value], order: &[Value], merge_key: &str) -> Result<()> {
    if order.is_empty() {
        return Ok(());
    }
    let mut places = order.iter();
    for item in given.iter().filter(|item| item.get("$patch").is_none()) {
        let is_same = |place: &Value| match merge_key {
            "" => place == item,
            key => place.get(key) == item.get(key),
        };
        if !places.any(is_same) {
            return Err(Status::plain_error(format!(
                "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                go::print_list(given),
                go::print_list(order)
            )));
        }
    }
    Ok(())
}

const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";
