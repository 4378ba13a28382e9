//! The program itself, as a process.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    case::{Recordings, User},
    client::Client,
    placeholder::Values,
};

/// A server that ends when this is dropped, or with the test.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    tokens: Arc<BTreeMap<String, String>>,
    folder: PathBuf,
}

static STARTED: AtomicUsize = AtomicUsize::new(0);

impl Server {
    /// An empty server that has been sent what all cases need.
    pub(crate) async fn start(recordings: &Recordings, flags: &[String]) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = format!("apisim-replay-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (users, ready) = (folder.join("tokens.csv"), folder.join("ready.json"));
        let lines: String = recordings.users.values().map(line).collect();
        std::fs::write(&users, lines).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sim-server"));
        command
            .args(["--secure-port=0", "--insecure-port=auto", "--exit-on-stdin-close"])
            .arg("--exit-after=5m")
            .arg("--token-auth-file")
            .arg(&users)
            .arg("--ready-file")
            .arg(&ready)
            .args(flags);
        let child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let tokens = recordings.users.iter().map(|(name, user)| (name.clone(), user.token.clone()));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let tokens = Arc::new(tokens.collect());
        let mut server = Self { child, address: nowhere, tokens, folder };
        let began = Instant::now();
        while !ready.exists() {
            assert!(server.child.try_wait().unwrap().is_none(), "the server has ended: {flags:?}");
            assert!(began.elapsed() < Duration::from_secs(30), "the server is not ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let said: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        server.address = said["http"].as_str().unwrap().parse().unwrap();
        let client = server.client();
        for op in &recordings.prepare {
            let request = op.request.as_ref().expect("only requests prepare a server");
            let request = client.ready(request, &Values::default()).unwrap();
            let answer = client.call(request).await.unwrap();
            assert!(matches!(answer.status, 200 | 201 | 409), "{} to prepare", answer.status);
        }
        server
    }

    pub(crate) fn client(&self) -> Client {
        Client { address: self.address, tokens: Arc::clone(&self.tokens) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn line(user: &User) -> String {
    let User { token, name, uid, groups } = user;
    format!("{token},{name},{uid},\"{}\"\n", groups.join(","))
}
