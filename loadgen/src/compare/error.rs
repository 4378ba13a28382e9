//! Why a comparison could not be made.

use std::{io, path::PathBuf};

use fixtures::dataset::PopulateError;

use crate::LoadError;

/// Why a comparison, or a report of one, could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// `--dataset` is none.
    #[error("--dataset: {0}")]
    Dataset(#[from] PopulateError),
    /// A file or program that cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody stopped the run.
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// A storm that could not be run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The machine has not the memory; the message says how much is needed.
    #[error("{0}")]
    Memory(String),
    /// A result that is none of ours.
    #[error("not a result of loadgen compare: {0}")]
    Result(String),
    /// The server did not serve.
    #[error("the server {what} (log: {}){}{tail}", log.display(), if tail.is_empty() { "" } else { ":\n" })]
    Server {
        /// What it did.
        what: String,
        /// The end of its log.
        tail: String,
        /// The log.
        log: PathBuf,
    },
    /// A flag that cannot be used as given.
    #[error("{flag}: {message}")]
    Usage {
        /// The flag.
        flag: &'static str,
        /// What is wrong with its value.
        message: String,
    },
}

impl CompareError {
    /// The exit code for a process that ends with this error: 2 for wrong usage, 3 for trouble
    /// with the environment, 130 when it was interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Dataset(_) | Self::Result(_) | Self::Usage { .. } => 2,
            Self::File { .. } | Self::Memory(_) | Self::Server { .. } => 3,
            Self::Interrupted => 130,
            Self::Load(error) => error.exit_code(),
        }
    }
}
