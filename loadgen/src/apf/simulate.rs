//! Load against a configuration, in virtual time.
//!
//! The driver decides nothing about Kubernetes: the engine of `sim-flow` classifies, queues and
//! refuses, and the driver makes requests, lets them take their time, and counts. The same load,
//! configuration and seed give the same outcome, byte for byte.

mod cores;
mod driver;
mod filter;
mod html;
mod outcome;
mod tally;
mod text;

use std::{io::Write as _, path::PathBuf};

use clap::Args;

pub use self::{
    driver::simulate,
    html::html,
    outcome::{ClientRow, LevelRow, LevelSeries, Outcome, Row, Times, UserRow},
    text::text,
};
use super::{Output, config::ConfigArgs, load::Load, print};
use crate::LoadError;

/// Play a small load description through a configuration, in virtual time
///
/// The figures are modelled: nothing is measured. docs/apf-lesson.md sets some beside recorded ones.
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    /// The load, as YAML; fixtures/apf-lessons has examples
    #[arg(value_name = "LOAD.yaml")]
    pub load: PathBuf,

    /// The configuration it meets
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Seed of service times and arrivals [default: the load's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// What is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// Write a page with curves of seats and queues as well
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

pub(super) async fn run(args: &SimulateArgs) -> Result<u8, LoadError> {
    let mut load = Load::read(&args.load)?;
    if let Some(seed) = args.seed {
        load.seed = seed;
    }
    let mut config = args.config.clone();
    let untouched =
        config.max_requests_inflight == 400 && config.max_mutating_requests_inflight == 200;
    if untouched {
        config.max_requests_inflight = load.max_requests_inflight;
        config.max_mutating_requests_inflight = load.max_mutating_requests_inflight;
    } else {
        load.max_requests_inflight = config.max_requests_inflight;
        load.max_mutating_requests_inflight = config.max_mutating_requests_inflight;
    }
    if config.kubernetes_version.is_none() {
        config.kubernetes_version = load.release.map(|release| release.to_string());
    }
    let mut config = config.read().await?;
    for file in &load.config {
        config.overlay_file(file)?;
    }
    let outcome = simulate(&config, &load);
    if let Some(path) = &args.html {
        std::fs::write(path, html(&outcome)).map_err(|e| LoadError::file(path, e.to_string()))?;
    }
    print(&match args.output {
        Output::Text => text(&outcome),
        Output::Json => super::json(&outcome),
    });
    std::io::stdout().flush().ok();
    Ok(0)
}
