//! One row per storm and release, for other programs.

use super::{format::mib, rows};
use crate::compare::result::CompareResult;

/// The result as CSV with a header. Columns that begin with `recorded_` are of the real
/// kube-apiserver, all others of this simulator.
pub fn csv(result: &CompareResult) -> String {
    let mut text = format!("{}\n", COLUMNS.join(","));
    for group_and_storm in rows::groups(result).iter().zip(&result.storms) {
        let (group, storm) = group_and_storm;
        for (row, profile) in group.rows.iter().zip(&result.profiles) {
            let (Some(here), Some(measured)) = (&row.here, profile.measured(&storm.id)) else {
                continue;
            };
            let figure = |value: f64| format!("{value:.3}");
            let mut cells = vec![
                result.dataset.name.clone(),
                row.profile.clone(),
                storm.id.clone(),
                storm.concurrency.to_string(),
                storm.read_rate.map_or_else(String::new, |rate| rate.to_string()),
                u8::from(storm.gzip).to_string(),
                u8::from(storm.curl).to_string(),
                measured.body_bytes.to_string(),
                measured.requests.to_string(),
                measured.ok.to_string(),
                figure(mib(profile.idle_rss_bytes)),
                figure(mib(measured.peak_rss_bytes)),
                figure(here.above_idle_mib),
                figure(here.multiple),
                figure(here.p50_ms),
                figure(here.p90_ms),
                figure(here.p99_ms),
                figure(here.first_byte_ms),
                figure(here.mib_per_s),
                figure(measured.elapsed_s),
            ];
            match &row.recorded {
                Some(nearest) => {
                    let or_empty = |value: Option<f64>| value.map_or_else(String::new, figure);
                    cells.extend([
                        nearest.version.clone(),
                        figure(nearest.growth_mib),
                        or_empty(nearest.in_flight_multiple),
                        or_empty(nearest.p50_ms),
                        or_empty(nearest.ttfb_p50_ms),
                        nearest.shape.clone(),
                        u8::from(nearest.same_shape).to_string(),
                    ]);
                }
                None => cells.resize(COLUMNS.len(), String::new()),
            }
            let quoted: Vec<String> = cells.iter().map(|cell| quote(cell)).collect();
            text.push_str(&format!("{}\n", quoted.join(",")));
        }
    }
    text
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

const COLUMNS: [&str; 27] = [
    "dataset",
    "profile",
    "storm",
    "concurrency",
    "read_rate_bytes_per_s",
    "gzip",
    "curl",
    "body_bytes",
    "requests",
    "ok",
    "idle_rss_mib",
    "peak_rss_mib",
    "above_idle_mib",
    "above_idle_per_in_flight",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "first_byte_p50_ms",
    "mib_per_s",
    "elapsed_s",
    "recorded_version",
    "recorded_growth_mib",
    "recorded_growth_per_in_flight",
    "recorded_p50_ms",
    "recorded_first_byte_p50_ms",
    "recorded_run",
    "recorded_same_shape",
];
