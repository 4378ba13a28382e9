//! The program itself, as a process: signals, and memory measured from outside.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::time::timeout;

use crate::{
    bad_clients::{ALL, deaf},
    client::{Ask, Client},
    server::{PATIENCE, eventually},
};

struct Process {
    child: Child,
    http: SocketAddr,
    ready: PathBuf,
}

impl Process {
    async fn start(name: &str, flags: &[&str]) -> Self {
        let file = format!("apisim-{name}-{}.json", std::process::id());
        let ready = std::env::temp_dir().join(file);
        let child = Command::new(env!("CARGO_BIN_EXE_sim-server"))
            .args(["--secure-port=0", "--insecure-port=auto", "--exit-on-stdin-close"])
            .args(["--exit-after=5m", "--ready-file"])
            .arg(&ready)
            .args(flags)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the ready file is there", async || ready.exists()).await;
        let said: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        assert_eq!(said["pid"], child.id());
        assert_eq!(said["https"], Value::Null);
        let http = said["http"].as_str().unwrap().parse().unwrap();
        Self { child, http, ready }
    }

    /// A line of the kernel's account of the process, in bytes.
    fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|found| found.starts_with(line)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    async fn exit_code(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, ended).await.expect("it ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.ready);
    }
}

#[tokio::test]
async fn signals_and_the_end_of_standard_input_stop_it() {
    for signal in ["-TERM", "-INT", ""] {
        let mut process = Process::start(&format!("signal{signal}"), &[]).await;
        let mut idle = Client::http1(process.http).await;
        assert_eq!(idle.send(Ask::get("/readyz")).await.text(), "ok");
        if signal.is_empty() {
            drop(process.child.stdin.take());
        } else {
            let pid = process.child.id().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        }
        assert_eq!(process.exit_code().await, Some(0), "{signal}");
        assert!(idle.try_open(Ask::get("/readyz")).await.is_err());
    }
}

#[tokio::test]
async fn wrong_usage_has_its_exit_code() {
    for flags in [
        &["--kubernetes-version=1.2"][..],
        &["--feature-gates=NoSuch=true"],
        &["--authorization-mode=Nod"],
        &["--secure-port=0"],
        &["--load=/nonexistent.yaml", "--secure-port=0", "--insecure-port=auto"],
    ] {
        let program = env!("CARGO_BIN_EXE_sim-server");
        let out = Command::new(program).args(flags).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(2), "{flags:?}: {said}");
        let flag = flags[0].split('=').next().unwrap();
        assert!(said.contains(flag), "{flags:?}: {said}");
    }
}

/// Ten readers who do not read a body of 50 MB: from 1.33 on they hold next to nothing, and when
/// they are cut nothing at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_bounded_while_nobody_reads() {
    const READERS: u64 = 10;
    const MIB: u64 = 1 << 20;
    let flags = ["--populate=configmaps=200x256Ki", "--request-timeout=3s"];
    let process = Process::start("memory", &flags).await;
    let mut client = Client::http1(process.http).await;
    let mut state = async || client.send(Ask::get("/sim/state")).await.json();
    let executing = |state: &Value| state["flowControl"]["executing"]["readOnly"].as_u64().unwrap();
    assert_eq!(state().await["resources"]["configmaps"]["objects"], 200);
    let idle = process.memory("VmRSS:");
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(deaf(process.http, ALL, "").await);
    }
    let mut most = 0;
    let mut began = false;
    loop {
        most = most.max(process.memory("VmRSS:"));
        let now = executing(&state().await);
        began |= now >= READERS;
        if began && now == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let above = most.saturating_sub(idle);
    assert!(above < READERS * 2 * MIB + 8 * MIB, "{} MiB above idle", above / MIB);
}
