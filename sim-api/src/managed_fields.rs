//! Who manages which field: `metadata.managedFields` and server-side apply.
//!
//! Each manager owns a [`Set`] of paths. A write that is no apply gives the fields that it
//! changed to its manager and takes them from all others ([`track`]). An apply says what its
//! manager wants to own ([`apply()`]): fields that it no longer names and that nobody else owns
//! go away, and fields that another manager owns with another value are a conflict unless it is
//! forced.
//!
//! Values are walked along their [`crate::schema`]: two objects are compared (`compare`),
//! merged, pruned, or turned into the set of their fields. All of it is pure; the time comes in.
//!
//! Source: k8s.io/apimachinery `pkg/util/managedfields` (release-1.33) and
//! sigs.k8s.io/structured-merge-diff v4; recorded 1.33.2.

mod apply;
mod compare;
mod conflict;
mod field_set;
mod fields_v1;
mod last_applied;
mod managed;
mod merge;
mod path;
mod remove;
pub(crate) mod scale;
mod set;
mod track;
mod validate;

pub use self::{
    apply::{ApplyOptions, apply},
    path::{KeyValue, PathElement},
    set::Set,
    track::track,
};

#[cfg(test)]
mod tests;
