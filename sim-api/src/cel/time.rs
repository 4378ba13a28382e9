//! Times and durations.

use jiff::{Timestamp, tz::TimeZone};

/// Reads a duration of Go's form, in nanoseconds.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let nanos = crate::duration::parse(rest).ok()?.as_nanos();
    i64::try_from(nanos).ok().map(|nanos| sign * nanos)
}

/// As CEL prints a duration: in seconds.
#[expect(clippy::cast_precision_loss, reason = "printed with nine digits at most")]
pub(super) fn show_duration(nanos: i64) -> String {
    format!("{}s", nanos as f64 / 1e9)
}

/// A part of a time, in a time zone where one is given.
pub(super) fn part(at: Timestamp, zone: Option<&str>, name: &str) -> Option<i64> {
    let zone = match zone {
        None | Some("UTC" | "") => TimeZone::UTC,
        Some(zone) => {
            let (sign, digits) = match zone.strip_prefix('-') {
                Some(digits) => (-1, digits),
                None => (1, zone.strip_prefix('+').unwrap_or(zone)),
            };
            let (hours, minutes) = digits.split_once(':')?;
            let hours: i32 = hours.parse().ok()?;
            let minutes: i32 = minutes.parse().ok()?;
            let offset = jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60));
            TimeZone::fixed(offset.ok()?)
        }
    };
    let at = at.to_zoned(zone);
    Some(match name {
        "getFullYear" => at.year().into(),
        "getMonth" => i64::from(at.month()) - 1,
        "getDate" => at.day().into(),
        "getDayOfMonth" => i64::from(at.day()) - 1,
        "getDayOfWeek" => at.weekday().to_sunday_zero_offset().into(),
        "getDayOfYear" => i64::from(at.day_of_year()) - 1,
        "getHours" => at.hour().into(),
        "getMinutes" => at.minute().into(),
        "getSeconds" => at.second().into(),
        "getMilliseconds" => at.millisecond().into(),
        _ => return None,
    })
}

/// A part of a duration.
pub(super) fn duration_part(nanos: i64, name: &str) -> Option<i64> {
    Some(match name {
        "getHours" => nanos / 3_600_000_000_000,
        "getMinutes" => nanos / 60_000_000_000,
        "getSeconds" => nanos / 1_000_000_000,
        "getMilliseconds" => nanos / 1_000_000,
        _ => return None,
    })
}
