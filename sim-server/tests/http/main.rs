//! The server over real loopback connections.
//!
//! One program for all of these tests: they share the client in [`client`], and link once.
//! Each test starts a server of its own inside this process, on free ports of 127.0.0.1. What
//! the answers must be was recorded from kube-apiserver 1.33.2 where a test says "recorded".

#![expect(clippy::unwrap_used, reason = "all of this is tests and their helpers")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod admission;
mod auth;
mod bad_clients;
mod bad_input;
mod child;
mod client;
mod custom;
mod inflight;
mod kubectl;
mod list_bytes;
mod list_options;
mod random_operations;
mod server;
mod shutdown;
mod watch;
mod watch_stream;
