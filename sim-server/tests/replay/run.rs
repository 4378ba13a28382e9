//! One case against one server.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    case::{self, Case, Op, Request, Step, Watch},
    client::Client,
    compare::{Comparison, Difference, decode, project, short, unpack},
    stream::Stream,
};

/// Equal, or the first difference of a case.
pub(crate) type Outcome = Result<(), String>;

/// How long a watch that must stay silent is observed, in seconds.
const QUIET: f64 = 0.4;

struct Run<'a> {
    case: &'a Case,
    client: &'a Client,
    comparison: Comparison<'a>,
    streams: HashMap<usize, Stream>,
}

/// Sends all of a case, up to the first difference.
pub(crate) async fn case(case: &Case, client: &Client) -> Outcome {
    let (comparison, streams) = (Comparison::new(case), HashMap::new());
    let mut run = Run { case, client, comparison, streams };
    run.before(&case.setup_steps).await.map_err(|error| format!("setup: {error}"))?;
    for (index, step) in case.steps.iter().enumerate() {
        let Request { method, path, .. } = &step.request;
        let place = |what: String| format!("step {index} {method} {}: {what}", short(path));
        run.before(&step.before).await.map_err(place)?;
        run.step(index, step).await.map_err(|difference| place(difference.to_string()))?;
    }
    Ok(())
}

