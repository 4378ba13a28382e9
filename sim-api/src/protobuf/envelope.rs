//! What is around a message: the envelope, a list's items, the frames of a watch.

use serde_json::{Map, Value};

use super::wire::{DecodeError, Reader, VARINT_MAX, Wire, put_varint};

/// What every body begins with.
///
/// Source: `protoEncodingPrefix` in k8s.io/apimachinery `pkg/runtime/serializer/protobuf`.
pub const PREFIX: &[u8] = b"k8s\0";

/// What every body ends with: contentEncoding and contentType, both empty.
pub const SUFFIX: &[u8] = &[0x1a, 0, 0x22, 0];

/// `runtime.Unknown`, opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unknown<'a> {
    /// May be empty.
    pub api_version: String,
    /// May be empty.
    pub kind: String,
    /// The message.
    pub raw: &'a [u8],
}

/// Takes a body apart.
///
/// # Errors
///
/// [`DecodeError`], when the body is empty, has another prefix or is cut short.
pub fn open(body: &[u8]) -> Result<Unknown<'_>, DecodeError> {
    if body.is_empty() {
        return Err(DecodeError::Empty);
    }
    let rest = body.strip_prefix(PREFIX).ok_or(DecodeError::NotProtobuf)?;
    if rest.is_empty() {
        return Err(DecodeError::EmptyBody);
    }
    let mut unknown = Unknown::default();
    let mut reader = Reader::new(rest);
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, Wire::Bytes(type_meta)) => {
                let mut reader = Reader::new(type_meta);
                while let Some((number, wire)) = reader.field()? {
                    let Wire::Bytes(bytes) = wire else { continue };
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    match number {
                        1 => unknown.api_version = text,
                        2 => unknown.kind = text,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(raw)) => unknown.raw = raw,
            (1 | 2, wire) => {
                let field = if number == 1 { "TypeMeta" } else { "Raw" };
                let wire_type = wire.wire_type();
                return Err(DecodeError::WrongWireType { wire_type, field: field.to_owned() });
            }
            _ => {}
        }
    }
    Ok(unknown)
}

/// What a body begins with when its message has `length` bytes; after the message comes
/// [`SUFFIX`].
pub fn header(api_version: &str, kind: &str, length: usize) -> Vec<u8> {
    let mut type_meta = Vec::with_capacity(api_version.len() + kind.len() + 4);
    put_bytes(&mut type_meta, 1, api_version.as_bytes());
    put_bytes(&mut type_meta, 2, kind.as_bytes());
    let mut header = PREFIX.to_vec();
    put_bytes(&mut header, 1, &type_meta);
    put_length(&mut header, 2, length);
    header
}

/// The whole body around a message.
pub fn seal(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let mut body = header(api_version, kind, message.len());
    body.reserve_exact(message.len() + SUFFIX.len());
    body.extend_from_slice(message);
    body.extend_from_slice(SUFFIX);
    body
}

/// What an item of `length` bytes has before it in a list: tag and length.
///
/// Every list of the API has its metadata in field 1 and its items in field 2.
pub fn item_header(length: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(VARINT_MAX + 1);
    put_length(&mut header, 2, length);
    header
}

/// What a list's body begins with, up to its first item.
///
/// `metadata` is the message of its ListMeta ([`Codec::list_meta`](super::Codec::list_meta)),
/// `items` the bytes of all items, each with its [`item_header`].
pub fn list_header(api_version: &str, list_kind: &str, metadata: &[u8], items: usize) -> Vec<u8> {
    let mut first = Vec::with_capacity(metadata.len() + VARINT_MAX + 1);
    put_bytes(&mut first, 1, metadata);
    let mut body = header(api_version, list_kind, first.len() + items);
    body.extend_from_slice(&first);
    body
}

/// The whole body of a list of `items`, which are messages.
pub fn list<'a>(
    api_version: &str,
    list_kind: &str,
    metadata: &[u8],
    items: impl Iterator<Item = &'a [u8]> + Clone,
) -> Vec<u8> {
    let length = items.clone().map(|item| item_header(item.len()).len() + item.len()).sum();
    let mut body = list_header(api_version, list_kind, metadata, length);
    body.reserve_exact(length + SUFFIX.len());
    for item in items {
        put_bytes(&mut body, 2, item);
    }
    body.extend_from_slice(SUFFIX);
    body
}

/// A frame of a watch: four bytes of length, the highest first, and a WatchEvent with the
/// object's whole body in it. Of an event there is no envelope of its own.
///
/// Source: k8s.io/apimachinery `pkg/util/framer`; the WatchEvent of `meta/v1`.
pub fn watch_frame(event_type: &str, body: &[u8]) -> Vec<u8> {
    let mut object = Vec::with_capacity(body.len() + VARINT_MAX + 1);
    put_bytes(&mut object, 1, body);
    let mut event = Vec::with_capacity(object.len() + event_type.len() + 2 * VARINT_MAX);
    put_bytes(&mut event, 1, event_type.as_bytes());
    put_bytes(&mut event, 2, &object);
    let length = u32::try_from(event.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(event.len() + 4);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&event);
    frame
}

/// An object's JSON begins with kind and apiVersion.
pub(super) fn with_type(object: Value, api_version: &str, kind: &str) -> Value {
    let Value::Object(members) = object else { return object };
    let mut whole = Map::new();
    whole.insert("kind".into(), kind.into());
    whole.insert("apiVersion".into(), api_version.into());
    whole.extend(members);
    Value::Object(whole)
}

fn put_bytes(to: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    put_length(to, number, bytes.len());
    to.extend_from_slice(bytes);
}

/// Tag of a number below 16, and a length.
fn put_length(to: &mut Vec<u8>, number: u8, length: usize) {
    to.push(number << 3 | 2);
    let mut bytes = [0; VARINT_MAX];
    let end = put_varint(&mut bytes, length as u64);
    to.extend_from_slice(&bytes[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_open_as_they_were_sealed() {
        let body = seal("apps/v1", "Deployment", b"message");
        let unknown = open(&body).unwrap();
        assert_eq!((&*unknown.api_version, &*unknown.kind), ("apps/v1", "Deployment"));
        assert_eq!(unknown.raw, b"message");
    }

    #[test]
    fn what_is_no_body_is_refused() {
        for (body, words) in [
            (&b""[..], "empty data"),
            (b"k8s\0", "empty body"),
            (
                b"{}",
                "provided data does not appear to be a protobuf message, expected prefix [107 56 \
                 115 0]",
            ),
            (b"k8s\0\x0a\x07", "unexpected EOF"),
        ] {
            assert_eq!(open(body).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn a_list_is_its_header_and_its_items() {
        let items: Vec<u8> = [&b"one"[..], b"three"]
            .iter()
            .flat_map(|item| [item_header(item.len()), item.to_vec()].concat())
            .collect();
        let mut body = list_header("v1", "ConfigMapList", b"meta", items.len());
        body.extend_from_slice(&items);
        body.extend_from_slice(SUFFIX);
        let raw = open(&body).unwrap().raw;
        assert_eq!(raw, b"\x0a\x04meta\x12\x03one\x12\x05three");
        let items = [&b"one"[..], b"three"].into_iter();
        assert_eq!(list("v1", "ConfigMapList", b"meta", items), body);
    }

    #[test]
    fn a_frame_has_its_length_first() {
        assert_eq!(watch_frame("ADDED", b"x"), b"\0\0\0\x0c\x0a\x05ADDED\x12\x03\x0a\x01x");
    }
}
