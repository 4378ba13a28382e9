//! The wire format of protobuf: reading forwards, writing backwards.

/// The bytes are no protobuf message of the expected layout; displays in the words of the
/// generated Go code.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The body is empty.
    #[error("empty data")]
    Empty,
    /// Nothing after the prefix.
    #[error("empty body")]
    EmptyBody,
    /// A tag with the number 0.
    #[error("proto: illegal tag {number} (wire type {wire_type})")]
    IllegalTag {
        /// The field number.
        number: u64,
        /// The wire type.
        wire_type: u64,
    },
    /// A wire type that does not exist.
    #[error("proto: illegal wireType {0}")]
    IllegalWireType(u64),
    /// JSON within the message that is none.
    #[error("json: {0}")]
    Json(String),
    /// A length beyond what Go's int holds.
    #[error("proto: negative length found during unmarshaling")]
    NegativeLength,
    /// The body does not begin with the prefix `k8s\0`.
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    NotProtobuf,
    /// A varint of more than ten bytes.
    #[error("proto: integer overflow")]
    Overflow,
    /// Messages within messages, more than any real object has.
    #[error("proto: message is nested too deeply")]
    TooDeep,
    /// The bytes end within a field.
    #[error("unexpected EOF")]
    UnexpectedEof,
    /// No kind, and none to take for it.
    #[error("no kind {}/{} with a protobuf form is known", .api_version, .kind)]
    UnknownKind {
        /// The apiVersion.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// A field that is written in another way than its type.
    #[error("proto: wrong wireType = {wire_type} for field {field}")]
    WrongWireType {
        /// The wire type found.
        wire_type: u64,
        /// The field, by its JSON name.
        field: String,
    },
}

/// The value of one field as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

impl Wire<'_> {
    pub(super) fn wire_type(self) -> u64 {
        match self {
            Self::Varint(_) => VARINT,
            Self::Fixed64(_) => FIXED64,
            Self::Bytes(_) => BYTES,
            Self::Fixed32 => FIXED32,
        }
    }
}

/// Reads the fields of one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field's number and value; `None` at the end. Groups are passed over.
    pub(super) fn field(&mut self) -> Result<Option<(u64, Wire<'a>)>, DecodeError> {
        while !self.rest.is_empty() {
            let (number, wire_type) = self.tag()?;
            match wire_type {
                GROUP_START => self.skip_group()?,
                GROUP_END => return Err(DecodeError::IllegalTag { number, wire_type }),
                _ => return Ok(Some((number, self.value(wire_type)?))),
            }
        }
        Ok(None)
    }

    pub(super) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::UnexpectedEof)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Overflow)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn tag(&mut self) -> Result<(u64, u64), DecodeError> {
        let tag = self.varint()?;
        let (number, wire_type) = (tag >> 3, tag & 7);
        if number == 0 || number > NUMBER_MAX {
            return Err(DecodeError::IllegalTag { number, wire_type });
        }
        Ok((number, wire_type))
    }

    fn value(&mut self, wire_type: u64) -> Result<Wire<'a>, DecodeError> {
        match wire_type {
            VARINT => Ok(Wire::Varint(self.varint()?)),
            FIXED64 => {
                let (bytes, rest) =
                    self.rest.split_first_chunk().ok_or(DecodeError::UnexpectedEof)?;
                self.rest = rest;
                Ok(Wire::Fixed64(u64::from_le_bytes(*bytes)))
            }
            BYTES => {
                let length = self.varint()?;
                let length = i64::try_from(length)
                    .ok()
                    .and_then(|length| usize::try_from(length).ok())
                    .ok_or(DecodeError::NegativeLength)?;
                let (bytes, rest) =
                    self.rest.split_at_checked(length).ok_or(DecodeError::UnexpectedEof)?;
                self.rest = rest;
                Ok(Wire::Bytes(bytes))
            }
            FIXED32 => {
                self.rest = self.rest.get(4..).ok_or(DecodeError::UnexpectedEof)?;
                Ok(Wire::Fixed32)
            }
            other => Err(DecodeError::IllegalWireType(other)),
        }
    }

    fn skip_group(&mut self) -> Result<(), DecodeError> {
        let mut open = 1usize;
        while open > 0 {
            let (_, wire_type) = self.tag()?;
            match wire_type {
                GROUP_START => open += 1,
                GROUP_END => open -= 1,
                _ => {
                    self.value(wire_type)?;
                }
            }
        }
        Ok(())
    }
}

