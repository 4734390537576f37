//! How one webhook is sent: its address and headers, its signature, how it authenticates, and what the answer
//! means. When and how often is the dispatcher's business.
//!
//! - [`Sender`] makes one attempt within one deadline.
//! - [`Authenticator`] knows what `Authorization` says, and keeps OAuth2 tokens fresh: one renewal for all who wait,
//!   in this process and in others.

mod attempt;
mod auth;
mod authorization;
mod retry_after;
mod signature;
mod token_endpoint;

use std::{sync::Arc, time::Duration};

use domain::SharedClock;
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::KeyRing;
use storage::Database;
use url::Url;

pub use attempt::{Attempt, Outgoing};
pub use auth::{Authenticator, ObtainError, TokenRequest};
pub use authorization::{AUTHORIZATION_LIFE, Visit};
pub use signature::new_secret;
pub use token_endpoint::TokenError;

/// What a sender works with.
#[derive(Clone)]
pub struct Parts {
    pub database: Database,
    pub egress: egress::Client,
    /// Opens the endpoints' signing secrets.
    pub keys: KeyRing,
    pub clock: SharedClock,
}

/// How a sender behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The time for one attempt, from the look-up of the name, or the renewal of a token, to the last byte of the
    /// answer.
    pub timeout: Duration,
    /// How many bytes of an answer are read.
    pub answer_limit: u64,
    /// Sent as the header `key` with every webhook.
    pub key_header: Option<SecretString>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(15), answer_limit: 16 * 1024, key_header: None }
    }
}

/// The value of `key` cannot be a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("KEY cannot be sent as an HTTP header: it has characters other than visible ASCII")]
pub struct InvalidKey;

/// Makes attempts. Cheap to clone.
#[derive(Clone)]
pub struct Sender(Arc<Shared>);

struct Shared {
    client: egress::Client,
    keys: KeyRing,
    clock: SharedClock,
    key: Option<HeaderValue>,
    timeout: Duration,
    answer_limit: u64,
    authenticator: Authenticator,
}

impl Sender {
    /// Sets a sender up; nothing is connected yet.
    pub fn new(parts: Parts, settings: &Settings) -> Result<Self, InvalidKey> {
        let Parts { database, egress, keys, clock } = parts;
        let key = settings.key_header.as_ref().map(|key| {
            let mut value = HeaderValue::from_str(key.expose_secret()).map_err(|_| InvalidKey)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self(Arc::new(Shared {
            authenticator: Authenticator::new(database, egress.clone(), Arc::clone(&clock)),
            client: egress,
            keys,
            clock,
            key: key.transpose()?,
            timeout: settings.timeout,
            answer_limit: settings.answer_limit,
        })))
    }

    /// What webhooks of users authenticate with.
    #[must_use]
    pub fn authenticator(&self) -> &Authenticator {
        &self.0.authenticator
    }

    /// Whether a user's webhooks, or requests for tokens, could go there, as far as that can be said before a name
    /// is resolved. What counts is the check at each attempt.
    pub fn check(&self, url: &Url) -> Result<(), egress::Error> {
        self.0.client.check(egress::Policy::Public, url)
    }

    /// Waits for renewals that are under way, so that no token is lost.
    pub async fn close(&self) {
        self.0.authenticator.close().await;
    }
}
