//! Plain tables, for terminals and for Markdown.

/// Rows under a header; numbers stand to the right where all of a column look like numbers.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<const N: usize>(header: [&str; N]) -> Self {
        Self { rows: vec![header.map(str::to_owned).to_vec()] }
    }

    pub(super) fn row<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push(row.to_vec());
    }

    pub(super) fn text(&self) -> String {
        self.render("  ", "", |_, _| None)
    }

    pub(super) fn markdown(&self) -> String {
        self.render(" | ", "|", |width, right| {
            Some(format!("{}{}", "-".repeat(width.max(3) - 1), if right { ":" } else { "-" }))
        })
    }

    pub(super) fn csv(&self) -> String {
        let field = |text: &String| {
            if text.contains([',', '"', '\n']) {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text.clone()
            }
        };
        let line = |row: &Vec<String>| row.iter().map(field).collect::<Vec<_>>().join(",") + "\n";
        self.rows.iter().map(line).collect()
    }

    fn render(
        &self,
        between: &str,
        edge: &str,
        rule: impl Fn(usize, bool) -> Option<String>,
    ) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|c| self.rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0).max(3))
            .collect();
        let right: Vec<bool> = (0..columns)
            .map(|c| {
                self.rows.len() > 1 && self.rows[1..].iter().all(|row| looks_like_a_number(&row[c]))
            })
            .collect();
        let framed = |cells: Vec<String>| {
            let line = cells.join(between);
            if edge.is_empty() {
                line.trim_end().to_owned() + "\n"
            } else {
                format!("{edge} {line} {edge}\n")
            }
        };
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = row.iter().enumerate().map(|(c, cell)| {
                let width = widths[c];
                if right[c] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            text += &framed(cells.collect());
            if index == 0 {
                let rules: Option<Vec<_>> =
                    (0..columns).map(|c| rule(widths[c], right[c])).collect();
                text += &rules.map(framed).unwrap_or_default();
            }
        }
        text
    }
}

fn looks_like_a_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) || text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["what", "n"]);
        table.row(["a, b".to_owned(), "1".to_owned()]);
        table.row(["c".to_owned(), "100 ms".to_owned()]);
        table
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(table().text(), "what       n\na, b       1\nc     100 ms\n");
        assert_eq!(
            table().markdown(),
            "| what |      n |\n| ---- | -----: |\n| a, b |      1 |\n| c    | 100 ms |\n"
        );
        assert_eq!(table().csv(), "what,n\n\"a, b\",1\nc,100 ms\n");
    }
}
