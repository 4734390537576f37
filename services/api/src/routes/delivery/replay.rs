//! `POST /webhook/deliveries/{id}/replay`: sends one webhook again.

use axum::{extract::State, response::Response};
use domain::access::AuditAction;
use storage::Replayed;

use super::{DeliveryBody, DeliveryError, DeliveryPath, own};
use crate::{announce, audit, auth::Actor, error::ProblemBody, json, state::ApiState};

/// Makes a webhook due now, whatever became of it before; one that failed gets all its attempts again.
#[utoipa::path(
    post, path = "/webhook/deliveries/{id}/replay", tag = "webhook", operation_id = "replayWebhookDelivery",
    params(("id" = String, Path, description = "The delivery's id", example = "dlv_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 200, description = "It is due, as `data`", body = DeliveryBody),
        (status = 404, description = "You have no such delivery", body = ProblemBody),
        (status = 409, description = "It is being sent this moment, or its endpoint is disabled", body = ProblemBody,
            example = json!({"message": "Its endpoint is disabled or removed", "code": "endpoint_disabled"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    path: DeliveryPath,
) -> Result<Response, DeliveryError> {
    let delivery = own(&state, &caller, path).await?;
    match state.database.replay_delivery(delivery.id).await? {
        Replayed::Due => {}
        Replayed::UnderWay => return Err(DeliveryError::UnderWay),
        Replayed::EndpointDisabled => return Err(DeliveryError::EndpointDisabled),
        Replayed::Unknown => return Err(DeliveryError::NotFound),
    }
    announce::deliveries_due(&state.bus);
    audit::note(&state, &caller, AuditAction::WebhooksReplayed, delivery.id.to_string()).await;
    let delivery = state.database.delivery(delivery.id).await?.ok_or(DeliveryError::NotFound)?;
    Ok(json::data(DeliveryBody::from(delivery)))
}
