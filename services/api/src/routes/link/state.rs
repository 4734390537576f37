//! `GET /link/{token}/state`: how the linking stands.

use axum::{extract::State, response::Response};
use domain::session::SessionState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::ProblemBody,
    json,
    shares::{Share, ShareError, TokenPath},
    state::ApiState,
};

/// How the linking stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkState<'a> {
    #[schema(example = "shop")]
    session: &'a str,
    #[schema(value_type = String, example = "pairing")]
    state: SessionState,
    /// When the link ends.
    expires_at: String,
}

/// How the linking stands, to whoever has the link.
#[utoipa::path(
    get, path = "/link/{token}/state", tag = "link", operation_id = "linkState", security(()),
    params(("token" = String, Path, description = "The last part of the link")),
    responses(
        (status = 200, description = "How it stands, as `data`", body = LinkState, example = json!({"data":
            {"session": "shop", "state": "pairing", "expires_at": "2026-11-22T20:06:11Z"}})),
        (status = 404, description = "The link has expired or was revoked", body = ProblemBody, example = json!({
            "message": "This link has expired or was revoked: ask for a new one", "code": "link_expired"})),
        (status = 503, description = "The database cannot serve this now", body = ProblemBody),
    )
)]
pub(crate) async fn handler(State(state): State<ApiState>, token: TokenPath) -> Result<Response, ShareError> {
    let (share, session) = Share::open(&state, token).await?;
    Ok(json::data(LinkState {
        session: &session.name,
        state: session.state,
        expires_at: share.expires_at.to_rfc3339(),
    }))
}
