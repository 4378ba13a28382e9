//! Whether the defaults of a schema fit it.
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apiserver/schema/defaulting/validation.go`.

use super::{
    coerce, list::shown, path::Path, pattern::Patterns, props::Props, rules::Rules, validate,
};
use crate::status::StatusCause;

/// What is wrong with the defaults within a schema.
pub(crate) fn default_errors(schema: &Props, path: &Path<'_>) -> Vec<StatusCause> {
    let patterns = Patterns::of(schema);
    let mut causes = Vec::new();
    walk(schema, path, &patterns, &mut causes);
    causes
}

fn walk(schema: &Props, path: &Path<'_>, patterns: &Patterns, causes: &mut Vec<StatusCause>) {
    if let Some(default) = &schema.default {
        let at = path.member("default");
        let mut pruned = default.clone();
        coerce::prune_value(&mut pruned, schema);
        if pruned != *default {
            let detail = "must not have unknown fields";
            causes.push(StatusCause::invalid(at.field(), shown(default), detail));
        }
        let before = causes.len();
        causes.append(&mut validate::on_update(default, None, schema, patterns, &at));
        if causes.len() == before
            && let Some(rules) = Rules::of(schema)
        {
            rules.check(default, None, schema, &at, causes);
        }
    }
    if let Some(items) = &schema.items {
        walk(items, &path.member("items"), patterns, causes);
    }
    let properties_at = path.member("properties");
    for (name, property) in &schema.properties {
        walk(property, &properties_at.key(name), patterns, causes);
    }
}
