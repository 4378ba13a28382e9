//! What the server makes of an object that replaces another.

use serde_json::{Map, Value};

use super::{
    WriteContext,
    create::{is_admitted, set_namespace},
    defaults, generation, join, split, str_of,
};
use crate::{
    RequestInfo, Resource, Status, StatusCause, crd, go, managed_fields, schema::Schema,
    status::Result, subresource, validation,
};

/// The version that the client means to replace; `None` when it does not say.
///
/// The caller answers [`Status::modified`] when the stored object has another one.
pub fn expected_revision(object: &Value) -> Result<Option<u64>> {
    match super::text(object, "resourceVersion") {
        "" => Ok(None),
        text => match go::parse_uint(text) {
            Ok(0) => Ok(None),
            Ok(revision) => Ok(Some(revision)),
            Err(error) => Err(Status::plain_error(format!(
                "resourceVersion: Invalid value: {}: {error}",
                go::quote(text)
            ))),
        },
    }
}

/// Whether a PUT means the object that is there: a uid in what is sent is a precondition. With
/// `found` nothing there is no object, which has no uid.
///
/// The storage finds this out before anything else, and says so in its own words.
///
/// Source: `DefaultUpdatedObjectInfo.Preconditions` and `NewInvalidObjError`; recorded.
///
/// # Errors
///
/// 409.
pub fn check_uid(
    resource: &Resource,
    key: &str,
    sent: &Value,
    found: Option<&Value>,
) -> Result<()> {
    let (wanted, found) = (super::uid(sent), found.map_or("", super::uid));
    if wanted.is_empty() || wanted == found {
        return Ok(());
    }
    let (_, name) = key.rsplit_once('/').unwrap_or(("", key));
    let detail = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}/{key}, ResourceVersion: 0, \
         AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object \
         meta: {found}",
        storage_prefix(resource)
    );
    Err(Status::conflict(&resource.group, &resource.plural, name, &detail))
}

/// Where the real server keeps a resource in etcd.
///
/// Source: `SpecialDefaultResourcePrefixes` of k8s.io/kubernetes `pkg/kubeapiserver`.
fn storage_prefix(resource: &Resource) -> String {
    let plural = match (&*resource.group, &*resource.plural) {
        ("", "replicationcontrollers") => "controllers",
        ("", "endpoints") => "services/endpoints",
        ("", "services") => "services/specs",
        ("", "nodes") => "minions",
        ("networking.k8s.io", "ingresses") => "ingress",
        (_, plural) => plural,
    };
    let has_group = resource.custom.is_some()
        || matches!(&*resource.group, "apiextensions.k8s.io" | "apiregistration.k8s.io");
    if has_group { format!("{}/{plural}", resource.group) } else { plural.to_owned() }
}

/// The object as it is to be stored, from what a client sent or a patch made.
///
/// `request` says which object and subresource is meant. That its resourceVersion is the stored
/// one is for the caller to check, see [`expected_revision`]. The result equals `old` when
/// nothing changes.
pub fn prepare_update(
    resource: &Resource,
    request: &RequestInfo,
    old: &Value,
    new: Value,
    context: &WriteContext,
) -> Result<Value> {
    prepare(resource, request, old, new, Some(context), &mut |_| Ok(()))
}

/// As [`prepare_update`], for an object that [`crate::managed_fields::apply()`] made: its
/// managedFields are kept.
pub fn prepare_applied_update(
    resource: &Resource,
    request: &RequestInfo,
    old: &Value,
    new: Value,
) -> Result<Value> {
    prepare(resource, request, old, new, None, &mut |_| Ok(()))
}

/// As [`prepare_update`], or, without a context, as [`prepare_applied_update`]; `admit` sees the
/// object before it is validated, and may change or refuse it. What it changes nobody owns.
pub fn prepare_admitted_update(
    resource: &Resource,
    request: &RequestInfo,
    old: &Value,
    new: Value,
    tracked: Option<&WriteContext>,
    admit: &mut dyn FnMut(&mut Value) -> Result<()>,
) -> Result<Value> {
    prepare(resource, request, old, new, tracked, admit)
}

