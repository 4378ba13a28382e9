//! The static table behind [`ResourceTable`](super::ResourceTable).
//!
//! Source of the rows: aggregated discovery and probed field selectors of a recorded 1.33.2. The
//! columns `since` and `until` (minor releases, inclusive) are from the release notes and the
//! defaults of each group's API versions; beta versions that are off by default are left out.
//! What other releases serve beyond that is a best effort: only 1.33 has been recorded.

use super::{Conversion, Resource, Str, Subresource};

/// The resources that a minor release serves, in the order of discovery.
pub(super) fn rows(minor: u8) -> impl Iterator<Item = Resource> {
    ROWS.iter().filter(move |row| row.served.holds(minor)).map(move |row| row.resource(minor))
}

/// A row of the table; see [`Resource`] for what the columns mean.
#[derive(Clone, Copy)]
struct Row {
    namespaced: bool,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    verbs: &'static [&'static str],
    subresources: &'static [SubRow],
    selectable: Option<&'static [&'static str]>,
    /// The first minor release that counts the generation.
    generation_since: u8,
    creates_on_update: bool,
    updates_unconditionally: bool,
    stored_as: Option<&'static str>,
    storage_key: &'static str,
    conversion: Conversion,
    served: Releases,
}

#[derive(Clone, Copy)]
struct SubRow {
    name: &'static str,
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    verbs: &'static [&'static str],
    served: Releases,
}

/// Minor releases, inclusive.
#[derive(Clone, Copy)]
struct Releases {
    since: u8,
    until: u8,
}

impl Releases {
    const ALL: Self = Self { since: 0, until: u8::MAX };

    fn holds(self, minor: u8) -> bool {
        (self.since..=self.until).contains(&minor)
    }
}

impl Row {
    const fn short_names(mut self, names: &'static [&'static str]) -> Self {
        self.short_names = names;
        self
    }

    const fn categories(mut self, names: &'static [&'static str]) -> Self {
        self.categories = names;
        self
    }

    const fn verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }

    const fn subresources(mut self, subresources: &'static [SubRow]) -> Self {
        self.subresources = subresources;
        self
    }

    const fn selectable(mut self, fields: &'static [&'static str]) -> Self {
        self.selectable = Some(fields);
        self
    }

    const fn counts_generation(mut self, since: u8) -> Self {
        self.generation_since = since;
        self
    }

    const fn creates_on_update(mut self) -> Self {
        self.creates_on_update = true;
        self
    }

    const fn updates_conditionally(mut self) -> Self {
        self.updates_unconditionally = false;
        self
    }

    /// Objects are kept in another version's collection.
    const fn stored_as(
        mut self,
        stored_as: &'static str,
        storage_key: &'static str,
        conversion: Conversion,
    ) -> Self {
        self.stored_as = Some(stored_as);
        self.storage_key = storage_key;
        self.conversion = conversion;
        self
    }

    /// Only the hash in discovery tells of another version; empty for virtual resources.
    const fn hashed_as(mut self, stored_as: &'static str) -> Self {
        self.stored_as = Some(stored_as);
        self
    }

    const fn since(mut self, minor: u8) -> Self {
        self.served.since = minor;
        self
    }

    const fn until(mut self, minor: u8) -> Self {
        self.served.until = minor;
        self
    }

    fn resource(&self, minor: u8) -> Resource {
        let mut resource = Resource::new(
            self.group.into(),
            self.version.into(),
            self.plural.into(),
            self.singular.into(),
            self.kind.into(),
        );
        resource.namespaced = self.namespaced;
        resource.short_names = strs(self.short_names);
        resource.categories = strs(self.categories);
        resource.verbs = strs(self.verbs);
        resource.subresources = self
            .subresources
            .iter()
            .filter(|subresource| subresource.served.holds(minor))
            .map(SubRow::subresource)
            .collect();
        resource.selectable_fields = self.selectable.map(strs);
        resource.counts_generation = minor >= self.generation_since;
        resource.creates_on_update = self.creates_on_update;
        resource.updates_unconditionally = self.updates_unconditionally;
        resource.conversion = self.conversion;
        if let Some(stored_as) = self.stored_as {
            resource.stored_as = stored_as.into();
        }
        if !self.storage_key.is_empty() {
            resource.storage_key = self.storage_key.to_owned();
        }
        resource
    }
}

