//! What is planned: stops, restarts, drains, moves, more and fewer runners. Nothing is lost, and a session is off line
//! for a moment only.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use e2e::{
    PATIENCE,
    cluster::{Member, Role},
    eventually,
};
use serde_json::json;

use super::{RECOVERY, gaps};
use crate::{audit::Hold, report::Report, stage::Stage};

/// What an API answers that waits for its database.
const STARTING: &str = "503 not_ready";

/// How long a session is off line when it is handed over.
const HANDED_OVER: Duration = Duration::from_secs(2);

pub(super) async fn stop_runner(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("stop-runner").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    let (code, took) = stage.runners[0].terminate().await;
    report.figure("the stop took", took.as_secs_f64(), "s");
    report.promise(code == Some(0), || format!("it ended with {code:?}"));
    stage.well(RECOVERY).await;
    stage.runners[0].up().await;
    stage.pass(stage.plan.settle).await;
    let mut count = traffic.end(&stage.webhooks).await;
    count.none_refused_but(report, &[]);
    count.report(report);
    stage.well(RECOVERY).await;
    gaps(stage, report, since, HANDED_OVER);
}

/// Every service is replaced in turn, as a rolling upgrade does.
pub(super) async fn rolling(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("rolling").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    let restart = async |member: &mut Member| {
        let (code, _) = member.terminate().await;
        member.up().await;
        code
    };
    let mut codes = Vec::new();
    for member in &mut stage.apis {
        codes.push(restart(member).await);
    }
    for member in &mut stage.dispatchers {
        codes.push(restart(member).await);
    }
    for number in 0..stage.runners.len() {
        let code = restart(&mut stage.runners[number]).await;
        codes.push(code);
        stage.well(RECOVERY).await;
    }
    report.promise(codes.iter().all(|code| *code == Some(0)), || format!("they ended with {codes:?}"));
    stage.pass(stage.plan.settle).await;
    let mut count = traffic.end(&stage.webhooks).await;
    // The clients do not look whether an API is ready, as an ingress does: one that starts says so, and takes nothing.
    count.none_refused_but(report, &[STARTING]);
    count.report(report);
    stage.well(RECOVERY).await;
    gaps(stage, report, since, HANDED_OVER);
}

/// An operator drains a runner, moves sessions by name, and starts the runner again.
pub(super) async fn drain_and_move(stage: &mut Stage, report: &mut Report) {
    let rest = stage.rests().remove(0);
    let traffic = stage.traffic("drain-and-move").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    let drained = stage.runners[0].name().to_owned();
    let list = rest.get("/admin/runners").await.json;
    let id = |name: &str| {
        let found = list["data"].as_array().into_iter().flatten().find(|runner| runner["name"] == name);
        found.and_then(|runner| runner["id"].as_str()).unwrap_or_default().to_owned()
    };
    let answer = rest.post(&format!("/admin/runners/{}/drain", id(&drained)), json!({})).await;
    report.promise(answer.status == 202, || format!("the drain was refused: {}", answer.text));
    eventually("an empty runner", RECOVERY, async || {
        let shares = stage.shares().await;
        let held: usize = shares.iter().map(|(_, held)| held).sum();
        let left = shares.iter().find(|(name, _)| *name == drained).map_or(0, |(_, held)| *held);
        (left == 0 && held == stage.lines.len()).then_some(())
    })
    .await;
    stage.well(RECOVERY).await;
    // To and fro between the two that are left.
    let (one, other) = (stage.runners[1].name().to_owned(), stage.runners[2].name().to_owned());
    let holds = stage.audit.holds().await.unwrap_or_default();
    let mut moved = 0;
    for hold in holds.iter().filter(|hold| hold.runner.as_deref() == Some(&*one)).take(5) {
        let url = format!("/admin/sessions/{}/move", hold.session);
        let answer = rest.post(&url, json!({"runner": id(&other)})).await;
        report.promise(answer.status == 202, || format!("a move was refused: {}", answer.text));
        eventually("the session at its new place", PATIENCE, async || {
            let holds = stage.audit.holds().await?;
            let now = holds.iter().find(|now| now.session == hold.session)?;
            (now.runner.as_deref() == Some(&*other)).then_some(())
        })
        .await;
        moved += 1;
    }
    report.count("sessions moved by name", moved);
    stage.well(RECOVERY).await;
    stage.runners[0].terminate().await;
    stage.runners[0].up().await;
    stage.pass(stage.plan.settle).await;
    let mut count = traffic.end(&stage.webhooks).await;
    count.none_refused_but(report, &[]);
    count.report(report);
    stage.well(RECOVERY).await;
    gaps(stage, report, since, HANDED_OVER);
}

