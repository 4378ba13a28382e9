//! Text in lines that are marked and indented.
//!
//! Source: go-cmp `report_text.go`.

/// How many records of which fate.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stats {
    pub(super) name: &'static str,
    pub(super) identical: usize,
    pub(super) removed: usize,
    pub(super) inserted: usize,
    pub(super) modified: usize,
}

impl Stats {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(super) fn differences(&self) -> usize {
        self.removed + self.inserted + self.modified
    }

    pub(super) fn len(&self) -> usize {
        self.identical + self.differences()
    }

    pub(super) fn is_zero(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn append(&mut self, other: &Self) {
        self.identical += other.identical;
        self.removed += other.removed;
        self.inserted += other.inserted;
        self.modified += other.modified;
    }

    fn text(&self) -> String {
        let counts = [
            (self.identical, "identical"),
            (self.removed, "removed"),
            (self.inserted, "inserted"),
            (self.modified, "modified"),
        ];
        let parts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, label)| format!("{count} {label}"))
            .collect();
        let name = match (self.len(), self.name) {
            (0 | 1, name) => name.to_owned(),
            (_, "entry") => "entries".to_owned(),
            (_, name) => format!("{name}s"),
        };
        match &parts[..] {
            [] => String::new(),
            [first] => format!("{first} {name}"),
            [first, second] => format!("{first} and {second} {name}"),
            [first @ .., last] => format!("{}, and {last} {name}", first.join(", ")),
        }
    }
}

/// A piece of text; `textNode`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Line(String),
    List(Vec<Record>),
    Wrap(String, Box<Self>, String),
}

/// An entry of a list; `textRecord`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    mark: Option<char>,
    key: String,
    value: Node,
    elide_comma: bool,
    comment: Option<Stats>,
}

impl Record {
    pub(super) fn of(mark: Option<char>, key: &str, value: Node) -> Self {
        Self { mark, key: key.to_owned(), value, elide_comma: false, comment: None }
    }

    fn is_ellipsis(&self) -> bool {
        self.value.is_line("...")
    }
}

/// `AppendEllipsis`.
pub(super) fn ellipsis(list: &mut Vec<Record>, stats: Option<Stats>) {
    match list.last_mut() {
        Some(last) if last.is_ellipsis() => {
            if let Some(stats) = stats {
                match &mut last.comment {
                    Some(known) => known.append(&stats),
                    None => last.comment = Some(stats),
                }
            }
        }
        _ => list.push(Record {
            elide_comma: true,
            comment: stats,
            ..Record::of(None, "", Node::Line("...".to_owned()))
        }),
    }
}

impl Node {
    pub(super) fn wrap(prefix: &str, value: Self, suffix: &str) -> Self {
        Self::Wrap(prefix.to_owned(), Box::new(value), suffix.to_owned())
    }

    pub(super) fn is_line(&self, text: &str) -> bool {
        matches!(self, Self::Line(line) if line == text)
    }

    /// `wrapParens`.
    pub(super) fn in_parentheses(self) -> Self {
        let has = |open: char, close: char| match &self {
            Self::Wrap(prefix, _, suffix) => prefix.starts_with(open) && suffix.ends_with(close),
            _ => false,
        };
        if has('(', ')') || has('{', '}') { self } else { Self::wrap("(", self, ")") }
    }

    /// The whole text, with the line break at its end.
    pub(super) fn into_text(self) -> String {
        let compact = self.compact(None);
        let mut out = String::new();
        indent(&mut out, None, 0);
        compact.expand(&mut out, None, 0);
        out.push('\n');
        out
    }

    /// `formatCompactTo`: what fits on one line becomes one.
    fn compact(self, mark: Option<char>) -> Self {
        match self {
            Self::Line(_) => self,
            Self::Wrap(prefix, value, suffix) => match value.compact(mark) {
                Self::Line(line) => Self::Line(format!("{prefix}{line}{suffix}")),
                value => Self::Wrap(prefix, Box::new(value), suffix),
            },
            Self::List(records) => compact_list(records, mark),
        }
    }

    /// `formatExpandedTo`.
    fn expand(&self, out: &mut String, mark: Option<char>, level: usize) {
        match self {
            Self::Line(line) => out.push_str(line),
            Self::Wrap(prefix, value, suffix) => {
                out.push_str(prefix);
                value.expand(out, mark, level);
                out.push_str(suffix);
            }
            Self::List(records) => expand_list(records, out, mark, level),
        }
    }
}

