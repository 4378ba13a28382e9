//! The load file as it is written.

use std::{collections::BTreeMap, path::Path, path::PathBuf, time::Duration};

use serde::Deserialize;
use sim_flow::{ObjectStats, Release};

use super::{
    AfterReject, Client, Hold, Load, Pattern, digest_of,
    times::{Pause, ServiceTime, Span},
};
use crate::units;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    description: String,
    kubernetes_version: Option<String>,
    max_requests_inflight: Option<u32>,
    max_mutating_requests_inflight: Option<u32>,
    enable_priority_and_fairness: Option<bool>,
    #[serde(default)]
    config: Vec<PathBuf>,
    duration: Span,
    warmup: Option<Span>,
    seed: Option<u64>,
    sample_every: Option<Span>,
    request_timeout: Option<Span>,
    cpus: Option<f64>,
    hold: Option<String>,
    #[serde(default)]
    objects: BTreeMap<String, Objects>,
    etcd_supports_progress: Option<bool>,
    #[serde(default)]
    watches: Vec<Watch>,
    clients: Vec<ClientEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Objects {
    count: i64,
    average_bytes: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Watch {
    path: String,
    count: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ClientEntry {
    name: Option<String>,
    user: String,
    groups: Option<Vec<String>>,
    verb: Option<String>,
    path: String,
    workers: Option<u32>,
    requests: Option<u64>,
    think: Option<ServiceTime>,
    after_reject: Option<Pause>,
    rate: Option<String>,
    arrivals: Option<String>,
    start: Option<Span>,
    stop: Option<Span>,
    service: ServiceTime,
    held_bytes: Option<String>,
}

impl File {
    pub(super) fn into_load(self, directory: &Path) -> Result<Load, String> {
        if self.api_version != "apisim/v1alpha1" {
            return Err(format!("apiVersion: {:?} is not apisim/v1alpha1", self.api_version));
        }
        if self.kind != "ApfLoad" {
            return Err(format!("kind: {:?} is not ApfLoad", self.kind));
        }
        let release = self.kubernetes_version.as_deref().map(release).transpose();
        let release = release.map_err(|message| format!("kubernetesVersion: {message}"))?;
        let hold = match self.hold.as_deref() {
            None | Some("execution") => Hold::Execution,
            Some("finalPhase") => Hold::FinalPhase,
            Some(other) => return Err(format!("hold: {other:?} is not execution or finalPhase")),
        };
        let duration = self.duration.0;
        if duration.is_zero() || duration > MAX_DURATION {
            return Err("duration: must be more than 0 and at most 24h".to_owned());
        }
        let warmup = self.warmup.map_or(Duration::ZERO, |span| span.0);
        if warmup >= duration {
            return Err("warmup: must be shorter than the duration".to_owned());
        }
        let sample_every = self.sample_every.map_or(duration / 200, |span| span.0);
        if sample_every.is_zero() || duration.as_nanos() / sample_every.as_nanos() > MAX_SAMPLES {
            return Err(format!("sampleEvery: gives more than {MAX_SAMPLES} points"));
        }
        if self.cpus.is_some_and(|cpus| !cpus.is_finite() || cpus <= 0.0) {
            return Err("cpus: must be more than 0".to_owned());
        }
        if self.cpus.is_some() && hold == Hold::FinalPhase {
            return Err("hold: finalPhase needs lengths known beforehand, so no cpus".to_owned());
        }
        if self.clients.is_empty() {
            return Err("clients: at least one is needed".to_owned());
        }
        let apf = self.enable_priority_and_fairness.unwrap_or(true);
        let mut load = Load {
            description: self.description,
            release,
            max_requests_inflight: self.max_requests_inflight.unwrap_or(400),
            max_mutating_requests_inflight: self.max_mutating_requests_inflight.unwrap_or(200),
            apf,
            config: self.config.iter().map(|path| directory.join(path)).collect(),
            duration,
            warmup,
            seed: self.seed.unwrap_or(1),
            sample_every,
            request_timeout: self.request_timeout.map_or(Duration::from_secs(60), |span| span.0),
            cpus: self.cpus,
            hold,
            objects: self.objects.iter().map(|(name, objects)| objects.stats(name)).collect(),
            etcd_supports_progress: self.etcd_supports_progress.unwrap_or(true),
            watches: Vec::new(),
            clients: Vec::new(),
        };
        if apf && load.server_seats() == 0 {
            return Err("maxRequestsInflight: the server has no seats".to_owned());
        }
        if apf && hold == Hold::Execution && load.request_timeout.is_zero() {
            return Err("requestTimeout: must be more than 0".to_owned());
        }
        for (index, watch) in self.watches.iter().enumerate() {
            let digest = digest_of("watcher", None, "watch", &watch.path)
                .map_err(|message| format!("watches[{index}]: {message}"))?;
            load.watches.push((digest, watch.count));
        }
        for (index, entry) in self.clients.into_iter().enumerate() {
            let name = entry.name.clone().unwrap_or_else(|| entry.user.clone());
            let at = format!("clients[{index}] ({name})");
            if load.clients.iter().any(|client| client.name == name) {
                return Err(format!("{at}: name is used twice"));
            }
            load.clients.push(entry.client(name).map_err(|e| format!("{at}: {e}"))?);
        }
        Ok(load)
    }
}

impl Objects {
    fn stats(&self, name: &str) -> (String, ObjectStats) {
        let average_bytes = self.average_bytes.unwrap_or(0);
        (name.to_owned(), ObjectStats { count: self.count, average_bytes })
    }
}

impl ClientEntry {
    fn client(self, name: String) -> Result<Client, String> {
        let verb = self.verb.as_deref().unwrap_or("get");
        let digest = digest_of(&self.user, self.groups, verb, &self.path)?;
        let pattern = match self.rate {
            Some(rate) => {
                let closed = [
                    ("workers", self.workers.is_some()),
                    ("think", self.think.is_some()),
                    ("afterReject", self.after_reject.is_some()),
                    ("requests", self.requests.is_some()),
                ];
                if let Some((field, _)) = closed.iter().find(|(_, given)| *given) {
                    return Err(format!("rate: goes not together with {field}"));
                }
                let rate_per_s = units::per_s(&rate).map_err(|e| format!("rate: {e}"))?;
                let poisson = match self.arrivals.as_deref() {
                    None | Some("poisson") => true,
                    Some("regular") => false,
                    Some(other) => {
                        return Err(format!("arrivals: {other:?} is not poisson or regular"));
                    }
                };
                Pattern::Open { rate_per_s, poisson }
            }
            None => {
                if self.arrivals.is_some() {
                    return Err("arrivals: goes only together with rate".to_owned());
                }
                let workers = self.workers.unwrap_or(1);
                if !(1..=MAX_WORKERS).contains(&workers) {
                    return Err(format!("workers: {workers} is not from 1 to {MAX_WORKERS}"));
                }
                let think = self.think.unwrap_or(ServiceTime::ZERO);
                // A worker that neither pauses nor takes time would not let time go on.
                let pause = if think == ServiceTime::ZERO { DEFAULT_PAUSE } else { think };
                let after_reject =
                    self.after_reject.map_or(AfterReject::Pause(pause), |pause| pause.0);
                if after_reject == AfterReject::Pause(ServiceTime::ZERO) {
                    return Err("afterReject: must be more than 0".to_owned());
                }
                Pattern::Closed { workers, think, after_reject, requests: self.requests }
            }
        };
        let held_bytes = self.held_bytes.as_deref().map_or(Ok(0), units::bytes);
        Ok(Client {
            name,
            digest,
            pattern,
            start: self.start.map_or(Duration::ZERO, |span| span.0),
            stop: self.stop.map(|span| span.0),
            service: self.service,
            held_bytes: held_bytes.map_err(|e| format!("heldBytes: {e}"))?,
        })
    }
}

/// A release as people write it: `1.33`, `v1.33`, `1.33.2`.
pub(in crate::apf) fn release(text: &str) -> Result<Release, String> {
    let wrong = || format!("{text:?} is not one of 1.29 … 1.37");
    let minor = text.trim().trim_start_matches('v').strip_prefix("1.").ok_or_else(wrong)?;
    let digits = minor.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().ok().and_then(Release::new).ok_or_else(wrong)
}

/// A day: what runs longer is a mistake.
const MAX_DURATION: Duration = Duration::from_secs(86_400);

const MAX_SAMPLES: u128 = 10_000;

const MAX_WORKERS: u32 = 100_000;

/// As in the upstream simulation.
const DEFAULT_PAUSE: ServiceTime = ServiceTime::Fixed(Duration::from_millis(10));
