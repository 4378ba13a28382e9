//! Load, comparisons and reports for apisim and for any kube-apiserver.
//!
//! The parts, bottom up, under [`cli`]:
//!
//! - [`client`]: one HTTP connection at a time, with TLS, credentials and a reader that can be slow
//!   on purpose; [`kubeconfig`] finds the target.
//! - [`rate`] and [`recorder`]: the token bucket and the histograms; neither reads a clock.
//! - [`storm`]: many connections asking for the same thing; [`watch`]: many open watches.
//! - [`init`]: a kube-burner configuration, run as kube-burner runs it.
//! - [`compare`]: the same storms against servers of several releases, with [`sample`] for their
//!   memory, [`recorded`] for what the real one did, and [`report`] for people.

pub mod apf;
pub mod cli;
pub mod client;
pub mod compare;
pub mod dataset;
mod error;
pub mod init;
pub mod kubeconfig;
pub mod rate;
pub mod recorded;
pub mod recorder;
pub mod report;
pub mod sample;
pub mod storm;
pub mod units;
pub mod watch;

pub use client::{Auth, Target, TlsTrust};
pub use error::LoadError;
pub use storm::{StormProgress, StormResult, StormSpec, StormSummary};
