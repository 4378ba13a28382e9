//! Kubernetes' API rules on objects, without I/O.
//!
//! A request passes through here in this order, called by whoever owns the socket:
//!
//! 1. [`RequestInfo`] takes method, path and query apart; [`ResourceTable`] finds the resource.
//! 2. [`media_type`] decides on forms, [`list_options`] reads the verb's options.
//! 3. A read streams what the store keeps between the pieces of [`encode`]. A write decodes
//!    ([`media_type::decode_object`], [`patch`]), goes through [`meta`], and becomes a
//!    [`sim_store::Draft`] in [`encode::draft`].
//! 4. What goes wrong is a [`Status`].
//!
//! # What it does not do
//!
//! It reads no clock, draws no random number and knows no connection: times, uids and random
//! names come in with a [`meta::WriteContext`]. Objects are `serde_json` values while they are
//! changed and bytes while they are stored; there are no structs of the kinds. Defaulting and
//! validation of most kinds are not built yet.
//!
//! A release is data: see [`release`] and [`resources`].

pub mod admission;
pub mod aggregation;
pub mod auth;
mod cel;
pub mod component_status;
mod convert;
pub mod crd;
pub mod custom;
pub mod deprecation;
pub mod discovery;
pub mod duration;
pub mod encode;
pub mod field;
mod go;
mod go_diff;
mod go_syntax;
pub mod health;
pub mod list_options;
pub mod managed_fields;
pub mod media_type;
pub mod meta;
pub mod metrics_api;
pub mod openapi;
pub mod partial;
pub mod patch;
pub mod protobuf;
mod quantity;
pub mod query;
pub mod release;
pub mod request_info;
pub mod resources;
pub mod schema;
pub mod service;
pub mod status;
pub mod strict;
pub mod subresource;
pub mod system;
pub mod table;
mod validation;
pub mod view;
pub mod yaml;

pub use query::Query;
pub use release::{FeatureGates, Gate, Release};
pub use request_info::RequestInfo;
pub use resources::{Resource, ResourceTable, Subresource};
pub use status::{CauseReason, Reason, Status, StatusCause, StatusDetails};
