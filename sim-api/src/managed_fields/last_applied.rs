//! What `kubectl apply` without `--server-side` left: an annotation with what was applied.

use serde_json::Value;

use super::{compare::compare, field_set::field_set, set::Set, track::bare};
use crate::{encode, schema::Typed};

/// The fields that the annotation says were applied and that have not changed since: an apply by
/// kubectl may take them from whoever owns them.
pub(super) fn allowed_conflicts(typed: &Typed, live: &Value) -> Option<Set> {
    let text = live.get("metadata")?.get("annotations")?.get(ANNOTATION)?.as_str()?;
    let last: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    let set = field_set(typed, &last);
    let changes = compare(typed, &last, &bare(live.clone()));
    Some(set.difference(&changes.added).difference(&changes.modified).difference(&changes.removed))
}

/// Brings the annotation up to what is applied, where there is one.
pub(super) fn bring_up_to_date(live: &mut Value, applied: &Value) {
    let annotations = live.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    let Some(annotations) = annotations.and_then(Value::as_object_mut) else { return };
    if !annotations.contains_key(ANNOTATION) {
        return;
    }
    let mut applied = bare(applied.clone());
    if let Some(metadata) = applied.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.shift_remove(ANNOTATION);
    }
    let text = String::from_utf8_lossy(&encode::compact(&applied)).into_owned();
    annotations.insert(ANNOTATION.to_owned(), text.into());
}

/// Source: `LastAppliedConfigAnnotation`.
const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
