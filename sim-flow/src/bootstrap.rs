//! The objects that every server has from its start.
//!
//! Mandatory objects always exist with a fixed spec; suggested ones are created once and kept up to
//! date only while nobody has edited them. Source:
//! `pkg/apis/flowcontrol/bootstrap/default.go`; upkeep: `pkg/registry/flowcontrol/ensurer` of
//! kubernetes/kubernetes.

use std::{collections::BTreeMap, sync::OnceLock};

use serde_json::{Value, json};

use crate::{
    Release,
    api::{
        CATCH_ALL, EXEMPT, FlowSchema, ObjectMeta, PriorityLevelConfiguration,
        PriorityLevelConfigurationSpec,
    },
};

/// Says whether the server keeps an object's spec up to date, as a Go boolean.
pub const AUTO_UPDATE_ANNOTATION: &str = "apf.kubernetes.io/autoupdate-spec";

/// The objects of one release, in upstream's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bootstrap {
    /// Fixed and always there.
    pub mandatory_flow_schemas: Vec<FlowSchema>,
    /// Fixed and always there.
    pub mandatory_priority_levels: Vec<PriorityLevelConfiguration>,
    /// Created when missing, updated while untouched.
    pub suggested_flow_schemas: Vec<FlowSchema>,
    /// Created when missing, updated while untouched.
    pub suggested_priority_levels: Vec<PriorityLevelConfiguration>,
}

impl Bootstrap {
    /// The objects of `release`.
    pub fn new(release: Release) -> Self {
        Self {
            mandatory_flow_schemas: mandatory_schemas().to_vec(),
            mandatory_priority_levels: mandatory_levels().to_vec(),
            suggested_flow_schemas: suggested_schemas(release.profile().retired_flow_schemas),
            suggested_priority_levels: suggested_levels(),
        }
    }

    /// All FlowSchemas, mandatory ones first.
    pub fn flow_schemas(&self) -> impl Iterator<Item = &FlowSchema> {
        self.mandatory_flow_schemas.iter().chain(&self.suggested_flow_schemas)
    }

    /// All levels, mandatory ones first.
    pub fn priority_levels(&self) -> impl Iterator<Item = &PriorityLevelConfiguration> {
        self.mandatory_priority_levels.iter().chain(&self.suggested_priority_levels)
    }
}

/// What an ensure pass does to one object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Upkeep {
    /// Nothing.
    Keep,
    /// Create it, or write the bootstrap spec and the annotation over it.
    Write,
    /// Write only the annotation, with this value.
    Annotate(bool),
    /// Delete it: it is in no list any more and still the server's own.
    Delete,
}

/// Whether the server keeps the spec of a suggested object: what the annotation says, or, without
/// a readable one, whether nobody has changed the spec.
pub fn auto_updates(metadata: &ObjectMeta) -> bool {
    annotated(metadata).unwrap_or(metadata.generation == 1)
}

/// What an ensure pass does to an object that exists, `wanted` being the bootstrap spec of its
/// name, if any, and whether that one is mandatory.
pub fn upkeep<S: PartialEq>(metadata: &ObjectMeta, spec: &S, wanted: Option<(&S, bool)>) -> Upkeep {
    let Some((wanted, mandatory)) = wanted else {
        let own = annotated(metadata) == Some(true);
        return if own { Upkeep::Delete } else { Upkeep::Keep };
    };
    let update = mandatory || auto_updates(metadata);
    if update && spec != wanted {
        Upkeep::Write
    } else if annotated(metadata) != Some(update) {
        Upkeep::Annotate(update)
    } else {
        Upkeep::Keep
    }
}

/// Interval between ensure passes, in seconds, once the first has succeeded.
pub const ENSURE_INTERVAL_S: u64 = 60;

/// The mandatory FlowSchema `name`, if there is one.
pub(crate) fn mandatory_flow_schema(name: &str) -> Option<&'static FlowSchema> {
    mandatory_schemas().iter().find(|schema| schema.metadata.name == name)
}

/// The mandatory level `name`, if there is one.
pub(crate) fn mandatory_priority_level(name: &str) -> Option<&'static PriorityLevelConfiguration> {
    mandatory_levels().iter().find(|level| level.metadata.name == name)
}

