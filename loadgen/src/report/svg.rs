//! Plots as inline SVG. Colours are CSS variables, so that one picture serves light and dark.
//!
//! Pictures are 360 units wide, about a phone's width, so that their text is readable there and
//! several stand side by side elsewhere.

use std::fmt::Write as _;

use super::format::{escape, mib, number, thousands};
use crate::compare::result::{CompareResult, Measured, ProfileResult, Storm, Times};

/// An axis from nothing to `top`, with a line at every `step`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    top: f64,
    step: f64,
}

/// Memory of one profile's server over the whole run; `axis` is the same for all profiles.
pub(super) fn timeline(result: &CompareResult, index: usize, axis: Axis) -> String {
    let profile = &result.profiles[index];
    let samples = &profile.samples;
    // One time axis for all, so that the pictures can be laid over each other.
    let ends = result.profiles.iter().filter_map(|profile| profile.samples.t_ms.last());
    let end_ms = ends.copied().max().unwrap_or(1).max(1);
    let x = |ms: u64| LEFT + PLOT_WIDTH * ms as f64 / end_ms as f64;
    let y = |mib: f64| TOP + PLOT_HEIGHT * (1.0 - mib / axis.top);
    let mut svg = open(&format!("Memory of {} over time", profile.profile), HEIGHT);
    let mut last_label = f64::MIN;
    for (number, storm) in numbered(result, profile) {
        let (from, to) = (x(storm.start_ms), x(storm.end_ms).max(x(storm.start_ms) + 1.5));
        let label = result.storm(&storm.id).map_or_else(String::new, Storm::label);
        // The fast storms of a streaming release stand close.
        last_label = f64::midpoint(from, to).max(last_label + NUMBER_WIDTH);
        let _ = write!(
            svg,
            "<g><title>{number}: {}</title><rect class=\"band\" x=\"{from:.1}\" y=\"{TOP}\" \
             width=\"{:.1}\" height=\"{PLOT_HEIGHT}\"/>\
             <text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{number}</text></g>",
            escape(&label),
            to - from,
            last_label,
            TOP - 5.0,
        );
    }
    y_axis(&mut svg, axis, "MiB");
    time_axis(&mut svg, end_ms, x);
    let idle = mib(profile.idle_rss_bytes);
    let _ = write!(
        svg,
        "<line class=\"idle\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
        LEFT + PLOT_WIDTH,
        y(idle),
        y(idle),
    );
    let allocated = samples.allocated_kib.iter().zip(&samples.t_ms);
    let allocated = allocated.filter_map(|(kib, t)| Some((x(*t), y((*kib)? as f64 / 1024.0))));
    line(&mut svg, &format!("thin c{}", colour(index)), thin_out(allocated));
    let rss = samples.rss_kib.iter().zip(&samples.t_ms);
    let rss = rss.map(|(kib, t)| (x(*t), y(*kib as f64 / 1024.0)));
    line(&mut svg, &format!("line c{}", colour(index)), thin_out(rss));
    svg + "</svg>"
}

/// Room for the highest memory of all profiles, MiB.
pub(super) fn memory_axis(result: &CompareResult) -> Axis {
    let samples = result.profiles.iter().flat_map(|p| &p.samples.rss_kib).map(|kib| kib * 1024);
    let allocated = result.profiles.iter().flat_map(|p| &p.samples.allocated_kib);
    let samples = samples.chain(allocated.flatten().map(|kib| kib * 1024));
    let peaks = result.profiles.iter().flat_map(|p| &p.storms).map(|storm| storm.peak_rss_bytes);
    let highest = mib(samples.chain(peaks).max().unwrap_or(0)).max(1.0);
    let step = tick(highest);
    Axis { top: (highest / step).ceil() * step, step }
}

