//! The words around the table.

use super::{
    format::{mib, number, thousands},
    rows::{Group, groups, times},
};
use crate::{
    compare::result::CompareResult,
    recorded::{CURL_MIB, CURL_OTHERS_MIB},
};

/// What was run, in one line.
pub(super) fn title(result: &CompareResult) -> String {
    let releases: Vec<&str> = result.profiles.iter().map(|p| p.profile.as_str()).collect();
    let releases = match releases.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => releases.concat(),
    };
    format!("The same LIST storms on {releases}")
}

/// What was listed, in one line.
pub(super) fn listed(result: &CompareResult) -> String {
    let set = &result.dataset;
    let body = result.profiles.iter().flat_map(|p| &p.storms).find(|s| !s.id.contains("curl"));
    let body = body.map_or(set.objects * set.object_bytes, |storm| storm.body_bytes);
    format!(
        "{}: {} {} of {} bytes, {} MiB of JSON in one LIST",
        set.name,
        thousands(set.objects as f64),
        set.plural,
        thousands(set.object_bytes as f64),
        number(mib(body)),
    )
}

/// The machine and the program, in one line.
pub(super) fn machine(result: &CompareResult) -> String {
    let machine = &result.machine;
    let cpu = if machine.cpu.is_empty() { "unknown CPU" } else { &machine.cpu };
    let commit = result.commit.as_deref().map_or_else(String::new, |c| format!(" ({c})"));
    let cores = if machine.cores == 1 { "core" } else { "cores" };
    format!(
        "{cpu}, {} {cores}, {} GiB, {}; {}; apisim {}{commit}, seed {}, {} s",
        machine.cores,
        number(mib(machine.memory_bytes) / 1024.0),
        machine.kernel,
        result.started,
        result.version,
        result.seed,
        number(result.elapsed_s),
    )
}

/// What the run shows, in sentences; the storm of ten slow readers or the nearest to it.
pub(super) fn findings(result: &CompareResult) -> Vec<(&'static str, String)> {
    let mut findings = Vec::new();
    let table = groups(result);
    let find = |wanted: &dyn Fn(&str) -> bool| table.iter().rfind(|group| wanted(&group.label));
    let ten = find(&|label| label == "10 slow").or_else(|| find(&|label| label.ends_with(" slow")));
    if let Some(group) = ten {
        if let Some(text) = here_finding(group) {
            findings.push(("Measured here", text));
        }
        if let Some(text) = recorded_finding(group) {
            findings.push(("Recorded there", text));
        }
    }
    if let Some(group) = find(&|label| label.ends_with("curl"))
        && let Some(row) = group.rows.last()
        && let Some(here) = &row.here
    {
        findings.push((
            "curl is never streamed",
            format!(
                "Clients that call themselves curl get indented JSON, and that is buffered on every \
                 release: under {}, {} took {} MiB above idle here. There, ten slow ones made the \
                 real 1.33.2 grow by {} MiB where ten others made it grow by {} MiB.",
                group.label,
                row.profile,
                number(here.above_idle_mib),
                thousands(CURL_MIB),
                thousands(CURL_OTHERS_MIB),
            ),
        ));
    }
    findings
}

fn here_finding(group: &Group) -> Option<String> {
    let figures: Option<Vec<String>> = group
        .rows
        .iter()
        .map(|row| {
            Some(format!("{} {} MiB", row.profile, number(row.here.as_ref()?.above_idle_mib)))
        })
        .collect();
    let ratio = group.ratios.first().and_then(|ratio| ratio.here_memory);
    let ratio = ratio
        .map_or_else(String::new, |ratio| format!(", {} to 1", ratio.text().trim_end_matches('x')));
    Some(format!(
        "{} LISTs took this simulator above its idle memory by: {}{ratio}. This is about this \
         program, not about a cluster.",
        group.label,
        figures?.join(", "),
    ))
}

fn recorded_finding(group: &Group) -> Option<String> {
    let runs: Option<Vec<_>> = group.rows.iter().map(|row| row.recorded.as_ref()).collect();
    let runs = runs?;
    let mut figures: Vec<String> = Vec::new();
    for run in &runs {
        let figure = format!("{} by {} MiB", run.version, thousands(run.growth_mib));
        if !figures.contains(&figure) {
            figures.push(figure);
        }
    }
    let ratio = group.ratios.first().and_then(|ratio| ratio.recorded_memory);
    let ratio = ratio.map_or_else(String::new, |ratio| format!(", {} to 1", number(ratio)));
    let shape = &runs.first()?.shape;
    Some(format!(
        "In the nearest run ({shape}) the real kube-apiserver grew: {}{ratio}.",
        figures.join(", ")
    ))
}

