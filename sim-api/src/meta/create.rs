//! What the server makes of an object that is created.

use serde_json::{Map, Value, json};

use super::{WriteContext, defaults, join, split, str_of, time};
use crate::{
    Resource, Status, aggregation, crd, managed_fields,
    schema::{Schema, Typed},
    status::Result,
    validation,
};

/// The object as it is to be stored, from one that a client sent.
///
/// `namespace` is the request's; empty for a cluster-scoped resource. That the namespace exists
/// is for the caller to check, as the store knows.
pub fn prepare_create(
    resource: &Resource,
    namespace: &str,
    object: Value,
    context: &WriteContext,
) -> Result<Value> {
    prepare(resource, namespace, object, context, true, &mut |_| Ok(()))
}

/// As [`prepare_create`], for an object that [`crate::managed_fields::apply()`] made: its
/// managedFields are kept.
pub fn prepare_applied_create(
    resource: &Resource,
    namespace: &str,
    object: Value,
    context: &WriteContext,
) -> Result<Value> {
    prepare(resource, namespace, object, context, false, &mut |_| Ok(()))
}

/// As [`prepare_create`], or, with `is_applied`, as [`prepare_applied_create`]; `admit` sees the
/// object once it is defaulted, and may change or refuse it.
pub fn prepare_admitted_create(
    resource: &Resource,
    namespace: &str,
    object: Value,
    context: &WriteContext,
    is_applied: bool,
    admit: &mut dyn FnMut(&mut Value) -> Result<()>,
) -> Result<Value> {
    prepare(resource, namespace, object, context, !is_applied, admit)
}

fn prepare(
    resource: &Resource,
    namespace: &str,
    object: Value,
    context: &WriteContext,
    tracks: bool,
    admit: &mut dyn FnMut(&mut Value) -> Result<()>,
) -> Result<Value> {
    let (members, mut metadata) = split(object)?;
    set_namespace(resource, namespace, &mut metadata)?;
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        metadata.shift_remove(key);
    }
    metadata.insert("uid".into(), context.uid.hyphenated().to_string().into());
    metadata.insert("creationTimestamp".into(), time(context.now).into());
    if resource.counts_generation {
        metadata.insert("generation".into(), 1.into());
    }
    if resource.is("", "namespaces") {
        label_with_name(&mut metadata);
    }
    let typed = Schema::of(resource);
    let mut object = defaults::defaulted(resource, &typed, join(resource, members, metadata))?;
    if tracks {
        // What admission and the kind's strategy add from here on nobody owns.
        managed_fields::track(resource, "", None, &mut object, &context.manager, context.now);
    }
    admit(&mut object)?;
    let (mut members, mut metadata) = split(object)?;
    let generated = str_of(&metadata, "name").is_empty();
    let base = str_of(&metadata, "generateName");
    if generated && !base.is_empty() {
        let base: String = base.chars().take(GENERATED_BASE_MAX).collect();
        metadata.insert("name".into(), format!("{base}{}", context.name_suffix).into());
    }
    set_kind_members(resource, &typed, &mut members, &mut metadata);
    defaults::admit(resource, &mut members);

    let mut object = join(resource, members, metadata);
    if is_admitted(resource) {
        object = typed.canonical(object);
    }
    let causes = validation::on_create(resource, &object);
    if !causes.is_empty() {
        let name = super::name(&object);
        return Err(Status::invalid(&resource.group, &resource.kind, name, causes));
    }
    let (members, mut metadata) = split(object)?;
    // Found by the storage, hence after validation and not a proper Status.
    let revision = str_of(&metadata, "resourceVersion");
    if !matches!(revision, "" | "0") {
        return Err(Status::plain_error(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    metadata.shift_remove("resourceVersion");
    Ok(typed.kept(join(resource, members, metadata)))
}

/// Whether admission and allocation put members into such objects, wherever it may be.
pub(super) fn is_admitted(resource: &Resource) -> bool {
    matches!(
        (&*resource.group, &*resource.plural),
        ("", "nodes" | "persistentvolumeclaims" | "pods" | "services")
            | ("networking.k8s.io", "ingresses")
    )
}

/// The request's namespace goes into an object that names none; another one is refused.
pub(super) fn set_namespace(
    resource: &Resource,
    namespace: &str,
    metadata: &mut Map<String, Value>,
) -> Result<()> {
    let wanted = if resource.namespaced { namespace } else { "" };
    match str_of(metadata, "namespace") {
        "" => {}
        given if given == wanted => return Ok(()),
        _ => {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            ));
        }
    }
    if !wanted.is_empty() {
        metadata.insert("namespace".into(), wanted.into());
    }
    Ok(())
}

/// What a kind's own create strategy does.
fn set_kind_members(
    resource: &Resource,
    typed: &Typed,
    members: &mut Map<String, Value>,
    metadata: &mut Map<String, Value>,
) {
    if let Some(custom) = &resource.custom {
        custom.prepare_create(members);
        return;
    }
    match (&*resource.group, &*resource.plural) {
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            members.insert("status".into(), typed.zero_member("status"));
            crd::add_stored_version(members);
        }
        ("", "namespaces") => {
            members.insert("spec".into(), json!({"finalizers": ["kubernetes"]}));
            members.insert("status".into(), json!({"phase": "Active"}));
        }
        // The StorageObjectInUseProtection admission plugin.
        ("", "persistentvolumeclaims") => {
            add_finalizer(metadata, "kubernetes.io/pvc-protection");
            members.insert("status".into(), json!({"phase": "Pending"}));
        }
        ("", "persistentvolumes") => {
            add_finalizer(metadata, "kubernetes.io/pv-protection");
            let since = metadata.get("creationTimestamp");
            let status = json!({"phase": "Pending", "lastPhaseTransitionTime": since});
            members.insert("status".into(), status);
        }
        ("batch", "jobs") => defaults::select_pods_of_job(members, metadata),
        ("", "replicationcontrollers") => {
            let labels =
                members.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels"));
            if let Some(labels) = labels.filter(|_| !metadata.contains_key("labels")) {
                metadata.insert("labels".into(), labels.clone());
            }
            members.insert("status".into(), json!({"replicas": 0}));
        }
        // These may be created with a status: nodes by kubelets, leases have none.
        ("", "nodes") => {}
        ("apiregistration.k8s.io", _) => {
            let now = str_of(metadata, "creationTimestamp");
            members.insert("status".into(), aggregation::first_status(members, now));
        }
        ("", "pods") => {
            members.insert("status".into(), json!({"phase": "Pending"}));
        }
        _ if resource.subresource("status").is_some() => {
            members.insert("status".into(), typed.zero_member("status"));
        }
        _ => {}
    }
}

/// The default label of a namespace.
fn label_with_name(metadata: &mut Map<String, Value>) {
    let name = str_of(metadata, "name").to_owned();
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    if let Some(labels) = labels.as_object_mut() {
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
    }
}

fn add_finalizer(metadata: &mut Map<String, Value>, name: &str) {
    let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
    if let Some(finalizers) = finalizers.as_array_mut()
        && !finalizers.iter().any(|known| known == name)
    {
        finalizers.push(name.into());
    }
}

/// Characters of a generateName that are kept. Source: `names.maxGeneratedNameLength`, 63 - 5.
const GENERATED_BASE_MAX: usize = 58;
