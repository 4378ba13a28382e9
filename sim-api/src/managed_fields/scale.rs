//! Who owns the replicas, told across the `scale` subresource.
//!
//! Source: k8s.io/apimachinery `pkg/util/managedfields/scalehandler.go`; recorded 1.33.2.

use serde_json::Value;

use super::{
    managed::{Managed, Owned},
    set::Set,
};
use crate::{Resource, Status, status::Result};

/// The managedFields of the Scale that stands for a parent: of each entry that owns the
/// replicas, just these.
pub(crate) fn to_scale(resource: &Resource, parent: Option<&Value>) -> Result<Value> {
    let mut scale = Managed::default();
    let of_parent = of_parent(resource);
    for (manager, owned) in decode(parent)?.0 {
        if has(&owned.set, &of_parent) {
            let owned =
                Owned { set: replicas(), api_version: SCALE_VERSION.to_owned(), time: owned.time };
            scale.0.insert(manager, owned);
        }
    }
    Ok(scale.encode())
}

/// The parent's managedFields after its Scale was written.
pub(crate) fn to_parent(
    resource: &Resource,
    parent: Option<&Value>,
    scale: Option<&Value>,
) -> Result<Value> {
    let mut scale = decode(scale)?;
    let mut merged = Managed::default();
    let of_parent = of_parent(resource);
    for (manager, mut owned) in decode(parent)?.0 {
        if has(&owned.set, &of_parent) && scale.0.remove(&manager).is_none() {
            owned.set = owned.set.difference(&of_parent);
            if owned.set.is_empty() {
                continue;
            }
        }
        merged.0.insert(manager, owned);
    }
    for (manager, owned) in scale.0 {
        if has(&owned.set, &replicas()) {
            // Recorded: an entry that comes from a Scale has no time.
            let api_version = resource.api_version().to_owned();
            merged.0.insert(manager, Owned { set: of_parent.clone(), api_version, time: None });
        }
    }
    Ok(merged.encode())
}

fn decode(entries: Option<&Value>) -> Result<Managed> {
    Managed::decode(entries)
        .map_err(|error| Status::plain_error(format!("failed to decode managed fields: {error}")))
}

fn replicas() -> Set {
    Set::of_fields(&["spec.replicas"])
}

/// Where a parent has its replicas: a custom resource says where.
fn of_parent(resource: &Resource) -> Set {
    let scale = resource.custom.as_ref().and_then(|custom| custom.scale.as_ref());
    match scale {
        None => replicas(),
        Some(scale) => {
            let names: Vec<&str> = scale.spec_path().collect();
            Set::of_fields(&[&names.join(".")])
        }
    }
}

fn has(set: &Set, replicas: &Set) -> bool {
    !set.intersection(replicas).is_empty()
}

const SCALE_VERSION: &str = "autoscaling/v1";
