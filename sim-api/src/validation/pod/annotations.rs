//! Annotations that mean something to the server.

use super::{Object, all_containers};
use crate::{
    field::{At, Errors},
    validation::pod,
};

/// `ValidatePodSpecificAnnotations`.
pub(in crate::validation) fn annotations(e: &mut Errors, at: &At<'_>, spec: &At<'_>) {
    let mirror = at.key(MIRROR);
    if mirror.is_set() && spec.at("nodeName").is_empty() {
        e.invalid(&mirror, "must set spec.nodeName if mirror pod annotation is set");
    }
    let tolerations = at.key(TOLERATIONS);
    if let Ok(parsed) = serde_json::from_str::<serde_json::Value>(tolerations.text()) {
        pod::tolerations(e, &at.at(TOLERATIONS).holding(&parsed));
    }
    let cost = at.key(DELETION_COST);
    if cost.is_set() && !is_cost(cost.text()) {
        e.invalid(&cost, "must be a 32bit integer");
    }
    seccomp(e, at);
    app_armor(e, at, spec);
}

/// What `GetDeletionCostFromPodAnnotations` reads: no plus, no leading zeros.
fn is_cost(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits == "0" || !digits.starts_with(['0', '+']);
    is_plain && text.parse::<i32>().is_ok()
}

fn seccomp(e: &mut Errors, at: &At<'_>) {
    for (key, value) in at.entries() {
        if key != SECCOMP_POD && !key.starts_with(SECCOMP_CONTAINER) {
            continue;
        }
        let named = at.at(key).holding(value.value());
        match value.text() {
            "runtime/default" | "docker/default" | "unconfined" => {}
            profile => match profile.strip_prefix("localhost/") {
                Some(path) => {
                    if path.starts_with('/') {
                        e.invalid_text(&named, path, "must be a relative path");
                    }
                    if path.split('/').any(|part| part == "..") {
                        e.invalid_text(&named, path, "must not contain '..'");
                    }
                }
                None => e.invalid(&named, "must be a valid seccomp profile"),
            },
        }
    }
}

fn app_armor(e: &mut Errors, at: &At<'_>, spec: &At<'_>) {
    for (key, value) in at.entries() {
        let Some(container) = key.strip_prefix(APP_ARMOR) else { continue };
        if !all_containers(spec).any(|known| known.at("name").text() == container) {
            e.invalid_text(&value, container, "container not found");
        }
        let profile = value.text();
        let is_known = matches!(profile, "" | "runtime/default" | "unconfined")
            || profile.starts_with("localhost/");
        if !is_known {
            let detail = format!("invalid AppArmor profile name: {}", crate::go::quote(profile));
            e.invalid(&value, &detail);
        }
    }
}

/// `ValidatePodSpecificAnnotationUpdates`.
pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    let (new, old) = (o.at("metadata").at("annotations"), o.old("metadata").at("annotations"));
    for (key, value) in old.entries() {
        if new.key(key).text() == value.text() && new.key(key).is_set() {
            continue;
        }
        if key.starts_with(APP_ARMOR) {
            e.forbidden(&new.key(key), "may not remove or update AppArmor annotations");
        }
        if key == MIRROR {
            e.forbidden(&new.key(key), "may not remove or update mirror pod annotation");
        }
    }
    for (key, value) in new.entries().filter(|(key, _)| !old.key(key).is_set()) {
        if key.starts_with(APP_ARMOR) {
            e.forbidden(&value, "may not add AppArmor annotations");
        }
        if key == MIRROR {
            e.forbidden(&value, "may not add mirror pod annotation");
        }
    }
    annotations(e, &new, &o.at("spec"));
}

/// Annotations that say the same as fields must say the same.
pub(super) fn match_fields(e: &mut Errors, metadata: &At<'_>, spec: &At<'_>) {
    let annotation =
        |key: &str| metadata.at("annotations").value().get(key).and_then(serde_json::Value::as_str);
    let profile = spec.at("securityContext").at("seccompProfile");
    if let Some(found) = annotation(SECCOMP_POD) {
        match_profile(e, &profile, found, "seccomp");
    }
    for container in all_containers(spec) {
        let key = format!("{SECCOMP_CONTAINER}{}", container.at("name").text());
        if let Some(found) = annotation(&key) {
            let profile = container.at("securityContext").at("seccompProfile");
            match_profile(e, &profile, found, "seccomp");
        }
    }
    if spec.at("os").at("name").text() == "windows" {
        return;
    }
    let pod = spec.at("securityContext").at("appArmorProfile");
    for container in all_containers(spec) {
        let key = format!("{APP_ARMOR}{}", container.at("name").text());
        let own = container.at("securityContext").at("appArmorProfile");
        let value = if own.is_set() { own.value() } else { pod.value() };
        if let Some(found) = annotation(&key) {
            match_profile(e, &own.holding(value), found, "apparmor");
        }
    }
}

fn match_profile(e: &mut Errors, profile: &At<'_>, annotation: &str, what: &str) {
    if !profile.is_set() {
        return;
    }
    let path = annotation.strip_prefix("localhost/");
    let fits = match profile.at("type").text() {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => {
            annotation == "runtime/default" || (what == "seccomp" && annotation == "docker/default")
        }
        "Localhost" => path.is_some(),
        _ => return,
    };
    if !fits {
        let detail = format!("{what} type in annotation and field must match");
        return e.forbidden(&profile.at("type"), &detail);
    }
    let own = profile.at("localhostProfile");
    if profile.at("type").text() == "Localhost" && own.value().as_str() != path {
        let detail = format!("{what} profile in annotation and field must match");
        e.forbidden(&own, &detail);
    }
}

const MIRROR: &str = "kubernetes.io/config.mirror";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_plain_integers() {
        for text in ["0", "-1", "2147483647"] {
            assert!(is_cost(text), "{text}");
        }
        for text in ["", "+1", "01", "2147483648", "x"] {
            assert!(!is_cost(text), "{text}");
        }
    }
}
