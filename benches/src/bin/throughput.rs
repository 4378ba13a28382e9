//! How fast the server hands out a LIST, beside a minimal hyper server that sends the same bytes.
//!
//! Three child processes: the server streaming, the server buffering, and the minimal one, which
//! holds the body in one `Bytes`. The same client reads from each in turn; see BENCHMARKING.md.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::{
    convert::Infallible,
    fs,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use benches::{
    child::Server,
    client::{self, Client},
    machine::{Machine, busy_time},
    process,
    table::{Table, as_f64, bytes, verdict},
};
use bytes::Bytes;
use clap::{Args, Parser, Subcommand};
use fixtures::dataset::Populate;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sim_server::ServeArgs;
use tokio::net::TcpListener;

// The same allocator on both sides of the comparison, and the one of sim-server's own main.
#[global_allocator]
static ALLOCATOR: sim_server::Jemalloc = sim_server::Jemalloc;

/// Compare the server's LIST with a minimal hyper server that sends the same bytes
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Data sets of one kind, as --populate of the server has them
    #[arg(long, default_values = ["pods=10000x2Ki", "pods=5000", "configmaps=500x100k"])]
    dataset: Vec<String>,
    /// Clients at once
    #[arg(long, default_values_t = [1, 4])]
    concurrency: Vec<usize>,
    /// Rounds; in each, every server has its turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of a turn
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Seconds to spend on repeating turns during which other programs used the machine
    #[arg(long, default_value_t = 300.0)]
    patience: f64,
    /// One data set, two short rounds: whether it works, not what it measures
    #[arg(long)]
    quick: bool,
}

#[derive(Subcommand)]
enum Command {
    /// The server that is measured; this program starts itself with it
    #[command(hide = true)]
    Serve(Box<ServeArgs>),
    /// The minimal server; this program starts itself with it
    #[command(hide = true)]
    Minimal(MinimalArgs),
}

