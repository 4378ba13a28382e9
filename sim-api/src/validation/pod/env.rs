//! Environment variables, and where they and the files of volumes are taken from.

use crate::{
    field::{At, Errors},
    quantity,
    validation::text,
};

/// `ValidateEnv`.
pub(super) fn variables(e: &mut Errors, at: &At<'_>) {
    for variable in at.items() {
        let name = variable.at("name");
        if name.is_empty() {
            e.required(&name, "");
        } else {
            e.each_invalid(&name, text::relaxed_environment_name(name.text()));
        }
        value_from(e, &variable.at("valueFrom"), !variable.at("value").is_empty());
    }
}

fn value_from(e: &mut Errors, at: &At<'_>, has_value: bool) {
    if !at.is_set() {
        return;
    }
    let [field, resource, map, secret] =
        ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"].map(|key| at.at(key));
    if field.is_set() {
        field_ref(e, &field, &ENVIRONMENT_FIELDS);
    }
    if resource.is_set() {
        resource_ref(e, &resource, false);
    }
    for reference in [&map, &secret] {
        if reference.is_set() {
            key_ref(e, reference);
        }
    }
    let sources = [field, resource, map, secret].iter().filter(|source| source.is_set()).count();
    if sources == 0 {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or \
                      `secretKeyRef`";
        e.invalid_text(at, "", detail);
    } else if has_value {
        e.invalid_text(at, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        e.invalid_text(at, "", MORE_THAN_ONE);
    }
}

/// `ValidateEnvFrom`.
pub(super) fn sources(e: &mut Errors, at: &At<'_>) {
    for source in at.items() {
        let prefix = source.at("prefix");
        if !prefix.is_empty() {
            e.each_invalid(&prefix, text::relaxed_environment_name(prefix.text()));
        }
        let mut found = 0;
        for key in ["configMapRef", "secretRef"] {
            let reference = source.at(key);
            if !reference.is_set() {
                continue;
            }
            found += 1;
            let name = reference.at("name");
            if name.is_empty() {
                e.required(&name, "");
            } else {
                // As a prefix, so that a dash may end it.
                let masked = name.text().strip_suffix('-').map(|rest| format!("{rest}a"));
                let errors = text::subdomain(masked.as_deref().unwrap_or_else(|| name.text()));
                e.each_invalid(&name, errors);
            }
        }
        match found {
            0 => e.invalid_text(at, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => e.invalid_text(at, "", MORE_THAN_ONE),
        }
    }
}

/// `validateConfigMapKeySelector` and its twin for Secrets.
fn key_ref(e: &mut Errors, at: &At<'_>) {
    text::dns_subdomain(e, &at.at("name"));
    let key = at.at("key");
    if key.is_empty() {
        e.required(&key, "");
    } else {
        e.each_invalid(&key, text::config_key(key.text()));
    }
}

/// `validateObjectFieldSelector`.
pub(super) fn field_ref(e: &mut Errors, at: &At<'_>, supported: &[&str]) {
    let path = at.at("fieldPath");
    if path.is_empty() {
        return e.required(&path, "");
    }
    let error = match (at.at("apiVersion").text(), subscript(path.text())) {
        ("" | "v1", Some((of, key))) => match of {
            "metadata.annotations" | "metadata.labels" => {
                let key = if of.ends_with('s') && of.contains("annotations") {
                    key.to_lowercase()
                } else {
                    key.to_owned()
                };
                for error in text::qualified(&key) {
                    e.invalid_text(at, &key, &error);
                }
                return;
            }
            _ => format!("field label does not support subscript: {}", path.text()),
        },
        ("" | "v1", None) => {
            let internal = if path.text() == "spec.host" { "spec.nodeName" } else { path.text() };
            if KNOWN_FIELDS.contains(&internal) {
                if !supported.contains(&internal) {
                    e.not_supported(&path, supported);
                }
                return;
            }
            format!("field label not supported: {}", path.text())
        }
        (version, _) => format!("unsupported pod version: {version}"),
    };
    e.invalid(&path, &format!("error converting fieldPath: {error}"));
}

/// `SplitMaybeSubscriptedPath`: `path['key']`.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (of, key) = path.strip_suffix("']")?.split_once("['")?;
    (!of.is_empty()).then_some((of, key))
}

/// `validateContainerResourceFieldSelector`.
pub(super) fn resource_ref(e: &mut Errors, at: &At<'_>, is_volume: bool) {
    let resource = at.at("resource");
    let is_huge = ["requests.hugepages-", "limits.hugepages-"]
        .iter()
        .any(|prefix| resource.text().starts_with(prefix));
    if is_volume && at.at("containerName").is_empty() {
        e.required(&at.at("containerName"), "");
    } else if resource.is_empty() {
        e.required(&resource, "");
    } else if !RESOURCES.contains(&resource.text()) && !is_huge {
        e.not_supported(&resource, &RESOURCES);
    }
    let divisor = at.at("divisor");
    let amount = divisor.text();
    if quantity::nanos(amount).is_none_or(|nanos| nanos == 0) {
        return;
    }
    let kind = match resource.text() {
        "limits.cpu" | "requests.cpu" => "cpu",
        "limits.memory" | "requests.memory" => "memory",
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => "local ephemeral storage",
        _ if is_huge => "hugepages",
        _ => return,
    };
    let supported: &[&str] = if kind == "cpu" { &["1m", "1"] } else { &DIVISORS };
    if !supported.contains(&amount) {
        let list = if kind == "cpu" { "1m and 1".to_owned() } else { DIVISORS.join(", ") };
        let detail = format!("only divisor's values {list} are supported with the {kind} resource");
        e.invalid_text(&divisor, resource.text(), &detail);
    }
}

const MORE_THAN_ONE: &str = "may not have more than one field specified at a time";

/// What a variable may hold of its pod. Source: `validEnvDownwardAPIFieldPathExpressions`.
const ENVIRONMENT_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// What a file may hold of its pod. Source: `validVolumeDownwardAPIFieldPathExpressions`.
pub(super) const VOLUME_FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// Source: `ConvertDownwardAPIFieldLabel`.
const KNOWN_FIELDS: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const DIVISORS: [&str; 13] =
    ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
