//! A server inside the test's own process.

use std::{future::Future, net::SocketAddr, time::Duration};

use clap::Parser;
use http::Method;
use serde_json::{Value, json};
use sim_server::{Config, Running, ServeArgs, Token};

use crate::client::{Answer, Ask, Client};

/// No single step of a test may take longer, on a machine that is busy with others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
}

/// What the flags of a command line mean, on free ports: plain HTTP always, HTTPS with
/// `--secure-port=1`.
pub(crate) fn config(flags: &[&str]) -> Config {
    let given = ["sim-server", "--insecure-port=auto", "--secure-port=0"];
    let cli = Cli::try_parse_from(given.iter().chain(flags)).unwrap();
    cli.serve.into_config().unwrap()
}

pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) http: SocketAddr,
}

impl Server {
    pub(crate) async fn start(flags: &[&str]) -> Self {
        Self::of(config(flags)).await
    }

    /// Starts with what no flag can say.
    pub(crate) async fn with(flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(flags);
        change(&mut config);
        Self::of(config).await
    }

    /// Serves HTTPS beside plain HTTP.
    pub(crate) async fn secure(flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        Self::with(flags, |config| {
            config.secure_port = Some(0);
            change(config);
        })
        .await
    }

    async fn of(config: Config) -> Self {
        let running = sim_server::start(config).await.unwrap();
        let http = running.http.unwrap();
        Self { running, http }
    }

    /// A new connection, plain HTTP/1.1.
    pub(crate) async fn client(&self) -> Client {
        Client::http1(self.http).await
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        self.client().await.send(ask).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Ask::get(path)).await
    }

    pub(crate) async fn post(&self, path: &str, object: &Value) -> Answer {
        self.send(Ask::new(Method::POST, path).json(object)).await
    }

    /// Creates a ConfigMap in namespace `default`; returns its resourceVersion.
    pub(crate) async fn config_map(&self, name: &str, labels: &Value, data: &Value) -> u64 {
        let made = self.post(CONFIG_MAPS, &config_map(name, labels, data)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.revision()
    }

    /// `/sim/state`.
    pub(crate) async fn state(&self) -> Value {
        let state = self.get("/sim/state").await;
        assert_eq!(state.status, 200);
        state.json()
    }

    /// Counted requests that execute, of one kind.
    pub(crate) async fn executing(&self, kind: &str) -> u64 {
        self.state().await["flowControl"]["executing"][kind].as_u64().unwrap()
    }
}

pub(crate) const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

pub(crate) fn config_map(name: &str, labels: &Value, data: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "labels": labels },
        "data": data,
    })
}

/// Alice has a token and no special group; the token is `alice`.
pub(crate) fn alice() -> Token {
    user("alice", &["lab-admins"])
}

/// A user whose token is the name.
pub(crate) fn user(name: &str, groups: &[&str]) -> Token {
    Token {
        token: name.into(),
        user: name.into(),
        uid: format!("uid-{name}"),
        groups: groups.iter().map(|&group| group.into()).collect(),
    }
}

/// Asks again until it is so; fails when it is not within [`PATIENCE`].
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let asked = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asked).await.is_ok(), "never came true: {what}");
}
