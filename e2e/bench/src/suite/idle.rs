//! Sessions that are connected and have nothing to do: what each costs in memory, and all together in processor time.

use std::time::{Duration, Instant};

use fake_whatsapp::FakeWhatsApp;
use sqlx::{Connection as _, PgConnection};

use super::Plan;
use crate::{
    fleet::{self, fake_whatsapp},
    gateway::Gateway,
    machine,
    problem::Result,
    report::{Goal, Report, say},
};

/// The smaller fleet that the larger one is compared with.
const FEW: u64 = 200;

/// How long a fleet is left alone at least before its memory is read, and how long each session may add at most.
const SETTLE: Duration = Duration::from_secs(10);
const LONGEST_SETTLE_EACH: Duration = Duration::from_millis(200);

/// Nothing goes on any more when each thousand sessions use less than this part of a core, over this time.
const QUIET: f64 = 0.05;
const LOOK_EVERY: Duration = Duration::from_secs(3);

pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let mut report = Report::new("idle", "memory and processor time of idle connected sessions");
    let many = plan.sessions.unwrap_or(1000).max(FEW + 1);
    let watched = plan.duration(40);
    let whatsapp = fake_whatsapp().await?;
    let mut gateway =
        Gateway::start(&plan.program, &plan.data, plan.database, &whatsapp.chat_url(), None).await?;
    gateway.describe(&mut report)?;
    report.setting("sessions", many);
    report.setting("compared_with", FEW);
    report.setting("seconds", watched.as_secs());

    let mut after_linking = Vec::new();
    let mut after_restart = Vec::new();
    for part in [0..FEW, FEW..many] {
        let (added, total) = (part.end - part.start, part.end);
        let taken = fleet::link(&whatsapp, &gateway, part).await?;
        report.figure(format!("linking {added} sessions"), taken.as_secs_f64(), "s");
        after_linking.push(settled(&gateway, total).await?.resident);
        let connected = restart(&mut gateway, &whatsapp, total).await?;
        report.figure(format!("connecting {total} sessions after a restart"), connected.as_secs_f64(), "s");
        let rest = settled(&gateway, total).await?;
        report.figure(format!("until {total} sessions are at rest"), rest.after.as_secs_f64(), "s");
        if !rest.reached {
            report.note(format!("{total} sessions were not at rest yet when they were measured"));
        }
        after_restart.push(rest.resident);
    }

    for (when, resident) in [("after a restart", after_restart), ("after linking", after_linking)] {
        if let [few, all] = resident[..] {
            report.figure(format!("{FEW} sessions, {when}"), mib(few), "MiB");
            report.figure(format!("{many} sessions, {when}"), mib(all), "MiB");
            let each = number(all.saturating_sub(few)) / number(many - FEW);
            report.against(format!("memory of one more session, {when}"), each, "KiB", Goal::AtMost(120.0));
        }
    }

    say(format_args!("  watching {many} idle sessions for {} s", watched.as_secs()));
    let transactions = transactions(&gateway).await?;
    let before = machine::processor_time(&gateway.pids()?)?;
    tokio::time::sleep(watched).await;
    let used = machine::processor_time(&gateway.pids()?)?.saturating_sub(before);
    if let (Some(before), Some(after)) = (transactions, self::transactions(&gateway).await?) {
        let rate = (after - before) / watched.as_secs_f64();
        report.figure(format!("transactions of leases, claims and timers, {many} sessions"), rate, "/s");
    }
    let share = used.as_secs_f64() / watched.as_secs_f64() * 100.0;
    report.against(format!("processor time of {many} sessions"), share, "% of a core", Goal::AtMost(3.0));
    Ok(report)
}

/// How a fleet was when it was left alone.
struct Rest {
    /// In KiB.
    resident: u64,
    after: Duration,
    /// Whether nothing went on any more, or the time was up.
    reached: bool,
}

/// Waits until nothing goes on any more: after a connect the library compares keys for a while.
async fn settled(gateway: &Gateway, sessions: u64) -> Result<Rest> {
    let began = Instant::now();
    let longest = SETTLE + LONGEST_SETTLE_EACH.mul_f64(number(sessions));
    let quiet = QUIET * number(sessions.div_ceil(1000));
    tokio::time::sleep(SETTLE).await;
    loop {
        let before = machine::processor_time(&gateway.pids()?)?;
        tokio::time::sleep(LOOK_EVERY).await;
        let used = machine::processor_time(&gateway.pids()?)?.saturating_sub(before);
        let reached = used.as_secs_f64() < quiet * LOOK_EVERY.as_secs_f64();
        if reached || began.elapsed() > longest {
            return Ok(Rest {
                resident: machine::resident(&gateway.pids()?)?,
                after: began.elapsed(),
                reached,
            });
        }
    }
}

/// Returns how long it took from the start until everybody was connected.
async fn restart(gateway: &mut Gateway, whatsapp: &FakeWhatsApp, sessions: u64) -> Result<Duration> {
    gateway.stop().await?;
    fleet::disconnected(whatsapp, 0..sessions).await?;
    let began = Instant::now();
    gateway.launch();
    gateway.ready().await?;
    fleet::connected(whatsapp, 0..sessions).await?;
    let took = began.elapsed();
    gateway.sessions_connected(sessions, Duration::from_mins(1)).await?;
    Ok(took)
}

/// Transactions that PostgreSQL has committed for the gateway so far.
#[expect(clippy::cast_precision_loss, reason = "some millions")]
async fn transactions(gateway: &Gateway) -> Result<Option<f64>> {
    let Some(url) = gateway.database_url() else { return Ok(None) };
    let mut connection = PgConnection::connect(url).await?;
    let count: i64 = sqlx::query_scalar(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await?;
    Ok(Some(count as f64))
}

#[expect(clippy::cast_precision_loss, reason = "some millions at most")]
const fn number(count: u64) -> f64 {
    count as f64
}

/// In MiB, what is given in KiB.
const fn mib(resident: u64) -> f64 {
    number(resident) / 1024.0
}
