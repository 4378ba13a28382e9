//! The list of cases that may differ.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::run::Outcome;

/// Cases and their reasons.
pub(crate) struct Known(BTreeMap<String, String>);

/// Reasons that begin so are written by [`Known::write`]; all others are kept.
const GENERATED: &str = "not built yet: ";

const HEAD: &str = "\
# Known differences

Recorded cases whose answers are not all equal here, each with its reason.
The test `replay` of sim-server fails when another case differs.
While the server is being built the list is written by
`APISIM_WRITE_DIFFERENCES=1 cargo test -p sim-server --test replay`, with the first difference of each case as its reason, and shrinks; a reason written by hand is kept.

| case | reason |
| --- | --- |
";

impl Known {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(path()).unwrap_or_default();
        let rows = text.lines().filter_map(|line| {
            let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
            let (case, reason) = row.split_once(" | ")?;
            case.contains("__").then(|| (case.to_owned(), reason.to_owned()))
        });
        Self(rows.collect())
    }

    pub(crate) fn has(&self, case: &str) -> bool {
        self.0.contains_key(case)
    }

    /// Writes the list anew. Cases that were not run are kept.
    pub(crate) fn write(mut self, outcomes: &BTreeMap<String, Outcome>) {
        for (case, outcome) in outcomes {
            match outcome {
                Ok(()) => drop(self.0.remove(case)),
                Err(difference) => {
                    let kept = self.0.get(case).filter(|reason| !reason.starts_with(GENERATED));
                    if kept.is_none() {
                        let line = difference.replace('|', "\\|").replace(char::is_control, " ");
                        self.0.insert(case.clone(), format!("{GENERATED}{line}"));
                    }
                }
            }
        }
        let rows = self.0.iter().map(|(case, reason)| format!("| {case} | {reason} |\n"));
        std::fs::write(path(), HEAD.to_owned() + &rows.collect::<String>()).unwrap();
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/KNOWN_DIFFERENCES.md")
}
