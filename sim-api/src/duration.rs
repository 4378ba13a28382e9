//! Durations as Go writes and reads them: flags and `?timeout=`.

use std::time::Duration;

/// A text that is no duration; displays as Go's `time.ParseDuration` says it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form number-unit.
    #[error("time: invalid duration {}", crate::go::quote(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", crate::go::quote(.0))]
    MissingUnit(String),
    /// A unit that is not ns, us, ms, s, m or h.
    #[error("time: unknown unit {} in duration {}", crate::go::quote(.1), crate::go::quote(.0))]
    UnknownUnit(String, String),
}

/// Reads `1m0s`, `1.5h`, `300ms`, `0`. Negative durations read as zero.
///
/// # Errors
///
/// [`DurationError`], in Go's words.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        if number.is_empty() || number == "." || number.matches('.').count() > 1 {
            return Err(invalid());
        }
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let scale: u128 = match unit {
            "" => return Err(DurationError::MissingUnit(text.to_owned())),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            other => return Err(DurationError::UnknownUnit(text.to_owned(), other.to_owned())),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        nanos += scale * parse_digits(whole).ok_or_else(invalid)?;
        let mut place = scale;
        for digit in fraction.bytes() {
            place /= 10;
            nanos += place * u128::from(digit - b'0');
        }
        if nanos > i64::MAX as u128 {
            return Err(invalid());
        }
        rest = tail;
    }
    let nanos = u64::try_from(nanos).map_err(|_| invalid())?;
    Ok(if negative { Duration::ZERO } else { Duration::from_nanos(nanos) })
}

/// The answer to a `?timeout=` that is no duration. Source: `filters/request_deadline.go`.
pub fn invalid_timeout(text: &str) -> crate::status::Status {
    crate::status::Status::bad_request(format!(
        "invalid timeout specified in the request URL - {}",
        parse(text).err().map_or_else(String::new, |error| error.to_string())
    ))
}

fn parse_digits(digits: &str) -> Option<u128> {
    if digits.is_empty() { Some(0) } else { digits.parse().ok().filter(|n| *n < 1 << 63) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_reads_them() {
        for (text, millis) in
            [("1m0s", 60_000), ("1.5h", 5_400_000), ("300ms", 300), ("0", 0), ("32s", 32_000)]
        {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        assert_eq!(parse("10").unwrap_err().to_string(), "time: missing unit in duration \"10\"");
        assert_eq!(parse("x").unwrap_err().to_string(), "time: invalid duration \"x\"");
        assert_eq!(
            parse("3d").unwrap_err().to_string(),
            "time: unknown unit \"d\" in duration \"3d\""
        );
        assert!(parse("99999999999999999999h").is_err());
    }
}
