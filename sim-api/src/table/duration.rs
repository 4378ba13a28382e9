//! Ages, as short as people like them.

use jiff::SignedDuration;

/// How long ago something was, in at most two units: `5s`, `4m30s`, `3d2h`.
///
/// Source: `HumanDuration` of k8s.io/apimachinery `pkg/util/duration`. Up to two seconds in the
/// future count as now, since clocks differ.
pub fn human_duration(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / HOURS_PER_YEAR);
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 24 * 8 => two(days, 'd', hours % 24, 'h'),
        _ if hours < HOURS_PER_YEAR * 2 => format!("{days}d"),
        _ if hours < HOURS_PER_YEAR * 8 => two(years, 'y', days % 365, 'd'),
        _ => format!("{years}y"),
    }
}

/// The second unit is left out where it is zero.
fn two(large: i64, large_unit: char, small: i64, small_unit: char) -> String {
    match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit}{small}{small_unit}"),
    }
}

/// Years have 365 days here.
const HOURS_PER_YEAR: i64 = 24 * 365;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ages_are_short() {
        const M: i64 = 60;
        const H: i64 = 60 * M;
        const D: i64 = 24 * H;
        for (seconds, expected) in [
            (-3 * M, "<invalid>"),
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (2 * M, "2m"),
            (2 * M + 1, "2m1s"),
            (10 * M - 1, "9m59s"),
            (10 * M + 59, "10m"),
            (3 * H - 1, "179m"),
            (3 * H, "3h"),
            (3 * H + M, "3h1m"),
            (8 * H - 1, "7h59m"),
            (8 * H + M, "8h"),
            (2 * D - 1, "47h"),
            (2 * D, "2d"),
            (2 * D + 1, "2d"),
            (2 * D + H, "2d1h"),
            (8 * D - 1, "7d23h"),
            (8 * D, "8d"),
            (2 * 365 * D - 1, "729d"),
            (2 * 365 * D, "2y"),
            (2 * 365 * D + 5 * D, "2y5d"),
            (8 * 365 * D - 1, "7y364d"),
            (8 * 365 * D, "8y"),
            (20 * 365 * D + 300 * D, "20y"),
        ] {
            assert_eq!(human_duration(SignedDuration::from_secs(seconds)), expected, "{seconds}");
        }
        assert_eq!(human_duration(SignedDuration::from_millis(-1999)), "0s");
    }

    proptest! {
        #[test]
        fn an_age_is_at_most_seven_letters(seconds in 0..50 * 365 * 86_400_i64) {
            prop_assert!(human_duration(SignedDuration::from_secs(seconds)).len() <= 7);
        }
    }
}
