//! `GET /webhook/endpoints`: the caller's endpoints.

use axum::{extract::State, response::Response};

use super::{EndpointBody, bodies};
use crate::{auth::Caller, error::Problem, json, state::ApiState};

/// Your endpoints, with how they have been lately; your callback is among them. An admin sees the operator's
/// `WEBHOOK_BASE_URL`, too.
#[utoipa::path(
    get, path = "/webhook/endpoints", tag = "webhook", operation_id = "listWebhookEndpoints",
    responses((status = 200, description = "The endpoints, as `data`, oldest first", body = Vec<EndpointBody>,
        example = json!({"data": [{"id": "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", "kind": "callback",
            "url": "https://hooks.example/wa", "events": ["message", "session"], "description": null,
            "enabled": false, "disabled_reason": "it answered 410 Gone", "signed": false,
            "previous_secret_until": null, "created_at": "2026-11-22T19:36:11Z", "pending": 0, "dead": 3,
            "last_delivery": {"id": "dlv_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", "state": "dead", "status": 410,
                "error": "gone", "at": "2026-11-22T20:01:00Z"}, "health": {"delivered_24h": 120, "failed_24h": 3,
                "counted_since": "2026-11-21T20:02:00Z", "dead": 3, "oldest_due_at": null, "last_answer":
                {"at": "2026-11-22T20:01:00Z", "status": 410, "error": "gone", "duration_ms": 12}}}]})))
)]
pub(crate) async fn handler(caller: Caller, State(state): State<ApiState>) -> Result<Response, Problem> {
    let endpoints = state.database.endpoints(caller.id, caller.is_admin).await?;
    Ok(json::data(bodies(&state, &caller, endpoints).await?))
}
