//! What goes out of the cluster and what comes back.

use std::sync::Arc;

use bytes::Bytes;

/// Who sends a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// User name, e.g. `system:kube-scheduler`.
    pub user: String,
    /// Its groups, without `system:authenticated`.
    pub groups: Vec<String>,
    /// User-Agent header.
    pub user_agent: String,
}

/// A request to the apiserver.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who sends it.
    pub identity: Arc<Identity>,
    /// HTTP method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Accept header.
    pub accept: &'static str,
    /// Content-Type of the body; empty without one.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// What the driver is to do. Ids are unique within a cluster.
#[derive(Debug)]
pub enum Action {
    /// Send it, and give the answer to [`Cluster::answer`](crate::Cluster::answer).
    Call(u64, Request),
    /// Send it, and give each event to [`Cluster::frame`](crate::Cluster::frame), then its end.
    Watch(u64, Request),
    /// The answer to this call or the frames of this watch are no longer awaited.
    Cancel(u64),
}

/// The answer to a call.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// HTTP status code; 0 when the connection broke.
    pub code: u16,
    /// Retry-After header, in seconds.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: Bytes,
}

/// What comes of a watch.
#[derive(Clone, Debug)]
pub enum Frame {
    /// One event, as JSON.
    Event(Bytes),
    /// The stream has ended, or was refused: the answer, with code 200 for an ordinary end.
    End(Answer),
}
