//! Drives the emulated cluster: its calls pass the pipeline as everyone's do, without a socket.

mod exchange;

use std::{io, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sim_cluster::{Action, Answer, ClientQps, Cluster, ClusterConfig, Frame};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::AbortHandle,
};

use crate::app::App;

/// What comes back to the cluster's thread.
pub(crate) enum Report {
    JoinNodes(u32, Duration),
    Answer(u64, Answer),
    Frame(u64, Frame),
}

/// Reads `--cluster` and `--client-qps`. The error names the flag.
pub(crate) fn config(
    cluster: Option<&str>,
    client_qps: Option<&str>,
    version: &str,
) -> Result<Option<ClusterConfig>, (&'static str, String)> {
    let Some(text) = cluster else {
        return match client_qps {
            Some(_) => Err(("--client-qps", "needs --cluster".to_owned())),
            None => Ok(None),
        };
    };
    let short = text.contains('=') || text.is_empty();
    let read = if short {
        ClusterConfig::parse_short(text, version)
    } else {
        let wrong = |error: &dyn std::fmt::Display| ("--cluster", format!("{text}: {error}"));
        let file = std::fs::read_to_string(text).map_err(|error| wrong(&error))?;
        let documents = sim_api::yaml::documents(&file).map_err(|error| wrong(&error))?;
        let [document] = &documents[..] else {
            return Err(wrong(&format!("{} documents, not one", documents.len())));
        };
        ClusterConfig::from_document(document, version)
    };
    let mut config = read.map_err(|error| {
        let place = if short { String::new() } else { format!("{text}: ") };
        ("--cluster", format!("{place}{error}"))
    })?;
    match client_qps {
        Some("real") => config.client_qps = ClientQps::Real,
        Some("unlimited") => config.client_qps = ClientQps::Unlimited,
        Some(other) => {
            return Err(("--client-qps", format!("{other:?} is not real or unlimited")));
        }
        None => {}
    }
    Ok(Some(config))
}

/// Starts it on a thread of its own, until shutdown.
pub(crate) fn start(
    app: Arc<App>,
    config: ClusterConfig,
    down: watch::Receiver<bool>,
) -> io::Result<()> {
    let server = Handle::current();
    // Of its own, so that its timers do not end before it does.
    let own = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new()
        .name("cluster".to_owned())
        .spawn(move || own.block_on(drive(&app, config, &server, &down)))
        .map(|_| ())
}

async fn drive(
    app: &Arc<App>,
    config: ClusterConfig,
    server: &Handle,
    down: &watch::Receiver<bool>,
) {
    let started = i64::try_from(app.clock.now().as_nanos()).unwrap_or(0);
    let epoch = Timestamp::now()
        .checked_sub(SignedDuration::from_nanos(started))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut cluster = Cluster::start(config, epoch, app.config.random_seed);
    // Bounded: a watch that brings more than the cluster can take waits, as a slow client does.
    let (send, mut reports) = mpsc::channel(QUEUE);
    let _ = app.cluster.set(send.clone());
    let mut running: std::collections::BTreeMap<u64, AbortHandle> =
        std::collections::BTreeMap::new();
    while !*down.borrow() && down.has_changed().is_ok() {
        for action in cluster.run(app.clock.now()) {
            match action {
                Action::Call(id, request) => {
                    let (app, send) = (Arc::clone(app), send.clone());
                    let task = server.spawn(async move {
                        let answer = exchange::call(app, request).await;
                        let _ = send.send(Report::Answer(id, answer)).await;
                    });
                    running.insert(id, task.abort_handle());
                }
                Action::Watch(id, request) => {
                    let (app, send) = (Arc::clone(app), send.clone());
                    let task = server.spawn(async move {
                        exchange::watch(app, request, |frame| async {
                            send.send(Report::Frame(id, frame)).await.is_ok()
                        })
                        .await;
                    });
                    running.insert(id, task.abort_handle());
                }
                Action::Cancel(id) => {
                    if let Some(task) = running.remove(&id) {
                        task.abort();
                    }
                }
            }
        }
        // Looks at `down` at least this often.
        let wake = app.clock.now() + Duration::from_millis(200);
        let wake = cluster.next_wakeup().map_or(wake, |at| at.min(wake));
        let until = app.clock.instant(wake);
        let first = tokio::time::timeout_at(until, reports.recv()).await;
        let Ok(Some(first)) = first else { continue };
        let mut next = Some(first);
        while let Some(report) = next {
            match report {
                Report::JoinNodes(count, within) => cluster.join_nodes(count, within),
                Report::Answer(id, answer) => {
                    running.remove(&id);
                    cluster.answer(id, answer);
                }
                Report::Frame(id, frame) => {
                    if matches!(frame, Frame::End(_)) {
                        running.remove(&id);
                    }
                    cluster.frame(id, frame);
                }
            }
            next = reports.try_recv().ok();
        }
    }
    for task in running.into_values() {
        task.abort();
    }
}

const QUEUE: usize = 4096;
