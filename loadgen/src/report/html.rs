//! The report as one HTML file without a network: everything is in it.

use std::fmt::Write as _;

use super::{
    format::{escape, number},
    prose,
    rows::{self, Group, HERE, HERE_TITLE, RECORDED, RECORDED_TITLE, Row},
    svg::{self, Bar, Bars},
};
use crate::compare::result::CompareResult;

/// The report. The same result gives the same bytes.
pub fn html(result: &CompareResult) -> String {
    let groups = rows::groups(result);
    let title = escape(&prose::title(result));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"lead\">{}</p>\n<p class=\"soft\">{}</p>\n",
        escape(&prose::listed(result)),
        escape(&prose::machine(result)),
    );
    for note in prose::notes(result) {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(&note));
    }
    findings(&mut html, result);
    memory_bars(&mut html, &groups);
    html.push_str("<h2>All figures</h2>\n");
    table(&mut html, &groups);
    if let Some(warning) = prose::ratio_warning(&groups) {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(&warning));
    }
    explanation(&mut html);
    timelines(&mut html, result);
    latencies(&mut html, result);
    let _ = write!(
        html,
        "<footer><p>Figures and samples: result.json beside this file; {} is its schema. \
         Storms asked for <code>{}</code>.</p></footer>\n</main>\n</body>\n</html>\n",
        escape(&result.schema),
        escape(&result.dataset.path),
    );
    html
}

fn findings(html: &mut String, result: &CompareResult) {
    html.push_str("<div class=\"grid\">\n");
    for (heading, text) in prose::findings(result) {
        let class = if heading.starts_with("Recorded") { " there" } else { " here" };
        let _ = writeln!(
            html,
            "<section class=\"panel{class}\"><h3>{heading}</h3><p>{}</p></section>",
            escape(&text)
        );
    }
    html.push_str("</div>\n");
}

/// Memory measured and memory recorded, side by side in one scale and never in one picture.
fn memory_bars(html: &mut String, groups: &[Group]) {
    let here = |row: &Row| row.here.as_ref().map(|here| here.above_idle_mib);
    let there = |row: &Row| row.recorded.as_ref().map(|nearest| nearest.growth_mib);
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let top = rows().flat_map(|row| [here(row), there(row)]).flatten().fold(1.0, f64::max);
    let panel = |title: &str, figure: &dyn Fn(&Row) -> Option<f64>, recorded: bool| {
        let bars: Vec<Bars> = groups
            .iter()
            .map(|group| {
                let bar = |(profile, row): (usize, &Row)| Bar {
                    label: match &row.recorded {
                        Some(nearest) if recorded => nearest.version.clone(),
                        _ => row.profile.clone(),
                    },
                    profile,
                    mib: figure(row),
                };
                let mut others = group.rows.iter().filter_map(|row| row.recorded.as_ref());
                let other = others.find(|nearest| recorded && !nearest.same_shape);
                Bars {
                    heading: group.label.clone(),
                    remark: other.map(|nearest| format!("nearest run: {}", nearest.shape)),
                    bars: group.rows.iter().enumerate().map(bar).collect(),
                }
            })
            .collect();
        svg::bars(title, &bars, top, recorded)
    };
    let _ = write!(
        html,
        "<h2>Memory that LISTs took</h2>\n<p>MiB above idle at the peak, one bar per release; number \
         of LISTs in flight and how they were read. Both pictures have one scale.</p>\n\
         <div class=\"grid\">\n<section class=\"panel here\"><h3>Measured here: this \
         simulator</h3>{}</section>\n<section class=\"panel there\"><h3>Recorded there: the real \
         kube-apiserver</h3>{}</section>\n</div>\n",
        panel("Memory measured here", &here, false),
        panel("Memory recorded there", &there, true),
    );
}