impl SubRow {
    const fn since(mut self, minor: u8) -> Self {
        self.served.since = minor;
        self
    }

    fn subresource(&self) -> Subresource {
        Subresource {
            name: self.name.into(),
            group: self.group.into(),
            version: self.version.into(),
            kind: self.kind.into(),
            verbs: strs(self.verbs),
        }
    }
}

fn strs(texts: &'static [&'static str]) -> Vec<Str> {
    texts.iter().map(|&text| text.into()).collect()
}

const fn namespaced(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
) -> Row {
    Row {
        namespaced: true,
        group,
        version,
        plural,
        singular,
        kind,
        short_names: &[],
        categories: &[],
        verbs: STANDARD,
        subresources: &[],
        selectable: None,
        generation_since: u8::MAX,
        creates_on_update: false,
        updates_unconditionally: true,
        stored_as: None,
        storage_key: "",
        conversion: Conversion::None,
        served: Releases::ALL,
    }
}

const fn cluster(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
) -> Row {
    let mut row = namespaced(group, version, plural, singular, kind);
    row.namespaced = false;
    row
}

const fn sub(
    name: &'static str,
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    verbs: &'static [&'static str],
) -> SubRow {
    SubRow { name, group, version, kind, verbs, served: Releases::ALL }
}

const STANDARD: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const GET_PATCH_UPDATE: &[&str] = &["get", "patch", "update"];
const CREATE: &[&str] = &["create"];

