//! Defaults of all that makes no pods.
//!
//! Source: `defaults.go` of the groups in k8s.io/kubernetes `pkg/apis` (1.33); checked against
//! recordings.

use serde_json::{Map, Value, json};

use super::{array, object, pod_spec, put_default, text};

pub(super) fn service(spec: &mut Map<String, Value>) {
    put_default(spec, "sessionAffinity", json!("None"));
    match text(spec, "sessionAffinity") {
        "None" => drop(spec.shift_remove("sessionAffinityConfig")),
        "ClientIP" => {
            put_default(spec, "sessionAffinityConfig", json!({}));
            if let Some(config) = object(spec, "sessionAffinityConfig") {
                put_default(config, "clientIP", json!({}));
                if let Some(client) = object(config, "clientIP") {
                    put_default(client, "timeoutSeconds", json!(10_800));
                }
            }
        }
        _ => {}
    }
    put_default(spec, "type", json!("ClusterIP"));
    for port in array(spec, "ports") {
        put_default(port, "protocol", json!("TCP"));
        let is_unset = port.get("targetPort").is_none_or(|target| *target == 0 || *target == "");
        if let Some(number) = port.get("port").filter(|_| is_unset).cloned() {
            port.insert("targetPort".into(), number);
        }
    }
    let (is_balanced, is_on_nodes) = match text(spec, "type") {
        "LoadBalancer" => (true, true),
        "NodePort" => (false, true),
        "ClusterIP" => (false, false),
        _ => return,
    };
    if is_on_nodes {
        put_default(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if is_balanced {
        put_default(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
    put_default(spec, "internalTrafficPolicy", json!("Cluster"));
}

pub(super) fn endpoints(members: &mut Map<String, Value>) {
    for subset in array(members, "subsets") {
        for port in array(subset, "ports") {
            put_default(port, "protocol", json!("TCP"));
        }
    }
}

pub(super) fn persistent_volume(members: &mut Map<String, Value>) {
    if let Some(spec) = object(members, "spec") {
        put_default(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
        put_default(spec, "volumeMode", json!("Filesystem"));
        pod_spec::source(spec);
    }
}

/// One address range in two members.
pub(super) fn node(members: &mut Map<String, Value>) {
    if let Some(spec) = object(members, "spec") {
        let range = text(spec, "podCIDR").to_owned();
        if !range.is_empty() {
            put_default(spec, "podCIDRs", json!([range]));
        }
    }
    let Some(status) = object(members, "status") else { return };
    if let Some(capacity) = status.get("capacity").cloned() {
        put_default(status, "allocatable", capacity);
    }
}

/// What a container may have at most is what it gets, and so on.
pub(super) fn limit_range(spec: &mut Map<String, Value>) {
    for limit in array(spec, "limits").filter(|limit| text(limit, "type") == "Container") {
        for (to, from) in
            [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")]
        {
            let Some(Value::Object(given)) = limit.get(from).cloned() else { continue };
            put_default(limit, to, json!({}));
            let Some(defaults) = object(limit, to) else { continue };
            for (name, amount) in given {
                put_default(defaults, &name, amount);
            }
        }
    }
}

pub(super) fn network_policy(spec: &mut Map<String, Value>) {
    for list in ["ingress", "egress"] {
        for rule in array(spec, list) {
            for port in array(rule, "ports") {
                put_default(port, "protocol", json!("TCP"));
            }
        }
    }
    let limits_egress =
        spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    let types = if limits_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    put_default(spec, "policyTypes", types);
}

pub(super) fn ingress_class(spec: &mut Map<String, Value>) {
    if let Some(parameters) = object(spec, "parameters") {
        put_default(parameters, "scope", json!("Cluster"));
    }
}

pub(super) fn role_binding(members: &mut Map<String, Value>) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    if let Some(role) = object(members, "roleRef")
        && text(role, "apiGroup").is_empty()
    {
        role.insert("apiGroup".into(), GROUP.into());
    }
    for subject in array(members, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group") {
            put_default(subject, "apiGroup", json!(GROUP));
        }
    }
}

pub(super) fn storage_class(members: &mut Map<String, Value>) {
    put_default(members, "reclaimPolicy", json!("Delete"));
    put_default(members, "volumeBindingMode", json!("Immediate"));
}

pub(super) fn csi_driver(spec: &mut Map<String, Value>) {
    for (key, value) in [
        ("attachRequired", json!(true)),
        ("podInfoOnMount", json!(false)),
        ("storageCapacity", json!(false)),
        ("fsGroupPolicy", json!("ReadWriteOnceWithFSType")),
        ("volumeLifecycleModes", json!(["Persistent"])),
        ("requiresRepublish", json!(false)),
        ("seLinuxMount", json!(false)),
    ] {
        put_default(spec, key, value);
    }
}

pub(super) fn endpoint_slice(members: &mut Map<String, Value>) {
    for port in array(members, "ports") {
        put_default(port, "name", json!(""));
        put_default(port, "protocol", json!("TCP"));
    }
}

pub(super) fn webhooks(members: &mut Map<String, Value>, mutates: bool) {
    for webhook in array(members, "webhooks") {
        put_default(webhook, "failurePolicy", json!("Fail"));
        matching(webhook);
        put_default(webhook, "timeoutSeconds", json!(10));
        if mutates {
            put_default(webhook, "reinvocationPolicy", json!("Never"));
        }
        let service = object(webhook, "clientConfig").and_then(|client| object(client, "service"));
        if let Some(service) = service {
            put_default(service, "port", json!(443));
        }
        array(webhook, "rules").for_each(rule);
    }
}

/// Of a ValidatingAdmissionPolicy.
pub(super) fn admission_policy(spec: &mut Map<String, Value>) {
    put_default(spec, "failurePolicy", json!("Fail"));
    match_resources(spec, "matchConstraints");
}

/// What a policy or its binding is for.
pub(super) fn match_resources(spec: &mut Map<String, Value>, name: &str) {
    let Some(resources) = object(spec, name) else { return };
    matching(resources);
    for list in ["resourceRules", "excludeResourceRules"] {
        array(resources, list).for_each(rule);
    }
}

fn matching(members: &mut Map<String, Value>) {
    put_default(members, "matchPolicy", json!("Equivalent"));
    put_default(members, "namespaceSelector", json!({}));
    put_default(members, "objectSelector", json!({}));
}

fn rule(rule: &mut Map<String, Value>) {
    put_default(rule, "scope", json!("*"));
}

pub(super) fn priority_level(spec: &mut Map<String, Value>) {
    let (kind, shares) = match text(spec, "type") {
        "Exempt" => ("exempt", 0),
        _ => ("limited", 30),
    };
    if kind == "exempt" {
        put_default(spec, kind, json!({}));
    }
    let Some(level) = object(spec, kind) else { return };
    put_default(level, "nominalConcurrencyShares", json!(shares));
    put_default(level, "lendablePercent", json!(0));
    let queuing = object(level, "limitResponse").and_then(|response| object(response, "queuing"));
    if let Some(queuing) = queuing {
        put_default(queuing, "queues", json!(64));
        put_default(queuing, "handSize", json!(8));
        put_default(queuing, "queueLengthLimit", json!(50));
    }
}

pub(super) fn flow_schema(spec: &mut Map<String, Value>) {
    if spec.get("matchingPrecedence").is_none_or(|given| *given == 0) {
        spec.insert("matchingPrecedence".into(), json!(1000));
    }
}
