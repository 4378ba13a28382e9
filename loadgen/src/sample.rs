//! Memory of another process, seen from outside.

use std::{
    fs, io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::{
    LoadError, Target,
    client::{ConnectOptions, Connection, HttpVersion},
};

/// What the kernel says about a process's memory, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProcMemory {
    /// VmRSS: resident now.
    pub rss_bytes: u64,
    /// VmHWM: the most that was resident since the start or [`reset_peak`].
    pub peak_bytes: u64,
}

/// Memory over time, one entry of each list a sample.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Samples {
    /// Milliseconds since the server was started.
    pub t_ms: Vec<u64>,
    /// VmRSS, KiB.
    pub rss_kib: Vec<u64>,
    /// What the server's allocator has handed out (`GET /sim/memory`), KiB; the last known value
    /// where the server was too busy to say.
    pub allocated_kib: Vec<Option<u64>>,
}

/// Samples a process until it is stopped.
#[derive(Debug)]
pub struct Sampler {
    samples: Arc<Mutex<Samples>>,
    allocated: Arc<Mutex<Option<u64>>>,
    tasks: [JoinHandle<()>; 2],
}

/// The memory of process `pid`.
///
/// # Errors
/// When there is no such process, or no `/proc`.
pub fn process_memory(pid: u32) -> io::Result<ProcMemory> {
    parse_status(&fs::read_to_string(format!("/proc/{pid}/status"))?)
        .ok_or_else(|| io::Error::other(format!("/proc/{pid}/status has no VmRSS or VmHWM")))
}

/// Sets VmHWM of process `pid` back to its present VmRSS.
///
/// # Errors
/// When there is no such process, or it is another user's.
pub fn reset_peak(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

impl Sampler {
    /// Samples process `pid`, whose `/sim/memory` is at `target`, every `interval`; times count
    /// from `started`.
    ///
    /// # Errors
    /// When the target's URL cannot be used.
    pub fn start(
        pid: u32,
        target: &Target,
        started: Instant,
        interval: Duration,
    ) -> Result<Self, LoadError> {
        let samples = Arc::new(Mutex::new(Samples::default()));
        let allocated = Arc::new(Mutex::new(None));
        let options = ConnectOptions::new(target, HttpVersion::Http1)?;
        let from_kernel = tokio::spawn(sample_kernel(
            pid,
            started,
            interval,
            Arc::clone(&samples),
            Arc::clone(&allocated),
        ));
        // Its own task: a busy server answers late, and the kernel never does.
        let from_server = tokio::spawn(sample_server(options, interval, Arc::clone(&allocated)));
        Ok(Self { samples, allocated, tasks: [from_kernel, from_server] })
    }

    /// What the server's allocator had handed out when it last said so, bytes.
    pub fn allocated_bytes(&self) -> Option<u64> {
        *self.allocated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops, and gives what was sampled.
    pub fn stop(self) -> Samples {
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Samples {
    /// The most that was allocated from `start_ms` to `end_ms`, bytes.
    pub fn peak_allocated(&self, start_ms: u64, end_ms: u64) -> Option<u64> {
        let within = |(t, _): &(&u64, &Option<u64>)| (start_ms..=end_ms).contains(*t);
        let kib = self.t_ms.iter().zip(&self.allocated_kib).filter(within).filter_map(|(_, a)| *a);
        kib.max().map(|kib| kib * 1024)
    }
}

async fn sample_kernel(
    pid: u32,
    started: Instant,
    interval: Duration,
    samples: Arc<Mutex<Samples>>,
    allocated: Arc<Mutex<Option<u64>>>,
) {
    let mut tick = tokio::time::interval(interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        let Ok(memory) = process_memory(pid) else { return };
        let now = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let allocated = *allocated.lock().unwrap_or_else(PoisonError::into_inner);
        let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.t_ms.push(now);
        samples.rss_kib.push(memory.rss_bytes / 1024);
        samples.allocated_kib.push(allocated.map(|bytes| bytes / 1024));
    }
}

async fn sample_server(
    options: ConnectOptions,
    interval: Duration,
    allocated: Arc<Mutex<Option<u64>>>,
) {
    let mut connection: Option<Connection> = None;
    let mut tick = tokio::time::interval(interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        let asked = tokio::time::timeout(PATIENCE, ask(&options, &mut connection)).await;
        match asked.ok().flatten() {
            Some(bytes) => {
                *allocated.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
            }
            None => connection = None,
        }
    }
}

/// The `allocated` of the server's `/sim/memory`, if it answers.
async fn ask(options: &ConnectOptions, slot: &mut Option<Connection>) -> Option<u64> {
    if slot.as_ref().is_none_or(|connection| !connection.is_open()) {
        *slot = options.connect().await.ok();
    }
    let sent = slot
        .as_mut()?
        .send(options, Method::GET, "/sim/memory", HeaderMap::new(), bytes::Bytes::new())
        .await;
    let response = sent.ok()?;
    let ok = response.status().is_success();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    let memory: serde_json::Value = serde_json::from_slice(&body).ok()?;
    memory["allocated"].as_u64().filter(|_| ok)
}

fn parse_status(status: &str) -> Option<ProcMemory> {
    let bytes = |key: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    };
    Some(ProcMemory { rss_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
}

/// How long a sample waits for the server.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rss_and_its_peak_are_read_from_the_status() {
        let status = "Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let memory = ProcMemory { rss_bytes: 1 << 20, peak_bytes: 2 << 20 };
        assert_eq!(parse_status(status), Some(memory));
        assert_eq!(parse_status("Name: zombie\n"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let memory = process_memory(std::process::id()).unwrap();
        assert!(memory.rss_bytes > 0 && memory.peak_bytes >= memory.rss_bytes / 2);
    }

    #[test]
    fn a_peak_is_that_of_its_time() {
        let samples = Samples {
            t_ms: vec![0, 50, 100, 150],
            rss_kib: vec![1; 4],
            allocated_kib: vec![Some(9), Some(2), Some(3), None],
        };
        assert_eq!(samples.peak_allocated(50, 150), Some(3 * 1024));
        assert_eq!(samples.peak_allocated(150, 150), None);
    }
}
