//! What a cluster consists of.

use std::time::Duration;

use serde_json::Value;

/// Rate limits of the control plane's clients.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientQps {
    /// The defaults of the real programs: controllers 20 a second and 30 at once, the scheduler 50
    /// and 100, kubelets 50 and 100.
    Real,
    /// None.
    #[default]
    Unlimited,
}

/// Who plays the nodes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kubelets {
    /// A kubelet each, with its own identity, watches and limits.
    #[default]
    Each,
    /// One program for all of them, as kwok: one watch on all pods, one identity.
    Kwok,
}

/// A node agent that lists and watches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agent {
    /// Its name, e.g. `cilium`.
    pub name: String,
}

/// A length of time that varies: uniform between both ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delay {
    /// The least.
    pub least: Duration,
    /// The most.
    pub most: Duration,
}

impl Delay {
    /// From `least` to `most` milliseconds.
    pub const fn millis(least: u64, most: u64) -> Self {
        Self { least: Duration::from_millis(least), most: Duration::from_millis(most) }
    }
}

/// What each node has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeShape {
    /// CPUs.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gib: u32,
    /// Pods at most. Source: kubelet `--max-pods`, 110.
    pub max_pods: u32,
    /// Prefix length of a node's pod CIDR. Source: `--node-cidr-mask-size`, 24.
    pub pod_cidr_mask: u8,
}

impl Default for NodeShape {
    fn default() -> Self {
        Self { cpus: 32, memory_gib: 256, max_pods: 110, pod_cidr_mask: 24 }
    }
}

/// A cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterConfig {
    /// Version of the kubelets and in user agents, e.g. `v1.33.2`.
    pub version: String,
    /// Nodes that join at the start, named `node-0` and on.
    pub nodes: u32,
    /// Their shape.
    pub shape: NodeShape,
    /// Rate limits.
    pub client_qps: ClientQps,
    /// Who plays the nodes.
    pub kubelets: Kubelets,
    /// From binding to Running.
    pub pod_start: Delay,
    /// From deletion to gone, at most the grace period.
    pub pod_stop: Delay,
    /// How long a pod runs that is to complete.
    pub pod_run: Delay,
    /// Whether controllers and scheduler run.
    pub control_plane: bool,
    /// Agents on every node.
    pub agents: Vec<Agent>,
    /// Pod addresses, as `a.b.0.0`; each node takes a range of it.
    pub pod_network: [u8; 2],
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            version: "v1.33.2".to_owned(),
            nodes: 0,
            shape: NodeShape::default(),
            client_qps: ClientQps::Unlimited,
            kubelets: Kubelets::Each,
            pod_start: Delay::millis(50, 250),
            pod_stop: Delay::millis(20, 100),
            pod_run: Delay::millis(500, 1500),
            control_plane: true,
            agents: Vec::new(),
            pod_network: [10, 244],
        }
    }
}

