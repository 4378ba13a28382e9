//! Reading the recordings, and comparing with them.

use std::{env, fs, io::Read, path::PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

/// Every recording this test replays.
pub(crate) const FILES: &[&str] = &[
    "bootstrap-v0.32.6",
    "bootstrap-v0.33.2",
    "bootstrap-v0.37.2",
    "borrowing",
    "classify",
    "classify-v0.37.2",
    "dealer",
    "e2e",
    "limits",
    "queuewait",
    "retryafter",
    "traces_basic",
    "traces_limits",
    "traces_mix",
    "traces_reconfig",
    "traces_wide",
    "width-v0.32.6",
    "width-v0.33.2",
    "width-v0.37.2",
];

/// The recording `name`. `None` only for a file that a golden folder does not have.
pub(crate) fn load(name: &str) -> Option<Value> {
    assert!(FILES.contains(&name), "{name} is listed");
    let bytes = match env::var_os("APISIM_GOLDEN_DIR") {
        Some(dir) => {
            let path = PathBuf::from(dir).join("apf").join(format!("{name}.json"));
            if !path.exists() {
                println!("{} is not there", path.display());
                return None;
            }
            fs::read(path).unwrap()
        }
        None => {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../fixtures/apf")
                .join(format!("{name}.json.gz"));
            let file = fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let mut bytes = Vec::new();
            GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
            bytes
        }
    };
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// Runs `check` over the recording and fails if it has counted no case.
pub(crate) fn replay(name: &str, check: impl FnOnce(&Value) -> usize) {
    if let Some(value) = load(name) {
        let cases = check(&value);
        assert!(cases > 0, "{name} has no cases");
        println!("{name}: {cases} cases");
    }
}

/// The elements of a list that may be absent.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn u64_of(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no u64"))
}

pub(crate) fn i64_of(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no i64"))
}

pub(crate) fn f64_of(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

pub(crate) fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}

/// A hash, written as a decimal string.
pub(crate) fn hash_of(value: &Value) -> u64 {
    str_of(value).parse().unwrap()
}

/// Equal within 1e-9, absolute for small and relative for large figures; null is NaN.
pub(crate) fn assert_close(ours: f64, recorded: &Value, what: impl std::fmt::Display) {
    if recorded.is_null() {
        assert!(ours.is_nan(), "{what}: {ours} for NaN");
        return;
    }
    let theirs = f64_of(recorded);
    let error = (ours - theirs).abs();
    assert!(error <= 1e-9 * theirs.abs().max(1.0), "{what}: {ours} for {theirs}");
}

#[test]
fn a_golden_folder_holds_at_least_one_known_file() {
    assert!(FILES.iter().any(|name| load(name).is_some()));
}
