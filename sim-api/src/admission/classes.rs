//! What classes decide: DefaultStorageClass, DefaultIngressClass, RuntimeClass and
//! PersistentVolumeClaimResize; and TaintNodesByCondition.
//!
//! Source: `plugin/pkg/admission/{storage,network,runtimeclass,nodetaint}` (release-1.33).

use serde_json::{Map, Value, json};

use super::{
    Cluster,
    amount::{Amount, amounts},
    forbidden,
};
use crate::{Resource, meta, status::Result};

pub(super) fn on_create(
    resource: &Resource,
    object: &mut Value,
    cluster: &dyn Cluster,
) -> Result<()> {
    match (&*resource.group, &*resource.plural) {
        ("", "nodes") => taint(object),
        ("", "persistentvolumeclaims") => set_storage_class(object, cluster),
        ("networking.k8s.io", "ingresses") => set_ingress_class(object, cluster),
        ("", "pods") => return set_runtime(resource, object, cluster),
        _ => {}
    }
    Ok(())
}

/// A node gets pods once the lifecycle controller has seen it ready.
fn taint(node: &mut Value) {
    let Some(spec) = spec(node) else { return };
    let taints = spec.entry("taints").or_insert_with(|| json!([]));
    if taints.is_null() {
        *taints = json!([]);
    }
    let Some(taints) = taints.as_array_mut() else { return };
    let is_there = taints.iter().any(|taint| {
        let text = |key: &str| taint.get(key).and_then(Value::as_str).unwrap_or_default();
        text("key") == NOT_READY && text("effect") == "NoSchedule"
    });
    if !is_there {
        taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
    }
}

fn set_storage_class(claim: &mut Value, cluster: &dyn Cluster) {
    let is_named = claim.pointer("/spec/storageClassName").is_some_and(|name| !name.is_null());
    if is_named || annotation(claim, OLD_CLASS).is_some() {
        return;
    }
    let classes = cluster.list("storage.k8s.io", "storageclasses", "");
    let keys = [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ];
    if let (Some(class), Some(spec)) = (default_class(classes, &keys), spec(claim)) {
        spec.insert("storageClassName".into(), meta::name(&class).into());
    }
}

fn set_ingress_class(ingress: &mut Value, cluster: &dyn Cluster) {
    let is_named = ingress.pointer("/spec/ingressClassName").is_some_and(|name| !name.is_null());
    if is_named || annotation(ingress, "kubernetes.io/ingress.class").is_some() {
        return;
    }
    let classes = cluster.list("networking.k8s.io", "ingressclasses", "");
    let keys = ["ingressclass.kubernetes.io/is-default-class"];
    if let (Some(class), Some(spec)) = (default_class(classes, &keys), spec(ingress)) {
        spec.insert("ingressClassName".into(), meta::name(&class).into());
    }
}

/// The newest class that says it is the default; of equally old ones the first by name.
fn default_class(mut classes: Vec<Value>, keys: &[&str]) -> Option<Value> {
    classes.retain(|class| keys.iter().any(|key| annotation(class, key) == Some("true")));
    classes.sort_by(|a, b| {
        let created = |class: &Value| {
            let at = class.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
            at.unwrap_or_default().to_owned()
        };
        created(b).cmp(&created(a)).then_with(|| meta::name(a).cmp(meta::name(b)))
    });
    classes.into_iter().next()
}

/// A pod runs on nodes that its RuntimeClass knows, and pays for what that needs.
fn set_runtime(resource: &Resource, pod: &mut Value, cluster: &dyn Cluster) -> Result<()> {
    let name = pod.pointer("/spec/runtimeClassName").and_then(Value::as_str).unwrap_or_default();
    let class = match name {
        "" => None,
        name => {
            let class = cluster.get("node.k8s.io", "runtimeclasses", "", name);
            let Some(class) = class else {
                let detail =
                    format!("pod rejected: RuntimeClass {} not found", crate::go::quote(name));
                return Err(forbidden(resource, pod, &detail));
            };
            Some(class)
        }
    };
    let fixed = class.as_ref().and_then(|class| class.pointer("/overhead/podFixed")).cloned();
    let own = pod.pointer("/spec/overhead").filter(|value| !value.is_null());
    match (&fixed, own) {
        (Some(fixed), Some(own)) if amounts(Some(fixed)) != amounts(Some(own)) => {
            let detail =
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
            return Err(forbidden(resource, pod, detail));
        }
        (None, Some(_)) => {
            let detail = "pod rejected: Pod Overhead set without corresponding RuntimeClass \
                          defined Overhead";
            return Err(forbidden(resource, pod, detail));
        }
        _ => {}
    }
    let scheduling = class.as_ref().and_then(|class| class.get("scheduling"));
    let selector = scheduling.and_then(|s| s.get("nodeSelector")?.as_object()).cloned();
    for (key, value) in selector.iter().flatten() {
        let own = pod.pointer("/spec/nodeSelector").and_then(|selector| selector.get(key));
        if let Some(own) = own.filter(|own| *own != value) {
            let (theirs, own) =
                (value.as_str().unwrap_or_default(), own.as_str().unwrap_or_default());
            let detail = format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {theirs}; \
                 pod.spec.nodeSelector[{key}] = {own}"
            );
            return Err(forbidden(resource, pod, &detail));
        }
    }
    let tolerations = scheduling.and_then(|s| s.get("tolerations")?.as_array()).cloned();
    let Some(spec) = spec(pod) else { return Ok(()) };
    if let Some(fixed) = fixed {
        spec.insert("overhead".into(), fixed);
    }
    if let Some(selector) = selector {
        let own = spec.entry("nodeSelector").or_insert_with(|| json!({}));
        if let Some(own) = own.as_object_mut() {
            own.extend(selector);
            own.sort_keys();
        }
    }
    if let Some(tolerations) = tolerations {
        let own = spec.entry("tolerations").or_insert_with(|| json!([]));
        if let Some(own) = own.as_array_mut() {
            for toleration in tolerations {
                if !own.contains(&toleration) {
                    own.push(toleration);
                }
            }
        }
    }
    Ok(())
}

/// A claim grows only where its class allows that.
pub(super) fn check_resize(
    resource: &Resource,
    old: &Value,
    claim: &Value,
    cluster: &dyn Cluster,
) -> Result<()> {
    if !resource.is("", "persistentvolumeclaims") {
        return Ok(());
    }
    let size = |claim: &Value| {
        let size = claim.pointer("/spec/resources/requests/storage").and_then(Amount::read);
        size.unwrap_or_default()
    };
    if size(claim) <= size(old) {
        return Ok(());
    }
    if old.pointer("/status/phase").and_then(Value::as_str) != Some("Bound") {
        let detail = "Only bound persistent volume claims can be expanded";
        return Err(forbidden(resource, claim, detail));
    }
    let class = |claim: &Value| {
        let named = claim.pointer("/spec/storageClassName").and_then(Value::as_str);
        annotation(claim, OLD_CLASS).or(named).unwrap_or_default().to_owned()
    };
    let name = class(claim);
    let expands = !name.is_empty()
        && name == class(old)
        && cluster.get("storage.k8s.io", "storageclasses", "", &name).is_some_and(|class| {
            class.get("allowVolumeExpansion").and_then(Value::as_bool).unwrap_or_default()
        });
    if expands {
        return Ok(());
    }
    let detail = "only dynamically provisioned pvc can be resized and the storageclass that \
                  provisions the pvc must support resize";
    Err(forbidden(resource, claim, detail))
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

fn spec(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let members = object.as_object_mut()?;
    members.entry("spec").or_insert_with(|| Map::new().into()).as_object_mut()
}

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
