//! Objects, release and limits from a server.

use std::{collections::BTreeMap, time::Duration};

use http::Method;
use serde_json::Value;
use sim_flow::{ObjectStats, Release};

use super::{ConfigArgs, FlowConfig};
use crate::{
    Auth, LoadError, Target,
    client::{ApiCall, ApiClient},
    storm::USER_AGENT,
};

/// What the metrics of a server say of its levels; empty where they cannot be read.
#[derive(Clone, Debug, Default)]
pub struct LiveLimits {
    /// `apiserver_flowcontrol_nominal_limit_seats` by level.
    pub nominal: BTreeMap<String, f64>,
    /// `apiserver_flowcontrol_current_limit_seats` by level.
    pub current: BTreeMap<String, f64>,
}

pub(super) async fn read(
    args: &ConfigArgs,
    release: Option<Release>,
    seats: u32,
) -> Result<FlowConfig, LoadError> {
    let target = target(args)?;
    let client = ApiClient::new(&target, USER_AGENT, CALL_LIMIT)?;
    let release = match release {
        Some(release) => release,
        None => release_of(&client, &target.base).await?,
    };
    let mut config = FlowConfig::empty(release, seats);
    config.origin = target.base.clone();
    for plural in ["prioritylevelconfigurations", "flowschemas"] {
        let list = list(&client, &target.base, plural).await?;
        config.put(list).map_err(|message| LoadError::Handshake {
            address: target.base.clone(),
            message: format!("its {plural}: {message}"),
        })?;
    }
    if let Ok(answer) = client.call(&ApiCall::new(Method::GET, "/metrics")).await
        && answer.code.is_success()
    {
        let text = String::from_utf8_lossy(&answer.body);
        config.live = Some(limits(&text));
        config.objects = object_counts(&text);
    }
    Ok(config)
}

fn target(args: &ConfigArgs) -> Result<Target, LoadError> {
    if let Some(path) = &args.kubeconfig {
        return Target::from_kubeconfig(path, args.context.as_deref());
    }
    let mut target = Target::new(args.server.as_deref().unwrap_or_default().trim_end_matches('/'));
    target.endpoint()?;
    if let Some(token) = &args.token {
        target.auth = Auth::Token(token.clone());
    }
    Ok(target)
}

async fn release_of(client: &ApiClient, address: &str) -> Result<Release, LoadError> {
    let version = json(client, address, "/version").await?;
    let text = version["gitVersion"].as_str().unwrap_or_default();
    super::super::load::release(text).map_err(|message| LoadError::Handshake {
        address: address.to_owned(),
        message: format!("its version {message}; --kubernetes-version says which rules to use"),
    })
}

/// The objects of one kind, in the newest version that is served.
async fn list(client: &ApiClient, address: &str, plural: &str) -> Result<Value, LoadError> {
    let path = |version| format!("/apis/flowcontrol.apiserver.k8s.io/{version}/{plural}");
    match json(client, address, &path("v1")).await {
        Ok(list) => Ok(list),
        Err(first) => json(client, address, &path("v1beta3")).await.map_err(|_| first),
    }
}

async fn json(client: &ApiClient, address: &str, path: &str) -> Result<Value, LoadError> {
    let answer = client.call(&ApiCall::new(Method::GET, path)).await?;
    let wrong = |message: String| LoadError::Handshake { address: address.to_owned(), message };
    if !answer.code.is_success() {
        return Err(wrong(format!("GET {path} was answered with {}", answer.code)));
    }
    serde_json::from_slice(&answer.body).map_err(|e| wrong(format!("GET {path}: {e}")))
}

fn limits(metrics: &str) -> LiveLimits {
    let of = |name: &str| {
        let rows = samples(metrics, name);
        rows.filter_map(|(labels, value)| Some((label(labels, "priority_level")?, value))).collect()
    };
    LiveLimits {
        nominal: of("apiserver_flowcontrol_nominal_limit_seats"),
        current: of("apiserver_flowcontrol_current_limit_seats"),
    }
}

/// Counts, and since 1.34 sizes, of the stored objects.
fn object_counts(metrics: &str) -> BTreeMap<String, ObjectStats> {
    let mut counts: BTreeMap<String, ObjectStats> = BTreeMap::new();
    let key = |labels: &str| {
        let resource = label(labels, "resource")?;
        let group = label(labels, "group").filter(|group| !group.is_empty());
        Some(group.map_or_else(|| resource.clone(), |group| format!("{resource}.{group}")))
    };
    let names = ["apiserver_storage_objects", "apiserver_resource_objects"];
    for (labels, value) in names.into_iter().flat_map(|name| samples(metrics, name)) {
        if let Some(key) = key(labels) {
            counts.entry(key).or_default().count = whole(value);
        }
    }
    for (labels, value) in samples(metrics, "apiserver_resource_size_estimate_bytes") {
        if let Some(stats) = key(labels).and_then(|key| counts.get_mut(&key)) {
            stats.average_bytes = whole(value) / stats.count.max(1);
        }
    }
    counts
}

/// Labels and values of one metric in the text format.
fn samples<'a>(metrics: &'a str, name: &str) -> impl Iterator<Item = (&'a str, f64)> {
    let rows: Vec<_> = metrics
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(name)?.strip_prefix('{')?;
            let (labels, value) = rest.rsplit_once('}')?;
            Some((labels, value.trim().parse().ok()?))
        })
        .collect();
    rows.into_iter()
}

fn label(labels: &str, name: &str) -> Option<String> {
    let pair = labels.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\""))?;
    pair.strip_suffix('"').map(str::to_owned)
}

#[expect(clippy::cast_possible_truncation, reason = "counts and sizes are far below 2^63")]
fn whole(value: f64) -> i64 {
    value as i64
}

const CALL_LIMIT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_counts_are_read_from_metrics() {
        let text = "\
# TYPE apiserver_flowcontrol_current_limit_seats gauge
apiserver_flowcontrol_current_limit_seats{priority_level=\"system\"} 117
apiserver_storage_objects{resource=\"pods\"} 20000
apiserver_storage_objects{resource=\"deployments.apps\"} 3
apiserver_resource_objects{group=\"apps\",resource=\"daemonsets\"} 4
";
        assert_eq!(limits(text).current, [("system".to_owned(), 117.0)].into());
        let counts = object_counts(text);
        assert_eq!(counts["pods"].count, 20_000);
        assert_eq!(counts["deployments.apps"].count, 3);
        assert_eq!(counts["daemonsets.apps"].count, 4);
    }
}
