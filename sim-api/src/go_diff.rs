//! The difference between two values as github.com/google/go-cmp prints it: what the real
//! server adds where a specification may not change.
//!
//! Types are those of [`go_syntax`](crate::go_syntax). Values are in canonical form, where nothing
//! and empty are the same. Texts of several lines are cut into pieces like any other long text.
//!
//! Source: go-cmp v0.7.0, `report_{compare,reflect,slices,text,value}.go`,
//! `internal/diff/diff.go`.

mod edits;
mod text;
mod tree;
mod value;

use serde_json::Value;

use self::{
    text::{Node, Record, Stats},
    tree::{Kind, Tree},
};
use crate::go_syntax::type_name;

/// What has to change in `x` to get `y`; nothing where they are the same.
pub(crate) fn diff(go_type: &'static str, x: &Value, y: &Value) -> String {
    let tree = Tree::compare(go_type, Some(x.clone()), Some(y.clone()), 0);
    if tree.different == 0 {
        return String::new();
    }
    let options = Options { side: Side::Both, types: Types::Emit, verbosity: 0 };
    options.diff(&tree, None).map(Node::into_text).unwrap_or_default()
}

/// What of a pair is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Both,
    Identical,
    Removed,
    Inserted,
}

/// Whether the name of a type is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Types {
    Emit,
    Elide,
    Auto,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    side: Side,
    types: Types,
    verbosity: i32,
}

impl Options {
    fn side(self, side: Side) -> Self {
        Self { side, ..self }
    }

    fn types(self, types: Types) -> Self {
        Self { types, ..self }
    }

    fn level(self) -> u32 {
        self.verbosity.clamp(0, 16).unsigned_abs()
    }

    /// `FormatDiff`.
    fn diff(self, tree: &Tree, parent: Option<Kind>) -> Option<Node> {
        let mut options = self;
        if options.side == Side::Identical {
            options.verbosity = 1;
        } else if options.level() < 3 {
            options.verbosity = 3;
        }
        if options.is_sliced(tree) {
            return Some(options.sliced(tree));
        }
        if tree.depth == 0 {
            return options.leaf(tree, parent);
        }
        match tree.kind() {
            Kind::Pointer => {
                let inner = options
                    .diff(tree.records.first().map(|(_, child)| child)?, Some(Kind::Pointer))?;
                Some(Node::wrap("&", inner, ""))
            }
            kind => {
                let list = options.list(tree, kind);
                Some(options.typed(tree.go_type, kind, list))
            }
        }
    }

    fn leaf(self, tree: &Tree, parent: Option<Kind>) -> Option<Node> {
        let value = |of: &Option<Value>| self.value_of(tree.go_type, of.as_ref(), parent);
        match self.side {
            Side::Removed => value(&tree.x),
            Side::Inserted => value(&tree.y),
            Side::Both | Side::Identical if tree.different == 0 => value(&tree.x),
            Side::Both | Side::Identical => {
                let plain = self.types(Types::Elide);
                let of =
                    |value: &Option<Value>| plain.value_of(tree.go_type, value.as_ref(), parent);
                let mut list = Vec::new();
                list.extend(of(&tree.x).map(|node| Record::of(Some('-'), "", node)));
                list.extend(of(&tree.y).map(|node| Record::of(Some('+'), "", node)));
                let list = Node::List(list);
                Some(self.types(Types::Emit).typed(tree.go_type, tree.kind(), list))
            }
        }
    }

    fn value_of(
        self,
        go_type: &'static str,
        value: Option<&Value>,
        parent: Option<Kind>,
    ) -> Option<Node> {
        value.map(|value| self.value(go_type, value, parent))
    }

    /// `FormatType`.
    fn typed(self, go_type: &'static str, kind: Kind, node: Node) -> Node {
        match self.types {
            Types::Elide => return node,
            Types::Auto => {
                let has_name = matches!(kind, Kind::Struct | Kind::Slice | Kind::Map);
                if !has_name || node.is_line("nil") || self.side == Side::Identical {
                    return node;
                }
            }
            Types::Emit => {}
        }
        let name = type_name(go_type);
        let name = if kind == Kind::Pointer { format!("({name})") } else { name };
        Node::wrap(&name, node.in_parentheses(), "")
    }

    /// `formatDiffList`.
    fn list(self, tree: &Tree, kind: Kind) -> Node {
        let mut options = self.types(if kind == Kind::Struct { Types::Auto } else { Types::Elide });
        let level = options.level();
        let max = match options.side {
            Side::Identical => ((1_usize << level) >> 1) << 2,
            _ => (1_usize << level) << 1,
        };
        options.verbosity -= 1;
        let records = match options.side {
            Side::Both => options.both(tree, kind, max),
            _ => options.one_side(tree, kind, max),
        };
        Node::wrap("{", Node::List(records), "}")
    }

