//! Clients that do not do their part: each is cut, what it held is freed, and while it is there
//! others get normal answers.

use std::{future::Future, net::SocketAddr, time::Duration};

use http::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use crate::{
    client::{Ask, Client},
    server::{CONFIG_MAPS, PATIENCE, Server, eventually},
};

/// Sends `first`, then a byte at a time; returns what came back before the server closed.
async fn drip(address: SocketAddr, first: &[u8], byte: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(first).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let dripping = async {
        while writer.write_all(byte).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    let closed = async {
        let _ = reader.read_to_end(&mut answer).await;
    };
    let both = async {
        tokio::select! { () = dripping => {}, () = closed => {} }
    };
    timeout(PATIENCE, both).await.expect("cut");
    answer
}

/// Asks every few milliseconds while `bad` goes on.
async fn others_are_served<T>(server: &Server, bad: impl Future<Output = T>) -> T {
    let mut client = server.client().await;
    let others = async {
        loop {
            assert_eq!(client.send(Ask::get(CONFIG_MAPS)).await.status, 200);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = others => unreachable!("others ask forever"),
        done = bad => done,
    }
}

#[tokio::test]
async fn a_header_that_does_not_arrive_in_time_is_cut() {
    let server =
        Server::with(&[], |config| config.read_header_timeout = Duration::from_millis(300)).await;
    others_are_served(&server, async {
        // Nothing at all; some of a request line; an endless header; half of HTTP/2's preface.
        drip(server.http, b"", b"").await;
        drip(server.http, b"", b"G").await;
        drip(server.http, b"GET / HTTP/1.1\r\nx: ", b"y").await;
        drip(server.http, b"P", b"").await;
        drip(server.http, b"PRI * HTTP/2.0\r\n", b"").await;
    })
    .await;
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_end_is_cut() {
    let server = Server::secure(&[], |config| {
        config.read_header_timeout = Duration::from_millis(300);
    })
    .await;
    drip(server.running.https.unwrap(), b"\x16", b"").await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_a_504() {
    let server =
        Server::with(&[], |config| config.request_timeout = Duration::from_millis(400)).await;
    let head = format!("POST {CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{{");
    let answer = others_are_served(&server, drip(server.http, head.as_bytes(), b" ")).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    eventually("the seat is free", async || server.executing("mutating").await == 0).await;
}

#[tokio::test]
async fn a_client_that_leaves_within_its_body_frees_its_seat() {
    let server = Server::start(&[]).await;
    let head = format!("POST {CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{{");
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    eventually("it holds a seat", async || server.executing("mutating").await == 1).await;
    drop(stream);
    eventually("the seat is free", async || server.executing("mutating").await == 0).await;
    assert_eq!(server.get(CONFIG_MAPS).await.names(), Vec::<String>::new());
}

/// 20 MB, more than all socket buffers between the two take.
pub(crate) const MUCH: &str = "--populate=configmaps=200x100Ki";

pub(crate) const ALL: &str = "/api/v1/configmaps";

/// A client that asks and does not read; dropping it ends it.
pub(crate) async fn deaf(address: SocketAddr, path: &str, headers: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // What the system would take on its own may be more than the whole body.
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_is_cut_at_the_request_timeout() {
    for release in ["1.32", "1.33"] {
        let version = format!("--kubernetes-version={release}");
        let server = Server::with(&[MUCH, &version], |config| {
            config.request_timeout = Duration::from_secs(2);
        })
        .await;
        let began = Instant::now();
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(deaf(server.http, ALL, "").await);
        }
        eventually("they hold seats", async || server.executing("readOnly").await >= 4).await;
        others_are_served(&server, async {
            let free = async || server.executing("readOnly").await == 0;
            eventually("the seats are free", free).await;
        })
        .await;
        assert!(began.elapsed() >= Duration::from_secs(2), "cut before its time");
        for mut client in clients {
            // What was on its way arrives; then the connection is cut, within the body.
            let mut answer = Vec::new();
            let _ = timeout(PATIENCE, client.read_to_end(&mut answer)).await.expect("cut");
            assert!(answer.starts_with(b"HTTP/1.1 200 "));
            assert!(!answer.ends_with(b"0\r\n\r\n") && answer.len() < 20 << 20);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http2_stream_that_nobody_reads_is_reset_and_its_neighbours_go_on() {
    let server = Server::with(&[MUCH], |config| {
        config.request_timeout = Duration::from_secs(1);
    })
    .await;
    let mut client = Client::h2c(server.http).await;
    let mut unread = client.open(Ask::get(ALL)).await;
    eventually("it holds a seat", async || server.executing("readOnly").await >= 1).await;
    // The connection's window is taken up by what nobody reads, so the neighbours are small.
    eventually("the seat is free", async || server.executing("readOnly").await == 0).await;
    let ended = async {
        loop {
            match http_body_util::BodyExt::frame(unread.body_mut()).await {
                Some(Ok(_)) => {}
                other => return other.is_some(),
            }
        }
    };
    assert!(timeout(PATIENCE, ended).await.expect("cut"), "the stream is reset, not ended");
    assert_eq!(client.send(Ask::get(CONFIG_MAPS)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_vanishes_frees_its_seat_at_once() {
    let server = Server::start(&[MUCH]).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(deaf(server.http, ALL, "").await);
    }
    eventually("they hold seats", async || server.executing("readOnly").await >= 4).await;
    drop(clients);
    let mut client = Client::h2c(server.http).await;
    let unread = client.open(Ask::get(ALL)).await;
    drop((unread, client));
    // Far below the request timeout of a minute.
    eventually("the seats are free", async || server.executing("readOnly").await == 0).await;
}

#[tokio::test]
async fn a_watch_of_a_client_that_vanishes_is_closed() {
    let server = Server::start(&[]).await;
    let watchers =
        async || server.state().await["resources"]["configmaps"]["watchers"].as_u64().unwrap_or(0);
    let path = format!("{CONFIG_MAPS}?watch=1");
    let mut old = server.client().await;
    let mut new = Client::h2c(server.http).await;
    let watches = (old.open(Ask::get(&path)).await, new.open(Ask::get(&path)).await);
    assert_eq!(watchers().await, 2);
    drop((watches, old, new));
    eventually("no watcher is left", async || watchers().await == 0).await;
}

/// Methods that have no meaning here get an answer too.
#[tokio::test]
async fn strange_methods_are_answered() {
    let server = Server::start(&[]).await;
    let mut client = server.client().await;
    for method in [Method::OPTIONS, Method::TRACE, Method::from_bytes(b"BREW").unwrap()] {
        for path in ["/", CONFIG_MAPS, "/healthz", "/nosuch", "/metrics"] {
            let answer = client.send(Ask::new(method.clone(), path)).await;
            assert!(matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
        }
    }
}
