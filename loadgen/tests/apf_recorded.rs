//! What the real kube-apiserver was recorded to do, in virtual time.
//!
//! Load and configuration are files of `fixtures/apf-lessons`, recordings are in
//! `fixtures/apf-live`. What was recorded stands beside what is modelled, and neither is made from
//! the other, but for service times: how long a request executes no model here can know.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use loadgen::apf::{
    config::FlowConfig,
    load::Load,
    simulate::{Outcome, simulate},
};
use serde_json::Value;

fn fixtures(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}

fn recorded(name: &str) -> Value {
    let mut text = String::new();
    let file = File::open(fixtures("apf-live").join(name)).unwrap();
    if name.ends_with(".gz") {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else {
        (&file).read_to_string(&mut text).unwrap();
    }
    serde_json::from_str(&text).unwrap()
}

/// Plays a load file as `loadgen apf simulate` does.
fn played(name: &str, seed: u64) -> Outcome {
    let mut load = Load::read(&fixtures("apf-lessons").join(format!("{name}.yaml"))).unwrap();
    load.seed = seed;
    let mut config = FlowConfig::bootstrap(load.release.unwrap(), load.server_seats());
    for file in &load.config {
        config.overlay_file(file).unwrap();
    }
    simulate(&config, &load)
}

const CONFIGURATIONS: [(&str, &str); 4] = [
    ("no-borrowing", "pod-lists: 5 shares, borrowingLimitPercent 0"),
    ("apf-off", "APF off, max-requests-inflight 20"),
    ("default", "default APF"),
    ("unlimited", "pod-lists: 5 shares, borrowing unlimited"),
];

/// When the storm of a load file begins, in seconds.
fn start_s(name: &str) -> f64 {
    let load = Load::read(&fixtures("apf-lessons").join(format!("{name}.yaml"))).unwrap();
    load.clients[0].start.as_secs_f64()
}

#[test]
fn the_four_cures_let_in_as_many_lists_as_recorded() {
    // Recorded: seats of a LIST and current limits, hence LISTs at once (golden lab, 2.3 and 2.9).
    // 1 s into the storm the limits are those of an idle server; 15 s into it those that were
    // recorded after it. Without fairness the twenty are served by then, or nearly.
    for release in ["1.32", "1.33"] {
        for (name, seats, after_1_s, after_15_s) in
            [("no-borrowing", 2, 6, Some(6)), ("apf-off", 1, 20, None), ("default", 8, 7, Some(46))]
        {
            let file = format!("{release}-{name}");
            let outcome = played(&file, 1);
            let lists = outcome.client("lists").unwrap();
            assert_eq!(lists.seats_each, seats, "{release} {name}");
            let start = start_s(&file);
            let at = |t: f64| outcome.executing_at("lists", start + t).unwrap();
            assert_eq!(at(1.0), after_1_s, "{release} {name} after 1 s");
            if let Some(after_15_s) = after_15_s {
                assert_eq!(at(15.0), after_15_s, "{release} {name} after 15 s");
            }
        }
        let file = format!("{release}-unlimited");
        let outcome = played(&file, 1);
        let lists = outcome.client("lists").unwrap();
        assert_eq!(lists.seats_each, 2);
        // Of an idle server the level has 27 seats; borrowing then lets all in.
        assert_eq!(outcome.executing_at("lists", start_s(&file) + 1.0), Some(13));
        assert_eq!(outcome.executing_at("lists", start_s(&file) + 15.0), Some(100));
        assert_eq!(lists.row.most_executing, 100);
    }
}

#[test]
fn current_limits_rise_to_what_was_recorded() {
    let limit_of = |run: &Value, level: &str| -> Option<u32> {
        let name =
            format!("apiserver_flowcontrol_current_limit_seats{{priority_level=\"{level}\"}} ");
        let limits = run["limits"].as_array()?;
        limits.iter().find_map(|line| line.as_str()?.strip_prefix(&name)?.parse().ok())
    };
    let runs = recorded("apf_cure.json");
    for run in runs.as_array().unwrap() {
        let config = run["config"].as_str().unwrap();
        let (name, _) = CONFIGURATIONS.iter().find(|(_, c)| *c == config).unwrap();
        if *name == "apf-off" {
            continue;
        }
        let level = if *name == "default" { "global-default" } else { "pod-lists" };
        let outcome = played(&format!("{}-{name}", &run["version"].as_str().unwrap()[..4]), 1);
        let series = outcome.series.iter().find(|series| series.name == level).unwrap();
        let modelled = series.limit.iter().copied().max().unwrap();
        let recorded = limit_of(run, level).unwrap();
        let off = f64::from(modelled.abs_diff(recorded)) / f64::from(recorded);
        // A few seats depend on what else the recorded server had to do.
        assert!(off <= 0.03, "{config}: modelled {modelled}, recorded {recorded}");
    }
}

#[test]
fn the_order_of_the_four_cures_is_as_recorded() {
    let runs = recorded("apf_cure.json");
    for release in ["1.32", "1.33"] {
        let in_flight: Vec<u64> = CONFIGURATIONS
            .iter()
            .map(|(name, _)| {
                let outcome = played(&format!("{release}-{name}"), 1);
                outcome.client("lists").unwrap().row.most_executing
            })
            .collect();
        let memory: Vec<u64> = CONFIGURATIONS
            .iter()
            .map(|(_, config)| {
                let mut runs = runs.as_array().unwrap().iter();
                let run = runs.find(|run| {
                    run["config"] == *config
                        && run["version"].as_str().unwrap().starts_with(release)
                });
                run.unwrap()["rss_peak_mib"].as_u64().unwrap()
            })
            .collect();
        // Modelled LISTs in flight and recorded memory rise together.
        assert!(in_flight.is_sorted_by(|a, b| a < b), "{release}: {in_flight:?}");
        assert!(memory.is_sorted_by(|a, b| a < b), "{release}: {memory:?}");
    }
}

#[test]
fn refusals_of_the_four_cures_are_as_recorded() {
    let runs = recorded("apf_cure.json");
    for run in runs.as_array().unwrap() {
        let config = run["config"].as_str().unwrap();
        let (name, _) = CONFIGURATIONS.iter().find(|(_, c)| *c == config).unwrap();
        let release = &run["version"].as_str().unwrap()[..4];
        let row = played(&format!("{release}-{name}"), 1).client("lists").unwrap().row.clone();
        let recorded = run["codes"]["429"].as_u64().unwrap_or(0);
        let modelled = row.rejected_total();
        assert!(modelled.abs_diff(recorded) <= 10, "{release} {name}: {modelled}, not {recorded}");
        let reasons: Vec<&str> = row.rejected.keys().map(String::as_str).collect();
        let expected: &[&str] = match *name {
            "apf-off" => &["max-in-flight"],
            "unlimited" => &[],
            _ => &["time-out"],
        };
        assert_eq!(reasons, expected, "{release} {name}");
    }
}

/// Throughput shares of the three users in percent, mean of some seeds, and reasons of refusals.
fn three_users(name: &str) -> (BTreeMap<String, f64>, BTreeMap<String, u64>, Outcome) {
    let outcomes: Vec<Outcome> = (1..=SEEDS).map(|seed| played(name, seed)).collect();
    let mut shares = BTreeMap::new();
    let mut rejected = BTreeMap::new();
    for outcome in &outcomes {
        for user in &outcome.users {
            *shares.entry(user.user.clone()).or_insert(0.0) += user.share_percent / SEEDS as f64;
        }
        for (reason, count) in outcome.level("lab").into_iter().flat_map(|l| &l.row.rejected) {
            *rejected.entry(reason.clone()).or_insert(0) += count;
        }
    }
    (shares, rejected, outcomes.into_iter().next().unwrap())
}

fn recorded_reasons(run: &Value) -> Vec<String> {
    let metrics = run["final_flowcontrol_lab_metrics"].as_array().unwrap();
    let mut reasons: Vec<String> = metrics
        .iter()
        .filter_map(Value::as_str)
        .filter(|line| line.starts_with("apiserver_flowcontrol_rejected_requests_total"))
        .map(|line| line.split("reason=\"").nth(1).unwrap().split('"').next().unwrap().to_owned())
        .collect();
    reasons.sort();
    reasons
}

#[track_caller]
fn check(name: &str, recording: &str) {
    let run = recorded(&format!("apf_experiment_133_{recording}.json.gz"));
    let (shares, rejected, outcome) = three_users(name);
    let ok = |user: &str| run["users"][user]["ok"].as_f64().unwrap();
    let all: f64 = shares.keys().map(|user| ok(user)).sum();
    for (user, modelled) in &shares {
        let recorded = ok(user) / all * 100.0;
        assert!(
            (modelled - recorded).abs() <= 10.0,
            "{name} {user}: modelled {modelled:.1} %, recorded {recorded:.1} %"
        );
    }
    let reasons: Vec<String> = rejected.keys().cloned().collect();
    assert_eq!(reasons, recorded_reasons(&run), "{name}: {rejected:?}");
    // Who was refused at all is the same.
    for user in &outcome.users {
        let refused = run["users"][&user.user]["codes"]["429"].as_u64().unwrap_or(0) > 0;
        assert_eq!(user.row.rejected_total() > 0, refused, "{name} {}", user.user);
    }
    let lab = outcome.level("lab").unwrap();
    assert_eq!((lab.nominal_limit, lab.lower_limit, lab.upper_limit), (2, 2, 32));
}

const SEEDS: u64 = 5;

#[test]
fn three_users_get_as_recorded() {
    check("three-users-get", "get");
}

#[test]
fn three_users_list_as_recorded() {
    check("three-users-list5000", "list5000");
}

#[test]
fn three_users_are_refused_without_queues_as_recorded() {
    check("three-users-reject", "list_limit500_reject");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let text = |seed| {
        let outcome = played("three-users-get", seed);
        (serde_json::to_string(&outcome).unwrap(), loadgen::apf::simulate::html(&outcome))
    };
    assert_eq!(text(3), text(3));
    assert_ne!(text(3).0, text(4).0);
}
