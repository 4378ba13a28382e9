//! `loadgen init`: a kube-burner configuration.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use serde_json::json;

use super::{Output, table::Table, target::TargetArgs};
use crate::{
    LoadError,
    init::{
        self, InitOptions, InitOutcome,
        log::{Level, Log},
    },
    units,
};

/// Run a kube-burner configuration as kube-burner v1.17.3 does
///
/// Ends with kube-burner's codes: 0; 1 when the verification of objects failed or the run could
/// not go on; 2 when its time was over. Example: loadgen init -c s1-config.yaml --kubeconfig F
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// The configuration; templates are looked for beside it
    #[arg(long, short = 'c', value_name = "FILE")]
    config: PathBuf,

    /// YAML or JSON with variables for the configuration
    #[arg(long, value_name = "FILE")]
    user_data: Option<PathBuf>,

    /// Variables that the configuration uses may be missing
    #[arg(long)]
    allow_missing: bool,

    /// Time for the whole run
    #[arg(long, value_name = "TIME", default_value = "4h", value_parser = units::duration)]
    timeout: Duration,

    /// The run's UUID [default: a new one]
    #[arg(long)]
    uuid: Option<String>,

    /// Seed of the templates' random functions [default: a new one, which the log tells]
    #[arg(long, value_name = "N")]
    random_seed: Option<u64>,

    /// Make the namespaces that templates name and nothing else makes
    #[arg(long)]
    fix_namespace: bool,

    /// error, warn, info or debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: Level,

    /// Also write the jobs' summaries, in kube-burner's jobSummary form
    #[arg(long, value_name = "FILE")]
    summary_file: Option<PathBuf>,

    /// What is printed at the end
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(args: &InitArgs) -> Result<u8, LoadError> {
    let options = InitOptions {
        config: args.config.clone(),
        user_data: args.user_data.clone(),
        allow_missing: args.allow_missing,
        target: args.target.target()?,
        timeout: args.timeout,
        uuid: args.uuid.clone(),
        seed: args.random_seed,
        fix_namespace: args.fix_namespace,
    };
    let log = Log::new(args.log_level, |level, text| {
        eprintln!("time={} level={} msg={text:?}", jiff::Timestamp::now(), level.name());
    });
    let outcome = init::run(&options, &log).await?;
    if let Some(path) = &args.summary_file {
        let text = format!("{:#}\n", json!(outcome.job_summaries));
        fs::write(path, text).map_err(|e| LoadError::file(path, e.to_string()))?;
    }
    print(args.output, &outcome);
    Ok(outcome.exit_code)
}

fn print(output: Output, outcome: &InitOutcome) {
    let requests = request_table(outcome);
    match output {
        Output::Json => {
            let document = json!({
                "uuid": outcome.uuid,
                "exitCode": outcome.exit_code,
                "errors": outcome.errors,
                "notes": outcome.notes,
                "jobSummary": outcome.job_summaries,
                "requests": outcome.requests,
            });
            println!("{document:#}");
        }
        Output::Csv => print!("{}", requests.csv()),
        Output::Markdown => {
            print!("{}\n{}", job_table(outcome).markdown(), requests.markdown());
        }
        Output::Text => {
            print!("{}\n{}", job_table(outcome).text(), requests.text());
            for note in &outcome.notes {
                println!("\nnote: {note}");
            }
            for error in &outcome.errors {
                println!("\nfailed: {error}");
            }
        }
    }
}

fn job_table(outcome: &InitOutcome) -> Table {
    let mut table = Table::new(["job", "type", "seconds", "operations/s"]);
    for summary in &outcome.job_summaries {
        let text = |pointer: &str| summary.pointer(pointer).and_then(|v| v.as_str()).unwrap_or("");
        let number = |key: &str| summary[key].as_f64().map(|n| n.to_string()).unwrap_or_default();
        table.row([
            text("/jobConfig/name").to_owned(),
            text("/jobConfig/jobType").to_owned(),
            number("elapsedTime"),
            number("achievedQps"),
        ]);
    }
    table
}

fn request_table(outcome: &InitOutcome) -> Table {
    let mut table = Table::new(["phase", "verb", "resource", "answer", "requests"]);
    for r in &outcome.requests {
        table.row([
            r.phase.clone(),
            r.verb.clone(),
            r.resource.clone(),
            r.answer.clone(),
            r.count.to_string(),
        ]);
    }
    let total: u64 = outcome.requests.iter().map(|r| r.count).sum();
    let empty = String::new;
    table.row(["all".to_owned(), empty(), empty(), empty(), total.to_string()]);
    table
}
