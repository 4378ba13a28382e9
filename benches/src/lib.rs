//! What the benchmarks share.
//!
//! The criterion benchmarks are in `benches/`, one file a subject; the programs that measure a
//! whole server from outside are in `src/bin/`. BENCHMARKING.md at the root says what each figure
//! means and what it does not.

pub mod child;
pub mod client;
pub mod dataset;
pub mod machine;
pub mod process;
pub mod table;
