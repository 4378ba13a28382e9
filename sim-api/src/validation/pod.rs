//! Pods, and the specification that pods and templates share.
//!
//! Source: `ValidatePodSpec` and what it calls in `core/validation/validation.go`.

mod affinity;
mod annotations;
mod container;
mod env;
mod probe;
mod resize;
pub(super) mod resources;
mod security;
mod spread;
mod status;
mod toleration;
mod update;
pub(super) mod volume;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::{
    affinity::{node_selector, topology_term},
    annotations::annotations,
    spread::label_keys,
    toleration::{taint_effect, tolerations},
};
use super::{Object, text};
use crate::field::{At, Errors};

/// What containers must know of the pod that they are in.
struct Pod<'a> {
    spec: At<'a>,
    /// The volumes without errors, by name.
    volumes: BTreeMap<&'a str, At<'a>>,
    /// The names of the resource claims.
    claims: BTreeSet<&'a str>,
}

impl<'a> Pod<'a> {
    fn grace_period(&self) -> Option<i64> {
        self.spec.at("terminationGracePeriodSeconds").opt_int()
    }

    fn restart_policy(&self) -> &'a str {
        self.spec.at("restartPolicy").text()
    }

    /// Whether it shares the host's users.
    fn host_users(&self) -> bool {
        self.spec.at("hostUsers").value().as_bool() != Some(false)
    }

    fn os(&self) -> Option<&'a str> {
        let os = self.spec.at("os");
        os.is_set().then(|| os.at("name").text())
    }
}

/// The containers of all kinds, in the order of `VisitContainersWithPath`.
fn all_containers<'a>(spec: &At<'a>) -> impl Iterator<Item = At<'a>> + use<'a> {
    let [init, regular, ephemeral] =
        ["initContainers", "containers", "ephemeralContainers"].map(|list| spec.at(list).items());
    init.chain(regular).chain(ephemeral)
}

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    metadata_and_spec(e, o);
    let spec = o.at("spec");
    if !spec.at("ephemeralContainers").is_empty() {
        e.forbidden(&spec.at("ephemeralContainers"), "cannot be set on create");
    }
    if !spec.at("nodeName").is_empty() && !spec.at("schedulingGates").is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        e.forbidden(&spec.at("nodeName"), detail);
    }
    annotations::match_fields(e, &o.at("metadata"), &spec);
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    metadata_and_spec(e, o);
    annotations::update(e, o);
    update::spec(e, &o.at("spec"), &o.old("spec"));
}

pub(super) fn subresource(e: &mut Errors, o: &Object<'_>, name: &str) {
    o.metadata_update(e);
    match name {
        "status" => {
            annotations::update(e, o);
            status::validate(e, o);
        }
        "ephemeralcontainers" => {
            metadata_and_spec(e, o);
            annotations::update(e, o);
            update::ephemeral_containers(e, &o.at("spec"), &o.old("spec"));
        }
        "resize" => {
            metadata_and_spec(e, o);
            if let Some(old) = &o.old {
                resize::pod(e, &o.new, old);
            }
        }
        _ => {}
    }
}

/// `validatePodMetadataAndSpec`.
fn metadata_and_spec(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    let (metadata, spec) = (o.at("metadata"), o.at("spec"));
    annotations(e, &metadata.at("annotations"), &spec);
    validate_spec(e, &spec, Some(&metadata));
    if spec.at("serviceAccountName").is_empty() {
        for volume in spec.at("volumes").items() {
            for source in volume.at("projected").at("sources").items() {
                let token = source.at("serviceAccountToken");
                if token.is_set() {
                    let detail = "must not be specified when serviceAccountName is not set";
                    e.forbidden(&token, detail);
                }
            }
        }
    }
    for list in ["containers", "initContainers"] {
        for container in spec.at(list).items() {
            container::only_for_pod(e, &container);
        }
    }
}

/// `ValidatePodTemplateSpec`.
pub(super) fn template(e: &mut Errors, at: &At<'_>) {
    // A template's paths leave its metadata out.
    let metadata = at.at("metadata");
    for key in ["labels", "annotations"] {
        let value = metadata.at(key);
        let named = at.at(key).holding(value.value());
        match key {
            "labels" => text::labels(e, &named),
            _ => {
                text::annotations(e, &named);
                annotations(e, &named, &at.at("spec"));
            }
        }
    }
    let spec = at.at("spec");
    validate_spec(e, &spec, None);
    annotations::match_fields(e, &metadata, &spec);
    if !spec.at("ephemeralContainers").is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        e.forbidden(&spec.at("ephemeralContainers"), detail);
    }
}

/// `ValidatePodTemplate` of the kind PodTemplate.
pub(super) fn pod_template(e: &mut Errors, o: &Object<'_>) {
    o.metadata(e);
    template(e, &o.at("template"));
}

pub(super) fn pod_template_update(e: &mut Errors, o: &Object<'_>) {
    o.metadata_update(e);
    template(e, &o.at("template"));
}

