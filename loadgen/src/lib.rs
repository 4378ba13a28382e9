//! Load, comparisons and reports for apisim and for any kube-apiserver.
//!
//! The parts, bottom up:
//!
//! - [`client`]: one HTTP connection at a time, with TLS, credentials and a reader that can be slow
//!   on purpose; [`kubeconfig`] finds the target.
//! - [`rate`] and [`recorder`]: the token bucket and the histograms; neither reads a clock.
//! - [`storm`]: many connections asking for the same thing.

pub mod client;
mod error;
pub mod init;
pub mod kubeconfig;
pub mod rate;
pub mod recorder;
pub mod storm;
pub mod units;

pub use client::{Auth, Target, TlsTrust};
pub use error::LoadError;
pub use storm::{StormProgress, StormResult, StormSpec, StormSummary};
