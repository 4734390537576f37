//! `POST /webhook/deliveries/replay`: sends many webhooks again.

use axum::{extract::State, response::Response};
use domain::{access::AuditAction, webhook::DeliveryState};
use serde::Serialize;
use storage::DeliveryFilter;
use utoipa::ToSchema;

use super::{DeliveryError, filter};
use crate::{announce, audit, auth::Actor, error::ProblemBody, fields::JsonFields, json, state::ApiState};

/// How many are replayed in one transaction, and in one request.
const BATCH: u32 = 500;
const MOST: u64 = 10_000;

/// Which ones; what is left out does not matter.
#[derive(ToSchema)]
#[schema(example = json!({"state": "dead", "session": "shop", "since": "2026-11-22T00:00:00Z"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct ReplayFilter {
    /// `dead` (the default) or `delivered`.
    state: Option<String>,
    /// An endpoint's id.
    endpoint: Option<String>,
    /// A session's name.
    session: Option<String>,
    /// Made then or later: RFC 3339, or milliseconds since 1970.
    since: Option<String>,
    /// Made before that.
    until: Option<String>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayedBody {
    /// How many are due now.
    #[schema(example = 42)]
    replayed: u64,
    /// There are more: ask again.
    more: bool,
}

/// Sends webhooks again that were given up, or delivered; at most 10,000 at a time, the oldest first. Those of disabled
/// endpoints are left out.
#[utoipa::path(
    post, path = "/webhook/deliveries/replay", tag = "webhook", operation_id = "replayWebhookDeliveries",
    request_body = ReplayFilter,
    responses(
        (status = 200, description = "How many, as `data`", body = ReplayedBody,
            example = json!({"data": {"replayed": 42, "more": false}})),
        (status = 400, description = "A filter that is none, or a session that you do not have", body = ProblemBody),
        (status = 403, description = "It is another user's session", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, DeliveryError> {
    const ENDED: [DeliveryState; 2] = [DeliveryState::Dead, DeliveryState::Delivered];
    let given = filter(&state, &caller, &fields, &ENDED).await?;
    let filter = DeliveryFilter { state: Some(given.state.unwrap_or(DeliveryState::Dead)), ..given };
    let mut replayed = 0;
    let mut next = Some(0);
    while let Some(after) = next.filter(|_| replayed < MOST) {
        let batch = state.database.replay_deliveries(&filter, after, BATCH).await?;
        replayed += batch.replayed;
        next = batch.next;
        announce::deliveries_due(&state.bus);
    }
    let detail = format!("{replayed} webhooks");
    audit::note_detail(&state, &caller, AuditAction::WebhooksReplayed, None, Some(detail)).await;
    Ok(json::data(ReplayedBody { replayed, more: next.is_some() }))
}
