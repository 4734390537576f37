//! `GET /dashboard/webhook-auth`: the caller's settings, without secrets.

use axum::{extract::State, response::Response};
use domain::webhook_auth::AuthType;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{auth::Caller, error::Problem, json, state::ApiState};

/// How a user's webhooks authenticate.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookAuthBody<'a> {
    /// `none`, `basic`, `bearer` or `oauth2`.
    #[schema(value_type = String, example = "oauth2")]
    auth_type: AuthType,
    auth_username: Option<&'a str>,
    /// `***` and its last four characters.
    #[schema(example = "***cdef")]
    auth_bearer_token: Option<String>,
    oauth2_client_id: Option<&'a str>,
    oauth2_token_url: Option<&'a str>,
    oauth2_scope: Option<&'a str>,
    oauth2_has_token: bool,
    /// Milliseconds since 1970.
    oauth2_token_expiry: Option<i64>,
}

/// How your webhooks authenticate.
#[utoipa::path(
    get, path = "/dashboard/webhook-auth", tag = "webhook", operation_id = "getWebhookAuth",
    responses((status = 200, description = "The settings, as `data`", body = WebhookAuthBody,
        example = json!({"data": {"auth_type": "oauth2", "auth_username": null, "auth_bearer_token": null,
            "oauth2_client_id": "gateway", "oauth2_token_url": "https://auth.example/token",
            "oauth2_scope": "hooks:write", "oauth2_has_token": true, "oauth2_token_expiry": 1_795_379_771_000_i64}})))
)]
pub(crate) async fn handler(caller: Caller, State(state): State<ApiState>) -> Result<Response, Problem> {
    let stored = state.database.webhook_auth(caller.id).await?;
    let settings = &stored.settings;
    Ok(json::data(WebhookAuthBody {
        auth_type: settings.kind,
        auth_username: settings.username.as_deref(),
        auth_bearer_token: settings.bearer_token.as_ref().map(end),
        oauth2_client_id: settings.client_id.as_deref(),
        oauth2_token_url: settings.token_url.as_deref(),
        oauth2_scope: settings.scope.as_deref(),
        oauth2_has_token: stored.tokens.is_some(),
        oauth2_token_expiry: stored.tokens.as_ref().map(|tokens| tokens.expires_at.0),
    }))
}

/// The end of a token, by which its owner knows which one it is.
fn end(token: &SecretString) -> String {
    let token = token.expose_secret();
    let from = token.char_indices().rev().nth(3).map_or(0, |(index, _)| index);
    format!("***{}", &token[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_token_is_shown() {
        for (token, shown) in [("0123456789", "***6789"), ("789", "***789"), ("0123äöüß", "***äöüß")]
        {
            assert_eq!(end(&token.into()), shown);
        }
    }
}
