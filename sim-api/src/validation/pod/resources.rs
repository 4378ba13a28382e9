//! Amounts of resources: requests, limits, claims.

use std::collections::BTreeSet;

use crate::{
    field::{At, Errors, NOT_NEGATIVE},
    quantity,
    status::StatusCause,
    validation::text,
};

/// `ValidateContainerResourceRequirements`.
pub(super) fn container(e: &mut Errors, at: &At<'_>, claims: &BTreeSet<&str>) {
    let (limits, requests) = (at.at("limits"), at.at("requests"));
    amounts(e, &limits);
    for (name, amount) in requests.entries() {
        container_name(e, &amount, name);
        value(e, &amount, name);
        let limit = limits.key(name);
        let order = (nanos(&amount), nanos(&limit));
        if limit.is_set() {
            let (text, limit) = (amount.text(), limit.text());
            let text = || crate::go::quote(text);
            if order.0 != order.1 && !allows_overcommit(name) {
                let detail = format!("must be equal to {name} limit of {limit}");
                e.invalid_value(&requests, text(), &detail);
            } else if order.0 > order.1 {
                let detail = format!("must be less than or equal to {name} limit of {limit}");
                e.invalid_value(&requests, text(), &detail);
            }
        } else if !allows_overcommit(name) {
            e.required(&limits, "Limit must be set for non overcommitable resources");
        }
        huge_page(e, &amount, name);
    }
    let names = || [&limits, &requests].into_iter().filter_map(At::map).flat_map(|map| map.keys());
    if names().any(|name| is_huge(name)) && !names().any(|name| name == "cpu" || name == "memory") {
        e.forbidden(at, "HugePages require cpu or memory");
    }
    claim_names(e, &at.at("claims"), claims);
}

/// `validateOverhead`: what a runtime takes counts as limits.
pub(in crate::validation) fn overhead(e: &mut Errors, at: &At<'_>) {
    amounts(e, &at.at("limits").holding(at.value()));
    let names = || at.map().into_iter().flatten().map(|(name, _)| name);
    if names().any(|name| is_huge(name)) && !names().any(|name| name == "cpu" || name == "memory") {
        e.forbidden(at, "HugePages require cpu or memory");
    }
}

fn amounts(e: &mut Errors, limits: &At<'_>) {
    for (name, amount) in limits.entries() {
        container_name(e, &amount, name);
        value(e, &amount, name);
        huge_page(e, &amount, name);
    }
}

/// `ValidateResourceQuantityValue`.
pub(in crate::validation) fn value(e: &mut Errors, amount: &At<'_>, name: &str) {
    non_negative(e, amount);
    if is_integer(name) && nanos(amount) % 1_000_000_000 != 0 {
        e.invalid_as(amount, "resource.Quantity", "must be an integer");
    }
}

/// `ValidateNonnegativeQuantity`.
pub(in crate::validation) fn non_negative(e: &mut Errors, amount: &At<'_>) {
    if nanos(amount) < 0 {
        e.invalid(amount, NOT_NEGATIVE);
    }
}

/// `ValidatePositiveQuantityValue`.
pub(in crate::validation) fn positive(e: &mut Errors, amount: &At<'_>) {
    if nanos(amount) <= 0 {
        e.invalid_text(amount, shown(amount), "must be greater than zero");
    }
}

/// How Go prints an amount; nothing is a zero.
pub(in crate::validation) fn shown<'a>(amount: &At<'a>) -> &'a str {
    if amount.is_empty() { "0" } else { amount.text() }
}

/// In units of 10⁻⁹; nothing is a zero.
pub(in crate::validation) fn nanos(amount: &At<'_>) -> i128 {
    match amount.value() {
        serde_json::Value::Number(number) => quantity::nanos(&number.to_string()),
        _ => quantity::nanos(amount.text()),
    }
    .unwrap_or_default()
}

/// `validateResourceName`.
pub(in crate::validation) fn resource_name(e: &mut Errors, at: &At<'_>, name: &str) {
    let errors = text::qualified(name);
    if errors.is_empty() && !name.contains('/') && !is_standard(name) {
        e.invalid_text(at, name, "must be a standard resource type or fully qualified");
    }
    for error in errors {
        e.invalid_text(at, name, &error);
    }
}

