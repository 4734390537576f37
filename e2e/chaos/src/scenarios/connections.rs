//! WhatsApp itself.

use std::time::{Duration, Instant};

use e2e::Kick;

use super::{RECOVERY, gaps};
use crate::{report::Report, stage::Stage};

/// Logins in one second, of all numbers, that are no storm.
const A_STORM: f64 = 0.75;

/// All sockets are dropped at once, again and again: reconnects are spread, and every number comes back.
pub(super) async fn dropped(stage: &mut Stage, report: &mut Report) {
    let traffic = stage.traffic("dropped").await;
    stage.pass(stage.plan.settle).await;
    let since = Instant::now();
    let mut busiest = 0;
    let mut recoveries = Vec::new();
    for _ in 0..stage.plan.drops {
        let began = Instant::now();
        let logins = logins(stage);
        for line in &stage.lines {
            if let Ok(account) = stage.whatsapp.account(&line.phone) {
                account.kick_all(Kick::Drop);
            }
        }
        stage.pass(Duration::from_millis(200)).await;
        let mut before = logins;
        while stage.watch.on_line() < stage.lines.len() && began.elapsed() < RECOVERY {
            stage.pass(Duration::from_secs(1)).await;
            let now = self::logins(stage);
            busiest = busiest.max(now - before);
            before = now;
        }
        recoveries.push(began.elapsed());
        stage.well(RECOVERY).await;
        stage.pass(stage.plan.settle).await;
    }
    report.count("times dropped", stage.plan.drops);
    report.times("all on line again after", &mut recoveries);
    report.count("logins in the busiest second", busiest);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let share = busiest as f64 / stage.lines.len() as f64;
    report.figure("share of all numbers in it", share, "of 1");
    if stage.plan.strict {
        report.promise(share <= A_STORM, || format!("{busiest} logins in one second"));
    }
    traffic.end(&stage.webhooks).await.report(report);
    stage.well(RECOVERY).await;
    gaps(stage, report, since, Duration::from_mins(1));
}

fn logins(stage: &Stage) -> usize {
    let accounts = stage.lines.iter().filter_map(|line| stage.whatsapp.account(&line.phone).ok());
    accounts.flat_map(|account| account.devices()).map(|device| device.logins as usize).sum()
}