/// Why a description of a cluster was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ConfigError {
    /// The field, e.g. `spec.nodes`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl ClusterConfig {
    /// Reads `nodes=10,cpus=8,…`, the short form of a cluster file.
    ///
    /// # Errors
    ///
    /// An unknown field, or a value out of range.
    pub fn parse_short(text: &str, version: &str) -> Result<Self, ConfigError> {
        let mut config = Self { version: version.to_owned(), ..Self::default() };
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (field, value) = part.split_once('=').unwrap_or((part, ""));
            let error = |message: String| ConfigError { field: field.to_owned(), message };
            let number = |most: u32| match value.parse::<u32>() {
                Ok(number) if number <= most => Ok(number),
                _ => Err(error(format!("{value:?} is no number from 0 to {most}"))),
            };
            match field {
                "nodes" => config.nodes = number(NODES_MAX)?,
                "cpus" => config.shape.cpus = number(4096)?,
                "memoryGiB" => config.shape.memory_gib = number(65_536)?,
                "maxPods" => config.shape.max_pods = number(2048)?,
                "clientQps" => {
                    config.client_qps = match value {
                        "real" => ClientQps::Real,
                        "unlimited" => ClientQps::Unlimited,
                        _ => return Err(error(format!("{value:?} is not real or unlimited"))),
                    };
                }
                "kubelets" => {
                    config.kubelets = match value {
                        "each" => Kubelets::Each,
                        "kwok" => Kubelets::Kwok,
                        _ => return Err(error(format!("{value:?} is not each or kwok"))),
                    };
                }
                "controlPlane" => {
                    config.control_plane = match value {
                        "true" => true,
                        "false" => false,
                        _ => return Err(error(format!("{value:?} is not true or false"))),
                    };
                }
                _ => {
                    return Err(error(
                        "unknown; nodes, cpus, memoryGiB, maxPods, clientQps, kubelets, \
                         controlPlane"
                            .to_owned(),
                    ));
                }
            }
        }
        Ok(config)
    }

    /// Reads a cluster file: `kind: Cluster`, its fields under `spec` as in
    /// `fixtures/clusters/small.yaml`.
    ///
    /// # Errors
    ///
    /// Another kind, an unknown field, or a value out of range.
    pub fn from_document(document: &Value, version: &str) -> Result<Self, ConfigError> {
        let error = |field: &str, message: String| ConfigError { field: field.to_owned(), message };
        for (field, wanted) in [("apiVersion", "apisim/v1alpha1"), ("kind", "Cluster")] {
            if document[field] != wanted {
                return Err(error(field, format!("must be {wanted:?}")));
            }
        }
        let Some(spec) = document["spec"].as_object() else {
            return Err(error("spec", "must be an object".to_owned()));
        };
        let mut short = Vec::new();
        let mut config = Self { version: version.to_owned(), ..Self::default() };
        for (field, value) in spec {
            match (field.as_str(), value) {
                ("podStart", value) => config.pod_start = delay(value, "spec.podStart")?,
                ("podStop", value) => config.pod_stop = delay(value, "spec.podStop")?,
                ("podRun", value) => config.pod_run = delay(value, "spec.podRun")?,
                (_, Value::String(text)) => short.push(format!("{field}={text}")),
                (_, Value::Number(_) | Value::Bool(_)) => short.push(format!("{field}={value}")),
                _ => return Err(error(&format!("spec.{field}"), "unknown".to_owned())),
            }
        }
        let read = Self::parse_short(&short.join(","), version)
            .map_err(|failure| error(&format!("spec.{}", failure.field), failure.message))?;
        let Self { pod_start, pod_stop, pod_run, .. } = config;
        Ok(Self { pod_start, pod_stop, pod_run, ..read })
    }

    /// Pod CIDR of the index-th node.
    pub(crate) fn pod_cidr(&self, index: u32) -> Option<String> {
        let mask = u32::from(self.shape.pod_cidr_mask);
        let size = 1_u32.checked_shl(32_u32.checked_sub(mask)?)?;
        let offset = index.checked_mul(size).filter(|offset| *offset < 1 << 16)?;
        let [a, b] = self.pod_network;
        Some(format!("{a}.{b}.{}.{}/{mask}", offset >> 8, offset & 255))
    }
}

/// `50ms-250ms` or `100ms`.
fn delay(value: &Value, field: &str) -> Result<Delay, ConfigError> {
    let text = value.as_str().unwrap_or_default();
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let read = |text: &str| {
        sim_api::duration::parse(text).map_err(|message| ConfigError {
            field: field.to_owned(),
            message: message.to_string(),
        })
    };
    let (least, most) = (read(least)?, read(most)?);
    if least > most || most > Duration::from_secs(86_400) {
        let message = format!("{text:?} is no range of at most a day");
        return Err(ConfigError { field: field.to_owned(), message });
    }
    Ok(Delay { least, most })
}

/// More than the largest published clusters have.
pub(crate) const NODES_MAX: u32 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_is_read() {
        let config = ClusterConfig::parse_short("nodes=10,clientQps=real,kubelets=kwok", "v1.33.2");
        let config = config.unwrap();
        assert_eq!((config.nodes, config.client_qps), (10, ClientQps::Real));
        assert_eq!(config.kubelets, Kubelets::Kwok);
        for bad in ["nodes=x", "nodes=99999", "clientQps=fast", "what=1", "nodes"] {
            assert!(ClusterConfig::parse_short(bad, "v1.33.2").is_err(), "{bad}");
        }
    }

    #[test]
    fn pod_cidrs_end_with_the_network() {
        let config = ClusterConfig::default();
        assert_eq!(config.pod_cidr(3).as_deref(), Some("10.244.3.0/24"));
        assert_eq!(config.pod_cidr(255).as_deref(), Some("10.244.255.0/24"));
        assert_eq!(config.pod_cidr(256), None);
    }
}
