//! The command line: one module per command, and how they end.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "results go to stdout and everything else to stderr; this is the program's surface"
)]

mod init;
mod progress;
mod storm;
mod table;
mod target;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum, error::ErrorKind};
use sim_server::ServeArgs;

use crate::{
    LoadError,
    apf::{self, ApfArgs},
    compare::{self, CompareArgs},
    report::{self, ReportArgs},
};

/// Load, comparisons and reports for apisim and for any kube-apiserver
#[derive(Debug, Parser)]
#[command(name = "loadgen", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compare(CompareArgs),
    Storm(storm::StormArgs),
    Init(init::InitArgs),
    /// The simulated kube-apiserver, with the flags of `sim-server`
    Serve(ServeArgs),
    Report(ReportArgs),
    Apf(ApfArgs),
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// Everything, for programs.
    Json,
    /// A line of names and lines of values.
    Csv,
    /// A table to paste.
    Markdown,
}

/// Runs the program. The exit code is 0, or 1 when an assertion or a verification failed, 2 for
/// wrong usage (and for kube-burner's time-out), 3 for trouble with the environment.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // The server makes its own runtime.
    let command = match cli.command {
        Command::Serve(args) => return sim_server::run(args),
        command => command,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 3),
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Compare(args) => {
                compare::run(&args).await.map_err(|e| (e.to_string(), e.exit_code()))
            }
            Command::Report(args) => report::run(&args).map_err(|e| (e.to_string(), e.exit_code())),
            Command::Storm(args) => storm::run(&args).await.map_err(ending),
            Command::Init(args) => init::run(&args).await.map_err(ending),
            Command::Apf(args) => apf::run(&args).await.map_err(ending),
            Command::Serve(_) => Ok(0),
        }
    });
    // Connections that are still open are not waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err((message, code)) => fail(&message, code),
    }
}

fn ending(error: LoadError) -> (String, u8) {
    let code = error.exit_code();
    (error.to_string(), code)
}

fn fail(message: &dyn std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("loadgen: {message}");
    ExitCode::from(code)
}

/// Help goes to stdout; a mistake is one line.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return fail(&"a command is missing; `loadgen --help` lists them", 2);
    }
    fail(&one_line(&error.to_string()), 2)
}

/// What clap has to say up to its usage, in one line.
fn one_line(text: &str) -> String {
    let parts = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let parts: Vec<_> = parts.filter(|line| !line.is_empty()).collect();
    let text = parts.join(" ");
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    text.replace(" For more information, try '--help'.", "")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn mistakes_are_one_line_that_names_the_flag() {
        for (args, part) in [
            (&["loadgen", "storm", "--read-rate", "fast"][..], "--read-rate"),
            (&["loadgen", "storm", "--server", "http://h", "--concurency", "1"], "--concurency"),
            (&["loadgen", "init"], "--config"),
            (&["loadgen", "strom"], "strom"),
        ] {
            let error = Cli::try_parse_from(args).unwrap_err();
            let line = one_line(&error.to_string());
            assert!(line.contains(part), "{line}");
            assert!(!line.contains('\n') && !line.contains("Usage"), "{line}");
        }
    }
}
