//! A server of one's own: this program as a child, on 127.0.0.1, gone with its parent.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::process::{Child, Command};

use super::{PODS, USERS};
use crate::{LoadError, Target};

/// A running server. Dropping it kills it.
pub(super) struct Server {
    child: Child,
    directory: PathBuf,
    address: String,
}

#[derive(Deserialize)]
struct Ready {
    http: String,
}

/// The bearer token of a user.
pub(super) fn token(user: &str) -> String {
    format!("{user}-token")
}

impl Server {
    /// Starts a server and waits until it serves. Without fairness it has `places` for read-only
    /// requests.
    pub(super) async fn start(version: &str, fair: bool, places: u32) -> Result<Self, LoadError> {
        let directory =
            env::temp_dir().join(format!("loadgen-teach-{}-{fair}", std::process::id()));
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error: std::io::Error| LoadError::Handshake {
                address: path.display().to_string(),
                message: error.to_string(),
            }
        };
        fs::create_dir_all(&directory).map_err(io(&directory))?;
        let tokens = directory.join("tokens.csv");
        let lines = USERS.map(|user| format!("{},{user},{user}\n", token(user)));
        fs::write(&tokens, lines.concat()).map_err(io(&tokens))?;
        let ready_file = directory.join("ready.json");
        let log = directory.join("server.log");
        let log_file = fs::File::create(&log).map_err(io(&log))?;
        let program = env::current_exe().map_err(io(Path::new("this program")))?;
        let mut command = Command::new(&program);
        command
            .args(["serve", "--bind-address", "127.0.0.1", "--secure-port", "0"])
            .args(["--insecure-port", "auto", "--kubernetes-version", version])
            .args(["--populate", &format!("pods={PODS}"), "--exit-on-stdin-close"])
            // Should all else fail.
            .args(["--exit-after", "5m"])
            .arg("--token-auth-file")
            .arg(&tokens)
            .arg("--ready-file")
            .arg(&ready_file);
        if !fair {
            let places = places.to_string();
            command
                .arg("--enable-priority-and-fairness=false")
                .args(["--max-requests-inflight", &places]);
        }
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log_file)
            .kill_on_drop(true)
            .spawn()
            .map_err(io(&program))?;
        let mut server = Self { child, directory, address: String::new() };
        server.address = server.ready(&ready_file, &log).await?;
        Ok(server)
    }

    /// Where it serves.
    pub(super) fn target(&self) -> Target {
        Target::new(self.address.clone())
    }

    /// Closes its stdin, and kills it if that is not enough.
    pub(super) async fn stop(mut self) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    async fn ready(&mut self, file: &Path, log: &Path) -> Result<String, LoadError> {
        let started = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(file)
                && let Ok(ready) = serde_json::from_str::<Ready>(&text)
            {
                let http = ready.http;
                return Ok(if http.contains("://") { http } else { format!("http://{http}") });
            }
            let ended = matches!(self.child.try_wait(), Ok(Some(_)));
            if ended || started.elapsed() > READY_LIMIT {
                let log = fs::read_to_string(log).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it said nothing").to_owned();
                let message = if ended { last } else { "was not ready in time".to_owned() };
                return Err(LoadError::Handshake { address: "the server".to_owned(), message });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

const READY_LIMIT: Duration = Duration::from_secs(30);

const STOP_LIMIT: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(50);
