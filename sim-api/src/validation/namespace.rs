//! Namespaces.
//!
//! Source: `ValidateNamespace` and theirs for updates in `core/validation`.

use super::{Object, metadata, text};
use crate::{
    field::{At, Errors},
    status::StatusCause,
};

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let finalizers = o.at("spec").at("finalizers");
    for value in finalizers.list() {
        finalizer(e, &finalizers.holding(value));
    }
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    create(e, o);
    o.metadata_update(e);
}

pub(super) fn subresource(e: &mut Errors, o: &Object<'_>, name: &str) {
    o.metadata_update(e);
    if name == "finalize" {
        for value in o.at("spec").at("finalizers").items() {
            finalizer(e, &value);
        }
        return;
    }
    let phase = o.at("status").at("phase").text();
    let (wanted, state) = match o.at("metadata").at("deletionTimestamp").is_set() {
        true => ("Terminating", "not empty"),
        false => ("Active", "empty"),
    };
    if phase != wanted {
        let detail = format!("may only be '{wanted}' if `deletionTimestamp` is {state}");
        e.push(StatusCause::invalid_text("status.Phase", phase, &detail));
    }
}

fn finalizer(e: &mut Errors, at: &At<'_>) {
    e.each_invalid(at, text::qualified(at.text()));
    metadata::standard_finalizer(e, at);
}
