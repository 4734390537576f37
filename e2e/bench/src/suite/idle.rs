//! Sessions that are connected and have nothing to do: what each costs in memory, and all together in processor time.

use std::time::Duration;

use fake_whatsapp::FakeWhatsApp;

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

/// How long a fleet is left alone before its memory is read.
const SETTLE: Duration = Duration::from_secs(10);

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
        after_linking.push(settled(&gateway).await?);
        restart(&mut gateway, &whatsapp, total).await?;
        after_restart.push(settled(&gateway).await?);
    }

    for (when, resident) in [("after a restart", after_restart), ("after linking", after_linking)] {
        if let [few, all] = resident[..] {
            report.figure(format!("{FEW} sessions, {when}"), mib(few), "MiB");
            report.figure(format!("{many} sessions, {when}"), mib(all), "MiB");
            let each = kib(all.saturating_sub(few)) / kib(many - FEW);
            report.against(format!("memory of one more session, {when}"), each, "KiB", Goal::AtMost(120.0));
        }
    }

    say(format_args!("  watching {many} idle sessions for {} s", watched.as_secs()));
    let before = machine::processor_time(gateway.pid()?)?;
    tokio::time::sleep(watched).await;
    let used = machine::processor_time(gateway.pid()?)?.saturating_sub(before);
    let share = used.as_secs_f64() / watched.as_secs_f64() * 100.0;
    report.against(format!("processor time of {many} sessions"), share, "% of a core", Goal::AtMost(3.0));
    Ok(report)
}

/// Resident memory once nothing goes on any more, in KiB.
async fn settled(gateway: &Gateway) -> Result<u64> {
    tokio::time::sleep(SETTLE).await;
    machine::resident(gateway.pid()?)
}

async fn restart(gateway: &mut Gateway, whatsapp: &FakeWhatsApp, sessions: u64) -> Result<()> {
    gateway.stop().await?;
    fleet::disconnected(whatsapp, 0..sessions).await?;
    gateway.launch();
    gateway.ready().await?;
    fleet::connected(whatsapp, 0..sessions).await?;
    gateway.sessions_connected(sessions, Duration::from_mins(1)).await
}

#[expect(clippy::cast_precision_loss, reason = "a number of kilobytes")]
const fn kib(kib: u64) -> f64 {
    kib as f64
}

const fn mib(resident: u64) -> f64 {
    kib(resident) / 1024.0
}
