//! gzip as the real server applies it to GET and LIST.
//!
//! Level 1, for clients whose Accept-Encoding has the exact token `gzip`, and bodies of more than
//! 128 KiB. Source: `responsewriters/writers.go`, `deferredResponseWriter`; the decision is taken
//! at the first write: a buffered body is one write, a streamed one begins with `{` and is held
//! back until it is known to be larger.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use super::{Source, segments::Segments};

/// Bodies of up to this many bytes are never compressed. Source: `defaultGzipThresholdBytes`.
pub const THRESHOLD_BYTES: usize = 128 << 10;

/// Whether an Accept-Encoding header asks for gzip in the way the real server understands:
/// comma-separated tokens, trimmed, compared exactly; `gzip;q=1.0` is not `gzip`.
pub fn is_accepted(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|token| token.trim() == "gzip")
}

/// The first pieces of a source, up to and with the one that passes the threshold.
pub struct Peeked<S> {
    held: std::collections::VecDeque<Segments>,
    rest: S,
    /// Whether the whole body is larger than [`THRESHOLD_BYTES`].
    pub is_large: bool,
}

impl<S: Source> Peeked<S> {
    /// Reads pieces until the size is decided.
    pub fn new(mut source: S) -> Self {
        let mut held = std::collections::VecDeque::new();
        let mut bytes = 0;
        while bytes <= THRESHOLD_BYTES {
            let Some(piece) = source.next_piece() else { break };
            bytes += piece.len();
            held.push_back(piece);
        }
        Self { held, rest: source, is_large: bytes > THRESHOLD_BYTES }
    }
}

impl<S: Source> Source for Peeked<S> {
    fn next_piece(&mut self) -> Option<Segments> {
        self.held.pop_front().or_else(|| self.rest.next_piece())
    }
}

/// Compresses a source while it is sent.
pub struct Gzip<S> {
    source: S,
    encoder: Option<GzEncoder<Vec<u8>>>,
    current: Option<Segments>,
}

impl<S: Source> Gzip<S> {
    /// gzip, level 1.
    pub fn new(source: S) -> Self {
        let encoder = GzEncoder::new(Vec::with_capacity(CHUNK_BYTES), Compression::new(1));
        Self { source, encoder: Some(encoder), current: None }
    }
}

impl<S: Source> Source for Gzip<S> {
    fn next_piece(&mut self) -> Option<Segments> {
        use bytes::Buf;
        loop {
            let encoder = self.encoder.as_mut()?;
            if self.current.as_ref().is_none_or(Segments::is_empty) {
                self.current = self.source.next_piece();
            }
            let Some(piece) = &mut self.current else {
                let encoder = self.encoder.take()?;
                // Writing to a Vec cannot fail.
                let bytes = encoder.finish().unwrap_or_default();
                return (!bytes.is_empty()).then(|| Bytes::from(bytes).into());
            };
            let take = piece.chunk().len().min(CHUNK_BYTES);
            let written = encoder.write(&piece.chunk()[..take]).unwrap_or(take);
            piece.advance(written);
            if encoder.get_ref().len() >= CHUNK_BYTES {
                let bytes = std::mem::replace(encoder.get_mut(), Vec::with_capacity(CHUNK_BYTES));
                return Some(Bytes::from(bytes).into());
            }
        }
    }
}

/// Compressed bytes per piece, and how much is compressed between two looks at the output.
const CHUNK_BYTES: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{super::buffered::Buffered, *};

    fn drain(mut source: impl Source) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(piece) = source.next_piece() {
            assert!(!piece.is_empty(), "a source yields no empty piece");
            piece.iter().for_each(|part| out.extend_from_slice(part));
        }
        out
    }

    #[test]
    fn what_is_decompressed_is_what_was_compressed() {
        let body: Vec<u8> = (0..1_000_000_u32).flat_map(|n| (n / 3).to_le_bytes()).collect();
        let packed = drain(Gzip::new(Buffered::new(Bytes::from(body.clone()))));
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
        assert!(plain == body && packed.len() < body.len());
    }

    #[test]
    fn a_body_at_the_threshold_is_not_large() {
        for (len, large) in [(0, false), (THRESHOLD_BYTES, false), (THRESHOLD_BYTES + 1, true)] {
            let body = Bytes::from(vec![b'x'; len]);
            let peeked = Peeked::new(Buffered::new(body.clone()));
            assert_eq!(peeked.is_large, large, "{len} bytes");
            assert_eq!(drain(peeked), body);
        }
    }

    #[test]
    fn only_the_exact_token_asks_for_gzip() {
        for (header, accepted) in [
            ("gzip", true),
            ("deflate, gzip ,br", true),
            ("gzip;q=1.0", false),
            ("x-gzip", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(is_accepted(header), accepted, "{header}");
        }
    }
}