fn table(html: &mut String, groups: &[Group]) {
    let _ = write!(
        html,
        "<div class=\"scroll\"><table>\n<thead>\n<tr><th colspan=\"2\"></th><th colspan=\"{}\">{}\
         </th><th class=\"there edge\" colspan=\"{}\">{}</th></tr>\n<tr>",
        HERE.len(),
        capital(HERE_TITLE),
        RECORDED.len(),
        capital(RECORDED_TITLE),
    );
    html.push_str("<th class=\"text\">LISTs<br>in flight</th><th class=\"text\">release</th>");
    for (first, second) in HERE {
        let _ = write!(html, "<th>{first}<br>{second}</th>");
    }
    for (index, (first, second)) in RECORDED.iter().enumerate() {
        let class = match index {
            0 => " edge text",
            _ if index + 1 == RECORDED.len() => " run",
            _ => "",
        };
        let _ = write!(html, "<th class=\"there{class}\">{first}<br>{second}</th>");
    }
    html.push_str("</tr>\n</thead>\n");
    for group in groups {
        html.push_str("<tbody>\n");
        for (index, row) in group.rows.iter().enumerate() {
            table_row(html, group, index, row);
        }
        for ratio in &group.ratios {
            html.push_str("<tr class=\"ratio\"><td class=\"empty\"></td>");
            cell(html, "text release", "ratio", &ratio.label);
            let titles = HERE.iter().zip(ratio.here_cells());
            for ((first, second), text) in titles {
                cell(html, "", &format!("here: {first} {second}"), &text);
            }
            let cells = ratio.recorded_cells().into_iter().chain([String::new()]);
            for (index, ((first, second), text)) in RECORDED.iter().zip(cells).enumerate() {
                let edge = if index == 0 { " edge" } else { "" };
                cell(html, &format!("there{edge}"), &format!("recorded: {first} {second}"), &text);
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n");
    }
    html.push_str("</table></div>\n");
}

fn table_row(html: &mut String, group: &Group, index: usize, row: &Row) {
    html.push_str("<tr>");
    if index == 0 {
        cell(html, "text storm", "LISTs in flight", &group.label);
    } else {
        html.push_str("<td class=\"empty\"></td>");
    }
    let _ = write!(
        html,
        "<td class=\"text release\" data-title=\"release\"><span><span class=\"dot c{}\"></span>{}\
         </span></td>",
        svg::colour(index),
        escape(&row.profile)
    );
    let here = row.here.as_ref().map_or_else(|| HERE.map(|_| rows::dash()), rows::Here::cells);
    for ((first, second), text) in HERE.iter().zip(here) {
        cell(html, "", &format!("here: {first} {second}"), &text);
    }
    let recorded: Vec<String> = match &row.recorded {
        Some(nearest) => rows::recorded_cells(nearest).into_iter().collect(),
        None => (1..RECORDED.len()).map(|_| rows::dash()).collect(),
    };
    for (index, ((first, second), text)) in RECORDED.iter().zip(recorded).enumerate() {
        let edge = if index == 0 { " edge text" } else { "" };
        cell(html, &format!("there{edge}"), &format!("recorded: {first} {second}"), &text);
    }
    let before = index.checked_sub(1).and_then(|before| group.rows[before].recorded.as_ref());
    let run = match &row.recorded {
        Some(nearest) if before.is_some_and(|before| before.shape == nearest.shape) => {
            "<span class=\"other\">same shape as above</span>".to_owned()
        }
        Some(nearest) if nearest.same_shape => escape(&nearest.shape),
        Some(nearest) => {
            format!(
                "<span>{} <span class=\"other\">(other shape)</span></span>",
                escape(&nearest.shape)
            )
        }
        None => "none near enough".to_owned(),
    };
    let _ = writeln!(
        html,
        "<td class=\"there text run\" data-title=\"recorded: nearest run\">{run}</td></tr>"
    );
}

fn cell(html: &mut String, class: &str, title: &str, text: &str) {
    let empty = if text.is_empty() { " empty" } else { "" };
    let _ = write!(
        html,
        "<td class=\"{class}{empty}\" data-title=\"{}\">{}</td>",
        title.trim_end(),
        escape(text)
    );
}

fn explanation(html: &mut String) {
    html.push_str("<h2>How to read this</h2>\n<div class=\"grid prose\">\n");
    for (heading, paragraph) in prose::explanation() {
        let _ = writeln!(html, "<section><h3>{heading}</h3><p>{paragraph}</p></section>");
    }
    html.push_str("</div>\n");
}

fn timelines(html: &mut String, result: &CompareResult) {
    let _ = write!(
        html,
        "<h2>Memory over time, measured here</h2>\n<p>Resident memory of each server process from \
         its start, every {} ms. Shaded: the storms, by number.</p>\n<ul class=\"key\">",
        result.sample_interval_ms
    );
    for (style, label) in
        [("line", "resident (VmRSS)"), ("thin", "handed out by its allocator"), ("idle", "idle")]
    {
        let _ = write!(html, "<li>{}{label}</li>", sample_line(style, "c6"));
    }
    html.push_str("</ul>\n<ul class=\"key\">");
    for (index, storm) in result.storms.iter().enumerate() {
        let rate = storm.read_rate.map_or_else(String::new, |rate| {
            format!(", each reads {} MB/s", number(rate as f64 / 1e6))
        });
        let requests = if storm.requests == 1 { "request" } else { "requests" };
        let _ = write!(
            html,
            "<li><b>{}</b>&nbsp;{} ({} {requests}{rate})</li>",
            index + 1,
            escape(&storm.label()),
            storm.requests
        );
    }
    html.push_str("</ul>\n<div class=\"grid wide\">\n");
    let axis = svg::memory_axis(result);
    for (index, profile) in result.profiles.iter().enumerate() {
        let _ = writeln!(
            html,
            "<section class=\"panel\"><h3><span class=\"dot c{}\"></span>{}</h3>{}</section>",
            svg::colour(index),
            escape(&profile.profile),
            svg::timeline(result, index, axis)
        );
    }
    html.push_str("</div>\n");
}

fn latencies(html: &mut String, result: &CompareResult) {
    html.push_str(
        "<h2>Latency, measured here</h2>\n<p>Share of the requests that were answered within a time; \
         the time axis is logarithmic. Slow readers are slow by intent: their last byte says \
         nothing, their first byte does.</p>\n<ul class=\"key\">",
    );
    for (index, profile) in result.profiles.iter().enumerate() {
        let colour = format!("c{}", svg::colour(index));
        let _ = write!(
            html,
            "<li>{}{} last byte</li><li>{}{} first byte</li>",
            sample_line("line", &colour),
            escape(&profile.profile),
            sample_line("dots", &colour),
            escape(&profile.profile)
        );
    }
    html.push_str("</ul>\n<div class=\"grid small\">\n");
    for storm in &result.storms {
        if let Some(plot) = svg::latency(result, storm) {
            let _ = writeln!(
                html,
                "<section class=\"panel\"><h3>{}</h3>{plot}</section>",
                escape(&storm.label())
            );
        }
    }
    html.push_str("</div>\n");
}

/// A piece of a line for a legend.
fn sample_line(style: &str, colour: &str) -> String {
    let line = if style == "idle" {
        "<line class=\"idle\" x1=\"0\" x2=\"28\" y1=\"6\" y2=\"6\"/>".to_owned()
    } else {
        format!("<polyline class=\"{style} {colour}\" points=\"0,6 28,6\"/>")
    };
    format!("<svg viewBox=\"0 0 28 12\" aria-hidden=\"true\">{line}</svg>")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

const CSS: &str = include_str!("report.css");