#[derive(Args)]
struct MinimalArgs {
    /// The server to get the body from
    #[arg(long)]
    from: SocketAddr,
    /// The body's path there
    #[arg(long)]
    path: String,
    #[arg(long)]
    ready_file: PathBuf,
    #[arg(long)]
    exit_on_stdin_close: bool,
}

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    let done = match cli.command.take() {
        Some(Command::Serve(args)) => return sim_server::run(*args),
        Some(Command::Minimal(args)) => minimal(args),
        None => compare(&cli),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("throughput: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(cli: &Cli) -> anyhow::Result<()> {
    let machine = Machine::here();
    let mut table = Table::new(&[
        "data set",
        "body",
        "clients",
        "server",
        "median /s",
        "CPU s/GiB",
        "others' CPU, at most",
        "of minimal: median (lowest to highest)",
        "target",
        "",
    ]);
    let mut patience = Duration::from_secs_f64(cli.patience);
    let datasets = if cli.quick { &cli.dataset[..1] } else { &cli.dataset[..] };
    for dataset in datasets {
        of_dataset(cli, dataset, &mut patience, &mut table)?;
    }
    let load = Machine::here().load;
    println!("\nMeasured here: {machine}, at the end {load}\n");
    print!("{table}");
    Ok(())
}

fn of_dataset(
    cli: &Cli,
    dataset: &str,
    patience: &mut Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    let set = Populate::parse(dataset)?;
    let kind = set.items.first().context("an empty data set")?.spec.plural;
    let path = format!("/api/v1/{kind}");
    let streamed = Server::start("1.33", dataset)?;
    let buffered = Server::start("1.32", dataset)?;
    let arguments = [&*format!("--from={}", streamed.address), &*format!("--path={path}")];
    let minimal = Server::start_as("minimal", &arguments)?;
    let body = client::get(minimal.address, &path)?;
    for server in [&streamed, &buffered] {
        let same = client::get(server.address, &path)? == body;
        anyhow::ensure!(same, "{dataset}: the servers do not send the same bytes");
    }
    let servers = [("minimal", &minimal), ("streamed", &streamed), ("buffered", &buffered)];
    let (rounds, seconds) = if cli.quick { (2, 0.5) } else { (cli.rounds.max(1), cli.seconds) };
    for &clients in &cli.concurrency {
        println!("{dataset}, {clients} clients …");
        let mut turns: [Vec<Turn>; 3] = Default::default();
        for round in 0..rounds {
            // Each round begins with another server, so that none always follows the same one.
            for step in 0..servers.len() {
                let index = (round + step) % servers.len();
                let server = servers[index].1;
                let length = Duration::from_secs_f64(seconds);
                let turn = || turn(server, &path, clients, length, body.len() as u64);
                turns[index].push(least_disturbed(turn, patience)?);
            }
        }
        let [of_minimal, ..] = &turns;
        for ((name, _), own) in servers.iter().zip(&turns) {
            let rate = median(own.iter().map(|turn| turn.rate));
            let cpu = median(own.iter().map(|turn| turn.cpu_per_gib));
            let ratios: Vec<f64> =
                own.iter().zip(of_minimal).map(|(own, minimal)| own.rate / minimal.rate).collect();
            let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = ratios.iter().copied().fold(0.0, f64::max);
            let middle = median(ratios);
            let others = own.iter().map(|turn| turn.others).fold(0.0, f64::max);
            let is_minimal = *name == "minimal";
            // A buffered LIST builds its body first, as that release does: it is no fast path.
            let has_target = *name == "streamed";
            let share = format!(
                "{:.0} % ({:.0} to {:.0})",
                middle * 100.0,
                lowest * 100.0,
                highest * 100.0
            );
            table.row([
                dataset.to_owned(),
                bytes(body.len() as u64),
                clients.to_string(),
                (*name).to_owned(),
                format!("{rate:.0} MiB"),
                format!("{cpu:.2}"),
                format!("{:.0} %", others * 100.0),
                if is_minimal { String::new() } else { share },
                if has_target { "at least 70 %".to_owned() } else { String::new() },
                if has_target { verdict(middle >= 0.7) } else { String::new() },
            ]);
        }
    }
    Ok(())
}

/// What one server did in one round.
struct Turn {
    /// MiB of body a second.
    rate: f64,
    /// Seconds of the server's CPU time for a GiB.
    cpu_per_gib: f64,
    /// CPU time of programs that have no part in this, as a share of all cores' time.
    others: f64,
}

/// Repeats a turn that was disturbed, while there is time for it.
fn least_disturbed(
    turn: impl Fn() -> anyhow::Result<Turn>,
    patience: &mut Duration,
) -> anyhow::Result<Turn> {
    let mut best = turn()?;
    while best.others > OTHERS_MAX && !patience.is_zero() {
        let began = Instant::now();
        let again = turn()?;
        *patience = patience.saturating_sub(began.elapsed());
        if again.others < best.others {
            best = again;
        }
    }
    Ok(best)
}

/// What a quiet machine does all the same.
const OTHERS_MAX: f64 = 0.05;

/// Clients that ask again as soon as they have the whole body, each on one connection.
fn turn(
    server: &Server,
    path: &str,
    clients: usize,
    length: Duration,
    body: u64,
) -> anyhow::Result<Turn> {
    let own = || -> anyhow::Result<[Duration; 3]> {
        let (server, client) = (server.pid, std::process::id());
        Ok([busy_time(), process::cpu_time(server)?, process::cpu_time(client)?])
    };
    let before = own()?;
    let began = Instant::now();
    let total = std::thread::scope(|scope| -> anyhow::Result<u64> {
        let read = || -> anyhow::Result<u64> {
            let mut client = Client::connect(server.address, BUFFER_BYTES)?;
            let mut total = 0;
            while began.elapsed() < length {
                client.get(path)?;
                let read = client.drain()?;
                anyhow::ensure!(read == body, "{read} bytes instead of {body}");
                total += read;
            }
            Ok(total)
        };
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(read)).collect();
        let mut total = 0;
        for thread in threads {
            total += thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok(total)
    })?;
    let elapsed = began.elapsed().as_secs_f64();
    let after = own()?;
    let [all, cpu, client] =
        [0, 1, 2].map(|index| after[index].saturating_sub(before[index]).as_secs_f64());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let others = (all - cpu - client).max(0.0) / (elapsed * as_f64(cores as u64));
    let mib = as_f64(total) / as_f64(1 << 20);
    Ok(Turn { rate: mib / elapsed, cpu_per_gib: cpu / (mib / 1_024.0), others })
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let below = if values.len().is_multiple_of(2) { middle.saturating_sub(1) } else { middle };
    values.get(below).zip(values.get(middle)).map_or(0.0, |(a, b)| f64::midpoint(*a, *b))
}

/// One buffer of a client. Half of what the kernel's largest receive buffer holds would do too;
/// smaller ones cost system calls.
const BUFFER_BYTES: usize = 256 << 10;

/// The least that hyper needs to send one body.
fn minimal(args: MinimalArgs) -> anyhow::Result<()> {
    let body = Bytes::from(client::get(args.from, &args.path)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if args.exit_on_stdin_close {
        std::thread::spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
    }
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        announce(&args.ready_file, listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let body = body.clone();
            let service = service_fn(move |_: Request<Incoming>| {
                let body = body.clone();
                async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    })
}

fn announce(ready_file: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let beside = ready_file.with_extension("tmp");
    fs::write(&beside, serde_json::json!({ "http": address.to_string() }).to_string())?;
    Ok(fs::rename(&beside, ready_file)?)
}
