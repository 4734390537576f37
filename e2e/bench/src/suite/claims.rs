//! How soon free sessions are claimed, by how many runners. The runners are simulated: they claim and do nothing else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{RunnerId, SystemClock, UserId};
use scratch::Postgres;
use secrets::KeyRing;
use storage::{Database, Options, RunnerRegistration};
use tokio::task::JoinSet;

use super::Plan;
use crate::{
    problem::{Problem, Result},
    report::{Report, say},
};

/// What a runner takes in one go.
const BATCH: u32 = 64;

/// Longer than the benchmark takes.
const LEASE: Duration = Duration::from_hours(1);

#[expect(clippy::cast_precision_loss, reason = "some thousands of sessions")]
pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let mut report = Report::new("claims", "free sessions claimed by runners that do nothing else");
    let sessions = plan.sessions.unwrap_or(10_000);
    let postgres = Postgres::start_durable()?;
    let url = postgres.database()?;
    report.database("PostgreSQL on this machine, fsync on");
    report.setting("sessions", sessions);
    report.setting("batch", BATCH);
    let database = open(&url).await?;
    database.put_admin("admin", "none").await?;
    say(format_args!("  making {sessions} sessions"));
    for number in 0..sessions {
        database.start_session(UserId::ADMIN, &format!("bench-{number:05}")).await?;
    }
    for runners in [1, 2, 4, 8] {
        // Whatever the round before has claimed is free again.
        database.reap_runners(true).await?;
        let mut claiming = JoinSet::new();
        let began = Instant::now();
        for number in 0..runners {
            // Each has connections of its own, as a process would.
            claiming.spawn(claim(open(&url).await?, number));
        }
        let mut claimed = Vec::new();
        while let Some(runner) = claiming.join_next().await {
            claimed.push(runner.map_err(|error| Problem::Setup(error.to_string()))??);
        }
        let took = began.elapsed().as_secs_f64();
        let all: u64 = claimed.iter().sum();
        if all != sessions {
            return Err(Problem::Setup(format!("{all} of {sessions} sessions were claimed")));
        }
        report.figure(format!("{runners} runners: all claimed"), took, "s");
        report.figure(format!("{runners} runners: claims"), all as f64 / took, "/s");
        let least = claimed.iter().min().copied().unwrap_or(0);
        report.figure(format!("{runners} runners: the least that one got"), least as f64, "sessions");
    }
    database.close().await;
    Ok(report)
}

async fn open(url: &str) -> Result<Database> {
    let keys = KeyRing::parse(&KeyRing::generate()).map_err(|error| Problem::Setup(error.to_string()))?;
    Ok(Database::open(&Options::new(url), Arc::new(keys), Arc::new(SystemClock)).await?)
}

/// One runner, until nothing is free.
async fn claim(database: Database, number: u32) -> Result<u64> {
    let id = RunnerId::new();
    let name = format!("runner-{number}");
    let runner = RunnerRegistration {
        id,
        name,
        version: "0".to_owned(),
        capacity: u32::MAX,
        place: storage::Placement::default(),
    };
    database.register_runner(&runner, LEASE).await?;
    let mut claimed = 0;
    loop {
        let batch = database.claim_sessions(id, BATCH).await?.len() as u64;
        claimed += batch;
        if batch == 0 && database.session_counts().await?.1 == 0 {
            database.close().await;
            return Ok(claimed);
        }
    }
}
