//! Checking names and passwords, and remembering what was checked.
//!
//! bcrypt is slow by design, so a verified pair is remembered for minutes, under a hash whose key dies with the
//! process, together with the version of the user's password. The version is read again every few seconds, and at
//! once when a hint says that the user changed; a remembered pair of another version is worth nothing. A request
//! with a remembered pair costs that hash and two look-ups. [Tokens](super::tokens) are remembered in the same way.

use std::{sync::Arc, time::Duration};

use domain::{SharedClock, UserId, access::AuditAction, user::User};
use moka::{future::Cache, sync::Cache as SyncCache};
use secrets::{KeyedHash, PasswordError, Passwords};
use storage::{AuditRecord, CredentialVersions, Database};
use tokio::sync::Semaphore;

use super::{
    AuthError, Peer,
    attempts::{Attempts, LoginLimits},
    basic::Basic,
    tokens::Known,
};

/// How long a verified pair is remembered.
const REMEMBERED: Duration = Duration::from_mins(5);

/// How many pairs are remembered.
const MANY_PAIRS: u64 = 100_000;

/// How long it is remembered that a token is none.
const REMEMBERED_AS_NONE: Duration = Duration::from_mins(10);

/// How old the known version of a password may be.
const VERSION_AGE: Duration = Duration::from_secs(5);

/// Checks at once: their results are seen by the limits before the next ones begin.
const CHECKS_AT_ONCE: usize = 4;

/// Checks that may wait for their turn.
const CHECKS_IN_LINE: usize = 512;

pub(crate) struct Credentials {
    pub(super) database: Database,
    pub(super) clock: SharedClock,
    passwords: Passwords,
    pub(super) keyed: KeyedHash,
    verified: Cache<[u8; 32], Arc<User>>,
    pub(super) tokens: Cache<[u8; 32], Arc<Known>>,
    /// Tokens that are none.
    pub(super) unknown: SyncCache<[u8; 32], ()>,
    versions: Cache<UserId, Option<CredentialVersions>>,
    pub(super) attempts: Attempts,
    line: Semaphore,
    running: Semaphore,
}

impl Credentials {
    pub(crate) fn new(
        database: Database,
        clock: SharedClock,
        passwords: Passwords,
        keyed: KeyedHash,
        limits: &LoginLimits,
    ) -> Self {
        Self {
            database,
            clock,
            passwords,
            verified: Cache::builder().max_capacity(MANY_PAIRS).time_to_live(REMEMBERED).build(),
            tokens: Cache::builder().max_capacity(MANY_PAIRS).time_to_live(REMEMBERED).build(),
            unknown: SyncCache::builder().max_capacity(MANY_PAIRS).time_to_live(REMEMBERED_AS_NONE).build(),
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
            let versions = self.versions(user.id).await?;
            if versions.is_some_and(|versions| versions.password == user.password_version) {
                return Ok(user);
            }
            self.verified.invalidate(&pair).await;
        }
        // Requests with the same pair wait for one check.
        self.verified.try_get_with(pair, self.check(basic, peer)).await.map_err(|error| (*error).clone())
    }

    /// A user's password, tokens, or the user, may have changed.
    pub(crate) async fn forget(&self, user: UserId) {
        self.versions.invalidate(&user).await;
    }

    /// Whether a user's password is still the one that was verified: asks the database.
    pub(super) async fn is_still_valid(&self, user: &User) -> storage::Result<bool> {
        Ok(self.database.password_version(user.id).await? == Some(user.password_version))
    }

    /// Any user may have changed.
    pub(crate) fn forget_all(&self) {
        self.versions.invalidate_all();
    }

    pub(super) async fn versions(&self, user: UserId) -> Result<Option<CredentialVersions>, AuthError> {
        if let Some(versions) = self.versions.get(&user).await {
            return Ok(versions);
        }
        let versions = self.versions.try_get_with(user, self.database.credential_versions(user)).await;
        versions.map_err(|error| AuthError::Storage((*error).clone()))
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
        self.note_refusal(basic, peer).await;
        match self.attempts.failed(&attempt) {
            Some(retry_after) => {
                tracing::warn!(username = basic.username(), ?peer, "too many failed logins");
                Err(AuthError::TooManyFailures { retry_after })
            }
            None => Err(AuthError::Wrong),
        }
    }

    async fn note_refusal(&self, basic: &Basic, peer: Option<Peer>) {
        let record = AuditRecord {
            actor: basic.username().to_owned(),
            action: AuditAction::LogInRefused,
            target: None,
            address: peer.map(|Peer(address)| address),
            detail: None,
        };
        if let Err(error) = self.database.add_audit_record(&record).await {
            tracing::warn!(username = basic.username(), ?peer, %error, "a refused login was not noted");
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