fn prepare(
    resource: &Resource,
    request: &RequestInfo,
    old: &Value,
    new: Value,
    tracked: Option<&WriteContext>,
    admit: &mut dyn FnMut(&mut Value) -> Result<()>,
) -> Result<Value> {
    let typed = Schema::of(resource);
    let (mut members, mut metadata) = split(new)?;
    // An object that did not come through here may not be in the form that Go gives it.
    let known = typed.canonical(old.clone());
    let (old_members, old_metadata) = split(known.clone())?;
    check_identity(resource, request, &mut metadata)?;
    if !resource.updates_unconditionally && matches!(str_of(&metadata, "resourceVersion"), "" | "0")
    {
        let cause = StatusCause::invalid(
            "metadata.resourceVersion",
            "0x0",
            "must be specified for an update",
        );
        let name = str_of(&old_metadata, "name");
        return Err(Status::invalid(&resource.group, &resource.plural, name, vec![cause]));
    }
    keep_system_members(&mut metadata, &old_metadata);
    keep_other_half(resource, &request.subresource, &mut members, &old_members);
    if crd::is_definitions(resource) && request.subresource.is_empty() {
        crd::add_stored_version(&mut members);
    }
    match request.subresource.as_str() {
        "status" => keep_metadata(resource, &mut metadata, &old_metadata),
        "ephemeralcontainers" | "resize" => {
            keep(&mut metadata, &old_metadata, &["labels", "annotations"]);
            keep(&mut metadata, &old_metadata, &["ownerReferences", "finalizers"]);
        }
        _ => {}
    }
    let typed = Schema::of(resource);
    let (members, mut metadata) =
        split(defaults::defaulted(resource, &typed, join(resource, members, metadata))?)?;
    let mut members = members;
    defaults::count_template(resource, &members, &mut metadata, &old_members, &old_metadata);
    if resource.is("", "pods") && request.subresource.is_empty() {
        defaults::admit_update(&mut members, &old_members);
    }
    let counts = resource.counts_generation;
    if counts && is_spec_changed(resource, &members, &metadata, &old_members, &old_metadata) {
        metadata.insert("generation".into(), (generation(&old_metadata) + 1).into());
    }
    let mut object = join(resource, members, metadata);
    if let Some(context) = tracked {
        let (subresource, manager) = (&request.subresource, &context.manager);
        let live = Some(&known);
        managed_fields::track(resource, subresource, live, &mut object, manager, context.now);
    }
    admit(&mut object)?;
    if is_admitted(resource) {
        object = typed.canonical(object);
    }
    let causes = validation::on_update(resource, &request.subresource, &object, &known);
    if !causes.is_empty() {
        let name = str_of(&old_metadata, "name");
        return Err(Status::invalid(&resource.group, &resource.kind, name, causes));
    }
    let object = typed.kept(object);
    // The order of keys is the old one where nothing changes, so that the bytes are too.
    Ok(if object == known { old.clone() } else { object })
}

/// Whether an object may be applied at the path: its name and namespace must be those of it.
pub fn check_applied(resource: &Resource, request: &RequestInfo, applied: &Value) -> Result<()> {
    let (_, mut metadata) = split(applied.clone())?;
    check_identity(resource, request, &mut metadata)
}

/// Name and namespace must be those of the path.
fn check_identity(
    resource: &Resource,
    request: &RequestInfo,
    metadata: &mut Map<String, Value>,
) -> Result<()> {
    let namespace = if resource.namespaced { &request.namespace } else { "" };
    set_namespace(resource, namespace, metadata)?;
    match str_of(metadata, "name") {
        "" => {
            metadata.insert("name".into(), request.name.as_str().into());
            Ok(())
        }
        name if name == request.name => Ok(()),
        name => Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.name
        ))),
    }
}

