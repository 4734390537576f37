//! Benchmarks that are run by name. What each means and what was measured: `docs/benchmarks.md`.

mod fleet;
mod gateway;
mod http;
mod load;
mod machine;
mod problem;
mod receiver;
mod report;
mod suite;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};
use gateway::Database;
use problem::Result;
use report::{BUILD, Report, complain, say};
use suite::{Plan, auth, claims, deliveries, idle, inbound, media, restart, send};

/// Measures the gateway: a process of its own (built with the feature fake-whatsapp), against a fake WhatsApp server
/// and a load generator in this process, all on the loopback address. Prints a table and writes
/// e2e/bench/results/NAME.json.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Run it with `cargo run --release --package bench -- NAME`; a debug build measures little."
)]
struct Arguments {
    /// What to measure.
    #[arg(value_enum)]
    benchmark: Benchmark,
    /// Where the gateway keeps its facts.
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Database,
    /// Where to write the JSON; with `all`, a folder.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A wa-gateway with the feature fake-whatsapp; without it, it is built first.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Where the gateway's data goes while it is measured: a folder on a disk like the one it will run on.
    #[arg(long, value_name = "FOLDER", default_value = "data")]
    data: PathBuf,
    /// How long to measure, for each step.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// How many sessions are linked.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    sessions: Option<u64>,
    /// How many connections a closed load uses.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    connections: Option<u64>,
    /// The rate of open loads, instead of those that have goals.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Authenticated requests a second: GET /session.
    Auth,
    /// Texts a second from REST to the server's acknowledgement, and their latency at half of that.
    Send,
    /// Memory and processor time of idle sessions.
    Idle,
    /// How soon 1,000 sessions are connected again after a restart.
    Restart,
    /// From a contact's message to the webhook.
    Inbound,
    /// Claims of 10,000 sessions by 1, 2, 4 and 8 runners that do nothing else (PostgreSQL).
    Claims,
    /// Webhooks a second with 1, 2 and 4 dispatchers (PostgreSQL and NATS).
    Deliveries,
    /// A document of 1 GiB out and in: time, and memory at its peak.
    Media,
    /// All those of one gateway, one after the other.
    All,
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            complain(format_args!("bench: {problem}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: Arguments) -> Result<()> {
    if BUILD == "debug" {
        complain(format_args!(
            "this is a debug build; figures are many times worse than those of a release build"
        ));
    }
    let plan = Plan {
        program: gateway::program(arguments.gateway.as_deref())?,
        data: arguments.data,
        database: arguments.database,
        seconds: arguments.seconds,
        sessions: arguments.sessions,
        connections: arguments.connections,
        rate: arguments.rate.filter(|rate| *rate > 0.0),
    };
    let (benchmarks, all) = match arguments.benchmark {
        Benchmark::All => {
            let each = [
                Benchmark::Auth,
                Benchmark::Send,
                Benchmark::Inbound,
                Benchmark::Media,
                Benchmark::Restart,
                Benchmark::Idle,
            ];
            (each.to_vec(), true)
        }
        one => (vec![one], false),
    };
    let mut missed = false;
    for benchmark in benchmarks {
        say(format_args!("measuring …"));
        let report = run(benchmark, &plan).await?;
        report.print();
        let file = arguments
            .json
            .as_ref()
            .map(|path| if all { path.join(format!("{}.json", report.name())) } else { path.clone() });
        say(format_args!("  written to {}\n", report.save(file.as_deref())?.display()));
        missed |= !report.met();
    }
    if missed {
        say(format_args!("not every goal was met; see docs/benchmarks.md"));
    }
    Ok(())
}

async fn run(benchmark: Benchmark, plan: &Plan) -> Result<Report> {
    match benchmark {
        Benchmark::Auth | Benchmark::All => auth::run(plan).await,
        Benchmark::Send => send::run(plan).await,
        Benchmark::Idle => idle::run(plan).await,
        Benchmark::Restart => restart::run(plan).await,
        Benchmark::Inbound => inbound::run(plan).await,
        Benchmark::Claims => claims::run(plan).await,
        Benchmark::Deliveries => deliveries::run(plan).await,
        Benchmark::Media => media::run(plan).await,
    }
}
