//! Sockets, TLS and time: what is between the pipeline and the operating system.

pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod deadline;
pub(crate) mod listen;
pub(crate) mod stall;
pub(crate) mod tls;
