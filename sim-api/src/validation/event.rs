//! Events of both API groups, in the shape of the core one.
//!
//! Source: `core/validation/events.go`.

use super::{Object, metadata::same, text};
use crate::{
    field::{At, Errors, IMMUTABLE},
    status::StatusCause,
};

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    legacy(e, o);
    if o.resource.group.is_empty() {
        return;
    }
    o.metadata(e);
    series(e, o);
    if o.at("eventTime").is_empty() {
        e.required(&o.at("eventTime"), "");
    }
    let kind = o.at("type").text();
    if !matches!(kind, "Normal" | "Warning") {
        unnamed(e, &o.at("type"), &format!("has invalid value: {kind}"));
    }
    for key in ["firstTimestamp", "lastTimestamp"] {
        if !o.at(key).is_empty() {
            unnamed(e, &o.at(key), "needs to be unset");
        }
    }
    if o.at("count").int() != 0 {
        unnamed(e, &o.at("count"), "needs to be unset");
    }
    let source = o.at("source");
    if !source.at("component").is_empty() || !source.at("host").is_empty() {
        unnamed(e, &source, "needs to be unset");
    }
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    legacy(e, o);
    if o.resource.group.is_empty() {
        return;
    }
    o.metadata_update(e);
    if !same(&o.at("series"), &o.old("series")) {
        series(e, o);
    }
    for (key, go_type) in [
        ("involvedObject", "core.ObjectReference"),
        ("reason", "string"),
        ("message", "string"),
        ("source", "core.EventSource"),
        ("firstTimestamp", "v1.Time"),
        ("lastTimestamp", "v1.Time"),
        ("count", "int32"),
        ("reason", "string"),
        ("type", "string"),
        ("eventTime", "v1.MicroTime"),
        ("action", "string"),
        ("related", "*core.ObjectReference"),
    ] {
        e.immutable(&o.at(key), &o.old(key), go_type);
    }
    let (new, old) = (o.at("reportingComponent"), o.old("reportingComponent"));
    if new.text() != old.text() {
        let named = StatusCause::invalid_text("reportingController", new.text(), IMMUTABLE);
        e.push(named);
    }
    e.immutable(&o.at("reportingInstance"), &o.old("reportingInstance"), "string");
}

fn series(e: &mut Errors, o: &Object<'_>) {
    let series = o.at("series");
    if !series.is_set() {
        return;
    }
    if series.at("count").int() < 2 {
        unnamed(e, &series.at("count"), "should be at least 2");
    }
    if series.at("lastObservedTime").is_empty() {
        e.required(&series.at("lastObservedTime"), "");
    }
}

/// `legacyValidateEvent`: what is asked of events of both groups.
fn legacy(e: &mut Errors, o: &Object<'_>) {
    let namespace = o.at("metadata").at("namespace").text();
    let involved = o.at("involvedObject").at("namespace");
    const MISMATCH: &str = "does not match event.namespace";
    if o.at("eventTime").is_empty() {
        let fits = match involved.text() {
            "" => matches!(namespace, "" | "default"),
            involved => involved == namespace,
        };
        if !fits {
            e.invalid(&involved, MISMATCH);
        }
    } else {
        if involved.is_empty() && !matches!(namespace, "default" | "kube-system") {
            e.invalid(&involved, MISMATCH);
        }
        controller(e, o);
        limited(e, &o.at("reportingInstance"), 128);
        limited(e, &o.at("action"), 128);
        limited(e, &o.at("reason"), 128);
        at_most(e, &o.at("message"), 1024);
    }
    let at = o.at("namespace");
    for error in text::subdomain(namespace) {
        e.invalid_text(&at, namespace, &error);
    }
}

/// The group of the request decides how the field is called.
fn controller(e: &mut Errors, o: &Object<'_>) {
    let name = o.at("reportingComponent").text();
    let field =
        if o.resource.group.is_empty() { "reportingComponent" } else { "reportingController" };
    if name.is_empty() {
        e.push(StatusCause::required(field, ""));
    }
    for error in text::qualified(name) {
        e.push(StatusCause::invalid_text(field, name, &error));
    }
}

fn limited(e: &mut Errors, at: &At<'_>, max: usize) {
    if at.is_empty() {
        e.required(at, "");
    }
    at_most(e, at, max);
}

fn at_most(e: &mut Errors, at: &At<'_>, max: usize) {
    if at.text().len() > max {
        unnamed(e, at, &format!("can have at most {max} characters"));
    }
}

/// Wrong in a way that the real server tells without the value.
fn unnamed(e: &mut Errors, at: &At<'_>, detail: &str) {
    e.invalid_text(at, "", detail);
}