/// `ValidatePodSpec`; that what has a default is there is not asked, as defaulting runs before. `metadata` is that of a pod, and nothing for a template.
pub(super) fn validate_spec(e: &mut Errors, spec: &At<'_>, metadata: Option<&At<'_>>) {
    let volumes = volume::volumes(e, &spec.at("volumes"), metadata);
    let claims = spec.at("resourceClaims").items().map(|claim| claim.at("name").text());
    let claims = claims.filter(|name| !name.is_empty()).collect();
    let pod = Pod { spec: spec.clone(), volumes, claims };
    resources::pod_claims(e, &spec.at("resourceClaims"));
    container::containers(e, &pod);
    container::init_containers(e, &pod);
    container::ephemeral_containers(e, &pod);
    host_ports(e, spec, metadata.is_some());
    restart_policy(e, &spec.at("restartPolicy"));
    dns_policy(e, &spec.at("dnsPolicy"));
    text::labels(e, &spec.at("nodeSelector"));
    security::pod(e, spec);
    affinity::affinity(e, &spec.at("affinity"));
    dns_config(e, spec);
    for gate in spec.at("readinessGates").items() {
        let condition = gate.at("conditionType");
        e.each_invalid(&condition, text::qualified(condition.text()));
    }
    scheduling_gates(e, &spec.at("schedulingGates"));
    spread::constraints(e, &spec.at("topologySpreadConstraints"));
    windows::host_process(e, spec);
    security::host_users(e, &pod);
    names(e, spec);
    if let Some(seconds) = spec.at("activeDeadlineSeconds").opt_int()
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        e.invalid(&spec.at("activeDeadlineSeconds"), &text::between(1, i32::MAX.into()));
    }
    for key in ["hostname", "subdomain"] {
        if !spec.at(key).is_empty() {
            text::dns_label(e, &spec.at(key));
        }
    }
    tolerations(e, &spec.at("tolerations"));
    host_aliases(e, &spec.at("hostAliases"));
    for key in ["priorityClassName", "runtimeClassName"] {
        let name = spec.at(key);
        if !name.is_empty() || (key == "runtimeClassName" && name.is_set()) {
            text::dns_subdomain(e, &name);
        }
    }
    preemption_policy(e, &spec.at("preemptionPolicy"));
    let overhead = spec.at("overhead");
    if overhead.is_set() {
        resources::overhead(e, &overhead);
    }
    operating_system(e, spec);
}

fn names(e: &mut Errors, spec: &At<'_>) {
    for key in ["serviceAccountName", "nodeName"] {
        if !spec.at(key).is_empty() {
            text::dns_subdomain(e, &spec.at(key));
        }
    }
}

fn operating_system(e: &mut Errors, spec: &At<'_>) {
    let os = spec.at("os");
    if !os.is_set() {
        return;
    }
    match os.at("name").text() {
        "" => e.required(&os.at("name"), "cannot be empty"),
        "linux" => windows::not_on_linux(e, spec),
        "windows" => windows::only_on_linux(e, spec),
        _ => {
            let supported = ["linux", "windows"];
            e.not_supported(&os.holding(os.at("name").value()), &supported);
        }
    }
}

/// `validateRestartPolicy`.
fn restart_policy(e: &mut Errors, at: &At<'_>) {
    match at.text() {
        "" | "Always" | "OnFailure" | "Never" => {}
        _ => e.not_supported(at, &["Always", "OnFailure", "Never"]),
    }
}

fn dns_policy(e: &mut Errors, at: &At<'_>) {
    let known = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    match at.text() {
        "" => {}
        policy if known.contains(&policy) => {}
        _ => e.not_supported(at, &known),
    }
}

/// `ValidatePreemptionPolicy`; none is fine.
pub(super) fn preemption_policy(e: &mut Errors, at: &At<'_>) {
    match at.value().as_str() {
        None | Some("PreemptLowerPriority" | "Never") => {}
        Some("") => e.required(at, ""),
        Some(_) => e.not_supported(at, &["PreemptLowerPriority", "Never"]),
    }
}

fn scheduling_gates(e: &mut Errors, at: &At<'_>) {
    let mut seen = BTreeSet::new();
    for gate in at.items() {
        let named = gate.holding(gate.at("name").value());
        e.each_invalid(&named, text::qualified(named.text()));
        if !seen.insert(named.text()) {
            e.duplicate(&named);
        }
    }
}

fn dns_config(e: &mut Errors, spec: &At<'_>) {
    let config = spec.at("dnsConfig");
    let servers = config.at("nameservers");
    if spec.at("dnsPolicy").text() == "None" {
        if !config.is_set() {
            return e.required(&config, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return e.required(&servers, detail);
        }
    }
    if servers.list().len() > 3 {
        e.invalid_as(&servers, "[]string", "must not have more than 3 nameservers");
    }
    for server in servers.items() {
        text::ip(e, &server);
    }
    let searches = config.at("searches");
    if searches.list().len() > 32 {
        e.invalid_as(&searches, "[]string", "must not have more than 32 search paths");
    }
    let characters: usize = searches.texts().map(|path| path.len() + 1).sum();
    if characters > 2048 + 1 {
        let detail =
            "must not have more than 2048 characters (including spaces) in the search list";
        e.invalid_as(&searches, "[]string", detail);
    }
    for search in searches.items().filter(|search| search.text() != ".") {
        let path = search.text().strip_suffix('.').unwrap_or_else(|| search.text());
        for error in text::underscore_subdomain(path) {
            e.invalid_text(&search, path, &error);
        }
    }
    for option in config.at("options").items() {
        if option.at("name").is_empty() {
            e.required(&option, "must not be empty");
        }
    }
}

/// `validatePodHostNetworkDeps`.
fn host_ports(e: &mut Errors, spec: &At<'_>, is_pod: bool) {
    if !spec.at("hostNetwork").flag() {
        return;
    }
    for container in spec.at("containers").items() {
        for port in container.at("ports").items() {
            let (host, own) = (port.at("hostPort"), port.at("containerPort"));
            if (is_pod || host.int() != 0) && host.int() != own.int() {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                e.invalid_value(&host, host.int().to_string(), detail);
            }
        }
    }
}

/// `ValidateHostAliases`.
fn host_aliases(e: &mut Errors, at: &At<'_>) {
    for alias in at.items() {
        text::ip(e, &alias.at("ip"));
        for name in alias.at("hostnames").items() {
            text::dns_subdomain(e, &name);
        }
    }
}
