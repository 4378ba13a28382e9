//! `loadgen compare` as a person runs it, on a data set of 200 small pods.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![cfg(target_os = "linux")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

fn loadgen(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn fresh(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    directory
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Servers whose command line names `directory`.
fn servers(directory: &Path) -> Vec<String> {
    let name = directory.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&name) && line.contains("--ready-file"))
        .collect()
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_small_comparison_ends_with_table_and_report() {
    let out = fresh("compare-small");
    let path = out.to_str().unwrap();
    let flags = ["--dataset", "pods=200x2Ki", "--concurrency", "2", "--quick", "--out", path];
    let output = loadgen(&[&["compare"], &flags[..]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let table = String::from_utf8_lossy(&output.stdout);
    for part in [
        "2 fast",
        "2 slow",
        "2 gzip",
        "2 slow curl",
        "1.32 / 1.33",
        "measured here",
        "recorded there",
    ] {
        assert!(table.contains(part), "{part} in {table}");
    }
    let progress = String::from_utf8_lossy(&output.stderr);
    assert!(progress.contains("1.33: storm 2 slow"), "{progress}");
    assert_eq!(servers(&out), [""; 0]);

    let mut files: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["report.html", "result.csv", "result.json"]);
    let result: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("result.json")).unwrap()).unwrap();
    for profile in result["profiles"].as_array().unwrap() {
        assert!(profile["samples"]["tMs"].as_array().unwrap().len() > 20);
        for storm in profile["storms"].as_array().unwrap() {
            assert_eq!(storm["ok"], storm["requests"], "{storm}");
            assert!(storm["bodyBytes"].as_u64().unwrap() > 380_000, "{storm}");
        }
    }

    let first = fs::read(out.join("report.html")).unwrap();
    let json = out.join("result.json");
    let again = out.join("again.html");
    let rendered =
        loadgen(&["report", json.to_str().unwrap(), "--out", again.to_str().unwrap()]).output();
    let rendered = rendered.unwrap();
    assert_eq!(rendered.status.code(), Some(0), "{}", said(&rendered));
    assert_eq!(fs::read(again).unwrap(), first);
}

#[test]
fn an_interrupted_comparison_leaves_no_server() {
    let out = fresh("compare-interrupted");
    let path = out.to_str().unwrap();
    let flags = ["--dataset", "pods=200x2Ki", "--concurrency", "2", "--out", path];
    for signal in ["INT", "TERM"] {
        let child = loadgen(&[&["compare"], &flags[..]].concat()).spawn().unwrap();
        wait_for("a server", || !servers(&out).is_empty());
        // Into the storms, not only the start.
        thread::sleep(Duration::from_millis(500));
        let id = child.id().to_string();
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success()
        );
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        wait_for("the server's end", || servers(&out).is_empty());
    }
}

#[test]
fn a_killed_comparison_leaves_no_server() {
    let out = fresh("compare-killed");
    let path = out.to_str().unwrap();
    let flags = ["--dataset", "pods=200x2Ki", "--concurrency", "2", "--out", path];
    let mut child = loadgen(&[&["compare"], &flags[..]].concat()).spawn().unwrap();
    wait_for("a server", || !servers(&out).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the server's end", || servers(&out).is_empty());
}

#[test]
fn too_little_memory_is_said_before_anything_is_started() {
    let out = fresh("compare-memory");
    let path = out.to_str().unwrap();
    let flags = ["--dataset", "configmaps=1000x1Mi", "--concurrency", "1000", "--out", path];
    let output = loadgen(&[&["compare"], &flags[..]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("not enough memory") && message.contains("GiB"), "{message}");
    assert!(!out.exists());
}

#[test]
fn a_server_that_cannot_start_is_an_error_with_its_log() {
    let out = fresh("compare-broken");
    let path = out.to_str().unwrap();
    let flags = ["compare", "--server-program", "/bin/false", "--out", path];
    let output = loadgen(&flags).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("before it was ready"), "{message}");
}
