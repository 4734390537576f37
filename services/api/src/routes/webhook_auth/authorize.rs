//! `POST /webhook/oauth2/authorize`: sends a person to an authorization server.

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use webhooks::AUTHORIZATION_LIFE;

use super::TokenProblem;
use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::{Invalid, JsonFields, Place},
    json,
    state::ApiState,
};

/// Where the authorization server asks people, and where they come back to.
#[derive(ToSchema)]
#[schema(example = json!({"authorize_url": "https://auth.example/authorize",
    "redirect_uri": "https://shop.example/back"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct Authorize {
    authorize_url: String,
    redirect_uri: String,
}

/// Where to go.
#[derive(Serialize, ToSchema)]
pub(crate) struct VisitBody {
    /// To be opened in a browser.
    #[schema(example = "https://auth.example/authorize?response_type=code&client_id=gateway&state=…")]
    url: String,
    /// Comes back beside the code; send both to `POST /dashboard/webhook-auth/oauth2-token`.
    state: String,
    /// Until then.
    expires_at: String,
}

/// Begins an authorization in a browser, with a state and PKCE. Nothing is sent to the authorization server yet.
#[utoipa::path(
    post, path = "/webhook/oauth2/authorize", tag = "webhook", operation_id = "beginOAuth2Authorization",
    request_body = Authorize,
    responses(
        (status = 200, description = "Where to go, as `data`", body = VisitBody),
        (status = 400, description = "An address is wrong, or OAuth2 is not configured", body = ProblemBody,
            example = json!({"message": "OAuth2 is not configured for this user", "code": "oauth2_not_configured"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, TokenProblem> {
    let authorize_url = fields.url("authorize_url")?;
    let missing = Invalid::Missing { field: "redirect_uri", place: Place::Json };
    let redirect_uri = fields.uri_if_any("redirect_uri")?.ok_or(missing)?;
    let visit = state.webhooks.authenticator().prepare_visit(caller.id, authorize_url, redirect_uri).await?;
    Ok(json::data(VisitBody {
        url: visit.url,
        state: visit.state,
        expires_at: (state.clock.now() + AUTHORIZATION_LIFE).to_rfc3339(),
    }))
}
