//! Plain HTTP/1.1, one connection a request.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

use crate::{case, placeholder::Values};

/// Sends requests as the users of the recordings.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) tokens: Arc<BTreeMap<String, String>>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request that is ready to be sent.
pub(crate) type Ready = Request<Full<Bytes>>;

impl Client {
    /// The request with its placeholders filled in.
    pub(crate) fn ready(&self, request: &case::Request, values: &Values) -> Result<Ready, String> {
        let path = values.fill_path(&request.path)?;
        let mut ready = Request::builder().method(request.method.as_str()).uri(path);
        ready = ready.header("host", self.address.to_string());
        for (name, value) in &request.headers {
            ready = ready.header(name, values.fill(value)?);
        }
        let is_given =
            request.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
        if let Some(user) = request.user.as_ref().filter(|_| !is_given) {
            let token = self.tokens.get(user).unwrap_or(user);
            ready = ready.header("authorization", format!("Bearer {token}"));
        }
        let body = match &request.body {
            None => Bytes::new(),
            Some(Value::String(text)) => values.fill(text)?.into(),
            Some(body) => match body.get("$base64").and_then(Value::as_str) {
                Some(text) => BASE64_STANDARD.decode(text).map_err(|e| e.to_string())?.into(),
                None => values.fill_value(body)?.to_string().into(),
            },
        };
        ready.body(Full::new(body)).map_err(|error| error.to_string())
    }

    /// Sends a request, and waits for the head of the answer.
    pub(crate) async fn open(&self, ready: Ready) -> Result<Response<Incoming>, String> {
        let say = |error: hyper::Error| error.to_string();
        let stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(say)?;
        tokio::spawn(connection);
        sender.send_request(ready).await.map_err(say)
    }

    /// Sends a request, and waits for the whole answer.
    pub(crate) async fn call(&self, ready: Ready) -> Result<Answer, String> {
        let call = async {
            let (head, body) = self.open(ready).await?.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        timeout(PATIENCE, call).await.unwrap_or_else(|_| Err("timed out".to_owned()))
    }
}

const PATIENCE: Duration = Duration::from_secs(15);
