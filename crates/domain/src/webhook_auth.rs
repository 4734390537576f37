//! How a user's webhooks say who they come from, and the rules about OAuth2 tokens.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::{Timestamp, session::text_enum};

text_enum! {
    /// What a webhook's `Authorization` header says.
    AuthType {
        /// There is none.
        None = "none",
        /// `Basic`: a name and a password.
        Basic = "basic",
        /// `Bearer`: a token that never changes.
        Bearer = "bearer",
        /// `Bearer`: a token from an authorization server.
        Oauth2 = "oauth2",
    }
}

/// A user's settings. What belongs to other types than the one in force is kept, so that a user can go back.
#[derive(Debug, Clone)]
pub struct WebhookAuth {
    pub kind: AuthType,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub bearer_token: Option<SecretString>,
    pub client_id: Option<String>,
    pub client_secret: Option<SecretString>,
    pub token_url: Option<String>,
    pub scope: Option<String>,
}

/// New settings; what is absent stays. An empty text takes a setting away, unless it is a secret: forms send those
/// empty when their user did not type them again.
#[derive(Debug, Clone, Default)]
pub struct WebhookAuthChange {
    pub kind: Option<AuthType>,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub bearer_token: Option<SecretString>,
    pub client_id: Option<String>,
    pub client_secret: Option<SecretString>,
    pub token_url: Option<String>,
    pub scope: Option<String>,
}

/// What the type needs is not there. The words are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    #[error("Username and password are required for basic authentication")]
    Basic,
    #[error("Bearer token is required for bearer authentication")]
    Bearer,
    #[error("Client ID, client secret, and token URL are required for OAuth2 authentication")]
    Oauth2,
}

/// What an authorization server needs to know to give tokens.
#[derive(Debug, Clone)]
pub struct OAuth2Client<'a> {
    pub id: &'a str,
    pub secret: &'a SecretString,
    pub token_url: &'a str,
    pub scope: Option<&'a str>,
}

/// Tokens of an authorization server.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: SecretString,
    pub refresh: Option<SecretString>,
    pub expires_at: Timestamp,
    /// From then on the first request that needs the token renews it.
    pub renew_at: Timestamp,
}

/// What brought a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A person asked for it.
    Request,
    /// It took the place of another one, for a webhook.
    Renewal,
}

impl Default for WebhookAuth {
    fn default() -> Self {
        Self {
            kind: AuthType::None,
            username: None,
            password: None,
            bearer_token: None,
            client_id: None,
            client_secret: None,
            token_url: None,
            scope: None,
        }
    }
}

impl WebhookAuth {
    /// The settings after a change.
    pub fn changed(self, change: WebhookAuthChange) -> Result<Self, Incomplete> {
        let next = Self {
            kind: change.kind.unwrap_or(self.kind),
            username: text(change.username, self.username),
            password: secret(change.password, self.password),
            bearer_token: secret(change.bearer_token, self.bearer_token),
            client_id: text(change.client_id, self.client_id),
            client_secret: secret(change.client_secret, self.client_secret),
            token_url: text(change.token_url, self.token_url),
            scope: text(change.scope, self.scope),
        };
        match next.kind {
            AuthType::Basic if next.username.is_none() || next.password.is_none() => Err(Incomplete::Basic),
            AuthType::Bearer if next.bearer_token.is_none() => Err(Incomplete::Bearer),
            AuthType::Oauth2 if next.oauth2().is_none() => Err(Incomplete::Oauth2),
            _ => Ok(next),
        }
    }

    /// The OAuth2 client, when OAuth2 is in force.
    #[must_use]
    pub fn oauth2(&self) -> Option<OAuth2Client<'_>> {
        if self.kind != AuthType::Oauth2 {
            return None;
        }
        Some(OAuth2Client {
            id: self.client_id.as_deref()?,
            secret: self.client_secret.as_ref()?,
            token_url: self.token_url.as_deref()?,
            scope: self.scope.as_deref(),
        })
    }

    /// Whether there is something to authenticate with.
    #[must_use]
    pub const fn has_credentials(&self) -> bool {
        match self.kind {
            AuthType::None => false,
            AuthType::Basic => self.password.is_some(),
            AuthType::Bearer => self.bearer_token.is_some(),
            AuthType::Oauth2 => self.client_secret.is_some(),
        }
    }
}

fn text(change: Option<String>, stored: Option<String>) -> Option<String> {
    match change {
        Some(text) if text.is_empty() => None,
        Some(text) => Some(text),
        None => stored,
    }
}

fn secret(change: Option<SecretString>, stored: Option<SecretString>) -> Option<SecretString> {
    change.filter(|secret| !secret.expose_secret().is_empty()).or(stored)
}

/// How long a token is good for when its server does not say.
pub const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);

/// How long before its end a token is renewed.
pub const RENEW_EARLY: Duration = Duration::from_mins(1);