static ROWS: &[Row] = &[
    // v1
    namespaced("", "v1", "bindings", "binding", "Binding").verbs(CREATE).hashed_as(""),
    cluster("", "v1", "componentstatuses", "componentstatus", "ComponentStatus")
        .short_names(&["cs"])
        .verbs(&["get", "list"])
        .hashed_as(""),
    namespaced("", "v1", "configmaps", "configmap", "ConfigMap").short_names(&["cm"]),
    namespaced("", "v1", "endpoints", "endpoints", "Endpoints")
        .short_names(&["ep"])
        .creates_on_update(),
    namespaced("", "v1", "events", "event", "Event")
        .short_names(&["ev"])
        .selectable(&[
            "involvedObject.apiVersion",
            "involvedObject.fieldPath",
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.resourceVersion",
            "involvedObject.uid",
            "metadata.name",
            "metadata.namespace",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ])
        .creates_on_update(),
    namespaced("", "v1", "limitranges", "limitrange", "LimitRange")
        .short_names(&["limits"])
        .creates_on_update(),
    cluster("", "v1", "namespaces", "namespace", "Namespace")
        .short_names(&["ns"])
        .verbs(&["create", "delete", "get", "list", "patch", "update", "watch"])
        .subresources(&[
            sub("finalize", "", "", "Namespace", &["update"]),
            sub("status", "", "", "Namespace", GET_PATCH_UPDATE),
        ])
        .selectable(&["metadata.name", "status.phase"]),
    cluster("", "v1", "nodes", "node", "Node")
        .short_names(&["no"])
        .subresources(&[
            sub(
                "proxy",
                "",
                "",
                "NodeProxyOptions",
                &["create", "delete", "get", "patch", "update"],
            ),
            sub("status", "", "", "Node", GET_PATCH_UPDATE),
        ])
        .selectable(&["metadata.name", "spec.unschedulable"]),
    namespaced(
        "",
        "v1",
        "persistentvolumeclaims",
        "persistentvolumeclaim",
        "PersistentVolumeClaim",
    )
    .short_names(&["pvc"])
    .subresources(&[sub("status", "", "", "PersistentVolumeClaim", GET_PATCH_UPDATE)]),
    cluster("", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume")
        .short_names(&["pv"])
        .subresources(&[sub("status", "", "", "PersistentVolume", GET_PATCH_UPDATE)]),
    namespaced("", "v1", "pods", "pod", "Pod")
        .short_names(&["po"])
        .categories(&["all"])
        .subresources(&[
            sub("attach", "", "", "PodAttachOptions", &["create", "get"]),
            sub("binding", "", "", "Binding", CREATE),
            sub("ephemeralcontainers", "", "", "Pod", GET_PATCH_UPDATE),
            sub("eviction", "policy", "v1", "Eviction", CREATE),
            sub("exec", "", "", "PodExecOptions", &["create", "get"]),
            sub("log", "", "", "Pod", &["get"]),
            sub("portforward", "", "", "PodPortForwardOptions", &["create", "get"]),
            sub(
                "proxy",
                "",
                "",
                "PodProxyOptions",
                &["create", "delete", "get", "patch", "update"],
            ),
            sub("resize", "", "", "Pod", GET_PATCH_UPDATE).since(33),
            sub("status", "", "", "Pod", GET_PATCH_UPDATE),
        ])
        .selectable(&[
            "metadata.name",
            "metadata.namespace",
            "spec.host",
            "spec.hostNetwork",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.nominatedNodeName",
            "status.phase",
            "status.podIP",
            "status.podIPs",
        ])
        .counts_generation(33),
    namespaced("", "v1", "podtemplates", "podtemplate", "PodTemplate").counts_generation(29),
    namespaced(
        "",
        "v1",
        "replicationcontrollers",
        "replicationcontroller",
        "ReplicationController",
    )
    .short_names(&["rc"])
    .categories(&["all"])
    .subresources(&[
        sub("scale", "autoscaling", "v1", "Scale", GET_PATCH_UPDATE),
        sub("status", "", "", "ReplicationController", GET_PATCH_UPDATE),
    ])
    .selectable(&["metadata.name", "metadata.namespace", "status.replicas"])
    .counts_generation(29),
    namespaced("", "v1", "resourcequotas", "resourcequota", "ResourceQuota")
        .short_names(&["quota"])
        .subresources(&[sub("status", "", "", "ResourceQuota", GET_PATCH_UPDATE)]),
    namespaced("", "v1", "secrets", "secret", "Secret").selectable(&[
        "metadata.name",
        "metadata.namespace",
        "type",
    ]),
    namespaced("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount")
        .short_names(&["sa"])
        .subresources(&[sub("token", "authentication.k8s.io", "v1", "TokenRequest", CREATE)]),
    namespaced("", "v1", "services", "service", "Service")
        .short_names(&["svc"])
        .categories(&["all"])
        .subresources(&[
            sub(
                "proxy",
                "",
                "",
                "ServiceProxyOptions",
                &["create", "delete", "get", "patch", "update"],
            ),
            sub("status", "", "", "Service", GET_PATCH_UPDATE),
        ])
        .selectable(&["metadata.name", "metadata.namespace", "spec.clusterIP", "spec.type"]),
    // apiregistration.k8s.io/v1
    cluster("apiregistration.k8s.io", "v1", "apiservices", "apiservice", "APIService")
        .categories(&["api-extensions"])
        .subresources(&[sub("status", "", "", "APIService", GET_PATCH_UPDATE)])
        .updates_conditionally(),
    // apps/v1
    namespaced("apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision"),
    namespaced("apps", "v1", "daemonsets", "daemonset", "DaemonSet")
        .short_names(&["ds"])
        .categories(&["all"])
        .subresources(&[sub("status", "", "", "DaemonSet", GET_PATCH_UPDATE)])
        .counts_generation(29),
    namespaced("apps", "v1", "deployments", "deployment", "Deployment")
        .short_names(&["deploy"])
        .categories(&["all"])
        .subresources(&[
            sub("scale", "autoscaling", "v1", "Scale", GET_PATCH_UPDATE),
            sub("status", "", "", "Deployment", GET_PATCH_UPDATE),
        ])
        .counts_generation(29),
    namespaced("apps", "v1", "replicasets", "replicaset", "ReplicaSet")
        .short_names(&["rs"])
        .categories(&["all"])
        .subresources(&[
            sub("scale", "autoscaling", "v1", "Scale", GET_PATCH_UPDATE),
            sub("status", "", "", "ReplicaSet", GET_PATCH_UPDATE),
        ])
        .counts_generation(29),
    namespaced("apps", "v1", "statefulsets", "statefulset", "StatefulSet")
        .short_names(&["sts"])
        .categories(&["all"])
        .subresources(&[
            sub("scale", "autoscaling", "v1", "Scale", GET_PATCH_UPDATE),
            sub("status", "", "", "StatefulSet", GET_PATCH_UPDATE),
        ])
        .counts_generation(29),
    // events.k8s.io/v1
    namespaced("events.k8s.io", "v1", "events", "event", "Event")
        .short_names(&["ev"])
        .selectable(&[
            "metadata.name",
            "metadata.namespace",
            "reason",
            "regarding.apiVersion",
            "regarding.fieldPath",
            "regarding.kind",
            "regarding.name",
            "regarding.namespace",
            "regarding.resourceVersion",
            "regarding.uid",
            "reportingController",
            "type",
        ])
        .creates_on_update()
        .stored_as("/v1/Event", "events", Conversion::EventsV1),
    // authentication.k8s.io/v1
    cluster(
        "authentication.k8s.io",
        "v1",
        "selfsubjectreviews",
        "selfsubjectreview",
        "SelfSubjectReview",
    )
    .verbs(CREATE)
    .hashed_as(""),
    cluster("authentication.k8s.io", "v1", "tokenreviews", "tokenreview", "TokenReview")
        .verbs(CREATE)
        .hashed_as(""),
    // authorization.k8s.io/v1
    namespaced(
        "authorization.k8s.io",
        "v1",
        "localsubjectaccessreviews",
        "localsubjectaccessreview",
        "LocalSubjectAccessReview",
    )
    .verbs(CREATE)
    .hashed_as(""),
    cluster(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "selfsubjectaccessreview",
        "SelfSubjectAccessReview",
    )
    .verbs(CREATE)
    .hashed_as(""),
    cluster(
        "authorization.k8s.io",
        "v1",
        "selfsubjectrulesreviews",
        "selfsubjectrulesreview",
        "SelfSubjectRulesReview",
    )
    .verbs(CREATE)
    .hashed_as(""),
    cluster(
        "authorization.k8s.io",
        "v1",
        "subjectaccessreviews",
        "subjectaccessreview",
        "SubjectAccessReview",
    )
    .verbs(CREATE)
    .hashed_as(""),
    // autoscaling/v2
    namespaced(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "horizontalpodautoscaler",
        "HorizontalPodAutoscaler",
    )
    .short_names(&["hpa"])
    .categories(&["all"])
    .subresources(&[sub("status", "", "", "HorizontalPodAutoscaler", GET_PATCH_UPDATE)]),
    // autoscaling/v1
    namespaced(
        "autoscaling",
        "v1",
        "horizontalpodautoscalers",
        "horizontalpodautoscaler",
        "HorizontalPodAutoscaler",
    )
    .short_names(&["hpa"])
    .categories(&["all"])
    .subresources(&[sub("status", "", "", "HorizontalPodAutoscaler", GET_PATCH_UPDATE)])
    .stored_as(
        "autoscaling/v2/HorizontalPodAutoscaler",
        "horizontalpodautoscalers.autoscaling",
        Conversion::AutoscalingV1,
    ),
    // batch/v1
    namespaced("batch", "v1", "cronjobs", "cronjob", "CronJob")
        .short_names(&["cj"])
        .categories(&["all"])
        .subresources(&[sub("status", "", "", "CronJob", GET_PATCH_UPDATE)])
        .counts_generation(29),
    namespaced("batch", "v1", "jobs", "job", "Job")
        .categories(&["all"])
        .subresources(&[sub("status", "", "", "Job", GET_PATCH_UPDATE)])
        .selectable(&["metadata.name", "metadata.namespace", "status.successful"])
        .counts_generation(29),
    // certificates.k8s.io/v1
    cluster(
        "certificates.k8s.io",
        "v1",
        "certificatesigningrequests",
        "certificatesigningrequest",
        "CertificateSigningRequest",
    )
    .short_names(&["csr"])
    .subresources(&[
        sub("approval", "", "", "CertificateSigningRequest", GET_PATCH_UPDATE),
        sub("status", "", "", "CertificateSigningRequest", GET_PATCH_UPDATE),
    ])
    .selectable(&["metadata.name", "spec.signerName"]),
    // networking.k8s.io/v1
    cluster("networking.k8s.io", "v1", "ingressclasses", "ingressclass", "IngressClass")
        .counts_generation(29),
    namespaced("networking.k8s.io", "v1", "ingresses", "ingress", "Ingress")
        .short_names(&["ing"])
        .subresources(&[sub("status", "", "", "Ingress", GET_PATCH_UPDATE)])
        .counts_generation(29),
    cluster("networking.k8s.io", "v1", "ipaddresses", "ipaddress", "IPAddress")
        .short_names(&["ip"])
        .since(33)
        .hashed_as("networking.k8s.io/v1beta1/IPAddress"),
    namespaced("networking.k8s.io", "v1", "networkpolicies", "networkpolicy", "NetworkPolicy")
        .short_names(&["netpol"])
        .counts_generation(29),
    cluster("networking.k8s.io", "v1", "servicecidrs", "servicecidr", "ServiceCIDR")
        .subresources(&[sub("status", "", "", "ServiceCIDR", GET_PATCH_UPDATE)])
        .since(33)
        .hashed_as("networking.k8s.io/v1beta1/ServiceCIDR"),
    // policy/v1
    namespaced(
        "policy",
        "v1",
        "poddisruptionbudgets",
        "poddisruptionbudget",
        "PodDisruptionBudget",
    )
    .short_names(&["pdb"])
    .subresources(&[sub("status", "", "", "PodDisruptionBudget", GET_PATCH_UPDATE)])
    .counts_generation(29)
    .updates_conditionally(),
    // rbac.authorization.k8s.io/v1
    cluster(
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "clusterrolebinding",
        "ClusterRoleBinding",
    ),
    cluster("rbac.authorization.k8s.io", "v1", "clusterroles", "clusterrole", "ClusterRole"),
    namespaced("rbac.authorization.k8s.io", "v1", "rolebindings", "rolebinding", "RoleBinding"),
    namespaced("rbac.authorization.k8s.io", "v1", "roles", "role", "Role"),
    // storage.k8s.io/v1
    cluster("storage.k8s.io", "v1", "csidrivers", "csidriver", "CSIDriver").updates_conditionally(),
    cluster("storage.k8s.io", "v1", "csinodes", "csinode", "CSINode").updates_conditionally(),
    namespaced(
        "storage.k8s.io",
        "v1",
        "csistoragecapacities",
        "csistoragecapacity",
        "CSIStorageCapacity",
    ),
    cluster("storage.k8s.io", "v1", "storageclasses", "storageclass", "StorageClass")
        .short_names(&["sc"]),
    cluster("storage.k8s.io", "v1", "volumeattachments", "volumeattachment", "VolumeAttachment")
        .subresources(&[sub("status", "", "", "VolumeAttachment", GET_PATCH_UPDATE)])
        .updates_conditionally(),
    cluster(
        "storage.k8s.io",
        "v1",
        "volumeattributesclasses",
        "volumeattributesclass",
        "VolumeAttributesClass",
    )
    .short_names(&["vac"])
    .since(34),
    // admissionregistration.k8s.io/v1
    cluster(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicy",
        "MutatingAdmissionPolicy",
    )
    .categories(&["api-extensions"])
    .counts_generation(29)
    .since(36),
    cluster(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingadmissionpolicybindings",
        "mutatingadmissionpolicybinding",
        "MutatingAdmissionPolicyBinding",
    )
    .categories(&["api-extensions"])
    .counts_generation(29)
    .since(36),
    cluster(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "mutatingwebhookconfiguration",
        "MutatingWebhookConfiguration",
    )
    .categories(&["api-extensions"])
    .counts_generation(29)
    .updates_conditionally(),
    cluster(
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicies",
        "validatingadmissionpolicy",
        "ValidatingAdmissionPolicy",
    )
    .categories(&["api-extensions"])
    .subresources(&[sub("status", "", "", "ValidatingAdmissionPolicy", GET_PATCH_UPDATE)])
    .since(30)
    .counts_generation(29)
    .updates_conditionally(),
    cluster(
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicybinding",
        "ValidatingAdmissionPolicyBinding",
    )
    .categories(&["api-extensions"])
    .since(30)
    .counts_generation(29)
    .updates_conditionally(),
    cluster(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "validatingwebhookconfiguration",
        "ValidatingWebhookConfiguration",
    )
    .categories(&["api-extensions"])
    .counts_generation(29)
    .updates_conditionally(),
    // apiextensions.k8s.io/v1
    cluster(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "customresourcedefinition",
        "CustomResourceDefinition",
    )
    .short_names(&["crd", "crds"])
    .categories(&["api-extensions"])
    .subresources(&[sub("status", "", "", "CustomResourceDefinition", GET_PATCH_UPDATE)])
    .counts_generation(29)
    .hashed_as("apiextensions.k8s.io/v1beta1/CustomResourceDefinition")
    .updates_conditionally(),
    // scheduling.k8s.io/v1
    cluster("scheduling.k8s.io", "v1", "priorityclasses", "priorityclass", "PriorityClass")
        .short_names(&["pc"])
        .counts_generation(29),
    // coordination.k8s.io/v1
    namespaced("coordination.k8s.io", "v1", "leases", "lease", "Lease")
        .creates_on_update()
        .updates_conditionally(),
    // node.k8s.io/v1
    cluster("node.k8s.io", "v1", "runtimeclasses", "runtimeclass", "RuntimeClass")
        .updates_conditionally(),
    // discovery.k8s.io/v1
    namespaced("discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice")
        .counts_generation(29),
    // flowcontrol.apiserver.k8s.io/v1
    cluster("flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "flowschema", "FlowSchema")
        .subresources(&[sub("status", "", "", "FlowSchema", GET_PATCH_UPDATE)])
        .counts_generation(29),
    cluster(
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "prioritylevelconfigurations",
        "prioritylevelconfiguration",
        "PriorityLevelConfiguration",
    )
    .subresources(&[sub("status", "", "", "PriorityLevelConfiguration", GET_PATCH_UPDATE)])
    .counts_generation(29),
    // flowcontrol.apiserver.k8s.io/v1beta3
    cluster("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", "flowschema", "FlowSchema")
        .subresources(&[sub("status", "", "", "FlowSchema", GET_PATCH_UPDATE)])
        .counts_generation(29)
        .stored_as("flowcontrol.apiserver.k8s.io/v1/FlowSchema", "", Conversion::None)
        .until(31),
    cluster(
        "flowcontrol.apiserver.k8s.io",
        "v1beta3",
        "prioritylevelconfigurations",
        "prioritylevelconfiguration",
        "PriorityLevelConfiguration",
    )
    .subresources(&[sub("status", "", "", "PriorityLevelConfiguration", GET_PATCH_UPDATE)])
    .counts_generation(29)
    .stored_as("flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration", "", Conversion::None)
    .until(31),
    // resource.k8s.io/v1
    cluster("resource.k8s.io", "v1", "deviceclasses", "deviceclass", "DeviceClass").since(34),
    namespaced("resource.k8s.io", "v1", "resourceclaims", "resourceclaim", "ResourceClaim")
        .subresources(&[sub("status", "", "", "ResourceClaim", GET_PATCH_UPDATE)])
        .since(34),
    namespaced(
        "resource.k8s.io",
        "v1",
        "resourceclaimtemplates",
        "resourceclaimtemplate",
        "ResourceClaimTemplate",
    )
    .since(34),
    cluster("resource.k8s.io", "v1", "resourceslices", "resourceslice", "ResourceSlice")
        .selectable(&["metadata.name", "spec.driver", "spec.nodeName"])
        .since(34),
];
