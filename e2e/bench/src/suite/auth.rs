//! Authenticated requests: how fast a caller is recognised and answered.

use std::{sync::Arc, time::Duration};

use super::{Meter, Plan, failures};
use crate::{
    fleet::{self, fake_whatsapp},
    gateway::Gateway,
    load::closed,
    problem::Result,
    report::{Goal, Report},
};

const WARM_UP: Duration = Duration::from_secs(2);

pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let mut report = Report::new("auth", "authenticated requests a second, closed load");
    let connections = plan.connections.unwrap_or(32);
    let sessions = plan.sessions.unwrap_or(10);
    let duration = plan.duration(10);
    let whatsapp = fake_whatsapp().await?;
    let gateway =
        Gateway::start(&plan.program, &plan.data, plan.database, &whatsapp.chat_url(), None).await?;
    gateway.describe(&mut report)?;
    report.setting("connections", connections);
    report.setting("sessions", sessions);
    report.setting("seconds", duration.as_secs());
    fleet::link(&whatsapp, &gateway, 0..sessions).await?;

    let mut rates = Vec::new();
    for (what, path) in [("GET /health", "/health"), ("GET /session", "/session")] {
        let api = gateway.api().clone();
        let mut request = Vec::new();
        api.write(&mut request, "GET", path, &[]);
        let make = Arc::new(move |_: u64, _: u64, into: &mut Vec<u8>| {
            if into.is_empty() {
                into.extend_from_slice(&request);
            }
        });
        let meter = Meter::start(gateway.pids()?)?;
        let measured = closed(api.address, connections, WARM_UP, duration, make).await?;
        let used = meter.stop()?;
        rates.push(measured.rate());
        match path {
            "/session" => report.against(what, measured.rate(), "/s", Goal::AtLeast(20_000.0)),
            _ => report.figure(format!("{what}, which asks for no login"), measured.rate(), "/s"),
        }
        report.figure(format!("{what}: p50"), measured.quantile(0.5), "ms");
        report.figure(format!("{what}: p99"), measured.quantile(0.99), "ms");
        let counted_share = duration.as_secs_f64() / (duration + WARM_UP).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let all = (measured.latency.len() as f64 / counted_share) as u64;
        used.report(&mut report, what, all);
        failures(&mut report, what, &measured);
    }
    if let [health, session] = rates[..] {
        report.figure("GET /session, as a share of GET /health", session / health.max(1.0), "");
    }
    report.note("the generator is one thread of this process and shares the cores with the gateway");
    Ok(report)
}