/// Latency of one storm: for each profile how much was answered within a time.
pub(super) fn latency(result: &CompareResult, storm: &Storm) -> Option<String> {
    let measured: Vec<(usize, &Measured)> = result
        .profiles
        .iter()
        .enumerate()
        .filter_map(|(index, profile)| Some((index, profile.measured(&storm.id)?)))
        .filter(|(_, measured)| !measured.latency.counts.is_empty())
        .collect();
    let times = measured.iter().flat_map(|(_, m)| [&m.latency, &m.first_byte]);
    let values = times.flat_map(|t| &t.counts).map(|(ms, _)| *ms);
    let (low, high) = values.fold((f64::MAX, 0.0_f64), |(l, h), ms| (l.min(ms), h.max(ms)));
    if low > high {
        return None;
    }
    // Whole decades, so that all storms are read alike.
    let low = low.max(0.01).log10().floor();
    let high = high.log10().ceil().max(low + 1.0);
    let x =
        |ms: f64| LEFT + PLOT_WIDTH * ((ms.max(0.01).log10() - low) / (high - low)).clamp(0.0, 1.0);
    let y = |share: f64| TOP + SMALL_PLOT_HEIGHT * (1.0 - share);
    let mut svg = open(&format!("Latency of {} LISTs", storm.label()), SMALL_HEIGHT);
    for (share, label) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        grid_line(&mut svg, y(share), label);
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most seven decades")]
    for decade in low as i32..=high as i32 {
        let at = x(10_f64.powi(decade));
        let bottom = TOP + SMALL_PLOT_HEIGHT;
        let label = time_label(10_f64.powi(decade));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{label}</text>",
            bottom + 15.0,
        );
    }
    for (index, measured) in measured {
        let colour = colour(index);
        line(&mut svg, &format!("dots c{colour}"), steps(&measured.first_byte, x, y));
        line(&mut svg, &format!("line c{colour}"), steps(&measured.latency, x, y));
    }
    Some(svg + "</svg>")
}

/// One bar.
pub(super) struct Bar {
    pub(super) label: String,
    /// Index of the profile, for the colour.
    pub(super) profile: usize,
    /// None where there is no figure.
    pub(super) mib: Option<f64>,
}

/// Bars that belong together.
pub(super) struct Bars {
    pub(super) heading: String,
    /// A line under the heading, in small type.
    pub(super) remark: Option<String>,
    pub(super) bars: Vec<Bar>,
}

/// Bars of memory, in groups with a heading each; `top_mib` is the longest bar.
pub(super) fn bars(title: &str, groups: &[Bars], top_mib: f64, hollow: bool) -> String {
    let count: usize = groups.iter().map(|group| group.bars.len()).sum();
    let remarks = groups.iter().filter(|group| group.remark.is_some()).count() as f64;
    let height = groups.len() as f64 * GROUP_HEIGHT
        + count as f64 * BAR_HEIGHT
        + 4.0
        + remarks * REMARK_HEIGHT;
    let mut svg = open(title, height);
    let mut y = 0.0;
    let class = if hollow { "bar hollow" } else { "bar" };
    for Bars { heading, remark, bars } in groups {
        y += GROUP_HEIGHT;
        let _ = write!(
            svg,
            "<text class=\"head\" x=\"0\" y=\"{:.1}\">{}</text>",
            y - 5.0,
            escape(heading)
        );
        if let Some(remark) = remark {
            y += REMARK_HEIGHT;
            let _ = write!(
                svg,
                "<text class=\"sub\" x=\"0\" y=\"{:.1}\">{}</text>",
                y - 5.0,
                escape(remark)
            );
        }
        for bar in bars {
            let baseline = y + BAR_HEIGHT - 5.0;
            let _ = write!(
                svg,
                "<text class=\"end\" x=\"{:.1}\" y=\"{baseline:.1}\">{}</text>",
                BAR_LEFT - 6.0,
                escape(&bar.label),
            );
            let (length, label) = match bar.mib {
                Some(mib) => (BAR_WIDTH * mib / top_mib.max(1.0), format!("{} MiB", number(mib))),
                None => (0.0, "not recorded".to_owned()),
            };
            if bar.mib.is_some() {
                let _ = write!(
                    svg,
                    "<rect class=\"{class} c{}\" x=\"{BAR_LEFT}\" y=\"{:.1}\" width=\"{:.1}\" \
                     height=\"{:.1}\"/>",
                    colour(bar.profile),
                    y + 2.0,
                    length.max(1.0),
                    BAR_HEIGHT - 5.0,
                );
            }
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{baseline:.1}\">{label}</text>",
                BAR_LEFT + length + 5.0,
            );
            y += BAR_HEIGHT;
        }
    }
    svg + "</svg>"
}

/// The colour of a profile; there are nine, as many as profiles.
pub(super) fn colour(index: usize) -> usize {
    index % 9
}

/// The measured storms with the numbers that the plots give them.
pub(super) fn numbered<'a>(
    result: &'a CompareResult,
    profile: &'a ProfileResult,
) -> impl Iterator<Item = (usize, &'a Measured)> {
    let storms = result.storms.iter().enumerate();
    storms.filter_map(|(index, storm)| Some((index + 1, profile.measured(&storm.id)?)))
}

