//! Every exchange recorded from kube-apiserver 1.33.2, sent again to the program itself.
//!
//! The recordings are in `fixtures/requests/cases`; `APISIM_GOLDEN_DIR` names another folder of
//! them (or one that has them in `requests`). Their format is that of [`case`], and [`compare`]
//! says what counts as equal. Most cases share one server and run beside each other;
//! one that differs there is tried again with a server of its own, because a few look at what is
//! common to all.
//!
//! `fixtures/KNOWN_DIFFERENCES.md` lists the cases that may differ, each with its reason.
//! `APISIM_WRITE_DIFFERENCES=1 cargo test -p sim-server --test replay` writes it anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its recordings has failed")]

mod case;
mod client;
mod compare;
mod differences;
mod placeholder;
mod protobuf;
mod run;
mod server;
mod stream;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Instant,
};

use tokio::{sync::Semaphore, task::JoinSet};

use self::{
    case::{Case, Recordings},
    differences::Known,
    run::Outcome,
    server::Server,
};

/// Cases that run at a time: most of their time is waiting.
const AT_A_TIME: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_equal_the_recorded_ones() {
    let began = Instant::now();
    let recordings = Arc::new(Recordings::load());
    let known = Known::read();
    let writes = std::env::var_os("APISIM_WRITE_DIFFERENCES").is_some();
    let mut outcomes = together(&recordings).await;
    let again: Vec<&Arc<Case>> = recordings
        .cases
        .iter()
        .filter(|case| outcomes[&case.file].is_err())
        .filter(|case| writes || !known.has(&case.file))
        .collect();
    for case in again {
        outcomes.insert(case.file.clone(), alone(&recordings, case).await);
    }
    let passed = outcomes.values().filter(|outcome| outcome.is_ok()).count();
    println!("{passed} of {} cases equal, in {:.1?}", outcomes.len(), began.elapsed());
    if writes {
        known.write(&outcomes);
        return;
    }
    let mut wrong = Vec::new();
    for (case, outcome) in &outcomes {
        match (outcome, known.has(case)) {
            (Ok(()), true) => println!("{case} is listed as different but is equal"),
            (Err(difference), false) => wrong.push(format!("{case}: {difference}")),
            _ => {}
        }
    }
    assert!(outcomes.len() > 1, "there are recordings");
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// All cases, those that need the same server beside each other on one.
async fn together(recordings: &Arc<Recordings>) -> BTreeMap<String, Outcome> {
    let mut servers = BTreeMap::new();
    for case in &recordings.cases {
        let flags = case.flags();
        if let Entry::Vacant(place) = servers.entry(flags) {
            let server = Server::start(recordings, place.key()).await;
            place.insert(Arc::new(server));
        }
    }
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    for case in &recordings.cases {
        let (turns, case) = (Arc::clone(&turns), Arc::clone(case));
        let server = Arc::clone(&servers[&case.flags()]);
        tasks.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            (case.file.clone(), run::case(&case, &server.client()).await)
        });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        let (case, outcome) = done.unwrap();
        outcomes.insert(case, outcome);
    }
    outcomes
}

async fn alone(recordings: &Recordings, case: &Case) -> Outcome {
    let server = Server::start(recordings, &case.flags()).await;
    run::case(case, &server.client()).await
}
