//! The program itself, as a process.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    case::{Recordings, User},
    client::{self, Client},
    placeholder::Values,
};

/// A server that ends when this is dropped, or with the test.
pub(crate) struct Server {
    client: Client,
    _guard: Guard,
}

struct Guard {
    child: Child,
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
        let kubeconfig = folder.join("kubeconfig");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sim-server"));
        command
            .args(["--insecure-port=auto", "--exit-on-stdin-close", "--exit-after=5m"])
            .arg(format!("--secure-port={}", free_port()))
            .args(authorization())
            .arg("--write-kubeconfig")
            .arg(&kubeconfig)
            .arg("--token-auth-file")
            .arg(&users)
            .arg("--ready-file")
            .arg(&ready)
            .args(flags);
        let child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut guard = Guard { child, folder };
        let began = Instant::now();
        while !ready.exists() {
            assert!(guard.child.try_wait().unwrap().is_none(), "the server has ended: {flags:?}");
            assert!(began.elapsed() < Duration::from_secs(30), "the server is not ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let said: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        let address = |key: &str| said[key].as_str().unwrap().parse().unwrap();
        let tokens = recordings.users.iter().map(|(name, user)| (name.clone(), user.token.clone()));
        let client = Client {
            http: address("http"),
            https: address("https"),
            tls: client::trusting(&std::fs::read_to_string(&kubeconfig).unwrap()),
            tokens: Arc::new(tokens.collect()),
        };
        for op in &recordings.prepare {
            let request = op.request.as_ref().expect("only requests prepare a server");
            let request = client.ready(request, &Values::default()).unwrap();
            let answer = client.call(request).await.unwrap();
            assert!(matches!(answer.status, 200 | 201 | 409), "{} to prepare", answer.status);
        }
        Self { client, _guard: guard }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// RBAC, once the server has it.
fn authorization() -> Option<&'static str> {
    static FLAG: LazyLock<Option<&str>> = LazyLock::new(|| {
        let help = Command::new(env!("CARGO_BIN_EXE_sim-server")).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        (!help.contains("RBAC is not built yet")).then_some("--authorization-mode=RBAC")
    });
    *FLAG
}

impl Drop for Guard {
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
