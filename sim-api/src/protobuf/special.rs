//! The types whose JSON is text, a number or a choice.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

/// Seconds and nanoseconds of a time as JSON has it; `None` for Go's zero time and for what is
/// no time.
pub(super) fn time_parts(value: &Value) -> Option<(i64, i32)> {
    let time: Timestamp = value.as_str()?.parse().ok()?;
    let nanos = time.subsec_nanosecond();
    // Nanoseconds count forward from the second, also before 1970.
    let (seconds, nanos) = match nanos {
        ..0 => (time.as_second() - 1, nanos + NANOS_PER_SECOND),
        _ => (time.as_second(), nanos),
    };
    (seconds != GO_ZERO_SECONDS || nanos != 0).then_some((seconds, nanos))
}

/// RFC 3339 to the second, as `metav1.Time` is in JSON.
pub(super) fn time_text(seconds: i64) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC);
    Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// RFC 3339 with six decimals, as `metav1.MicroTime` is in JSON.
pub(super) fn micro_time_text(seconds: i64, nanos: i32) -> Option<String> {
    let time = Timestamp::new(seconds, nanos).ok()?.to_zoned(TimeZone::UTC);
    Some(time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

/// Nanoseconds of a duration as JSON has it.
pub(super) fn duration_nanos(value: &Value) -> i64 {
    let Some(text) = value.as_str() else { return 0 };
    let (text, sign) = text.strip_prefix('-').map_or((text, 1), |rest| (rest, -1));
    let duration = crate::duration::parse(text).unwrap_or_default();
    sign * i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Go's `time.Duration.String`.
pub(super) fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < NANOS_PER_SECOND as u64 {
        let (unit, scale) = match nanos {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{sign}{}{unit}", decimal(nanos, scale));
    }
    let seconds = decimal(nanos % NANOS_PER_MINUTE, NANOS_PER_SECOND as u64);
    let minutes = nanos / NANOS_PER_MINUTE;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / scale` without trailing zeros; `scale` is a power of ten.
fn decimal(value: u64, scale: u64) -> String {
    let (whole, fraction) = (value / scale, value % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let places = scale.ilog10() as usize;
    let fraction = format!("{fraction:0places$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// A quantity's text; JSON may have a number there.
pub(super) fn quantity_text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "0".to_owned(),
    }
}

const NANOS_PER_SECOND: i32 = 1_000_000_000;
const NANOS_PER_MINUTE: u64 = 60 * NANOS_PER_SECOND as u64;

/// 0001-01-01T00:00:00Z, the time that Go takes for none.
const GO_ZERO_SECONDS: i64 = -62_135_596_800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, parts) in [
            ("2025-01-02T03:04:05Z", Some((1_735_787_045, 0))),
            ("2025-01-02T04:04:05+01:00", Some((1_735_787_045, 0))),
            ("2025-01-02T03:04:05.000006Z", Some((1_735_787_045, 6_000))),
            ("1969-12-31T23:59:58.5Z", Some((-2, 500_000_000))),
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("0001-01-01T00:00:00Z", None),
            ("yesterday", None),
        ] {
            assert_eq!(time_parts(&text.into()), parts, "{text}");
        }
        assert_eq!(time_text(1_735_787_045).unwrap(), "2025-01-02T03:04:05Z");
        assert_eq!(micro_time_text(-2, 500_000_000).unwrap(), "1969-12-31T23:59:58.500000Z");
        assert_eq!(time_text(i64::MAX), None);
    }

    #[test]
    fn durations_are_written_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (300_000_000, "300ms"),
            (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"),
            (-5_400_000_000_000, "-1h30m0s"),
        ] {
            assert_eq!(duration_text(nanos), text);
            assert_eq!(duration_nanos(&text.into()), nanos);
        }
    }
}
