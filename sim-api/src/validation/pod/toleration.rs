//! Taints and tolerations.

use sim_store::LabelSelector;

use crate::{
    field::{At, Errors},
    validation::text,
};

/// `ValidateTolerations`.
pub(in crate::validation) fn tolerations(e: &mut Errors, at: &At<'_>) {
    for toleration in at.items() {
        let [key, operator, value, effect] =
            ["key", "operator", "value", "effect"].map(|name| toleration.at(name));
        if !key.is_empty() {
            text::label_key(e, &key);
        }
        if key.is_empty() && operator.text() != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all \
                          values and all keys\"";
            e.invalid(&operator, detail);
        }
        if toleration.at("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
            e.invalid(&effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
        }
        match operator.text() {
            "Equal" | "" => {
                let errors = LabelSelector::value_errors(value.text());
                if !errors.is_empty() {
                    e.invalid_text(&operator, value.text(), &errors.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                let detail = "value must be empty when `operator` is 'Exists'";
                e.invalid_text(&operator, value.text(), detail);
            }
            "Exists" => {}
            _ => e.not_supported(&operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            taint_effect(e, &effect);
        }
    }
}

/// `validateTaintEffect`, of one that must be there.
pub(in crate::validation) fn taint_effect(e: &mut Errors, at: &At<'_>) {
    match at.text() {
        "" => e.required(at, ""),
        "NoSchedule" | "PreferNoSchedule" | "NoExecute" => {}
        _ => e.not_supported(at, &["NoSchedule", "PreferNoSchedule", "NoExecute"]),
    }
}
