//! Who calls. A handler that takes a [`Caller`] is for anybody with valid credentials: a name and a password, the
//! dashboard's cookie, or a key that is [for this route](scopes). One that takes an [`Actor`] changes something, and is
//! not for requests that a browser was tricked into; either may be asked to be an [`Admin`]; one that takes a
//! [`Watcher`] also opens with `STATUS_TOKEN`.

mod attempts;
mod basic;
mod browser;
mod client_address;
mod cookie;
mod credentials;
mod login;
mod scopes;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
mod tokens;

use std::{net::IpAddr, ops::Deref, sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use domain::{Timestamp, UserId, access::Scope, user::User};
use secrecy::ExposeSecret as _;
use secrets::TOKEN_PREFIX;

pub use attempts::LoginLimits;
pub(crate) use cookie::removed as removed_cookie;
pub(crate) use credentials::Credentials;
pub(crate) use login::Origin;

use crate::{
    error::{Problem, answers_as_problem},
    state::ApiState,
};
use basic::Basic;
use scopes::Asks;
use tokens::{Grant, Kind, Known};

/// The shortest `STATUS_TOKEN` that opens anything.
const SHORTEST_STATUS_TOKEN: usize = 24;

/// The address that a request came from; the server puts it among a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Somebody whose credentials are valid.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    user: Arc<User>,
    /// The login or the key; `None` for a name and a password.
    token: Option<Arc<Known>>,
    address: Option<IpAddr>,
}

/// How a caller said who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Basic,
    Cookie,
    ApiKey,
}

/// A [`Caller`] who meant to send this request.
#[derive(Debug, Clone)]
pub(crate) struct Actor(Caller);

/// A [`Caller`] or an [`Actor`] who is an admin.
#[derive(Debug, Clone)]
pub(crate) struct Admin<C>(pub(crate) C);

/// Who may look at the state of sessions.
#[derive(Debug, Clone)]
pub(crate) enum Watcher {
    /// The operator's monitoring: sees all.
    Monitoring,
    User(Caller),
}

/// Why a request is not from anybody.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AuthError {
    #[error("Unauthorized")]
    Missing,
    #[error("Invalid credentials")]
    Wrong,
    #[error("Too many failed logins, try again later")]
    TooManyFailures { retry_after: Duration },
    #[error("Too many logins at once, try again later")]
    Busy,
    #[error("A browser sent this request from another site")]
    CrossSite,
    #[error("Admin access required")]
    NotAdmin,
    #[error("This API key lacks the scope {0}")]
    MissingScope(Scope),
    #[error("API keys cannot do this: log in")]
    NotForKeys,
    /// The same, to somebody whom no browser should ask for a name and a password because of it.
    #[error(transparent)]
    Quiet(Box<AuthError>),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Password(secrets::PasswordError),
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        use AuthError as E;
        let words = error.to_string();
        match error {
            E::Missing => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", words),
            E::Wrong => Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", words),
            E::TooManyFailures { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", words).retry_after(retry_after)
            }
            E::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_logins", words)
                .retry_after(Duration::from_secs(1)),
            E::CrossSite => Self::new(StatusCode::FORBIDDEN, "cross_site", words),
            E::NotAdmin => Self::new(StatusCode::FORBIDDEN, "admin_required", words),
            E::MissingScope(_) => Self::new(StatusCode::FORBIDDEN, "missing_scope", words),
            E::NotForKeys => Self::new(StatusCode::FORBIDDEN, "login_required", words),
            E::Quiet(error) => Self::from(*error).without_challenge(),
            E::Storage(error) => error.into(),
            E::Password(error) => Self::internal(error),
        }
    }
}

answers_as_problem!(AuthError);

impl AuthError {
    /// There are no credentials, or they are not good.
    pub(crate) fn is_about_credentials(&self) -> bool {
        match self {
            Self::Missing | Self::Wrong => true,
            Self::Quiet(error) => error.is_about_credentials(),
            _ => false,
        }
    }

    /// In the form that whoever sent these headers wants.
    fn told_to(self, headers: &HeaderMap) -> Self {
        if cookie::needs_no_challenge(headers) { Self::Quiet(Box::new(self)) } else { self }
    }
}

impl Deref for Caller {
    type Target = User;

    fn deref(&self) -> &User {
        &self.user
    }
}

impl Caller {
    /// Whose sessions this caller sees: everybody's for an admin.
    pub(crate) fn scope(&self) -> Option<UserId> {
        (!self.is_admin).then_some(self.id)
    }

    /// Where the request came from.
    pub(crate) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    pub(crate) fn by(&self) -> By {
        match self.token.as_deref().map(|known| &known.grant) {
            None => By::Basic,
            Some(Grant::Login { .. }) => By::Cookie,
            Some(Grant::Key { .. }) => By::ApiKey,
        }
    }

