//! A small HTTP client: one connection, HTTP/1.1 or HTTP/2, plain or TLS.

use std::{io::Read, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use sim_server::Running;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::server::PATIENCE;

/// A request to be sent.
pub(crate) struct Ask(http::request::Builder, Bytes);

impl Ask {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        Self(Request::builder().method(method).uri(path), Bytes::new())
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value), self.1)
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        Self(self.0, body.into())
    }

    pub(crate) fn json(self, object: &Value) -> Self {
        self.header("content-type", "application/json").body(object.to_string())
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// metadata.resourceVersion.
    pub(crate) fn revision(&self) -> u64 {
        revision(&self.json())
    }

    /// Names of a list's items.
    pub(crate) fn names(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.text());
        let list = self.json();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The body without gzip.
    pub(crate) fn unzipped(&self) -> Vec<u8> {
        assert_eq!(self.header("content-encoding"), "gzip");
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&self.body[..]).read_to_end(&mut plain).unwrap();
        plain
    }
}

pub(crate) fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// One connection.
pub(crate) struct Client {
    sender: Sender,
    /// HTTP/2 and absolute URIs need it.
    authority: String,
}

impl Client {
    pub(crate) async fn http1(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::http1_over(TokioIo::new(stream), address).await
    }

    /// HTTP/2 with prior knowledge.
    pub(crate) async fn h2c(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::http2_over(TokioIo::new(stream), address).await
    }

    /// HTTPS with HTTP/1.1, without credentials.
    pub(crate) async fn https1(running: &Running) -> Self {
        let stream = tls(running, false, b"http/1.1").await;
        Self::http1_over(TokioIo::new(stream), running.https.unwrap()).await
    }

    /// HTTPS with HTTP/2; as the administrator, or without credentials.
    pub(crate) async fn https2(running: &Running, admin: bool) -> Self {
        let stream = tls(running, admin, b"h2").await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        Self::http2_over(TokioIo::new(stream), running.https.unwrap()).await
    }

    async fn http1_over<T>(io: T, address: SocketAddr) -> Self
    where
        T: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        Self { sender: Sender::Http1(sender), authority: address.to_string() }
    }

    async fn http2_over<T>(io: T, address: SocketAddr) -> Self
    where
        T: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        Self { sender: Sender::Http2(sender), authority: address.to_string() }
    }

    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Sends a request; the body of the answer is still to come.
    pub(crate) async fn open(&mut self, ask: Ask) -> Response<Incoming> {
        self.try_open(ask).await.unwrap()
    }

    pub(crate) async fn try_open(&mut self, ask: Ask) -> hyper::Result<Response<Incoming>> {
        let mut request = ask.0.body(Full::new(ask.1)).unwrap();
        let sent = async {
            match &mut self.sender {
                Sender::Http1(sender) => {
                    let host = self.authority.parse().unwrap();
                    request.headers_mut().entry("host").or_insert(host);
                    sender.ready().await?;
                    sender.send_request(request).await
                }
                Sender::Http2(sender) => {
                    let path = request.uri().path_and_query().unwrap().clone();
                    *request.uri_mut() = http::Uri::builder()
                        .scheme("http")
                        .authority(self.authority.as_str())
                        .path_and_query(path)
                        .build()
                        .unwrap();
                    sender.ready().await?;
                    sender.send_request(request).await
                }
            }
        };
        timeout(PATIENCE, sent).await.expect("an answer in time")
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&mut self, ask: Ask) -> Answer {
        let (parts, body) = self.open(ask).await.into_parts();
        let body = timeout(PATIENCE, body.collect()).await.expect("a whole body in time");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.unwrap().to_bytes(),
        }
    }
}

async fn tls(running: &Running, admin: bool, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let ca = running.ca_pem.as_ref().unwrap();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match &running.admin {
        Some((cert, key)) if admin => {
            let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(vec![cert], key).unwrap()
        }
        _ => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    let address = running.https.unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::IpAddress(address.ip().into());
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}
