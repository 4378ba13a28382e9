//! Protobuf to JSON, as Go would write the decoded object.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    envelope, special,
    table::{Field, Form, Kind, Message, MessageId, Shape, Table},
    wire::{DecodeError, Reader, Wire},
};

type Result<T> = std::result::Result<T, DecodeError>;

/// The JSON of a message, without kind and apiVersion.
pub(super) fn message(table: &Table, id: MessageId, bytes: &[u8]) -> Result<Value> {
    Decoder { table }.message(id, bytes, 0)
}

struct Decoder<'a> {
    table: &'a Table,
}

impl Decoder<'_> {
    fn message(&self, id: MessageId, bytes: &[u8], depth: usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        let message = self.table.message(id);
        match message.shape {
            Shape::Struct => {
                let mut members = Map::new();
                self.members(message, bytes, depth, &mut members)?;
                Ok(Value::Object(members))
            }
            Shape::List => self.list(message, bytes, depth),
            Shape::OrArray | Shape::OrBool | Shape::OrStrings => self.choice(message, bytes, depth),
            Shape::Raw => self.raw(bytes, depth),
            Shape::Time | Shape::MicroTime => {
                let fields = Scalars::read(bytes)?;
                let text = if bytes.is_empty() {
                    None
                } else if message.shape == Shape::Time {
                    special::time_text(fields.varints[1])
                } else {
                    let nanos = fields.int32(2);
                    special::micro_time_text(fields.varints[1], nanos - nanos % 1_000)
                };
                Ok(text.map_or(Value::Null, Value::String))
            }
            Shape::Duration => Ok(special::duration_text(Scalars::read(bytes)?.varints[1]).into()),
            Shape::Quantity => {
                let fields = Scalars::read(bytes)?;
                Ok(match fields.texts[1] {
                    "" => "0".into(),
                    text => text.into(),
                })
            }
            Shape::IntOrString => {
                let fields = Scalars::read(bytes)?;
                let is_text = fields.varints[1] == 1;
                Ok(if is_text { fields.texts[3].into() } else { fields.int32(2).into() })
            }
        }
    }

    fn members(
        &self,
        message: &Message,
        bytes: &[u8],
        depth: usize,
        members: &mut Map<String, Value>,
    ) -> Result<()> {
        let found = occurrences(message, bytes)?;
        for (field, found) in message.fields.iter().zip(found) {
            if let (Form::Inline, Kind::Message(id)) = (field.form, field.kind) {
                let bytes = joined(field, &found)?;
                self.members(self.table.message(id), &bytes, depth + 1, members)?;
            } else if let Some(value) = self.field(field, &found, depth)? {
                members.insert(field.json.as_ref().into(), value);
            }
        }
        Ok(())
    }

    /// The JSON of a member; `None` where Go leaves it out.
    fn field(&self, field: &Field, found: &[Wire<'_>], depth: usize) -> Result<Option<Value>> {
        let absent = (!field.omits_empty).then_some(Value::Null);
        match field.form {
            Form::Pointer if found.is_empty() => Ok(absent),
            Form::Pointer => self.value(field, found, depth).map(Some),
            Form::List if found.is_empty() => Ok(absent),
            Form::List => self.items(field, found, depth).map(Some),
            Form::Map if found.is_empty() => Ok(absent),
            Form::Map => self.map(field, found, depth).map(Some),
            Form::Plain | Form::Inline => {
                if found.is_empty() && self.is_nilable(field.kind) {
                    return Ok(absent);
                }
                let value = self.value(field, found, depth)?;
                let omitted = match field.kind {
                    Kind::Message(id) if self.table.message(id).shape != Shape::List => {
                        field.omits_zero && value == self.message(id, &[], depth + 1)?
                    }
                    _ => field.omits_empty && is_empty(&value),
                };
                Ok((!omitted).then_some(value))
            }
        }
    }

    /// Whether the Go type is a slice, so that absence and emptiness differ.
    fn is_nilable(&self, kind: Kind) -> bool {
        match kind {
            Kind::Bytes => true,
            Kind::Message(id) => self.table.message(id).shape == Shape::List,
            _ => false,
        }
    }

    /// One value: the last that was found, messages merged.
    fn value(&self, field: &Field, found: &[Wire<'_>], depth: usize) -> Result<Value> {
        if let Kind::Message(id) = field.kind {
            return self.message(id, &joined(field, found)?, depth + 1);
        }
        match found.last() {
            Some(&wire) => scalar(field, wire),
            None => Ok(zero(field.kind)),
        }
    }

    fn items(&self, field: &Field, found: &[Wire<'_>], depth: usize) -> Result<Value> {
        let mut items = Vec::with_capacity(found.len());
        for wire in found {
            match wire {
                // Numbers may be packed, though Go does not write them so.
                Wire::Bytes(packed) if is_varint(field.kind) => {
                    let mut reader = Reader::new(packed);
                    while !reader.is_empty() {
                        items.push(scalar(field, Wire::Varint(reader.varint()?))?);
                    }
                }
                wire => items.push(self.value(field, std::slice::from_ref(wire), depth)?),
            }
        }
        Ok(Value::Array(items))
    }

    fn map(&self, field: &Field, found: &[Wire<'_>], depth: usize) -> Result<Value> {
        let mut members = std::collections::BTreeMap::new();
        for &wire in found {
            let mut key = String::new();
            let mut value = Vec::new();
            let mut reader = Reader::new(bytes_of(field, wire)?);
            while let Some((number, wire)) = reader.field()? {
                match number {
                    1 => key = text(bytes_of(field, wire)?),
                    2 => value.push(wire),
                    _ => {}
                }
            }
            members.insert(key, self.value(field, &value, depth)?);
        }
        Ok(Value::Object(members.into_iter().collect()))
    }

    fn list(&self, message: &Message, bytes: &[u8], depth: usize) -> Result<Value> {
        let found = occurrences(message, bytes)?;
        match (message.fields.first(), found.first()) {
            (Some(field), Some(found)) => self.items(field, found, depth),
            _ => Ok(Value::Array(Vec::new())),
        }
    }

    /// The schema or the other thing that JSON may have in its place.
    fn choice(&self, message: &Message, bytes: &[u8], depth: usize) -> Result<Value> {
        let found = occurrences(message, bytes)?;
        let of = |number| {
            let (index, field) = message.field(number)?;
            let found: &[Wire<'_>] = found.get(index)?;
            (!found.is_empty()).then_some((field, found))
        };
        let (schema, other) = match message.shape {
            Shape::OrBool => (of(2), of(1)),
            _ => (of(1), of(2)),
        };
        match (message.shape, schema, other) {
            (Shape::OrBool, Some((field, found)), _) => self.value(field, found, depth),
            (Shape::OrBool, None, Some((field, found))) => self.value(field, found, depth),
            (Shape::OrBool, None, None) => Ok(false.into()),
            (_, _, Some((field, found))) => self.items(field, found, depth),
            (_, Some((field, found)), None) => self.value(field, found, depth),
            (_, None, None) => Ok(Value::Null),
        }
    }

    /// JSON, or an object in an envelope.
    fn raw(&self, bytes: &[u8], depth: usize) -> Result<Value> {
        let mut reader = Reader::new(bytes);
        let mut raw: &[u8] = &[];
        while let Some((number, wire)) = reader.field()? {
            if let (1, Wire::Bytes(found)) = (number, wire) {
                raw = found;
            }
        }
        if raw.is_empty() {
            return Ok(Value::Null);
        }
        if raw.starts_with(envelope::PREFIX) {
            let unknown = envelope::open(raw)?;
            let id = self.table.kind(&unknown.api_version, &unknown.kind).ok_or_else(|| {
                DecodeError::UnknownKind {
                    api_version: unknown.api_version.clone(),
                    kind: unknown.kind.clone(),
                }
            })?;
            let object = self.message(id, unknown.raw, depth + 1)?;
            return Ok(envelope::with_type(object, &unknown.api_version, &unknown.kind));
        }
        serde_json::from_slice(raw).map_err(|error| DecodeError::Json(error.to_string()))
    }
}

/// The values of each field of the message, in the order of its fields.
fn occurrences<'a>(message: &Message, bytes: &'a [u8]) -> Result<Vec<Vec<Wire<'a>>>> {
    let mut found = vec![Vec::new(); message.fields.len()];
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        if let Some((index, _)) = message.field(number) {
            found[index].push(wire);
        }
    }
    Ok(found)
}

/// A message that comes in several parts is what the parts are one after the other.
fn joined<'a>(field: &Field, found: &[Wire<'a>]) -> Result<std::borrow::Cow<'a, [u8]>> {
    match found {
        [] => Ok((&[][..]).into()),
        [wire] => Ok(bytes_of(field, *wire)?.into()),
        many => {
            let mut all = Vec::new();
            for &wire in many {
                all.extend_from_slice(bytes_of(field, wire)?);
            }
            Ok(all.into())
        }
    }
}

