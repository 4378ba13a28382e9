//! Objects that come from a dump or a generator instead of a client.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{join, split, str_of, time};
use crate::{Resource, status::Result};

/// Makes an object fit to be stored as it is: what it says of itself is kept (uid, times,
/// status), what is missing is filled in, kind and metadata are put in order.
///
/// `uid` and `now` are used where the object has none. Nothing is validated but that it is an
/// object.
///
/// # Errors
///
/// 400 when the object or its metadata is no JSON object.
pub fn adopt(
    resource: &Resource,
    namespace: &str,
    object: &mut Value,
    uid: Uuid,
    now: Timestamp,
) -> Result<()> {
    let (members, mut metadata) = split(std::mem::take(object))?;
    metadata.shift_remove("resourceVersion");
    metadata.shift_remove("selfLink");
    if resource.namespaced {
        metadata.insert("namespace".into(), namespace.into());
    } else {
        metadata.shift_remove("namespace");
    }
    if str_of(&metadata, "uid").is_empty() {
        metadata.insert("uid".into(), uid.hyphenated().to_string().into());
    }
    if str_of(&metadata, "creationTimestamp").is_empty() {
        metadata.insert("creationTimestamp".into(), time(now).into());
    }
    *object = join(resource, members, metadata);
    Ok(())
}
