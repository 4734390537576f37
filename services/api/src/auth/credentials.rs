//! Checking names and passwords, and remembering what was checked.
//!
//! bcrypt is slow by design, so a verified pair is remembered for minutes, under a hash whose key dies with the
//! process, together with the version of the user's password. The version is read again every few seconds, and at
//! once when a hint says that the user changed; a remembered pair of another version is worth nothing. A request
//! with a remembered pair costs that hash and two look-ups.

use std::{sync::Arc, time::Duration};

use domain::{UserId, user::User};
use moka::future::Cache;
use secrets::{KeyedHash, PasswordError, Passwords};
use storage::Database;
use tokio::sync::Semaphore;

use super::{
    AuthError, Peer,
    attempts::{Attempts, LoginLimits},
    basic::Basic,
};

/// How long a verified pair is remembered.
const REMEMBERED: Duration = Duration::from_mins(5);

/// How many pairs are remembered.
const MANY_PAIRS: u64 = 100_000;

/// How old the known version of a password may be.
const VERSION_AGE: Duration = Duration::from_secs(5);

/// Checks at once: their results are seen by the limits before the next ones begin.
const CHECKS_AT_ONCE: usize = 4;

/// Checks that may wait for their turn.
const CHECKS_IN_LINE: usize = 512;

pub(crate) struct Credentials {
    database: Database,
    passwords: Passwords,
    keyed: KeyedHash,
    verified: Cache<[u8; 32], Arc<User>>,
    versions: Cache<UserId, Option<i64>>,
    attempts: Attempts,
    line: Semaphore,
    running: Semaphore,
}

impl Credentials {
    pub(crate) fn new(
        database: Database,
        passwords: Passwords,
        keyed: KeyedHash,
        limits: &LoginLimits,
    ) -> Self {
        Self {
            database,
            passwords,
            verified: Cache::builder().max_capacity(MANY_PAIRS).time_to_live(REMEMBERED).build(),
            versions: Cache::builder().max_capacity(MANY_PAIRS).time_to_live(VERSION_AGE).build(),
            attempts: Attempts::new(limits, keyed.clone()),
            keyed,
            line: Semaphore::new(CHECKS_IN_LINE),
            running: Semaphore::new(CHECKS_AT_ONCE),
        }
    }

    /// The user with this name and password.
    pub(super) async fn verify(&self, basic: &Basic, peer: Option<Peer>) -> Result<Arc<User>, AuthError> {
        let pair = self.keyed.hash(&[basic.username().as_bytes(), basic.password().as_bytes()]);
        if let Some(user) = self.verified.get(&pair).await {
            if self.version(user.id).await? == Some(user.password_version) {
                return Ok(user);
            }
            self.verified.invalidate(&pair).await;
        }
        // Requests with the same pair wait for one check.
        self.verified.try_get_with(pair, self.check(basic, peer)).await.map_err(|error| (*error).clone())
    }

    /// A user's password, or the user, may have changed.
    pub(crate) async fn forget(&self, user: UserId) {
        self.versions.invalidate(&user).await;
    }

    /// Any user may have changed.
    pub(crate) fn forget_all(&self) {
        self.versions.invalidate_all();
    }

    async fn version(&self, user: UserId) -> Result<Option<i64>, AuthError> {
        if let Some(version) = self.versions.get(&user).await {
            return Ok(version);
        }
        let version = self.versions.try_get_with(user, self.database.password_version(user)).await;
        version.map_err(|error| AuthError::Storage((*error).clone()))
    }

    async fn check(&self, basic: &Basic, peer: Option<Peer>) -> Result<Arc<User>, AuthError> {
        let attempt = self.attempts.attempt(peer, basic.username());
        let may_try = || match self.attempts.wait(&attempt) {
            Some(retry_after) => Err(AuthError::TooManyFailures { retry_after }),
            None => Ok(()),
        };
        may_try()?;
        let _place = self.line.try_acquire().map_err(|_| AuthError::Busy)?;
        let _turn = self.running.acquire().await.map_err(|_| AuthError::Busy)?;
        may_try()?;
        if let Some(user) = self.look_up(basic).await? {
            self.attempts.succeeded(&attempt);
            return Ok(Arc::new(user));
        }
        match self.attempts.failed(&attempt) {
            Some(retry_after) => {
                tracing::warn!(username = basic.username(), ?peer, "too many failed logins");
                Err(AuthError::TooManyFailures { retry_after })
            }
            None => Err(AuthError::Wrong),
        }
    }

    async fn look_up(&self, basic: &Basic) -> Result<Option<User>, AuthError> {
        let password = basic.password().into();
        let stored = self.database.user_by_name(basic.username()).await?;
        let verified = match &stored {
            Some(stored) => self.passwords.verify(&password, &stored.password_hash).await,
            None => self.passwords.verify_unknown(&password).await,
        };
        match verified {
            Ok(right) => Ok(stored.filter(|_| right).map(|stored| stored.user)),
            Err(PasswordError::TooLong) => Ok(None),
            Err(error @ (PasswordError::InvalidHash | PasswordError::Stopping)) => {
                Err(AuthError::Password(error))
            }
        }
    }
}
