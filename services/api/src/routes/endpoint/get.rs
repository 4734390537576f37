//! `GET /webhook/endpoints/{id}`.

use axum::{extract::State, response::Response};

use super::{EndpointBody, EndpointError, EndpointPath, answer, own};
use crate::{auth::Caller, error::ProblemBody, state::ApiState};

/// One of your endpoints, with how it has been lately.
#[utoipa::path(
    get, path = "/webhook/endpoints/{id}", tag = "webhook", operation_id = "getWebhookEndpoint",
    params(("id" = String, Path, description = "The endpoint's id", example = "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 200, description = "The endpoint, as `data`", body = EndpointBody,
            headers(("ETag" = String, description = "For `If-Match` of a change"))),
        (status = 404, description = "You have no such endpoint", body = ProblemBody,
            example = json!({"message": "Endpoint not found", "code": "endpoint_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    path: EndpointPath,
) -> Result<Response, EndpointError> {
    let endpoint = own(&state, &caller, path).await?;
    answer(&state, &caller, endpoint).await
}