/// The value of the annotation where Go's `strconv.ParseBool` can read it.
fn annotated(metadata: &ObjectMeta) -> Option<bool> {
    match metadata.annotations.get(AUTO_UPDATE_ANNOTATION)?.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn mandatory_schemas() -> &'static [FlowSchema] {
    static SCHEMAS: OnceLock<Vec<FlowSchema>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let all_users = [group("system:unauthenticated"), group("system:authenticated")];
        vec![
            schema(EXEMPT, EXEMPT, 1, None, &[group("system:masters")], everything()),
            schema(CATCH_ALL, CATCH_ALL, 10_000, BY_USER, &all_users, everything()),
        ]
    })
}

fn mandatory_levels() -> &'static [PriorityLevelConfiguration] {
    static LEVELS: OnceLock<Vec<PriorityLevelConfiguration>> = OnceLock::new();
    LEVELS.get_or_init(|| {
        let catch_all = json!({
            "nominalConcurrencyShares": 5,
            "limitResponse": {"type": "Reject"},
            "lendablePercent": 0,
        });
        let exempt = json!({"nominalConcurrencyShares": 0, "lendablePercent": 0});
        vec![
            level(CATCH_ALL, json!({"type": "Limited", "limited": catch_all})),
            level(EXEMPT, json!({"type": "Exempt", "exempt": exempt})),
        ]
    })
}

fn suggested_levels() -> Vec<PriorityLevelConfiguration> {
    // Name, shares, lendable percent, queues, hand size.
    let rows = [
        ("system", 30, 33, 64, 6),
        ("node-high", 40, 25, 64, 6),
        ("leader-election", 10, 0, 16, 4),
        ("workload-high", 40, 50, 128, 6),
        ("workload-low", 100, 90, 128, 6),
        ("global-default", 20, 50, 128, 6),
    ];
    rows.into_iter()
        .map(|(name, shares, lendable, queues, hand_size)| {
            let queuing = json!({"queues": queues, "handSize": hand_size, "queueLengthLimit": 50});
            let limited = json!({
                "nominalConcurrencyShares": shares,
                "limitResponse": {"type": "Queue", "queuing": queuing},
                "lendablePercent": lendable,
            });
            level(name, json!({"type": "Limited", "limited": limited}))
        })
        .collect()
}

fn suggested_schemas(retired: bool) -> Vec<FlowSchema> {
    let nodes = [group("system:nodes")];
    let all_users = [group("system:unauthenticated"), group("system:authenticated")];
    let controller_manager = [user("system:kube-controller-manager")];
    let scheduler = [user("system:kube-scheduler")];
    let kube_system = [service_account("kube-system", "*")];
    let electors = [&controller_manager[..], &scheduler[..], &kube_system[..]].concat();
    let endpoint_controllers = [
        user("system:kube-controller-manager"),
        service_account("kube-system", "endpoint-controller"),
        service_account("kube-system", "endpointslicemirroring-controller"),
    ];
    let crud = ["get", "create", "update"];
    let leases = ["leases"];
    let coordination = "coordination.k8s.io";
    let node_rules = resource_rules(&[
        in_cluster(&["*"], "", &["nodes", "nodes/status"]),
        in_namespaces(&["*"], coordination, &leases),
    ]);
    let probe_paths = json!({"nonResourceRules": [
        {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]});
    let election = resource_rules(&[in_namespaces(&crud, coordination, &leases)]);
    let endpoints = resource_rules(&[in_namespaces(&crud, "", &["endpoints"])]);
    let workload_election = resource_rules(&[
        in_namespaces(&crud, "", &["endpoints", "configmaps"]),
        in_namespaces(&crud, coordination, &leases),
    ]);
    let high = "workload-high";
    let all = everything;
    let mut schemas = vec![
        schema("system-nodes", "system", 500, BY_USER, &nodes, all()),
        schema("system-node-high", "node-high", 400, BY_USER, &nodes, node_rules),
        schema("probes", EXEMPT, 2, None, &all_users, probe_paths),
        schema("system-leader-election", "leader-election", 100, BY_USER, &electors, election),
    ];
    if retired {
        schemas.extend([
            schema(
                "workload-leader-election",
                "leader-election",
                200,
                BY_USER,
                &kube_system,
                workload_election,
            ),
            schema("endpoint-controller", high, 150, BY_USER, &endpoint_controllers, endpoints),
        ]);
    }
    let accounts = [group("system:serviceaccounts")];
    schemas.extend([
        schema("kube-controller-manager", high, 800, BY_NAMESPACE, &controller_manager, all()),
        schema("kube-scheduler", high, 800, BY_NAMESPACE, &scheduler, all()),
        schema("kube-system-service-accounts", high, 900, BY_NAMESPACE, &kube_system, all()),
        schema("service-accounts", "workload-low", 9000, BY_USER, &accounts, all()),
        schema("global-default", "global-default", 9900, BY_USER, &all_users, all()),
    ]);
    schemas
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        annotations: BTreeMap::from([(AUTO_UPDATE_ANNOTATION.to_owned(), "true".to_owned())]),
        ..ObjectMeta::default()
    }
}

