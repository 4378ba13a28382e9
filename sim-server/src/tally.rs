//! Who asked for what: requests by user, program, verb, resource and answer, once it is asked for.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use sim_api::request_info::RequestInfo;

/// User, program, verb, resource with its subresource, code.
type Row = [String; 5];

/// Counts nothing until the first reset, so that it costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts_now: AtomicBool,
    rows: Mutex<BTreeMap<Row, u64>>,
}

impl Tally {
    /// Forgets what was counted, and counts from here on.
    pub(crate) fn reset(&self) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.counts_now.store(true, Ordering::Relaxed);
    }

    /// A request was answered, or the answer of a watch began.
    pub(crate) fn count(&self, user: &str, agent: &str, info: &RequestInfo, code: u16) {
        if !self.counts_now.load(Ordering::Relaxed) || info.path.starts_with("/sim/") {
            return;
        }
        let mut resource = match info.api_group.as_str() {
            _ if !info.is_resource_request => info.path.clone(),
            "" => info.resource.clone(),
            group => format!("{group}/{}", info.resource),
        };
        if info.is_resource_request && !info.subresource.is_empty() {
            resource = format!("{resource}/{}", info.subresource);
        }
        let mut row =
            [user.to_owned(), agent.to_owned(), info.verb.to_owned(), resource, code.to_string()];
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= ROWS_MAX && !rows.contains_key(&row) {
            // A scan must not fill the memory.
            row = ["other".to_owned(), String::new(), String::new(), String::new(), String::new()];
        }
        *rows.entry(row).or_default() += 1;
    }

    /// All rows, most requests first.
    pub(crate) fn document(&self) -> Value {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<_> = rows.iter().collect();
        sorted.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let requests: Vec<Value> = sorted
            .iter()
            .map(|([user, agent, verb, resource, code], n)| {
                json!({"user": user, "agent": agent, "verb": verb, "resource": resource,
                    "code": code.parse::<u16>().unwrap_or(0), "n": n})
            })
            .collect();
        json!({
            "counting": self.counts_now.load(Ordering::Relaxed),
            "total": rows.values().sum::<u64>(),
            "requests": requests,
        })
    }
}

const ROWS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_first_reset() {
        let tally = Tally::default();
        let info = RequestInfo::parse("POST", "/api/v1/namespaces/n/pods/p/binding", "");
        tally.count("u", "a", &info, 201);
        assert_eq!(tally.document()["total"], 0);
        tally.reset();
        tally.count("u", "a", &info, 201);
        tally.count("u", "a", &info, 201);
        let row = json!({"user": "u", "agent": "a", "verb": "create",
            "resource": "pods/binding", "code": 201, "n": 2});
        assert_eq!(tally.document()["requests"], json!([row]));
    }
}
