//! JSON to protobuf, byte for byte as the generated Go code writes it.
//!
//! What JSON has in another type than the field's is taken as absent: objects are validated
//! before they are stored, and a list must not fail for one of them.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    special,
    table::{Field, Form, Kind, MessageId, Shape, Table},
    wire::Writer,
};

/// The message of an object, without envelope.
pub(super) fn message(table: &Table, id: MessageId, object: &Value) -> Vec<u8> {
    let encoder = Encoder { table };
    let mut writer = Writer::new();
    encoder.message(&mut writer, id, Some(object));
    writer.into_bytes()
}

struct Encoder<'a> {
    table: &'a Table,
}

impl Encoder<'_> {
    fn message(&self, writer: &mut Writer, id: MessageId, value: Option<&Value>) {
        let message = self.table.message(id);
        let scalar = |writer: &mut Writer, number, value: u64| writer.varint_field(number, value);
        match message.shape {
            Shape::Struct => {
                let empty = Map::new();
                let members = value.and_then(Value::as_object).unwrap_or(&empty);
                for &index in message.by_number.iter().rev() {
                    let field = &message.fields[usize::from(index)];
                    if field.form == Form::Inline {
                        self.value(writer, field.number, field, value);
                    } else {
                        let value = members.get(&*field.json).filter(|value| !value.is_null());
                        self.field(writer, field, value);
                    }
                }
            }
            Shape::List => {
                for field in &message.fields {
                    self.field(writer, field, value);
                }
            }
            Shape::Time => {
                if let Some((seconds, _)) = value.and_then(special::time_parts) {
                    scalar(writer, 2, 0);
                    scalar(writer, 1, seconds.cast_unsigned());
                }
            }
            Shape::MicroTime => {
                if let Some((seconds, nanos)) = value.and_then(special::time_parts) {
                    let micros = nanos - nanos % 1_000;
                    scalar(writer, 2, i64::from(micros).cast_unsigned());
                    scalar(writer, 1, seconds.cast_unsigned());
                }
            }
            Shape::Duration => {
                let nanos = value.map_or(0, special::duration_nanos);
                scalar(writer, 1, nanos.cast_unsigned());
            }
            Shape::Quantity => {
                writer.bytes_field(1, special::quantity_text(value).as_bytes());
            }
            Shape::IntOrString => {
                let text = value.and_then(Value::as_str);
                let number = value.and_then(integer).unwrap_or_default();
                writer.bytes_field(3, text.unwrap_or_default().as_bytes());
                scalar(writer, 2, number.cast_unsigned());
                scalar(writer, 1, u64::from(text.is_some()));
            }
            Shape::Raw => {
                if let Some(value) = value {
                    writer.bytes_field(1, &crate::encode::to_json(value));
                }
            }
            Shape::OrArray | Shape::OrStrings => {
                // The schema, or the list of schemas or names.
                let number = 1 + u64::from(value.is_some_and(Value::is_array));
                if let Some((_, field)) = message.field(number) {
                    self.field(writer, field, value);
                }
            }
            Shape::OrBool => {
                let allows =
                    value.is_some_and(|value| value == &Value::Bool(true) || value.is_object());
                if let Some((_, field)) = message.field(2) {
                    self.field(writer, field, value.filter(|value| value.is_object()));
                }
                scalar(writer, 1, u64::from(allows));
            }
        }
    }

    /// `value` is never null.
    fn field(&self, writer: &mut Writer, field: &Field, value: Option<&Value>) {
        match (field.form, value) {
            (Form::Plain | Form::Inline, value) => {
                let nil = value.is_none()
                    && match field.kind {
                        Kind::Bytes => true,
                        Kind::Message(id) => self.table.message(id).shape == Shape::List,
                        _ => false,
                    };
                if !nil {
                    self.value(writer, field.number, field, value);
                }
            }
            (Form::Pointer, Some(value)) => self.value(writer, field.number, field, Some(value)),
            (Form::List, Some(Value::Array(items))) => {
                for item in items.iter().rev() {
                    let item = Some(item).filter(|item| !item.is_null());
                    self.value(writer, field.number, field, item);
                }
            }
            (Form::Map, Some(Value::Object(members))) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|&(key, _)| key);
                for (key, value) in members.into_iter().rev() {
                    let mark = writer.len();
                    let value = Some(value).filter(|value| !value.is_null());
                    if field.kind != Kind::Bytes || value.is_some() {
                        self.value(writer, 2, field, value);
                    }
                    writer.bytes_field(1, key.as_bytes());
                    writer.close(field.number, mark);
                }
            }
            (Form::Pointer | Form::List | Form::Map, _) => {}
        }
    }

    /// One value under a number, zero where there is none.
    fn value(&self, writer: &mut Writer, number: u32, field: &Field, value: Option<&Value>) {
        match field.kind {
            Kind::Bool => {
                let value = value.and_then(Value::as_bool).unwrap_or_default();
                writer.varint_field(number, u64::from(value));
            }
            // Negative numbers of 32 bits too are extended to 64.
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => {
                let value = match value {
                    Some(Value::Number(value)) if value.is_u64() => value.as_u64(),
                    value => value.and_then(integer).map(i64::cast_unsigned),
                };
                writer.varint_field(number, value.unwrap_or_default());
            }
            Kind::Double => {
                let value = value.and_then(Value::as_f64).unwrap_or_default();
                writer.fixed64_field(number, value.to_bits());
            }
            Kind::String => {
                let value = value.and_then(Value::as_str).unwrap_or_default();
                writer.bytes_field(number, value.as_bytes());
            }
            Kind::Bytes => {
                let text = value.and_then(Value::as_str).unwrap_or_default();
                writer.bytes_field(number, &BASE64_STANDARD.decode(text).unwrap_or_default());
            }
            Kind::Message(id) => {
                let mark = writer.len();
                self.message(writer, id, value);
                writer.close(number, mark);
            }
        }
    }
}

/// A JSON number without a fraction, such as 3 or 3.0.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
        let fits = number.abs() < INTEGER_MAX;
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
        let integer = fits.then_some(number as i64);
        integer
    })
}

/// 2^63.
const INTEGER_MAX: f64 = 9_223_372_036_854_775_808.0;
