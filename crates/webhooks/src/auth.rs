//! What `Authorization` says, and who renews an OAuth2 token.
//!
//! # One renewal for all who wait
//! A request that finds its token about to expire joins the renewal of exactly that token: a task of this process,
//! which claims the renewal in storage, so that other processes wait for its outcome as well. The task goes on when
//! the requests that wait for it have run out of time: a server that rotates refresh tokens has used the old one up
//! by then. Whoever waited goes out with the token that is held afterwards, new or not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{
    SharedClock, UserId,
    webhook_auth::{AuthType, DEFAULT_LIFETIME, Origin, Tokens, renew_at},
};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use http::HeaderValue;
use moka::sync::Cache;
use rand::RngExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use storage::{Database, RenewalClaim, StoredAuth};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::token_endpoint::{self, Grant, TokenError};

/// How long a renewal is claimed for: longer than it can take.
const HOLD: Duration = Duration::from_secs(30);

/// The longest pause between two looks at what another process is renewing.
const POLL: Duration = Duration::from_millis(150);

/// A receiver that refused a new token as well is not worth another one for this long.
const FRUITLESS: Duration = Duration::from_secs(30);

/// Tries to store tokens, which may be the only ones that their server will ever give for the old ones.
const STORE_TRIES: u32 = 20;
const STORE_PAUSE: Duration = Duration::from_millis(250);

/// What a request authenticates with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Authorization {
    pub(crate) header: Option<HeaderValue>,
    /// The version of an OAuth2 token, which can be renewed.
    version: Option<i64>,
    /// Why the token is not a new one although it should be.
    pub(crate) problem: Option<Arc<str>>,
}

/// Why a person's request for a token brought none. The words are the contract's.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ObtainError {
    #[error("OAuth2 is not configured for this user")]
    NotConfigured,
    #[error("Failed to obtain OAuth2 token: {0}")]
    Token(#[from] TokenError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The process is being stopped.
    #[error("the gateway is stopping")]
    Stopping,
}

/// What a person asks for a token with.
#[derive(Debug)]
pub enum TokenRequest {
    /// The client's own credentials.
    ClientCredentials,
    /// The code that an authorization server gave that person.
    Code { code: String, redirect_uri: Option<String>, verifier: Option<SecretString> },
}

impl TokenRequest {
    fn grant(&self) -> Grant<'_> {
        match self {
            Self::ClientCredentials => Grant::ClientCredentials,
            Self::Code { code, redirect_uri, verifier } => {
                Grant::Code { code, redirect_uri: redirect_uri.as_deref(), verifier: verifier.as_ref() }
            }
        }
    }
}

/// Knows what users' webhooks authenticate with. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    database: Database,
    http: egress::Client,
    clock: SharedClock,
    under_way: Mutex<HashMap<Renewal, Running>>,
    tasks: TaskTracker,
    fruitless: Cache<UserId, ()>,
}

/// The user, and the version of what is renewed.
type Renewal = (UserId, i64);

/// A renewal that any number of requests wait for.
type Running = Shared<BoxFuture<'static, Result<(), Arc<str>>>>;

impl Inner {
    fn under_way(&self) -> MutexGuard<'_, HashMap<Renewal, Running>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A renewal is no longer under way once this is dropped, however its task ends.
struct Entry(Arc<Inner>, Renewal);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.under_way().remove(&self.1);
    }
}

