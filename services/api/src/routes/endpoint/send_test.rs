//! `POST /webhook/endpoints/{id}/test`: sends one event now and tells what came of it.

use axum::{extract::State, response::Response};
use domain::{
    EventId,
    event::{EventKind, Media},
    webhook::Outcome,
};
use serde::Serialize;
use serde_json::json;
use url::Url;
use utoipa::ToSchema;
use webhooks::{Attempt, Outgoing};

use super::{EndpointError, EndpointPath, own};
use crate::{auth::Actor, error::ProblemBody, json, state::ApiState};

/// What came of a test.
#[derive(Serialize, ToSchema)]
pub(crate) struct TestBody {
    /// The answer was 2xx.
    delivered: bool,
    /// The status of the answer; null when there was none.
    #[schema(example = 200)]
    status: Option<u16>,
    /// How long it took, with the renewal of a token if there was one.
    #[schema(example = 84)]
    duration_ms: u64,
    /// The first bytes of the answer.
    answer: Option<String>,
    /// Why there was no answer.
    error: Option<String>,
}

/// Sends one signed event of the kind `test` to an endpoint, as a message would be sent, and waits for the answer. It is
/// not tried again, and not listed.
#[utoipa::path(
    post, path = "/webhook/endpoints/{id}/test", tag = "webhook", operation_id = "testWebhookEndpoint",
    params(("id" = String, Path, description = "The endpoint's id", example = "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 200, description = "What came of it, as `data`", body = TestBody,
            example = json!({"data": {"delivered": false, "status": null, "duration_ms": 10003, "answer": null,
                "error": "no whole answer before the deadline"}})),
        (status = 404, description = "You have no such endpoint", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    path: EndpointPath,
) -> Result<Response, EndpointError> {
    let endpoint = own(&state, &caller, path).await?;
    let not_a_url = |error: url::ParseError| egress::Error::InvalidUrl { reason: error.to_string() };
    let url = Url::parse(&endpoint.url).map_err(|error| EndpointError::Address(not_a_url(error)))?;
    let payload = json!({
        "session": "test", "from": "0@s.whatsapp.net", "message": "a test", "media": Media::default(),
        "messageId": "TEST", "timestamp": state.clock.now().seconds(), "event": "test", "endpoint": endpoint.id,
    })
    .to_string();
    let attempt = state
        .webhooks
        .send(&Outgoing {
            event: EventId::new(),
            endpoint: endpoint.id,
            user: endpoint.user.unwrap_or(caller.id),
            address: endpoint.layout.address(&url, EventKind::Message),
            trusted: endpoint.user.is_none(),
            secrets: [endpoint.secret.as_deref(), endpoint.previous_secret.as_deref()],
            payload: &payload,
        })
        .await;
    Ok(json::data(body(attempt)))
}

fn body(attempt: Attempt) -> TestBody {
    let status = attempt.status();
    TestBody {
        delivered: matches!(attempt.outcome, Outcome::Delivered { .. }),
        status,
        duration_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
        error: attempt.answer.clone().filter(|_| status.is_none()),
        answer: attempt.answer.filter(|_| status.is_some()),
    }
}
