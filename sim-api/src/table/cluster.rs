//! The cells of what governs a cluster: access, admission, priorities, leases.

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    cells, human_duration,
    read::Reader,
    selector::{NONE, UNSET},
};

pub(super) fn role_binding(binding: Reader<'_>) -> Vec<Value> {
    let role = binding.get("roleRef");
    let role = format!("{}/{}", role.text("kind"), role.text("name"));
    let subjects = |kind: &str| {
        let subjects = binding.items("subjects").filter(|it| it.text("kind") == kind);
        let names = subjects.map(|it| match kind {
            "ServiceAccount" => format!("{}/{}", it.text("namespace"), it.text("name")),
            _ => it.text("name").to_owned(),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let (users, groups, accounts) =
        (subjects("User"), subjects("Group"), subjects("ServiceAccount"));
    cells![binding.name(), role, binding.age(), users, groups, accounts]
}

pub(super) fn signing_request(request: Reader<'_>) -> Vec<Value> {
    let seconds = request.get("spec.expirationSeconds");
    let duration = match seconds.exists() {
        true => human_duration(SignedDuration::from_secs(request.int("spec.expirationSeconds"))),
        false => NONE.to_owned(),
    };
    let mut status = if request.condition("Denied").is_some() {
        "Denied"
    } else if request.condition("Approved").is_some() {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if request.condition("Failed").is_some() {
        status.push_str(",Failed");
    }
    if !request.text("status.certificate").is_empty() {
        status.push_str(",Issued");
    }
    let signer = request.text_or("spec.signerName", NONE);
    let user = request.text("spec.username");
    cells![request.name(), request.age(), signer, user, duration, status]
}

pub(super) fn webhooks(configuration: Reader<'_>) -> Vec<Value> {
    cells![configuration.name(), configuration.count("webhooks"), configuration.age()]
}

pub(super) fn admission_policy(policy: Reader<'_>) -> Vec<Value> {
    let kind = policy.get("spec.paramKind");
    let kind = match kind.exists() {
        true => format!("{}/{}", kind.text("apiVersion"), kind.text("kind")),
        false => UNSET.to_owned(),
    };
    cells![policy.name(), policy.count("spec.validations"), kind, policy.age()]
}

/// Parameters without a namespace may be in any, or in none; the star says so.
pub(super) fn admission_policy_binding(binding: Reader<'_>) -> Vec<Value> {
    let parameters = binding.get("spec.paramRef");
    let shown = match parameters.text("name") {
        "" if parameters.get("selector").exists() => go_selector(parameters.get("selector")),
        "" => UNSET.to_owned(),
        name => format!("{}/{name}", parameters.text_or("namespace", "*")),
    };
    cells![binding.name(), binding.text("spec.policyName"), shown, binding.age()]
}

/// A selector as the real server's generated code prints it.
fn go_selector(selector: Reader<'_>) -> String {
    let labels = selector.members("matchLabels").into_iter();
    let labels: String = labels.map(|(key, value)| format!("{key}: {},", value.str())).collect();
    let expressions = selector.items("matchExpressions").map(|it| {
        format!(
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
            it.text("key"),
            it.text("operator"),
            it.texts("values").join(" ")
        )
    });
    let expressions: String = expressions.collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

pub(super) fn api_service(object: Reader<'_>) -> Vec<Value> {
    let service = object.get("spec.service");
    let service = match service.exists() {
        true => format!("{}/{}", service.text("namespace"), service.text("name")),
        false => "Local".to_owned(),
    };
    let available = match object.condition("Available") {
        None => "Unknown".to_owned(),
        Some(condition) => match (condition.text("status"), condition.text("reason")) {
            (status @ "True", _) | (status, "") => status.to_owned(),
            (status, reason) => format!("{status} ({reason})"),
        },
    };
    cells![object.name(), service, available, object.age()]
}

pub(super) fn flow_schema(schema: Reader<'_>) -> Vec<Value> {
    cells![
        schema.name(),
        schema.text("spec.priorityLevelConfiguration.name"),
        schema.int("spec.matchingPrecedence"),
        schema.some_text("spec.distinguisherMethod.type", NONE),
        schema.age(),
        schema.condition("Dangling").map_or("?", |condition| condition.text("status")),
    ]
}

pub(super) fn priority_level(level: Reader<'_>) -> Vec<Value> {
    let queuing = level.get("spec.limited.limitResponse.queuing");
    cells![
        level.name(),
        level.text("spec.type"),
        level.int_or("spec.limited.nominalConcurrencyShares", NONE),
        queuing.int_or("queues", NONE),
        queuing.int_or("handSize", NONE),
        queuing.int_or("queueLengthLimit", NONE),
        level.age(),
    ]
}

pub(super) fn lease(lease: Reader<'_>) -> Vec<Value> {
    cells![lease.name(), lease.text("spec.holderIdentity"), lease.age()]
}

pub(super) fn runtime_class(class: Reader<'_>) -> Vec<Value> {
    cells![class.name(), class.text("handler"), class.age()]
}

pub(super) fn priority_class(class: Reader<'_>) -> Vec<Value> {
    let is_default = class.flag("globalDefault").unwrap_or_default();
    let policy = class.text("preemptionPolicy");
    cells![class.name(), class.int("value"), is_default, class.age(), policy]
}

pub(super) fn disruption_budget(budget: Reader<'_>) -> Vec<Value> {
    let bound = |path: &str| match budget.get(path).exists() {
        true => budget.quantity(path),
        false => "N/A".to_owned(),
    };
    cells![
        budget.name(),
        bound("spec.minAvailable"),
        bound("spec.maxUnavailable"),
        budget.int("status.disruptionsAllowed"),
        budget.age(),
    ]
}

pub(super) fn resource_claim(claim: Reader<'_>) -> Vec<Value> {
    let allocated = claim.get("status.allocation").exists();
    let states = [
        (claim.is_deleted(), "deleted"),
        (!allocated && !claim.is_deleted(), "pending"),
        (allocated, "allocated"),
        (allocated && claim.count("status.reservedFor") > 0, "reserved"),
    ];
    let states: Vec<&str> = states.iter().filter(|(holds, _)| *holds).map(|it| it.1).collect();
    cells![claim.name(), states.join(","), claim.age()]
}

pub(super) fn resource_slice(slice: Reader<'_>) -> Vec<Value> {
    cells![
        slice.name(),
        slice.text("spec.nodeName"),
        slice.text("spec.driver"),
        slice.text("spec.pool.name"),
        slice.age(),
    ]
}
