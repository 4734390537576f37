//! Processes that die or hang.

use std::time::{Duration, Instant};

use e2e::{PATIENCE, eventually};

use super::{RECOVERY, gaps};
use crate::{report::Report, stage::Stage};

/// How soon the sessions of a dead runner are connected elsewhere.
const ELSEWHERE: Duration = Duration::from_secs(10);

/// Longer than the lease of a runner.
const PAST_THE_LEASE: Duration = Duration::from_secs(9);

pub(super) async fn kill_runner(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("kill-runner").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    stage.runners[0].kill();
    // It is off line before it is looked for.
    stage.pass(Duration::from_millis(200)).await;
    stage.well(RECOVERY).await;
    stage.runners[0].up().await;
    stage.pass(stage.plan.settle).await;
    traffic.end(&stage.webhooks).await.report(report);
    stage.well(RECOVERY).await;
    gaps(stage, report, since, ELSEWHERE);
}

pub(super) async fn freeze_runner(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("freeze-runner").await;
    stage.pass(stage.plan.settle).await;
    let name = stage.runners[0].name().to_owned();
    let phones = stage.phones_of(&name).await;
    let before: Vec<u64> = phones.iter().map(fake_whatsapp::AccountHandle::accepted).collect();
    report.promise(!phones.is_empty(), || "the frozen runner had no sessions".to_owned());
    let since = Instant::now();
    stage.runners[0].signal("STOP");
    stage.pass(PAST_THE_LEASE).await;
    // Its sessions are elsewhere by now, on sockets of their own.
    eventually("the sessions of the frozen runner elsewhere", PATIENCE, async || {
        let holds = stage.audit.holds().await?;
        holds.iter().all(|hold| hold.runner.as_deref().is_some_and(|runner| runner != name)).then_some(())
    })
    .await;
    stage.well(RECOVERY).await;
    let thawed = Instant::now();
    stage.runners[0].signal("CONT");
    eventually("a word about the lost lease", PATIENCE, async || {
        stage.runners[0].log().contains("the lease is lost").then_some(())
    })
    .await;
    stage.pass(stage.plan.settle).await;
    stage.runners[0].ready().await;
    stage.well(RECOVERY).await;
    traffic.end(&stage.webhooks).await.report(report);
    let after: u64 = phones.iter().map(fake_whatsapp::AccountHandle::accepted).sum();
    report.promise(after > before.iter().sum(), || "nothing was sent for its sessions meanwhile".to_owned());
    let (mut disturbed, _) = stage.watch.gaps(thawed);
    report.count("numbers that went off line when it went on", disturbed.len());
    report.times("off line because it went on", &mut disturbed);
    let replaced =
        stage.webhooks.sessions().iter().filter(|webhook| webhook.text("state") == "replaced").count();
    report.zero("sessions replaced for good", replaced);
    gaps(stage, report, since, ELSEWHERE + PAST_THE_LEASE);
}

pub(super) async fn kill_api(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("kill-api").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    stage.apis[0].kill();
    stage.pass(stage.plan.settle).await;
    stage.apis[0].up().await;
    stage.pass(stage.plan.settle).await;
    traffic.end(&stage.webhooks).await.report(report);
    nobody_went(stage, report, since);
}

pub(super) async fn kill_dispatcher(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("kill-dispatcher").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    stage.dispatchers[0].kill();
    stage.pass(stage.plan.settle).await;
    stage.dispatchers[0].up().await;
    stage.pass(stage.plan.settle).await;
    // What the dead one had in hand is free when its claim has run out.
    traffic.end(&stage.webhooks).await.report(report);
    nobody_went(stage, report, since);
}

pub(super) async fn freeze_dispatcher(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("freeze-dispatcher").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    stage.dispatchers[0].signal("STOP");
    stage.pass(PAST_THE_LEASE + stage.plan.settle).await;
    stage.dispatchers[0].signal("CONT");
    stage.pass(stage.plan.settle).await;
    traffic.end(&stage.webhooks).await.report(report);
    nobody_went(stage, report, since);
}

/// The numbers do not notice what happens to other services.
pub(super) fn nobody_went(stage: &Stage, report: &mut Report, since: Instant) {
    let (gaps, off) = stage.watch.gaps(since);
    report.zero("numbers that went off line", gaps.len() + off);
}
