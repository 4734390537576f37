//! `PUT /webhook/endpoints/{id}`.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use domain::{access::AuditAction, event::EventKind, webhook::UrlLayout};
use storage::{EndpointChange, EndpointChanged};
use utoipa::ToSchema;

use super::{EndpointBody, EndpointError, EndpointPath, MAX_DESCRIPTION_CHARS, answer, check_url, own};
use crate::{audit, auth::Actor, error::ProblemBody, fields::JsonFields, state::ApiState};

/// What is to be different; what is left out stays.
#[derive(ToSchema)]
#[schema(example = json!({"events": ["message", "session"], "enabled": true}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct UpdateEndpoint {
    url: Option<String>,
    events: Option<Vec<String>>,
    /// An empty one takes it away.
    description: Option<String>,
    /// `false` also gives up what waits; it stays listed and can be replayed.
    enabled: Option<bool>,
}

/// Changes an endpoint. Of the callback and of `WEBHOOK_BASE_URL` only `enabled` and `description` can be changed here.
#[utoipa::path(
    put, path = "/webhook/endpoints/{id}", tag = "webhook", operation_id = "updateWebhookEndpoint",
    params(
        ("id" = String, Path, description = "The endpoint's id", example = "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of what you changed: nothing is changed when \
            it is another one by now"),
    ),
    request_body = UpdateEndpoint,
    responses(
        (status = 200, description = "The endpoint as it is now, as `data`", body = EndpointBody,
            headers(("ETag" = String, description = "For `If-Match` of the next change"))),
        (status = 400, description = "A field is wrong, or the address is not allowed", body = ProblemBody),
        (status = 404, description = "You have no such endpoint", body = ProblemBody),
        (status = 409, description = "That is set elsewhere", body = ProblemBody,
            example = json!({"message": "The callback is set with PUT /dashboard/callback",
                "code": "not_a_custom_endpoint"})),
        (status = 412, description = "It is not what `If-Match` says any more", body = ProblemBody,
            example = json!({"message": "It was changed in the meantime: look at it again",
                "code": "changed_meanwhile"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    path: EndpointPath,
    headers: HeaderMap,
    JsonFields(fields): JsonFields,
) -> Result<Response, EndpointError> {
    let endpoint = own(&state, &caller, path).await?;
    let expected = expected(&headers);
    let url = fields.url_if_any("url")?;
    let change = EndpointChange {
        kinds: fields.words_if_any("events", EventKind::ALL, EventKind::as_str)?,
        description: fields.text_if_any("description", MAX_DESCRIPTION_CHARS)?,
        enabled: fields.optional_flag("enabled")?,
        url: url.filter(|url| !url.is_empty()),
    };
    if change.url.is_some() || change.kinds.is_some() {
        match endpoint.layout {
            UrlLayout::Plain => {}
            UrlLayout::Callback => return Err(EndpointError::IsCallback),
            UrlLayout::Base => return Err(EndpointError::IsBase),
        }
    }
    if let Some(url) = &change.url {
        check_url(&state, url)?;
    }
    match state.database.change_endpoint(endpoint.id, &change, expected.as_deref()).await? {
        EndpointChanged::Done => {}
        EndpointChanged::Meanwhile => return Err(EndpointError::Meanwhile),
        EndpointChanged::NotFound => return Err(EndpointError::NotFound),
    }
    let endpoint = state.database.endpoint(endpoint.id).await?.ok_or(EndpointError::NotFound)?;
    audit::note(&state, &caller, AuditAction::WebhookEndpointChanged, endpoint.url.clone()).await;
    answer(&state, &caller, endpoint).await
}

/// The revision that a change is made on the ground of, if it says so. What is none matches none.
fn expected(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(header::IF_MATCH)?.to_str().unwrap_or_default().trim();
    (tag != "*").then(|| tag.trim_matches('"').to_owned())
}
