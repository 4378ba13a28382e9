//! How people write lengths of time, byte counts and rates.

use std::time::Duration;

/// A length of time as Go writes it: `300ms`, `1.5h`, `2h45m`, `1m30s`, `0`.
///
/// # Errors
/// A message without a field name.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 30s, 1m30s or 500ms");
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(number_end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    Ok(total)
}

/// A number of bytes: `512`, `64KiB`, `1Mi`, `2.5MB`, `1G`. `Ki` is 1,024 and `k` is 1,000.
///
/// # Errors
/// A message without a field name.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a number of bytes such as 500KiB or 1MB");
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let scale: f64 = match unit.trim().trim_end_matches('B') {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        _ => return Err(wrong()),
    };
    let bytes = number * scale;
    if !(0.0..=9e15).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be between 0 and 9e15"
    )]
    Ok(bytes.round() as u64)
}

/// Bytes a second: a byte count with or without `/s`.
///
/// # Errors
/// A message without a field name.
pub fn bytes_per_s(text: &str) -> Result<u64, String> {
    match bytes(text.trim().trim_end_matches("/s"))? {
        0 => Err("must be more than 0 bytes a second".to_owned()),
        rate => Ok(rate),
    }
}

/// Events a second: `50`, `50/s`, `3000/m`, `0.5/s`.
///
/// # Errors
/// A message without a field name.
pub fn per_s(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is not a rate such as 50/s or 3000/m");
    let (number, per) = text.trim().split_once('/').unwrap_or_else(|| (text.trim(), "s"));
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match per {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    if number.is_finite() && number > 0.0 { Ok(number / seconds) } else { Err(wrong()) }
}

/// A length of time as Go prints it to a person: `4h0m0s`, `1m30s`, `3s`, `500ms`.
pub fn go_duration(time: Duration) -> String {
    if time.is_zero() {
        return "0s".to_owned();
    }
    if time < Duration::from_secs(1) {
        let micros = time.as_micros();
        return if micros.is_multiple_of(1000) {
            format!("{}ms", micros / 1000)
        } else {
            format!("{micros}µs")
        };
    }
    let seconds = time.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = format!("{:09}", time.subsec_nanos());
    let fraction = fraction.trim_end_matches('0');
    let seconds = seconds % 60;
    let seconds =
        if fraction.is_empty() { format!("{seconds}s") } else { format!("{seconds}.{fraction}s") };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// To whole seconds, halves up.
pub fn rounded(time: Duration) -> Duration {
    Duration::from_secs(time.saturating_add(Duration::from_millis(500)).as_secs())
}

/// A byte count for people: `512 B`, `1.5 KiB`, `343 MiB`.
pub fn show_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 || unit == "GiB" {
            let digits = if unit == "B" || value >= 100.0 { 0 } else { 1 };
            return format!("{value:.digits$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, ms) in [
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("500ms", 500),
            ("4h0m0s", 14_400_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1d", "1s2", "99999999999999999999h", "1..5s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for text in ["4h0m0s", "1m30s", "3s", "500ms", "2.5s", "1h1m1s", "0s"] {
            assert_eq!(go_duration(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn bytes_know_both_families_of_units() {
        for (text, n) in [
            ("512", 512),
            ("1Ki", 1024),
            ("64KiB", 65_536),
            ("1.5MiB", 1_572_864),
            ("2MB", 2_000_000),
            ("1G", 1_000_000_000),
        ] {
            assert_eq!(bytes(text), Ok(n), "{text}");
        }
        assert_eq!(bytes_per_s("1MiB/s"), Ok(1_048_576));
        for text in ["", "MiB", "1XB", "-5", "1e9", "99999999999999G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(bytes_per_s("0").is_err());
    }

    #[test]
    fn rates_are_per_second_unless_said() {
        assert_eq!(per_s("50"), Ok(50.0));
        assert_eq!(per_s("3000/m"), Ok(50.0));
        assert_eq!(per_s("0.5/s"), Ok(0.5));
        for text in ["0", "-1/s", "NaN", "5/d", "", "/s"] {
            assert!(per_s(text).is_err(), "{text}");
        }
    }

    #[test]
    fn byte_counts_are_shown_in_three_digits_or_so() {
        assert_eq!(show_bytes(512), "512 B");
        assert_eq!(show_bytes(1536), "1.5 KiB");
        assert_eq!(show_bytes(343 << 20), "343 MiB");
        assert_eq!(show_bytes(3 << 40), "3072 GiB");
    }
}
