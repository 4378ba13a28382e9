//! A single value, and pieces of long ones.

use serde_json::Value;

use super::{
    Options, Side, edits,
    text::{self, Node, Record, Stats},
    tree::{self, Kind, Tree},
};
use crate::{go::quote, go_syntax::map_types};

impl Options {
    /// `FormatValue`.
    pub(super) fn value(self, go_type: &'static str, value: &Value, parent: Option<Kind>) -> Node {
        if let Some(text) = prints_itself(go_type, value) {
            return Node::Line(self.string("s", &text));
        }
        let kind = tree::kind(go_type);
        let node = match kind {
            Kind::Pointer if value.is_null() => Node::Line("nil".to_owned()),
            Kind::Pointer => {
                let target = go_type.strip_prefix('*').unwrap_or_default();
                return Node::wrap("&", self.value(target, value, Some(kind)), "");
            }
            Kind::Slice | Kind::Map if value.is_null() => Node::Line("nil".to_owned()),
            Kind::Struct => self.members(go_type, value),
            Kind::Slice | Kind::Map => self.items(go_type, value),
            Kind::Scalar => Node::Line(self.scalar(go_type, value, parent)),
        };
        self.typed(go_type, kind, node)
    }

    fn members(self, go_type: &'static str, value: &Value) -> Node {
        let (max, inner) = self.deeper(super::Types::Auto);
        let mut list = Vec::new();
        for (name, of, value) in tree::members(go_type, value) {
            if tree::is_zero(of, &value) {
                continue;
            }
            if list.len() == max {
                text::ellipsis(&mut list, None);
                break;
            }
            list.push(Record::of(None, name, inner.value(of, &value, Some(Kind::Struct))));
        }
        Node::wrap("{", Node::List(list), "}")
    }

    fn items(self, go_type: &'static str, value: &Value) -> Node {
        let (max, inner) = self.deeper(super::Types::Elide);
        let mut list = Vec::new();
        let mut add = |key: &str, of, value: &Value, kind| {
            if list.len() == max {
                text::ellipsis(&mut list, None);
                return false;
            }
            list.push(Record::of(None, key, inner.value(of, value, Some(kind))));
            true
        };
        if let (Some((name, element)), Some(members)) = (map_types(go_type), value.as_object()) {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in members {
                if !add(&tree::key_text(name, key), element, value, Kind::Map) {
                    break;
                }
            }
        }
        for item in value.as_array().into_iter().flatten() {
            if !add("", tree::element(go_type), item, Kind::Slice) {
                break;
            }
        }
        Node::wrap("{", Node::List(list), "}")
    }

    /// How many members are printed, and how theirs are.
    fn deeper(self, types: super::Types) -> (usize, Self) {
        let max = ((1_usize << self.level()) >> 1) << 2;
        (max, Self { types, verbosity: self.verbosity - 1, ..self })
    }

    fn scalar(self, go_type: &str, value: &Value, _parent: Option<Kind>) -> String {
        match value {
            Value::String(text) => self.string("", text),
            Value::Null => match go_type.rsplit('=').next() {
                Some("bool") => "false".to_owned(),
                Some("string") => "\"\"".to_owned(),
                _ => "0".to_owned(),
            },
            other => other.to_string(),
        }
    }

