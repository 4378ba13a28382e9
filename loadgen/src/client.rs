//! HTTP to one server: where it is, how it is trusted, and one connection at a time.
//!
//! Nothing here pools or retries behind the caller's back, since a load generator must know what
//! it sent. [`Connection`] is one TCP connection; [`body`] reads answers frame by frame.

mod api;
pub mod body;
mod connection;
mod target;
mod tls;

pub use api::{ApiAnswer, ApiCall, ApiClient, DISCOVERY_ACCEPT};
pub use connection::{ConnectOptions, Connection, HttpVersion, SharedSender, error_kind};
pub use target::{Auth, Endpoint, Target, TlsTrust};
