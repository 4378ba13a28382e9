//! API Priority and Fairness, explained, checked and played through.
//!
//! Nothing here decides what Kubernetes decides: `sim-flow` is asked, which is what the simulated
//! server runs.

pub mod collisions;
pub mod config;
pub mod explain;
pub mod lint;
pub mod load;
pub mod request;
pub mod simulate;
mod table;
mod teach;

use std::io::{Write as _, stdout};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::LoadError;

/// Explain, check and play through API Priority and Fairness
#[derive(Args, Clone, Debug)]
pub struct ApfArgs {
    #[command(subcommand)]
    command: ApfCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ApfCommand {
    Explain(explain::ExplainArgs),
    Lint(lint::LintArgs),
    Collisions(collisions::CollisionArgs),
    Simulate(simulate::SimulateArgs),
    Teach(teach::TeachArgs),
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// Everything, for programs.
    Json,
}

/// Runs one of the commands, and gives the exit code.
///
/// # Errors
/// Wrong usage, a file that cannot be used, a server that does not answer.
pub async fn run(args: &ApfArgs) -> Result<u8, LoadError> {
    match &args.command {
        ApfCommand::Explain(args) => explain::run(args).await,
        ApfCommand::Lint(args) => lint::run(args).await,
        ApfCommand::Collisions(args) => collisions::run(args),
        ApfCommand::Simulate(args) => simulate::run(args).await,
        ApfCommand::Teach(args) => teach::run(args).await,
    }
}

/// A reader that has seen enough is no error.
fn print(text: &str) {
    let _ = stdout().lock().write_all(text.as_bytes());
}

fn json(value: &impl Serialize) -> String {
    // What is serialized here are structs with text keys.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
