//! The end of a definition: its objects go first.
//!
//! Source: `pkg/registry/customresourcedefinition/etcd.go` and
//! `pkg/controller/finalizer/crd_finalizer.go` of k8s.io/apiextensions-apiserver.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::conditions;
use crate::meta;

/// What holds a definition until its objects are gone.
pub const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// A definition that is to be deleted, marked so.
#[must_use]
pub fn terminate(crd: &Value, now: Timestamp) -> Value {
    let mut crd = crd.clone();
    crd["metadata"]["deletionTimestamp"] = meta::time(now).into();
    let finalizers = &mut crd["metadata"]["finalizers"];
    match finalizers {
        Value::Array(known) if known.iter().any(|name| name == FINALIZER) => {}
        Value::Array(known) => known.push(FINALIZER.into()),
        other => *other = json!([FINALIZER]),
    }
    conditions::set(
        &mut crd,
        "Terminating",
        "True",
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        now,
    );
    crd
}

/// Whether a definition waits for its objects to go.
pub fn is_terminating(crd: &Value) -> bool {
    let finalizers = crd.pointer("/metadata/finalizers").and_then(Value::as_array);
    crd.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
        && finalizers.into_iter().flatten().any(|name| name == FINALIZER)
}

/// A definition whose objects are being deleted; nothing where it says so already.
pub fn in_progress(crd: &Value, now: Timestamp) -> Option<Value> {
    let mut changed = crd.clone();
    let message = "CustomResource deletion is in progress";
    conditions::set(
        &mut changed,
        "Terminating",
        "True",
        "InstanceDeletionInProgress",
        message,
        now,
    );
    (changed != *crd).then_some(changed)
}

/// A definition whose objects are gone.
#[must_use]
pub fn released(crd: &Value, now: Timestamp) -> Value {
    let mut crd = crd.clone();
    let (reason, message) = match conditions::is(&crd, "Established", "True") {
        true => ("InstanceDeletionCompleted", "removed all instances"),
        false => ("NeverEstablished", "resource was never established"),
    };
    conditions::set(&mut crd, "Terminating", "False", reason, message, now);
    if let Some(finalizers) = crd.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut)
    {
        finalizers.retain(|name| name != FINALIZER);
    }
    crd
}
