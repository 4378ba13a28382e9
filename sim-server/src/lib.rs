//! The HTTP edge of apisim: a kube-apiserver made of the sans-IO crates, hyper and tokio.
//!
//! # Layout
//!
//! A request passes the folders in this order, each module once:
//!
//! - `edge`: sockets, TLS, deadlines, the clock;
//! - `pipeline`: request info, authentication, impersonation, authorization, flow control,
//!   routing, accounting;
//! - `handlers`: one module per verb or document;
//! - [`encode`]: how an answer becomes bytes, and how much memory that takes.
//!
//! What Kubernetes does is decided in `sim-api`, `sim-flow` and `sim-store`; here it is carried out.
//!
//! [`run`] is the whole server, as the binary `sim-server` and `loadgen serve` start it.

mod app;
mod args;
mod authenticator;
mod authorizer;
mod cluster;
mod controllers;
mod edge;
mod emulation;
pub mod encode;
mod flow;
mod handlers;
mod jemalloc;
mod load;
mod metrics;
mod pipeline;
mod run;
mod services;
mod shelf;
mod tally;

pub use app::{Config, Token};
pub use args::{ArgsError, ServeArgs};
pub use run::{Running, ServeError, run, start};

#[cfg(feature = "jemalloc")]
pub use tikv_jemallocator::Jemalloc;
