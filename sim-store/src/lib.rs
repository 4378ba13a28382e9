//! The versioned object store of the simulated kube-apiserver: what etcd and the watch cache
//! are to the real one, in one process.
//!
//! # Guarantees
//!
//! - **One order.** A single short critical section assigns the resourceVersion, changes the
//!   collection and appends the event, so versions, snapshots and events agree. resourceVersions
//!   are one counter over all collections, as etcd's revision is.
//! - **Readers do not wait.** A collection is a persistent ordered map; a reader takes a
//!   [`Snapshot`] in O(1) and keeps it as long as it likes. A slow reader blocks no writer.
//! - **An object is encoded once.** [`Object`] holds its JSON as shared bytes with the
//!   resourceVersion in place; LIST and WATCH hand out those bytes.
//! - **No silent gap.** A read of history that is gone says so: [`StoreError::Expired`].
//!
//! # Two windows of history
//!
//! Each collection keeps one log of events. The newest part is the **watch window**, the ring
//! of the real watch cache with its sizes and growth rule (Source: `storage/cacher/watch_cache.go`;
//! capacity 100 to 102,400, freshness 75 s). The rest, back to the last compaction, is what etcd
//! would still serve at an exact resourceVersion.
//!
//! The store does no I/O, reads no clock and starts no thread. It may be shared between threads.

mod collection;
mod error;
mod event;
mod history;
mod object;
mod selector;
mod snapshot;
mod store;
mod strmap;

pub use collection::Collection;
pub use error::StoreError;
pub use event::{Event, EventKind};
pub use history::{RingConfig, WatchWindow};
pub use object::{Draft, Object};
pub use selector::{
    FieldOperator, FieldRequirement, FieldSelector, LabelOperator, LabelRequirement, LabelSelector,
    SelectorError,
};
pub use snapshot::{ListCursor, ListPage, ListQuery, Snapshot};
pub use store::{Compactor, Store, StoreConfig, Updated};
pub use strmap::StrMap;
