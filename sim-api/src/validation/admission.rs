//! Webhook configurations and ValidatingAdmissionPolicies. Expressions in CEL are asked to be
//! there, and not compiled.
//!
//! Source: `admissionregistration/validation/validation.go`, k8s.io/apiserver
//! `pkg/util/webhook/validation.go`.

use std::collections::BTreeSet;

use super::{Object, metadata, text};
use crate::{
    field::{At, Errors},
    meta::names,
};

pub(super) fn webhooks(e: &mut Errors, o: &Object<'_>) {
    o.plain_metadata(e);
    let was_fine = |is_bad: fn(&At<'_>) -> bool| {
        o.old.is_none() || !o.old("webhooks").items().any(|hook| is_bad(&hook))
    };
    let strict = Strict {
        side_effects: was_fine(|hook| {
            !matches!(hook.at("sideEffects").text(), "None" | "NoneOnDryRun")
        }),
        versions: was_fine(|hook| {
            let versions = hook.at("admissionReviewVersions");
            !versions.is_empty() && !versions.texts().any(is_review_version)
        }),
        names: {
            let old: Vec<&str> =
                o.old("webhooks").items().map(|hook| hook.at("name").text()).collect();
            let unique: BTreeSet<&str> = old.iter().copied().collect();
            unique.len() == old.len()
        },
    };
    let mut known = BTreeSet::new();
    for hook in o.at("webhooks").items() {
        webhook(e, &hook, &strict);
        review_versions(e, &hook.at("admissionReviewVersions"), strict.versions);
        let name = hook.at("name");
        if strict.names && !name.is_empty() && !known.insert(name.text()) {
            e.duplicate(&name);
        }
    }
}

/// What is asked only of configurations that were not wrong before.
struct Strict {
    side_effects: bool,
    versions: bool,
    names: bool,
}

fn webhook(e: &mut Errors, hook: &At<'_>, strict: &Strict) {
    text::fully_qualified(e, &hook.at("name"));
    for rule in hook.at("rules").items() {
        rule_with_operations(e, &rule);
    }
    text::one_of(e, &hook.at("failurePolicy"), &FAILURE_POLICIES);
    text::one_of(e, &hook.at("matchPolicy"), &MATCH_POLICIES);
    let effects = hook.at("sideEffects");
    let allowed: &[&str] = if strict.side_effects {
        &["None", "NoneOnDryRun"]
    } else {
        &["None", "NoneOnDryRun", "Some", "Unknown"]
    };
    if effects.is_set() {
        text::one_of(e, &effects, allowed);
    } else {
        e.required(&effects, &format!("must specify one of {}", allowed.join(", ")));
    }
    let timeout = hook.at("timeoutSeconds");
    if timeout.is_set() && !(1..=30).contains(&timeout.int()) {
        e.invalid(&timeout, "the timeout value must be between 1 and 30 seconds");
    }
    text::selector(e, &hook.at("namespaceSelector"));
    text::selector(e, &hook.at("objectSelector"));
    text::one_of(e, &hook.at("reinvocationPolicy"), &["IfNeeded", "Never"]);
    let config = hook.at("clientConfig");
    let (url, service) = (config.at("url"), config.at("service"));
    match (url.is_set(), service.is_set()) {
        (true, false) => webhook_url(e, &url),
        (false, true) => webhook_service(e, &service),
        _ => e.required(&config, "exactly one of url or service is required"),
    }
    match_conditions(e, &hook.at("matchConditions"));
}

fn review_versions(e: &mut Errors, at: &At<'_>, needs_known: bool) {
    if at.is_empty() {
        return e.required(at, "must specify one of v1, v1beta1");
    }
    let mut seen = BTreeSet::new();
    for version in at.items() {
        if seen.insert(version.text()) {
            e.each_invalid(&version, names::label_1035(version.text()));
        } else {
            e.invalid(&version, "duplicate version");
        }
    }
    if needs_known && !at.texts().any(is_review_version) {
        e.invalid_as(at, "[]string", "must include at least one of v1, v1beta1");
    }
}

fn is_review_version(version: &str) -> bool {
    matches!(version, "v1" | "v1beta1")
}

