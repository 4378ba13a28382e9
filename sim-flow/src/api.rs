//! The configuration objects of `flowcontrol.apiserver.k8s.io`.
//!
//! Fields are spelled as in Kubernetes. Enumerations stay strings, so that an object with an
//! unknown value can be read and then refused with the proper causes.

mod convert;
mod defaults;
mod names;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

pub use convert::{
    PRESERVE_ZERO_SHARES_ANNOTATION, flow_schema_from_json, priority_level_from_json,
};
pub use validate::Cause;

/// The metadata that flow control reads.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMeta {
    /// Name, unique in the cluster for either kind.
    pub name: String,
    /// What the response headers carry; empty for objects that are only imagined.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Number of the spec's version, from 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: i64,
    /// Annotations.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Decides which requests go to which level, and how they split into flows.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowSchema {
    /// Name, uid, generation, annotations.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: FlowSchemaSpec,
    /// What the server found.
    #[serde(default)]
    pub status: FlowSchemaStatus,
}

/// Specification of a [`FlowSchema`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowSchemaSpec {
    /// The level its requests go to.
    #[serde(default)]
    pub priority_level_configuration: PriorityLevelConfigurationReference,
    /// Schemas are tried by ascending precedence, then by name. 1 to 10,000; default 1,000.
    #[serde(default)]
    pub matching_precedence: i32,
    /// How requests split into flows; one flow for all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinguisher_method: Option<FlowDistinguisherMethod>,
    /// A request matches when one of these does.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PolicyRulesWithSubjects>,
}

/// Names a level.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PriorityLevelConfigurationReference {
    /// The level's name.
    #[serde(default)]
    pub name: String,
}

/// Names the part of a request that tells flows apart.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowDistinguisherMethod {
    /// `ByUser` or `ByNamespace`.
    #[serde(default, rename = "type")]
    pub type_: String,
}

/// Who, and what they do.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRulesWithSubjects {
    /// One of these must match; at least one.
    #[serde(default, deserialize_with = "nullable")]
    pub subjects: Vec<Subject>,
    /// For requests on resources.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resource_rules: Vec<ResourcePolicyRule>,
    /// For requests on other paths.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_rules: Vec<NonResourcePolicyRule>,
}

/// A user, a group or a service account.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    #[serde(default)]
    pub kind: String,
    /// Set for kind `User`; `*` is anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<NamedSubject>,
    /// Set for kind `Group`; `*` is any request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<NamedSubject>,
    /// Set for kind `ServiceAccount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccountSubject>,
}

/// Name of a user or group.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NamedSubject {
    /// The name, or `*`.
    #[serde(default)]
    pub name: String,
}

/// A service account.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceAccountSubject {
    /// Its namespace, exactly.
    #[serde(default)]
    pub namespace: String,
    /// Its name, or `*` for all of the namespace.
    #[serde(default)]
    pub name: String,
}

/// Matches requests on resources.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourcePolicyRule {
    /// Verbs, or only `*`.
    #[serde(default, deserialize_with = "nullable")]
    pub verbs: Vec<String>,
    /// API groups, the core group being empty, or only `*`.
    #[serde(default, deserialize_with = "nullable")]
    pub api_groups: Vec<String>,
    /// Resources as `pods` or `pods/log`, or only `*`.
    #[serde(default, deserialize_with = "nullable")]
    pub resources: Vec<String>,
    /// Whether requests without a namespace match.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cluster_scope: bool,
    /// Namespaces, or only `*` for any.
    #[serde(default, deserialize_with = "nullable")]
    pub namespaces: Vec<String>,
}

/// Matches requests on paths that are not resources.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NonResourcePolicyRule {
    /// Lower-case HTTP methods, or only `*`.
    #[serde(default, deserialize_with = "nullable")]
    pub verbs: Vec<String>,
    /// Paths, with all below them, or only `*`.
    #[serde(default, rename = "nonResourceURLs", deserialize_with = "nullable")]
    pub non_resource_urls: Vec<String>,
}

/// Status of a [`FlowSchema`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowSchemaStatus {
    /// Conditions, at most one of a type.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// A condition of either kind.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Dangling`.
    #[serde(default, rename = "type")]
    pub type_: String,
    /// `True` or `False`.
    #[serde(default)]
    pub status: String,
    /// When the status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<String>,
    /// `NotFound` or `Found`.
    #[serde(default)]
    pub reason: String,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// A priority level: a share of the server's seats, and queues before them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PriorityLevelConfiguration {
    /// Name, uid, generation, annotations.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: PriorityLevelConfigurationSpec,
    /// What the server found; it sets no condition.
    #[serde(default)]
    pub status: FlowSchemaStatus,
}

/// Specification of a [`PriorityLevelConfiguration`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PriorityLevelConfigurationSpec {
    /// `Exempt` (only the level of that name) or `Limited`.
    #[serde(default, rename = "type")]
    pub type_: String,
    /// Set for type `Limited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited: Option<LimitedPriorityLevelConfiguration>,
    /// May be set for type `Exempt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exempt: Option<ExemptPriorityLevelConfiguration>,
}

/// A level with limited seats.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitedPriorityLevelConfiguration {
    /// Part of the server's seats, relative to the other levels. At least 0; default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal_concurrency_shares: Option<i32>,
    /// What happens to requests that cannot execute at once.
    #[serde(default)]
    pub limit_response: LimitResponse,
    /// Percent of the nominal seats that others may borrow: 0 to 100; default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lendable_percent: Option<i32>,
    /// Percent of the nominal seats that may be borrowed from others, at least 0; no limit when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowing_limit_percent: Option<i32>,
}

/// Queue or reject.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LimitResponse {
    /// `Queue` or `Reject`.
    #[serde(default, rename = "type")]
    pub type_: String,
    /// Set for type `Queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queuing: Option<QueuingConfiguration>,
}

/// The queues of a level.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuingConfiguration {
    /// Number of queues: 1 to 10,000,000; default 64.
    #[serde(default)]
    pub queues: i32,
    /// Queues that one flow may use: 1 to `queues`, with hand × log2(queues) at most 60;
    /// default 8.
    #[serde(default)]
    pub hand_size: i32,
    /// Requests that one queue holds, at least 1; default 50.
    #[serde(default)]
    pub queue_length_limit: i32,
}

/// The exempt level's part of the server's seats. It limits nothing there; it takes from others.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExemptPriorityLevelConfiguration {
    /// As for limited levels, but default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal_concurrency_shares: Option<i32>,
    /// As for limited levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lendable_percent: Option<i32>,
}

/// Name of the mandatory level and schema that limit nothing.
pub const EXEMPT: &str = "exempt";

/// Name of the mandatory level and schema for what nothing else matches.
pub const CATCH_ALL: &str = "catch-all";

/// Stands for every value where it is the only element of a list, and for every name of a subject.
pub const WILDCARD: &str = "*";

fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}
