//! How webhooks say who they come from.

pub(crate) mod authorize;
pub(crate) mod exchange_code;
pub(crate) mod get;
pub(crate) mod obtain_token;
pub(crate) mod set;
pub(crate) mod set_for_user;

use axum::http::StatusCode;
use domain::webhook_auth::{AuthType, Incomplete, WebhookAuthChange};
use url::Url;
use utoipa::ToSchema;
use webhooks::ObtainError;

use crate::{
    error::{Problem, answers_as_problem},
    fields::{Fields, Invalid},
    state::ApiState,
};

/// The most characters of a name, and of a secret or a token.
const MAX_NAME_CHARS: usize = 1024;
const MAX_SECRET_CHARS: usize = 8192;

/// What webhooks say in `Authorization`. What is left out stays as it is; an empty secret stays, too.
#[derive(ToSchema)]
#[schema(example = json!({"auth_type": "oauth2", "oauth2_client_id": "gateway", "oauth2_client_secret": "s3cret",
    "oauth2_token_url": "https://auth.example/token", "oauth2_scope": "hooks:write"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct SetWebhookAuth {
    /// `none`, `basic`, `bearer` or `oauth2`.
    auth_type: Option<String>,
    auth_username: Option<String>,
    auth_password: Option<String>,
    auth_bearer_token: Option<String>,
    oauth2_client_id: Option<String>,
    oauth2_client_secret: Option<String>,
    /// Where tokens come from: a public address, or one that `EGRESS_ALLOW` permits.
    oauth2_token_url: Option<String>,
    oauth2_scope: Option<String>,
}

/// Why settings are not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("oauth2_token_url: {0}")]
    TokenUrl(egress::Error),
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    #[error("User not found")]
    NotFound,
    #[error("Cannot update admin webhook authentication")]
    IsAdmin,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<SetError> for Problem {
    fn from(error: SetError) -> Self {
        use SetError as E;
        let words = error.to_string();
        match error {
            E::Invalid(invalid) => invalid.into(),
            E::TokenUrl(_) => Self::new(StatusCode::BAD_REQUEST, "url_not_allowed", words),
            E::Incomplete(_) => Self::new(StatusCode::BAD_REQUEST, "incomplete_webhook_auth", words),
            E::NotFound => Self::new(StatusCode::NOT_FOUND, "user_not_found", words),
            E::IsAdmin => Self::new(StatusCode::BAD_REQUEST, "user_is_admin", words),
            E::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(SetError);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenProblem {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("Unknown or expired state: start the authorization again")]
    State,
    #[error(transparent)]
    Obtain(#[from] ObtainError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<TokenProblem> for Problem {
    fn from(error: TokenProblem) -> Self {
        use TokenProblem as E;
        let words = error.to_string();
        match error {
            E::Invalid(invalid) => invalid.into(),
            E::State => Self::new(StatusCode::BAD_REQUEST, "invalid_state", words),
            E::Obtain(ObtainError::NotConfigured) => {
                Self::new(StatusCode::BAD_REQUEST, "oauth2_not_configured", words)
            }
            E::Obtain(ObtainError::Token(_)) => {
                Self::new(StatusCode::BAD_REQUEST, "oauth2_token_failed", words)
            }
            E::Obtain(ObtainError::Stopping) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", words),
            E::Obtain(ObtainError::Storage(error)) | E::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(TokenProblem);

/// The settings in a body, in the order of the contract.
fn read(state: &ApiState, fields: &Fields) -> Result<WebhookAuthChange, SetError> {
    let change = WebhookAuthChange {
        kind: fields.word_if_any("auth_type", AuthType::ALL, AuthType::as_str)?,
        username: fields.text_if_any("auth_username", MAX_NAME_CHARS)?,
        password: fields.secret_if_any("auth_password", MAX_SECRET_CHARS)?,
        bearer_token: bearer_token(fields)?,
        client_id: fields.text_if_any("oauth2_client_id", MAX_NAME_CHARS)?,
        client_secret: fields.secret_if_any("oauth2_client_secret", MAX_SECRET_CHARS)?,
        token_url: fields.url_if_any("oauth2_token_url")?,
        scope: fields.text_if_any("oauth2_scope", MAX_NAME_CHARS)?,
    };
    let url = change.token_url.as_deref().and_then(|url| Url::parse(url).ok());
    if let Some(url) = url {
        state.webhooks.check(&url).map_err(SetError::TokenUrl)?;
    }
    Ok(change)
}

/// A token as it can stand in a header.
fn bearer_token(fields: &Fields) -> Result<Option<secrecy::SecretString>, Invalid> {
    const FIELD: &str = "auth_bearer_token";
    let token = fields.text_if_any(FIELD, MAX_SECRET_CHARS)?;
    if token
        .as_deref()
        .is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '))
    {
        return Err(fields.unfit("String must be visible ASCII".to_owned(), FIELD));
    }
    Ok(token.map(Into::into))
}
