//! Which function prints a kind.

use serde_json::Value;

use super::{cells, cluster, core, hpa, network, pods, read::Reader, storage, workloads};
use crate::Resource;

/// The cells of one object.
pub(super) type Print = fn(Reader<'_>) -> Vec<Value>;

/// The printer of a resource, the same for all its versions.
pub(super) fn printer(resource: &Resource) -> Print {
    match resource.storage_key() {
        "componentstatuses" => core::component_status,
        "configmaps" => core::config_map,
        "endpoints" => network::endpoints,
        "events" => core::event,
        "namespaces" => core::namespace,
        "nodes" => core::node,
        "persistentvolumeclaims" => storage::claim,
        "persistentvolumes" => storage::volume,
        "pods" => pods::pod,
        "podtemplates" => workloads::pod_template,
        "replicationcontrollers" => workloads::replication_controller,
        "resourcequotas" => core::resource_quota,
        "secrets" => core::secret,
        "serviceaccounts" => core::service_account,
        "services" => network::service,
        "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        | "validatingwebhookconfigurations.admissionregistration.k8s.io" => cluster::webhooks,
        "validatingadmissionpolicies.admissionregistration.k8s.io" => cluster::admission_policy,
        "validatingadmissionpolicybindings.admissionregistration.k8s.io" => {
            cluster::admission_policy_binding
        }
        "apiservices.apiregistration.k8s.io" => cluster::api_service,
        "controllerrevisions.apps" => workloads::controller_revision,
        "daemonsets.apps" => workloads::daemon_set,
        "deployments.apps" => workloads::deployment,
        "replicasets.apps" => workloads::replica_set,
        "statefulsets.apps" => workloads::stateful_set,
        "horizontalpodautoscalers.autoscaling" => hpa::autoscaler,
        "cronjobs.batch" => workloads::cron_job,
        "jobs.batch" => workloads::job,
        "certificatesigningrequests.certificates.k8s.io" => cluster::signing_request,
        "leases.coordination.k8s.io" => cluster::lease,
        "endpointslices.discovery.k8s.io" => network::endpoint_slice,
        "flowschemas.flowcontrol.apiserver.k8s.io" => cluster::flow_schema,
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io" => cluster::priority_level,
        "ingressclasses.networking.k8s.io" => network::ingress_class,
        "ingresses.networking.k8s.io" => network::ingress,
        "ipaddresses.networking.k8s.io" => network::ip_address,
        "networkpolicies.networking.k8s.io" => network::network_policy,
        "servicecidrs.networking.k8s.io" => network::service_cidr,
        "runtimeclasses.node.k8s.io" => cluster::runtime_class,
        "poddisruptionbudgets.policy" => cluster::disruption_budget,
        "clusterrolebindings.rbac.authorization.k8s.io"
        | "rolebindings.rbac.authorization.k8s.io" => cluster::role_binding,
        "deviceclasses.resource.k8s.io" | "resourceclaimtemplates.resource.k8s.io" => aged,
        "resourceclaims.resource.k8s.io" => cluster::resource_claim,
        "resourceslices.resource.k8s.io" => cluster::resource_slice,
        "priorityclasses.scheduling.k8s.io" => cluster::priority_class,
        "csidrivers.storage.k8s.io" => storage::csi_driver,
        "csinodes.storage.k8s.io" => storage::csi_node,
        "storageclasses.storage.k8s.io" => storage::class,
        "volumeattachments.storage.k8s.io" => storage::attachment,
        _ => created,
    }
}

/// Name and age.
fn aged(object: Reader<'_>) -> Vec<Value> {
    cells![object.name(), object.age()]
}

/// What a kind without columns of its own shows: its name and when it was created.
fn created(object: Reader<'_>) -> Vec<Value> {
    let created = object.text_or("metadata.creationTimestamp", "0001-01-01T00:00:00Z");
    cells![object.name(), created]
}

#[cfg(test)]
mod tests {
    use super::{super::columns, *};
    use crate::{Release, ResourceTable};

    #[test]
    fn a_kind_has_both_columns_and_a_printer_or_neither() {
        for resource in ResourceTable::for_release(Release::parse("1.34").unwrap()).iter() {
            let prints = !std::ptr::fn_addr_eq(printer(resource), created as Print);
            let key = resource.storage_key();
            assert_eq!(prints, columns::has_own(key), "{key}");
        }
    }
}