/// `validateContainerResourceName`.
pub(in crate::validation) fn container_name(e: &mut Errors, at: &At<'_>, name: &str) {
    resource_name(e, at, name);
    if !name.contains('/') {
        if !matches!(name, "cpu" | "memory" | "ephemeral-storage") && !is_huge(name) {
            e.invalid_text(at, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        e.invalid_text(at, name, "doesn't follow extended resource name standard");
    }
}

/// `ValidateResourceQuotaResourceName`.
pub(in crate::validation) fn quota_name(e: &mut Errors, at: &At<'_>, name: &str) {
    resource_name(e, at, name);
    if !name.contains('/') && !is_quota_resource(name) {
        e.invalid_text(at, name, "must be a standard resource for quota");
    }
}

/// `IsStandardQuotaResourceName`.
pub(in crate::validation) fn is_quota_resource(name: &str) -> bool {
    is_standard(name) && name != "storage"
}

fn is_huge(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_huge_quota(name: &str) -> bool {
    is_huge(name) || name.starts_with("requests.hugepages-")
}

fn is_standard(name: &str) -> bool {
    STANDARD.contains(&name) || INTEGERS.contains(&name) || is_huge_quota(name)
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && text::qualified(&format!("requests.{name}")).is_empty()
}

fn is_integer(name: &str) -> bool {
    INTEGERS.contains(&name) || is_extended(name)
}

/// `IsOvercommitAllowed`.
pub(in crate::validation) fn allows_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge(name)
}

fn huge_page(e: &mut Errors, amount: &At<'_>, name: &str) {
    let Some(size) = name.strip_prefix("hugepages-") else { return };
    let whole = |nanos: i128| nanos > 0 && nanos % 1_000_000_000 == 0;
    let divides =
        quantity::nanos(size).is_some_and(|size| whole(size) && nanos(amount) % size == 0);
    if !divides {
        let text = amount.text();
        let detail = format!("{text} is not positive integer multiple of {name}");
        e.invalid(amount, &detail);
    }
}

/// `validateResourceClaimNames`.
fn claim_names(e: &mut Errors, at: &At<'_>, known: &BTreeSet<&str>) {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for claim in at.items() {
        let (name, request) = (claim.at("name").text(), claim.at("request"));
        if name.is_empty() {
            e.required(&claim, "");
            continue;
        }
        if names.contains(name) {
            e.duplicate_text(&claim, name);
        } else {
            let mut key = name.to_owned();
            if !request.is_empty() {
                text::dns_label(e, &request);
                key = format!("{name}/{}", request.text());
            }
            if names.contains(&key) {
                e.duplicate_text(&claim, &key);
            } else if request.is_empty() {
                let of = |key: &&String| key.split_once('/').is_some_and(|(of, _)| of == name);
                for _ in names.iter().filter(of) {
                    e.duplicate_text(&claim, name);
                }
            }
            names.insert(key);
        }
        if !known.contains(name) {
            let list = known.iter().copied().collect::<Vec<_>>().join(", ");
            let rest = if list.is_empty() { " which is empty".into() } else { format!(": {list}") };
            let detail = format!("must be one of the names in pod.spec.resourceClaims{rest}");
            let value = crate::go::quote(name);
            e.push(StatusCause::not_found(claim.field(), value, &detail));
        }
    }
}

/// `validatePodResourceClaims`.
pub(super) fn pod_claims(e: &mut Errors, at: &At<'_>) {
    let mut names = BTreeSet::new();
    for claim in at.items() {
        let name = claim.at("name");
        if name.is_empty() {
            e.required(&name, "");
        } else if !names.insert(name.text()) {
            e.duplicate(&name);
        } else {
            text::dns_label(e, &name);
        }
        let sources = ["resourceClaimName", "resourceClaimTemplateName"].map(|key| claim.at(key));
        let detail = match sources.iter().filter(|source| source.is_set()).count() {
            2 => Some(
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be \
                 specified",
            ),
            0 => Some("must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
            _ => None,
        };
        if let Some(detail) = detail {
            e.invalid_as(&claim, "core.PodResourceClaim", detail);
        }
        for source in sources.iter().filter(|source| source.is_set()) {
            text::dns_subdomain(e, source);
        }
    }
}

/// Those that are counted. Source: `integerResources` of `core/helper`.
const INTEGERS: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
/// The others that need no domain. Source: `standardResources` of `core/helper`.
const STANDARD: [&str; 11] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "storage",
    "requests.storage",
];
