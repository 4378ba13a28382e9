//! Reading a watch.

use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    client::{Ask, Client, revision},
    server::PATIENCE,
};

/// An open watch.
pub(crate) struct Watch {
    pub(crate) headers: HeaderMap,
    body: Incoming,
    buffer: Vec<u8>,
    /// Kept, so that the connection lives as long as the watch.
    _client: Option<Client>,
}

impl Watch {
    pub(crate) async fn open(mut client: Client, path: &str) -> Self {
        let response = client.open(Ask::get(path)).await;
        Self { _client: Some(client), ..Self::of(response) }
    }

    /// A watch on a connection that others use too.
    pub(crate) fn of(response: Response<Incoming>) -> Self {
        assert_eq!(response.status(), 200);
        let (parts, body) = response.into_parts();
        Self { headers: parts.headers, body, buffer: Vec::new(), _client: None }
    }

    /// The next event; `None` when the server has ended the watch cleanly.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("an event in time");
            let Some(frame) = frame else {
                assert!(self.buffer.is_empty(), "half an event at the end");
                return None;
            };
            self.buffer.extend_from_slice(frame.unwrap().data_ref().unwrap());
        }
    }

    /// The next event as its type, the object's name and its resourceVersion.
    pub(crate) async fn next_short(&mut self) -> (String, String, u64) {
        short(&self.next().await.expect("the watch goes on"))
    }

    /// The next event as its type and the object's name.
    pub(crate) async fn next_named(&mut self) -> (String, String) {
        let (kind, name, _) = self.next_short().await;
        (kind, name)
    }
}

fn short(event: &Value) -> (String, String, u64) {
    let object = &event["object"];
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    (event["type"].as_str().unwrap().to_owned(), name.to_owned(), revision(object))
}
