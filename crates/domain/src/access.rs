//! Who may do what: what keys are for, how long a login lasts, and the words for what was done.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, Timestamp, UserId, session::text_enum};

/// The most keys that one user can have.
pub const MOST_API_KEYS: usize = 100;

/// Longest name of a key, in characters.
pub const MAX_API_KEY_NAME_CHARS: usize = 100;

/// The most logins that one user can have; another one ends the oldest.
pub const MOST_LOGINS: usize = 100;

/// A login that is not used for so long has ended.
pub const LOGIN_IDLE: Duration = Duration::from_hours(12);

/// However much it is used, a login lasts no longer.
pub const LOGIN_TOTAL: Duration = Duration::from_hours(7 * 24);

/// When a login ends that was made and last used at these times.
#[must_use]
pub fn login_ends_at(created_at: Timestamp, seen_at: Timestamp) -> Timestamp {
    (seen_at + LOGIN_IDLE).min(created_at + LOGIN_TOTAL)
}

/// What a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Send messages and what goes with them.
    MessagesSend,
    /// Read messages, their files, and what happens.
    MessagesRead,
    /// See how sessions are.
    SessionsRead,
    /// Start, link, stop and remove sessions.
    SessionsWrite,
    /// See endpoints, deliveries and settings of webhooks.
    WebhooksRead,
    /// Change those, and send webhooks again.
    WebhooksWrite,
    /// What is for admins, and for their keys only.
    Admin,
}

impl Scope {
    /// Every scope, in the order of their definition.
    pub const ALL: &'static [Self] = &[
        Self::MessagesSend,
        Self::MessagesRead,
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::WebhooksRead,
        Self::WebhooksWrite,
        Self::Admin,
    ];

    /// The word that storage and the wire know it by.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessagesSend => "messages:send",
            Self::MessagesRead => "messages:read",
            Self::SessionsRead => "sessions:read",
            Self::SessionsWrite => "sessions:write",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::Admin => "admin",
        }
    }

    /// The scope with that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == word)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub user: UserId,
    pub name: String,
    /// How it begins.
    pub prefix: String,
    pub scopes: Vec<Scope>,
    pub created_at: Timestamp,
    /// To within some minutes.
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

text_enum! {
    /// What was done, as the audit log has it.
    AuditAction {
        LogIn = "log_in",
        LogInRefused = "log_in_refused",
        LogOut = "log_out",
        PasswordChanged = "password_changed",
        UserCreated = "user_created",
        UserDeleted = "user_deleted",
        UserConfigured = "user_configured",
        KeyCreated = "key_created",
        KeyRevoked = "key_revoked",
        SessionCreated = "session_created",
        SessionStopped = "session_stopped",
        SessionLoggedOut = "session_logged_out",
        SessionShared = "session_shared",
        SessionShareRevoked = "session_share_revoked",
        SessionMoved = "session_moved",
        WebhookEndpointCreated = "webhook_endpoint_created",
        WebhookEndpointChanged = "webhook_endpoint_changed",
        WebhookEndpointRemoved = "webhook_endpoint_removed",
        WebhookAuthChanged = "webhook_auth_changed",
        WebhookSecretRotated = "webhook_secret_rotated",
        RunnerDrained = "runner_drained",
        WebhooksReplayed = "webhooks_replayed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_ends_when_it_is_idle_or_old() {
        let hours = |hours| Timestamp(0) + Duration::from_hours(hours);
        let table = [(0, 12), (5, 17), (150, 162), (156, 168), (160, 168), (167, 168)];
        for (seen, end) in table {
            assert_eq!(login_ends_at(Timestamp(0), hours(seen)), hours(end), "{seen}");
        }
    }

    #[test]
    fn every_scope_has_one_word() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(*scope));
        }
        for word in ["", "Admin", "messages", "messages:send,admin"] {
            assert_eq!(Scope::parse(word), None, "{word}");
        }
    }
}
