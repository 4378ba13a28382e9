//! An HTTP/1.1 client that costs as little as a client can: blocking reads into one buffer,
//! bodies counted and not kept.
//!
//! What is measured is the server, so the client must not be what is slow. It also lets a reader
//! take exactly as many bytes as it wants, which a client with buffers of its own would hide.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Context as _;

/// A connection, with at most one response on it.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    framing: Framing,
}

/// What of the body comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Framing {
    /// Bytes of a body with a Content-Length.
    Body(u64),
    /// Bytes of a chunk.
    Chunk(u64),
    /// The line break after a chunk.
    ChunkEnd,
    /// A chunk's length, so far.
    Size(u64),
    /// The empty line after the last chunk.
    Trailer,
    /// Nothing.
    Done,
}

impl Client {
    /// Connects; `buffer_bytes` is the most that is read at a time, at least that of a head.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub fn connect(address: SocketAddr, buffer_bytes: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let buffer = vec![0; buffer_bytes.max(HEAD_MAX)].into_boxed_slice();
        Ok(Self { stream, buffer, at: 0, end: 0, framing: Framing::Done })
    }

    /// Sends a GET, and reads the answer's head.
    ///
    /// # Errors
    ///
    /// When the answer is not 200, or none comes within a minute.
    pub fn get(&mut self, path: &str) -> anyhow::Result<()> {
        anyhow::ensure!(self.framing == Framing::Done, "the last body has not been read");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n\
             User-Agent: benches\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes())?;
        self.buffer.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        let head_end = loop {
            let seen = &self.buffer[..self.end];
            if let Some(at) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            anyhow::ensure!(self.end < self.buffer.len(), "{path}: a head without an end");
            let read = self.stream.read(&mut self.buffer[self.end..])?;
            anyhow::ensure!(read > 0, "{path}: the connection ended in the head");
            self.end += read;
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).to_ascii_lowercase();
        let status = head.lines().next().unwrap_or_default();
        anyhow::ensure!(status.contains(" 200 "), "{path}: {status}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        self.framing = match length {
            Some(length) => match length.trim().parse()? {
                0 => Framing::Done,
                length => Framing::Body(length),
            },
            None => Framing::Size(0),
        };
        self.at = head_end;
        Ok(())
    }

    /// Reads at most `limit` bytes off the connection, once, and hands what of them is body to
    /// `take`. Returns how many bytes of body there were; `None` when the body is complete.
    ///
    /// # Errors
    ///
    /// When the connection ends early, or nothing comes for a minute.
    pub fn read_body(
        &mut self,
        limit: usize,
        mut take: impl FnMut(&[u8]),
    ) -> anyhow::Result<Option<u64>> {
        if self.framing == Framing::Done {
            return Ok(None);
        }
        if self.at == self.end {
            let limit = limit.clamp(1, self.buffer.len());
            self.end = self.stream.read(&mut self.buffer[..limit])?;
            self.at = 0;
            anyhow::ensure!(self.end > 0, "the connection ended in the body");
        }
        let mut body = 0;
        while self.at < self.end && self.framing != Framing::Done {
            let rest = &self.buffer[self.at..self.end];
            let (used, next) = step(self.framing, rest)?;
            if let Framing::Body(_) | Framing::Chunk(_) = self.framing {
                take(&rest[..used]);
                body += used as u64;
            }
            self.at += used;
            self.framing = next;
        }
        Ok(Some(body))
    }

    /// Reads the rest of the body, and returns how long it was.
    ///
    /// # Errors
    ///
    /// As [`read_body`](Self::read_body).
    pub fn drain(&mut self) -> anyhow::Result<u64> {
        let mut bytes = 0;
        while let Some(read) = self.read_body(usize::MAX, |_| {})? {
            bytes += read;
        }
        Ok(bytes)
    }
}

/// The body of one GET on a connection of its own.
///
/// # Errors
///
/// As [`Client::get`] and [`Client::read_body`].
pub fn get(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut client = Client::connect(address, 256 << 10)?;
    client.get(path)?;
    let mut body = Vec::new();
    while client.read_body(usize::MAX, |bytes| body.extend_from_slice(bytes))?.is_some() {}
    Ok(body)
}

/// How many of `bytes`, of which there is at least one, belong to `framing`; and what follows.
fn step(framing: Framing, bytes: &[u8]) -> anyhow::Result<(usize, Framing)> {
    let first = bytes[0];
    let within =
        |left: u64| usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    Ok(match framing {
        Framing::Body(left) => match (within(left), left) {
            (used, left) if used as u64 == left => (used, Framing::Done),
            (used, left) => (used, Framing::Body(left - used as u64)),
        },
        Framing::Chunk(left) => match (within(left), left) {
            (used, left) if used as u64 == left => (used, Framing::ChunkEnd),
            (used, left) => (used, Framing::Chunk(left - used as u64)),
        },
        // A carriage return says nothing that the line feed after it does not.
        Framing::Size(_) | Framing::ChunkEnd | Framing::Trailer if first == b'\r' => (1, framing),
        Framing::Size(0) if first == b'\n' => (1, Framing::Trailer),
        Framing::Size(size) if first == b'\n' => (1, Framing::Chunk(size)),
        Framing::Size(size) => {
            let digit = char::from(first).to_digit(16).context("a chunk's length is no number")?;
            (1, Framing::Size(size * 16 + u64::from(digit)))
        }
        Framing::ChunkEnd => (1, Framing::Size(0)),
        Framing::Trailer | Framing::Done => (1, Framing::Done),
    })
}

/// Nothing here takes a minute that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// Room for a head.
const HEAD_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answer(text: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            for _ in 0..2 {
                if stream.read(&mut request).unwrap() == 0 {
                    break;
                }
                for byte in text.as_bytes() {
                    stream.write_all(&[*byte]).unwrap();
                }
            }
        });
        address
    }

    #[test]
    fn both_framings_are_read_on_one_connection() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n0123456789abcdefg",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
             A\r\n0123456789\r\n7\r\nabcdefg\r\n0\r\n\r\n",
        ] {
            let mut client = Client::connect(answer(text), 0).unwrap();
            for limit in [3, usize::MAX] {
                client.get("/").unwrap();
                let mut body = Vec::new();
                while client
                    .read_body(limit, |bytes| body.extend_from_slice(bytes))
                    .unwrap()
                    .is_some()
                {}
                assert_eq!(body, b"0123456789abcdefg");
            }
        }
    }

    #[test]
    fn what_is_not_200_is_an_error() {
        let address = answer("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n");
        assert!(get(address, "/x").unwrap_err().to_string().contains("429"));
    }
}
