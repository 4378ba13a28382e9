//! Listening sockets: accept, shake hands, hand over.

use std::{sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::connection::{self, Peer, Protocol};
use crate::app::App;

/// Accepts until shutdown, then waits for the connections to finish, at most `grace`.
pub(crate) async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut shutdown: watch::Receiver<bool>,
    grace: Duration,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|down| *down) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let app = Arc::clone(&app);
                let shutdown = shutdown.clone();
                let tls = tls.clone();
                connections.spawn(accept(app, stream, tls, shutdown));
            }
            // Out of file descriptors, most likely: try again when some may be free.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(grace, drained).await.is_err() {
        connections.shutdown().await;
    }
}

async fn accept(
    app: Arc<App>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    mut shutdown: watch::Receiver<bool>,
) {
    // Small frames must leave at once, as Go's net package has it.
    let _ = stream.set_nodelay(true);
    let header_timeout = app.config.read_header_timeout;
    let peer_is_known = async {
        match tls {
            Some(acceptor) => shake_hands(&app, stream, &acceptor, header_timeout).await,
            None => {
                let protocol = plain_protocol(&stream, header_timeout).await?;
                let peer = Peer::plain();
                Some((Stream::Plain(stream), protocol, peer))
            }
        }
    };
    let known = tokio::select! {
        known = peer_is_known => known,
        // Nothing was asked yet, so there is nothing to finish.
        _ = shutdown.wait_for(|down| *down) => return,
    };
    match known {
        Some((Stream::Plain(stream), protocol, peer)) => {
            connection::serve(app, stream, protocol, peer, shutdown).await;
        }
        Some((Stream::Tls(stream), protocol, peer)) => {
            connection::serve(app, *stream, protocol, peer, shutdown).await;
        }
        None => {}
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

async fn shake_hands(
    app: &App,
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    limit: Duration,
) -> Option<(Stream, Protocol, Peer)> {
    let Ok(Ok(stream)) = timeout(limit, acceptor.accept(stream)).await else {
        app.metrics.tls_handshake_errors.inc();
        return None;
    };
    let (_, session) = stream.get_ref();
    let protocol = match session.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let certificate =
        session.peer_certificates().and_then(|chain| chain.first()).map(|cert| cert.to_vec());
    let peer = Peer { secure: true, certificate, user: None };
    Some((Stream::Tls(Box::new(stream)), protocol, peer))
}

/// Which protocol a plain connection begins with: `PRI` opens HTTP/2 with prior knowledge.
async fn plain_protocol(stream: &TcpStream, limit: Duration) -> Option<Protocol> {
    let mut first = [0; 3];
    let look = async {
        loop {
            match stream.peek(&mut first).await {
                Ok(0) | Err(_) => return None,
                Ok(seen) if first[..seen] != b"PRI"[..seen] => return Some(Protocol::Http1),
                Ok(3) => return Some(Protocol::Http2),
                // The rest of the three bytes is on its way; a peek does not wait for it.
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(limit, look).await.ok().flatten()
}
