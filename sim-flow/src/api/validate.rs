//! What makes an object invalid, as causes of a 422.
//!
//! Source of paths and messages: `pkg/apis/flowcontrol/validation/validation.go` of
//! kubernetes/kubernetes; they are part of what clients see.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{
    CATCH_ALL, EXEMPT, FlowSchema, FlowSchemaStatus, LimitResponse, NonResourcePolicyRule,
    PolicyRulesWithSubjects, PriorityLevelConfiguration, QueuingConfiguration, ResourcePolicyRule,
    ServiceAccountSubject, Subject, WILDCARD, names,
};
use crate::{
    MAX_HASH_BITS,
    bootstrap::{mandatory_flow_schema, mandatory_priority_level},
    required_entropy_bits,
};

/// One fault, as in `details.causes` of a `Status`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, `FieldValueNotSupported`,
    /// `FieldValueForbidden` or `FieldValueDuplicate`.
    pub reason: &'static str,
    /// Kind of fault, the value, and what is wrong with it.
    pub message: String,
    /// Path of the field, such as `spec.rules[0].subjects`.
    pub field: String,
}

impl FlowSchema {
    /// All faults of the object; its metadata apart from the name's role is not looked at.
    pub fn validate(&self) -> Vec<Cause> {
        let mut c = Causes::default();
        let spec = &self.spec;
        let precedence = spec.matching_precedence;
        let path = "spec.matchingPrecedence";
        if precedence <= 0 {
            c.invalid(path, json!(precedence), "must be a positive value");
        }
        if precedence > MAX_MATCHING_PRECEDENCE {
            c.invalid(path, json!(precedence), "must not be greater than 10000");
        }
        if precedence == 1 && self.metadata.name != EXEMPT {
            let message = "only the schema named 'exempt' may have matchingPrecedence 1";
            c.invalid(path, json!(precedence), message);
        }
        if let Some(method) = &spec.distinguisher_method
            && !DISTINGUISHER_METHODS.contains(&method.type_.as_str())
        {
            let value = json!({ "Type": method.type_ });
            c.not_supported("spec.distinguisherMethod.type", &value, DISTINGUISHER_METHODS);
        }
        let level = &spec.priority_level_configuration.name;
        let path = "spec.priorityLevelConfiguration.name";
        if level.is_empty() {
            c.required(path, "must reference a priority level");
        } else {
            for message in names::subdomain_errors(level) {
                c.invalid(path, json!(level), message);
            }
        }
        for (i, rule) in spec.rules.iter().enumerate() {
            c.policy_rules(&format!("spec.rules[{i}]"), rule);
        }
        if mandatory_flow_schema(&self.metadata.name).is_some_and(|m| m.spec != *spec) {
            let message = format!("spec of '{}' must equal the fixed value", self.metadata.name);
            c.invalid("spec", json!(spec), &message);
        }
        c.status(&self.status);
        c.0
    }
}

impl PriorityLevelConfiguration {
    /// All faults of the object; its metadata apart from the name's role is not looked at.
    pub fn validate(&self) -> Vec<Cause> {
        let mut c = Causes::default();
        let spec = &self.spec;
        let name = self.metadata.name.as_str();
        if (name == EXEMPT) != (spec.type_ == "Exempt") {
            let message = "type must be 'Exempt' if and only if name is 'exempt'";
            c.invalid("spec.type", json!(spec.type_), message);
        }
        match spec.type_.as_str() {
            "Exempt" => {
                if spec.limited.is_some() {
                    c.forbidden("spec.limited", "must be nil if the type is not Limited");
                }
                if let Some(exempt) = &spec.exempt {
                    let shares = exempt.nominal_concurrency_shares;
                    c.shares("spec.exempt.nominalConcurrencyShares", shares);
                    c.percent("spec.exempt.lendablePercent", exempt.lendable_percent);
                }
            }
            "Limited" => {
                if spec.exempt.is_some() {
                    c.forbidden("spec.exempt", "must be nil if the type is Limited");
                }
                c.limited(self);
            }
            other => c.not_supported("spec.type", &json!(other), &["Exempt", "Limited"]),
        }
        c.fixed_level(self);
        c.status(&self.status);
        c.0
    }
}