impl Authenticator {
    pub(crate) fn new(database: Database, http: egress::Client, clock: SharedClock) -> Self {
        Self(Arc::new(Inner {
            database,
            http,
            clock,
            under_way: Mutex::default(),
            tasks: TaskTracker::new(),
            fruitless: Cache::builder().max_capacity(10_000).time_to_live(FRUITLESS).build(),
        }))
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    /// Waits for renewals that are under way, so that no token is lost.
    pub(crate) async fn close(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// What a request of this user authenticates with, by the settings of this moment. Waits at most `patience` for
    /// a new token, and does with the one held when there is none.
    pub(crate) async fn authorize(&self, user: UserId, patience: Duration) -> storage::Result<Authorization> {
        let stored = self.0.database.webhook_auth(user).await?;
        let now = self.0.clock.now();
        if stored.settings.oauth2().is_none()
            || stored.tokens.as_ref().is_some_and(|held| now < held.renew_at)
        {
            return Ok(held(&stored));
        }
        let problem = self.renewed(user, stored.version, patience).await.err();
        let stored = self.0.database.webhook_auth(user).await?;
        Ok(Authorization { problem, ..held(&stored) })
    }

    /// What to try once more with after a 401; `None` when there is nothing else to try.
    pub(crate) async fn after_refusal(
        &self,
        user: UserId,
        refused: &Authorization,
        patience: Duration,
    ) -> Option<Authorization> {
        let version = refused.version?;
        if refused.problem.is_some() || self.0.fruitless.contains_key(&user) {
            return None;
        }
        self.renewed(user, version, patience).await.ok()?;
        let stored = self.0.database.webhook_auth(user).await.ok()?;
        (stored.version != version).then(|| held(&stored))
    }

    /// The receiver refused the new token as well: renewing is not what is missing.
    pub(crate) fn renewal_was_fruitless(&self, user: UserId) {
        self.0.fruitless.insert(user, ());
    }

    /// Waits until somebody has renewed what is known as `version`; an error says why nobody did.
    async fn renewed(&self, user: UserId, version: i64, patience: Duration) -> Result<(), Arc<str>> {
        let renewal = (user, version);
        let running = self.0.under_way().entry(renewal).or_insert_with(|| self.start(renewal)).clone();
        timeout(patience, running).await.unwrap_or_else(|_| Err("the token endpoint takes too long".into()))
    }

    fn start(&self, (user, version): Renewal) -> Running {
        let (this, entry) = (self.clone(), Entry(Arc::clone(&self.0), (user, version)));
        let task = self.0.tasks.spawn(async move {
            let _entry = entry;
            let renewed = this.renew(user, version).await;
            if let Err(error) = &renewed {
                tracing::warn!(user.id = %user, %error, "cannot renew an OAuth2 token");
            }
            renewed
        });
        task.map(|ended| ended.unwrap_or_else(|error| Err(error.to_string().into()))).boxed().shared()
    }

    async fn renew(&self, user: UserId, version: i64) -> Result<(), Arc<str>> {
        let words = |error: &dyn std::fmt::Display| Arc::from(error.to_string());
        let ends = Instant::now() + HOLD;
        loop {
            match self.0.database.claim_renewal(user, version, HOLD).await.map_err(|error| words(&error))? {
                RenewalClaim::Yours(claim) => {
                    return self.carry_out(user, claim).await.map_err(|error| words(&error));
                }
                RenewalClaim::Changed => return Ok(()),
                RenewalClaim::TooEarly => return Err("the last try failed a moment ago".into()),
                RenewalClaim::Taken if Instant::now() >= ends => {
                    return Err("another process is at it".into());
                }
                RenewalClaim::Taken => {
                    let pause = POLL.mul_f64(rand::rng().random_range(0.3..1.0));
                    sleep(pause).await;
                }
            }
        }
    }

    /// Renews what is claimed: with the refresh token, or with the client's credentials where there is none.
    async fn carry_out(&self, user: UserId, claim: i64) -> Result<(), ObtainError> {
        let stored = self.0.database.webhook_auth(user).await?;
        let refresh = stored.tokens.as_ref().and_then(|held| held.refresh.as_ref());
        let grant = refresh.map_or(Grant::ClientCredentials, Grant::Refresh);
        let outcome = self.exchange(user, claim, &stored, grant, Origin::Renewal).await;
        if outcome.is_err() {
            self.0.database.fail_renewal(user, claim).await?;
        }
        outcome
    }

    /// Gets a token because a person asks for it. It goes on when that person goes away: a code can be used only
    /// once.
    pub async fn obtain(&self, user: UserId, request: TokenRequest) -> Result<(), ObtainError> {
        let this = self.clone();
        let task = self.0.tasks.spawn(async move {
            let Some(claim) = this.0.database.take_renewal(user, HOLD).await? else {
                return Err(ObtainError::NotConfigured);
            };
            let stored = this.0.database.webhook_auth(user).await?;
            let outcome = this.exchange(user, claim, &stored, request.grant(), Origin::Request).await;
            match &outcome {
                Ok(()) => this.0.fruitless.invalidate(&user),
                Err(_) => this.0.database.abandon_renewal(user, claim).await?,
            }
            outcome
        });
        task.await.unwrap_or(Err(ObtainError::Stopping))
    }

    /// One exchange with the token endpoint, and its outcome stored.
    async fn exchange(
        &self,
        user: UserId,
        claim: i64,
        stored: &StoredAuth,
        grant: Grant<'_>,
        origin: Origin,
    ) -> Result<(), ObtainError> {
        let client = stored.settings.oauth2().ok_or(ObtainError::NotConfigured)?;
        let now = self.0.clock.now();
        let issued = token_endpoint::ask(&self.0.http, &client, grant).await?;
        let lifetime = issued.lifetime.unwrap_or(DEFAULT_LIFETIME);
        let tokens = Tokens {
            access: issued.access,
            refresh: match grant {
                Grant::Refresh(old) => Some(issued.refresh.unwrap_or_else(|| old.clone())),
                Grant::ClientCredentials | Grant::Code { .. } => issued.refresh,
            },
            expires_at: now + lifetime,
            renew_at: renew_at(now, lifetime, origin),
        };
        if self.store(user, claim, &tokens).await? { Ok(()) } else { Err(TokenError::Superseded.into()) }
    }

    async fn store(&self, user: UserId, claim: i64, tokens: &Tokens) -> storage::Result<bool> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.0.database.finish_renewal(user, claim, tokens).await {
                Err(storage::Error::Unavailable(_) | storage::Error::Full(_)) if tries < STORE_TRIES => {
                    sleep(STORE_PAUSE).await;
                }
                stored => return stored,
            }
        }
    }
}

/// The header by what is stored, without a look at the clock.
fn held(stored: &StoredAuth) -> Authorization {
    let settings = &stored.settings;
    let bearer = |token: &SecretString| format!("Bearer {}", token.expose_secret());
    let (value, version) = match settings.kind {
        AuthType::None => (None, None),
        AuthType::Basic => {
            let pair = settings.username.as_ref().zip(settings.password.as_ref());
            let pair = pair.map(|(name, password)| format!("{name}:{}", password.expose_secret()));
            (pair.map(|pair| format!("Basic {}", STANDARD.encode(pair))), None)
        }
        AuthType::Bearer => (settings.bearer_token.as_ref().map(bearer), None),
        AuthType::Oauth2 => {
            (stored.tokens.as_ref().map(|tokens| bearer(&tokens.access)), Some(stored.version))
        }
    };
    let header = value.and_then(|value| HeaderValue::from_str(&value).ok()).map(|mut value| {
        value.set_sensitive(true);
        value
    });
    Authorization { header, version, problem: None }
}
