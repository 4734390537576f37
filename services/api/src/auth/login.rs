//! Logging in to the dashboard, and out.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, request::Parts},
};
use domain::{
    Timestamp,
    access::{LOGIN_TOTAL, login_ends_at},
    user::User,
};
use secrecy::SecretString;
use secrets::Token;

use super::{
    AuthError, By, Caller, Peer, basic::Basic, browser, client, client_address, cookie,
    credentials::Credentials, tokens::Kind,
};
use crate::state::ApiState;

/// Where a request that nobody vouches for yet came from.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) address: Option<IpAddr>,
    /// The client came over HTTPS.
    https: bool,
    /// A page of another site may have caused it.
    forged: bool,
    /// What its cookie holds.
    token: Option<String>,
}

impl FromRequestParts<ApiState> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>().map(|Peer(peer)| *peer);
        Ok(Self {
            address: client(parts, state),
            https: client_address::is_https(peer, &parts.headers, &state.settings.trusted_proxies),
            forged: browser::may_be_forged(&parts.method, &parts.headers),
            token: cookie::token(&parts.headers).map(ToOwned::to_owned),
        })
    }
}

impl Origin {
    /// No page of another site may have caused the request.
    pub(crate) const fn was_meant(&self) -> bool {
        !self.forged
    }
}

/// A login that was made.
pub(crate) struct Begun {
    pub(crate) cookie: HeaderValue,
    pub(crate) ends_at: Timestamp,
}

impl Credentials {
    /// The user with this name and password, for a login that no browser should ask about.
    pub(crate) async fn check_login(
        &self,
        username: &str,
        password: &SecretString,
        origin: &Origin,
    ) -> Result<Arc<User>, AuthError> {
        if origin.forged {
            return Err(AuthError::CrossSite);
        }
        let checked = self.verify(&Basic::of(username, password), origin.address.map(Peer)).await;
        checked.map_err(|error| AuthError::Quiet(Box::new(error)))
    }

    /// Logs a user in whose credentials are valid: with the cookie they stay who they are.
    pub(crate) async fn log_in(&self, user: &User, origin: &Origin) -> Result<Begun, AuthError> {
        let token = Token::generate();
        let now = self.clock.now();
        if !self.database.add_login(user, &token.hash()).await? {
            // The password was changed since it was checked.
            return Err(AuthError::Quiet(Box::new(AuthError::Wrong)));
        }
        let cookie = cookie::set(token.expose(), LOGIN_TOTAL, origin.https).ok_or(AuthError::Wrong)?;
        Ok(Begun { cookie, ends_at: login_ends_at(now, now) })
    }

    /// The same, unless the request brings a login of that user already.
    pub(crate) async fn stay_logged_in(
        &self,
        user: &User,
        origin: &Origin,
    ) -> Result<Option<Begun>, AuthError> {
        if let Some(token) = &origin.token
            && let Ok(known) = self.verify_token(Kind::Login, token, origin.address).await
            && known.user.id == user.id
        {
            return Ok(None);
        }
        self.log_in(user, origin).await.map(Some)
    }

    /// Ends the login that the caller came with; returns whether there was one.
    pub(crate) async fn log_out(&self, caller: &Caller) -> Result<bool, AuthError> {
        let Some(known) = caller.token.as_deref().filter(|_| caller.by() == By::Cookie) else {
            return Ok(false);
        };
        let ended = self.database.end_login(&known.token).await?.is_some();
        self.forget(caller.id).await;
        Ok(ended)
    }
}
