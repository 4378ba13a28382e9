//! A server in the test's own process, and the plainest of HTTP clients.

use std::{future::Future, net::SocketAddr, time::Duration};

use clap::Parser;
use serde_json::Value;
use sim_server::{Running, ServeArgs, Token};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// No single step may take longer, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
}

pub(crate) struct Server {
    /// Serves until it is dropped.
    _running: Running,
    http: SocketAddr,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// HTTP/1.1, one request after the other.
pub(crate) struct Connection {
    stream: TcpStream,
    user: String,
}

impl Connection {
    /// The code of an answer whose body is read to its end.
    pub(crate) async fn get(&mut self, path: &str) -> u16 {
        let user = &self.user;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {user}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::with_capacity(READ_BYTES);
        let head = loop {
            self.more(&mut bytes).await;
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let text = str::from_utf8(&bytes[..head]).unwrap().to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1);
        let length: Option<usize> =
            length.map(|rest| rest.lines().next().unwrap().trim().parse().unwrap());
        let code = text.split(' ').nth(1).unwrap().parse().unwrap();
        match length {
            Some(length) => {
                while bytes.len() < head + length {
                    self.more(&mut bytes).await;
                }
            }
            None => {
                while !bytes.ends_with(b"\r\n0\r\n\r\n") {
                    self.more(&mut bytes).await;
                }
            }
        }
        code
    }

    async fn more(&mut self, bytes: &mut Vec<u8>) {
        bytes.reserve(READ_BYTES);
        let read = timeout(PATIENCE, self.stream.read_buf(bytes)).await.unwrap().unwrap();
        assert!(read > 0, "the server closed the connection");
    }
}

impl Server {
    /// A server with some users, whose tokens are their names.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let given = ["sim-server", "--insecure-port=auto", "--secure-port=0"];
        let cli = Cli::try_parse_from(given.iter().chain(flags)).unwrap();
        let mut config = cli.serve.into_config().unwrap();
        config.tokens = ["alice", "bob", "carol", "elephant", "mouse1", "mouse2"]
            .map(|name| Token {
                token: name.into(),
                user: name.into(),
                uid: name.into(),
                groups: Vec::new(),
            })
            .to_vec();
        let running = sim_server::start(config).await.unwrap();
        let http = running.http.unwrap();
        Self { _running: running, http }
    }

    /// Sends a request; an empty `user` is system:masters.
    pub(crate) async fn send(
        &self,
        user: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = self.open(user, method, path, &body).await;
        let mut bytes = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunk(body) } else { body.to_owned() };
        Answer { status, head: head.to_owned(), body }
    }

    pub(crate) async fn get(&self, user: &str, path: &str) -> Answer {
        self.send(user, "GET", path, None).await
    }

    /// Asks, and reads nothing: dropping it is a client that has left.
    pub(crate) async fn deaf(&self, user: &str, path: &str) -> TcpStream {
        self.open(user, "GET", path, "").await
    }

    /// A connection that stays open.
    pub(crate) async fn connection(&self, user: &str) -> Connection {
        let stream = timeout(PATIENCE, TcpStream::connect(self.http)).await.unwrap().unwrap();
        Connection { stream, user: user.to_owned() }
    }

    async fn open(&self, user: &str, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = timeout(PATIENCE, TcpStream::connect(self.http)).await.unwrap().unwrap();
        let auth = match user {
            "" => String::new(),
            user => format!("Authorization: Bearer {user}\r\n"),
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{auth}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Creates a configuration object.
    pub(crate) async fn create(&self, object: &Value) -> Answer {
        let plural = match object["kind"].as_str().unwrap() {
            "FlowSchema" => "flowschemas",
            _ => "prioritylevelconfigurations",
        };
        self.send("", "POST", &format!("{FLOW}/{plural}"), Some(object)).await
    }

    /// Rows of one of the dumps, without its header, cells trimmed.
    pub(crate) async fn dump(&self, which: &str) -> Vec<Vec<String>> {
        let answer = self.get("", &format!("/debug/api_priority_and_fairness/{which}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cells = |line: &str| line.split(',').map(|cell| cell.trim().to_owned()).collect();
        answer.body.lines().skip(1).map(cells).collect()
    }

    /// Requests of a level that execute and that wait.
    pub(crate) async fn requests(&self, level: &str) -> (usize, usize) {
        let rows = self.dump("dump_requests").await;
        let rows = rows.iter().filter(|row| row[0] == level);
        let (waiting, executing): (Vec<_>, Vec<_>) = rows.partition(|row| row[3] != "-1");
        (executing.len(), waiting.len())
    }

    /// A gauge of a level.
    pub(crate) async fn limit(&self, level: &str) -> f64 {
        let metrics = self.get("", "/metrics").await.body;
        let name =
            format!("apiserver_flowcontrol_current_limit_seats{{priority_level=\"{level}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    }
}

/// Asks again until it holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "{what} did not come to be");
        sleep(Duration::from_millis(30)).await;
    }
}

fn unchunk(body: &str) -> String {
    let (mut text, mut rest) = (String::new(), body);
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        text += &tail[..size];
        rest = tail[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    text
}

/// Taken from a socket at a time.
const READ_BYTES: usize = 64 << 10;

pub(crate) const FLOW: &str = "/apis/flowcontrol.apiserver.k8s.io/v1";