fn bytes_of<'a>(field: &Field, wire: Wire<'a>) -> Result<&'a [u8]> {
    match wire {
        Wire::Bytes(bytes) => Ok(bytes),
        other => Err(wrong(field, other)),
    }
}

fn wrong(field: &Field, wire: Wire<'_>) -> DecodeError {
    // Go has the name of the struct's field, which begins with a capital.
    let mut name = field.json.to_string();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    DecodeError::WrongWireType { wire_type: wire.wire_type(), field: name }
}

fn scalar(field: &Field, wire: Wire<'_>) -> Result<Value> {
    #[expect(clippy::cast_possible_truncation, reason = "Go cuts varints to the field's width")]
    Ok(match (field.kind, wire) {
        (Kind::Bool, Wire::Varint(value)) => (value != 0).into(),
        (Kind::Int32, Wire::Varint(value)) => (value as u32).cast_signed().into(),
        (Kind::Int64, Wire::Varint(value)) => value.cast_signed().into(),
        (Kind::Uint32, Wire::Varint(value)) => (value as u32).into(),
        (Kind::Uint64, Wire::Varint(value)) => value.into(),
        (Kind::Double, Wire::Fixed64(value)) => double(f64::from_bits(value)),
        (Kind::String, Wire::Bytes(bytes)) => text(bytes).into(),
        (Kind::Bytes, Wire::Bytes(bytes)) => BASE64_STANDARD.encode(bytes).into(),
        (_, other) => return Err(wrong(field, other)),
    })
}

