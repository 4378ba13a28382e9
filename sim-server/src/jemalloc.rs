//! What the allocator says of this process. Our own memory: never a forecast of the real server's.

use serde_json::{Value, json};

/// jemalloc's totals in bytes; `{"allocator":"system"}` where jemalloc is not built in.
#[cfg(feature = "jemalloc")]
pub(crate) fn stats() -> Value {
    use tikv_jemalloc_ctl::{epoch, stats};
    // The totals are cached until the epoch moves.
    let _ = epoch::advance();
    json!({
        "allocator": "jemalloc",
        "allocated": stats::allocated::read().unwrap_or_default(),
        "active": stats::active::read().unwrap_or_default(),
        "resident": stats::resident::read().unwrap_or_default(),
        "mapped": stats::mapped::read().unwrap_or_default(),
        "metadata": stats::metadata::read().unwrap_or_default(),
        "retained": stats::retained::read().unwrap_or_default(),
    })
}

/// See above.
#[cfg(not(feature = "jemalloc"))]
pub(crate) fn stats() -> Value {
    json!({ "allocator": "system" })
}
