//! Servers that go away, and wires that are cut.

use std::time::{Duration, Instant};

use e2e::{PATIENCE, Wire, eventually};

use super::{RECOVERY, gaps, processes::nobody_went};
use crate::{report::Report, stage::Stage};

/// How soon sessions are connected again after the outage itself.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// How soon the sessions of a runner that was cut off are connected elsewhere.
const ELSEWHERE: Duration = Duration::from_secs(10);

#[expect(clippy::expect_used, reason = "nothing can be shown without it")]
pub(super) async fn nats_away(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("nats-away").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    stage.nats.stop();
    stage.pass(stage.plan.away).await;
    let (out, _) = traffic.accepted();
    stage.nats.restart().expect("NATS");
    for member in stage.apis.iter_mut().chain(&mut stage.runners).chain(&mut stage.dispatchers) {
        member.ready().await;
    }
    stage.pass(stage.plan.settle).await;
    let mut count = traffic.end(&stage.webhooks).await;
    report.count("texts accepted until NATS was back", out);
    count.none_refused_but(report, &[]);
    count.report(report);
    nobody_went(stage, report, since);
}

#[expect(clippy::expect_used, reason = "nothing can be shown without it")]
pub(super) async fn database_away(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("database-away").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    tokio::task::block_in_place(|| stage.postgres.stop());
    stage.pass(stage.plan.away).await;
    tokio::task::block_in_place(|| stage.postgres.restart()).expect("PostgreSQL");
    let back = Instant::now();
    for member in stage.apis.iter_mut().chain(&mut stage.runners).chain(&mut stage.dispatchers) {
        member.ready().await;
    }
    stage.well(RECOVERY).await;
    report.figure("all on line again after", back.elapsed().as_secs_f64(), "s");
    stage.pass(stage.plan.settle).await;
    traffic.end(&stage.webhooks).await.report(report);
    stage.well(RECOVERY).await;
    gaps(stage, report, since, stage.plan.away + AFTERWARDS);
}

/// It must cut itself off from WhatsApp before others take its sessions, though nothing is wrong there.
pub(super) async fn cut_from_database(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("cut-from-database").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    stage.runners[0].to_database.set(Wire::Silent);
    stage.pass(stage.plan.away.max(Duration::from_secs(10))).await;
    eventually("a word about the lost lease", PATIENCE, async || {
        stage.runners[0].log().contains("the lease is lost").then_some(())
    })
    .await;
    stage.well(RECOVERY).await;
    stage.runners[0].to_database.set(Wire::Whole);
    stage.runners[0].ready().await;
    stage.pass(stage.plan.settle).await;
    traffic.end(&stage.webhooks).await.report(report);
    stage.well(RECOVERY).await;
    gaps(stage, report, since, ELSEWHERE);
}

/// Commands do not reach it; what is stored is found by the clock.
pub(super) async fn cut_from_nats(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("cut-from-nats").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    stage.runners[0].to_nats.set(Wire::Silent);
    stage.pass(stage.plan.away).await;
    stage.runners[0].to_nats.set(Wire::Whole);
    stage.pass(stage.plan.settle).await;
    let mut count = traffic.end(&stage.webhooks).await;
    count.none_refused_but(report, &[]);
    count.report(report);
    nobody_went(stage, report, since);
}

/// Its sessions wait for it: nobody else could know that they fare better elsewhere.
pub(super) async fn cut_from_whatsapp(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("cut-from-whatsapp").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    stage.runners[0].to_whatsapp.set(Wire::Broken);
    stage.pass(stage.plan.away).await;
    let (_, off) = stage.watch.gaps(since);
    report.count("off line meanwhile", off);
    stage.runners[0].to_whatsapp.set(Wire::Whole);
    let back = Instant::now();
    stage.well(RECOVERY).await;
    report.figure("all on line again after", back.elapsed().as_secs_f64(), "s");
    stage.pass(stage.plan.settle).await;
    traffic.end(&stage.webhooks).await.report(report);
    stage.well(RECOVERY).await;
    // The delay between two tries has grown by then.
    gaps(stage, report, since, stage.plan.away * 2 + AFTERWARDS);
}
