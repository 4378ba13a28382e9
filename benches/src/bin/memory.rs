//! Memory of the server: per stored object, per idle watcher, per LIST in flight.
//!
//! The server is a child process of this program, measured from outside (VmRSS and VmHWM) and by
//! its allocator (`GET /sim/memory`). What it uses is no forecast of what the real kube-apiserver
//! uses; see BENCHMARKING.md.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use benches::{
    child::{Server, Usage},
    client::{self, Client},
    machine::{Machine, available_bytes},
    process,
    table::{Table, as_f64, bytes, verdict},
};
use clap::{Parser, Subcommand, ValueEnum};
use sim_server::ServeArgs;

// As in sim-server's own main: its statistics are part of what is measured.
#[global_allocator]
static ALLOCATOR: sim_server::Jemalloc = sim_server::Jemalloc;

/// Measure what the server holds in memory
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Measure only this; may be given several times
    #[arg(long)]
    only: Vec<Part>,
    /// Tenth of the objects, watchers and readers: whether it works, not what it measures
    #[arg(long)]
    quick: bool,
}

#[derive(Subcommand)]
enum Command {
    /// The server that is measured; this program starts itself with it
    #[command(hide = true)]
    Serve(Box<ServeArgs>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Bytes per stored object above its JSON
    Objects,
    /// Bytes per idle watcher
    Watchers,
    /// Bytes per slow reader of 10,000 objects of 8 KiB
    Lists,
    /// Bytes per slow reader of 100 objects of 1 MiB
    LargeObjects,
}

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if let Some(Command::Serve(args)) = cli.command.take() {
        return sim_server::run(*args);
    }
    match measure(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("memory: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(cli: &Cli) -> anyhow::Result<()> {
    let machine = Machine::here();
    let wanted = |part| cli.only.is_empty() || cli.only.contains(&part);
    let scale = if cli.quick { 10 } else { 1 };
    let mut report = Report::new();
    if wanted(Part::Objects) {
        objects(&mut report, 100_000 / scale)?;
    }
    if wanted(Part::Watchers) {
        watchers(&mut report, 1_000 / scale)?;
    }
    if wanted(Part::Lists) {
        let populate = format!("pods={}x8Ki", 10_000 / scale);
        lists(&mut report, "/api/v1/pods", &populate, 50 / scale)?;
    }
    if wanted(Part::LargeObjects) {
        let populate = format!("configmaps={}x1Mi", 100 / scale);
        lists(&mut report, "/api/v1/configmaps", &populate, 10.min(50 / scale))?;
    }
    println!("\nMeasured here: {machine}\n");
    if cli.quick {
        println!("With --quick: sizes are a tenth, fixed costs weigh ten times as much.\n");
    }
    print!("{}", report.0);
    Ok(())
}

/// The one table.
struct Report(Table);

impl Report {
    fn new() -> Self {
        Self(Table::new(&["what", "measured", "target", ""]))
    }

    /// A figure without a target.
    fn note(&mut self, what: impl Into<String>, measured: impl Into<String>) {
        self.0.row([what.into(), measured.into(), String::new(), String::new()]);
    }

    fn check(&mut self, what: &str, measured: String, target: &str, passes: bool) {
        self.0.row([what.to_owned(), measured, target.to_owned(), verdict(passes)]);
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    as_f64(part) / as_f64(whole.max(1))
}

/// What stored pods cost above an empty server.
fn objects(report: &mut Report, count: usize) -> anyhow::Result<()> {
    println!("{count} pods …");
    let empty = Server::start(RELEASE_STREAMED, "")?.settled_usage()?;
    let server = Server::start(RELEASE_STREAMED, &format!("pods={count}x2Ki"))?;
    let full = server.settled_usage()?;
    let peak = process::memory(server.pid)?.peak;
    // After the measurement, as a LIST of everything takes memory itself.
    let json = client::get(server.address, "/api/v1/pods")?.len() as u64;
    let rss = full.rss.saturating_sub(empty.rss);
    let allocated = full.allocated.saturating_sub(empty.allocated);
    let factor = ratio(rss, json);
    report.note("empty server: RSS", bytes(empty.rss));
    report.note(format!("{count} pods of 2 KiB: JSON of their LIST"), bytes(json));
    report.note("  peak RSS while they were loaded", bytes(peak));
    let each = |total: u64| bytes(total / count as u64);
    report.note("  allocated above empty, a pod", each(allocated));
    report.note("  allocated above its JSON, a pod", each(allocated.saturating_sub(json)));
    report.note("  RSS above its JSON, a pod", each(rss.saturating_sub(json)));
    let measured = format!("{} = {factor:.2} × JSON", bytes(rss));
    report.check("  RSS above empty", measured, "at most 1.30 × JSON", factor <= 1.3);
    Ok(())
}

/// What open watches cost that nothing happens to, and connections without a watch beside them.
fn watchers(report: &mut Report, count: usize) -> anyhow::Result<()> {
    println!("{count} watchers …");
    for (what, path) in [
        ("idle connection, HTTP/1.1", "/livez"),
        ("idle watcher, HTTP/1.1, connection included", "/api/v1/configmaps?watch=1"),
    ] {
        let server = Server::start(RELEASE_STREAMED, "")?;
        let before = server.settled_usage()?;
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            let mut connection = Client::connect(server.address, 0)?;
            connection.get(path)?;
            if !path.contains("watch") {
                connection.drain()?;
            }
            connections.push(connection);
        }
        let after = server.settled_usage()?;
        let each = |after: u64, before: u64| bytes(after.saturating_sub(before) / count as u64);
        report.note(format!("{what}: allocated"), each(after.allocated, before.allocated));
        report.note("  RSS", each(after.rss, before.rss));
    }
    Ok(())
}

/// What slow readers of one large list cost, streamed and buffered.
fn lists(
    report: &mut Report,
    path: &'static str,
    populate: &str,
    readers: usize,
) -> anyhow::Result<()> {
    let streamed = slow_readers(RELEASE_STREAMED, path, populate, |_| readers)?;
    // A buffer that doubles holds at most twice the body; while it grows, half as much again.
    let budget = BUFFERED_MAX_BYTES.min(available_bytes() / 2);
    let affordable = |body: u64| usize::try_from(budget / (body * 3)).unwrap_or(usize::MAX);
    let buffered = slow_readers(RELEASE_BUFFERED, path, populate, |body| {
        readers.min(affordable(body).max(1))
    })?;
    report.note(format!("LIST of {populate}: body"), bytes(streamed.body));
    for (name, measured) in [("streamed", &streamed), ("buffered", &buffered)] {
        let Measured { readers, idle, peak_rss, held, .. } = measured;
        report.note(format!("  {name}, {readers} slow readers: RSS idle"), bytes(idle.rss));
        report.note(format!("  {name}: peak RSS above idle"), bytes(*peak_rss));
        report.note(
            format!("  {name}: allocated above idle, a reader"),
            bytes(held / *readers as u64),
        );
    }
    report.note("  buffered: peak RSS, a reader", bytes(buffered.each()));
    let times = ratio(buffered.each(), streamed.each());
    let passes = streamed.each() <= 2 << 20;
    report.check("  streamed: peak RSS, a reader", bytes(streamed.each()), "at most 2 MiB", passes);
    let measured = format!("{times:.0} times");
    report.check("  buffered ÷ streamed", measured, "at least 20 times", times >= 20.0);
    Ok(())
}

/// What a server held while it was read slowly.
struct Measured {
    readers: usize,
    body: u64,
    idle: Usage,
    /// VmHWM above the idle RSS.
    peak_rss: u64,
    /// Allocated above idle, halfway.
    held: u64,
}

impl Measured {
    fn each(&self) -> u64 {
        self.peak_rss / self.readers as u64
    }
}

/// Readers that begin together, read slowly for some seconds, and then the rest at full speed.
fn slow_readers(
    release: &str,
    path: &'static str,
    populate: &str,
    readers: impl Fn(u64) -> usize,
) -> anyhow::Result<Measured> {
    // How large the body is, from a server that is not measured: a LIST leaves traces.
    let body = client::get(Server::start(RELEASE_STREAMED, populate)?.address, path)?.len() as u64;
    let readers = readers(body);
    println!("{readers} slow readers of {} of {populate}, {release} …", bytes(body));
    let server = Server::start(release, populate)?;
    let idle = server.settled_usage()?;
    process::reset_peak(server.pid)?;
    let started = AtomicUsize::new(0);
    let hurry = AtomicBool::new(false);
    let begin = Barrier::new(readers);
    let address = server.address;
    let held = std::thread::scope(|scope| -> anyhow::Result<u64> {
        let read = || slow_reader(address, path, &begin, &started, &hurry);
        let threads: Vec<_> = (0..readers).map(|_| scope.spawn(read)).collect();
        let waiting = Instant::now();
        while started.load(Ordering::Relaxed) < readers && waiting.elapsed() < START_MAX {
            std::thread::sleep(TICK);
        }
        let all_started = started.load(Ordering::Relaxed) == readers;
        std::thread::sleep(SLOW_FOR);
        let held = server.usage();
        hurry.store(true, Ordering::Relaxed);
        for thread in threads {
            let read = thread.join().map_err(|_| anyhow::anyhow!("a reader panicked"))??;
            anyhow::ensure!(read == body, "a reader got {read} bytes of {body}");
        }
        anyhow::ensure!(all_started, "not all readers had an answer in time");
        Ok(held?.allocated.saturating_sub(idle.allocated))
    })?;
    let peak_rss = process::memory(server.pid)?.peak.saturating_sub(idle.rss);
    Ok(Measured { readers, body, idle, peak_rss, held })
}

fn slow_reader(
    address: SocketAddr,
    path: &str,
    begin: &Barrier,
    started: &AtomicUsize,
    hurry: &AtomicBool,
) -> anyhow::Result<u64> {
    let connected = Client::connect(address, BUFFER_BYTES);
    begin.wait();
    let mut client = connected?;
    client.get(path)?;
    started.fetch_add(1, Ordering::Relaxed);
    let mut read = 0;
    while !hurry.load(Ordering::Relaxed) {
        match client.read_body(BYTES_PER_TICK, |_| {})? {
            Some(bytes) => read += bytes,
            None => return Ok(read),
        }
        std::thread::sleep(TICK);
    }
    Ok(read + client.drain()?)
}

/// The first release that streams, and the last that does not.
const RELEASE_STREAMED: &str = "1.33";
const RELEASE_BUFFERED: &str = "1.32";

/// What a buffering server may need, so that the machine does not run out of memory.
const BUFFERED_MAX_BYTES: u64 = 4 << 30;

/// A slow reader takes 16 KiB each 50 ms, 320 KiB/s: in the time of the measurement less than
/// any body here, so that all lists are in flight at its end.
const BYTES_PER_TICK: usize = 16 << 10;
const TICK: Duration = Duration::from_millis(50);
const SLOW_FOR: Duration = Duration::from_secs(6);

const BUFFER_BYTES: usize = 64 << 10;

/// By then even a buffering server has begun all of its answers.
const START_MAX: Duration = Duration::from_secs(60);
