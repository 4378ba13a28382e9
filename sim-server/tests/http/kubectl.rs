//! The real kubectl, where there is one: a test that needs a tool that is absent says so, passes,
//! and is counted by the line `SKIPPED`.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::server::{PATIENCE, Server};

/// Whether all of these programs are here.
fn have(test: &str, programs: &[&str]) -> bool {
    let missing: Vec<&&str> = programs
        .iter()
        .filter(|program| {
            Command::new(program)
                .arg("--help")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_err()
        })
        .collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED {test}: {missing:?} are not on this machine");
    }
    missing.is_empty()
}

/// A directory of its own, removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("apisim-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// kubectl with a kubeconfig that the server wrote.
struct Kubectl {
    directory: Directory,
    /// Lives as long as kubectl is used.
    _server: Server,
}

impl Kubectl {
    async fn start(name: &str, flags: &[&str]) -> Self {
        let directory = Directory::new(name);
        let kubeconfig = directory.0.join("kubeconfig");
        let server = Server::secure(flags, |config| {
            config.write_kubeconfig = Some(kubeconfig);
        })
        .await;
        Self { directory, _server: server }
    }

    fn command(&self, args: &[&str]) -> Command {
        let path = |name: &str| -> PathBuf { Path::join(&self.directory.0, name) };
        let mut kubectl = Command::new("kubectl");
        kubectl.arg("--kubeconfig").arg(path("kubeconfig")).arg("--cache-dir").arg(path("cache"));
        kubectl.args(args).env_remove("KUBECONFIG").env("HOME", &self.directory.0);
        kubectl
    }

    /// Runs to the end and succeeds; returns what it said.
    async fn run(&self, args: &[&str]) -> String {
        self.run_with(args, "").await
    }

    async fn run_with(&self, args: &[&str], input: &str) -> String {
        let out = self.output(args, input).await;
        let errors = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "kubectl {args:?}: {errors}");
        String::from_utf8(out.stdout).unwrap()
    }

    async fn output(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.command(args);
        let input = input.to_owned();
        // The server shares this thread's runtime and must not wait for kubectl.
        let run = tokio::task::spawn_blocking(move || {
            let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
        tokio::time::timeout(PATIENCE * 3, run).await.expect("kubectl ends").unwrap()
    }

    /// Runs in the background; its lines arrive as it writes them.
    fn follow(&self, args: &[&str]) -> Lines {
        let mut command = self.command(args);
        let command = command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Lines { child, receiver }
    }
}

/// The output of a process that goes on; dropping it ends the process.
struct Lines {
    child: Child,
    receiver: mpsc::Receiver<String>,
}

impl Lines {
    async fn next(&self) -> String {
        let found = async {
            loop {
                match self.receiver.try_recv() {
                    Ok(line) => return line,
                    Err(mpsc::TryRecvError::Empty) => {}
                    Err(mpsc::TryRecvError::Disconnected) => panic!("it has ended"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("a line in time")
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const MANIFEST: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {color: blue}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "web:1"}]}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_gets_creates_watches_and_deletes() {
    if !have("kubectl_gets_creates_watches_and_deletes", &["kubectl"]) {
        return;
    }
    let kubectl = Kubectl::start("kubectl", &["--populate=nodes=3,pods=10"]).await;

    let got = kubectl.run(&["get", "nodes,pods", "-A"]).await;
    assert!(got.contains("NAME"), "{got}");
    assert_eq!(got.matches("node/node-0").count(), 3, "{got}");
    assert_eq!(got.matches("pod/app-").count(), 10, "{got}");

    let resources = kubectl.run(&["api-resources"]).await;
    for line in ["configmaps", "deployments", "flowschemas"] {
        assert!(resources.lines().any(|found| found.starts_with(line)), "{resources}");
    }
    let version = kubectl.run(&["version"]).await;
    assert!(version.contains("Server Version: v1.33.2"), "{version}");

    let created = kubectl.run_with(&["create", "-f", "-"], MANIFEST).await;
    let lines: Vec<&str> = created.lines().collect();
    let expected =
        ["namespace/shop created", "configmap/settings created", "deployment.apps/web created"];
    assert_eq!(lines, expected);
    let again = kubectl.output(&["create", "-f", "-"], MANIFEST).await;
    let refused = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success());
    assert!(refused.contains("(AlreadyExists)"), "{refused}");
    assert!(refused.contains("configmaps \"settings\" already exists"), "{refused}");

    let raw = kubectl.run(&["get", "--raw", "/api/v1/namespaces/shop/configmaps/settings"]).await;
    assert!(raw.contains("\"data\":{\"color\":\"blue\"}"), "{raw}");
    let color = ["get", "configmap", "settings", "-n", "shop", "-o", "jsonpath={.data.color}"];
    assert_eq!(kubectl.run(&color).await, "blue");
    let yaml = kubectl.run(&["get", "deployment", "web", "-n", "shop", "-o", "yaml"]).await;
    assert!(yaml.contains("\n  replicas: 2\n"), "{yaml}");

    let watch = kubectl.follow(&["get", "configmaps", "-n", "shop", "-w", "--no-headers"]);
    assert!(watch.next().await.starts_with("settings "));
    let late = MANIFEST.split("---").nth(1).unwrap().replace("settings", "late");
    let created = kubectl.run_with(&["create", "-f", "-"], &late).await;
    assert_eq!(created, "configmap/late created\n");
    assert!(watch.next().await.starts_with("late "), "the event of the creation");
    drop(watch);

    let gone = kubectl.run(&["delete", "configmap", "settings", "-n", "shop"]).await;
    assert!(gone.contains("configmap \"settings\" deleted"), "{gone}");
    let gone = kubectl.run(&["delete", "-n", "shop", "deployment/web", "configmap/late"]).await;
    assert_eq!(gone.lines().count(), 2, "{gone}");
    let missing = kubectl.output(&["get", "configmap", "settings", "-n", "shop"], "").await;
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success());
    assert!(said.contains("(NotFound): configmaps \"settings\" not found"), "{said}");
}

/// The storm in small: a proxy, and ten curls at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_curls_through_the_proxy_is_all_200() {
    if !have("a_storm_of_curls_through_the_proxy_is_all_200", &["kubectl", "curl", "xargs", "sh"]) {
        return;
    }
    let kubectl = Kubectl::start("proxy", &["--populate=pods=200x2Ki"]).await;
    let proxy = kubectl.follow(&["proxy", "--port=0"]);
    let line = proxy.next().await;
    let address = line.strip_prefix("Starting to serve on ").unwrap_or_else(|| panic!("{line}"));
    let storm = format!(
        "seq 100 | xargs -P 10 -I N curl -s -o /dev/null -w '%{{http_code}}\\n' \
         'http://{address}/api/v1/pods?limit=5000&n=N'"
    );
    let run = move || Command::new("sh").args(["-c", &storm]).output().unwrap();
    let out = tokio::task::spawn_blocking(run).await.unwrap();
    let codes = String::from_utf8(out.stdout).unwrap();
    assert_eq!(codes.lines().filter(|code| *code == "200").count(), 100, "{codes}");
    assert_eq!(codes.lines().count(), 100);
}
