//! A piece of a body made of shared byte ranges, written with one vectored write.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Byte ranges that are sent one after the other, without being copied together.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    parts: Vec<Bytes>,
    at: usize,
    remaining: usize,
}

impl Segments {
    /// No bytes, with room for `parts` ranges.
    pub fn with_capacity(parts: usize) -> Self {
        Self { parts: Vec::with_capacity(parts), at: 0, remaining: 0 }
    }

    /// Appends a range; an empty one is left out.
    pub fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.remaining += part.len();
            self.parts.push(part);
        }
    }

    /// Number of ranges not yet consumed.
    pub fn parts(&self) -> usize {
        self.parts.len() - self.at
    }

    /// Bytes left.
    pub fn len(&self) -> usize {
        self.remaining
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// The ranges not yet consumed.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.parts[self.at..].iter()
    }
}

impl From<Bytes> for Segments {
    fn from(bytes: Bytes) -> Self {
        let mut segments = Self::with_capacity(1);
        segments.push(bytes);
        segments
    }
}

impl Buf for Segments {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.parts.get(self.at).map_or(&[], |part| &part[..])
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, part) in into.iter_mut().zip(self.iter()) {
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining, "advanced past the end");
        self.remaining -= count;
        let mut left = count;
        while left > 0 {
            let part = &mut self.parts[self.at];
            if left < part.len() {
                part.advance(left);
                return;
            }
            left -= part.len();
            // Lets go of the object as soon as its bytes are with the socket.
            *part = Bytes::new();
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_whatever_the_steps() {
        for step in 1..12 {
            let mut segments = Segments::default();
            for part in ["ab", "", "cdefg", "h", "ij"] {
                segments.push(Bytes::from_static(part.as_bytes()));
            }
            assert_eq!(segments.parts(), 4);
            let mut out = Vec::new();
            while segments.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let filled = segments.chunks_vectored(&mut slices);
                let seen: Vec<u8> =
                    slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                let take = step.min(seen.len());
                out.extend_from_slice(&seen[..take]);
                segments.advance(take);
            }
            assert_eq!(out, b"abcdefghij");
            assert!(segments.is_empty());
        }
    }
}
