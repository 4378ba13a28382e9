//! The table to paste into an issue.

use super::{
    prose,
    rows::{self, HERE, HERE_TITLE, RECORDED, RECORDED_TITLE},
};
use crate::compare::result::CompareResult;

/// The result as Markdown: title, table, notes, explanation.
pub fn markdown(result: &CompareResult) -> String {
    let mut text = format!("## {}\n\n{}\n\n", prose::title(result), prose::listed(result));
    text.push_str(&format!("Columns marked *here*: {HERE_TITLE}. *There*: {RECORDED_TITLE}.\n\n"));
    let mut head = vec!["LISTs in flight".to_owned(), "release".to_owned()];
    head.extend(HERE.map(|(a, b)| format!("here: {a} {b}").trim().to_owned()));
    head.extend(RECORDED.map(|(a, b)| format!("there: {a} {b}").trim().to_owned()));
    push_row(&mut text, &head);
    let version = 2 + HERE.len();
    let right = |column: &usize| (2..head.len() - 1).contains(column) && *column != version;
    let rule = |column| if right(&column) { "--:".to_owned() } else { "---".to_owned() };
    push_row(&mut text, &(0..head.len()).map(rule).collect::<Vec<_>>());
    let groups = rows::groups(result);
    for group in &groups {
        for row in &group.rows {
            let mut line = vec![group.label.clone(), row.profile.clone()];
            match &row.here {
                Some(here) => line.extend(here.cells()),
                None => line.extend(HERE.map(|_| rows::dash())),
            }
            match &row.recorded {
                Some(nearest) => {
                    line.extend(rows::recorded_cells(nearest));
                    let other = if nearest.same_shape { "" } else { " (other shape)" };
                    line.push(format!("{}{other}", nearest.shape));
                }
                None => line.extend(RECORDED.map(|_| rows::dash())),
            }
            push_row(&mut text, &line);
        }
        for ratio in &group.ratios {
            let mut line = vec![group.label.clone(), format!("*{}*", ratio.label)];
            line.extend(ratio.here_cells());
            line.extend(ratio.recorded_cells());
            line.push(String::new());
            push_row(&mut text, &line);
        }
    }
    text.push('\n');
    if let Some(warning) = prose::ratio_warning(&groups) {
        text.push_str(&format!("**{warning}**\n\n"));
    }
    for note in prose::notes(result) {
        text.push_str(&format!("- {note}\n"));
    }
    for (heading, paragraph) in prose::explanation() {
        text.push_str(&format!("\n**{heading}.** {paragraph}\n"));
    }
    text.push_str(&format!("\n{}\n", prose::machine(result)));
    text
}

fn push_row(text: &mut String, cells: &[String]) {
    text.push_str(&format!("| {} |\n", cells.join(" | ")));
}
