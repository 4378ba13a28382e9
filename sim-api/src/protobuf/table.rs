//! How every message is laid out, by release.
//!
//! `protobuf/schema.txt.gz` is made by `tools/protobuf-schema` from the Go types of the releases.
//! Its lines are, each with the minor releases it holds for at the end where these are not all:
//!
//! ```text
//! K apiVersion kind message
//! M message shape
//! jsonName number type form-and-flags
//! ```

use std::{
    collections::BTreeMap,
    io::Read,
    sync::{LazyLock, OnceLock},
};

use flate2::read::GzDecoder;

use crate::Release;

/// The messages of one release.
#[derive(Debug)]
pub(super) struct Table {
    messages: Vec<Message>,
    /// By apiVersion and kind.
    kinds: BTreeMap<(Box<str>, Box<str>), MessageId>,
    list_meta: MessageId,
}

/// The place of a message in its table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct MessageId(u32);

#[derive(Debug)]
pub(super) struct Message {
    pub(super) shape: Shape,
    /// In the order of the Go struct, which is that of its JSON.
    pub(super) fields: Vec<Field>,
    /// Indices of `fields` by number, which is the order on the wire.
    pub(super) by_number: Vec<u16>,
}

#[derive(Debug)]
pub(super) struct Field {
    /// The name in JSON; of no use for [`Form::Inline`].
    pub(super) json: Box<str>,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) form: Form,
    /// `omitempty`: JSON leaves out scalars that are zero, empty lists and maps, nil pointers.
    pub(super) omits_empty: bool,
    /// `omitzero`: JSON leaves out structs that are zero.
    pub(super) omits_zero: bool,
}

/// The type of a field's values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Bool,
    Bytes,
    Double,
    Int32,
    Int64,
    Message(MessageId),
    String,
    Uint32,
    Uint64,
}

/// How often a field's values come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A message whose members are members of the outer JSON object.
    Inline,
    List,
    /// From strings.
    Map,
    /// Always on the wire, even when zero.
    Plain,
    /// On the wire when set.
    Pointer,
}

/// What the JSON of a message is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    Duration,
    IntOrString,
    /// An array: a Go slice that is a message with one repeated field.
    List,
    MicroTime,
    /// `JSONSchemaPropsOrArray`.
    OrArray,
    /// `JSONSchemaPropsOrBool`.
    OrBool,
    /// `JSONSchemaPropsOrStringArray`.
    OrStrings,
    Quantity,
    /// JSON as it is, in bytes.
    Raw,
    Struct,
    Time,
}

