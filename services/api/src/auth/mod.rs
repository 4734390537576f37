//! Who calls. A handler that takes a [`Caller`] is for anybody with valid credentials; one that takes an [`Actor`]
//! changes something, and is not for requests that a browser was tricked into; either may be asked to be an
//! [`Admin`]; one that takes a [`Watcher`] also opens with `STATUS_TOKEN`.

mod attempts;
mod basic;
mod browser;
mod client_address;
mod credentials;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, ops::Deref, sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use domain::{UserId, user::User};
use secrecy::ExposeSecret as _;

pub use attempts::LoginLimits;
pub(crate) use credentials::Credentials;

use crate::{
    error::{Problem, answers_as_problem},
    state::ApiState,
};
use basic::Basic;

/// The shortest `STATUS_TOKEN` that opens anything.
const SHORTEST_STATUS_TOKEN: usize = 24;

/// The address that a request came from; the server puts it among a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Somebody whose credentials are valid.
#[derive(Debug, Clone)]
pub(crate) struct Caller(Arc<User>);

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
            E::Storage(error) => error.into(),
            E::Password(error) => Self::internal(error),
        }
    }
}

answers_as_problem!(AuthError);

impl Deref for Caller {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

impl Caller {
    /// Whose sessions this caller sees: everybody's for an admin.
    pub(crate) fn scope(&self) -> Option<UserId> {
        (!self.is_admin).then_some(self.id)
    }

    /// Whether the credentials are still those of the user: for answers that take long.
    pub(crate) async fn is_still_valid(&self, database: &storage::Database) -> storage::Result<bool> {
        Ok(database.password_version(self.id).await? == Some(self.password_version))
    }
}

impl AsRef<User> for Caller {
    fn as_ref(&self) -> &User {
        &self.0
    }
}

impl AsRef<User> for Actor {
    fn as_ref(&self) -> &User {
        &self.0.0
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
        let header = parts.headers.get(header::AUTHORIZATION).ok_or(AuthError::Missing)?;
        let basic = Basic::parse(header.as_bytes()).ok_or(AuthError::Missing)?;
        let peer = parts.extensions.get::<Peer>().map(|&Peer(address)| {
            Peer(client_address::of(address, &parts.headers, &state.settings.trusted_proxies))
        });
        state.credentials.verify(&basic, peer).await.map(Self)
    }
}

impl FromRequestParts<ApiState> for Actor {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, AuthError> {
        if browser::may_be_forged(&parts.method, &parts.headers) {
            return Err(AuthError::CrossSite);
        }
        Caller::from_request_parts(parts, state).await.map(Self)
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
        let Some(presented) = basic::bearer(&parts.headers) else {
            return Caller::from_request_parts(parts, state).await.map(Self::User);
        };
        let token = state.settings.status_token.as_ref().map(|token| token.expose_secret().as_bytes());
        match token.filter(|token| token.len() >= SHORTEST_STATUS_TOKEN) {
            Some(token) if secrets::same(token, presented) => Ok(Self::Monitoring),
            _ => Err(AuthError::Wrong),
        }
    }
}
