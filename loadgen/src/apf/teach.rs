//! The teaching case, live: an elephant, a mouse, and what stands between them.

mod server;

use std::{fmt::Write as _, time::Duration};

use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::json;

use self::server::Server;
use super::{
    Output, json, print,
    table::{Table, ms},
};
use crate::{
    Auth, LoadError, StormResult, StormSpec, Target,
    client::{ApiCall, ApiClient},
    recorder::Percentiles,
    storm::{self, USER_AGENT},
};

/// Show on this machine what API Priority and Fairness does for a small client beside a big one
///
/// Starts servers of its own on 127.0.0.1, twice: with three places and no fairness, and with three
/// seats and queues. An elephant of 50 workers lists pods without a pause, and a mouse asks for the
/// same twice a second. Takes about 30 s. Exit code 1 when the mouse fared otherwise than taught.
#[derive(Args, Clone, Debug)]
pub(super) struct TeachArgs {
    /// Release of the servers
    #[arg(long, value_name = "VERSION", default_value = "1.33")]
    kubernetes_version: String,

    /// Length of each of the three runs
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = crate::units::duration)]
    run_for: Duration,

    /// Workers of the elephant
    #[arg(long, value_name = "N", default_value_t = 50)]
    elephants: usize,

    /// What is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What was measured here.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Lesson {
    kubernetes_version: String,
    runs: Vec<Run>,
    /// The mouse's p99 with fairness, over that alone.
    mouse_p99_ratio: f64,
    /// Whether it all came out as taught.
    held: bool,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    name: &'static str,
    mouse: Measured,
    elephant: Option<Measured>,
}

/// What one of the two measured.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    ok: u64,
    /// 429s seen, those that were waited for and repeated among them.
    refused: u64,
    failed: u64,
    latency: Percentiles,
}

pub(super) async fn run(args: &TeachArgs) -> Result<u8, LoadError> {
    super::load::release(&args.kubernetes_version)
        .map_err(|message| LoadError::usage("--kubernetes-version", message))?;
    if !(Duration::from_secs(2)..=Duration::from_secs(60)).contains(&args.run_for) {
        return Err(LoadError::usage("--run-for", "must be from 2s to 60s"));
    }
    if !(1..=500).contains(&args.elephants) {
        return Err(LoadError::usage("--elephants", "must be from 1 to 500"));
    }
    let fair = Server::start(&args.kubernetes_version, true, PLACES).await?;
    install(&fair.target()).await?;
    let alone = both(args, "mouse alone", &fair.target(), false).await?;
    let with = both(args, "APF on", &fair.target(), true).await?;
    fair.stop().await;
    let unfair = Server::start(&args.kubernetes_version, false, PLACES).await?;
    let without = both(args, "APF off", &unfair.target(), true).await?;
    unfair.stop().await;

    let ratio = with.mouse.latency.p99_ms / alone.mouse.latency.p99_ms.max(0.001);
    let held = without.mouse.refused > 0 && with.mouse.refused == 0 && ratio <= MOST_RATIO;
    let lesson = Lesson {
        kubernetes_version: args.kubernetes_version.clone(),
        runs: vec![alone, without, with],
        mouse_p99_ratio: ratio,
        held,
    };
    print(&match args.output {
        Output::Text => text(args, &lesson),
        Output::Json => json(&lesson),
    });
    Ok(u8::from(!held))
}

/// The level that both go through: three seats, nothing borrowed, and queues.
async fn install(target: &Target) -> Result<(), LoadError> {
    let client = ApiClient::new(target, USER_AGENT, Duration::from_secs(10))?;
    let level = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "lesson"},
        "spec": {"type": "Limited", "limited": {
            // One of 246 shares of 600 seats, rounded up, is PLACES.
            "nominalConcurrencyShares": 1,
            "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Queue", "queuing": {
                "queues": 64, "handSize": 4, "queueLengthLimit": 50,
            }},
        }},
    });
    let schema = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": "lesson"},
        "spec": {
            "priorityLevelConfiguration": {"name": "lesson"},
            "matchingPrecedence": 500,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [{
                "subjects": USERS.map(|user| json!({"kind": "User", "user": {"name": user}})),
                "resourceRules": [{
                    "verbs": ["list"], "apiGroups": [""], "resources": ["pods"],
                    "clusterScope": true, "namespaces": ["*"],
                }],
            }],
        },
    });
    for (plural, object) in [("prioritylevelconfigurations", level), ("flowschemas", schema)] {
        // v1 since 1.29.
        let path = format!("/apis/flowcontrol.apiserver.k8s.io/v1/{plural}");
        let call = ApiCall::new(Method::POST, path)
            .with_body("application/json", object.to_string().into_bytes());
        let answer = client.call(&call).await?;
        if !answer.code.is_success() {
            return Err(LoadError::Handshake {
                address: target.base.clone(),
                message: format!("{plural} lesson was answered with {}", answer.code),
            });
        }
    }
    Ok(())
}

