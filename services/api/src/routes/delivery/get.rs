//! `GET /webhook/deliveries/{id}`: one webhook, what it carries, and every attempt.

use axum::{extract::State, response::Response};
use domain::webhook::DeliveryAttempt;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{DeliveryBody, DeliveryError, DeliveryPath, own};
use crate::{auth::Caller, error::ProblemBody, json, state::ApiState};

/// A webhook with everything about it.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetailsBody {
    #[serde(flatten)]
    delivery: DeliveryBody,
    /// The body that is sent.
    #[schema(value_type = Object, example = json!({"session": "shop", "from": "628110000002@s.whatsapp.net",
        "message": "halo"}))]
    payload: Option<Box<RawValue>>,
    /// Every attempt, the first one first.
    history: Vec<AttemptBody>,
}

/// One try.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptBody {
    number: i32,
    at: String,
    duration_ms: u64,
    /// The status of the answer; null when there was none.
    status: Option<u16>,
    /// The first bytes of the answer, or why there was none.
    answer: Option<String>,
}

impl From<DeliveryAttempt> for AttemptBody {
    fn from(attempt: DeliveryAttempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at.to_rfc3339(),
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            status: attempt.status,
            answer: attempt.answer,
        }
    }
}

/// One of your webhooks, with what it carries and every attempt.
#[utoipa::path(
    get, path = "/webhook/deliveries/{id}", tag = "webhook", operation_id = "getWebhookDelivery",
    params(("id" = String, Path, description = "The delivery's id", example = "dlv_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 200, description = "It, as `data`", body = DetailsBody),
        (status = 404, description = "You have no such delivery", body = ProblemBody,
            example = json!({"message": "Delivery not found", "code": "delivery_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    path: DeliveryPath,
) -> Result<Response, DeliveryError> {
    let delivery = own(&state, &caller, path).await?;
    let (payload, attempts) = state.database.delivery_details(delivery.id).await?;
    Ok(json::data(DetailsBody {
        delivery: delivery.into(),
        payload: payload.and_then(|payload| RawValue::from_string(payload).ok()),
        history: attempts.into_iter().map(Into::into).collect(),
    }))
}
