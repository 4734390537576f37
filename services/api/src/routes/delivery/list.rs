//! `GET /webhook/deliveries`: webhooks on their way, from the newest.

use axum::{extract::State, http::StatusCode, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::webhook::DeliveryState;
use serde::Serialize;
use utoipa::ToSchema;

use super::{DeliveryBody, DeliveryError, filter};
use crate::{
    auth::Caller,
    error::ProblemBody,
    fields::{Fields, Invalid, QueryFields},
    json,
    listing::{self, PageSize},
    state::ApiState,
};

const PAGE: PageSize = PageSize { usual: 50, most: 100 };

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page {
    data: Vec<DeliveryBody>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Your webhooks, the newest first; an admin sees everybody's.
#[utoipa::path(
    get, path = "/webhook/deliveries", tag = "webhook", operation_id = "listWebhookDeliveries",
    params(
        ("state" = Option<String>, Query, description = "`pending`, `claimed`, `delivered` or `dead`", example = "dead"),
        ("endpoint" = Option<String>, Query, description = "An endpoint's id"),
        ("session" = Option<String>, Query, description = "A session's name", example = "shop"),
        ("since" = Option<String>, Query, description = "Made then or later: RFC 3339, or milliseconds since 1970"),
        ("until" = Option<String>, Query, description = "Made before that", example = "2026-11-22T19:36:11Z"),
        ("limit" = Option<u32>, Query, description = "1 to 100; 50 when it is left out", example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of them", body = Page),
        (status = 400, description = "A filter that is none, or a session that you do not have", body = ProblemBody,
            example = json!({"message": "Number must be less than or equal to 100 field 'limit' on query",
                "code": "invalid_field"})),
        (status = 403, description = "It is another user's session", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    QueryFields(fields): QueryFields,
) -> Result<Response, DeliveryError> {
    let limit = PAGE.read(&fields)?;
    let before = cursor(&fields)?;
    let filter = filter(&state, &caller, &fields, DeliveryState::ALL).await?;
    let deliveries = state.database.deliveries(&filter, before, limit).await?;
    let next = listing::last_of_full(&deliveries, limit).map(|last| written(last.position));
    let data = deliveries.into_iter().map(Into::into).collect();
    Ok(json::answer(StatusCode::OK, &Page { data, next_cursor: next }))
}

fn written(position: i64) -> String {
    URL_SAFE_NO_PAD.encode(position.to_be_bytes())
}

fn cursor(fields: &Fields) -> Result<Option<i64>, Invalid> {
    let position = |text: String| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(i64::from_be_bytes(bytes.try_into().ok()?))
    };
    let invalid = || fields.unfit("Invalid cursor".to_owned(), "cursor");
    fields.optional_text("cursor")?.map(|text| position(text).ok_or_else(invalid)).transpose()
}
