//! `k8s chart` and `k8s cluster`: the checks of the chart, without and with an API server. `cargo xtask test` runs both.

use std::process::ExitCode;

use k8s::{chart, cluster, suite::Suite};

#[tokio::main]
async fn main() -> ExitCode {
    let mut suite = Suite::default();
    match std::env::args().nth(1).as_deref() {
        Some("chart") => chart::check(&mut suite).await,
        Some("cluster") => cluster::check(&mut suite).await,
        _ => {
            suite.say("k8s chart | k8s cluster");
            return ExitCode::FAILURE;
        }
    }
    if suite.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
