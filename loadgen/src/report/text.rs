//! The table for a terminal.

use super::{
    prose,
    rows::{self, Group, HERE, HERE_TITLE, RECORDED, RECORDED_TITLE},
};
use crate::compare::result::CompareResult;

/// The result for a terminal, about 140 columns wide.
pub fn text(result: &CompareResult) -> String {
    let groups = rows::groups(result);
    let runs = Runs::of(&groups);
    let mut text = format!("\n{}\n{}\n\n", prose::title(result), prose::listed(result));
    text.push_str(&table(&groups, &runs));
    text.push('\n');
    if let Some(warning) = prose::ratio_warning(&groups) {
        text.push_str(&wrap(&warning));
        text.push('\n');
    }
    for (letter, shape) in runs.letters() {
        text.push_str(&format!("[{letter}] recorded run: {shape}\n"));
    }
    for note in prose::notes(result) {
        text.push_str(&wrap(&format!("Note: {note}")));
    }
    for (heading, paragraph) in prose::explanation() {
        text.push('\n');
        text.push_str(&wrap(&format!("{heading}. {paragraph}")));
    }
    text.push('\n');
    text.push_str(&wrap(&format!("Machine: {}", prose::machine(result))));
    text
}

fn table(groups: &[Group], runs: &Runs) -> String {
    let mut lines: Vec<Vec<String>> = vec![
        titles(("LISTs", "release"), |title| title.0),
        titles(("in flight", ""), |title| title.1),
    ];
    let mut rules = Vec::new();
    for group in groups {
        rules.push(lines.len());
        for (index, row) in group.rows.iter().enumerate() {
            let label = if index == 0 { group.label.clone() } else { String::new() };
            let mut line = vec![label, row.profile.clone()];
            match &row.here {
                Some(here) => line.extend(here.cells()),
                None => line.extend(HERE.map(|_| rows::dash())),
            }
            match &row.recorded {
                Some(nearest) => {
                    line.extend(rows::recorded_cells(nearest));
                    line.push(runs.mark(&nearest.shape, nearest.same_shape));
                }
                None => line.extend(RECORDED.map(|_| rows::dash())),
            }
            lines.push(line);
        }
        for ratio in &group.ratios {
            let mut line = vec![String::new(), ratio.label.clone()];
            line.extend(ratio.here_cells());
            line.extend(ratio.recorded_cells());
            line.push(String::new());
            lines.push(line);
        }
    }
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let rendered: Vec<String> = lines.iter().map(|line| join(line, &widths)).collect();
    let bars: Vec<usize> = rendered[0].match_indices('|').map(|(at, _)| at).collect();
    let rule: String = (0..rendered.iter().map(|line| line.chars().count()).max().unwrap_or(0))
        .map(|at| if bars.contains(&at) { '+' } else { '-' })
        .collect();
    let mut table = group_line(&bars);
    for (index, line) in rendered.iter().enumerate() {
        if rules.contains(&index) {
            table.push_str(&rule);
            table.push('\n');
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

fn titles(
    first: (&str, &str),
    line: fn((&'static str, &'static str)) -> &'static str,
) -> Vec<String> {
    let mut titles = vec![first.0.to_owned(), first.1.to_owned()];
    titles.extend(HERE.map(|title| line(title).to_owned()));
    titles.extend(RECORDED.map(|title| line(title).to_owned()));
    titles
}

/// Which columns are whose.
fn group_line(bars: &[usize]) -> String {
    let at = |index: usize| bars.get(index).copied().unwrap_or(0);
    let pad = |text: String, to: usize| format!("{text:to$}");
    let line = pad(String::new(), at(0)) + "| " + HERE_TITLE;
    pad(line, at(1)) + "| " + RECORDED_TITLE + "\n"
}

fn join(line: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
        let pad = " ".repeat(width - cell.chars().count());
        let left = column < 2 || column == 2 + HERE.len() || column + 1 == line.len();
        text.push_str(match column {
            0 => "",
            2 => " | ",
            _ if column == 2 + HERE.len() => " | ",
            _ => "  ",
        });
        if left {
            text.push_str(cell);
            text.push_str(&pad);
        } else {
            text.push_str(&pad);
            text.push_str(cell);
        }
    }
    text
}

/// Recorded runs by letter, so that their names do not widen the table.
pub(super) struct Runs(Vec<String>);

impl Runs {
    pub(super) fn of(groups: &[Group]) -> Self {
        let mut shapes = Vec::new();
        for row in groups.iter().flat_map(|group| &group.rows) {
            if let Some(nearest) = &row.recorded
                && !shapes.contains(&nearest.shape)
            {
                shapes.push(nearest.shape.clone());
            }
        }
        Self(shapes)
    }

    /// `[a]`, or `[a]~` where the run has another shape than what stands beside it.
    fn mark(&self, shape: &str, same: bool) -> String {
        let letter = self.letters().find(|(_, known)| *known == shape).map_or('?', |(l, _)| l);
        format!("[{letter}]{}", if same { "" } else { " (other shape)" })
    }

    fn letters(&self) -> impl Iterator<Item = (char, &str)> {
        ('a'..='z').chain('A'..='Z').zip(self.0.iter().map(String::as_str))
    }
}

/// Lines of at most 100 characters.
fn wrap(text: &str) -> String {
    let mut wrapped = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > 100 {
            wrapped.push('\n');
            width = 0;
        } else if width > 0 {
            wrapped.push(' ');
            width += 1;
        }
        wrapped.push_str(word);
        width += length;
    }
    wrapped.push('\n');
    wrapped
}
