//! What can go wrong before or around a run. What goes wrong inside one is counted, not raised.

use std::{io, path::PathBuf};

/// Why a run could not be started or carried on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A field of a specification, a flag or a file that cannot be used as given.
    #[error("{field}: {message}")]
    Usage {
        /// The flag or field, as the person wrote it.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// A file that cannot be read or does not hold what it should.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the field where one is known.
        message: String,
    },
    /// The server cannot be reached.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The server was reached, but no HTTP conversation came about.
    #[error("{address}: {message}")]
    Handshake {
        /// Host and port.
        address: String,
        /// Why.
        message: String,
    },
    /// A conversation that broke off.
    #[error("{kind}: {message}")]
    Broken {
        /// The kind under which results count it, such as `cut body`.
        kind: &'static str,
        /// What the HTTP library said.
        message: String,
    },
}

impl LoadError {
    /// A usage error about `field`.
    pub fn usage(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Usage { field: field.into(), message: message.into() }
    }

    /// A file error about `path`.
    pub fn file(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::File { path: path.into(), message: message.into() }
    }

    /// The exit code for a process that ends with this error: 2 for wrong usage, 3 for trouble
    /// with the environment.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::File { .. } => 2,
            Self::Connect { .. } | Self::Handshake { .. } | Self::Broken { .. } => 3,
        }
    }
}