fn open(title: &str, height: f64) -> String {
    let title = escape(title);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\">\
         <title>{title}</title>"
    )
}

fn y_axis(svg: &mut String, Axis { top, step }: Axis, unit: &str) {
    let mut value = 0.0;
    while value <= top + step / 2.0 {
        let last = value + step > top + step / 2.0;
        let label = thousands(value);
        let label = if last { format!("{label} {unit}") } else { label };
        grid_line(svg, TOP + PLOT_HEIGHT * (1.0 - value / top), &label);
        value += step;
    }
}

/// The label stands on its line, inside the plot, so that long numbers need no margin.
fn grid_line(svg: &mut String, y: f64, label: &str) {
    let _ = write!(
        svg,
        "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
         <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
        LEFT + PLOT_WIDTH,
        LEFT - 5.0,
        y + 4.0,
    );
}

fn time_axis(svg: &mut String, end_ms: u64, x: impl Fn(u64) -> f64) {
    let seconds = end_ms as f64 / 1000.0;
    let step = tick(seconds);
    let mut value = 0.0;
    while value <= seconds {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time in ms")]
        let at = x((value * 1000.0) as u64);
        let _ = write!(
            svg,
            "<text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{} s</text>",
            TOP + PLOT_HEIGHT + 16.0,
            trim(value),
        );
        value += step;
    }
}

/// 1, 2 or 5 times a power of ten, three to seven of them up to `top`.
fn tick(top: f64) -> f64 {
    let rough = top / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough * 0.999);
    times.unwrap_or(10.0) * power
}

fn trim(value: f64) -> String {
    let text = format!("{value:.1}");
    text.trim_end_matches(".0").to_owned()
}

fn time_label(ms: f64) -> String {
    if ms < 1.0 {
        format!("{} µs", trim(ms * 1000.0))
    } else if ms < 1000.0 {
        format!("{} ms", trim(ms))
    } else {
        format!("{} s", trim(ms / 1000.0))
    }
}

fn line(svg: &mut String, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
    let _ = write!(svg, "<polyline class=\"{class}\" points=\"");
    for (x, y) in points {
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    svg.push_str("\"/>");
}

/// The share answered within each time, as stairs.
fn steps(times: &Times, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let total = times.counts.iter().map(|(_, n)| *n).sum::<u64>().max(1) as f64;
    let mut points = Vec::new();
    let mut below = 0;
    for (ms, count) in &times.counts {
        points.push((x(*ms), y(below as f64 / total)));
        below += count;
        points.push((x(*ms), y(below as f64 / total)));
    }
    points
}

/// Of all points at one place the highest: a peak must not be lost where there is no room.
fn thin_out(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for (x, y) in points {
        match kept.last_mut() {
            Some(last) if x - last.0 < 0.5 => last.1 = last.1.min(y),
            _ => kept.push((x, y)),
        }
    }
    kept
}

const WIDTH: f64 = 360.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 20.0;
const PLOT_WIDTH: f64 = WIDTH - LEFT - 12.0;
const PLOT_HEIGHT: f64 = 180.0;
const HEIGHT: f64 = TOP + PLOT_HEIGHT + 24.0;
/// Two digits.
const NUMBER_WIDTH: f64 = 11.0;
const SMALL_PLOT_HEIGHT: f64 = 100.0;
const SMALL_HEIGHT: f64 = TOP + SMALL_PLOT_HEIGHT + 24.0;
const BAR_LEFT: f64 = 58.0;
const BAR_HEIGHT: f64 = 20.0;
const BAR_WIDTH: f64 = WIDTH - BAR_LEFT - 80.0;
const GROUP_HEIGHT: f64 = 24.0;
const REMARK_HEIGHT: f64 = 15.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for top in [1.0, 7.0, 45.0, 99.0, 1_234.0, 5_000.0] {
            let step = tick(top);
            assert!((1.5..=8.0).contains(&(top / step)), "{top} {step}");
        }
    }

    #[test]
    fn a_peak_survives_where_there_is_no_room() {
        let points = [(0.0, 9.0), (0.1, 1.0), (0.2, 8.0), (1.0, 5.0)];
        assert_eq!(thin_out(points.into_iter()), [(0.0, 1.0), (1.0, 5.0)]);
    }
}
