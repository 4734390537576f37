//! Texts from REST to the acknowledgement of WhatsApp's server.

use std::{sync::Arc, time::Duration};

use fake_whatsapp::FakeWhatsApp;
use serde_json::json;

use super::{Meter, Plan, failures};
use crate::{
    fleet::{self, fake_whatsapp},
    gateway::{Database, Gateway},
    load::{Make, closed, in_parallel, open, take},
    problem::Result,
    report::{Goal, Report},
};

const WARM_UP: Duration = Duration::from_secs(3);

/// Chats that each session writes to.
const CHATS: u64 = 20;

/// Connections that an open load may use at once.
const OPEN_CONNECTIONS: usize = 512;

pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let mut report = Report::new("send", "texts from REST to the server's acknowledgement");
    let sessions = plan.sessions.unwrap_or(10);
    let places = sessions * CHATS;
    let connections = plan.connections.unwrap_or(places).min(places);
    let duration = plan.duration(15);
    let goal = match plan.database {
        Database::Sqlite => 3000.0,
        Database::Postgres | Database::Cluster => 2000.0,
    };

    let whatsapp = fake_whatsapp().await?;
    let gateway =
        Gateway::start(&plan.program, &plan.data, plan.database, &whatsapp.chat_url(), None).await?;
    gateway.describe(&mut report)?;
    report.setting("sessions", sessions);
    report.setting("chats_per_session", CHATS);
    report.setting("connections", connections);
    report.setting("seconds", duration.as_secs());
    fleet::link(&whatsapp, &gateway, 0..sessions).await?;
    let make = prepare(&whatsapp, &gateway, sessions).await?;
    let address = gateway.api().address;

    let (accepted, meter) = (whatsapp.accepted(), Meter::start(gateway.pids()?)?);
    let measured = closed(address, connections, WARM_UP, duration, Arc::clone(&make)).await?;
    let used = meter.stop()?;
    let accepted = whatsapp.accepted() - accepted;
    let most = measured.rate();
    report.against("closed load", most, "/s", Goal::AtLeast(goal));
    report.figure("closed load: p50", measured.quantile(0.5), "ms");
    report.figure("closed load: p99", measured.quantile(0.99), "ms");
    used.report(&mut report, "closed load", accepted);
    failures(&mut report, "closed load", &measured);

    let half_of_goal = ("half of the goal", goal / 2.0);
    let half_of_most = ("half of what was measured", most / 2.0);
    let rates = match plan.rate {
        Some(rate) => vec![("the given rate", rate)],
        None => vec![half_of_goal, half_of_most],
    };
    for (which, rate) in rates {
        let what = format!("{rate:.0}/s ({which})");
        let measured = open(address, places, OPEN_CONNECTIONS, rate, duration, Arc::clone(&make)).await?;
        report.figure(format!("{what}: p50"), measured.quantile(0.5), "ms");
        report.against(format!("{what}: p99"), measured.quantile(0.99), "ms", Goal::AtMost(50.0));
        report.figure(format!("{what}: begun late by, p99"), measured.late(0.99), "ms");
        report.against(format!("{what}: failed"), count(measured.failed()), "", Goal::AtMost(0.0));
        failures(&mut report, &what, &measured);
    }
    report.note("a message counts when the gateway answers 200, which it does once WhatsApp's server has acknowledged");
    report.note("each message is encrypted twice, for the contact's phone and for the session's own; neither decrypts");
    Ok(report)
}

/// Registers the contacts and sends the first message of every chat, which asks WhatsApp for keys; returns what writes
/// the requests that are measured.
async fn prepare(whatsapp: &FakeWhatsApp, gateway: &Gateway, sessions: u64) -> Result<Arc<Make>> {
    let contacts = fleet::contacts(whatsapp, sessions, CHATS).await;
    let all = 0..u64::try_from(contacts.len()).unwrap_or(u64::MAX);
    in_parallel(16, all, |next, end| {
        let (api, contacts) = (gateway.api().clone(), Arc::clone(&contacts));
        async move {
            let mut caller = api.connect().await?;
            while let Some(n) = take(&next, end) {
                let Some((session, number)) = contacts.get(index(n)) else { break };
                let message = json!({"session": fleet::name(*session), "to": number, "text": "first"});
                caller.call("POST", "/message/send-text", Some(&message)).await?;
            }
            Ok(())
        }
    })
    .await?;
    let api = gateway.api().clone();
    Ok(Arc::new(move |place: u64, n: u64, into: &mut Vec<u8>| {
        if let Some((session, number)) = contacts.get(index(place)) {
            let name = fleet::name(*session);
            let json =
                format!(r#"{{"session":"{name}","to":"{number}","text":"message {n} of some length"}}"#);
            api.write(into, "POST", "/message/send-text", json.as_bytes());
        }
    }))
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
fn count(n: u64) -> f64 {
    n as f64
}
