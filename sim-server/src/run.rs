//! Starting and stopping.

use std::{
    io::{Read, Write as _},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sim_store::Compactor;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    ServeArgs,
    app::{App, Config},
    authorizer,
    edge::{listen, tls},
    emulation, flow, load,
    pipeline::admit,
};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Wrong usage: a file to load is wrong. Exit code 2.
    #[error("{0:#}")]
    Usage(anyhow::Error),
    /// The environment: a port is taken, a file cannot be written. Exit code 3.
    #[error("{0:#}")]
    Environment(anyhow::Error),
}

impl ServeError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Environment(_) => 3,
        }
    }
}

/// Runs a server until it is told to stop; what `main` does.
///
/// Exit codes: 0 stopped, 2 wrong usage, 3 environment.
pub fn run(args: ServeArgs) -> ExitCode {
    let config = match args.into_config() {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all();
    if config.threads > 0 {
        runtime.worker_threads(config.threads);
    }
    let runtime = match runtime.build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 3),
    };
    runtime.block_on(async {
        match start(config).await {
            Ok(running) => {
                running.until_signal().await;
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error, error.exit_code()),
        }
    })
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    say(&format!("sim-server: {error}"));
    ExitCode::from(code)
}

/// One line on standard error.
#[expect(clippy::print_stderr, reason = "the server's own words to whoever started it")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// A server that is serving.
pub struct Running {
    app: Arc<App>,
    shutdown: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    /// Where HTTPS is served.
    pub https: Option<SocketAddr>,
    /// Where plain HTTP is served.
    pub http: Option<SocketAddr>,
    /// PEM of the CA to trust for HTTPS.
    pub ca_pem: Option<String>,
    /// PEM of an administrator's client certificate and key.
    pub admin: Option<(String, String)>,
}

/// Loads what the configuration says, listens, and serves in the background.
///
/// # Errors
///
/// [`ServeError`].
pub async fn start(config: Config) -> Result<Running, ServeError> {
    let environment = ServeError::Environment;
    let app = Arc::new(App::new(config));
    let config = &app.config;
    let began = Instant::now();
    load::system_objects(&app);
    flow::config::ensure(&app);
    authorizer::ensure_bootstrap(&app);
    let loaded = load::all(&app).map_err(ServeError::Usage)?;
    app.store.begin_watches();
    if loaded > 0 {
        app.store.forget_history();
        let took = began.elapsed().as_secs_f64();
        say(&format!("loaded {loaded} objects in {took:.1} s"));
    }

    let (shutdown, down) = watch::channel(false);
    let mut running = Running {
        app: Arc::clone(&app),
        shutdown,
        listeners: Vec::new(),
        https: None,
        http: None,
        ca_pem: None,
        admin: None,
    };
    let grace = config.request_timeout;
    if let Some(port) = config.secure_port {
        let identity = match &config.tls_files {
            Some((cert, key)) => tls::load(cert, key).map_err(ServeError::Usage)?,
            None => tls::generate(&[config.bind_address.to_string()]).map_err(environment)?,
        };
        let listener = bind(config, port, "--secure-port").await.map_err(environment)?;
        running.https = listener.local_addr().ok();
        running.ca_pem = Some(identity.ca_pem);
        running.admin = identity.admin;
        let acceptor = Some(TlsAcceptor::from(identity.server));
        let serve = listen::serve(Arc::clone(&app), listener, acceptor, down.clone(), grace);
        running.listeners.push(tokio::spawn(serve));
    }
    if let Some(port) = config.insecure_port {
        let listener = bind(config, port, "--insecure-port").await.map_err(environment)?;
        running.http = listener.local_addr().ok();
        let serve = listen::serve(Arc::clone(&app), listener, None, down.clone(), grace);
        running.listeners.push(tokio::spawn(serve));
    }
    if app.flow.apf().is_some() {
        admit::count_all(&app);
        let app = Arc::clone(&app);
        let mut down = down.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = flow::drive(&app) => {}
                () = flow::config::keep_up(&app) => {}
                () = count_forever(&app) => {}
                _ = down.wait_for(|down| *down) => {}
            }
        });
    }
    tokio::spawn(compact_forever(Arc::clone(&app), down.clone()));
    if let Some(cluster) = app.config.cluster.clone() {
        emulation::start(Arc::clone(&app), cluster, down)
            .map_err(|error| environment(error.into()))?;
    }
    running.announce().map_err(environment)?;
    Ok(running)
}

