//! What can go wrong in the store. The edge turns each into a Kubernetes Status.

use std::sync::Arc;

/// A failed store operation; the variants carry the facts, not the words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// CREATE of a key that is there.
    #[error("{key} already exists")]
    AlreadyExists {
        /// The key, `namespace/name` or `name`.
        key: Arc<str>,
    },
    /// UPDATE or DELETE of a key that is not there.
    #[error("{key} not found")]
    NotFound {
        /// The key, `namespace/name` or `name`.
        key: Arc<str>,
    },
    /// The object's resourceVersion is not the expected one.
    #[error("{key} is at {actual}, not at {expected}")]
    Conflict {
        /// The key, `namespace/name` or `name`.
        key: Arc<str>,
        /// The resourceVersion that the caller based its change on.
        expected: u64,
        /// The resourceVersion that the object has.
        actual: u64,
    },
    /// The history asked for has been compacted away or has left the watch window.
    #[error("resourceVersion {requested} is too old, the oldest kept is {oldest}")]
    Expired {
        /// The resourceVersion asked for.
        requested: u64,
        /// The oldest resourceVersion that can be served.
        oldest: u64,
    },
    /// The resourceVersion asked for is larger than any assigned so far.
    #[error("resourceVersion {requested} is in the future, the current one is {current}")]
    Future {
        /// The resourceVersion asked for.
        requested: u64,
        /// The newest resourceVersion.
        current: u64,
    },
}