impl Run<'_> {
    /// What is done before a step, or before all; must succeed.
    async fn before(&mut self, ops: &[Op]) -> Result<(), String> {
        for op in ops {
            if let Some(seconds) = op.sleep {
                sleep(Duration::from_secs_f64(seconds)).await;
            } else if let Some(index) = op.open {
                let request = &self.case.steps[index].request;
                let ready = self.client.ready(request, &self.comparison.values)?;
                let mut stream = Stream::open(self.client, ready);
                stream.wait(1.0, |received| received.status.is_some()).await;
                self.streams.insert(index, stream);
            } else if let Some(version) = &op.compact {
                let path = format!("/sim/compact?resourceVersion={version}");
                let method = "POST".to_owned();
                let user = Some("admin".to_owned());
                let headers = BTreeMap::new();
                self.quick(&Request { user, method, path, headers, body: None }, op).await?;
            } else {
                let request = op.request.as_ref().ok_or("an operation of an unknown kind")?;
                self.quick(request, op).await?;
            }
        }
        Ok(())
    }

    /// An unrecorded request.
    async fn quick(&mut self, request: &Request, op: &Op) -> Result<(), String> {
        let answer = self.client.call(self.client.ready(request, &self.comparison.values)?).await?;
        let is_right = match &op.status {
            None => matches!(answer.status, 200..=202),
            Some(Value::Array(codes)) => codes.iter().any(|code| *code == answer.status),
            Some(code) => *code == answer.status,
        };
        let Request { method, path, .. } = request;
        if !is_right {
            let said = short(&String::from_utf8_lossy(&answer.body));
            return Err(format!("preparation {method} {path}: {} {said}", answer.status));
        }
        if op.bind.is_empty() {
            return Ok(());
        }
        let object = decode(&answer.headers, &answer.body);
        for (name, pointer) in &op.bind {
            let value = match object.pointer(pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(value) if !value.is_null() => value.to_string(),
                _ => return Err(format!("preparation {method} {path}: no {pointer}")),
            };
            self.comparison.values.set(name, value);
        }
        Ok(())
    }

    async fn step(&mut self, index: usize, step: &Step) -> Result<(), Difference> {
        if let Some(watch) = &step.watch {
            return self.watch(index, step, watch).await;
        }
        let unsendable = |error: String| Difference::new("/request", "can be sent", &error);
        let ready =
            self.client.ready(&step.request, &self.comparison.values).map_err(unsendable)?;
        if let Some(seconds) = step.hang {
            let call = timeout(Duration::from_secs_f64(seconds), self.client.call(ready));
            return match call.await {
                Err(_) => Ok(()),
                Ok(answer) => {
                    let got = answer.map_or_else(|error| error, |answer| answer.status.to_string());
                    Err(Difference::new("/response", "an answer that stays open", &got))
                }
            };
        }
        let newest = self.comparison.values.newest();
        let path = ready.uri().to_string();
        let answer = self.client.call(ready).await;
        let answer = answer
            .map_err(|error| Difference::new("/status", &step.answer.status.to_string(), &error))?;
        let alternative = step.alternatives.iter().find(|other| other.status == answer.status);
        let expected = alternative.unwrap_or(&step.answer);
        self.status(expected, answer.status, &answer.body)?;
        let headers = expected.response_headers.as_ref();
        let headers = headers.or(step.answer.response_headers.as_ref());
        self.comparison.headers(headers.unwrap_or(&BTreeMap::new()), &answer.headers)?;
        let body = unpack(&answer.headers, &answer.body)?;
        let how = expected.projection.as_deref().or(step.answer.projection.as_deref());
        if how != Some("none") {
            let got = decode(&answer.headers, &body);
            self.body(index, &expected.response, got, how, &path, newest)?;
        }
        let check = |what: &str, wanted: Option<bool>, is: bool| match wanted {
            Some(wanted) if wanted != is => {
                Err(Difference::new(what, &wanted.to_string(), &is.to_string()))
            }
            _ => Ok(()),
        };
        check("/response#ends-with-newline", step.newline, body.ends_with(b"\n"))?;
        check("/response#indented", step.pretty, body.trim_ascii().contains(&b'\n'))
    }

    fn status(&self, expected: &case::Answer, status: u16, body: &[u8]) -> Result<(), Difference> {
        if status == expected.status {
            return Ok(());
        }
        let got = format!("{status} {}", String::from_utf8_lossy(body));
        Err(Difference::new("/status", &expected.status.to_string(), &got))
    }

    fn body(
        &mut self,
        index: usize,
        expected: &Value,
        got: Value,
        how: Option<&str>,
        path: &str,
        newest: u64,
    ) -> Result<(), Difference> {
        const VERSION: &str = "/metadata/resourceVersion";
        let number = |value: &Value| value.pointer(VERSION)?.as_str()?.parse::<u64>().ok();
        let pointer = format!("/response{VERSION}");
        let version = number(&got);
        let items = got.get("items").and_then(Value::as_array).into_iter().flatten();
        // A list is not older than what is in it.
        let newest_item = items.filter_map(number).max();
        if let (Some(list), Some(item)) = (version, newest_item)
            && item > list
            && !matches!(how, Some("names" | "count"))
        {
            return Err(Difference::new(&pointer, &format!("at least {item}"), &list.to_string()));
        }
        let got = match how {
            Some(how) => project(how, got),
            None => got,
        };
        self.comparison.value(index, Some(expected), Some(&got), "/response")?;
        // Nor, when no version was asked for, than what was seen before it.
        let wanted = expected.pointer(VERSION).and_then(Value::as_str).unwrap_or_default();
        let is_latest = !path.contains("resourceVersion=") && !path.contains("continue=");
        if is_latest && wanted.starts_with("<lrv") && version.is_some_and(|found| found < newest) {
            return Err(Difference::new(&pointer, &format!("at least {newest}"), "older"));
        }
        Ok(())
    }

    async fn watch(&mut self, index: usize, step: &Step, watch: &Watch) -> Result<(), Difference> {
        let Some(mut stream) = self.streams.remove(&index) else {
            return Err(Difference::new("/request", "can be sent", "the watch was not opened"));
        };
        stream.wait(watch.wait, |received| received.status.is_some()).await;
        let status = stream.received().status;
        if status != Some(step.answer.status) {
            stream.wait(0.5, |received| received.has_ended).await;
            let received = stream.received();
            let error = received.error.clone().unwrap_or_default();
            let body = received.lines.concat();
            return match status {
                Some(status) => self.status(&step.answer, status, &body),
                None => Err(Difference::new("/status", &step.answer.status.to_string(), &error)),
            };
        }
        let none = BTreeMap::new();
        let headers = step.answer.response_headers.as_ref().unwrap_or(&none);
        self.comparison.headers(headers, &stream.received().headers)?;
        if let Some(lossy) = &watch.lossy {
            let enough = |body: &[u8]| {
                lossy.iter().find(|(text, least)| count(body, text.as_bytes()) < **least)
            };
            stream
                .wait(watch.wait, |received| {
                    received.has_ended || enough(&received.lines.concat()).is_none()
                })
                .await;
            return match enough(&stream.received().lines.concat()) {
                None => Ok(()),
                Some((text, least)) => {
                    let pointer = format!("/response#count-of-{text}");
                    Err(Difference::new(&pointer, &format!("at least {least}"), "fewer"))
                }
            };
        }
        let events = step.answer.response.as_array().map(Vec::as_slice).unwrap_or_default();
        let enough = events.len();
        stream
            .wait(watch.wait, |received| received.has_ended || received.lines.len() >= enough)
            .await;
        self.events(index, events, &stream.received().lines)?;
        if watch.ended {
            stream.wait(watch.wait, |received| received.has_ended).await;
            if !stream.received().has_ended {
                return Err(Difference::new("/response#end", "the stream ends", "still open"));
            }
        } else if watch.quiet {
            stream
                .wait(QUIET, |received| received.has_ended || received.lines.len() > enough)
                .await;
            if stream.received().has_ended {
                return Err(Difference::new("/response#end", "the stream stays open", "ended"));
            }
        }
        match stream.received().lines.get(enough).filter(|_| watch.ended || watch.quiet) {
            None => Ok(()),
            Some(line) => {
                let line = String::from_utf8_lossy(line);
                Err(Difference::new(&format!("/response/{enough}"), "(absent)", &line))
            }
        }
    }

    fn events(
        &mut self,
        index: usize,
        events: &[Value],
        lines: &[Vec<u8>],
    ) -> Result<(), Difference> {
        let mut newest = 0;
        for (place, expected) in events.iter().enumerate() {
            let got = lines.get(place).map(|line| {
                let text = || Value::from(String::from_utf8_lossy(line));
                serde_json::from_slice(line).unwrap_or_else(|_| text())
            });
            let pointer = format!("/response/{place}");
            self.comparison.value(index, Some(expected), got.as_ref(), &pointer)?;
            let Some(event) = got else { continue };
            let version = event.pointer("/object/metadata/resourceVersion").and_then(Value::as_str);
            let Some(version) = version.and_then(|version| version.parse::<u64>().ok()) else {
                continue;
            };
            if event["type"] == "BOOKMARK" && version < newest {
                let at_least = format!("at least {newest}");
                return Err(Difference::new(&pointer, &at_least, &version.to_string()));
            }
            newest = newest.max(version);
        }
        Ok(())
    }
}

fn count(body: &[u8], text: &[u8]) -> usize {
    body.windows(text.len().max(1)).filter(|window| *window == text).count()
}
