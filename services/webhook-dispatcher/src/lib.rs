//! Takes deliveries that are due from storage, posts them to their endpoints, and stores what became of them.
//!
//! # How a delivery goes out
//! 1. [`claims`] takes due deliveries, never more than there is capacity for, on a hint, when earlier work ends and
//!    more is due, or on a timer. It groups them by endpoint and ordering key.
//! 2. [`chain`] sends the deliveries of one key one after the other; chains run side by side, within what their
//!    [`lane`] (one for each endpoint) allows, so that an endpoint that does not answer cannot hold up others.
//! 3. `webhooks::Sender` makes one request and turns whatever happens into an `Outcome`.
//! 4. The rules in `domain::webhook` say what follows, and storage keeps it.
//!
//! Any dispatcher may die at any moment: what it held is taken over when its claim runs out, and is sent again under
//! the same `webhook-id`.

mod chain;
mod claims;
mod housekeeping;
mod lane;

use std::{num::NonZeroU32, time::Duration};

use bus::Bus;
use domain::SharedClock;
use secrecy::SecretString;
use secrets::KeyRing;
use storage::Database;
use tokio_util::sync::CancellationToken;
use webhooks::{InvalidKey, Sender};

use crate::{claims::Claims, housekeeping::Housekeeping};

/// What a dispatcher works with.
#[derive(Clone)]
pub struct Parts {
    pub database: Database,
    pub bus: Bus,
    pub egress: egress::Client,
    /// Opens the endpoints' signing secrets.
    pub keys: KeyRing,
    pub clock: SharedClock,
}

/// How a dispatcher behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The time for one attempt, from the first byte of the name look-up to the last of the answer.
    pub timeout: Duration,
    /// Deliveries that are in hand at the same time.
    pub concurrency: NonZeroU32,
    /// Requests to one endpoint at the same time.
    pub concurrency_per_endpoint: NonZeroU32,
    /// How many bytes of an answer are read.
    pub answer_limit: u64,
    /// Sent as the header `key` with every webhook.
    pub key_header: Option<SecretString>,
    /// How long deliveries are claimed for. After that time without news others take them over, so it must be at
    /// least twice `timeout` and 5 s.
    pub hold: Duration,
    /// How long events and their deliveries are kept, those that were given up three times as long; `None`: for ever.
    pub events_retention: Option<Duration>,
    /// How long messages that were sent, or failed, are kept; `None`: for ever.
    pub messages_retention: Option<Duration>,
    /// How long the audit log is kept; `None`: for ever.
    pub audit_retention: Option<Duration>,
    /// The time between two rounds in which what is old is removed.
    pub housekeeping_every: Duration,
}

const DAY: Duration = Duration::from_hours(24);

impl Default for Settings {
    fn default() -> Self {
        const CONCURRENCY: NonZeroU32 = NonZeroU32::new(512).expect("it is not 0");
        const PER_ENDPOINT: NonZeroU32 = NonZeroU32::new(64).expect("it is not 0");
        Self {
            timeout: Duration::from_secs(15),
            concurrency: CONCURRENCY,
            concurrency_per_endpoint: PER_ENDPOINT,
            answer_limit: 16 * 1024,
            key_header: None,
            hold: Duration::from_mins(1),
            events_retention: Some(30 * DAY),
            messages_retention: Some(90 * DAY),
            audit_retention: Some(90 * DAY),
            housekeeping_every: Duration::from_hours(1),
        }
    }
}

/// The settings cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    #[error(transparent)]
    Key(InvalidKey),
    #[error("webhooks must be claimed for at least twice the time that one attempt may take, and 5 s")]
    Hold,
}

/// Delivers webhooks. Any number of them can work on one database.
pub struct Dispatcher {
    parts: Parts,
    settings: Settings,
    sender: Sender,
}

impl Dispatcher {
    /// Sets a dispatcher up; nothing happens before [`Dispatcher::run`].
    pub fn new(parts: Parts, settings: Settings) -> Result<Self, InvalidSettings> {
        if settings.hold < settings.timeout * 2 + chain::MARGIN {
            return Err(InvalidSettings::Hold);
        }
        let sender = Sender::new(
            webhooks::Parts {
                database: parts.database.clone(),
                egress: parts.egress.clone(),
                keys: parts.keys.clone(),
                clock: parts.clock.clone(),
            },
            &webhooks::Settings {
                timeout: settings.timeout,
                answer_limit: settings.answer_limit,
                key_header: settings.key_header.clone(),
            },
        )
        .map_err(InvalidSettings::Key)?;
        Ok(Self { parts, settings, sender })
    }

    /// Delivers until `stop`; returns when what is in flight has ended or was given back, which takes at most one
    /// attempt's time. Dropped before that, it ends at once: what it held is sent again when the claim runs out.
    pub async fn run(self, stop: CancellationToken) {
        let housekeeping = Housekeeping::new(&self.parts, &self.settings);
        tokio::join!(
            Claims::new(self.parts, self.settings, self.sender.clone(), stop.clone()).run(),
            stop.run_until_cancelled(housekeeping.run()),
        );
        self.sender.close().await;
    }
}
