//! The storm against a scripted server.

#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod common;

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use common::{Call, Reply, serve, tls};
use loadgen::{Auth, StormResult, StormSpec, Target, TlsTrust, storm, watch};

fn spec(address: std::net::SocketAddr, requests: u64) -> StormSpec {
    let mut spec = StormSpec::new(Target::new(format!("http://{address}")), "/api/v1/pods");
    spec.requests = Some(requests);
    spec.concurrency = 4;
    spec
}

async fn run(spec: &StormSpec) -> StormResult {
    storm::run(spec, &|_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_requests_are_sent_and_counted_once() {
    let calls = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&calls);
    let address = serve(None, move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        Reply::text(200, "x".repeat(1000))
    })
    .await;
    for http2 in [false, true] {
        calls.store(0, Ordering::Relaxed);
        let mut spec = spec(address, 100);
        spec.http2 = http2;
        let last = Mutex::new(None);
        let result = storm::run(&spec, &|p| *last.lock().unwrap() = Some(p)).await.unwrap();
        assert_eq!((result.requests, result.ok, calls.load(Ordering::Relaxed)), (100, 100, 100));
        assert_eq!((result.wire_bytes, result.body_bytes), (100_000, 100_000));
        assert_eq!((result.latency.len(), result.ttfb.len()), (100, 100));
        assert_eq!(result.codes, [(200, 100)].into());
        assert!(result.errors.is_empty(), "{:?}", result.errors);
        assert!(result.latency.max() >= result.ttfb.min());
        let last = last.lock().unwrap().unwrap();
        assert_eq!((last.requests, last.ok, last.total), (100, 100, Some(100)));
    }
}

#[tokio::test]
async fn headers_say_what_was_asked_for() {
    let seen = Arc::new(Mutex::new(Vec::<Call>::new()));
    let calls = Arc::clone(&seen);
    let address = serve(None, move |call| {
        calls.lock().unwrap().push(call);
        Reply::text(200, "")
    })
    .await;
    let mut spec = spec(address, 2);
    spec.concurrency = 1;
    spec.target.base.push_str("/prefix/");
    spec.target.auth = Auth::Token("t0ken".into());
    spec.path_and_query = "/api/v1/pods/p-{n}?limit=5".into();
    spec.gzip = true;
    spec.user_agent = "curl/8.0".into();
    spec.as_user = Some("alice".into());
    spec.as_groups = vec!["a".into(), "b".into()];
    run(&spec).await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen[1].path, "/prefix/api/v1/pods/p-1");
    assert_eq!(seen[1].query, "limit=5");
    assert_eq!(seen[0].header("authorization"), "Bearer t0ken");
    assert_eq!(seen[0].header("accept"), "application/json");
    assert_eq!(seen[0].header("accept-encoding"), "gzip");
    assert_eq!(seen[0].header("user-agent"), "curl/8.0");
    assert_eq!(seen[0].header("impersonate-user"), "alice");
    assert_eq!(seen[0].headers.get_all("impersonate-group").iter().count(), 2);
    assert_eq!(seen[0].header("host"), address.to_string());
}

#[tokio::test]
async fn a_cut_body_is_an_error_with_a_200() {
    let address = serve(None, |_| {
        let mut reply = Reply::text(200, "half of it");
        reply.cut = true;
        reply
    })
    .await;
    for http2 in [false, true] {
        let mut spec = spec(address, 5);
        spec.http2 = http2;
        let result = run(&spec).await;
        assert_eq!((result.requests, result.ok), (5, 0));
        assert_eq!(result.errors, [("cut body".to_owned(), 5)].into());
        if !http2 {
            // Over HTTP/2 the reset may overtake the head of the answer.
            assert_eq!(result.codes, [(200, 5)].into());
            assert_eq!(result.wire_bytes, 50);
        }
        assert_eq!((result.latency.len(), result.failed_latency.len()), (0, 5));
    }
}

#[tokio::test]
async fn a_retry_after_is_honoured_only_when_asked_and_when_it_is_seconds() {
    let calls = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&calls);
    let address = serve(None, move |call| {
        let n = seen.fetch_add(1, Ordering::Relaxed);
        let wait = if call.path == "/date" { "Mon, 23 Nov 2026 00:00:00 GMT" } else { "0" };
        match (call.path.as_str(), n) {
            ("/twice", 2..) => Reply::text(200, "ok"),
            _ => Reply::text(429, "busy").header("retry-after", wait),
        }
    })
    .await;
    for (path, honour, code, tries) in [
        ("/twice", true, 200, 3),
        ("/twice", false, 429, 1),
        ("/date", true, 429, 1),
        ("/always", true, 429, 11),
    ] {
        calls.store(0, Ordering::Relaxed);
        let mut spec = spec(address, 1);
        spec.path_and_query = path.into();
        spec.honour_retry_after = honour;
        let result = run(&spec).await;
        assert_eq!(result.codes, [(code, 1)].into(), "{path}");
        assert_eq!(calls.load(Ordering::Relaxed), tries, "{path}");
        assert_eq!(result.retry_after_waits, tries - 1, "{path}");
        assert_eq!(result.ok, u64::from(code == 200));
    }
}

