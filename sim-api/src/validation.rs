//! Validation of the built-in kinds: what is wrong with an object that is written, with the real
//! causes in the real order.
//!
//! An object comes here after decoding and defaulting, so what has a default is never missed. Each kind's rules are written against its
//! stored version; what they say, and how often, is what the kind's strategy says in
//! kubernetes/kubernetes.
//!
//! Source: k8s.io/kubernetes `pkg/apis/*/validation`, `pkg/registry/*/*/strategy.go`, k8s.io/apiserver
//! `pkg/registry/rest/{create,update}.go` (release-1.33).

mod admission;
mod autoscaling;
mod batch;
mod certificate;
mod claim;
mod config;
mod cron;
mod definition;
mod endpoints;
mod event;
mod metadata;
mod misc;
mod namespace;
mod network;
mod node;
mod pod;
mod quota;
mod rbac;
mod service;
mod source;
mod storage;
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
    create: Rule,
    update: Rule,
    /// Of an update through the named subresource.
    subresource: fn(&mut Errors, &Object<'_>, &str),
}

/// Of kinds whose subresources have no rules beyond the metadata.
fn only_metadata(e: &mut Errors, object: &Object<'_>, _subresource: &str) {
    object.metadata_update(e);
}

/// What is wrong with an object.
type Rule = fn(&mut Errors, &Object<'_>);

const fn both(create: Rule, update: Rule) -> Rules {
    three(create, update, only_metadata)
}

const fn three(
    create: Rule,
    update: Rule,
    subresource: fn(&mut Errors, &Object<'_>, &str),
) -> Rules {
    Rules { create, update, subresource }
}

/// Of the kinds that keep pods running, whose statuses are alike.
const fn workload(create: Rule, update: Rule) -> Rules {
    three(create, update, workload::subresource)
}

/// The rules of a built-in kind.
///
/// FlowSchemas and PriorityLevelConfigurations have theirs where their meaning is.
fn rules(resource: &Resource) -> Option<Rules> {
    if resource.custom.is_some() {
        return None;
    }
    match &*resource.group {
        "" => core(&resource.plural),
        "admissionregistration.k8s.io" => match &*resource.plural {
            "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => {
                Some(both(admission::webhooks, admission::webhooks))
            }
            "validatingadmissionpolicies" => {
                let rule = admission::policy;
                Some(three(rule, rule, admission::policy_subresource))
            }
            "validatingadmissionpolicybindings" => {
                Some(both(admission::binding, admission::binding))
            }
            _ => None,
        },
        "apiextensions.k8s.io" => {
            Some(three(definition::create, definition::update, definition::subresource))
        }
        "apiregistration.k8s.io" => {
            Some(three(misc::api_service, misc::api_service_update, misc::api_service_subresource))
        }
        "apps" => apps(&resource.plural),
        "autoscaling" => {
            Some(three(autoscaling::create, autoscaling::update, autoscaling::subresource))
        }
        "batch" => match &*resource.plural {
            "cronjobs" => {
                let update = batch::cron_job_update;
                Some(three(batch::cron_job, update, batch::cron_job_subresource))
            }
            "jobs" => Some(three(batch::job, batch::job_update, batch::job_subresource)),
            _ => None,
        },
        "certificates.k8s.io" => match &*resource.plural {
            "certificatesigningrequests" => {
                Some(three(certificate::create, certificate::update, certificate::subresource))
            }
            _ => None,
        },
        "coordination.k8s.io" => match &*resource.plural {
            "leases" => Some(both(misc::lease, misc::lease_update)),
            _ => None,
        },
        "discovery.k8s.io" => Some(both(endpoints::slice, endpoints::slice_update)),
        "events.k8s.io" => Some(both(event::create, event::update)),
        "networking.k8s.io" => network(&resource.plural),
        "node.k8s.io" => Some(both(misc::runtime_class, misc::runtime_class_update)),
        "policy" => Some(three(misc::budget, misc::budget, misc::budget_subresource)),
        "rbac.authorization.k8s.io" => match &*resource.plural {
            "roles" | "clusterroles" => Some(both(rbac::role, rbac::role_update)),
            _ => Some(both(rbac::binding, rbac::binding_update)),
        },
        "scheduling.k8s.io" => Some(both(misc::priority_class, misc::priority_class_update)),
        "storage.k8s.io" => storage(&resource.plural),
        _ => None,
    }
}

fn core(plural: &str) -> Option<Rules> {
    Some(match plural {
        "configmaps" => both(config::map, config::map_update),
        "endpoints" => both(endpoints::endpoints, endpoints::endpoints_update),
        "events" => both(event::create, event::update),
        "limitranges" => both(quota::limits, quota::limits),
        "namespaces" => three(namespace::create, namespace::update, namespace::subresource),
        "nodes" => three(node::create, node::update, node::subresource),
        "persistentvolumeclaims" => three(claim::create, claim::update, claim::subresource),
        "persistentvolumes" => both(volume::create, volume::update),
        "pods" => three(pod::create, pod::update, pod::subresource),
        "podtemplates" => both(pod::pod_template, pod::pod_template_update),
        "replicationcontrollers" => workload(workload::controller, workload::controller_update),
        "resourcequotas" => three(quota::quota, quota::quota_update, quota::quota_subresource),
        "secrets" => both(config::secret, config::secret_update),
        "serviceaccounts" => both(config::account, config::account_update),
        "services" => three(service::create, service::update, service::subresource),
        _ => return None,
    })
}

fn apps(plural: &str) -> Option<Rules> {
    Some(match plural {
        "controllerrevisions" => both(workload::revision, workload::revision_update),
        "daemonsets" => workload(workload::daemon_set, workload::daemon_set_update),
        "deployments" => workload(workload::deployment, workload::deployment_update),
        "replicasets" => workload(workload::replica_set, workload::replica_set_update),
        "statefulsets" => workload(workload::stateful_set, workload::stateful_set_update),
        _ => return None,
    })
}

fn network(plural: &str) -> Option<Rules> {
    Some(match plural {
        "ingressclasses" => both(network::class, network::class_update),
        "ingresses" => three(network::ingress, network::ingress_update, network::ingress_status),
        "ipaddresses" => both(network::address, network::address_update),
        "networkpolicies" => both(network::policy, network::policy_update),
        "servicecidrs" => both(network::service_cidr, network::service_cidr_update),
        _ => return None,
    })
}

fn storage(plural: &str) -> Option<Rules> {
    Some(match plural {
        "csidrivers" => both(storage::csi_driver, storage::csi_driver_update),
        "csinodes" => both(storage::csi_node, storage::csi_node_update),
        "csistoragecapacities" => both(storage::capacity, storage::capacity_update),
        "storageclasses" => both(storage::class, storage::class_update),
        "volumeattachments" => {
            let update = storage::attachment_update;
            three(storage::attachment, update, storage::attachment_status)
        }
        "volumeattributesclasses" => {
            both(storage::attributes_class, storage::attributes_class_update)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
