//! Linked sessions, many of them: the fake WhatsApp server (in this process) and the phones that scan.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use fake_whatsapp::{FakeWhatsApp, Options};
use serde_json::{Value, json};

use crate::{
    gateway::Gateway,
    load::{in_parallel, take},
    problem::{Problem, Result},
};

/// How many sessions are linked at the same time.
const LINKING: usize = 16;

/// How long one session may take to connect after its scan.
const LINK_DEADLINE: Duration = Duration::from_mins(1);

/// How long a whole fleet may take to connect.
const CONNECT_DEADLINE: Duration = Duration::from_mins(3);

/// WhatsApp's side. Phones decrypt nothing unless asked, nothing is journalled, and no message ids are kept: what is
/// left is what the real server would do, which is to acknowledge and to relay.
pub(crate) async fn fake_whatsapp() -> Result<FakeWhatsApp> {
    let options = Options {
        tls_listen: None,
        control_listen: None,
        lazy_phones: true,
        ledger: false,
        ..Options::default()
    };
    Ok(FakeWhatsApp::start(options).await?)
}

/// The name of a session.
pub(crate) fn name(session: u64) -> String {
    format!("bench-{session:05}")
}

/// Its number.
pub(crate) fn number(session: u64) -> String {
    format!("6281{session:08}")
}

/// The number of somebody that a session writes to, or that writes to it.
pub(crate) fn contact(session: u64, contact: u64) -> String {
    format!("6285{session:05}{contact:03}")
}

/// Links these sessions, as people with phones would, and waits until they are connected; returns how long it took.
pub(crate) async fn link(
    whatsapp: &FakeWhatsApp,
    gateway: &Gateway,
    sessions: Range<u64>,
) -> Result<Duration> {
    let began = Instant::now();
    let total = sessions.end;
    in_parallel(LINKING, sessions, |next, end| {
        let (whatsapp, api) = (whatsapp.clone(), gateway.api().clone());
        async move {
            let mut caller = api.connect().await?;
            while let Some(session) = take(&next, end) {
                let started =
                    caller.call("POST", "/session/start", Some(&json!({"session": name(session)}))).await?;
                let Some(qr) = started.get("qr").and_then(Value::as_str) else {
                    return Err(Problem::Setup(format!("no QR code for {}: {started}", name(session))));
                };
                whatsapp.scan(Some(&number(session)), qr).await?;
                whatsapp.account(&number(session))?.wait_connected(1, LINK_DEADLINE).await?;
            }
            Ok(())
        }
    })
    .await?;
    gateway.sessions_connected(total, CONNECT_DEADLINE).await?;
    Ok(began.elapsed())
}

/// Waits until the server sees all these sessions connected. Waits for the server's word, so that nobody has to be asked
/// while they connect.
pub(crate) async fn connected(whatsapp: &FakeWhatsApp, sessions: Range<u64>) -> Result<()> {
    for session in sessions {
        whatsapp.account(&number(session))?.wait_connected(1, CONNECT_DEADLINE).await?;
    }
    Ok(())
}

/// Waits until the server sees none of them connected any more.
pub(crate) async fn disconnected(whatsapp: &FakeWhatsApp, sessions: Range<u64>) -> Result<()> {
    for session in sessions {
        whatsapp.account(&number(session))?.wait_connected(0, CONNECT_DEADLINE).await?;
    }
    Ok(())
}

/// Registers the contacts of each session; they are phones without further devices.
pub(crate) async fn contacts(whatsapp: &FakeWhatsApp, sessions: u64, each: u64) -> Arc<[(u64, String)]> {
    let mut contacts = Vec::new();
    // Session by session in the inner loop: neighbours in the list are different sessions.
    for person in 0..each {
        for session in 0..sessions {
            let number = contact(session, person);
            whatsapp.create_account(&number).await;
            contacts.push((session, number));
        }
    }
    contacts.into()
}
