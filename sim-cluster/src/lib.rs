//! What a control plane and its nodes do by themselves: controllers, the scheduler, kubelets.
//!
//! [`Cluster`] is a step function without I/O. Whoever drives it passes the time, the answers and
//! the frames of its watches, and carries out the [`Action`]s that it asks for: the live server
//! through the same pipeline as everyone's requests, with the real users and user agents, so that
//! flow control classifies them; a driver in virtual time by its model.
//!
//! Inside, each actor is written as a straight line of `await`s over a single-threaded executor
//! that only runs within [`Cluster::run`], so that the same inputs and seed give the same actions.

mod call;
mod client;
mod cluster;
mod config;
mod controllers;
mod informer;
mod kubelet;
mod object;
mod queue;
mod scheduler;
mod world;

pub use call::{Action, Answer, Frame, Identity, Request};
pub use cluster::Cluster;
pub use config::{Agent, ClientQps, ClusterConfig, ConfigError, Delay, Kubelets, NodeShape};
