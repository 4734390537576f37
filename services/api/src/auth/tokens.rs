//! Logins and keys: looked up once, then remembered as verified passwords are.
//!
//! A token is remembered under the keyed hash with the versions that stood in its user's row. Whatever ends a token
//! counts one of them up, so the same hint, and the same look every few seconds, that make a changed password known
//! end tokens, too.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::{
    ApiKeyId, Timestamp,
    access::{Scope, login_ends_at},
    user::User,
};
use secrets::{TOKEN_PREFIX, TokenHash, hash_token};
use storage::CredentialVersions;

use super::{AuthError, Peer, credentials::Credentials};

/// How long a token has: the prefix, and 32 bytes in base64url.
const LENGTH: usize = TOKEN_PREFIX.len() + 43;

/// How old the noted time of the last use may get.
const NOTED: Duration = Duration::from_mins(10);

/// Where a token was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Login,
    Key,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Login => b"login",
            Self::Key => b"key",
        }
    }
}

/// What a token stands for.
#[derive(Debug)]
pub(crate) enum Grant {
    /// Somebody at the dashboard.
    Login { created_at: Timestamp },
    /// A program.
    Key { id: ApiKeyId, scopes: Vec<Scope>, expires_at: Option<Timestamp> },
}

/// A token that was looked up.
#[derive(Debug)]
pub(crate) struct Known {
    pub(super) user: Arc<User>,
    pub(super) token: TokenHash,
    pub(crate) grant: Grant,
    versions: CredentialVersions,
    /// When it was last noted that it is in use, in milliseconds since 1970.
    noted_at: AtomicI64,
}

impl Known {
    /// When it ends, if it does.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        match &self.grant {
            Grant::Login { created_at } => {
                Some(login_ends_at(*created_at, Timestamp(self.noted_at.load(Ordering::Relaxed))))
            }
            Grant::Key { expires_at, .. } => *expires_at,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at().is_some_and(|end| end <= now)
    }
}

impl Credentials {
    /// Whom a token stands for.
    pub(super) async fn verify_token(
        &self,
        kind: Kind,
        presented: &str,
        address: Option<IpAddr>,
    ) -> Result<Arc<Known>, AuthError> {
        if presented.len() != LENGTH || !presented.starts_with(TOKEN_PREFIX) {
            return Err(AuthError::Wrong);
        }
        let place = self.keyed.hash(&[kind.label(), presented.as_bytes()]);
        let known = if let Some(known) = self.remembered(&place).await? {
            known
        } else {
            let look_up = self.look_up_token(kind, presented, place, address);
            self.tokens.try_get_with(place, look_up).await.map_err(|error| (*error).clone())?
        };
        let now = self.clock.now();
        if known.is_over(now) {
            self.tokens.invalidate(&place).await;
            return Err(AuthError::Wrong);
        }
        self.note_use(&known, now).await;
        Ok(known)
    }

    async fn remembered(&self, place: &[u8; 32]) -> Result<Option<Arc<Known>>, AuthError> {
        let Some(known) = self.tokens.get(place).await else { return Ok(None) };
        let good = self.versions(known.user.id).await? == Some(known.versions);
        // A login may have been used through another process.
        if good && !known.is_over(self.clock.now()) {
            return Ok(Some(known));
        }
        self.tokens.invalidate(place).await;
        Ok(None)
    }

    /// Asks the database. A token that is none will never be one, so it is asked for, and counted as a failure, once.
    async fn look_up_token(
        &self,
        kind: Kind,
        presented: &str,
        place: [u8; 32],
        address: Option<IpAddr>,
    ) -> Result<Arc<Known>, AuthError> {
        if self.unknown.contains_key(&place) {
            return Err(AuthError::Wrong);
        }
        let attempt = self.attempts.by_address(address.map(Peer));
        if let Some(retry_after) = self.attempts.wait(&attempt) {
            return Err(AuthError::TooManyFailures { retry_after });
        }
        let token = hash_token(presented);
        let known = match kind {
            Kind::Login => self.database.login(&token).await?.map(|login| Known {
                user: Arc::new(login.user),
                token,
                grant: Grant::Login { created_at: login.created_at },
                versions: login.versions,
                noted_at: AtomicI64::new(login.seen_at.0),
            }),
            Kind::Key => self.database.api_key(&token).await?.map(|stored| Known {
                user: Arc::new(stored.user),
                token,
                versions: stored.versions,
                noted_at: AtomicI64::new(stored.key.last_used_at.unwrap_or_default().0),
                grant: Grant::Key {
                    id: stored.key.id,
                    scopes: stored.key.scopes,
                    expires_at: stored.key.expires_at,
                },
            }),
        };
        let Some(known) = known else {
            self.unknown.insert(place, ());
            self.attempts.failed(&attempt);
            return Err(AuthError::Wrong);
        };
        Ok(Arc::new(known))
    }

    /// Notes every few minutes that a token is in use. That this fails keeps nobody out.
    async fn note_use(&self, known: &Known, now: Timestamp) {
        let noted = known.noted_at.load(Ordering::Relaxed);
        if now.since(Timestamp(noted)) < NOTED {
            return;
        }
        let taken = known.noted_at.compare_exchange(noted, now.0, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_err() {
            return;
        }
        let done = match &known.grant {
            Grant::Login { .. } => self.database.see_login(&known.token, now).await,
            Grant::Key { id, .. } => self.database.see_api_key(*id, now).await,
        };
        if let Err(error) = done {
            tracing::warn!(user.id = %known.user.id, %error, "the use of a login or a key was not noted");
        }
    }

    /// Whether a token that was good a while ago still is: asks the database.
    pub(super) async fn still_stands(&self, known: &Known) -> storage::Result<bool> {
        let end = match &known.grant {
            Grant::Login { .. } => self
                .database
                .login(&known.token)
                .await?
                .map(|login| Some(login_ends_at(login.created_at, login.seen_at))),
            Grant::Key { .. } => self.database.api_key(&known.token).await?.map(|found| found.key.expires_at),
        };
        let now = self.clock.now();
        Ok(end.is_some_and(|end| end.is_none_or(|end| end > now)))
    }
}