    fn one_side(self, tree: &Tree, kind: Kind, max: usize) -> Vec<Record> {
        let mut list = Vec::new();
        for (key, child) in &tree.records {
            if list.len() == max {
                text::ellipsis(&mut list, None);
                break;
            }
            let is_zero = |side: &Option<Value>| {
                side.as_ref().is_none_or(|value| tree::is_zero(child.go_type, value))
            };
            let is_left_out = kind == Kind::Struct
                && match self.side {
                    Side::Removed => is_zero(&child.x),
                    Side::Inserted => is_zero(&child.y),
                    _ => is_zero(&child.x) || is_zero(&child.y),
                };
            if is_left_out {
                continue;
            }
            if let Some(node) = self.diff(child, Some(kind)) {
                list.push(Record::of(None, key, node));
            }
        }
        list
    }

    fn both(self, tree: &Tree, kind: Kind, max: usize) -> Vec<Record> {
        let name = match kind {
            Kind::Struct => "field",
            Kind::Map => "entry",
            _ => "element",
        };
        let mut list = Vec::new();
        let mut rest = Stats::new(name);
        let mut differences = 0;
        let mut records = &tree.records[..];
        let groups = groups(name, records);
        for (at, group) in groups.iter().enumerate() {
            let (these, others) = records.split_at(group.len().min(records.len()));
            records = others;
            if differences >= max {
                rest.append(group);
                continue;
            }
            if group.differences() == 0 {
                self.context(&mut list, these, (at > 0, at + 1 < groups.len()), kind, group);
                continue;
            }
            for (key, child) in these {
                self.changed(&mut list, key, child, kind);
            }
            differences += group.differences();
        }
        if !rest.is_zero() {
            text::ellipsis(&mut list, Some(rest));
        }
        list
    }

    /// Records that are the same: the two beside a difference, and how many others there are.
    fn context(
        self,
        list: &mut Vec<Record>,
        records: &[(String, Tree)],
        (has_before, has_after): (bool, bool),
        kind: Kind,
        group: &Stats,
    ) {
        let all = records.len();
        let low = if has_before { all.min(CONTEXT) } else { 0 };
        let mut high = if has_after { (all - low).min(CONTEXT) } else { 0 };
        if all - (low + high) == 1 {
            high += 1;
        }
        let add = |list: &mut Vec<Record>, (key, child): &(String, Tree)| {
            if let Some(node) = self.side(Side::Identical).diff(child, Some(kind)) {
                list.push(Record::of(None, key, node));
            }
        };
        for record in &records[..low] {
            add(list, record);
        }
        if all > low + high {
            let mut stats = group.clone();
            stats.identical -= low + high;
            text::ellipsis(list, Some(stats));
        }
        for record in &records[all - high..] {
            add(list, record);
        }
    }

    fn changed(self, list: &mut Vec<Record>, key: &str, child: &Tree, kind: Kind) {
        let parent = Some(kind);
        if self.is_sliced(child) {
            list.push(Record::of(None, key, self.sliced(child)));
        } else if child.children == child.depth {
            let of = |options: Self, side| options.side(side).diff(child, parent);
            let (mut x, mut y) = (of(self, Side::Removed), of(self, Side::Inserted));
            for preset in 0..=6 {
                if x.is_none() || y.is_none() || x != y {
                    break;
                }
                let level = i32::try_from(self.level()).unwrap_or(16) + 2 * preset;
                let more = Self { verbosity: level, ..self };
                (x, y) = (of(more, Side::Removed), of(more, Side::Inserted));
            }
            list.extend(x.map(|node| Record::of(Some('-'), key, node)));
            list.extend(y.map(|node| Record::of(Some('+'), key, node)));
        } else if let Some(node) = self.diff(child, parent) {
            list.push(Record::of(None, key, node));
        }
    }
}

/// `coalesceAdjacentRecords`.
fn groups(name: &'static str, records: &[(String, Tree)]) -> Vec<Stats> {
    let mut groups: Vec<Stats> = Vec::new();
    let mut previous = None;
    for (_, child) in records {
        let differs = child.different > 0;
        if previous != Some(differs) {
            groups.push(Stats::new(name));
            previous = Some(differs);
        }
        let Some(group) = groups.last_mut() else { continue };
        match (differs, &child.x, &child.y) {
            (false, ..) => group.identical += 1,
            (true, _, None) => group.removed += 1,
            (true, None, _) => group.inserted += 1,
            _ => group.modified += 1,
        }
    }
    groups
}

/// Records that are shown beside a difference. Source: `numContextRecords`.
const CONTEXT: usize = 2;

#[cfg(test)]
mod tests;
