//! How long a request may take, and how long of that it may wait in a queue.

use std::time::Duration;

use sim_time::SimTime;
use thiserror::Error;

use crate::query::values;

/// The query's `timeout` is no Go duration. The server answers 400.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("invalid timeout specified in the request URL: {0:?}")]
pub struct InvalidTimeout(pub String);

/// When a request that is not long-running must have been answered.
///
/// `max` is the flag `--request-timeout`; the query's `timeout` shortens it. Zero, negative and
/// greater ones mean `max`. Source: `pkg/endpoints/filters/request_deadline.go`.
pub fn request_deadline(
    received: SimTime,
    query: &str,
    max: Duration,
) -> Result<SimTime, InvalidTimeout> {
    let text = values(query).find(|(key, _)| key == "timeout").map(|(_, value)| value);
    let timeout = match text.as_deref() {
        None | Some("") => max,
        Some(text) => {
            match parse_go_duration(text).ok_or_else(|| InvalidTimeout(text.to_owned()))? {
                nanos if nanos > 0 => Duration::from_nanos(nanos.unsigned_abs()).min(max),
                _ => max,
            }
        }
    };
    Ok(received + timeout)
}

/// When a request leaves its queue unserved: after a quarter of its time, at most a minute, counted
/// from its receipt.
///
/// `deadline` is that of [`request_deadline`], `None` for watches, whose quarter is one of
/// `request_timeout`. A deadline that has passed at `now` is returned as it is.
///
/// Source: `getRequestWaitContext` in `pkg/server/filters/priority-and-fairness.go`.
pub fn queue_wait_deadline(
    now: SimTime,
    received: SimTime,
    deadline: Option<SimTime>,
    request_timeout: Duration,
) -> SimTime {
    if let Some(deadline) = deadline
        && deadline <= now
    {
        return deadline;
    }
    let whole = deadline.map_or(request_timeout, |deadline| deadline.saturating_since(received));
    received + (whole / 4).min(MAX_QUEUE_WAIT)
}

/// Nanoseconds of a duration as Go writes it: `1h30m`, `-1.5s`, `250ms`, `0`.
///
/// Source: `time.ParseDuration`.
fn parse_go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
        let whole_len = digits(rest);
        let (whole, after) = rest.split_at(whole_len);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_len = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let unit = *UNITS.iter().find(|(name, _)| *name == unit).map(|(_, nanos)| nanos)?;
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(unit)?)?;
        let mut scale = unit as f64;
        let mut part = 0.0;
        for digit in fraction.bytes() {
            scale /= 10.0;
            part += f64::from(digit - b'0') * scale;
        }
        total = total.checked_add(crate::num::trunc_to_i64(part + 1e-6).unsigned_abs())?;
        rest = after;
    }
    let nanos = i64::try_from(total).ok()?;
    Some(if negative { -nanos } else { nanos })
}

/// Units of a Go duration, in nanoseconds.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// `maxRequestWait` of the filter: no request waits longer.
const MAX_QUEUE_WAIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        assert_eq!(parse_go_duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(parse_go_duration("-1.5s"), Some(-1_500_000_000));
        assert_eq!(parse_go_duration("1.001ms"), Some(1_001_000));
        assert_eq!(parse_go_duration("0"), Some(0));
        for bad in ["", "-", "1", "s", "1x", ".s", "99999999999h"] {
            assert_eq!(parse_go_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_flag_of_five_minutes_lets_requests_wait_one() {
        let deadline = request_deadline(SimTime::ZERO, "", Duration::from_secs(300)).unwrap();
        let wait = queue_wait_deadline(
            SimTime::ZERO,
            SimTime::ZERO,
            Some(deadline),
            Duration::from_secs(300),
        );
        assert_eq!(wait, SimTime::from_secs(60));
    }
}
