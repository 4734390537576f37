//! How soon everybody is connected again after a restart.

use std::time::{Duration, Instant};

use super::{Meter, Plan};
use crate::{
    fleet::{self, fake_whatsapp},
    gateway::Gateway,
    problem::Result,
    report::{Goal, Report, say},
};

/// Restarts of each kind.
const REPEAT: usize = 3;

pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let mut report = Report::new("restart", "linked sessions connected again after a restart, pacing off");
    let sessions = plan.sessions.unwrap_or(1000);
    let whatsapp = fake_whatsapp().await?;
    let mut gateway =
        Gateway::start(&plan.program, &plan.data, plan.database, &whatsapp.chat_url(), None).await?;
    gateway.describe(&mut report)?;
    report.setting("sessions", sessions);
    report.setting("restarts_of_each_kind", REPEAT);
    let taken = fleet::link(&whatsapp, &gateway, 0..sessions).await?;
    report.figure(format!("linking {sessions} sessions"), taken.as_secs_f64(), "s");

    for kind in ["SIGTERM", "kill -9"] {
        let mut stops = Vec::new();
        let mut starts = Vec::new();
        for _ in 0..REPEAT {
            let stopping = Instant::now();
            if kind == "SIGTERM" {
                gateway.stop().await?;
            } else {
                gateway.kill();
            }
            stops.push(stopping.elapsed().as_secs_f64());
            fleet::disconnected(&whatsapp, 0..sessions).await?;

            let began = Instant::now();
            gateway.launch();
            let meter = Meter::start(gateway.pids()?)?;
            fleet::connected(&whatsapp, 0..sessions).await?;
            starts.push(began.elapsed().as_secs_f64());
            let used = meter.stop()?;
            say(format_args!(
                "  {kind}: {:.2} s; processor time {:.2} s of the gateway, {:.2} s of the fake server",
                began.elapsed().as_secs_f64(),
                used.gateway.as_secs_f64(),
                used.ours.as_secs_f64()
            ));
            gateway.ready().await?;
            gateway.sessions_connected(sessions, Duration::from_mins(1)).await?;
        }
        if kind == "SIGTERM" {
            report.figure("SIGTERM until the end of the process, median", median(&mut stops), "s");
        }
        let goal = Goal::AtMost(5.0);
        report.against(
            format!("after {kind}: start until the last is connected, median"),
            median(&mut starts),
            "s",
            goal,
        );
        report.figure(format!("after {kind}: the slowest"), starts.last().copied().unwrap_or(0.0), "s");
    }
    report.note("the clock runs from the start of the process until the server has the last session on line");
    Ok(report)
}

/// Sorts, too.
fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}