/// Go writes whole numbers without a point.
fn double(value: f64) -> Value {
    let is_whole = value.fract() == 0.0 && value.abs() < WHOLE_MAX;
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
    if is_whole { (value as i64).into() } else { value.into() }
}

fn is_varint(kind: Kind) -> bool {
    matches!(kind, Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64)
}

fn zero(kind: Kind) -> Value {
    match kind {
        Kind::Bool => false.into(),
        Kind::Bytes | Kind::String => "".into(),
        Kind::Double | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => 0.into(),
        Kind::Message(_) => Value::Null,
    }
}

/// What `omitempty` leaves out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(value) => value.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// Go keeps bytes that are not UTF-8 in its strings and replaces them when it writes JSON.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The numbers and texts of a small message, by field number up to 3.
#[derive(Default)]
struct Scalars<'a> {
    varints: [i64; 4],
    texts: [&'a str; 4],
}

impl<'a> Scalars<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut scalars = Self::default();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.field()? {
            let Ok(at @ 1..=3) = usize::try_from(number) else { continue };
            match wire {
                Wire::Varint(value) => scalars.varints[at] = value.cast_signed(),
                Wire::Bytes(bytes) => {
                    scalars.texts[at] = std::str::from_utf8(bytes).unwrap_or_default();
                }
                Wire::Fixed64(_) | Wire::Fixed32 => {}
            }
        }
        Ok(scalars)
    }

    #[expect(clippy::cast_possible_truncation, reason = "Go cuts varints to the field's width")]
    fn int32(&self, number: usize) -> i32 {
        self.varints[number] as i32
    }
}

/// 2^53: beyond it not every whole number has a double.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Messages within messages; schemas of CustomResourceDefinitions are the deepest of real
/// objects, each level of theirs is two here.
const DEPTH_MAX: usize = 100;