/// What only the server sets is kept; what a client may leave out is filled in.
fn keep_system_members(metadata: &mut Map<String, Value>, old: &Map<String, Value>) {
    let mut keep = |key: &str, only_if_absent: bool| {
        if only_if_absent && !str_of(metadata, key).is_empty() {
            return;
        }
        match old.get(key) {
            Some(value) => metadata.insert(key.to_owned(), value.clone()),
            None => metadata.shift_remove(key),
        };
    };
    keep("uid", true);
    keep("creationTimestamp", false);
    keep("generation", false);
    keep("resourceVersion", false);
    if old.contains_key("deletionTimestamp") {
        // A deletion cannot be taken back or changed by an update.
        keep("deletionTimestamp", false);
        keep("deletionGracePeriodSeconds", false);
    }
    metadata.shift_remove("selfLink");
}

/// An update of the status leaves the rest as it was, and the other way round.
fn keep_other_half(
    resource: &Resource,
    part: &str,
    members: &mut Map<String, Value>,
    old: &Map<String, Value>,
) {
    let is_namespace = resource.is("", "namespaces");
    if let (Some(old), Some(new)) = (old.get("spec"), members.get("spec"))
        && let Some(spec) = subresource::pod::spec(part, old, new)
    {
        members.insert("spec".into(), spec);
    }
    if resource.is("certificates.k8s.io", "certificatesigningrequests") {
        subresource::approval::keep(part, members, old);
    }
    let keeps = |key: &str| match part {
        "status" | "approval" => key != "status",
        "finalize" | "ephemeralcontainers" | "resize" => key != "spec",
        _ => {
            (key == "status" && resource.subresource("status").is_some())
                || (is_namespace && key == "spec")
        }
    };
    members.retain(|key, _| !keeps(key));
    for (key, value) in old {
        if keeps(key) && !matches!(key.as_str(), "kind" | "apiVersion") {
            members.insert(key.clone(), value.clone());
        }
    }
}

/// What an update of the status leaves alone of the metadata.
///
/// Source: `PrepareForUpdate` of the kinds' status strategies.
fn keep_metadata(resource: &Resource, metadata: &mut Map<String, Value>, old: &Map<String, Value>) {
    if resource.custom.is_some() {
        // Of a custom resource nothing but the status changes, and who manages it.
        let managed = metadata.shift_remove("managedFields");
        let revision = metadata.shift_remove("resourceVersion");
        metadata.clone_from(old);
        metadata.shift_remove("managedFields");
        metadata.extend(managed.map(|managed| ("managedFields".to_owned(), managed)));
        metadata.extend(revision.map(|revision| ("resourceVersion".to_owned(), revision)));
        return;
    }
    let kept: &[&str] = match (&*resource.group, &*resource.plural) {
        ("", "pods") => &["ownerReferences"],
        ("apps", "deployments") => &["labels"],
        ("admissionregistration.k8s.io" | "apiextensions.k8s.io", _)
        | ("apiregistration.k8s.io" | "flowcontrol.apiserver.k8s.io", _)
        | ("storage.k8s.io" | "resource.k8s.io", _) => {
            &["labels", "annotations", "ownerReferences", "finalizers"]
        }
        _ => &[],
    };
    keep(metadata, old, kept);
}

fn keep(metadata: &mut Map<String, Value>, old: &Map<String, Value>, keys: &[&str]) {
    for &key in keys {
        match old.get(key) {
            Some(value) => metadata.insert(key.to_owned(), value.clone()),
            None => metadata.shift_remove(key),
        };
    }
}

/// Whether anything but metadata and status changes; for deployments annotations count too.
fn is_spec_changed(
    resource: &Resource,
    members: &Map<String, Value>,
    metadata: &Map<String, Value>,
    old_members: &Map<String, Value>,
    old_metadata: &Map<String, Value>,
) -> bool {
    let spec = |members: &Map<String, Value>| -> Map<String, Value> {
        // A status that is no subresource is a member like others.
        let status_counts = resource.custom.as_ref().is_some_and(|custom| custom.status_counts());
        let other = |key: &str| match key {
            "kind" | "apiVersion" => false,
            "status" => status_counts,
            _ => true,
        };
        members
            .iter()
            .filter(|(key, value)| other(key) && !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    if spec(members) != spec(old_members) {
        return true;
    }
    resource.is("apps", "deployments")
        && metadata.get("annotations") != old_metadata.get("annotations")
}
