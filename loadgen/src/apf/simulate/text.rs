//! A simulation's outcome for a terminal.

use std::fmt::Write as _;

use super::{
    super::table::{Table, ms, number},
    outcome::{Outcome, Row},
};

/// The outcome as tables.
pub fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    if !outcome.description.is_empty() {
        let _ = writeln!(text, "{}", outcome.description.trim());
    }
    let filter = if outcome.apf { "API Priority and Fairness" } else { "max-in-flight filter" };
    let _ = writeln!(
        text,
        "modelled: Kubernetes {}, {filter}, {} seats, {} s of virtual time (figures from {} s on), seed {}",
        outcome.kubernetes_version,
        outcome.server_seats,
        number(outcome.duration_s),
        number(outcome.measured_from_s),
        outcome.seed
    );
    if outcome.apf && !outcome.origin.is_empty() {
        let _ = writeln!(text, "configuration: {}", outcome.origin);
    }
    let mut levels =
        Table::new(&[&["level", "limit", "nominal"], COLUMNS, &["seats", "most"]].concat());
    for level in &outcome.levels {
        let mut row = vec![
            level.name.clone(),
            level.current_limit.to_string(),
            level.nominal_limit.to_string(),
        ];
        row.extend(cells(&level.row));
        row.extend([number(level.row.mean_seats), level.row.most_seats.to_string()]);
        levels.row(row);
    }
    let mut users = Table::new(&[&["user", "share"], COLUMNS].concat());
    for user in &outcome.users {
        let mut row = vec![user.user.clone(), format!("{:.1} %", user.share_percent)];
        row.extend(cells(&user.row));
        users.row(row);
    }
    let mut clients = Table::new(
        &[&["client", "level", "width"], COLUMNS, &["in flight", "most", "held MB"]].concat(),
    );
    for client in &outcome.clients {
        let mut row =
            vec![client.name.clone(), client.level.clone(), client.seats_each.to_string()];
        row.extend(cells(&client.row));
        row.extend([
            number(client.row.mean_executing),
            client.row.most_executing.to_string(),
            number(client.row.mean_held_bytes / 1e6),
        ]);
        clients.row(row);
    }
    let _ = write!(text, "\n{}\n{}\n{}", levels.text(), users.text(), clients.text());
    text
}

fn cells(row: &Row) -> [String; 8] {
    let rejected: Vec<_> =
        row.rejected.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    [
        row.completed.to_string(),
        number(row.per_s),
        ms(row.wait.p50_ms),
        ms(row.wait.p90_ms),
        ms(row.wait.p99_ms),
        ms(row.latency.p99_ms),
        row.cut.to_string(),
        if rejected.is_empty() { "0".to_owned() } else { rejected.join(", ") },
    ]
}

/// Of every table.
pub(super) const COLUMNS: &[&str] =
    &["ok", "ok/s", "wait p50", "p90", "p99", "latency p99", "cut", "rejected"];
