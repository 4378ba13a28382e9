//! Reading an answer's body: frame by frame, thrown away, at a chosen speed.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use flate2::write::GzDecoder;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// What was read of a body.
#[derive(Debug)]
pub struct BodyRead {
    /// Bytes as they came, compressed ones if they came compressed.
    pub wire_bytes: u64,
    /// Bytes after decompression when that was asked for; otherwise [`wire_bytes`](Self::wire_bytes).
    pub body_bytes: u64,
    /// When the first byte came; `None` for an empty body.
    pub first_byte: Option<Instant>,
    /// The error that ended the body early.
    pub cut: Option<hyper::Error>,
    /// Whether what was to be decompressed could not be.
    pub corrupt: bool,
}

/// How a body is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions {
    /// Bytes a second to take from the socket; `None` is as fast as they come.
    pub bytes_per_s: Option<u64>,
    /// Decompress gzip to count the bytes behind it (costs CPU on this side).
    pub inflate: bool,
}

/// Reads `body` to its end and throws it away. Never holds more than one frame.
///
/// `so_far` is raised as bytes come, so that they are counted even when this future is dropped.
pub async fn discard(body: &mut Incoming, options: ReadOptions, so_far: &AtomicU64) -> BodyRead {
    let mut read =
        BodyRead { wire_bytes: 0, body_bytes: 0, first_byte: None, cut: None, corrupt: false };
    let mut pacer = options.bytes_per_s.map(Pacer::new);
    let mut inflater = options.inflate.then(|| GzDecoder::new(CountBytes(0)));
    while let Some(frame) = body.frame().await {
        let data: Bytes = match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => data,
                Err(_trailers) => continue,
            },
            Err(error) => {
                read.cut = Some(error);
                break;
            }
        };
        let now = Instant::now();
        if read.first_byte.is_none() && !data.is_empty() {
            read.first_byte = Some(now);
        }
        read.wire_bytes += data.len() as u64;
        so_far.fetch_add(data.len() as u64, Ordering::Relaxed);
        if let Some(inflater) = &mut inflater {
            read.corrupt |= inflater.write_all(&data).is_err();
        }
        drop(data);
        if let (Some(pacer), Some(first)) = (&mut pacer, read.first_byte) {
            let wait = pacer.handle_read(read.wire_bytes, now - first);
            if !wait.is_zero() {
                // Not polling the body is what makes the connection stop reading its socket.
                tokio::time::sleep(wait).await;
            }
        }
    }
    read.body_bytes = match inflater {
        Some(mut inflater) => {
            read.corrupt |= read.cut.is_none() && inflater.try_finish().is_err();
            inflater.get_ref().0
        }
        None => read.wire_bytes,
    };
    read
}

/// Decides how long to stop reading, so that no more than a rate comes through.
///
/// Time lost (to a stalled server, to a late timer) is not made up for by a burst: a slow client
/// stays slow.
#[derive(Debug)]
struct Pacer {
    bytes_per_s: u64,
    /// Bytes counted when the schedule was last moved, and where it then stood.
    bytes: u64,
    due: Duration,
}

impl Pacer {
    fn new(bytes_per_s: u64) -> Self {
        Self { bytes_per_s: bytes_per_s.max(1), bytes: 0, due: Duration::ZERO }
    }

    /// `total` bytes have been read, the last of them at `since_first`; how long to stop now.
    fn handle_read(&mut self, total: u64, since_first: Duration) -> Duration {
        let nanos = u128::from(total - self.bytes) * 1_000_000_000 / u128::from(self.bytes_per_s);
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        self.bytes = total;
        let start = self.due.max(since_first.saturating_sub(SLACK));
        self.due = start.saturating_add(Duration::from_nanos(nanos));
        self.due.saturating_sub(since_first)
    }
}

/// How much lost time may be made up for: a little more than a timer's lateness.
const SLACK: Duration = Duration::from_millis(20);

struct CountBytes(u64);

impl Write for CountBytes {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn frames_are_spread_over_the_time_that_the_rate_gives_them() {
        let mut pacer = Pacer::new(1_000_000);
        assert_eq!(pacer.handle_read(100_000, Duration::ZERO), 100 * MS);
        assert_eq!(pacer.handle_read(200_000, 100 * MS), 100 * MS);
        assert_eq!(pacer.handle_read(200_000, 150 * MS), 50 * MS, "nothing new was read");
    }

    #[test]
    fn a_stall_is_not_made_up_for() {
        let mut pacer = Pacer::new(1_000_000);
        pacer.handle_read(100_000, Duration::ZERO);
        assert_eq!(pacer.handle_read(200_000, 5000 * MS), 80 * MS, "100 ms less the slack");
    }

    #[test]
    fn no_rate_and_no_count_overflows() {
        let mut pacer = Pacer::new(0);
        let wait = pacer.handle_read(u64::MAX, Duration::ZERO);
        assert_eq!(wait, Duration::from_nanos(u64::MAX));
        assert!(pacer.handle_read(u64::MAX, Duration::MAX) >= Duration::ZERO);
    }
}