/// `ValidateWebhookURL`.
fn webhook_url(e: &mut Errors, at: &At<'_>) {
    const FORM: &str = "; desired format: https://host[/path]";
    let (scheme, rest) = match at.text().split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => ("", ""),
    };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let mut wrong = |applies: bool, value: &str, detail: &str| {
        if applies {
            e.invalid_text(at, value, detail);
        }
    };
    let lower = scheme.to_ascii_lowercase();
    let detail = format!("'https' is the only allowed URL scheme{FORM}");
    wrong(lower != "https", &lower, &detail);
    wrong(host.is_empty(), host, &format!("host must be specified{FORM}"));
    let detail = "user information is not permitted in the URL";
    wrong(user.is_some(), user.unwrap_or_default(), detail);
    wrong(!fragment.is_empty(), fragment, "fragments are not permitted in the URL");
    wrong(!query.is_empty(), query, "query parameters are not permitted in the URL");
}

/// `ValidateWebhookService`, which is called with name and namespace in each other's place.
fn webhook_service(e: &mut Errors, at: &At<'_>) {
    if at.at("namespace").is_empty() {
        e.required(&at.at("name"), "service name is required");
    }
    if at.at("name").is_empty() {
        e.required(&at.at("namespace"), "service namespace is required");
    }
    let port = at.at("port");
    if let Some(error) = text::port_number(port.int()).filter(|_| port.is_set()) {
        e.invalid(&port, &format!("port is not valid: {error}"));
    }
    let path = at.at("path");
    let Some(steps) = path.text().strip_prefix('/') else {
        if !path.is_empty() {
            e.invalid(&path, "must start with a '/'");
        }
        return;
    };
    if steps.is_empty() {
        return;
    }
    let steps = steps.strip_suffix('/').unwrap_or(steps);
    for (place, step) in steps.split('/').enumerate() {
        if step.is_empty() {
            e.invalid(&path, &format!("segment[{place}] may not be empty"));
            continue;
        }
        for error in text::subdomain(step) {
            e.invalid(&path, &format!("segment[{place}]: {error}"));
        }
    }
}

/// `validateRuleWithOperations`.
fn rule_with_operations(e: &mut Errors, at: &At<'_>) {
    let operations = at.at("operations");
    if operations.is_empty() {
        e.required(&operations, "");
    }
    if operations.list().len() > 1 && has_wildcard(&operations) {
        let go_type = "[]admissionregistration.OperationType=string";
        let detail = "if '*' is present, must not specify other operations";
        e.invalid_as(&operations, go_type, detail);
    }
    for operation in operations.items() {
        let known = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
        if !known.contains(&operation.text()) {
            e.not_supported(&operation, &known);
        }
    }
    for (key, words) in [("apiGroups", "API groups"), ("apiVersions", "API versions")] {
        let list = at.at(key);
        if list.is_empty() {
            e.required(&list, "");
        }
        if list.list().len() > 1 && has_wildcard(&list) {
            let detail = format!("if '*' is present, must not specify other {words}");
            e.invalid_as(&list, "[]string", &detail);
        }
        for version in list.items().filter(|_| key == "apiVersions") {
            if version.is_empty() {
                e.required(&version, "");
            }
        }
    }
    rule_resources(e, &at.at("resources"));
    text::one_of(e, &at.at("scope"), &["*", "Cluster", "Namespaced"]);
}

fn has_wildcard(at: &At<'_>) -> bool {
    at.texts().any(|text| text == "*")
}

/// `validateResources`.
fn rule_resources(e: &mut Errors, at: &At<'_>) {
    if at.is_empty() {
        e.required(at, "");
    }
    let (mut whole, mut parts) = (BTreeSet::new(), BTreeSet::new());
    let mut is_plain = false;
    for resource in at.items() {
        let text = resource.text();
        if text.is_empty() {
            e.required(&resource, "");
            continue;
        }
        let Some((of, part)) = text.split_once('/') else {
            is_plain = text != "*";
            continue;
        };
        if whole.contains(of) {
            let detail = format!("if '{of}/*' is present, must not specify {text}");
            e.invalid(&resource, &detail);
        }
        if parts.contains(part) {
            let detail = format!("if '*/{part}' is present, must not specify {text}");
            e.invalid(&resource, &detail);
        }
        if part == "*" {
            whole.insert(of);
        }
        if of == "*" {
            parts.insert(part);
        }
    }
    let has = |wanted: &str| at.texts().any(|text| text == wanted);
    if at.list().len() > 1 && has("*/*") {
        let detail = "if '*/*' is present, must not specify other resources";
        e.invalid_as(at, "[]string", detail);
    }
    if has("*") && is_plain {
        let detail = "if '*' is present, must not specify other resources without subresources";
        e.invalid_as(at, "[]string", detail);
    }
}

