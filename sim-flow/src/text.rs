//! Tables, times and durations as Go prints them.

use std::{fmt::Write, time::Duration};

/// Rows as the tab writer of the debug endpoints lays them out: cells end with a comma, and each
/// but the last of a row is padded to the widest of its column, at least eight characters.
///
/// Source: `text/tabwriter` with minwidth 8, padding 1 and spaces.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths = vec![0; columns];
    for row in rows {
        for (i, cell) in row.iter().enumerate().take(row.len().saturating_sub(1)) {
            // The cell, its comma, and one space of padding.
            widths[i] = widths[i].max(cell.chars().count() + 2).max(MIN_WIDTH);
        }
    }
    let mut text = String::new();
    for row in rows {
        for (i, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if i + 1 < row.len() {
                let padding = widths[i] - cell.chars().count() - 1;
                let _ = write!(text, ",{:padding$}", "");
            }
        }
        text.push('\n');
    }
    text
}

/// A time in UTC, with as many decimals of the second as it needs.
pub(crate) fn rfc3339(unix_ns: u64) -> String {
    let (seconds, nanos) = (unix_ns / 1_000_000_000, unix_ns % 1_000_000_000);
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) =
        (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos > 0 {
        let decimals = format!("{nanos:09}");
        let _ = write!(text, ".{}", decimals.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Eras of 400 years that begin with March, so that the leap day is the last of its year.
    let day = days + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

/// A length of time as `time.Duration` prints it: `0s`, `5.5ms`, `1m0.5s`.
pub(crate) fn go_duration(length: Duration) -> String {
    let nanos = length.as_nanos();
    let decimal = |value: u128, unit: u128, name: &str| {
        let decimals = unit.ilog10() as usize;
        let fraction = format!("{:0decimals$}", value % unit);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() || decimals == 0 { "" } else { "." };
        let fraction = if decimals == 0 { "" } else { fraction };
        format!("{}{point}{fraction}{name}", value / unit)
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => decimal(nanos, 1, "ns"),
        1_000..1_000_000 => decimal(nanos, 1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(nanos, 1_000_000, "ms"),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

const MIN_WIDTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_out_columns_as_the_tab_writer_does() {
        let rows = [["Name", "N"], ["exempt-level", ""], ["x", "12"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "Name,         N\nexempt-level, \nx,            12\n");
        assert_eq!(table(&[vec!["a".into(), "b".into()]]), "a,      b\n");
    }

    #[test]
    fn times_and_durations_print_as_in_go() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_827_696_789_000_000), "2000-02-29T12:34:56.789Z");
        assert_eq!(rfc3339(1_767_225_600_000_000_000), "2026-01-01T00:00:00Z");
        let cases = [
            (0, "0s"),
            (5, "5ns"),
            (1_500, "1.5µs"),
            (5_500_000, "5.5ms"),
            (60_500_000_000, "1m0.5s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(go_duration(Duration::from_secs(3600)), "1h0m0s");
    }
}
