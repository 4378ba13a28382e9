//! `sim-server`: the simulated kube-apiserver as a program of its own.

use std::process::ExitCode;

use clap::Parser;
use sim_server::ServeArgs;

// jemalloc, because its statistics tell what is allocated from what is merely resident, and
// because it gives memory back within a second (see .cargo/config.toml), so that a peak is a peak.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: sim_server::Jemalloc = sim_server::Jemalloc;

/// A kube-apiserver you can break on your laptop
#[derive(Parser)]
#[command(name = "sim-server", version)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
}

fn main() -> ExitCode {
    sim_server::run(Cli::parse().serve)
}