impl Table {
    pub(super) fn for_release(release: Release) -> &'static Self {
        static TABLES: [OnceLock<Table>; MINOR_MAX as usize + 1] =
            [const { OnceLock::new() }; MINOR_MAX as usize + 1];
        let minor = release.minor().min(MINOR_MAX);
        TABLES[usize::from(minor)].get_or_init(|| Self::parse(&TEXT, minor))
    }

    pub(super) fn message(&self, id: MessageId) -> &Message {
        &self.messages[id.0 as usize]
    }

    /// The message of a kind. Kinds of `meta.k8s.io/v1`, such as DeleteOptions and Status, are in
    /// every group.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<MessageId> {
        let find = |api_version: &str| self.kinds.get(&(api_version.into(), kind.into())).copied();
        find(api_version).or_else(|| find(META))
    }

    /// The message of every list's metadata.
    pub(super) fn list_meta(&self) -> MessageId {
        self.list_meta
    }

    /// Every apiVersion and kind.
    #[cfg(test)]
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&str, &str, MessageId)> {
        self.kinds.iter().map(|((api_version, kind), &id)| (&**api_version, &**kind, id))
    }

    fn parse(text: &str, minor: u8) -> Self {
        let lines = || text.lines().filter_map(|line| line_of(line, minor));
        let mut ids = BTreeMap::new();
        for parts in lines() {
            if let ["M", name, _] = parts[..] {
                let next = ids.len();
                ids.entry(name)
                    .or_insert_with(|| MessageId(u32::try_from(next).unwrap_or(u32::MAX)));
            }
        }
        let mut messages: Vec<Message> = Vec::with_capacity(ids.len());
        let mut kinds = BTreeMap::new();
        for parts in lines() {
            match parts[..] {
                ["K", api_version, kind, message] => {
                    if let Some(&id) = ids.get(message) {
                        kinds.insert((api_version.into(), kind.into()), id);
                    }
                }
                ["M", _, shape] => {
                    let shape = Shape::parse(shape).expect("the tool knows these shapes");
                    messages.push(Message { shape, fields: Vec::new(), by_number: Vec::new() });
                }
                [json, number, kind, form] => {
                    let message = messages.last_mut().expect("a message is before its fields");
                    let kind = Kind::parse(kind)
                        .or_else(|| ids.get(kind).copied().map(Kind::Message))
                        .expect("the tool writes every message that a field refers to");
                    let mut flags = form.chars();
                    let form = flags.next().and_then(Form::parse);
                    message.fields.push(Field {
                        json: json.into(),
                        number: number.parse().expect("the tool writes numbers"),
                        kind,
                        form: form.expect("the tool knows these forms"),
                        omits_empty: flags.as_str().contains('e'),
                        omits_zero: flags.as_str().contains('z'),
                    });
                }
                _ => unreachable!("the table has no other lines"),
            }
        }
        for message in &mut messages {
            let mut order: Vec<_> = (0u16..).take(message.fields.len()).collect();
            order.sort_by_key(|&index| message.fields[usize::from(index)].number);
            message.by_number = order;
        }
        let list_meta = *ids.get("meta.v1.ListMeta").expect("every list has it");
        Self { messages, kinds, list_meta }
    }
}

impl Message {
    /// The field of a number, with its place in `fields`.
    pub(super) fn field(&self, number: u64) -> Option<(usize, &Field)> {
        let key = |&index: &u16| u64::from(self.fields[usize::from(index)].number);
        let at = self.by_number.binary_search_by_key(&number, key).ok()?;
        let index = usize::from(self.by_number[at]);
        Some((index, &self.fields[index]))
    }
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "bool" => Self::Bool,
            "bytes" => Self::Bytes,
            "double" => Self::Double,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "string" => Self::String,
            "uint32" => Self::Uint32,
            "uint64" => Self::Uint64,
            _ => return None,
        })
    }
}

impl Form {
    fn parse(sign: char) -> Option<Self> {
        Some(match sign {
            '=' => Self::Inline,
            '[' => Self::List,
            '{' => Self::Map,
            '.' => Self::Plain,
            '*' => Self::Pointer,
            _ => return None,
        })
    }
}

impl Shape {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "duration" => Self::Duration,
            "intorstring" => Self::IntOrString,
            "list" => Self::List,
            "microtime" => Self::MicroTime,
            "orarray" => Self::OrArray,
            "orbool" => Self::OrBool,
            "orstrings" => Self::OrStrings,
            "quantity" => Self::Quantity,
            "raw" => Self::Raw,
            "struct" => Self::Struct,
            "time" => Self::Time,
            _ => return None,
        })
    }
}

/// The words of a line, if it holds for the release: a last word `@29-33` tells for which.
fn line_of(line: &str, minor: u8) -> Option<Vec<&str>> {
    let mut parts: Vec<_> = line.split(' ').collect();
    if let Some(range) = parts.last().and_then(|last| last.strip_prefix('@')) {
        let (since, until) = range.split_once('-').unwrap_or((range, ""));
        let holds = since.parse().is_ok_and(|since: u8| since <= minor)
            && until.parse().map_or(until.is_empty(), |until: u8| minor <= until);
        if !holds {
            return None;
        }
        parts.pop();
    }
    Some(parts)
}

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::new();
    GzDecoder::new(&include_bytes!("schema.txt.gz")[..])
        .read_to_string(&mut text)
        .expect("the committed table unpacks");
    text
});

/// The latest release that the table was recorded for; later ones are taken to be like it.
const MINOR_MAX: u8 = 37;

const META: &str = "meta.k8s.io/v1";
