//! The `Retry-After` of a level's rejections, which grows while rejections go on.

use std::collections::VecDeque;

/// Counts the rejections of one level per second of wall-clock time.
///
/// The value moves only at the first rejection of a new second: it doubles when rejections were
/// many since the last rise, and goes down by one when they were few. Without rejections it stays.
///
/// Source: `pkg/util/flowcontrol/dropped_requests_tracker.go`.
#[derive(Clone, Debug)]
pub struct DroppedRequestsTracker {
    retry_after_s: u64,
    /// Second of the last rise, since 1970.
    increased_at: u64,
    second: u64,
    count: u64,
    /// (second, rejections) of earlier seconds.
    history: VecDeque<(u64, u64)>,
}

impl Default for DroppedRequestsTracker {
    fn default() -> Self {
        Self { retry_after_s: 1, increased_at: 0, second: 0, count: 0, history: VecDeque::new() }
    }
}

impl DroppedRequestsTracker {
    /// Notes a rejection in the second `unix_s` since 1970.
    pub fn record(&mut self, unix_s: u64) {
        if unix_s <= self.second {
            self.count += 1;
            return;
        }
        if self.count > 0 {
            self.history.push_back((self.second, self.count));
        }
        self.second = unix_s;
        self.count = 1;
        let kept = (2 * self.retry_after_s).min(MAX_RETRY_AFTER_S);
        while self.history.front().is_some_and(|(second, _)| unix_s - second > kept) {
            self.history.pop_front();
        }
        self.update(unix_s);
    }

    /// The header's value, in seconds: 1 to 32.
    pub const fn retry_after_s(&self) -> u64 {
        self.retry_after_s
    }

    fn update(&mut self, unix_s: u64) {
        let retry_after = self.retry_after_s;
        let recent = self.history.iter().filter(|(second, _)| unix_s - second <= retry_after);
        let dropped: u64 = recent.map(|(_, count)| count).sum();
        if unix_s - self.increased_at >= retry_after && dropped >= 3 * retry_after {
            self.retry_after_s = (2 * retry_after).min(MAX_RETRY_AFTER_S);
            self.increased_at = unix_s;
        } else if dropped < retry_after && retry_after > 1 {
            self.retry_after_s -= 1;
        }
    }
}

/// `maxRetryAfter`.
const MAX_RETRY_AFTER_S: u64 = 32;