fn level(name: &str, spec: Value) -> PriorityLevelConfiguration {
    let spec: PriorityLevelConfigurationSpec =
        serde_json::from_value(spec).expect("the built-in spec has the type's fields");
    PriorityLevelConfiguration { metadata: metadata(name), spec, ..Default::default() }
}

fn schema(
    name: &str,
    level: &str,
    matching_precedence: i32,
    distinguisher: Option<&str>,
    subjects: &[Value],
    mut rules: Value,
) -> FlowSchema {
    rules["subjects"] = json!(subjects);
    let mut spec = json!({
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": matching_precedence,
        "rules": [rules],
    });
    if let Some(distinguisher) = distinguisher {
        spec["distinguisherMethod"] = json!({"type": distinguisher});
    }
    let spec = serde_json::from_value(spec).expect("the built-in spec has the type's fields");
    FlowSchema { metadata: metadata(name), spec, ..Default::default() }
}

fn user(name: &str) -> Value {
    json!({"kind": "User", "user": {"name": name}})
}

fn group(name: &str) -> Value {
    json!({"kind": "Group", "group": {"name": name}})
}

fn service_account(namespace: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}})
}

fn resource_rules(rules: &[Value]) -> Value {
    json!({ "resourceRules": rules })
}

fn in_namespaces(verbs: &[&str], api_group: &str, resources: &[&str]) -> Value {
    json!({
        "verbs": verbs,
        "apiGroups": [api_group],
        "resources": resources,
        "namespaces": ["*"],
    })
}

fn in_cluster(verbs: &[&str], api_group: &str, resources: &[&str]) -> Value {
    let mut rule = in_namespaces(verbs, api_group, resources);
    rule["clusterScope"] = json!(true);
    rule
}

fn everything() -> Value {
    json!({
        "resourceRules": [in_cluster(&["*"], "*", &["*"])],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    })
}

const BY_USER: Option<&str> = Some("ByUser");
const BY_NAMESPACE: Option<&str> = Some("ByNamespace");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_differ_in_two_flow_schemas() {
        let count = |minor| Bootstrap::new(Release::new(minor).unwrap()).flow_schemas().count();
        assert_eq!((count(29), count(33), count(34), count(37)), (13, 13, 11, 11));
    }

    #[test]
    fn the_servers_own_objects_are_valid() {
        let bootstrap = Bootstrap::new(Release::OLDEST);
        for schema in bootstrap.flow_schemas() {
            assert_eq!(schema.validate(), [], "{}", schema.metadata.name);
        }
        for level in bootstrap.priority_levels() {
            assert_eq!(level.validate(), [], "{}", level.metadata.name);
        }
    }

    #[test]
    fn an_edited_object_is_left_alone_and_an_untouched_one_is_kept_up_to_date() {
        let mut meta = ObjectMeta { generation: 1, ..ObjectMeta::default() };
        assert_eq!(upkeep(&meta, &1, Some((&2, false))), Upkeep::Write);
        assert_eq!(upkeep(&meta, &2, Some((&2, false))), Upkeep::Annotate(true));
        meta.generation = 2;
        assert_eq!(upkeep(&meta, &1, Some((&2, false))), Upkeep::Annotate(false));
        assert_eq!(upkeep(&meta, &1, Some((&2, true))), Upkeep::Write);
        assert_eq!(upkeep(&meta, &1, None), Upkeep::Keep);
        meta.annotations.insert(AUTO_UPDATE_ANNOTATION.to_owned(), "true".to_owned());
        assert_eq!(upkeep(&meta, &2, Some((&2, false))), Upkeep::Keep);
        assert_eq!(upkeep(&meta, &1, None), Upkeep::Delete);
    }
}