/// What must stand right under the table: whose the ratios are, and what the real ones were.
pub(super) fn ratio_warning(groups: &[Group]) -> Option<String> {
    let ratios = || groups.iter().flat_map(|group| &group.ratios);
    let here = ratios().filter_map(|ratio| ratio.here_memory).next()?;
    let recorded = || ratios().filter_map(|ratio| ratio.recorded_memory);
    let (least, most) =
        recorded().fold((f64::MAX, 0.0_f64), |(least, most), r| (least.min(r), most.max(r)));
    let real = if least <= most {
        format!(
            "On the real kube-apiserver the memory of the recorded runs in this table differs by {} to {} between \
             releases.",
            times(least),
            times(most),
        )
    } else {
        "No real runs of one shape are near enough to give a ratio here.".to_owned()
    };
    Some(format!(
        "Memory ratios measured here (such as {}) are of this simulator alone: do not expect them of \
         a cluster. {real}",
        here.text(),
    ))
}

/// What a reader has to know to use the table. Headings with their paragraphs.
pub(super) fn explanation() -> [(&'static str, &'static str); 4] {
    [
        (
            "Two kinds of figures",
            "Measured here: this simulator on this machine; memory is the server process's peak \
             (VmHWM) above its idle memory, read from outside it. Recorded there: the real \
             kube-apiserver 1.32.13 or 1.33.2 in the run that is named, over TLS and HTTP/2 on a \
             machine with two cores; its memory repeats to about 5 %, its times only to a factor \
             of two or three. Neither is computed from the other, and what this process took is no \
             forecast of what a kube-apiserver takes.",
        ),
        (
            "Why they differ",
            "The real server copies every item of a LIST into structs of its own, on either \
             release; streaming takes away only the buffer for the whole body. This simulator sends \
             the bytes that it has stored, so without the buffer almost nothing is left. Its ratio \
             between releases is therefore larger than the real one, and says nothing about yours.",
        ),
        (
            "What streaming saves on the real server",
            "Recorded there, memory per LIST in flight fell 1.5 times for pods of 2 kB, 3.5 times \
             for pods of 9.4 kB, 14 times for objects of 100 kB, and not at all for small pods as \
             protobuf. It has a price: CPU per LIST rose 1.4 times (one binary, gate off and on), \
             and wall time under concurrency up to doubled.",
        ),
        (
            "Who is streamed to",
            "JSON and protobuf from 1.33 on, with gzip or without. Not indented answers: ?pretty, \
             or a user agent that begins with curl, Wget or Mozilla. Ten slow curl clients made the \
             real 1.33.2 grow by 3,440 MiB where ten others made it grow by 343 MiB.",
        ),
    ]
}

/// What is special about this run and has to be known.
pub(super) fn notes(result: &CompareResult) -> Vec<String> {
    let mut notes = Vec::new();
    if result.incomplete {
        notes.push("This run is incomplete: a server or a storm failed.".to_owned());
    }
    for profile in &result.profiles {
        if let Some(error) = &profile.error {
            notes.push(format!("{}: {error}", profile.profile));
        }
        for storm in &profile.storms {
            let label = result.storm(&storm.id).map_or_else(String::new, |storm| storm.label());
            if storm.failed() > 0 {
                let kinds = storm.errors.iter().map(|(kind, n)| format!("{n} {kind}"));
                let codes = storm.codes.iter().filter(|(code, _)| !code.starts_with('2'));
                let codes = codes.map(|(code, n)| format!("{n} with status {code}"));
                let kinds: Vec<String> = kinds.chain(codes).collect();
                notes.push(format!("{}, {label}: failed: {}.", profile.profile, kinds.join(", ")));
            }
            let kept = storm.start_rss_bytes.saturating_sub(profile.idle_rss_bytes);
            let above = profile.above_idle_bytes(storm);
            if kept > KEPT_BYTES && kept > above / 10 {
                notes.push(format!(
                    "{}, {label}: the server still held {} MiB above idle from the storm before; its \
                     figure includes what of that was not used again.",
                    profile.profile,
                    number(mib(kept)),
                ));
            }
        }
    }
    notes
}

/// What is kept from one storm to the next and is worth a note.
const KEPT_BYTES: u64 = 16 << 20;