    /// `formatString`, without texts of several lines.
    fn string(self, mark: &str, text: &str) -> String {
        let max = (1_usize << self.level()) << 5;
        if text.len() <= max + 3 {
            return format!("{mark}{}", quoted(text));
        }
        let end = (0..=max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        format!("{mark}{}...", quoted(&text[..end]))
    }

    /// `CanFormatDiffSlice`: whether two texts or lists of numbers are shown in pieces.
    pub(super) fn is_sliced(self, tree: &Tree) -> bool {
        let (Some(x), Some(y)) = (&tree.x, &tree.y) else { return false };
        if self.side != Side::Both || tree.different == 0 {
            return false;
        }
        let long = |x: usize, y: usize| x >= 32 && y >= 32;
        match (x, y) {
            (Value::String(x), Value::String(y)) if tree.kind() == Kind::Scalar => {
                long(x.len(), y.len())
            }
            (Value::Array(x), Value::Array(y)) => {
                let are_numbers = x.iter().chain(y).all(Value::is_number);
                let both = !x.is_empty() && !y.is_empty();
                are_numbers && both && (tree.different > tree.same || long(x.len(), y.len()))
            }
            _ => false,
        }
    }

    /// `FormatDiffSlice`.
    pub(super) fn sliced(self, tree: &Tree) -> Node {
        let max = (1_usize << self.level()) << 2;
        match (&tree.x, &tree.y) {
            (Some(Value::String(x)), Some(Value::String(y))) => {
                let text = |bytes: &[u8]| quoted(&String::from_utf8_lossy(bytes));
                let list = pieces(x.as_bytes(), y.as_bytes(), 64, "byte", max, &text);
                let node = Node::wrap("{", Node::List(list), "}");
                Node::wrap("strings.Join(", node, ", \"\")")
            }
            (Some(Value::Array(x)), Some(Value::Array(y))) => {
                let text = |items: &[Value]| {
                    let items: Vec<String> = items.iter().map(Value::to_string).collect();
                    items.join(", ")
                };
                let name = tree::element(tree.go_type).rsplit('=').next().unwrap_or_default();
                let list = pieces(x, y, 8, name, max, &text);
                self.typed(tree.go_type, Kind::Slice, Node::wrap("{", Node::List(list), "}"))
            }
            _ => Node::Line(String::new()),
        }
    }
}

/// `formatDiffSlice`.
fn pieces<T: PartialEq>(
    x: &[T],
    y: &[T],
    chunk: usize,
    name: &'static str,
    max: usize,
    text: &dyn Fn(&[T]) -> String,
) -> Vec<Record> {
    let compare = |a: usize, b: usize| edits::Found::of(x[a] == y[b]);
    let mut groups = edit_groups(name, &edits::difference(x.len(), y.len(), &compare));
    join_close(&mut groups, chunk / 4);
    clean(&mut groups, x, y, name);
    let mut list = Vec::new();
    let mut rest = Stats::new(name);
    let mut differences = 0;
    let (mut x, mut y) = (x, y);
    let add = |list: &mut Vec<Record>, items: &[T], mark: Option<char>| {
        for piece in items.chunks(chunk) {
            list.push(Record::of(mark, "", Node::Line(text(piece))));
        }
    };
    for (at, group) in groups.iter().enumerate() {
        if differences >= max {
            rest.append(group);
            continue;
        }
        if group.differences() == 0 {
            let all = group.identical;
            let context = chunk * super::CONTEXT;
            let low = if at > 0 { all.min(context) } else { 0 };
            let mut high = if at + 1 < groups.len() { (all - low).min(context) } else { 0 };
            if all - (low + high) <= chunk {
                high = all - low;
            }
            add(&mut list, &x[..low], None);
            if all > low + high {
                let mut stats = group.clone();
                stats.identical -= low + high;
                text::ellipsis(&mut list, Some(stats));
            }
            add(&mut list, &x[all - high..all], None);
            (x, y) = (&x[all..], &y[all..]);
            continue;
        }
        let before = list.len();
        let nx = group.identical + group.removed + group.modified;
        let ny = group.identical + group.inserted + group.modified;
        add(&mut list, &x[..nx], Some('-'));
        add(&mut list, &y[..ny], Some('+'));
        (x, y) = (&x[nx..], &y[ny..]);
        differences += list.len() - before;
    }
    if !rest.is_zero() {
        text::ellipsis(&mut list, Some(rest));
    }
    list
}

/// `coalesceAdjacentEdits`.
fn edit_groups(name: &'static str, edits: &[edits::Edit]) -> Vec<Stats> {
    let mut groups: Vec<Stats> = Vec::new();
    let mut previous = None;
    for edit in edits {
        let is_same = *edit == edits::Edit::Identity;
        if previous != Some(is_same) {
            groups.push(Stats::new(name));
            previous = Some(is_same);
        }
        let Some(group) = groups.last_mut() else { continue };
        match edit {
            edits::Edit::Identity => group.identical += 1,
            edits::Edit::OnlyX => group.removed += 1,
            edits::Edit::OnlyY => group.inserted += 1,
            edits::Edit::Modified => group.modified += 1,
        }
    }
    groups
}

/// `coalesceInterveningIdentical`.
fn join_close(groups: &mut Vec<Stats>, window: usize) {
    let mut joined: Vec<Stats> = Vec::new();
    for next in groups.drain(..) {
        if let [.., previous, current] = &mut joined[..]
            && next.differences() > 0
        {
            let has_x = previous.removed > 0 || next.removed > 0;
            let has_y = previous.inserted > 0 || next.inserted > 0;
            if has_x && has_y && current.identical <= window {
                previous.append(current);
                previous.append(&next);
                joined.pop();
                continue;
            }
        }
        joined.push(next);
    }
    *groups = joined;
}

/// `cleanupSurroundingIdentical`.
fn clean<T: PartialEq>(groups: &mut Vec<Stats>, x: &[T], y: &[T], name: &'static str) {
    let (mut ix, mut iy) = (0, 0);
    let (mut before_all, mut after_all) = (0, 0);
    for at in 0..groups.len() {
        let group = groups[at].clone();
        if group.differences() == 0 {
            ix += group.identical;
            iy += group.identical;
            continue;
        }
        let mut nx = group.identical + group.removed + group.modified;
        let mut ny = group.identical + group.inserted + group.modified;
        let least = nx.min(ny);
        let leading = (0..least).take_while(|j| x[ix + j] == y[iy + j]).count();
        let trailing = (0..least).take_while(|j| x[ix + nx - 1 - j] == y[iy + ny - 1 - j]).count();
        let identical = leading + trailing;
        if identical > 0 && identical <= least {
            match at.checked_sub(1) {
                Some(previous) => groups[previous].identical += leading,
                None => before_all = leading,
            }
            ix += leading;
            iy += leading;
            match groups.get_mut(at + 1) {
                Some(next) => next.identical += trailing,
                None => after_all = trailing,
            }
            nx -= identical;
            ny -= identical;
            groups[at] = Stats { removed: nx, inserted: ny, ..Stats::new(name) };
        }
        ix += nx;
        iy += ny;
    }
    let same = |identical| Stats { identical, ..Stats::new(name) };
    if before_all > 0 {
        groups.insert(0, same(before_all));
    }
    if after_all > 0 {
        groups.push(same(after_all));
    }
}

/// `formatString`: in back quotes where that needs no escapes.
fn quoted(text: &str) -> String {
    let plain = quote(text);
    let is_raw = |c: char| c != '`' && c != '\n' && (c == '\t' || !c.is_control());
    if plain.len() != text.len() + 2 && text.chars().all(is_raw) {
        return format!("`{text}`");
    }
    plain
}

/// What a value with Go's method `String` prints.
fn prints_itself(go_type: &str, value: &Value) -> Option<String> {
    let text = value.as_str();
    match go_type {
        "*resource.Quantity" | "core.ResourceName=string" => Some(text?.to_owned()),
        "*v1.LabelSelector" if !value.is_null() => Some(selector(value)),
        _ => None,
    }
}

/// The generated `LabelSelector.String`.
fn selector(value: &Value) -> String {
    let mut labels = String::new();
    for (key, value) in value.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        labels.push_str(&format!("{key}: {},", value.as_str().unwrap_or_default()));
    }
    let mut expressions = String::new();
    for of in value.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let member = |name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default();
        let values = of.get("values").and_then(Value::as_array);
        let values: Vec<&str> = values.into_iter().flatten().filter_map(Value::as_str).collect();
        expressions.push_str(&format!(
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
            member("key"),
            member("operator"),
            values.join(" ")
        ));
    }
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}
