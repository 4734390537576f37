//! `DELETE /webhook/endpoints/{id}`.

use axum::{extract::State, response::Response};
use domain::{access::AuditAction, webhook::UrlLayout};

use super::{EndpointError, EndpointPath, own};
use crate::{
    audit,
    auth::Actor,
    error::ProblemBody,
    json::{self, Done},
    state::ApiState,
};

/// Removes an endpoint. What waits for it is given up; what was sent to it stays listed.
#[utoipa::path(
    delete, path = "/webhook/endpoints/{id}", tag = "webhook", operation_id = "deleteWebhookEndpoint",
    params(("id" = String, Path, description = "The endpoint's id", example = "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 200, description = "It is gone", body = Done,
            example = json!({"data": {"message": "Endpoint deleted successfully"}})),
        (status = 404, description = "You have no such endpoint", body = ProblemBody),
        (status = 409, description = "It is the callback, or the operator's", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    path: EndpointPath,
) -> Result<Response, EndpointError> {
    let endpoint = own(&state, &caller, path).await?;
    match endpoint.layout {
        UrlLayout::Plain => {}
        UrlLayout::Callback => return Err(EndpointError::IsCallback),
        UrlLayout::Base => return Err(EndpointError::IsBase),
    }
    if state.database.remove_endpoint(endpoint.id).await? {
        audit::note(&state, &caller, AuditAction::WebhookEndpointRemoved, endpoint.url).await;
        Ok(json::done("Endpoint deleted successfully"))
    } else {
        Err(EndpointError::NotFound)
    }
}
