//! What goes wrong, one function each. Every one begins and ends with all processes up and all numbers on line.

mod connections;
mod endpoints;
mod handover;
mod outages;
mod processes;

use std::{
    path::Path,
    pin::Pin,
    time::{Duration, Instant},
};

use crate::{
    report::Report,
    stage::{Stage, say},
};

type Play = for<'a> fn(&'a mut Stage, &'a mut Report) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    /// It is part of what every change is tried with.
    pub short: bool,
    play: Play,
}

macro_rules! scenarios {
    ($($name:literal, $short:literal, $about:literal => $play:path;)+) => {
        /// All of them, in the order in which they are played.
        pub const ALL: &[Scenario] = &[$(
            Scenario { name: $name, about: $about, short: $short, play: |stage, report| Box::pin($play(stage, report)) },
        )+];
    };
}

scenarios! {
    "kill-runner", true, "kill -9 of a runner" => processes::kill_runner;
    "stop-runner", true, "SIGTERM to a runner, which starts again" => handover::stop_runner;
    "freeze-runner", true, "a runner is frozen past its lease, and goes on" => processes::freeze_runner;
    "drain-and-move", true, "an operator drains a runner, and moves sessions" => handover::drain_and_move;
    "kill-api", false, "kill -9 of an API" => processes::kill_api;
    "kill-dispatcher", false, "kill -9 of a dispatcher" => processes::kill_dispatcher;
    "freeze-dispatcher", false, "a dispatcher is frozen in the middle of its work" => processes::freeze_dispatcher;
    "nats-away", true, "NATS stops for a while" => outages::nats_away;
    "database-away", false, "PostgreSQL stops for a while" => outages::database_away;
    "cut-from-database", false, "one runner loses PostgreSQL" => outages::cut_from_database;
    "cut-from-nats", false, "one runner loses NATS" => outages::cut_from_nats;
    "cut-from-whatsapp", false, "one runner loses WhatsApp" => outages::cut_from_whatsapp;
    "dead-endpoint", false, "one endpoint of 100 does not answer" => endpoints::dead_endpoint;
    "dropped", false, "WhatsApp drops all sockets, again and again" => connections::dropped;
    "scale", false, "1, then 4, then 2 runners" => handover::scale;
    "rolling", true, "all services are restarted, one after the other" => handover::rolling;
}

/// Plays one and says what came of it; returns what was not as promised.
pub async fn play(scenario: Scenario, stage: &mut Stage, results: &Path) -> Vec<String> {
    say(&format!("\n{}: {}", scenario.name, scenario.about));
    let mut report = Report::new(scenario.name, stage.lines.len());
    let before = stage.audit.stale_writes().await.len();
    let began = Instant::now();
    (scenario.play)(stage, &mut report).await;
    let writes = stage.audit.stale_writes().await.split_off(before);
    report.zero("stale writes accepted", writes.len());
    report.promise(writes.is_empty(), || format!("{:?}", &writes[..writes.len().min(5)]));
    report.figure("in all", began.elapsed().as_secs_f64(), "s");
    say(&report.table());
    match report.save(results) {
        Ok(path) => say(&format!("  written to {}", path.display())),
        Err(error) => say(&format!("  not written: {error}")),
    }
    if !report.broken().is_empty() {
        stage.save_logs(&results.join(scenario.name));
    }
    report.broken().to_vec()
}

/// Notes the gaps since `since`, and that no number stays off line.
fn gaps(stage: &Stage, report: &mut Report, since: Instant, longest_p99: Duration) {
    let (mut gaps, off) = stage.watch.gaps(since);
    report.count("numbers that went off line", gaps.len());
    report.times("off line", &mut gaps);
    report.zero("still off line", off);
    let p99 = crate::report::quantile(&mut gaps, 0.99);
    if stage.plan.strict {
        report.promise(p99 <= longest_p99, || format!("off line for {p99:.1?} (p99), not {longest_p99:?}"));
    }
}

/// How long anything may take to be well again.
const RECOVERY: Duration = Duration::from_mins(2);
