//! The people with phones: they scan whatever QR code the gateway has on offer.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use fake_whatsapp::FakeWhatsApp;

use crate::{
    Problem,
    api::{self, Api},
    console::say,
};

/// The first two sessions, and the numbers of the phones that scan them.
const FIRST_TWO: [(&str, &str); 2] = [("anna", "628110000001"), ("budi", "628110000002")];

/// Somebody with a phone only, who is not on this gateway.
pub(crate) const FRIEND: &str = "628110000003";

/// How often to look for codes.
const LOOK: Duration = Duration::from_millis(500);

/// How often to ask whether the first two are connected.
const POLL: Duration = Duration::from_millis(20);

/// How long a session may take to connect after its scan.
const CONNECT_DEADLINE: Duration = Duration::from_mins(1);

/// Phones, and what each is linked to.
pub(crate) struct Phones {
    api: Api,
    whatsapp: FakeWhatsApp,
    /// By the name of the session: one that is started again after a logout gets its number back.
    numbers: HashMap<String, String>,
}

impl Phones {
    pub(crate) fn new(api: Api, whatsapp: FakeWhatsApp) -> Self {
        let numbers = FIRST_TWO.map(|(name, number)| (name.to_owned(), number.to_owned()));
        Self { api, whatsapp, numbers: numbers.into() }
    }

    /// Starts and links the first two; returns their numbers once both are connected.
    pub(crate) async fn link_first_two(&mut self) -> Result<[String; 2], Problem> {
        for (name, _) in FIRST_TWO {
            self.link(name).await?;
        }
        self.wait_until_connected().await?;
        Ok(FIRST_TWO.map(|(_, number)| number.to_owned()))
    }

    /// Until the gateway itself says so: that WhatsApp's side has seen them log in is a moment too early to send.
    async fn wait_until_connected(&self) -> Result<(), Problem> {
        let deadline = Instant::now() + CONNECT_DEADLINE;
        loop {
            let sessions = self.api.sessions().await?;
            let waiting = FIRST_TWO.iter().find(|(name, _)| {
                !sessions.iter().any(|session| session.name == *name && session.state == "connected")
            });
            let Some((name, _)) = waiting else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(Problem::NotConnected { session: (*name).to_owned(), within: CONNECT_DEADLINE });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Scans every code on offer, for ever.
    pub(crate) async fn watch(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(problem) = self.look().await {
                // Such as a code that was replaced in this very moment: there is another look.
                tracing::info!(%problem, "not scanned");
            }
        }
    }

    async fn look(&mut self) -> Result<(), Problem> {
        for session in self.api.sessions().await? {
            if session.state == "pairing"
                && let Some(number) = self.link(&session.name).await?
            {
                let name = session.name;
                say(format_args!(
                    "── {name} was on offer: its QR code was scanned with the phone {number}\n"
                ));
            }
        }
        Ok(())
    }

    /// Scans the code of a session; returns the phone's number, or `None` when there is nothing to scan.
    async fn link(&mut self, session: &str) -> Result<Option<String>, Problem> {
        let qr = match self.api.qr(session).await {
            Ok(Some(qr)) => qr,
            // Linked in the meantime.
            Ok(None) | Err(api::Error::Refused { status: 400, .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let number = self.numbers.get(session).map(String::as_str);
        let linked = self.whatsapp.scan(number, &qr).await?;
        self.whatsapp.account(&linked.phone)?.set_push_name(session);
        self.numbers.insert(session.to_owned(), linked.phone.clone());
        Ok(Some(linked.phone))
    }
}