#[derive(Default)]
struct Causes(Vec<Cause>);

impl Causes {
    fn push(&mut self, reason: &'static str, kind: &str, field: &str, detail: &str) {
        let mut message = kind.to_owned();
        if !detail.is_empty() {
            let _ = write!(message, ": {detail}");
        }
        self.0.push(Cause { reason, message, field: field.to_owned() });
    }

    fn required(&mut self, field: &str, detail: &str) {
        self.push("FieldValueRequired", "Required value", field, detail);
    }

    fn forbidden(&mut self, field: &str, detail: &str) {
        self.push("FieldValueForbidden", "Forbidden", field, detail);
    }

    fn invalid(&mut self, field: &str, value: Value, detail: &str) {
        self.push("FieldValueInvalid", "Invalid value", field, &format!("{value}: {detail}"));
    }

    fn not_supported(&mut self, field: &str, value: &Value, supported: &[&str]) {
        let supported: Vec<_> = supported.iter().map(|value| format!("{value:?}")).collect();
        let detail = format!("{value}: supported values: {}", supported.join(", "));
        self.push("FieldValueNotSupported", "Unsupported value", field, &detail);
    }

    fn policy_rules(&mut self, path: &str, rule: &PolicyRulesWithSubjects) {
        if rule.subjects.is_empty() {
            let message = "subjects must contain at least one value";
            self.required(&format!("{path}.subjects"), message);
        }
        for (i, subject) in rule.subjects.iter().enumerate() {
            self.subject(&format!("{path}.subjects[{i}]"), subject);
        }
        if rule.resource_rules.is_empty() && rule.non_resource_rules.is_empty() {
            let message = "at least one of resourceRules and nonResourceRules has to be non-empty";
            self.required(path, message);
        }
        for (i, rule) in rule.resource_rules.iter().enumerate() {
            self.resource_rule(&format!("{path}.resourceRules[{i}]"), rule);
        }
        for (i, rule) in rule.non_resource_rules.iter().enumerate() {
            self.non_resource_rule(&format!("{path}.nonResourceRules[{i}]"), rule);
        }
    }

    fn subject(&mut self, path: &str, subject: &Subject) {
        let members = [
            ("serviceAccount", "ServiceAccount", subject.service_account.is_some()),
            ("user", "User", subject.user.is_some()),
            ("group", "Group", subject.group.is_some()),
        ];
        let kind = subject.kind.as_str();
        match kind {
            "ServiceAccount" => {
                self.service_account(&format!("{path}.serviceAccount"), &subject.service_account);
            }
            "User" | "Group" => {
                let (field, member) = if kind == "User" {
                    ("user", &subject.user)
                } else {
                    ("group", &subject.group)
                };
                let path = format!("{path}.{field}");
                match member {
                    None => {
                        let message = format!("{field} is required when subject kind is '{kind}'");
                        self.required(&path, &message);
                    }
                    Some(named) if named.name.is_empty() => {
                        self.required(&format!("{path}.name"), "");
                    }
                    Some(_) => {}
                }
            }
            _ => {
                let path = format!("{path}.kind");
                self.not_supported(&path, &json!(kind), &["Group", "ServiceAccount", "User"]);
                return;
            }
        }
        for (field, wanted, present) in members {
            if wanted != kind && present {
                let message = format!("{field} is forbidden when subject kind is not '{wanted}'");
                self.forbidden(&format!("{path}.{field}"), &message);
            }
        }
    }

    fn service_account(&mut self, path: &str, account: &Option<ServiceAccountSubject>) {
        let Some(account) = account else {
            self.required(path, "serviceAccount is required when subject kind is 'ServiceAccount'");
            return;
        };
        let name_path = format!("{path}.name");
        if account.name.is_empty() {
            self.required(&name_path, "");
        } else if account.name != WILDCARD {
            for message in names::subdomain_errors(&account.name) {
                self.invalid(&name_path, json!(account.name), message);
            }
        }
        let namespace_path = format!("{path}.namespace");
        if account.namespace.is_empty() {
            self.required(&namespace_path, "must specify namespace for service account");
        } else {
            for message in names::label_errors(&account.namespace) {
                self.invalid(&namespace_path, json!(account.namespace), message);
            }
        }
    }

