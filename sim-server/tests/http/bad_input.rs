//! Requests that are wrong, beyond those in [`recorded`](crate::recorded): each has its answer,
//! and the connection, where it lives on, serves the next.

use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client::Ask,
    server::{CONFIG_MAPS, PATIENCE, Server, config_map},
};

fn post(content_type: &str, body: &str) -> Ask {
    Ask::new(Method::POST, CONFIG_MAPS).header("content-type", content_type).body(body.to_owned())
}

fn failure(code: u16, reason: &str, message: &str) -> serde_json::Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

#[tokio::test]
async fn an_unknown_content_type_is_a_415() {
    let server = Server::start(&[]).await;
    let mut client = server.client().await;
    let unknown =
        "the body of the request was in an unknown format - accepted media types include: ";
    for (ask, accepted) in [
        (
            post("text/plain", "{}"),
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ),
        (
            Ask::new(Method::PATCH, &format!("{CONFIG_MAPS}/x"))
                .header("content-type", "application/json")
                .body("{}"),
            "application/json-patch+json, application/merge-patch+json, \
             application/strategic-merge-patch+json, application/apply-patch+yaml",
        ),
    ] {
        let answer = client.send(ask).await;
        assert_eq!((answer.status, answer.header("content-type")), (415, "application/json"));
        let expected = failure(415, "UnsupportedMediaType", &format!("{unknown}{accepted}"));
        assert_eq!(answer.json(), expected);
    }
    // Without a type it is JSON.
    let named = config_map("x", &json!({}), &json!({})).to_string();
    let answer = client.send(Ask::new(Method::POST, CONFIG_MAPS).body(named)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn what_is_not_there_is_a_404() {
    let server = Server::start(&[]).await;
    let mut client = server.client().await;
    for path in ["/nosuch", "/apis/nosuch", "/apis/nosuch/v1", "/apis/nosuch/v1/things"] {
        let answer = client.send(Ask::get(path)).await;
        assert_eq!((answer.status, answer.text()), (404, "404 page not found\n"), "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{path}");
    }
    let answer = client.send(Ask::get("/apis/apps/v1/nosuch")).await;
    let mut expected = failure(404, "NotFound", "the server could not find the requested resource");
    expected["details"] = json!({});
    assert_eq!((answer.status, answer.json()), (404, expected));
}

#[tokio::test]
async fn a_form_that_is_not_served_is_a_406() {
    let server = Server::start(&[]).await;
    let answer = server.send(Ask::get(CONFIG_MAPS).header("accept", "text/html")).await;
    assert_eq!((answer.status, answer.json()["reason"].as_str()), (406, Some("NotAcceptable")));
}

/// 413 of a body that is sent to its end before the answer is read, as many clients do.
#[tokio::test]
async fn a_body_of_four_mebibytes_is_a_413_that_arrives() {
    let server = Server::start(&[]).await;
    let body = format!("{{\"data\":{{\"k\":\"{}\"}}}}", "x".repeat(4 << 20));
    for framing in [format!("content-length: {}\r\n", body.len()), chunked()] {
        let is_chunked = framing.starts_with("transfer");
        let mut stream = TcpStream::connect(server.http).await.unwrap();
        let head = format!("POST {CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\n{framing}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        if is_chunked {
            stream.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await.unwrap();
        }
        stream.write_all(body.as_bytes()).await.unwrap();
        if is_chunked {
            stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        }
        let answer = read_some(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("Request entity too large: limit is 3145728"), "{answer}");
    }
    assert_eq!(server.get(CONFIG_MAPS).await.status, 200);
}

/// A refusal that does not look at the body must still reach a client that sends all of it.
#[tokio::test]
async fn a_refusal_before_the_body_was_read_arrives() {
    let server = Server::start(&[]).await;
    let body = "x".repeat(2 << 20);
    for (path, token, code) in
        [("/api/v1/nodes/x", "", "405"), (CONFIG_MAPS, "authorization: Bearer no\r\n", "401")]
    {
        let mut stream = TcpStream::connect(server.http).await.unwrap();
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\n{token}content-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let answer = read_some(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    }
}

#[tokio::test]
async fn header_floods_are_cut_or_refused() {
    let server = Server::start(&[]).await;
    let many = "x-flood: y\r\n".repeat(20_000);
    let large = format!("x-flood: {}\r\n", "y".repeat(2 << 20));
    let endless = "y".repeat(4 << 20);
    for flood in [many, large, endless] {
        let mut stream = TcpStream::connect(server.http).await.unwrap();
        let head = format!("GET {CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\n{flood}\r\n");
        // It may be cut while it is still being sent.
        let _ = timeout(PATIENCE, stream.write_all(head.as_bytes())).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert_eq!(server.get(CONFIG_MAPS).await.status, 200);
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused_or_cut() {
    let server = Server::start(&[]).await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"PRI \r\n\r\n"]
    {
        let mut stream = TcpStream::connect(server.http).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{garbage:?}");
    }
    assert_eq!(server.get(CONFIG_MAPS).await.status, 200);
}

/// Recorded: `?timeout=1ns` is over before it begins.
#[tokio::test]
async fn a_timeout_is_read_from_the_query() {
    let server = Server::start(&[]).await;
    let over = server.get(&format!("{CONFIG_MAPS}?timeout=1ns")).await;
    assert_eq!(
        (over.status, over.header("content-type"), over.text()),
        (
            504,
            "text/plain; charset=utf-8",
            "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: request did not complete \
             within the allotted timeout\",\"reason\":\"Timeout\",\"details\":{},\"code\":504}\n"
        )
    );
    let wrong = server.get(&format!("{CONFIG_MAPS}?timeout=abc")).await;
    let message = "invalid timeout specified in the request URL - time: invalid duration \"abc\"";
    assert_eq!((wrong.status, wrong.json()), (400, failure(400, "BadRequest", message)));
}

fn chunked() -> String {
    "transfer-encoding: chunked\r\n".to_owned()
}

/// The answer's head, and the body as far as it came with it.
async fn read_some(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let whole =
        |seen: &[u8]| seen.windows(4).any(|four| four == b"\r\n\r\n") && seen.ends_with(b"\n");
    while !whole(&answer) {
        let mut part = [0; 4096];
        let read = timeout(PATIENCE, stream.read(&mut part)).await.expect("an answer in time");
        match read.expect("the answer is not lost to a reset") {
            0 => break,
            count => answer.extend_from_slice(&part[..count]),
        }
    }
    String::from_utf8(answer).unwrap()
}
