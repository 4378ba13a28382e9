//! Stopping: what runs is finished, what waits for nothing is closed at once.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    bad_clients::{ALL, MUCH, deaf},
    client::{Ask, Client},
    server::{CONFIG_MAPS, PATIENCE, Server, eventually},
    watch_stream::Watch,
};

/// Far above what a stop takes, far below the request timeout of a minute, the header's 32 s and
/// the keep-alive time-outs.
const PROMPTLY: Duration = Duration::from_secs(10);

#[tokio::test]
async fn idle_and_half_open_connections_do_not_hold_the_server_up() {
    let server = Server::secure(&[], |_| {}).await;
    let mut used = [
        server.client().await,
        Client::h2c(server.http).await,
        Client::https1(&server.running).await,
        Client::https2(&server.running, true).await,
    ];
    for client in &mut used {
        assert_eq!(client.send(Ask::get("/healthz")).await.status, 200);
    }
    let _unused = [server.client().await, Client::h2c(server.http).await];
    let mut half_open = Vec::new();
    for (address, sent) in [
        (server.http, &b""[..]),
        (server.http, b"G"),
        (server.http, b"GET /healthz HTTP/1.1\r\nhost"),
        (server.http, b"PR"),
        (server.http, b"PRI * HTTP/2.0\r\n"),
        (server.running.https.unwrap(), b""),
        (server.running.https.unwrap(), b"\x16\x03\x01"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        half_open.push(stream);
    }
    // Lets the server see them.
    assert_eq!(server.get("/healthz").await.status, 200);
    timeout(PROMPTLY, server.running.stop()).await.expect("stops promptly");
    for mut stream in half_open {
        let _ = timeout(PROMPTLY, stream.read_to_end(&mut Vec::new())).await.expect("closed");
    }
    for client in &mut used {
        assert!(client.try_open(Ask::get("/healthz")).await.is_err());
    }
}

#[tokio::test]
async fn watches_end_cleanly() {
    let server = Server::secure(&[], |_| {}).await;
    let mut watches = Vec::new();
    for client in [
        server.client().await,
        Client::h2c(server.http).await,
        Client::https2(&server.running, true).await,
    ] {
        watches.push(Watch::open(client, &format!("{CONFIG_MAPS}?watch=1")).await);
    }
    timeout(PROMPTLY, server.running.stop()).await.expect("stops promptly");
    for watch in &mut watches {
        assert_eq!(watch.next().await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_in_flight_is_finished() {
    for version in ["--kubernetes-version=1.32", "--kubernetes-version=1.33"] {
        let server = Server::start(&[MUCH, version]).await;
        let whole = server.get(ALL).await.body;
        let address = server.http;
        let mut client = deaf(address, ALL, "").await;
        let mut other = Client::h2c(address).await;
        let mut list = other.open(Ask::get(ALL)).await;
        eventually("both hold seats", async || server.executing("readOnly").await >= 2).await;
        let stopping = tokio::spawn(server.running.stop());
        eventually("it listens no more", async || TcpStream::connect(address).await.is_err()).await;
        assert!(!stopping.is_finished(), "it waits for the lists");
        let mut answer = Vec::new();
        timeout(PATIENCE, client.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert!(answer.ends_with(b"]}\n\r\n0\r\n\r\n"), "whole");
        let read = http_body_util::BodyExt::collect(list.body_mut());
        let read = timeout(PATIENCE, read).await.unwrap().unwrap().to_bytes();
        assert!(read == whole);
        timeout(PROMPTLY, stopping).await.expect("then it stops").unwrap();
    }
}

#[tokio::test]
async fn readyz_fails_before_the_server_stops_listening() {
    let server = Server::start(&["--shutdown-delay-duration=60s"]).await;
    let mut client = server.client().await;
    assert_eq!(client.send(Ask::get("/readyz")).await.status, 200);
    let stopping = tokio::spawn(server.running.stop());
    eventually("readyz fails", async || {
        Client::http1(server.http).await.send(Ask::get("/readyz")).await.status == 500
    })
    .await;
    let failed = client.send(Ask::get("/readyz")).await;
    assert!(failed.text().contains("[-]shutdown failed: reason withheld\n"), "{}", failed.text());
    assert!(failed.text().ends_with("readyz check failed\n"));
    // Everything else still works.
    for path in ["/healthz", "/livez", CONFIG_MAPS] {
        assert_eq!(client.send(Ask::get(path)).await.status, 200, "{path}");
    }
    stopping.abort();
}

#[tokio::test]
async fn stopping_can_be_asked_for_while_many_are_connected() {
    let server = Server::start(&[]).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(server.client().await);
        clients.push(Client::h2c(server.http).await);
    }
    for client in &mut clients {
        assert_eq!(client.send(Ask::get("/healthz")).await.status, 200);
    }
    timeout(PROMPTLY, server.running.stop()).await.expect("stops promptly");
}
