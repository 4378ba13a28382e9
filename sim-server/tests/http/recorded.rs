//! Whole exchanges recorded from kube-apiserver 1.33.2, sent again.
//!
//! `fixtures/requests/http.json.gz` holds cases; a case is a list of requests in order, those
//! with a status being the recorded ones. managedFields are left out of the comparison until
//! they are built. In a recorded answer `<rv1>` and the like stand for what the server made up;
//! the same name is the same value throughout a case, and later requests send it back.

use std::{collections::BTreeMap, io::Read};

use http::Method;
use serde_json::Value;

use crate::{
    client::{Answer, Ask, Client},
    server::Server,
};

/// Steps that need what is not built yet; a step that starts to pass must leave this list.
const NOT_YET: &[&str] = &[
    // Node connections.
    "body__not_found#8",
    // Tables and protobuf.
    "list__empty_lists#3",
    "list__gzip#9",
    // OpenAPI documents vary by Accept alone, and have an ETag.
    "list__gzip#10",
];

#[tokio::test]
async fn answers_equal_the_recorded_ones() {
    let server = Server::start(&["--enable-priority-and-fairness=false"]).await;
    let mut client = server.client().await;
    let (mut passed, mut wrong) = (0, Vec::new());
    for (case, steps) in recorded().as_object().unwrap() {
        let mut names = Names::default();
        for step in steps.as_array().unwrap() {
            let answer = send(&mut client, step, &names).await;
            let Some(number) = step.get("step") else {
                for (name, pointer) in step["bind"].as_object().into_iter().flatten() {
                    let found = answer.json().pointer(pointer.as_str().unwrap()).cloned();
                    names.0.insert(name.clone(), found.unwrap().as_str().unwrap().to_owned());
                }
                continue;
            };
            let name = format!("{case}#{number}");
            match (compare(step, &answer, &mut names), NOT_YET.contains(&&*name)) {
                (Ok(()), false) => passed += 1,
                (Err(_), true) => {}
                (Ok(()), true) => wrong.push(format!("{name} passes now: take it off the list")),
                (Err(difference), false) => wrong.push(format!(
                    "{name} {} {}: {difference}",
                    step["method"].as_str().unwrap(),
                    step["path"].as_str().unwrap(),
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {passed} right\n{}", wrong.len(), wrong.join("\n"));
    assert!(passed > 200, "only {passed} steps");
}

fn recorded() -> Value {
    let packed = include_bytes!("../../../fixtures/requests/http.json.gz");
    let mut json = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

async fn send(client: &mut Client, step: &Value, names: &Names) -> Answer {
    let method = Method::from_bytes(step["method"].as_str().unwrap().as_bytes()).unwrap();
    let mut ask = Ask::new(method, &names.fill(step["path"].as_str().unwrap()));
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        ask = ask.header(name, &names.fill(value.as_str().unwrap()));
    }
    ask = match step.get("body") {
        None => ask,
        Some(Value::String(text)) => ask.body(names.fill(text)),
        Some(body) => ask.body(names.fill(&repeated(body).to_string())),
    };
    client.send(ask).await
}

/// `{"$repeat": [text, times, tail]}` as the text that it stands for.
fn repeated(value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("$repeat") {
            Some(parts) => {
                let times = usize::try_from(parts[1].as_u64().unwrap()).unwrap();
                let tail = parts.get(2).and_then(Value::as_str).unwrap_or_default();
                Value::String(parts[0].as_str().unwrap().repeat(times) + tail)
            }
            None => members.iter().map(|(key, value)| (key.clone(), repeated(value))).collect(),
        },
        Value::Array(items) => items.iter().map(repeated).collect(),
        other => other.clone(),
    }
}

fn compare(step: &Value, answer: &Answer, names: &mut Names) -> Result<(), String> {
    if step["status"] != answer.status {
        let start: String = answer.text().chars().take(200).collect();
        return Err(format!("status {} and not {}: {start}", answer.status, step["status"]));
    }
    for header in HEADERS {
        let expected =
            step["answer_headers"].get(header).map_or("", |value| value.as_str().unwrap());
        if expected != answer.header(header) {
            let found = answer.header(header);
            return Err(format!("{header} is {found:?} and not {expected:?}"));
        }
    }
    if let Some(expected) = step.get("names") {
        let found = Value::from(answer.names());
        return names.same("", expected, &found);
    }
    let Some(expected) = step.get("response") else { return Ok(()) };
    let newline = answer.body.ends_with(b"\n");
    if step["newline"].as_bool().is_some_and(|recorded| recorded != newline) {
        return Err(format!("newline at the end: {newline}"));
    }
    let Value::String(expected) = expected else {
        let lines = answer.body.iter().filter(|&&byte| byte == b'\n').count();
        if step["pretty"].as_bool().is_some_and(|pretty| pretty != (lines > 1)) {
            return Err(format!("{lines} lines"));
        }
        let found: Value = serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
        return names.same("", expected, &found);
    };
    names.same_text(expected, answer.text()).map_err(|()| format!("{:?}", answer.text()))
}

const HEADERS: [&str; 5] =
    ["content-type", "retry-after", "content-encoding", "vary", "x-content-type-options"];

/// What stands for values that the server makes up.
const PLACEHOLDERS: [&str; 8] = ["rv", "lrv", "uid", "ts", "num", "cont", "sfx", "hex"];

/// The values that placeholders have in one case.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn same(&mut self, at: &str, expected: &Value, found: &Value) -> Result<(), String> {
        let differs = || Err(format!("{at} is {found} and not {expected}"));
        match (expected, found) {
            (Value::String(expected), Value::String(found)) => {
                self.same_text(expected, found).or_else(|()| differs())
            }
            (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
                let mut pairs = expected.iter().zip(found).enumerate();
                pairs.try_for_each(|(n, (e, f))| self.same(&format!("{at}/{n}"), e, f))
            }
            (Value::Object(expected), Value::Object(found)) => {
                let unknown = found
                    .keys()
                    .find(|key| *key != "managedFields" && !expected.contains_key(key.as_str()));
                if let Some(key) = unknown {
                    return Err(format!("{at}/{key} is not in the recording"));
                }
                expected.iter().try_for_each(|(key, value)| match found.get(key) {
                    Some(found) => self.same(&format!("{at}/{key}"), value, found),
                    None => Err(format!("{at}/{key} is missing")),
                })
            }
            _ if expected == found => Ok(()),
            _ => differs(),
        }
    }

    fn same_text(&mut self, expected: &str, found: &str) -> Result<(), ()> {
        let Some((before, name, after)) = placeholder(expected) else {
            return if expected == found { Ok(()) } else { Err(()) };
        };
        let rest = found.strip_prefix(before).ok_or(())?;
        // Up to the literal text behind it; placeholders never touch each other.
        let literal = placeholder(after).map_or(after, |(literal, ..)| literal);
        let end = if literal.is_empty() { rest.len() } else { rest.find(literal).ok_or(())? };
        let (value, rest) = rest.split_at(end);
        let numbered = name.ends_with(|last: char| last.is_ascii_digit());
        if numbered {
            let name = format!("<{name}>");
            if self.0.entry(name).or_insert_with(|| value.to_owned()) != value {
                return Err(());
            }
        }
        self.same_text(after, rest)
    }
}

/// The first placeholder of a text: what is before it, its name, what is after it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('<').map(|at| from + at) {
        let close = open + text[open..].find('>')?;
        let name = &text[open + 1..close];
        if PLACEHOLDERS.contains(&name.trim_end_matches(|digit: char| digit.is_ascii_digit())) {
            return Some((&text[..open], name, &text[close + 1..]));
        }
        from = open + 1;
    }
    None
}
