//! The dependency rule of ARCHITECTURE.md, as a test.

use std::{collections::BTreeSet, process::Command};

/// The crates that do no I/O and read no clock.
const CORES: &[&str] = &["sim-time", "sim-store", "sim-flow", "sim-api", "sim-cluster", "fixtures"];

/// What a core must not reach, however indirectly.
const EDGES: &[&str] =
    &["getrandom", "hyper", "mio", "rustls", "socket2", "tokio", "tracing-subscriber"];

/// Who may know whom, directly, within the workspace.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("sim-time", &[]),
    ("sim-store", &["sim-time"]),
    ("sim-flow", &["sim-time"]),
    ("sim-api", &["sim-store", "sim-time"]),
    ("sim-cluster", &["sim-api", "sim-store", "sim-time"]),
    ("fixtures", &[]),
    ("sim-server", &["fixtures", "sim-api", "sim-cluster", "sim-flow", "sim-store", "sim-time"]),
    ("loadgen", &["fixtures", "sim-api", "sim-flow", "sim-server", "sim-store", "sim-time"]),
];

fn tree(package: &str, depth: Option<&str>) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "tree",
        "--offline",
        "--locked",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--package",
        package,
    ]);
    if let Some(depth) = depth {
        cargo.args(["--depth", depth]);
    }
    let out = cargo.output().expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().filter_map(|line| line.split(' ').next()).map(String::from).collect()
}

#[test]
fn cores_do_no_io() {
    for core in CORES {
        let reached = tree(core, None);
        assert!(reached.contains(*core), "the tree of {core} was read");
        for edge in EDGES {
            assert!(!reached.contains(*edge), "{core} reaches {edge}; move that to an edge crate");
        }
    }
}

#[test]
fn arrows_point_down_only() {
    for (package, may_know) in MAY_KNOW {
        for known in tree(package, Some("1")) {
            let ours = MAY_KNOW.iter().any(|(name, _)| *name == known);
            let allowed = known == *package || may_know.contains(&&*known);
            assert!(!ours || allowed, "{package} must not know {known}");
        }
    }
}
