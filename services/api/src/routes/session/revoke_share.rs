//! `DELETE /session/{name}/share`: its links open nothing any more.

use axum::{body::Body, extract::State, http::StatusCode, response::Response};
use domain::access::AuditAction;

use crate::{
    access::{self, LookupError, PathName},
    audit,
    auth::Actor,
    error::ProblemBody,
    state::ApiState,
};

/// Revokes all links with which others could link this session.
#[utoipa::path(
    delete, path = "/session/{name}/share", tag = "session", operation_id = "revokeSessionShares",
    params(("name" = String, Path, description = "The session", example = "shop")),
    responses(
        (status = 204, description = "No link opens it"),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    name: PathName,
) -> Result<Response, LookupError> {
    let session = access::visible(&state.database, &caller, name).await?;
    state.database.revoke_shares(session.id).await?;
    audit::note(&state, &caller, AuditAction::SessionShareRevoked, session.name).await;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