    fn verbs(&mut self, path: &str, verbs: &[String]) {
        let path = format!("{path}.verbs");
        if verbs.is_empty() {
            self.required(&path, "verbs must contain at least one value");
        } else if has_wildcard(verbs) {
            if verbs.len() > 1 {
                let message = "if '*' is present, must not specify other verbs";
                self.invalid(&path, json!(verbs), message);
            }
        } else if !verbs.iter().all(|verb| VERBS.contains(&verb.as_str())) {
            self.not_supported(&path, &json!(verbs), VERBS);
        }
    }

    fn resource_rule(&mut self, path: &str, rule: &ResourcePolicyRule) {
        self.verbs(path, &rule.verbs);
        let lists = [
            ("apiGroups", &rule.api_groups, "api group", "api groups"),
            ("resources", &rule.resources, "resource", "resources"),
        ];
        for (field, list, one, many) in lists {
            let path = format!("{path}.{field}");
            if list.is_empty() {
                self.required(&path, &format!("resource rules must supply at least one {one}"));
            } else if list.len() > 1 && has_wildcard(list) {
                let message = format!("if '*' is present, must not specify other {many}");
                self.invalid(&path, json!(list), &message);
            }
        }
        let namespaces_path = format!("{path}.namespaces");
        if rule.namespaces.is_empty() && !rule.cluster_scope {
            let message = "resource rules that are not cluster scoped must supply at least one \
                           namespace";
            self.required(&namespaces_path, message);
        } else if has_wildcard(&rule.namespaces) {
            if rule.namespaces.len() > 1 {
                let message = "if '*' is present, must not specify other namespaces";
                self.invalid(&namespaces_path, json!(rule.namespaces), message);
            }
        } else {
            for (i, namespace) in rule.namespaces.iter().enumerate() {
                for message in names::label_errors(namespace) {
                    let message = format!("{NAMESPACE_INTRO}{message}");
                    let path = format!("{namespaces_path}[{i}]");
                    self.invalid(&path, json!(namespace), &message);
                }
            }
        }
    }

    fn non_resource_rule(&mut self, path: &str, rule: &NonResourcePolicyRule) {
        self.verbs(path, &rule.verbs);
        let path = format!("{path}.nonResourceURLs");
        let urls = &rule.non_resource_urls;
        if urls.is_empty() {
            self.required(&path, "nonResourceURLs must contain at least one value");
        } else if has_wildcard(urls) {
            if urls.len() > 1 {
                let message = "if '*' is present, must not specify other non-resource URLs";
                self.invalid(&path, json!(urls), message);
            }
        } else {
            for (i, url) in urls.iter().enumerate() {
                if let Some(message) = url_fault(url) {
                    self.invalid(&format!("{path}[{i}]"), json!(url), message);
                }
            }
        }
    }

    fn shares(&mut self, path: &str, shares: Option<i32>) {
        if let Some(shares) = shares.filter(|shares| *shares < 0) {
            self.invalid(path, json!(shares), "must be a non-negative integer");
        }
    }

    fn percent(&mut self, path: &str, percent: Option<i32>) {
        if let Some(percent) = percent.filter(|percent| !(0..=100).contains(percent)) {
            self.invalid(path, json!(percent), "must be between 0 and 100, inclusive");
        }
    }

    fn limited(&mut self, level: &PriorityLevelConfiguration) {
        let Some(limited) = &level.spec.limited else {
            self.required("spec.limited", "must not be empty when type is Limited");
            return;
        };
        let shares = limited.nominal_concurrency_shares;
        self.shares("spec.limited.nominalConcurrencyShares", shares);
        self.limit_response("spec.limited.limitResponse", &limited.limit_response);
        self.percent("spec.limited.lendablePercent", limited.lendable_percent);
        if let Some(percent) = limited.borrowing_limit_percent.filter(|percent| *percent < 0) {
            let message = "if specified, must be a non-negative integer";
            self.invalid("spec.limited.borrowingLimitPercent", json!(percent), message);
        }
    }

