//! HTTP/1.1, one connection a request: plain, but for requests without credentials, since plain
//! HTTP makes an administrator of everyone.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{AUTHORIZATION, HOST},
};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{case, placeholder::Values};

/// Sends requests as the users of the recordings.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) tls: TlsConnector,
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
        let mut ready = ready.body(Full::new(body)).map_err(|error| error.to_string())?;
        let host = if is_anonymous(&ready) { self.https } else { self.http };
        let host = HeaderValue::from_str(&host.to_string()).map_err(|error| error.to_string())?;
        ready.headers_mut().insert(HOST, host);
        Ok(ready)
    }

    /// Sends a request, and waits for the head of the answer.
    pub(crate) async fn open(&self, ready: Ready) -> Result<Response<Incoming>, String> {
        let say = |error: std::io::Error| error.to_string();
        if !is_anonymous(&ready) {
            return send(TcpStream::connect(self.http).await.map_err(say)?, ready).await;
        }
        let stream = TcpStream::connect(self.https).await.map_err(say)?;
        let name = ServerName::IpAddress(self.https.ip().into());
        send(self.tls.connect(name, stream).await.map_err(say)?, ready).await
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

fn is_anonymous(ready: &Ready) -> bool {
    !ready.headers().contains_key(AUTHORIZATION)
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ready: Ready,
) -> Result<Response<Incoming>, String> {
    let say = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(say)?;
    tokio::spawn(connection);
    sender.send_request(ready).await.map_err(say)
}

/// What trusts the CA of a kubeconfig.
pub(crate) fn trusting(kubeconfig: &str) -> TlsConnector {
    let ca = kubeconfig.lines().find_map(|line| {
        let (key, value) = line.trim().split_once(':')?;
        key.contains("certificate-authority-data").then(|| value.trim().trim_matches('"'))
    });
    let pem = BASE64_STANDARD.decode(ca.expect("the kubeconfig has a CA")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

const PATIENCE: Duration = Duration::from_secs(15);