/// When a token that was given at `now` for `lifetime` is to be renewed: a minute before its end. A renewal that
/// brings a token of less than two minutes is worth at least half of its life, or such a server would be asked for
/// every single webhook.
#[must_use]
pub fn renew_at(now: Timestamp, lifetime: Duration, origin: Origin) -> Timestamp {
    let early = match origin {
        Origin::Request => RENEW_EARLY,
        Origin::Renewal => RENEW_EARLY.min(lifetime / 2),
    };
    now + lifetime.saturating_sub(early)
}

/// How long to leave an authorization server alone after so many failures one after the other: 3 s, which is less
/// than the shortest pause of a webhook, doubled each time up to 5 minutes.
#[must_use]
pub fn pause_after_failures(failures: i32) -> Duration {
    const FIRST: Duration = Duration::from_secs(3);
    const LONGEST: Duration = Duration::from_mins(5);
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0).min(16);
    (FIRST * (1 << doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> WebhookAuth {
        WebhookAuth {
            kind: AuthType::Oauth2,
            username: Some("anna".into()),
            password: Some("pass".into()),
            bearer_token: Some("token".into()),
            client_id: Some("id".into()),
            client_secret: Some("secret".into()),
            token_url: Some("https://a/token".into()),
            scope: Some("hooks".into()),
        }
    }

    fn shown(auth: &WebhookAuth) -> String {
        let secret = |secret: &Option<SecretString>| {
            secret.as_ref().map_or("-".to_owned(), |secret| secret.expose_secret().to_owned())
        };
        let text = |text: &Option<String>| text.clone().unwrap_or("-".into());
        [
            auth.kind.to_string(),
            text(&auth.username),
            secret(&auth.password),
            secret(&auth.bearer_token),
            text(&auth.client_id),
            secret(&auth.client_secret),
            text(&auth.token_url),
            text(&auth.scope),
        ]
        .join(" ")
    }

    #[test]
    fn what_is_absent_stays_and_empty_secrets_erase_nothing() {
        let change = |change: WebhookAuthChange| shown(&full().changed(change).unwrap());
        let all = "oauth2 anna pass token id secret https://a/token hooks";
        assert_eq!(change(WebhookAuthChange::default()), all);
        let empty = WebhookAuthChange {
            password: Some("".into()),
            bearer_token: Some("".into()),
            client_secret: Some("".into()),
            ..WebhookAuthChange::default()
        };
        assert_eq!(change(empty), all);
        let none = WebhookAuthChange {
            kind: Some(AuthType::None),
            username: Some(String::new()),
            scope: Some(String::new()),
            client_secret: Some("other".into()),
            ..WebhookAuthChange::default()
        };
        assert_eq!(change(none), "none - pass token id other https://a/token -");
    }

    #[test]
    fn each_type_needs_its_own() {
        let table = [
            (AuthType::None, None, false),
            (AuthType::Basic, Some(Incomplete::Basic), true),
            (AuthType::Bearer, Some(Incomplete::Bearer), true),
            (AuthType::Oauth2, Some(Incomplete::Oauth2), true),
        ];
        for (kind, missing, has_credentials) in table {
            let change = || WebhookAuthChange { kind: Some(kind), ..WebhookAuthChange::default() };
            assert_eq!(WebhookAuth::default().changed(change()).err(), missing, "{kind}");
            let auth = full().changed(change()).unwrap();
            assert_eq!(auth.has_credentials(), has_credentials, "{kind}");
            assert_eq!(auth.oauth2().is_some(), kind == AuthType::Oauth2);
        }
        let erased = WebhookAuthChange { token_url: Some(String::new()), ..WebhookAuthChange::default() };
        assert_eq!(full().changed(erased).unwrap_err(), Incomplete::Oauth2);
        assert!(!format!("{:?}", full()).contains("secret\""), "secrets are not printed");
    }

    #[test]
    fn tokens_are_renewed_a_minute_early() {
        let table = [
            (3600, Origin::Request, 3540),
            (3600, Origin::Renewal, 3540),
            (121, Origin::Renewal, 61),
            (90, Origin::Request, 30),
            (90, Origin::Renewal, 45),
            (30, Origin::Request, 0),
            (30, Origin::Renewal, 15),
        ];
        for (lifetime, origin, after) in table {
            let at = renew_at(Timestamp(5000), Duration::from_secs(lifetime), origin);
            assert_eq!(at, Timestamp(5000) + Duration::from_secs(after), "{lifetime} {origin:?}");
        }
    }

    #[test]
    fn a_server_that_refuses_is_asked_less_and_less() {
        let pauses: Vec<_> = (0..=9).map(|failures| pause_after_failures(failures).as_secs()).collect();
        assert_eq!(pauses, [3, 3, 6, 12, 24, 48, 96, 192, 300, 300]);
        assert_eq!(pause_after_failures(i32::MAX).as_secs(), 300);
    }
}
