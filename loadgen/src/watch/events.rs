//! Counts the events of a watch stream without decoding the objects in it.

/// Takes a stream in pieces, and knows the type of each event as soon as its first bytes are there.
#[derive(Debug)]
pub(super) struct EventCounter {
    form: Form,
    /// The first bytes of the event that is being read, up to [`HEAD_BYTES`].
    head: Vec<u8>,
    /// Whether its type is known already.
    known: bool,
}

#[derive(Debug)]
enum Form {
    /// `{"type":"ADDED","object":…}` and a line feed.
    Json,
    /// Four bytes of length, then that many of a `WatchEvent` whose first field is the type.
    Protobuf {
        /// Bytes of the length that are there.
        length: Vec<u8>,
        /// Bytes of the event that are still to come.
        left: u64,
    },
}

impl EventCounter {
    pub(super) fn json() -> Self {
        Self { form: Form::Json, head: Vec::new(), known: false }
    }

    pub(super) fn protobuf() -> Self {
        let form = Form::Protobuf { length: Vec::with_capacity(4), left: 0 };
        Self { form, head: Vec::new(), known: false }
    }

    /// Takes the next piece and returns the types of the events that became known.
    pub(super) fn feed(&mut self, mut data: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        while !data.is_empty() {
            data = match self.form {
                Form::Json => self.feed_json(data, &mut seen),
                Form::Protobuf { .. } => self.feed_frames(data, &mut seen),
            };
        }
        seen
    }

    fn feed_json<'a>(&mut self, data: &'a [u8], seen: &mut Vec<String>) -> &'a [u8] {
        let end = data.iter().position(|&b| b == b'\n');
        let (line, rest) = data.split_at(end.unwrap_or(data.len()));
        self.remember(line);
        if !self.known
            && let Some(kind) = json_type(&self.head)
        {
            seen.push(kind);
            self.known = true;
        }
        if end.is_none() {
            return rest;
        }
        if !self.known && !self.head.is_empty() {
            seen.push("unknown".to_owned());
        }
        self.next_event();
        &rest[1..]
    }

    fn feed_frames<'a>(&mut self, data: &'a [u8], seen: &mut Vec<String>) -> &'a [u8] {
        let Form::Protobuf { length, left } = &mut self.form else { return &[] };
        if *left == 0 {
            let missing = (4 - length.len()).min(data.len());
            length.extend_from_slice(&data[..missing]);
            if let Ok(bytes) = <[u8; 4]>::try_from(length.as_slice()) {
                *left = u64::from(u32::from_be_bytes(bytes));
                length.clear();
                self.next_event();
            }
            return &data[missing..];
        }
        let take = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
        *left -= take as u64;
        let done = *left == 0;
        self.remember(&data[..take]);
        if !self.known && (done || self.head.len() == HEAD_BYTES) {
            seen.push(protobuf_type(&self.head).unwrap_or_else(|| "unknown".to_owned()));
            self.known = true;
        }
        &data[take..]
    }

    fn remember(&mut self, data: &[u8]) {
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&data[..room.min(data.len())]);
    }

    fn next_event(&mut self) {
        self.head.clear();
        self.known = false;
    }
}

/// The type in the first bytes of an event, once it is whole.
fn json_type(head: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(head).ok()?;
    let (_, after) = text.split_once("\"type\":")?;
    let (kind, _) = after.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(kind.to_owned())
}

/// Field 1 of the message, a string.
fn protobuf_type(head: &[u8]) -> Option<String> {
    let [0x0a, length, rest @ ..] = head else { return None };
    let kind = rest.get(..usize::from(*length))?;
    std::str::from_utf8(kind).ok().map(str::to_owned)
}

/// Enough for the longest type; the server puts it first.
const HEAD_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(mut counter: EventCounter, data: &[u8], size: usize) -> Vec<String> {
        data.chunks(size).flat_map(|piece| counter.feed(piece)).collect()
    }

    #[test]
    fn json_events_are_counted_in_whatever_pieces_they_come() {
        let stream = concat!(
            "{\"type\":\"ADDED\",\"object\":{\"type\":\"MODIFIED\"}}\n",
            "{\"type\": \"BOOKMARK\",\"object\":{}}\n",
            "\n",
            "rubbish\n",
            "{\"type\":\"DELETED\",\"obj",
        );
        for size in [1, 2, 7, 1000] {
            let seen = in_pieces(EventCounter::json(), stream.as_bytes(), size);
            assert_eq!(seen, ["ADDED", "BOOKMARK", "unknown", "DELETED"], "{size}");
        }
    }

    #[test]
    fn protobuf_events_are_counted_in_whatever_pieces_they_come() {
        let mut stream = Vec::new();
        for kind in ["ADDED", "MODIFIED", ""] {
            let mut event = vec![0x0a, u8::try_from(kind.len()).unwrap()];
            event.extend_from_slice(kind.as_bytes());
            event.extend_from_slice(&[0x12, 100]);
            event.extend_from_slice(&[7; 100]);
            stream.extend_from_slice(&u32::try_from(event.len()).unwrap().to_be_bytes());
            stream.extend_from_slice(&event);
        }
        stream.extend_from_slice(&[0, 0, 0, 2, 9, 9]);
        for size in [1, 3, 50, 1000] {
            let seen = in_pieces(EventCounter::protobuf(), &stream, size);
            assert_eq!(seen, ["ADDED", "MODIFIED", "", "unknown"], "{size}");
        }
    }
}