fn match_conditions(e: &mut Errors, at: &At<'_>) {
    if at.list().len() > 64 {
        e.too_many(at, at.list().len(), 64);
    }
    let mut known = BTreeSet::new();
    for condition in at.items() {
        let (name, expression) = (condition.at("name"), condition.at("expression"));
        if expression.text().trim().is_empty() {
            e.required(&expression, "");
        }
        if name.is_empty() {
            e.required(&name, "");
        } else {
            text::qualified_name(e, &name);
            if !known.insert(name.text()) {
                e.duplicate(&name);
            }
        }
    }
}

pub(super) fn policy(e: &mut Errors, o: &Object<'_>) {
    o.plain_metadata(e);
    let spec = o.at("spec");
    text::one_of(e, &spec.at("failurePolicy"), &FAILURE_POLICIES);
    let kind = spec.at("paramKind");
    if kind.is_set() {
        param_kind(e, &kind);
    }
    let constraints = spec.at("matchConstraints");
    if constraints.is_set() {
        match_resources(e, &constraints);
        if constraints.at("resourceRules").is_empty() {
            e.required(&constraints.at("resourceRules"), "");
        }
    } else {
        e.required(&constraints, "");
    }
    match_conditions(e, &spec.at("matchConditions"));
    for variable in spec.at("variables").items() {
        let (name, expression) = (variable.at("name"), variable.at("expression"));
        if name.text().trim().is_empty() {
            e.required(&name, "name is not specified");
        } else if !is_identifier(name.text()) {
            e.invalid(&name, "name is not a valid CEL identifier");
        }
        if expression.text().trim().is_empty() {
            e.required(&expression, "expression is not specified");
        }
    }
    let (validations, annotations) = (spec.at("validations"), spec.at("auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        let detail = "validations or auditAnnotations must contain at least one item";
        e.required(&validations, detail);
        return e.required(&annotations, detail);
    }
    for validation in validations.items() {
        policy_validation(e, &validation);
    }
    audit_annotations(e, &annotations, o.at("metadata").at("name").text());
}

/// Only the status of a policy has rules of its own.
pub(super) fn policy_subresource(e: &mut Errors, o: &Object<'_>, _name: &str) {
    let status = o.at("status");
    for warning in status.at("typeChecking").at("expressionWarnings").items() {
        for key in ["warning", "fieldRef"] {
            if warning.at(key).is_empty() {
                e.required(&warning.at(key), "");
            }
        }
    }
    metadata::conditions(e, &status.at("conditions"));
}

fn policy_validation(e: &mut Errors, at: &At<'_>) {
    let [expression, message, from] =
        ["expression", "message", "messageExpression"].map(|key| at.at(key));
    if expression.text().trim().is_empty() {
        e.required(&expression, "expression is not specified");
    }
    if !from.is_empty() && from.text().trim().is_empty() {
        e.invalid(&from, "must be non-empty if specified");
    }
    let trimmed = message.text().trim();
    if !message.is_empty() && trimmed.is_empty() {
        e.invalid(&message, "message must be non-empty if specified");
    } else if trimmed.contains(['\n', '\r']) {
        e.invalid(&message, "message must not contain line breaks");
    }
    let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
    text::one_of(e, &at.at("reason"), &reasons);
}

fn audit_annotations(e: &mut Errors, at: &At<'_>, name: &str) {
    if at.list().len() > 20 {
        let go_type = "[]admissionregistration.AuditAnnotation";
        e.invalid_as(at, go_type, "must not have more than 20 auditAnnotations");
    }
    let mut known = BTreeSet::new();
    for annotation in at.items() {
        let (key, value) = (annotation.at("key"), annotation.at("valueExpression"));
        let whole = format!("{name}/{}", key.text());
        for error in text::qualified(&whole) {
            e.invalid_text(&key, &whole, &error);
        }
        let expression = value.text().trim();
        if expression.is_empty() {
            e.required(&value, "valueExpression is not specified");
        } else if expression.len() > 5 << 10 {
            e.required(&value, "must not exceed 5120 bytes in length");
        }
        if !known.insert(key.text()) {
            e.duplicate(&key);
        }
    }
}

fn param_kind(e: &mut Errors, at: &At<'_>) {
    let (version, kind) = (at.at("apiVersion"), at.at("kind"));
    let parts: Vec<&str> = version.text().split('/').collect();
    match &parts[..] {
        [""] => e.required(&version, ""),
        [_, _, _, ..] => {
            let detail = format!("unexpected GroupVersion string: {}", version.text());
            e.invalid(&version, &detail);
        }
        [group @ .., own] => {
            let errors = group.first().map_or_else(Vec::new, |group| text::subdomain(group));
            let group = group.first().copied().unwrap_or_default();
            if !group.is_empty() && !errors.is_empty() {
                e.invalid_text(&version, group, &errors.join(","));
            }
            let errors = names::label_1035(own);
            if own.is_empty() {
                e.invalid(&version, "version must be specified");
            } else if !errors.is_empty() {
                e.invalid_text(&version, own, &errors.join(","));
            }
        }
        [] => {}
    }
    if kind.is_empty() {
        return e.required(&kind, "");
    }
    let errors = names::label_1035(&kind.text().to_lowercase());
    if !errors.is_empty() {
        let errors = errors.join(",");
        let detail = format!("may have mixed case, but should otherwise match: {errors}");
        e.invalid(&kind, &detail);
    }
}

fn match_resources(e: &mut Errors, at: &At<'_>) {
    text::one_of(e, &at.at("matchPolicy"), &MATCH_POLICIES);
    text::selector(e, &at.at("namespaceSelector"));
    text::selector(e, &at.at("objectSelector"));
    for key in ["resourceRules", "excludeResourceRules"] {
        for rule in at.at(key).items() {
            let mut known = BTreeSet::new();
            for name in rule.at("resourceNames").items() {
                e.each_invalid(&name, names::path_segment(name.text(), false));
                if !known.insert(name.text()) {
                    e.duplicate(&name);
                }
            }
            rule_with_operations(e, &rule);
        }
    }
}

pub(super) fn binding(e: &mut Errors, o: &Object<'_>) {
    o.plain_metadata(e);
    let spec = o.at("spec");
    let name = spec.at("policyName");
    if name.is_empty() {
        e.required(&name, "");
    } else {
        text::dns_subdomain(e, &name);
    }
    param_ref(e, &spec.at("paramRef"));
    if spec.at("matchResources").is_set() {
        match_resources(e, &spec.at("matchResources"));
    }
    let actions = spec.at("validationActions");
    let mut known = BTreeSet::new();
    for action in actions.items() {
        let supported = ["Audit", "Deny", "Warn"];
        if !supported.contains(&action.text()) {
            e.not_supported(&action, &supported);
        }
        if !known.insert(action.text()) {
            e.duplicate(&action);
        }
    }
    if known.contains("Deny") && known.contains("Warn") {
        let go_type = "[]admissionregistration.ValidationAction=string";
        let detail = "must not contain both Deny and Warn (repeating the same validation failure \
                      information in the API response and headers serves no purpose)";
        e.invalid_as(&actions, go_type, detail);
    }
    if known.is_empty() {
        e.required(&actions, "at least one validation action is required");
    }
}

fn param_ref(e: &mut Errors, at: &At<'_>) {
    const EXCLUSIVE: &str = "name and selector are mutually exclusive";
    if !at.is_set() {
        return;
    }
    let (name, selector) = (at.at("name"), at.at("selector"));
    if !name.is_empty() {
        e.each_invalid(&name, names::path_segment(name.text(), false));
        if selector.is_set() {
            e.forbidden(&name, EXCLUSIVE);
        }
    }
    if selector.is_set() {
        text::selector(e, &selector);
        if !name.is_empty() {
            e.forbidden(&selector, EXCLUSIVE);
        }
    }
    if name.is_empty() && !selector.is_set() {
        e.required(at, "one of name or selector must be specified");
    }
    let action = at.at("parameterNotFoundAction");
    if action.is_empty() {
        e.required(&action, "");
    } else {
        text::one_of(e, &action, &["Deny", "Allow"]);
    }
}

/// An identifier of CEL that is no word of the language.
fn is_identifier(name: &str) -> bool {
    const WORDS: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_start)
        && name.chars().all(|c| is_start(c) || c.is_ascii_digit())
        && !WORDS.contains(&name)
}

const FAILURE_POLICIES: [&str; 2] = ["Fail", "Ignore"];
const MATCH_POLICIES: [&str; 2] = ["Equivalent", "Exact"];
