//! `loadgen`: load, comparisons and reports for apisim and for any kube-apiserver.

use std::process::ExitCode;

// `loadgen serve` is the server that `loadgen compare` measures; see sim-server's main.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: sim_server::Jemalloc = sim_server::Jemalloc;

fn main() -> ExitCode {
    loadgen::cli::main()
}
