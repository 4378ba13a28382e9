//! The server as a child process: started, awaited, stopped, never left behind.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::process::{Child, Command};

use super::CompareError;
use crate::Target;

/// What to start.
#[derive(Clone, Debug)]
pub(super) struct ServerCommand {
    /// The program, and what comes before the server's own flags.
    pub(super) program: PathBuf,
    pub(super) first_arguments: Vec<OsString>,
    pub(super) profile: String,
    pub(super) populate: String,
    pub(super) seed: u64,
    /// For the ready file and the log.
    pub(super) directory: PathBuf,
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pid: u32,
    log: PathBuf,
    ready_file: PathBuf,
}

/// What the server says when it serves.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    http: String,
    version: Option<String>,
}

impl Ready {
    /// Where its plain HTTP is.
    pub(super) fn target(&self) -> Target {
        if self.http.contains("://") {
            Target::new(self.http.clone())
        } else {
            Target::new(format!("http://{}", self.http))
        }
    }

    /// Its `gitVersion`.
    pub(super) fn version(&self) -> Option<String> {
        self.version.clone()
    }
}

impl Server {
    /// Starts the server; it is not ready yet.
    pub(super) fn start(command: &ServerCommand) -> Result<Self, CompareError> {
        let directory = &command.directory;
        let ready_file = directory.join(format!("ready-{}.json", command.profile));
        let log = directory.join(format!("server-{}.log", command.profile));
        let cannot = |path: &Path| {
            let path = path.to_owned();
            move |source| CompareError::File { path, source }
        };
        if ready_file.exists() {
            fs::remove_file(&ready_file).map_err(cannot(&ready_file))?;
        }
        let log_file = File::create(&log).map_err(cannot(&log))?;
        let output = log_file.try_clone().map_err(cannot(&log))?;
        let child = Command::new(&command.program)
            .args(&command.first_arguments)
            .args(["--bind-address", "127.0.0.1", "--secure-port", "0", "--insecure-port", "auto"])
            .args(["--kubernetes-version", &command.profile, "--populate", &command.populate])
            .args(["--random-seed", &command.seed.to_string()])
            .args(["--enable-priority-and-fairness=false", "--max-requests-inflight", "0"])
            .args(["--max-mutating-requests-inflight", "0", "--exit-on-stdin-close"])
            .arg("--ready-file")
            .arg(&ready_file)
            // The server lives as long as this end of the pipe, however this process ends.
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(log_file)
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot(&command.program))?;
        let pid = child.id().unwrap_or(0);
        Ok(Self { child, pid, log, ready_file })
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the server serves. `waiting` is called a few times a second.
    pub(super) async fn ready(&mut self, waiting: impl Fn()) -> Result<Ready, CompareError> {
        let started = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(&self.ready_file)
                && let Ok(ready) = serde_json::from_str(&text)
            {
                return Ok(ready);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(format!("ended with {status} before it was ready")));
            }
            if started.elapsed() > READY_LIMIT {
                return Err(self.failed("was not ready after 120 s".to_owned()));
            }
            waiting();
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether the process is still there; if not, why.
    pub(super) fn check(&mut self) -> Result<(), CompareError> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(self.failed(format!("ended with {status} during a storm"))),
            _ => Ok(()),
        }
    }

    /// Closes its stdin, and kills it if that is not enough. The log stays only where it is asked
    /// for.
    pub(super) async fn stop(mut self, keep_log: bool) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            // It is this process's own child, so the id cannot be another's.
            let _ = self.child.kill().await;
        }
        let _ = fs::remove_file(&self.ready_file);
        if !keep_log {
            let _ = fs::remove_file(&self.log);
        }
    }

    fn failed(&self, what: String) -> CompareError {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        CompareError::Server { what, tail, log: self.log.clone() }
    }
}

/// Twenty thousand pods load in a second; two minutes is a machine in trouble.
const READY_LIMIT: Duration = Duration::from_secs(120);

const STOP_LIMIT: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(50);

const LOG_LINES: usize = 10;
