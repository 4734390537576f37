//! Users: the owners of sessions.

use crate::{Timestamp, UserId, session::is_hostile};

/// The longest user name, in characters.
pub const MAX_USERNAME_CHARS: usize = 64;

/// Somebody who may call the gateway. The password's hash stays in storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub is_admin: bool,
    /// Grows with every change of the password; a remembered credential is good for one version only.
    pub password_version: i64,
    pub created_at: Timestamp,
}

impl User {
    /// Whether a session of `owner` is this user's business.
    #[must_use]
    pub fn may_use_sessions_of(&self, owner: UserId) -> bool {
        self.is_admin || self.id == owner
    }
}

/// A user with what is set about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: User,
    /// What the user's session is called when no name is given.
    pub session_name: String,
    /// Where the user's webhooks go, instead of to the operator's address.
    pub callback_url: Option<String>,
    /// How webhooks log in at their receiver: `none`, `basic`, `bearer` or `oauth2`.
    pub webhook_auth_type: String,
}

/// Why a name cannot be a user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user name has no colons, slashes, backslashes or control characters, and neither begins nor ends with white \
     space"
)]
pub struct InvalidUsername;

/// Whether a name can be a user's: it is the first part of an `Authorization` header, which ends at a colon, and of the
/// names of their sessions.
pub fn check_username(name: &str) -> Result<(), InvalidUsername> {
    let hostile = name.contains(|c| c == ':' || is_hostile(c)) || name.trim() != name || name.is_empty();
    if hostile { Err(InvalidUsername) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_log_in_or_name_a_session_are_refused() {
        for name in ["anna", "Ünal", "a b", "a.b@c.example", "店"] {
            assert_eq!(check_username(name), Ok(()), "{name}");
        }
        for name in ["", "a:b", "a/b", "a\\b", " anna", "anna ", "a\nb", "a\0b", "a\u{202e}b"] {
            assert_eq!(check_username(name), Err(InvalidUsername), "{name:?}");
        }
    }
}