/// Mouse and, if wanted, elephant at the same time.
async fn both(
    args: &TeachArgs,
    name: &'static str,
    target: &Target,
    with_elephant: bool,
) -> Result<Run, LoadError> {
    let spec = |user: &str, workers: usize| {
        let mut target = target.clone();
        target.auth = Auth::Token(server::token(user));
        let mut spec = StormSpec::new(target, "/api/v1/pods?resourceVersion=0");
        spec.concurrency = workers;
        spec.duration = Some(args.run_for);
        spec.read_rate = Some(READ_BYTES_PER_S);
        // As client-go does; without a pause, refusals would be all there is.
        spec.honour_retry_after = true;
        spec
    };
    let mut mouse = spec("mouse", 1);
    mouse.open_loop = Some(MOUSE_PER_S);
    // What wait there is, is the mouse's from its first request on.
    let late = if with_elephant { HEAD_START } else { Duration::ZERO };
    let elephant = spec("elephant", args.elephants);
    let quiet = |_: storm::StormProgress| {};
    let mouse_run = async {
        tokio::time::sleep(late).await;
        storm::run(&mouse, &quiet).await
    };
    if !with_elephant {
        return Ok(Run { name, mouse: measured(&mouse_run.await?), elephant: None });
    }
    let mut elephant = elephant;
    elephant.duration = Some(args.run_for + late);
    let mouse_done = tokio::sync::Notify::new();
    let (mouse, elephant) = tokio::join!(
        async {
            let result = mouse_run.await;
            mouse_done.notify_one();
            result
        },
        storm::run_until(&elephant, &quiet, mouse_done.notified())
    );
    Ok(Run { name, mouse: measured(&mouse?), elephant: Some(measured(&elephant?)) })
}

fn measured(result: &StormResult) -> Measured {
    let refused = result.codes.get(&429).copied().unwrap_or(0);
    Measured {
        ok: result.ok,
        refused: refused + result.retry_after_waits,
        failed: result.errors.values().sum(),
        latency: Percentiles::of(&result.latency),
    }
}

fn text(args: &TeachArgs, lesson: &Lesson) -> String {
    let mut table =
        Table::new(&["measured here", "user", "workers", "lists", "429s", "p50", "p99", "longest"]);
    for run in &lesson.runs {
        let rows =
            [("mouse", 1, Some(&run.mouse)), ("elephant", args.elephants, run.elephant.as_ref())];
        for (user, workers, measured) in rows {
            let Some(measured) = measured else { continue };
            table.row(vec![
                run.name.to_owned(),
                user.to_owned(),
                workers.to_string(),
                measured.ok.to_string(),
                measured.refused.to_string(),
                ms(measured.latency.p50_ms),
                ms(measured.latency.p99_ms),
                ms(measured.latency.max_ms),
            ]);
        }
    }
    let mut text = format!(
        "Kubernetes {}: an elephant lists {PODS} pods over and over, a mouse {MOUSE_PER_S} times a \
         second.\nThe server lists for {PLACES} at a time; each client takes its list at {} MB/s \
         and honours Retry-After.\n\n{}\n",
        lesson.kubernetes_version,
        READ_BYTES_PER_S / 1_000_000,
        table.text()
    );
    let _ = writeln!(
        text,
        "APF off, whoever comes when all places are taken is refused, the mouse too. APF on, each \
         user's requests wait in queues of their own, and the mouse's is next in line: its p99 is \
         {:.1} times what it is alone.",
        lesson.mouse_p99_ratio
    );
    if !lesson.held {
        text.push_str("It did not come out as taught: is the machine busy with other things?\n");
    }
    text
}

/// Seats of the level, and requests in flight without it.
const PLACES: u32 = 3;

/// Of 9.4 kB each: bodies that no socket buffer swallows whole.
const PODS: u32 = 1_000;

/// So that a list takes about a fifth of a second, whatever the machine is.
const READ_BYTES_PER_S: u64 = 40_000_000;

const MOUSE_PER_S: f64 = 2.0;

/// Until the elephant has taken its places.
const HEAD_START: Duration = Duration::from_millis(1_000);

/// What is promised of the mouse's p99.
const MOST_RATIO: f64 = 3.0;

const USERS: [&str; 2] = ["elephant", "mouse"];