    fn limit_response(&mut self, path: &str, response: &LimitResponse) {
        let queuing_path = format!("{path}.queuing");
        match (response.type_.as_str(), &response.queuing) {
            ("Reject", Some(_)) => {
                let message = "must be nil if limited.limitResponse.type is not Limited";
                self.forbidden(&queuing_path, message);
            }
            ("Queue", None) => {
                let message = "must not be empty if limited.limitResponse.type is Limited";
                self.required(&queuing_path, message);
            }
            ("Queue", Some(queuing)) => self.queuing(&queuing_path, queuing),
            ("Reject", None) => {}
            (other, _) => {
                self.not_supported(&format!("{path}.type"), &json!(other), &["Queue", "Reject"]);
            }
        }
    }

    fn queuing(&mut self, path: &str, queuing: &QueuingConfiguration) {
        let &QueuingConfiguration { queues, hand_size, queue_length_limit } = queuing;
        if queue_length_limit <= 0 {
            let path = format!("{path}.queueLengthLimit");
            self.invalid(&path, json!(queue_length_limit), "must be positive");
        }
        let queues_path = format!("{path}.queues");
        if queues <= 0 {
            self.invalid(&queues_path, json!(queues), "must be positive");
        } else if queues > MAX_QUEUES {
            let message = format!("must not be greater than {MAX_QUEUES}");
            self.invalid(&queues_path, json!(queues), &message);
        }
        let path = format!("{path}.handSize");
        if hand_size <= 0 {
            self.invalid(&path, json!(hand_size), "must be positive");
        } else if hand_size > queues {
            let message = format!("should not be greater than queues ({queues})");
            self.invalid(&path, json!(hand_size), &message);
        } else if required_entropy_bits(queues.unsigned_abs(), hand_size.unsigned_abs())
            > MAX_HASH_BITS
        {
            let message = format!(
                "required entropy bits of deckSize {queues} and handSize {hand_size} should not \
                 be greater than {MAX_HASH_BITS}"
            );
            self.invalid(&path, json!(hand_size), &message);
        }
    }

    /// Mandatory levels may not change, but for the numbers of the exempt one.
    fn fixed_level(&mut self, level: &PriorityLevelConfiguration) {
        let name = level.metadata.name.as_str();
        let Some(mandatory) = mandatory_priority_level(name) else { return };
        let mut have = level.spec.clone();
        let message = if name == EXEMPT {
            have.exempt.clone_from(&mandatory.spec.exempt);
            format!("spec of '{name}' except the 'spec.exempt' field must equal the fixed value")
        } else {
            debug_assert_eq!(name, CATCH_ALL);
            format!("spec of '{name}' must equal the fixed value")
        };
        if have != mandatory.spec {
            self.invalid("spec", json!(level.spec), &message);
        }
    }

    fn status(&mut self, status: &FlowSchemaStatus) {
        for (i, condition) in status.conditions.iter().enumerate() {
            let path = format!("status.conditions[{i}].type");
            let kind = condition.type_.as_str();
            if status.conditions[..i].iter().any(|earlier| earlier.type_ == kind) {
                let value = json!(kind).to_string();
                self.push("FieldValueDuplicate", "Duplicate value", &path, &value);
            }
            if kind.is_empty() {
                self.required(&path, "must not be empty");
            }
        }
    }
}

fn has_wildcard(list: &[String]) -> bool {
    list.iter().any(|value| value == WILDCARD)
}

fn url_fault(url: &str) -> Option<&'static str> {
    let stars = url.matches('*').count();
    if url.is_empty() {
        Some("must not be empty")
    } else if url == "/" {
        None
    } else if !url.starts_with('/') {
        Some("must start with slash")
    } else if url.contains(' ') {
        Some("must not contain white-space")
    } else if url.contains("//") {
        Some("must not contain double slash")
    } else if stars > 1 || (stars == 1 && !url.ends_with("/*")) {
        Some("wildcard can only do suffix matching")
    } else {
        None
    }
}

const MAX_MATCHING_PRECEDENCE: i32 = 10_000;

/// `priorityLevelConfigurationQueuingMaxQueues`.
const MAX_QUEUES: i32 = 10_000_000;

