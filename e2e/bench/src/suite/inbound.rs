//! A message from a contact until the webhook for it has arrived.

use std::{sync::Arc, time::Duration};

use fake_whatsapp::{AccountHandle, FakeWhatsApp};

use super::{Meter, Plan};
use crate::{
    fleet::{self, fake_whatsapp},
    gateway::Gateway,
    load::{every, histogram, micros},
    problem::{Problem, Result},
    receiver::Receiver,
    report::{Goal, Report},
};

/// Contacts that write to each session.
const CONTACTS: u64 = 10;

/// How long the last webhooks are waited for.
const LAST_ONES: Duration = Duration::from_secs(20);

/// A rate, and the latencies that it may have, in milliseconds.
struct Step {
    rate: f64,
    seconds: u64,
    median: f64,
    slow: f64,
}

const STEPS: [Step; 2] = [
    Step { rate: 20.0, seconds: 30, median: 3.0, slow: 10.0 },
    Step { rate: 500.0, seconds: 20, median: 10.0, slow: 30.0 },
];

pub(crate) async fn run(plan: &Plan) -> Result<Report> {
    let mut report = Report::new("inbound", "from a contact's phone to the webhook");
    let sessions = plan.sessions.unwrap_or(10);
    let whatsapp = fake_whatsapp().await?;
    let receiver = Receiver::start().await?;
    let (url, webhooks) = (whatsapp.chat_url(), receiver.url());
    let gateway = Gateway::start(&plan.program, &plan.data, plan.database, &url, Some(&webhooks)).await?;
    gateway.describe(&mut report)?;
    report.setting("sessions", sessions);
    report.setting("contacts_per_session", CONTACTS);
    fleet::link(&whatsapp, &gateway, 0..sessions).await?;
    let speakers = speakers(&whatsapp, sessions).await?;
    let receiver = Arc::new(receiver);

    // The first message of a chat starts its encryption; it is not what is measured.
    let all = f64::from(u32::try_from(speakers.len()).unwrap_or(u32::MAX));
    speak(&speakers, &receiver, 200.0, Duration::from_secs_f64(all / 200.0)).await?;
    receiver.collect(LAST_ONES).await;

    for step in STEPS {
        let rate = plan.rate.unwrap_or(step.rate);
        let (what, duration) = (format!("{rate:.0}/s"), plan.duration(step.seconds));
        let meter = Meter::start(gateway.pids()?)?;
        let late = speak(&speakers, &receiver, rate, duration).await?;
        let arrived = receiver.collect(LAST_ONES).await;
        let used = meter.stop()?;
        let ms = |quantile| {
            f64::from(u32::try_from(arrived.latency.value_at_quantile(quantile)).unwrap_or(u32::MAX)) / 1000.0
        };
        report.against(format!("{what}: p50"), ms(0.5), "ms", Goal::AtMost(step.median));
        report.against(format!("{what}: p99"), ms(0.99), "ms", Goal::AtMost(step.slow));
        report.figure(format!("{what}: slowest"), ms(1.0), "ms");
        report.figure(format!("{what}: begun late by, p99"), late, "ms");
        let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        report.against(format!("{what}: missing"), number(arrived.missing), "", Goal::AtMost(0.0));
        report.figure(format!("{what}: repeated"), number(arrived.repeated), "");
        used.report(&mut report, &what, arrived.latency.len());
        if plan.rate.is_some() {
            break;
        }
    }
    report.note("the clock starts when the message is due, before the phone encrypts it (about 0.1 ms)");
    report.note("the phones, WhatsApp's server and the webhook receiver are this process");
    Ok(report)
}

/// The phones that write, and the number that each writes to.
type Speakers = Arc<[(AccountHandle, String)]>;

async fn speakers(whatsapp: &FakeWhatsApp, sessions: u64) -> Result<Speakers> {
    let contacts = fleet::contacts(whatsapp, sessions, CONTACTS).await;
    contacts
        .iter()
        .map(|(session, number)| Ok((whatsapp.account(number)?, fleet::number(*session))))
        .collect()
}

/// Lets the phones write in turn, so many messages a second; returns how late messages were begun, p99 in milliseconds.
async fn speak(speakers: &Speakers, receiver: &Arc<Receiver>, rate: f64, duration: Duration) -> Result<f64> {
    let (speakers, receiver) = (Arc::clone(speakers), Arc::clone(receiver));
    let speaking = tokio::task::spawn_blocking(move || {
        let (mut late, mut problem) = (histogram(), None);
        let mut turns = speakers.iter().cycle();
        every(rate, duration, |_, due| {
            late.saturating_record(micros(due.elapsed()));
            if let Some((phone, to)) = turns.next()
                && let Err(error) = phone.say(to, &receiver.announce(due))
            {
                problem.get_or_insert(error);
            }
        });
        match problem {
            Some(error) => Err(error.into()),
            None => Ok(f64::from(u32::try_from(late.value_at_quantile(0.99)).unwrap_or(u32::MAX)) / 1000.0),
        }
    });
    speaking.await.map_err(|error| Problem::Setup(error.to_string()))?
}
