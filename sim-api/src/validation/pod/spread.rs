//! Spreading over topologies.

use crate::{
    field::{At, Errors},
    validation::text,
};

/// `validateTopologySpreadConstraints`.
pub(super) fn constraints(e: &mut Errors, at: &At<'_>) {
    for (place, constraint) in at.items().enumerate() {
        e.positive(&constraint.at("maxSkew"));
        let (key, action) = (constraint.at("topologyKey"), constraint.at("whenUnsatisfiable"));
        if key.is_empty() {
            e.required(&key, "can not be empty");
        }
        if !matches!(action.text(), "DoNotSchedule" | "ScheduleAnyway") {
            e.not_supported(&action, &["DoNotSchedule", "ScheduleAnyway"]);
        }
        let repeats = at.items().skip(place + 1).any(|other| {
            other.at("topologyKey").text() == key.text()
                && other.at("whenUnsatisfiable").text() == action.text()
        });
        if repeats {
            let pair = format!("{{{}, {}}}", key.text(), action.text());
            e.duplicate_text(&constraint.at("{topologyKey, whenUnsatisfiable}"), &pair);
        }
        let domains = constraint.at("minDomains");
        if domains.is_set() {
            e.positive(&domains);
            if action.text() != "DoNotSchedule" {
                let detail = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                    action.text()
                );
                e.invalid(&domains, &detail);
            }
        }
        for key in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            let policy = constraint.at(key);
            if policy.is_set() && !matches!(policy.text(), "Honor" | "Ignore") {
                e.not_supported(&policy, &["Honor", "Ignore"]);
            }
        }
        let selector = constraint.at("labelSelector");
        match_label_keys(e, &constraint.at("matchLabelKeys"), &selector);
        text::selector(e, &selector);
    }
}

/// `validateMatchLabelKeysInTopologySpread`.
fn match_label_keys(e: &mut Errors, at: &At<'_>, selector: &At<'_>) {
    if at.is_empty() {
        return;
    }
    if !selector.is_set() {
        e.forbidden(at, "must not be specified when labelSelector is not set");
    }
    for key in at.items() {
        text::label_key(e, &key);
        let name = key.text();
        let is_label = selector.at("matchLabels").map().is_some_and(|l| l.contains_key(name));
        let expressions = selector.at("matchExpressions");
        if is_label || expressions.items().any(|other| other.at("key").text() == name) {
            e.invalid(&key, "exists in both matchLabelKeys and labelSelector");
        }
    }
}

/// `validateLabelKeys`.
pub(in crate::validation) fn label_keys(e: &mut Errors, at: &At<'_>, selector: &At<'_>) {
    if at.is_empty() {
        return;
    }
    if !selector.is_set() {
        return e.forbidden(at, "must not be specified when labelSelector is not set");
    }
    for key in at.items() {
        text::label_key(e, &key);
    }
}
