//! `POST /webhook/endpoints/{id}/rotate-secret`.

use axum::{extract::State, response::Response};
use domain::{Timestamp, access::AuditAction};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::{EndpointError, EndpointPath, own};
use crate::{audit, auth::Actor, error::ProblemBody, json, state::ApiState};

/// A new secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedBody {
    /// Shown this once.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    /// Until then the secret before signs as well; null when there was none.
    previous_secret_until: Option<String>,
}

/// Gives an endpoint a new signing secret. For 24 hours webhooks carry a signature of each, so that receivers can be
/// changed in between. Also the way to have the callback's webhooks signed.
#[utoipa::path(
    post, path = "/webhook/endpoints/{id}/rotate-secret", tag = "webhook", operation_id = "rotateWebhookSecret",
    params(("id" = String, Path, description = "The endpoint's id", example = "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 200, description = "The secret, as `data`", body = RotatedBody),
        (status = 404, description = "You have no such endpoint", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    path: EndpointPath,
) -> Result<Response, EndpointError> {
    let endpoint = own(&state, &caller, path).await?;
    let secret = webhooks::new_secret();
    let rotated = state.database.rotate_endpoint_secret(endpoint.id, &secret).await?;
    let until = rotated.ok_or(EndpointError::NotFound)?;
    audit::note(&state, &caller, AuditAction::WebhookSecretRotated, endpoint.url).await;
    Ok(json::data(RotatedBody {
        secret: secret.expose_secret().to_owned(),
        previous_secret_until: until.map(Timestamp::to_rfc3339),
    }))
}
