//! Random operations of several clients at once; what watches tell, replayed over a list, must be
//! the final list.

use std::{collections::BTreeMap, net::SocketAddr};

use http::Method;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Ask, Client, revision},
    server::{CONFIG_MAPS, Server, config_map},
    watch_stream::Watch,
};

const CLIENTS: u64 = 4;
const OPERATIONS: u32 = 500;
/// Few, so that clients meet.
const NAMES: u32 = 12;

type State = BTreeMap<String, Value>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_watches_agree_with_the_final_list() {
    for seed in 0..2 {
        let server = Server::start(&[&format!("--random-seed={seed}")]).await;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| tokio::spawn(operate(server.http, seed * CLIENTS + client)))
            .collect();
        let mut replays = Vec::new();
        for client in clients {
            replays.extend(client.await.unwrap());
        }
        // Ends every watch: all of them have seen it when they have seen this one.
        let last = server.config_map("the-last", &json!({}), &json!({})).await;
        let end = server.get(CONFIG_MAPS).await;
        assert_eq!(end.revision(), last);
        let end = state_of(&end);
        assert!(replays.len() >= usize::try_from(CLIENTS).unwrap(), "some watched");
        for replay in replays {
            assert_eq!(replay.until(last).await, end, "seed {seed}");
        }
    }
}

fn state_of(list: &Answer) -> State {
    let document = list.json();
    let items = document["items"].as_array().unwrap().iter();
    let revisions: Vec<u64> = items.clone().map(revision).collect();
    assert!(revisions.iter().all(|item| *item <= list.revision()), "none is from the future");
    items
        .map(|item| (item["metadata"]["name"].as_str().unwrap().to_owned(), item.clone()))
        .collect()
}

/// A state and the watch that keeps it up to date.
struct Replay {
    state: State,
    watch: Watch,
    at: u64,
}

impl Replay {
    async fn start(address: SocketAddr, http2: bool) -> Self {
        let connect = async || match http2 {
            true => Client::h2c(address).await,
            false => Client::http1(address).await,
        };
        let list = connect().await.send(Ask::get(CONFIG_MAPS)).await;
        let at = list.revision();
        let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={at}");
        Self { state: state_of(&list), watch: Watch::open(connect().await, &path).await, at }
    }

    async fn until(mut self, last: u64) -> State {
        while self.at < last {
            let event = self.watch.next().await.unwrap();
            let mut object = event["object"].clone();
            assert!(revision(&object) > self.at, "in order");
            self.at = revision(&object);
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            // Items of a list carry neither.
            for member in ["kind", "apiVersion"] {
                object.as_object_mut().unwrap().shift_remove(member);
            }
            let kind = event["type"].as_str().unwrap().to_owned();
            let before = match kind.as_str() {
                "DELETED" => self.state.remove(&name),
                _ => self.state.insert(name, object),
            };
            assert_eq!(before.is_some(), kind != "ADDED", "{kind} of what was there or not");
        }
        self.state
    }
}

/// One client's life; returns the watches that it opened on its way.
async fn operate(address: SocketAddr, seed: u64) -> Vec<Replay> {
    let mut random = Pcg64::seed_from_u64(seed);
    let mut client = match seed % 2 {
        0 => Client::http1(address).await,
        _ => Client::h2c(address).await,
    };
    let mut replays = vec![Replay::start(address, seed % 2 == 1).await];
    let mut seen = 0;
    for n in 0..OPERATIONS {
        let name = format!("x-{}", random.next_u32() % NAMES);
        let path = format!("{CONFIG_MAPS}/{name}");
        let mut object = config_map(&name, &json!({}), &json!({ "by": format!("{seed}-{n}") }));
        let (ask, expected): (Ask, &[u16]) = match random.next_u32() % 100 {
            0..30 => (Ask::new(Method::POST, CONFIG_MAPS).json(&object), &[201, 409]),
            // An update of what was read: somebody may have been faster.
            30..50 => {
                let read = client.send(Ask::get(&path)).await;
                if read.status == 200 {
                    object = read.json();
                    object["data"] = json!({ "by": format!("{seed}-{n}") });
                }
                (Ask::new(Method::PUT, &path).json(&object), &[200, 404, 409])
            }
            // An update of whatever there is.
            50..60 => (Ask::new(Method::PUT, &path).json(&object), &[200, 404]),
            60..70 => {
                let patch = json!({ "data": { "more": n.to_string() } });
                let ask = Ask::new(Method::PATCH, &path).body(patch.to_string());
                (ask.header("content-type", "application/merge-patch+json"), &[200, 404])
            }
            70..88 => (Ask::new(Method::DELETE, &path), &[200, 404]),
            88..98 => (Ask::get(CONFIG_MAPS), &[200]),
            _ => {
                if replays.len() < 4 {
                    replays.push(Replay::start(address, n % 2 == 0).await);
                }
                (Ask::get(&path), &[200, 404])
            }
        };
        let answer = client.send(ask).await;
        assert!(expected.contains(&answer.status), "{}: {}", answer.status, answer.text());
        let document = answer.json();
        if document["kind"] == "ConfigMapList" {
            // A list never goes back behind what this client has seen.
            assert!(revision(&document) >= seen);
            let _ = state_of(&answer);
        }
        if let Some(found) = document["metadata"]["resourceVersion"].as_str() {
            seen = seen.max(found.parse().unwrap());
        }
    }
    replays
}
