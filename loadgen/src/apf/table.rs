//! Plain tables, and numbers in them.

/// Rows under a header.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|&name| name.to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Columns of figures stand to the right.
    pub(super) fn text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let cells = |c: usize| self.rows.iter().filter_map(move |row| row.get(c));
        let width = |c| cells(c).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let figures = |c| {
            let begins = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit() || c == '<');
            self.rows.len() > 1 && cells(c).skip(1).all(|cell| cell.is_empty() || begins(cell))
        };
        let layout: Vec<_> = (0..columns).map(|c| (width(c), figures(c))).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&layout).map(|(cell, (width, right))| {
                if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}

/// About three digits.
pub(super) fn number(value: f64) -> String {
    let text = match value.abs() {
        0.0 => return "0".to_owned(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => return format!("{value:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Milliseconds, or seconds where these are many.
pub(super) fn ms(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{} s", number(value / 1000.0))
    } else {
        format!("{} ms", number(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["what", "n"]);
        table.row(vec!["a".into(), "1".into()]);
        table.row(vec!["bcdef".into(), "100 ms".into()]);
        assert_eq!(table.text(), "what        n\na           1\nbcdef  100 ms\n");
    }

    #[test]
    fn numbers_have_about_three_digits() {
        let texts = [0.0, 0.5, 1.234, 12.0, 45.67, 123.4].map(number);
        assert_eq!(texts, ["0", "0.5", "1.23", "12", "45.7", "123"]);
        assert_eq!(ms(15_000.0), "15 s");
    }
}
