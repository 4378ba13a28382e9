//! Tables that can be pasted into Markdown.

use std::fmt;

/// Rows under a head, columns aligned.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with only a head.
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    /// Appends a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                widths.iter().try_for_each(|width| write!(f, "|{:-<1$}", "", width + 2))?;
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// A number of bytes with three significant digits: `1.31 MiB`.
pub fn bytes(bytes: u64) -> String {
    let mut unit = 0;
    let mut value = as_f64(bytes);
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 => 0,
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A count as a number to calculate ratios with.
#[expect(clippy::cast_precision_loss, reason = "ratios of measured sizes need no 53 bits")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

/// `pass` or `MISS`.
pub fn verdict(passes: bool) -> String {
    if passes { "pass" } else { "MISS" }.to_owned()
}

const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["1".to_owned(), "µµµ".to_owned()]);
        assert_eq!(table.to_string(), "| a | b   |\n|---|-----|\n| 1 | µµµ |\n");
    }

    #[test]
    fn bytes_have_three_digits() {
        for (count, text) in
            [(999, "999 B"), (1_500, "1.46 KiB"), (2 << 20, "2.00 MiB"), (24 << 30, "24.0 GiB")]
        {
            assert_eq!(bytes(count), text);
        }
    }
}
