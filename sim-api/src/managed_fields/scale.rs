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
pub(crate) fn to_scale(parent: Option<&Value>) -> Result<Value> {
    let mut scale = Managed::default();
    for (manager, owned) in decode(parent)?.0 {
        if has_replicas(&owned.set) {
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
    for (manager, mut owned) in decode(parent)?.0 {
        if has_replicas(&owned.set) && scale.0.remove(&manager).is_none() {
            owned.set = owned.set.difference(&replicas());
            if owned.set.is_empty() {
                continue;
            }
        }
        merged.0.insert(manager, owned);
    }
    for (manager, owned) in scale.0 {
        if has_replicas(&owned.set) {
            // Recorded: an entry that comes from a Scale has no time.
            let api_version = resource.api_version().to_owned();
            merged.0.insert(manager, Owned { set: replicas(), api_version, time: None });
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

fn has_replicas(set: &Set) -> bool {
    !set.intersection(&replicas()).is_empty()
}

const SCALE_VERSION: &str = "autoscaling/v1";
