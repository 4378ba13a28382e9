//! Reports of one stored result: three storms of a real run, fewer samples.

use super::*;

const STORED: &str = include_str!("../../tests/data/compare-small.json");

fn stored() -> CompareResult {
    parse(STORED).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_text_is_as_stored() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/compare-small.txt");
    let text = text(&stored());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(path).unwrap(), "UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn a_result_survives_being_written() {
    let result = stored();
    let json = json(&result).unwrap();
    let again = parse(&json).unwrap();
    assert_eq!(result, again);
    assert_eq!(super::json(&again).unwrap(), json);
    assert_eq!(html(&result), html(&again));
}

#[test]
fn the_html_needs_nothing_else() {
    let html = html(&stored());
    for part in ["prefers-color-scheme: dark", "<svg", "Measured here", "Recorded there", "3,440"] {
        assert!(html.contains(part), "{part}");
    }
    for part in ["http://", "https://", "<script", "<link", "url(", "@import", "NaN", "inf"] {
        assert!(!html.contains(part), "{part}");
    }
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    assert_eq!(html.matches("<td").count(), html.matches("</td>").count());
}

#[test]
fn every_renderer_keeps_the_two_kinds_apart() {
    let result = stored();
    for text in [text(&result), markdown(&result), html(&result)] {
        assert!(text.to_lowercase().contains("measured here: this simulator"));
        assert!(text.to_lowercase().contains("recorded there: the real kube-apiserver"));
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("of this simulator alone: do not expect them of a cluster"));
    }
    let csv = csv(&result);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 3);
    assert!(lines[0].contains("above_idle_mib") && lines[0].contains("recorded_growth_mib"));
}

#[test]
fn names_are_escaped() {
    let mut result = stored();
    result.dataset.name = "<b>&".to_owned();
    result.incomplete = true;
    result.profiles[0].error = Some("<script>".to_owned());
    let html = html(&result);
    assert!(html.contains("&lt;b&gt;&amp;") && html.contains("&lt;script&gt;"));
    assert!(!html.contains("<script"));
}

#[test]
fn a_result_without_storms_is_still_a_report() {
    let mut result = stored();
    for profile in &mut result.profiles {
        profile.storms.clear();
        profile.samples = crate::sample::Samples::default();
    }
    assert!(text(&result).contains("10 slow"));
    assert!(html(&result).contains("</html>"));
    result.profiles.clear();
    assert!(html(&result).contains("</html>") && text(&result).contains("MiB"));
}

#[test]
fn what_is_no_result_says_so() {
    let error = |json: &str| parse(json).unwrap_err().to_string();
    assert_eq!(error("{}"), "not a result of loadgen compare: it has no schema");
    assert!(error("{\"schema\":\"apisim.compare/v9\"}").contains("\"apisim.compare/v9\""));
    assert!(error("nonsense").starts_with("not a result of loadgen compare: "));
}
