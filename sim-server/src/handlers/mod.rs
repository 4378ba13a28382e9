//! One module per verb, and one for the paths outside the API.

pub(crate) mod components;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod metrics_api;
mod openapi;
pub(crate) mod patch;
pub(crate) mod paths;
pub(crate) mod reviews;
mod sim;
pub(crate) mod subresource;
pub(crate) mod update;
pub(crate) mod watch;
mod write;