    /// When the login or the key ends.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        self.token.as_deref().and_then(Known::ends_at)
    }

    /// What the caller may do.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        if let Some(Grant::Key { scopes, .. }) = self.token.as_deref().map(|known| &known.grant) {
            return scopes.clone();
        }
        Scope::ALL.iter().copied().filter(|scope| self.is_admin || *scope != Scope::Admin).collect()
    }

    /// Whether the credentials are still those of the user: for answers that take long.
    pub(crate) async fn is_still_valid(&self, credentials: &Credentials) -> storage::Result<bool> {
        match &self.token {
            None => credentials.is_still_valid(self).await,
            Some(known) => credentials.still_stands(known).await,
        }
    }

    async fn of(parts: &Parts, state: &ApiState) -> Result<Self, AuthError> {
        let headers = &parts.headers;
        let address = client(parts, state);
        let caller = |user, token| Self { user, token, address };
        let cookie = cookie::token(headers);
        let authorization = headers
            .get(header::AUTHORIZATION)
            .map(HeaderValue::as_bytes)
            .filter(|value| !(is_basic(value) && cookie_decides(headers, cookie)));
        let Some(authorization) = authorization else {
            let token = cookie.ok_or(AuthError::Missing)?;
            let known = state.credentials.verify_token(Kind::Login, token, address).await?;
            if !parts.method.is_safe() && !browser::is_own(&parts.method, headers) {
                return Err(AuthError::CrossSite);
            }
            return Ok(caller(Arc::clone(&known.user), Some(known)));
        };
        if let Some(key) = key(headers) {
            let known = state.credentials.verify_token(Kind::Key, key, address).await?;
            may_open(&known, parts)?;
            return Ok(caller(Arc::clone(&known.user), Some(known)));
        }
        let basic = Basic::parse(authorization).ok_or(AuthError::Missing)?;
        Ok(caller(state.credentials.verify(&basic, address.map(Peer)).await?, None))
    }
}

/// The address of the client, behind the proxies that are trusted.
fn client(parts: &Parts, state: &ApiState) -> Option<IpAddr> {
    let Peer(peer) = parts.extensions.get()?;
    Some(client_address::of(*peer, &parts.headers, &state.settings.trusted_proxies))
}

fn is_basic(authorization: &[u8]) -> bool {
    authorization.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
}

/// What the browser knows by heart for this origin does not count on our own pages: there, people log in and out.
fn cookie_decides(headers: &HeaderMap, cookie: Option<&str>) -> bool {
    cookie::is_for_page(headers) && (cookie.is_some() || cookie::needs_no_challenge(headers))
}

/// The key that a request presents.
fn key(headers: &HeaderMap) -> Option<&str> {
    let token = str::from_utf8(basic::bearer(headers)?).ok()?;
    token.starts_with(TOKEN_PREFIX).then_some(token)
}

/// Whether a key is for what is asked.
fn may_open(known: &Known, parts: &Parts) -> Result<(), AuthError> {
    let Grant::Key { scopes, .. } = &known.grant else { return Ok(()) };
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    match scopes::asked(&parts.method, route) {
        Asks::Nothing => Ok(()),
        Asks::For(scope) if scopes.contains(&scope) => Ok(()),
        Asks::For(scope) => Err(AuthError::MissingScope(scope)),
        Asks::Person => Err(AuthError::NotForKeys),
    }
}

impl AsRef<User> for Caller {
    fn as_ref(&self) -> &User {
        &self.user
    }
}

impl AsRef<User> for Actor {
    fn as_ref(&self) -> &User {
        &self.0.user
    }
}

impl Deref for Actor {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, AuthError> {
        Self::of(parts, state).await.map_err(|error| error.told_to(&parts.headers))
    }
}

impl FromRequestParts<ApiState> for Actor {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, AuthError> {
        if browser::may_be_forged(&parts.method, &parts.headers) {
            return Err(AuthError::CrossSite);
        }
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.by() == By::Cookie && !browser::is_own(&parts.method, &parts.headers) {
            return Err(AuthError::CrossSite);
        }
        Ok(Self(caller))
    }
}

impl<C> FromRequestParts<ApiState> for Admin<C>
where
    C: FromRequestParts<ApiState, Rejection = AuthError> + AsRef<User> + Send,
{
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, AuthError> {
        let who = C::from_request_parts(parts, state).await?;
        if who.as_ref().is_admin { Ok(Self(who)) } else { Err(AuthError::NotAdmin) }
    }
}

impl FromRequestParts<ApiState> for Watcher {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, AuthError> {
        if let Some(presented) = basic::bearer(&parts.headers) {
            let token = state.settings.status_token.as_ref().map(|token| token.expose_secret().as_bytes());
            let token = token.filter(|token| token.len() >= SHORTEST_STATUS_TOKEN);
            if token.is_some_and(|token| secrets::same(token, presented)) {
                return Ok(Self::Monitoring);
            }
            if key(&parts.headers).is_none() {
                return Err(AuthError::Wrong);
            }
        }
        Caller::from_request_parts(parts, state).await.map(Self::User)
    }
}
