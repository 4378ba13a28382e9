//! A server as a child process, so that its memory is its own and is measured from outside.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::Value;

use crate::{client, process};

/// A running child of this same program. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Its process id.
    pub pid: u32,
    /// Where its plain HTTP is.
    pub address: SocketAddr,
}

/// What jemalloc and the kernel say of a server.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Bytes handed out by the allocator, from `GET /sim/memory`.
    pub allocated: u64,
    /// VmRSS, seen from outside.
    pub rss: u64,
}

impl Server {
    /// Runs this program again with the subcommand `serve`: a simulated kube-apiserver with plain
    /// HTTP on a free port of 127.0.0.1, without limits on requests in flight.
    ///
    /// # Errors
    ///
    /// When it does not serve within two minutes.
    pub fn start(kubernetes_version: &str, populate: &str) -> anyhow::Result<Self> {
        Self::start_as(
            "serve",
            &[
                "--bind-address=127.0.0.1",
                "--secure-port=0",
                "--insecure-port=auto",
                "--enable-priority-and-fairness=false",
                "--max-requests-inflight=0",
                "--max-mutating-requests-inflight=0",
                "--request-timeout=5m",
                "--exit-after=30m",
                &format!("--kubernetes-version={kubernetes_version}"),
                &format!("--populate={populate}"),
            ],
        )
    }

    /// Runs this program again with a subcommand that knows `--ready-file` and
    /// `--exit-on-stdin-close` as `serve` does.
    ///
    /// # Errors
    ///
    /// When it does not serve within two minutes.
    pub fn start_as(subcommand: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("apisim-bench-{}-{number}.json", std::process::id());
        let ready_file = std::env::temp_dir().join(name);
        let _ = fs::remove_file(&ready_file);
        let program = std::env::current_exe().context("this program's own path")?;
        let mut child = Command::new(program)
            .arg(subcommand)
            .args(arguments)
            .arg("--exit-on-stdin-close")
            .arg("--ready-file")
            .arg(&ready_file)
            // The child lives as long as this end of the pipe, however this process ends.
            .stdin(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {subcommand}"))?;
        let address = match wait_until_ready(&mut child, &ready_file) {
            Ok(address) => address,
            Err(error) => {
                stop(&mut child);
                return Err(error.context(format!("{subcommand} {}", arguments.join(" "))));
            }
        };
        let _ = fs::remove_file(&ready_file);
        let pid = child.id();
        Ok(Self { child, pid, address })
    }

    /// What it uses now.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        let document: Value = serde_json::from_slice(&client::get(self.address, "/sim/memory")?)?;
        let allocated = document["allocated"].as_u64().context("/sim/memory has no allocated")?;
        Ok(Usage { allocated, rss: process::memory(self.pid)?.rss })
    }

    /// What it uses when it has been idle for a while.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn settled_usage(&self) -> anyhow::Result<Usage> {
        let rss = process::settled_rss(self.pid)?;
        Ok(Usage { rss, ..self.usage()? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn wait_until_ready(child: &mut Child, ready_file: &PathBuf) -> anyhow::Result<SocketAddr> {
    let began = Instant::now();
    while began.elapsed() < READY_MAX {
        if let Ok(text) = fs::read_to_string(ready_file) {
            let ready: Value = serde_json::from_str(&text)?;
            let address = ready["http"].as_str().context("no http in the ready file")?;
            return Ok(address.parse()?);
        }
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("ended with {status} before it was ready");
        }
        std::thread::sleep(POLL);
    }
    anyhow::bail!("was not ready after {} s", READY_MAX.as_secs())
}

/// Closes its standard input, and kills it if that is not enough.
fn stop(child: &mut Child) {
    drop(child.stdin.take());
    let began = Instant::now();
    while began.elapsed() < STOP_MAX {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(POLL);
    }
    // It is this process's own child and has not been waited for, so the id cannot be another's.
    let _ = child.kill();
    let _ = child.wait();
}

static STARTED: AtomicU32 = AtomicU32::new(0);

const POLL: Duration = Duration::from_millis(20);

/// A hundred thousand pods load in a few seconds; two minutes is a machine in trouble.
const READY_MAX: Duration = Duration::from_secs(120);

/// Connections are closed by then; what still holds on to one is a benchmark that has failed.
const STOP_MAX: Duration = Duration::from_secs(5);
