//! Users: the owners of sessions.

use crate::{Timestamp, UserId};

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
