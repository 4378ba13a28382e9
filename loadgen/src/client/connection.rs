//! One TCP connection that carries one request after the other (HTTP/1.1) or at once (HTTP/2).

use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use crate::LoadError;

use super::{Auth, Endpoint, Target, tls};

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, by ALPN over TLS and with prior knowledge (h2c) without.
    Http2,
    /// What the server picks by ALPN; HTTP/1.1 without TLS, since proxies there rarely know h2c.
    Negotiate,
}

/// How connections to one target are made; built once, used for many.
#[derive(Clone)]
pub struct ConnectOptions {
    endpoint: Endpoint,
    authority: String,
    authorization: Option<HeaderValue>,
    http: HttpVersion,
    tls: Option<(Arc<ClientConfig>, rustls::pki_types::ServerName<'static>)>,
    /// Bytes that may wait on this side of the network; see [`ConnectOptions::slow_reader`].
    buffer_bytes: Option<u32>,
    connect_timeout: Duration,
}

/// An open connection. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    driver: JoinHandle<()>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl ConnectOptions {
    /// Options for `target`.
    ///
    /// # Errors
    /// When the URL or the certificates of the target cannot be used.
    pub fn new(target: &Target, http: HttpVersion) -> Result<Self, LoadError> {
        let endpoint = target.endpoint()?;
        let tls = if endpoint.https {
            let name = target.server_name.as_deref().unwrap_or(&endpoint.host);
            Some((tls::client_config(target, http)?, tls::server_name(name)?))
        } else {
            if matches!(target.auth, Auth::ClientCert { .. }) {
                return Err(LoadError::usage("server", "a client certificate needs https://"));
            }
            None
        };
        let authorization = match &target.auth {
            Auth::Token(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| LoadError::usage("token", "not fit for a header"))?;
                value.set_sensitive(true);
                Some(value)
            }
            Auth::None | Auth::ClientCert { .. } => None,
        };
        Ok(Self {
            authority: endpoint.authority(),
            endpoint,
            authorization,
            http,
            tls,
            buffer_bytes: None,
            connect_timeout: CONNECT_TIMEOUT,
        })
    }

    /// Makes connections for a reader of `bytes_per_s`: the socket's receive buffer, HTTP/1.1's
    /// read buffer and HTTP/2's windows are small, so that the server soon feels that nobody
    /// reads.
    #[must_use]
    pub fn slow_reader(mut self, bytes_per_s: u64) -> Self {
        self.buffer_bytes = Some(slow_buffer_bytes(bytes_per_s));
        self
    }

    /// Host and port, for messages.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether connections are TLS.
    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The path to ask for, with the target's own prefix before it.
    pub fn path(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.endpoint.prefix)
    }

    /// Adds the credential that goes with every request.
    pub fn authorize(&self, headers: &mut HeaderMap) {
        if let Some(value) = &self.authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When the server cannot be reached, is not trusted, or speaks something else.
    pub async fn connect(&self) -> Result<Connection, LoadError> {
        match tokio::time::timeout(self.connect_timeout, self.connect_unbounded()).await {
            Ok(result) => result,
            Err(_) => Err(self.no_connection(io::ErrorKind::TimedOut.into())),
        }
    }

    async fn connect_unbounded(&self) -> Result<Connection, LoadError> {
        let stream = self.dial().await.map_err(|source| self.no_connection(source))?;
        // Requests are small and written at once; nothing is gained by waiting for more.
        stream.set_nodelay(true).map_err(|source| self.no_connection(source))?;
        let Some((config, name)) = &self.tls else {
            let http2 = self.http == HttpVersion::Http2;
            return self.handshake(stream, http2).await;
        };
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name.clone(), stream)
            .await
            .map_err(|e| self.no_handshake(&e))?;
        let http2 = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => true,
            Some(_) => false,
            None => self.http == HttpVersion::Http2,
        };
        self.handshake(stream, http2).await
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in
            tokio::net::lookup_host((self.endpoint.host.as_str(), self.endpoint.port)).await?
        {
            match self.dial_one(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn dial_one(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bytes) = self.buffer_bytes {
            // Before connecting, since the window scale is settled in the handshake.
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect(address).await
    }

    async fn handshake<S>(&self, stream: S, http2: bool) -> Result<Connection, LoadError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = TokioIo::new(stream);
        // The drivers' errors also come out of the requests they carry, where they are counted.
        let (sender, driver) = if http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            let window = self.buffer_bytes.unwrap_or(GO_STREAM_WINDOW);
            builder
                .initial_stream_window_size(window)
                .initial_connection_window_size(window.max(HTTP2_DEFAULT_WINDOW));
            let (sender, driver) =
                builder.handshake(stream).await.map_err(|e| self.no_handshake(&e))?;
            (Sender::Http2(sender), tokio::spawn(async move { drop(driver.await) }))
        } else {
            let mut builder = http1::Builder::new();
            builder.max_headers(MAX_HEADERS);
            if let Some(bytes) = self.buffer_bytes {
                builder.max_buf_size(to_usize(bytes).max(HYPER_MIN_BUFFER));
            }
            let (sender, driver) =
                builder.handshake(stream).await.map_err(|e| self.no_handshake(&e))?;
            (Sender::Http1(sender), tokio::spawn(async move { drop(driver.await) }))
        };
        Ok(Connection { sender, driver })
    }

    fn no_connection(&self, source: io::Error) -> LoadError {
        LoadError::Connect { address: self.authority.clone(), source }
    }

    fn no_handshake(&self, error: &dyn Error) -> LoadError {
        LoadError::Handshake { address: self.authority.clone(), message: chain(error) }
    }
}

