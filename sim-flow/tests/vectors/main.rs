//! Replays every vector recorded by driving the real library, k8s.io/apiserver.
//!
//! Reads `fixtures/apf/*.json.gz`, or `$APISIM_GOLDEN_DIR/apf/*.json` when that variable is set.
//! Integers compare equal, floats within 1e-9.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the number of cases is worth seeing")]

mod borrowing;
mod classify;
mod filter;
mod golden;
mod shuffle_shard;
mod traces;
mod width;
