//! What is wrong with a configuration.

mod cover;
mod levels;
mod schemas;
mod trap;

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use sim_flow::bootstrap::Bootstrap;

use super::{
    Output,
    config::{ConfigArgs, FlowConfig},
    json, print,
};
use crate::LoadError;

/// Find what is wrong with FlowSchemas and PriorityLevelConfigurations
///
/// Exit code 1 when there is an error, 0 with warnings only. The release's own objects are taken
/// for granted, as long as they are as the release has them.
#[derive(Args, Clone, Debug)]
pub struct LintArgs {
    /// The configuration to look at
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Heavy flows that a level's hands are to stand
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub flows: u32,

    /// Probability, in percent, with which these flows may take all queues of a light one
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub squish_percent: f64,

    /// Look at the release's own objects, too
    #[arg(long)]
    pub all: bool,

    /// What is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does not do what it is there for.
    Error,
    /// It may not.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which rule found it, such as `dangling-reference`.
    pub rule: &'static str,
    /// Kind and name of the object.
    pub object: String,
    /// Path of the field; may be empty.
    pub field: String,
    /// What is wrong, and what would help.
    pub message: String,
}

/// What is being looked at.
struct Linter<'a> {
    config: &'a FlowConfig,
    bootstrap: Bootstrap,
    all: bool,
    found: Vec<Finding>,
}

impl Linter<'_> {
    fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        object: (&str, &str),
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        let object = format!("{} {}", object.0, object.1);
        let (field, message) = (field.into(), message.into());
        self.found.push(Finding { severity, rule, object, field, message });
    }

    /// Whether a schema is looked at: not when it is as the release has it.
    fn of_interest(&self, schema: &sim_flow::api::FlowSchema) -> bool {
        self.all
            || !self
                .bootstrap
                .flow_schemas()
                .any(|own| own.metadata.name == schema.metadata.name && own.spec == schema.spec)
    }

    /// Whether a level is looked at.
    fn level_of_interest(&self, level: &sim_flow::api::PriorityLevelConfiguration) -> bool {
        self.all
            || !self
                .bootstrap
                .priority_levels()
                .any(|own| own.metadata.name == level.metadata.name && own.spec == level.spec)
    }
}

/// Everything that is wrong with a configuration, errors first. `flows` heavy flows may take all
/// queues of a light one with a probability of `squish` at the most; `all` looks at the release's
/// own objects, too.
pub fn lint(config: &FlowConfig, flows: u32, squish: f64, all: bool) -> Vec<Finding> {
    let bootstrap = Bootstrap::new(config.release);
    let mut linter = Linter { config, bootstrap, all, found: Vec::new() };
    linter.schemas();
    linter.levels(flows, squish);
    linter.trap();
    let mut found = linter.found;
    found.sort_by(|a, b| (a.severity, &a.object, a.rule).cmp(&(b.severity, &b.object, b.rule)));
    found
}

pub(super) async fn run(args: &LintArgs) -> Result<u8, LoadError> {
    if args.flows == 0 || args.flows > 100_000 {
        return Err(LoadError::usage("--flows", "must be from 1 to 100000"));
    }
    if !(0.0..=100.0).contains(&args.squish_percent) {
        return Err(LoadError::usage("--squish-percent", "must be from 0 to 100"));
    }
    let config = args.config.read().await?;
    let found = lint(&config, args.flows, args.squish_percent / 100.0, args.all);
    print(&match args.output {
        Output::Text => text(&config, &found),
        Output::Json => json(&found),
    });
    Ok(u8::from(found.iter().any(|finding| finding.severity == Severity::Error)))
}

fn text(config: &FlowConfig, found: &[Finding]) -> String {
    let mut text = String::new();
    for finding in found {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let field =
            if finding.field.is_empty() { String::new() } else { format!(": {}", finding.field) };
        let _ = writeln!(
            text,
            "{severity}: {}{field}: {} [{}]",
            finding.object, finding.message, finding.rule
        );
    }
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error).count();
    let _ = writeln!(
        text,
        "{errors} errors, {} warnings in {} FlowSchemas and {} PriorityLevelConfigurations ({})",
        found.len() - errors,
        config.flow_schemas.len(),
        config.priority_levels.len(),
        config.origin
    );
    text
}

#[cfg(test)]
mod tests;
