//! Reports of a comparison: table, CSV, Markdown, HTML, all from one [`CompareResult`].
//!
//! Three words are used strictly. *Measured here* is what this simulator took on this machine.
//! *Recorded there* is what the real kube-apiserver was recorded to do. Neither is made from the
//! other.

mod csv;
mod format;
mod html;
mod markdown;
mod prose;
mod rows;
mod svg;
mod text;

use std::{fs, io::Write as _, io::stdout, path::PathBuf};

use clap::Args;

pub use self::{csv::csv, html::html, markdown::markdown, text::text};
use crate::compare::{
    CompareError,
    result::{CompareResult, SCHEMA},
};

/// Render the HTML report of a comparison again, from its result.json
///
/// The same result gives the same bytes.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// A result.json that loadgen compare wrote
    #[arg(value_name = "RESULT.json")]
    pub result: PathBuf,

    /// Where the HTML is written; - is standard output [default: report.html beside the result]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Renders a stored result, and gives the exit code.
///
/// # Errors
/// When the result cannot be read, is none, or the report cannot be written.
pub fn run(args: &ReportArgs) -> Result<u8, CompareError> {
    let file = |path: &PathBuf| {
        let path = path.clone();
        move |source| CompareError::File { path, source }
    };
    let json = fs::read_to_string(&args.result).map_err(file(&args.result))?;
    let html = html(&parse(&json)?);
    let out = args.out.clone().unwrap_or_else(|| args.result.with_file_name("report.html"));
    let written = if out.as_os_str() == "-" {
        stdout().lock().write_all(html.as_bytes())
    } else {
        fs::write(&out, html).and_then(|()| writeln!(stdout().lock(), "{}", out.display()))
    };
    written.map_err(file(&out))?;
    Ok(0)
}

/// `result.json`.
///
/// # Errors
/// Never for a result that [`parse`] or a run gave.
pub fn json(result: &CompareResult) -> Result<String, CompareError> {
    let text = serde_json::to_string(result);
    text.map(|text| text + "\n").map_err(|error| CompareError::Result(error.to_string()))
}

/// Reads `result.json`.
///
/// # Errors
/// When it is not one, or one of a later schema.
pub fn parse(json: &str) -> Result<CompareResult, CompareError> {
    let wrong = |message: String| CompareError::Result(message);
    let value: serde_json::Value =
        serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?;
    match value["schema"].as_str() {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(wrong(format!("schema is {other:?}, this program reads {SCHEMA:?}")));
        }
        None => return Err(wrong("it has no schema".to_owned())),
    }
    serde_json::from_str(json).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests;