#[tokio::test]
async fn gzip_is_counted_on_the_wire_and_behind_it() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    encoder.write_all(&vec![b'a'; 200_000]).unwrap();
    let packed = Bytes::from(encoder.finish().unwrap());
    let size = packed.len() as u64;
    let address = serve(None, move |call| {
        let mut reply = Reply { code: 200, ..Reply::default() };
        reply.chunks = packed.chunks(97).map(Bytes::copy_from_slice).collect();
        if call.path == "/broken" {
            reply.chunks.pop();
        }
        reply.header("content-encoding", "gzip")
    })
    .await;
    let mut spec = spec(address, 3);
    spec.gzip = true;
    let result = run(&spec).await;
    assert_eq!((result.wire_bytes, result.body_bytes), (3 * size, 3 * size));
    spec.inflate = true;
    let result = run(&spec).await;
    assert_eq!((result.wire_bytes, result.body_bytes), (3 * size, 600_000));
    spec.path_and_query = "/broken".into();
    let result = run(&spec).await;
    assert_eq!(result.errors, [("corrupt gzip".to_owned(), 3)].into());
}

#[tokio::test]
async fn tls_is_checked_against_the_authority_that_was_given() {
    let (ca, acceptor) = tls();
    let address = serve(Some(acceptor), |_| Reply::text(200, "ok")).await;
    for http2 in [false, true] {
        let mut spec = spec(address, 8);
        spec.target.base = format!("https://{address}");
        spec.http2 = http2;
        spec.target.tls = TlsTrust::Ca(ca.clone());
        assert_eq!(run(&spec).await.ok, 8, "http2 {http2}");
        spec.target.tls = TlsTrust::InsecureSkip;
        assert_eq!(run(&spec).await.ok, 8, "http2 {http2}");
        let (other_ca, _) = tls();
        spec.target.tls = TlsTrust::Ca(other_ca);
        let error = storm::run(&spec, &|_| {}).await.unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_takes_its_time_and_gets_everything() {
    let address = serve(None, |_| Reply {
        code: 200,
        chunks: vec![Bytes::from(vec![0; 8192]); 40],
        ..Reply::default()
    })
    .await;
    for http2 in [false, true] {
        let mut spec = spec(address, 2);
        spec.concurrency = 2;
        spec.http2 = http2;
        spec.read_rate = Some(1_000_000);
        let result = run(&spec).await;
        assert_eq!((result.ok, result.wire_bytes), (2, 2 * 327_680));
        // Only a lower bound: a busy machine may be slower, never faster.
        assert!(result.latency.min() >= 200_000, "{} us", result.latency.min());
    }
}

#[tokio::test]
async fn an_open_loop_keeps_its_schedule() {
    let address = serve(None, |_| Reply::text(200, "ok")).await;
    let mut spec = spec(address, 20);
    spec.open_loop = Some(200.0);
    let result = run(&spec).await;
    assert_eq!(result.ok, 20);
    assert!(result.elapsed >= Duration::from_millis(95), "{:?}", result.elapsed);
}

#[tokio::test]
async fn a_duration_ends_a_storm_and_a_stop_breaks_it_off() {
    let address = serve(None, |_| Reply::text(200, "ok")).await;
    let mut spec = spec(address, 1);
    spec.requests = None;
    spec.duration = Some(Duration::from_millis(50));
    let result = run(&spec).await;
    assert!(result.ok > 0 && !result.interrupted);
    spec.duration = Some(Duration::from_secs(3600));
    let stop = tokio::time::sleep(Duration::from_millis(50));
    let result = storm::run_until(&spec, &|_| {}, stop).await.unwrap();
    assert!(result.ok > 0 && result.interrupted);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_time_out() {
    let address = serve(None, |_| Reply {
        code: 200,
        chunks: vec![Bytes::from(vec![0; 65_536]); 64],
        ..Reply::default()
    })
    .await;
    let mut spec = spec(address, 2);
    spec.read_rate = Some(1000);
    spec.timeout = Duration::from_millis(100);
    let result = run(&spec).await;
    assert_eq!(result.errors, [("time-out".to_owned(), 2)].into());
    assert_eq!(result.codes, [(200, 2)].into());
    assert!(result.wire_bytes > 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_trouble_with_the_environment() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = storm::run(&spec(free, 1), &|_| {}).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains(&free.to_string()), "{error}");
}

#[tokio::test]
async fn a_specification_that_cannot_be_run_names_its_field() {
    let good = spec("127.0.0.1:1".parse().unwrap(), 1);
    type Edit = fn(&mut StormSpec);
    let edits: [(&str, Edit); 6] = [
        ("concurrency", |s| s.concurrency = 0),
        ("requests", |s| s.requests = None),
        ("read-rate", |s| s.read_rate = Some(0)),
        ("open-loop", |s| s.open_loop = Some(f64::NAN)),
        ("as-group", |s| s.as_groups = vec!["x".into()]),
        ("path", |s| s.path_and_query = "api/v1".into()),
    ];
    for (field, edit) in edits {
        let mut bad = good.clone();
        edit(&mut bad);
        let error = storm::run(&bad, &|_| {}).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("{field}: ")), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[tokio::test]
async fn watches_count_their_events() {
    let address = serve(None, |call| {
        if call.path == "/gone" {
            return Reply::text(410, "too old");
        }
        let mut reply = Reply::text(200, "{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"BOOK");
        reply.chunks.push("MARK\",\"object\":{}}\n".into());
        reply
    })
    .await;
    for (http2, path, opened) in [(false, "/", 5), (true, "/", 5), (false, "/gone", 0)] {
        let mut spec = spec(address, 1);
        spec.path_and_query = path.into();
        spec.concurrency = 5;
        spec.http2 = http2;
        spec.duration = Some(Duration::from_secs(30));
        let result = watch::run(&spec, 2, &|_| {}, std::future::pending()).await.unwrap();
        assert_eq!((result.watches, result.opened, result.ended), (5, opened, opened));
        let added = result.events.get("ADDED").copied().unwrap_or_default();
        let bookmarks = result.events.get("BOOKMARK").copied().unwrap_or_default();
        assert_eq!((added, bookmarks), (opened, opened));
        assert!(result.errors.is_empty());
    }
}
