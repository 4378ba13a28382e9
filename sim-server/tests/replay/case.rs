//! The recordings.
//!
//! A case is a file of steps in order. Unrecorded requests come first (`setup_steps`) and before
//! steps (`before`); they must succeed. In requests and answers `<rv1>`, `<uid2>` and the like
//! stand for what the server made up, see [`crate::placeholder`].

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub(crate) struct Recordings {
    pub(crate) cases: Vec<Arc<Case>>,
    /// By the short names that the steps use.
    pub(crate) users: BTreeMap<String, User>,
    /// Sent once to every server.
    pub(crate) prepare: Vec<Op>,
}

#[derive(Deserialize)]
pub(crate) struct User {
    pub(crate) token: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) groups: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    /// `AREA__NAME`.
    #[serde(default)]
    pub(crate) file: String,
    #[serde(default)]
    pub(crate) setup_steps: Vec<Op>,
    pub(crate) steps: Vec<Step>,
    /// Object versions, oldest first.
    #[serde(default)]
    pub(crate) rv_order: Vec<String>,
    #[serde(default)]
    pub(crate) volatile: Vec<Volatile>,
    #[serde(default)]
    pub(crate) requires: Vec<String>,
}

/// A place where an answer need not be equal.
#[derive(Deserialize)]
pub(crate) struct Volatile {
    /// A number, or `*`.
    pub(crate) step: Value,
    pub(crate) ptr: String,
    pub(crate) rule: String,
}

/// A recorded request and its answer.
#[derive(Deserialize)]
pub(crate) struct Step {
    #[serde(flatten)]
    pub(crate) request: Request,
    #[serde(default)]
    pub(crate) before: Vec<Op>,
    #[serde(flatten)]
    pub(crate) answer: Answer,
    #[serde(default)]
    pub(crate) alternatives: Vec<Answer>,
    pub(crate) watch: Option<Watch>,
    /// Seconds after which there must be no answer yet.
    pub(crate) hang: Option<f64>,
    pub(crate) newline: Option<bool>,
    pub(crate) pretty: Option<bool>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Request {
    pub(crate) user: Option<String>,
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Answer {
    /// None of a step that hangs.
    #[serde(default)]
    pub(crate) status: u16,
    pub(crate) response_headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) response: Value,
    /// What of the answer was kept.
    pub(crate) projection: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Watch {
    /// Seconds.
    pub(crate) wait: f64,
    #[serde(default)]
    pub(crate) ended: bool,
    #[serde(default)]
    pub(crate) quiet: bool,
    /// How often each text is at least in what is received.
    pub(crate) lossy: Option<BTreeMap<String, usize>>,
}

/// One of: a request, a pause, a watch to be opened, a compaction.
#[derive(Deserialize)]
pub(crate) struct Op {
    pub(crate) sleep: Option<f64>,
    pub(crate) open: Option<usize>,
    pub(crate) compact: Option<String>,
    #[serde(flatten)]
    pub(crate) request: Option<Request>,
    /// One code or several.
    pub(crate) status: Option<Value>,
    /// Placeholder and the pointer to its value in the answer.
    #[serde(default)]
    pub(crate) bind: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Prepare {
    requests: Vec<Op>,
}

impl Recordings {
    pub(crate) fn load() -> Self {
        let folder = folder();
        let names =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json") || name.ends_with(".json.gz"))
            .collect();
        names.sort_unstable();
        let mut cases = Vec::new();
        let (mut users, mut prepare) = (None, Vec::new());
        for name in names {
            let path = folder.join(&name);
            match name.trim_end_matches(".gz").trim_end_matches(".json") {
                "users" => users = Some(read(&path)),
                "_prepare" => prepare = read::<Prepare>(&path).requests,
                other if other.starts_with('_') => {}
                file => {
                    let case = Case { file: file.to_owned(), ..read(&path) };
                    cases.push(Arc::new(case));
                }
            }
        }
        Self { cases, users: users.expect("users.json"), prepare }
    }
}

impl Case {
    /// The server's flags besides those that all cases have.
    pub(crate) fn flags(&self) -> Vec<String> {
        let gates = self.requires.iter().filter(|feature| *feature != "compact");
        gates.map(|gate| format!("--feature-gates={gate}=true")).collect()
    }
}

fn folder() -> PathBuf {
    let Some(given) = std::env::var_os("APISIM_GOLDEN_DIR") else {
        return Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/requests/cases");
    };
    let requests = Path::new(&given).join("requests");
    if requests.is_dir() { requests } else { given.into() }
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let mut bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let packed = std::mem::take(&mut bytes);
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    }
    let mut value = serde_json::from_slice(&bytes).unwrap();
    expand(&mut value);
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `{"$repeat": [text, n, tail]}` stands for a long text.
fn expand(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(expand),
        Value::Object(members) => match repeated(members) {
            Some(text) => *value = Value::String(text),
            None => members.values_mut().for_each(expand),
        },
        _ => {}
    }
}

fn repeated(members: &Map<String, Value>) -> Option<String> {
    let parts = members.get("$repeat").filter(|_| members.len() == 1)?.as_array()?;
    let times = usize::try_from(parts.get(1)?.as_u64()?).ok()?;
    let tail = parts.get(2).and_then(Value::as_str).unwrap_or_default();
    Some(parts.first()?.as_str()?.repeat(times) + tail)
}
