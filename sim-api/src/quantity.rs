//! Quantities: `100m`, `1.5Gi`, `2e3`.
//!
//! Source: k8s.io/apimachinery `pkg/api/resource` (release-1.33).

/// An amount in units of 10⁻⁹; what is beyond the range is its end.
///
/// `None` where the text is no quantity.
pub(crate) fn nanos(text: &str) -> Option<i128> {
    let (digits, exponent, base) = split(text)?;
    let (mantissa, places) = mantissa(digits)?;
    let mut nanos = mantissa;
    // The fraction and the unit of 10⁻⁹.
    let mut tens = 9 - i64::from(places);
    match base {
        Base::Ten => tens += exponent,
        Base::Two => {
            for _ in 0..exponent {
                nanos = nanos.saturating_mul(2);
            }
        }
    }
    while tens > 0 && nanos != 0 {
        nanos = nanos.saturating_mul(10);
        tens -= 1;
    }
    // What is smaller than a unit counts as one, as Go rounds up.
    let mut rest = false;
    while tens < 0 && nanos != 0 {
        rest |= nanos % 10 != 0;
        nanos /= 10;
        tens += 1;
    }
    Some(if rest { nanos + mantissa.signum() } else { nanos })
}

/// The text that Go prints: as short as it can be in the format that was given.
///
/// Source: `Quantity.CanonicalizeBytes`.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    let nanos = nanos(text)?;
    if nanos == 0 {
        return Some("0".to_owned());
    }
    let (_, _, format) = parts(text);
    if format == "BinarySI" && nanos.abs() >= 1024 * NANO && nanos % NANO == 0 {
        let (mut number, mut suffix) = (nanos / NANO, 0);
        while number % 1024 == 0 && suffix + 1 < BINARY.len() {
            number /= 1024;
            suffix += 1;
        }
        return Some(format!("{number}{}", BINARY[suffix]));
    }
    let (mut number, mut tens) = (nanos, -9_i32);
    while number % 10 == 0 {
        number /= 10;
        tens += 1;
    }
    // Every third power of ten has a name.
    while tens.rem_euclid(3) != 0 || tens > 18 {
        number = number.checked_mul(10)?;
        tens -= 1;
    }
    let suffix = match (format, tens) {
        (_, 0) => String::new(),
        ("DecimalExponent", tens) => format!("e{tens}"),
        (_, tens) => {
            let at = usize::try_from(tens / 3 + 3).ok()?;
            DECIMAL.get(at).copied().unwrap_or_default().to_owned()
        }
    };
    Some(format!("{number}{suffix}"))
}

const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

/// `Quantity.Value`: whole units, rounded away from zero.
pub(crate) fn value(text: &str) -> Option<i64> {
    let nanos = nanos(text)?;
    let whole = nanos / NANO;
    let whole = if nanos % NANO == 0 { whole } else { whole + nanos.signum() };
    Some(i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX }))
}

/// The members of Go's struct: the number, its power of ten, and the format's name.
pub(crate) fn parts(text: &str) -> (i64, i64, &'static str) {
    let Some((digits, exponent, base)) = split(text) else { return (0, 0, "") };
    let Some((mantissa, places)) = mantissa(digits) else { return (0, 0, "") };
    let number = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
    match base {
        Base::Two => (number(nanos(text).unwrap_or_default() / NANO), 0, "BinarySI"),
        Base::Ten => {
            let format = match text.ends_with(|c: char| c.is_ascii_digit()) {
                true if text.contains(['e', 'E']) => "DecimalExponent",
                _ => "DecimalSI",
            };
            (number(mantissa), exponent - i64::from(places), format)
        }
    }
}

#[derive(Clone, Copy)]
enum Base {
    Ten,
    Two,
}

/// The digits with sign and point, the exponent, and of what.
fn split(text: &str) -> Option<(&str, i64, Base)> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let end = text
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || (at == 0 && (c == '+' || c == '-'))))
        .map_or(text.len(), |(at, _)| at);
    let (digits, suffix) = text.split_at(end);
    let (exponent, base) = match suffix {
        "" => (0, Base::Ten),
        "n" => (-9, Base::Ten),
        "u" => (-6, Base::Ten),
        "m" => (-3, Base::Ten),
        "k" => (3, Base::Ten),
        "M" => (6, Base::Ten),
        "G" => (9, Base::Ten),
        "T" => (12, Base::Ten),
        "P" => (15, Base::Ten),
        "E" => (18, Base::Ten),
        "Ki" => (10, Base::Two),
        "Mi" => (20, Base::Two),
        "Gi" => (30, Base::Two),
        "Ti" => (40, Base::Two),
        "Pi" => (50, Base::Two),
        "Ei" => (60, Base::Two),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?;
            (i64::from(exponent).clamp(-400, 400), Base::Ten)
        }
    };
    Some((digits, exponent, base))
}

/// The number without its point, and how many digits were behind it.
fn mantissa(digits: &str) -> Option<(i128, u32)> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let negative = whole.starts_with('-');
    let whole = whole.trim_start_matches(['+', '-']);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut number: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.saturating_mul(10).saturating_add(i128::from(digit - b'0'));
    }
    let places = u32::try_from(fraction.len()).ok()?;
    Some((if negative { -number } else { number }, places))
}

const NANO: i128 = 1_000_000_000;
/// Longer texts are no amounts that anybody means.
const MAX_LENGTH: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_go_writes_them() {
        for (text, expected) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("1000", "1k"),
            ("100Ki", "100Ki"),
            ("512", "512"),
            ("0", "0"),
            ("0Gi", "0"),
            ("0.5Gi", "512Mi"),
            ("1e3", "1e3"),
            ("12E", "12E"),
            ("-2000m", "-2"),
            ("0.1Ki", "102400m"),
            ("1000000000000", "1T"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(canonical("abc"), None);
    }

    #[test]
    fn quantities_compare_by_amount() {
        assert_eq!(nanos("1"), nanos("1000m"));
        assert_eq!(nanos("1Ki"), nanos("1024"));
        assert_eq!(nanos("1.5Gi"), nanos("1536Mi"));
        assert_eq!(nanos("2e3"), nanos("2k"));
        assert_eq!(value("100m"), Some(1));
        assert_eq!(value("-1"), Some(-1));
        assert_eq!(nanos("1n"), Some(1));
        assert_eq!(nanos("0.1n"), Some(1));
        assert_eq!(nanos("abc"), None);
        assert_eq!(nanos(""), None);
        assert_eq!(nanos("1.2.3"), None);
        assert!(nanos("9e399").is_some());
    }
}
