//! A simulation's outcome as one page: curves, tables, and the data, without a network.

use std::fmt::Write as _;

use super::{
    super::table::{ms, number},
    outcome::{LevelSeries, Outcome, Row},
    text::COLUMNS,
};

/// The page. The same outcome gives the same bytes.
pub fn html(outcome: &Outcome) -> String {
    let filter = if outcome.apf { "API Priority and Fairness" } else { "max-in-flight filter" };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>loadgen apf simulate</title>\n<style>\n{CSS}</style></head>\n<body><main>\n\
         <h1>{filter}, modelled</h1>\n<p class=\"lead\">{}</p>\n\
         <p class=\"soft\">Kubernetes {}, {} seats, {} s of virtual time, figures from {} s on, seed {}. \
         Configuration: {}. Nothing here was measured.</p>\n",
        escape(outcome.description.trim()),
        outcome.kubernetes_version,
        outcome.server_seats,
        number(outcome.duration_s),
        number(outcome.measured_from_s),
        outcome.seed,
        escape(&outcome.origin),
    );
    page.push_str(
        "<h2>Seats and queues over time</h2>\n<ul class=\"key\">\
         <li><svg viewBox=\"0 0 28 12\" aria-hidden=\"true\"><polyline class=\"line c0\" points=\"0,6 28,6\"/></svg>seats in use</li>\
         <li><svg viewBox=\"0 0 28 12\" aria-hidden=\"true\"><polyline class=\"thin c6\" points=\"0,6 28,6\"/></svg>current limit, in seats</li>\
         <li><svg viewBox=\"0 0 28 12\" aria-hidden=\"true\"><polyline class=\"line c2\" points=\"0,6 28,6\"/></svg>requests executing</li>\
         <li><svg viewBox=\"0 0 28 12\" aria-hidden=\"true\"><polyline class=\"line c1\" points=\"0,6 28,6\"/></svg>requests waiting</li></ul>\n\
         <div class=\"grid\">\n",
    );
    for level in &outcome.series {
        let name = escape(&level.name);
        let seats = [
            Curve::new("thin c6", level.limit.iter().map(|v| f64::from(*v))),
            Curve::new("line c0", level.seats.iter().map(|v| *v as f64)),
        ];
        let _ = writeln!(
            page,
            "<section class=\"panel\"><h3>{name}: seats</h3>{}</section>",
            plot(&format!("Seats of {name}"), &outcome.t_s, &seats)
        );
        let _ = writeln!(
            page,
            "<section class=\"panel\"><h3>{name}: requests</h3>{}</section>",
            plot(&format!("Requests of {name}"), &outcome.t_s, &requests(level))
        );
    }
    page.push_str("</div>\n");
    let levels = outcome.levels.iter().map(|level| {
        let limit = format!("{} of {}", level.current_limit, level.nominal_limit);
        (level.name.clone(), limit, &level.row)
    });
    table(&mut page, "Levels", ["level", "limit of nominal"], levels);
    let users = outcome
        .users
        .iter()
        .map(|user| (user.user.clone(), format!("{:.1} %", user.share_percent), &user.row));
    table(&mut page, "Users", ["user", "share of answers"], users);
    let clients = outcome
        .clients
        .iter()
        .map(|client| (client.name.clone(), client.seats_each.to_string(), &client.row));
    table(&mut page, "Clients", ["client", "seats of a request"], clients);
    let data = super::super::json(outcome).replace("</", "<\\/");
    let _ = write!(
        page,
        "<script type=\"application/json\" id=\"outcome\">\n{data}</script>\n</main></body></html>\n"
    );
    page
}

fn requests(level: &LevelSeries) -> [Curve; 2] {
    [
        Curve::new("line c1", level.waiting.iter().map(|v| *v as f64)),
        Curve::new("line c2", level.executing.iter().map(|v| *v as f64)),
    ]
}

fn table<'a>(
    page: &mut String,
    title: &str,
    first: [&str; 2],
    rows: impl Iterator<Item = (String, String, &'a Row)>,
) {
    let _ = write!(
        page,
        "<h2>{title}</h2>\n<div class=\"scroll\"><table><thead><tr><th class=\"text\">{}</th><th>{}</th>",
        first[0], first[1]
    );
    for column in COLUMNS {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for (name, second, row) in rows {
        let _ = write!(
            page,
            "<tr><td class=\"text\" data-title=\"{}\">{}</td><td data-title=\"{}\">{}</td>",
            first[0],
            escape(&name),
            first[1],
            escape(&second)
        );
        let rejected: Vec<_> =
            row.rejected.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let cells = [
            row.completed.to_string(),
            number(row.per_s),
            ms(row.wait.p50_ms),
            ms(row.wait.p90_ms),
            ms(row.wait.p99_ms),
            ms(row.latency.p99_ms),
            row.cut.to_string(),
            if rejected.is_empty() { "0".to_owned() } else { rejected.join(", ") },
        ];
        for (cell, column) in cells.iter().zip(COLUMNS) {
            let _ = write!(page, "<td data-title=\"{column}\">{}</td>", escape(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

struct Curve {
    class: &'static str,
    values: Vec<f64>,
}

impl Curve {
    fn new(class: &'static str, values: impl Iterator<Item = f64>) -> Self {
        Self { class, values: values.collect() }
    }
}

/// Curves as stairs over the seconds `t`, with a grid of round numbers.
fn plot(title: &str, t: &[f64], curves: &[Curve]) -> String {
    let highest = curves.iter().flat_map(|curve| &curve.values).fold(1.0, |a: f64, b| a.max(*b));
    let step = tick(highest);
    let top = (highest / step).ceil() * step;
    let end = t.last().copied().unwrap_or(1.0).max(1e-9);
    let x = |t: f64| LEFT + WIDTH * t / end;
    let y = |value: f64| TOP + HEIGHT * (1.0 - value / top);
    let mut svg = format!(
        "<svg viewBox=\"0 0 360 {:.0}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>",
        TOP + HEIGHT + 24.0
    );
    for line in 0..=8 {
        let value = f64::from(line) * step;
        if value > top + step / 2.0 {
            break;
        }
        let at = y(value);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT + WIDTH,
            LEFT - 5.0,
            at + 4.0,
            number(value)
        );
    }
    let seconds = tick(end);
    let mut value = 0.0;
    while value <= end {
        let _ = write!(
            svg,
            "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{} s</text>",
            x(value),
            TOP + HEIGHT + 16.0,
            number(value)
        );
        value += seconds;
    }
    for Curve { class, values } in curves {
        let _ = write!(svg, "<polyline class=\"{class}\" points=\"");
        let mut before = None;
        for (t, value) in t.iter().zip(values) {
            if let Some(before) = before.filter(|before| (before - value).abs() > f64::EPSILON) {
                let _ = write!(svg, "{:.1},{:.1} ", x(*t), y(before));
            }
            let _ = write!(svg, "{:.1},{:.1} ", x(*t), y(*value));
            before = Some(*value);
        }
        svg.push_str("\"/>");
    }
    svg + "</svg>"
}

/// 1, 2 or 5 times a power of ten, about four of them up to `top`.
fn tick(top: f64) -> f64 {
    let rough = top / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough * 0.999);
    times.unwrap_or(10.0) * power
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const LEFT: f64 = 44.0;
const TOP: f64 = 10.0;
const WIDTH: f64 = 304.0;
const HEIGHT: f64 = 130.0;

/// The style of this program's other pages.
const CSS: &str = include_str!("../../report/report.css");