/// From one runner to four, and back to two, under load.
pub(super) async fn scale(stage: &mut Stage, report: &mut Report) {
    while stage.runners.len() > 1 {
        stage.remove_runner().await;
        stage.well(RECOVERY).await;
    }
    let traffic = stage.traffic("scale").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();

    let before = stage.audit.holds().await.unwrap_or_default();
    for _ in 0..3 {
        stage.add(Role::SessionRunner).await;
    }
    let took = evened_out(stage).await;
    report.figure("shares evened out on four", took.as_secs_f64(), "s");
    shares(stage, report, "on four").await;
    moves(stage, report, &before, "from one to four").await;

    let before = stage.audit.holds().await.unwrap_or_default();
    stage.remove_runner().await;
    stage.remove_runner().await;
    stage.well(RECOVERY).await;
    let took = evened_out(stage).await;
    report.figure("shares evened out on two", took.as_secs_f64(), "s");
    shares(stage, report, "on two").await;
    // Two stops, one after the other: who is handed over in the first may be at the second.
    let most = moves(stage, report, &before, "from four to two").await;
    report.promise(most <= 2, || format!("a session moved {most} times in two steps"));

    stage.pass(stage.plan.settle).await;
    traffic.end(&stage.webhooks).await.report(report);
    while stage.runners.len() < 3 {
        stage.add(Role::SessionRunner).await;
    }
    evened_out(stage).await;
    stage.well(RECOVERY).await;
    gaps(stage, report, since, HANDED_OVER);
}

/// Waits until no runner is above its share by more than a tenth; returns how long that took.
async fn evened_out(stage: &Stage) -> Duration {
    let began = Instant::now();
    let fair = stage.lines.len().div_ceil(stage.runners.len());
    let most = fair + fair.div_ceil(10);
    eventually("even shares", Duration::from_mins(5), async || {
        let shares = stage.shares().await;
        let held: usize = shares.iter().map(|(_, held)| held).sum();
        (held == stage.lines.len() && shares.iter().all(|(_, held)| *held <= most)).then_some(())
    })
    .await;
    began.elapsed()
}

async fn shares(stage: &Stage, report: &mut Report, when: &str) {
    for (name, held) in stage.shares().await {
        report.count(format!("sessions of {name} {when}"), held);
    }
}

/// How often sessions changed hands since `before`, at most.
async fn moves(stage: &Stage, report: &mut Report, before: &[Hold], step: &str) -> i64 {
    let tokens: HashMap<_, _> = before.iter().map(|hold| (&hold.session, hold.token)).collect();
    let after = stage.audit.holds().await.unwrap_or_default();
    let moved: Vec<i64> =
        after.iter().map(|hold| hold.token - tokens.get(&hold.session).copied().unwrap_or(0)).collect();
    report.count(format!("sessions moved, {step}"), moved.iter().filter(|times| **times > 0).count());
    let most = moved.iter().copied().max().unwrap_or(0);
    report.count(format!("the most that one moved, {step}"), usize::try_from(most).unwrap_or(0));
    if step == "from one to four" {
        report.promise(most <= 1, || format!("a session moved {most} times in one step"));
    }
    most
}
