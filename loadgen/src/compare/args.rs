//! The flags of `loadgen compare`.

use std::{env, ffi::OsString, path::PathBuf};

use clap::{Args, ValueEnum};
use fixtures::dataset::DEFAULT_DATASET;

use super::CompareError;
use crate::{dataset::Dataset, recorded};

/// Compare what LIST storms cost on several Kubernetes releases
///
/// Starts one server per release on 127.0.0.1, gives all the same objects, runs the same storms
/// and measures each server's memory from outside. Beside each figure stands what the real
/// kube-apiserver was recorded to do in the nearest run. A default run takes under two minutes on
/// two cores and needs about 3 GiB.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// What is listed: pods-9kB-5000, pods-2kB-5000, pods-2kB-20000, configmaps-100kB-1000,
    /// configmaps-1MiB-100, or `KIND=COUNT[xSIZE]`, e.g. pods=2000x4Ki
    #[arg(long, value_name = "NAME", default_value = DEFAULT_DATASET)]
    pub dataset: String,

    /// Releases to compare, 1.29 … 1.37; ratios are against the first
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1.32,1.33")]
    pub profiles: Vec<String>,

    /// LISTs in flight, one fast and one slow storm each
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub concurrency: Vec<u64>,

    /// Requests of each fast storm [default: 8 or three per client, less for long bodies]
    #[arg(long, value_name = "N")]
    pub requests: Option<u64>,

    /// Fewer and shorter storms: 1 and 10 LISTs in flight, slow readers take 2 s instead of 5
    #[arg(long)]
    pub quick: bool,

    /// Seed of the objects
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// What is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// Where report.html, result.json and result.csv are written
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,

    /// Go on with the other releases when one fails
    #[arg(long)]
    pub keep_going: bool,

    /// A server to start instead of `loadgen serve`; it must take the same flags
    #[arg(long, value_name = "PATH", hide = true)]
    pub server_program: Option<PathBuf>,
}

/// What a command prints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Output {
    /// A table for people.
    #[default]
    Text,
    /// The whole result.
    Json,
    /// One row per release and storm.
    Csv,
    /// A table to paste.
    Markdown,
}

impl CompareArgs {
    pub(super) fn dataset(&self) -> Result<Dataset, CompareError> {
        Ok(Dataset::parse(&self.dataset)?)
    }

    pub(super) fn profiles(&self) -> Result<Vec<String>, CompareError> {
        let usage = |message| CompareError::Usage { flag: "--profiles", message };
        let mut profiles = Vec::new();
        for profile in &self.profiles {
            let profile = profile.trim().trim_start_matches('v').to_owned();
            if recorded::recorded_version(&profile).is_none() {
                return Err(usage(format!("{profile:?} is not one of 1.29 … 1.37")));
            }
            if profiles.contains(&profile) {
                return Err(usage(format!("{profile} stands there twice")));
            }
            profiles.push(profile);
        }
        Ok(profiles)
    }

    pub(super) fn concurrency(&self) -> Result<Vec<u64>, CompareError> {
        let mut concurrency = match (self.concurrency.is_empty(), self.quick) {
            (false, _) => self.concurrency.clone(),
            (true, true) => QUICK_CONCURRENCY.to_vec(),
            (true, false) => CONCURRENCY.to_vec(),
        };
        concurrency.sort_unstable();
        concurrency.dedup();
        if let Some(wrong) = concurrency.iter().find(|c| !(1..=MAX_CONCURRENCY).contains(*c)) {
            let message = format!("{wrong} is not from 1 to {MAX_CONCURRENCY}");
            return Err(CompareError::Usage { flag: "--concurrency", message });
        }
        if self.requests == Some(0) {
            let message = "must be at least 1".to_owned();
            return Err(CompareError::Usage { flag: "--requests", message });
        }
        Ok(concurrency)
    }

    /// The program that serves, and its first arguments.
    pub(super) fn server_program(&self) -> Result<(PathBuf, Vec<OsString>), CompareError> {
        if let Some(program) = &self.server_program {
            return Ok((program.clone(), Vec::new()));
        }
        let own = env::current_exe()
            .map_err(|source| CompareError::File { path: "this program".into(), source })?;
        Ok((own, vec!["serve".into()]))
    }
}

/// As recorded.
const CONCURRENCY: [u64; 3] = [1, 10, 20];

const QUICK_CONCURRENCY: [u64; 2] = [1, 10];

/// Each client is a socket here and one in the server.
const MAX_CONCURRENCY: u64 = 1_000;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        compare: CompareArgs,
    }

    fn args(flags: &[&str]) -> CompareArgs {
        let all = std::iter::once("loadgen").chain(flags.iter().copied());
        Cli::try_parse_from(all).unwrap_or_else(|error| panic!("{error}")).compare
    }

    #[test]
    fn the_defaults_are_the_recorded_storms() {
        let args = args(&[]);
        assert_eq!(args.profiles().unwrap(), ["1.32", "1.33"]);
        assert_eq!(args.concurrency().unwrap(), [1, 10, 20]);
        assert_eq!(args.dataset().unwrap().name(), "pods-9kB-5000");
    }

    #[test]
    fn wrong_values_name_their_flag() {
        let error = |flags: &[&str]| {
            let args = args(flags);
            let error = args.profiles().err().or_else(|| args.concurrency().err());
            let error = error.or_else(|| args.dataset().err()).unwrap();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        assert_eq!(
            error(&["--profiles", "1.32,1.99"]),
            "--profiles: \"1.99\" is not one of 1.29 … 1.37"
        );
        assert_eq!(error(&["--profiles", "1.32,v1.32"]), "--profiles: 1.32 stands there twice");
        assert_eq!(error(&["--concurrency", "0"]), "--concurrency: 0 is not from 1 to 1000");
        assert_eq!(error(&["--requests", "0"]), "--requests: must be at least 1");
        assert!(error(&["--dataset", "cats=3"]).starts_with("--dataset: \"cats=3\": unknown kind"));
    }
}
