//! Validation of the built-in kinds: what is wrong with an object that is written, with the real
//! causes in the real order.
//!
//! An object comes here after decoding and defaulting, so what has a default is never missed. Each kind's rules are written against its
//! stored version; what they say, and how often, is what the kind's strategy says in
//! kubernetes/kubernetes.
//!
//! Source: k8s.io/kubernetes `pkg/apis/*/validation`, `pkg/registry/*/*/strategy.go`, k8s.io/apiserver
//! `pkg/registry/rest/{create,update}.go` (release-1.33).

mod claim;
mod config;
mod definition;
mod event;
mod metadata;
mod namespace;
mod pod;
mod source;
#[expect(dead_code, reason = "not every kind has its rules yet")]
mod text;
mod volume;
mod workload;

use serde_json::Value;

use crate::{
    Resource, convert,
    field::{At, Errors},
    resources::Conversion,
    status::StatusCause,
};

/// What is wrong with an object that is created.
pub(crate) fn on_create(resource: &Resource, object: &Value) -> Vec<StatusCause> {
    let converted = stored(resource, object);
    let object =
        Object { resource, new: At::root(converted.as_ref().unwrap_or(object)), old: None };
    let mut errors = Errors::new();
    match rules(resource) {
        Some(rules) => (rules.create)(&mut errors, &object),
        None => object.plain_metadata(&mut errors),
    }
    if let Some(custom) = &resource.custom {
        custom.create_errors(object.new.value()).into_iter().for_each(|cause| errors.push(cause));
    }
    // The common rules are asked only where the kind has found nothing.
    if errors.is_empty() {
        metadata::common(&mut errors, &object);
    }
    errors.into_causes()
}

/// What is wrong with an object that replaces `old` through a subresource; `""` for the object
/// itself.
pub(crate) fn on_update(
    resource: &Resource,
    subresource: &str,
    new: &Value,
    old: &Value,
) -> Vec<StatusCause> {
    let (converted, old_converted) = (stored(resource, new), stored(resource, old));
    let object = Object {
        resource,
        new: At::root(converted.as_ref().unwrap_or(new)),
        old: Some(At::root(old_converted.as_ref().unwrap_or(old))),
    };
    let mut errors = Errors::new();
    metadata::common(&mut errors, &object);
    metadata::update(&mut errors, &object);
    match (rules(resource), subresource) {
        (Some(rules), "") => (rules.update)(&mut errors, &object),
        (Some(rules), name) => (rules.subresource)(&mut errors, &object, name),
        (None, _) => object.plain_metadata_update(&mut errors),
    }
    if let Some(custom) = &resource.custom {
        let causes = custom.update_errors(subresource, new, old);
        causes.into_iter().for_each(|cause| errors.push(cause));
    }
    errors.into_causes()
}

/// The shape that is stored, where it is another one.
fn stored(resource: &Resource, object: &Value) -> Option<Value> {
    (resource.conversion != Conversion::None).then(|| convert::to_storage(resource, object))
}

/// What is validated.
struct Object<'a> {
    resource: &'a Resource,
    new: At<'a>,
    /// What it replaces.
    old: Option<At<'a>>,
}

impl<'a> Object<'a> {
    /// A member.
    fn at(&self, name: &'a str) -> At<'a> {
        self.new.at(name)
    }

    /// A member of what it replaces; nothing where it replaces nothing.
    fn old(&self, name: &'a str) -> At<'a> {
        static NULL: Value = Value::Null;
        self.old.as_ref().map_or_else(|| At::root(&NULL).at(name), |old| old.at(name))
    }

    /// `ValidateObjectMeta` of the core kinds, which most kinds share.
    fn metadata(&self, e: &mut Errors) {
        self.plain_metadata(e);
        metadata::standard_finalizers(e, self);
    }

    /// `ValidateObjectMetaUpdate` of the core kinds.
    fn metadata_update(&self, e: &mut Errors) {
        self.plain_metadata_update(e);
        metadata::standard_finalizers(e, self);
    }

    /// `ValidateObjectMeta` of k8s.io/apimachinery.
    fn plain_metadata(&self, e: &mut Errors) {
        metadata::kind(e, self);
    }

    /// `ValidateObjectMetaUpdate` of k8s.io/apimachinery.
    fn plain_metadata_update(&self, e: &mut Errors) {
        metadata::update(e, self);
    }
}

/// The rules of a kind.
struct Rules {
    create: fn(&mut Errors, &Object<'_>),
    update: fn(&mut Errors, &Object<'_>),
    /// Of an update through the named subresource.
    subresource: fn(&mut Errors, &Object<'_>, &str),
}

/// Of kinds whose subresources have no rules beyond the metadata.
fn only_metadata(e: &mut Errors, object: &Object<'_>, _subresource: &str) {
    object.metadata_update(e);
}

const fn both(create: fn(&mut Errors, &Object<'_>), update: fn(&mut Errors, &Object<'_>)) -> Rules {
    Rules { create, update, subresource: only_metadata }
}

/// Of the kinds that keep pods running, whose statuses are alike.
const fn workload(
    create: fn(&mut Errors, &Object<'_>),
    update: fn(&mut Errors, &Object<'_>),
) -> Rules {
    Rules { create, update, subresource: workload::subresource }
}

/// The rules of a built-in kind.
fn rules(resource: &Resource) -> Option<Rules> {
    Some(match (&*resource.group, &*resource.plural) {
        ("", "configmaps") => both(config::map, config::map_update),
        ("", "events") | ("events.k8s.io", "events") => both(event::create, event::update),
        ("", "namespaces") => Rules {
            create: namespace::create,
            update: namespace::update,
            subresource: namespace::subresource,
        },
        ("", "persistentvolumeclaims") => {
            Rules { create: claim::create, update: claim::update, subresource: claim::subresource }
        }
        ("", "persistentvolumes") => both(volume::create, volume::update),
        ("", "pods") => {
            Rules { create: pod::create, update: pod::update, subresource: pod::subresource }
        }
        ("", "podtemplates") => both(pod::pod_template, pod::pod_template_update),
        ("", "replicationcontrollers") => {
            workload(workload::controller, workload::controller_update)
        }
        ("", "secrets") => both(config::secret, config::secret_update),
        ("", "serviceaccounts") => both(config::account, config::account_update),
        ("apps", "controllerrevisions") => both(workload::revision, workload::revision_update),
        ("apps", "daemonsets") => workload(workload::daemon_set, workload::daemon_set_update),
        ("apps", "deployments") => workload(workload::deployment, workload::deployment_update),
        ("apps", "replicasets") => workload(workload::replica_set, workload::replica_set_update),
        ("apps", "statefulsets") => workload(workload::stateful_set, workload::stateful_set_update),
        ("apiextensions.k8s.io", "customresourcedefinitions") => Rules {
            create: definition::create,
            update: definition::update,
            subresource: definition::subresource,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
