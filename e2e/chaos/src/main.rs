//! The long form: every scenario, or those named, with 200 numbers.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use chaos::{
    Plan,
    scenarios::{ALL, Scenario, play},
    stage::{Stage, say},
};
use clap::Parser;

/// Plays what can go wrong with the services, and counts what became of every text. Prints figures and writes JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// The scenarios, by name; all when there is none. `list` names them.
    scenarios: Vec<String>,
    /// The short form, as the tests have it.
    #[arg(long)]
    short: bool,
    /// How many numbers are linked.
    #[arg(long)]
    sessions: Option<usize>,
    /// Seconds between two texts of one number in one direction.
    #[arg(long)]
    every: Option<f64>,
    /// Do not judge times: the machine does other work as well.
    #[arg(long)]
    lenient: bool,
    /// Where the JSON goes.
    #[arg(long, default_value = "target/chaos")]
    results: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.scenarios.iter().any(|name| name == "list") {
        for scenario in ALL {
            say(&format!("{:20} {}", scenario.name, scenario.about));
        }
        return ExitCode::SUCCESS;
    }
    let mut wanted: Vec<Scenario> = Vec::new();
    for name in &arguments.scenarios {
        let Some(scenario) = ALL.iter().find(|scenario| scenario.name == name) else {
            say(&format!("no such scenario: {name}; `list` names them"));
            return ExitCode::FAILURE;
        };
        wanted.push(*scenario);
    }
    if wanted.is_empty() {
        wanted = ALL.iter().filter(|scenario| !arguments.short || scenario.short).copied().collect();
    }
    let mut plan = if arguments.short { Plan::short() } else { Plan::long() };
    plan.sessions = arguments.sessions.unwrap_or(plan.sessions);
    plan.every = arguments.every.map_or(plan.every, Duration::from_secs_f64);
    plan.strict &= !arguments.lenient;
    let mut stage = Stage::set(plan).await;
    let mut broken = Vec::new();
    for scenario in wanted {
        let found = play(scenario, &mut stage, &arguments.results).await;
        broken.extend(found.into_iter().map(|words| format!("{}: {words}", scenario.name)));
    }
    if broken.is_empty() {
        say("\neverything as promised");
        return ExitCode::SUCCESS;
    }
    say(&format!("\nnot as promised:\n  {}", broken.join("\n  ")));
    ExitCode::FAILURE
}