fn compact_list(records: Vec<Record>, mark: Option<char>) -> Node {
    let mut lines = false;
    let mut line = String::new();
    let count = records.len();
    let mut compact = Vec::with_capacity(count);
    for (at, record) in records.into_iter().enumerate() {
        let value = record.value.compact(mark.or(record.mark));
        lines |= record.mark.is_some() || record.comment.is_some();
        if !record.key.is_empty() {
            line.push_str(&record.key);
            line.push_str(": ");
        }
        match &value {
            Node::Line(text) => line.push_str(text),
            _ => lines = true,
        }
        if at + 1 < count {
            line.push_str(", ");
        }
        compact.push(Record { value, ..record });
    }
    if mark.is_some() && line.len() > MAX_COLUMN {
        lines = true;
    }
    if lines { Node::List(compact) } else { Node::Line(line) }
}

fn expand_list(records: &[Record], out: &mut String, mark: Option<char>, level: usize) {
    let is_line = |record: &Record| matches!(record.value, Node::Line(_));
    let is_simple = records.iter().all(|record| {
        record.mark.is_none()
            && record.key.is_empty()
            && is_line(record)
            && record.comment.is_none()
    });
    if is_simple && !records.is_empty() {
        batches(records, out, mark, level + 1);
        out.push('\n');
        return indent(out, mark, level);
    }
    let keys = align(
        records,
        |record| record.key.is_empty() || !is_line(record),
        |record| record.key.chars().count(),
    );
    let values = align(
        records,
        |record| !is_line(record) || record.is_ellipsis() || record.comment.is_none(),
        |record| match &record.value {
            Node::Line(line) => line.chars().count(),
            _ => 0,
        },
    );
    for ((record, key), value) in records.iter().zip(keys).zip(values) {
        let mark = mark.or(record.mark);
        out.push('\n');
        indent(out, mark, level + 1);
        if !record.key.is_empty() {
            out.push_str(&record.key);
            out.push_str(": ");
        }
        out.extend(std::iter::repeat_n(' ', key));
        record.value.expand(out, mark, level + 1);
        if !record.elide_comma {
            out.push(',');
        }
        out.extend(std::iter::repeat_n(' ', value));
        if let Some(comment) = &record.comment {
            out.push_str(" // ");
            out.push_str(&comment.text());
        }
    }
    out.push('\n');
    indent(out, mark, level);
}

/// Simple values, as many as fit on a line.
fn batches(records: &[Record], out: &mut String, mark: Option<char>, level: usize) {
    let mut batch = String::new();
    let mut emit = |batch: &mut String| {
        if !batch.is_empty() {
            out.push('\n');
            indent(out, mark, level);
            out.push_str(batch.trim_end_matches(' '));
            batch.clear();
        }
    };
    for record in records {
        let Node::Line(line) = &record.value else { continue };
        if batch.len() + line.len() + 2 > MAX_COLUMN {
            emit(&mut batch);
        }
        batch.push_str(line);
        batch.push_str(", ");
    }
    emit(&mut batch);
}

/// `alignLens`: how many spaces make the neighbours equally long.
fn align(
    records: &[Record],
    skips: impl Fn(&Record) -> bool,
    len: impl Fn(&Record) -> usize,
) -> Vec<usize> {
    let mut spaces = vec![0; records.len()];
    let mut start = 0;
    for end in 0..=records.len() {
        if end < records.len() && !skips(&records[end]) {
            continue;
        }
        let longest = records[start..end].iter().map(&len).max().unwrap_or_default();
        for at in start..end {
            spaces[at] = longest - len(&records[at]);
        }
        start = end + 1;
        if start > records.len() {
            break;
        }
    }
    spaces
}

/// With the space that cannot be broken, as the recorded server happened to choose.
fn indent(out: &mut String, mark: Option<char>, level: usize) {
    out.push(mark.unwrap_or('\u{a0}'));
    out.push('\u{a0}');
    out.extend(std::iter::repeat_n('\t', level));
}

/// Source: `maxColumnLength`.
const MAX_COLUMN: usize = 80;