const DISTINGUISHER_METHODS: &[&str] = &["ByNamespace", "ByUser"];

/// Sorted, since messages list them so.
const VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

const NAMESPACE_INTRO: &str = "each member of this list must be '*' or a DNS-1123 label; ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{flow_schema_from_json, priority_level_from_json};

    fn fields(causes: &[Cause]) -> Vec<(&str, &str)> {
        causes.iter().map(|c| (c.field.as_str(), c.reason)).collect()
    }

    #[test]
    fn a_bad_schema_gets_one_cause_per_fault() {
        let schema = flow_schema_from_json(json!({
            "metadata": {"name": "bad"},
            "spec": {
                "matchingPrecedence": 1,
                "priorityLevelConfiguration": {"name": ""},
                "distinguisherMethod": {"type": "ByTea"},
                "rules": [
                    {"subjects": [{"kind": "User"}, {"kind": "Robot"}]},
                    {"subjects": [{"kind": "Group", "group": {"name": "g"}}],
                     "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["a*b"]}],
                     "resourceRules": [{"verbs": ["fetch"], "apiGroups": ["*", "apps"],
                                        "resources": []}]}]},
        }))
        .unwrap();
        assert_eq!(
            fields(&schema.validate()),
            [
                ("spec.matchingPrecedence", "FieldValueInvalid"),
                ("spec.distinguisherMethod.type", "FieldValueNotSupported"),
                ("spec.priorityLevelConfiguration.name", "FieldValueRequired"),
                ("spec.rules[0].subjects[0].user", "FieldValueRequired"),
                ("spec.rules[0].subjects[1].kind", "FieldValueNotSupported"),
                ("spec.rules[0]", "FieldValueRequired"),
                ("spec.rules[1].resourceRules[0].verbs", "FieldValueNotSupported"),
                ("spec.rules[1].resourceRules[0].apiGroups", "FieldValueInvalid"),
                ("spec.rules[1].resourceRules[0].resources", "FieldValueRequired"),
                ("spec.rules[1].resourceRules[0].namespaces", "FieldValueRequired"),
                ("spec.rules[1].nonResourceRules[0].nonResourceURLs[0]", "FieldValueInvalid"),
            ]
        );
    }

    #[test]
    fn bad_levels_get_the_messages_of_the_real_server() {
        let level = priority_level_from_json(json!({
            "metadata": {"name": "bad"},
            "spec": {"type": "Limited", "limited": {
                "nominalConcurrencyShares": -1, "lendablePercent": 101,
                "borrowingLimitPercent": -1,
                "limitResponse": {"type": "Queue", "queuing": {
                    "queues": 512, "handSize": 8, "queueLengthLimit": 50}}}},
        }))
        .unwrap();
        let causes = level.validate();
        let messages: Vec<_> = causes.iter().map(|c| c.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "Invalid value: -1: must be a non-negative integer",
                "Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should \
                 not be greater than 60",
                "Invalid value: 101: must be between 0 and 100, inclusive",
                "Invalid value: -1: if specified, must be a non-negative integer",
            ]
        );
        let causes = priority_level_from_json(json!({
            "metadata": {"name": "odd"}, "spec": {"type": "Odd"},
        }))
        .unwrap()
        .validate();
        assert_eq!(
            causes[0].message,
            "Unsupported value: \"Odd\": supported values: \"Exempt\", \"Limited\""
        );
    }

    #[test]
    fn the_exempt_level_may_change_its_numbers_only() {
        let level = |spec: Value| {
            priority_level_from_json(json!({"metadata": {"name": "exempt"}, "spec": spec}))
                .unwrap()
                .validate()
        };
        let numbers = json!({"nominalConcurrencyShares": 7, "lendablePercent": 10});
        assert!(level(json!({"type": "Exempt", "exempt": numbers})).is_empty());
        let limited = json!({"limitResponse": {"type": "Reject"}});
        let causes = level(json!({"type": "Exempt", "limited": limited}));
        assert_eq!(
            fields(&causes),
            [("spec.limited", "FieldValueForbidden"), ("spec", "FieldValueInvalid")]
        );
    }
}
