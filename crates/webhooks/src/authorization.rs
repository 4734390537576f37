//! Sending a person to an authorization server, with a state and PKCE (RFC 7636).

use std::time::Duration;

use domain::UserId;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope, basic::BasicClient};
use storage::Authorization;

use crate::{Authenticator, ObtainError, TokenError};

/// How long a person may take.
pub const AUTHORIZATION_LIFE: Duration = Duration::from_mins(10);

/// Where to send a person, and what the server will send back with them.
#[derive(Debug, Clone)]
pub struct Visit {
    pub url: String,
    pub state: String,
}

impl Authenticator {
    /// Prepares the visit of a person to the authorization endpoint at `authorize_url`, from where they come back to
    /// `redirect_uri`. What the code will have to be exchanged with is kept for [`AUTHORIZATION_LIFE`].
    pub async fn prepare_visit(
        &self,
        user: UserId,
        authorize_url: String,
        redirect_uri: String,
    ) -> Result<Visit, ObtainError> {
        let database = self.database();
        let stored = database.webhook_auth(user).await?;
        let client = stored.settings.oauth2().ok_or(ObtainError::NotConfigured)?;
        let authorize_url =
            AuthUrl::new(authorize_url).map_err(|_| TokenError::InvalidUrl("authorize_url"))?;
        let redirect =
            RedirectUrl::new(redirect_uri.clone()).map_err(|_| TokenError::InvalidUrl("redirect_uri"))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let oauth2 = BasicClient::new(ClientId::new(client.id.to_owned()))
            .set_auth_uri(authorize_url)
            .set_redirect_uri(redirect);
        let mut request = oauth2.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge);
        if let Some(scope) = client.scope {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        let (url, state) = request.url();
        let authorization = Authorization { redirect_uri, verifier: verifier.into_secret().into() };
        database.begin_authorization(user, state.secret(), &authorization, AUTHORIZATION_LIFE).await?;
        Ok(Visit { url: url.into(), state: state.into_secret() })
    }
}