/// Writes a message from its end to its begin, so that the length of what is nested is known
/// when its prefix is written, as the generated Go code does.
#[derive(Debug)]
pub(super) struct Writer {
    /// The message is `buffer[at..]`.
    buffer: Vec<u8>,
    at: usize,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; FIRST_CAPACITY], at: FIRST_CAPACITY }
    }

    /// How many bytes are written.
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.at
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.buffer.drain(..self.at);
        self.buffer
    }

    /// Puts bytes before what is there.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() > self.at {
            self.grow(bytes.len());
        }
        let start = self.at - bytes.len();
        self.buffer[start..self.at].copy_from_slice(bytes);
        self.at = start;
    }

    pub(super) fn varint(&mut self, value: u64) {
        let mut bytes = [0; VARINT_MAX];
        let length = put_varint(&mut bytes, value);
        self.bytes(&bytes[..length]);
    }

    pub(super) fn varint_field(&mut self, number: u32, value: u64) {
        self.varint(value);
        self.tag(number, VARINT);
    }

    pub(super) fn fixed64_field(&mut self, number: u32, value: u64) {
        self.bytes(&value.to_le_bytes());
        self.tag(number, FIXED64);
    }

    pub(super) fn bytes_field(&mut self, number: u32, bytes: &[u8]) {
        self.bytes(bytes);
        self.close(number, self.len() - bytes.len());
    }

    /// Puts tag and length before what was written since the writer had `mark` bytes.
    pub(super) fn close(&mut self, number: u32, mark: usize) {
        self.varint((self.len() - mark) as u64);
        self.tag(number, BYTES);
    }

    fn tag(&mut self, number: u32, wire_type: u64) {
        self.varint(u64::from(number) << 3 | wire_type);
    }

    fn grow(&mut self, needed: usize) {
        let length = self.len();
        let capacity = (self.buffer.len() * 2).max(length + needed);
        let mut buffer = vec![0; capacity];
        buffer[capacity - length..].copy_from_slice(&self.buffer[self.at..]);
        self.at = capacity - length;
        self.buffer = buffer;
    }
}

/// Writes a varint to the begin of `bytes` and returns its length.
pub(super) fn put_varint(bytes: &mut [u8; VARINT_MAX], mut value: u64) -> usize {
    let mut length = 0;
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        let more = value != 0;
        bytes[length] = if more { low | 0x80 } else { low };
        length += 1;
        if !more {
            return length;
        }
    }
}

/// The longest varint, in bytes.
pub(super) const VARINT_MAX: usize = 10;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const GROUP_START: u64 = 3;
const GROUP_END: u64 = 4;
const FIXED32: u64 = 5;

/// The highest field number of the format.
const NUMBER_MAX: u64 = (1 << 29) - 1;

/// Enough for a small object at once.
const FIRST_CAPACITY: usize = 1_024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_are_passed_over() {
        // Group 1 with a nested group 2 and a string, then field 3.
        let bytes = [0x0b, 0x13, 0x14, 0x12, 0x01, b'x', 0x0c, 0x18, 0x07];
        let mut reader = Reader::new(&bytes);
        let (number, value) = reader.field().unwrap().unwrap();
        assert!(number == 3 && matches!(value, Wire::Varint(7)));
        assert!(reader.field().unwrap().is_none());
    }

    #[test]
    fn broken_bytes_are_told_of_in_gos_words() {
        for (bytes, words) in [
            (&[0x08][..], "unexpected EOF"),
            (&[0x12, 0x05, b'x'], "unexpected EOF"),
            (&[0x00, 0x00], "proto: illegal tag 0 (wire type 0)"),
            (&[0x0f], "proto: illegal wireType 7"),
            (&[0xff; 11], "proto: integer overflow"),
        ] {
            let error = Reader::new(bytes).field().unwrap_err();
            assert_eq!(error.to_string(), words, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn varints_come_back(value: u64) {
            let mut writer = Writer::new();
            writer.varint(value);
            let bytes = writer.into_bytes();
            prop_assert_eq!(Reader::new(&bytes).varint(), Ok(value));
        }

        #[test]
        fn fields_come_back_whatever_their_size(payload: Vec<u8>, times in 1usize..100) {
            let mut writer = Writer::new();
            for _ in 0..times {
                writer.bytes_field(7, &payload);
            }
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            for _ in 0..times {
                let (number, value) = reader.field().unwrap().unwrap();
                prop_assert!(number == 7 && matches!(value, Wire::Bytes(found) if found == payload));
            }
            prop_assert!(reader.field().unwrap().is_none());
        }
    }
}