async fn bind(config: &Config, port: u16, flag: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(config.bind_address, port);
    TcpListener::bind(address).await.with_context(|| format!("{flag}: cannot listen on {address}"))
}

/// Counts the objects for flow control as often as `--object-count-poll-period` says.
async fn count_forever(app: &App) {
    let period = app.config.object_count_poll;
    if period.is_zero() {
        std::future::pending::<()>().await;
    }
    loop {
        tokio::time::sleep(period).await;
        admit::count_all(app);
    }
}

async fn compact_forever(app: Arc<App>, mut down: watch::Receiver<bool>) {
    let mut compactor = Compactor::new(app.config.compaction_interval, app.clock.now());
    loop {
        let at = app.clock.instant(compactor.poll_timeout());
        tokio::select! {
            () = tokio::time::sleep_until(at) => {}
            _ = down.wait_for(|down| *down) => return,
        }
        let revision = app.store.revision();
        if let Some(revision) = compactor.handle_timeout(app.clock.now(), revision) {
            app.store.compact(revision);
        }
    }
}

impl Running {
    /// Says where it serves, and writes the files that say it.
    fn announce(&self) -> anyhow::Result<()> {
        let config = &self.app.config;
        let version = config.release.git_version();
        if let Some(path) = &config.write_kubeconfig {
            write_atomically(path, self.kubeconfig().as_bytes())
                .with_context(|| format!("--write-kubeconfig {}", path.display()))?;
        }
        let urls: Vec<String> = [("https", self.https), ("http", self.http)]
            .into_iter()
            .filter_map(|(scheme, address)| address.map(|address| format!("{scheme}://{address}")))
            .collect();
        say(&format!("apisim {version} serving on {}", urls.join(" and ")));
        if let Some(path) = &config.ready_file {
            let ready = json!({
                "pid": std::process::id(),
                "https": self.https.map(|address| address.to_string()),
                "http": self.http.map(|address| address.to_string()),
                "version": version,
            });
            write_atomically(path, format!("{ready}\n").as_bytes())
                .with_context(|| format!("--ready-file {}", path.display()))?;
        }
        Ok(())
    }

    /// A kubeconfig for an administrator.
    pub fn kubeconfig(&self) -> String {
        let (server, trust) = match (&self.https, &self.ca_pem) {
            (Some(address), Some(ca)) => (
                format!("https://{address}"),
                format!("    certificate-authority-data: {}\n", STANDARD.encode(ca)),
            ),
            _ => (
                self.http.map(|address| format!("http://{address}")).unwrap_or_default(),
                String::new(),
            ),
        };
        let credentials = match &self.admin {
            Some((cert, key)) => format!(
                "    client-certificate-data: {}\n    client-key-data: {}\n",
                STANDARD.encode(cert),
                STANDARD.encode(key)
            ),
            // Without any, kubectl asks for a user name over TLS.
            None => "    token: apisim\n".to_owned(),
        };
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: apisim\n  cluster:\n    server: \
             {server}\n{trust}users:\n- name: admin\n  user:\n{credentials}contexts:\n- name: \
             apisim\n  context:\n    cluster: apisim\n    user: admin\ncurrent-context: apisim\n"
        )
    }

    /// Serves until a signal, the end of standard input or the time limit, then stops.
    async fn until_signal(self) {
        let stdin = Arc::new(Notify::new());
        if self.app.config.exit_on_stdin_close {
            let closed = Arc::clone(&stdin);
            // A thread of its own: a blocking read of stdin would keep the runtime from ending.
            std::thread::spawn(move || {
                let _ = std::io::stdin().read_to_end(&mut Vec::new());
                closed.notify_one();
            });
        }
        let limit = self.app.config.exit_after.unwrap_or(Duration::MAX);
        let terminate = async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            match tokio::signal::unix::signal(kind) {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = terminate => {}
            () = stdin.notified() => {}
            () = tokio::time::sleep(limit.min(Duration::from_secs(86_400 * 365))) => {}
            () = self.app.stopped() => {}
        }
        self.stop().await;
    }

    /// Fails readyz, ends watches, stops accepting, and waits for what is running, at most the
    /// request timeout.
    pub async fn stop(self) {
        self.app.begin_stop();
        tokio::time::sleep(self.app.config.shutdown_delay).await;
        self.app.wake_watchers();
        self.shutdown.send_replace(true);
        for listener in self.listeners {
            let _ = listener.await;
        }
    }
}

/// Writes beside the path and renames, so that whoever waits for the file finds it whole.
fn write_atomically(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension("tmp");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(contents)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    Ok(())
}