impl Connection {
    /// Whether another request can still be sent.
    pub fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Whether this is HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// A second handle to the same connection, which only HTTP/2 can have; the first must live as
    /// long as requests of the second do.
    pub fn share(&self) -> Option<SharedSender> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(SharedSender(sender.clone())),
        }
    }

    /// Sends one request and waits for the head of its answer.
    ///
    /// # Errors
    /// When the connection breaks; `is_canceled` on the error says that nothing was sent.
    pub async fn send(
        &mut self,
        options: &ConnectOptions,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let http2 = self.is_http2();
        let request = build(options, http2, method, path_and_query, headers, body);
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A body that is still being read would otherwise keep the driver, and the socket, alive.
        self.driver.abort();
    }
}

/// A handle for requests on an HTTP/2 connection that somebody else keeps open.
#[derive(Clone, Debug)]
pub struct SharedSender(http2::SendRequest<Full<Bytes>>);

impl SharedSender {
    /// As [`Connection::send`].
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn send(
        &mut self,
        options: &ConnectOptions,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let request = build(options, true, method, path_and_query, headers, body);
        self.0.ready().await?;
        self.0.send_request(request).await
    }
}

fn build(
    options: &ConnectOptions,
    http2: bool,
    method: Method,
    path_and_query: &str,
    mut headers: HeaderMap,
    body: Bytes,
) -> Request<Full<Bytes>> {
    let path = options.path(path_and_query);
    let uri = if http2 {
        let scheme = if options.endpoint.https { "https" } else { "http" };
        format!("{scheme}://{}{path}", options.authority)
    } else {
        if let Ok(host) = HeaderValue::from_str(&options.authority) {
            headers.insert(header::HOST, host);
        }
        path
    };
    options.authorize(&mut headers);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    // Callers check paths with `check_path`; what is not a URI goes out as `/`, never panics.
    *request.uri_mut() = uri.parse().unwrap_or_default();
    *request.headers_mut() = headers;
    request
}

/// The kind under which an error of a request is counted; `in_body` is whether the answer's head
/// had come.
pub fn error_kind(error: &(dyn Error + 'static), in_body: bool) -> &'static str {
    if in_body {
        return "cut body";
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::ConnectionRefused => "connection refused",
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "connection reset",
                io::ErrorKind::TimedOut => "connect time-out",
                _ => "connection error",
            };
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_closed() || error.is_canceled())
        {
            return "connection closed";
        }
        next = error.source();
    }
    if chain(error).contains("stream error") { "stream reset" } else { "connection error" }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// What a slow reader may have waiting on its side: a twentieth of a second's reading, but at
/// least what the HTTP library needs and at most 64 KiB.
fn slow_buffer_bytes(bytes_per_s: u64) -> u32 {
    let bytes = (bytes_per_s / 20).clamp(16 * 1024, 64 * 1024);
    u32::try_from(bytes).expect("clamped to 64 KiB")
}

fn to_usize(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// As `net.Dialer` in client-go's default transport.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Stream window of Go's HTTP/2 client (`transportDefaultStreamFlow`, 4 MiB).
const GO_STREAM_WINDOW: u32 = 4 << 20;

/// The protocol's own initial connection window, below which it cannot go (RFC 9113, 6.9.2).
const HTTP2_DEFAULT_WINDOW: u32 = 65_535;

/// hyper refuses a smaller HTTP/1.1 buffer (it panics).
const HYPER_MIN_BUFFER: usize = 8192;

/// More response headers than any apiserver sends.
const MAX_HEADERS: usize = 200;
