//! `POST /webhook/endpoints`: one more place that webhooks go to.

use axum::{extract::State, response::Response};
use domain::{access::AuditAction, event::EventKind};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use storage::NewEndpoint;
use utoipa::ToSchema;

use super::{EndpointBody, EndpointError, MAX_DESCRIPTION_CHARS, bodies, check_url};
use crate::{audit, auth::Actor, error::ProblemBody, fields::JsonFields, json, state::ApiState};

/// What an endpoint hears of when it does not say.
const DEFAULT_EVENTS: [EventKind; 2] = [EventKind::Message, EventKind::Session];

/// An endpoint to be.
#[derive(ToSchema)]
#[schema(example = json!({"url": "https://hooks.example/wa", "events": ["message"], "description": "orders"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct CreateEndpoint {
    /// `http` or `https`, without a login. A public address, or one that `EGRESS_ALLOW` permits.
    url: String,
    /// What it wants to hear of; `message` and `session` when left out.
    events: Option<Vec<String>>,
    description: Option<String>,
}

/// An endpoint that was made, with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedBody {
    #[serde(flatten)]
    endpoint: EndpointBody,
    /// Signs every webhook after the Standard Webhooks specification. Shown this once.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// Makes an endpoint. It hears of what happens from now on.
#[utoipa::path(
    post, path = "/webhook/endpoints", tag = "webhook", operation_id = "createWebhookEndpoint",
    request_body = CreateEndpoint,
    responses(
        (status = 200, description = "The endpoint and its secret, as `data`", body = CreatedBody),
        (status = 400, description = "A field is wrong, or the address is not allowed", body = ProblemBody,
            example = json!({"message": "url: 10.0.0.1 is not a public address; EGRESS_ALLOW can permit it",
                "code": "url_not_allowed"})),
        (status = 409, description = "You have 20 already", body = ProblemBody,
            example = json!({"message": "A user can have at most 20 endpoints", "code": "too_many_endpoints"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, EndpointError> {
    let url = fields.url("url")?;
    let kinds = fields.words_if_any("events", EventKind::ALL, EventKind::as_str)?;
    let description = fields.text_if_any("description", MAX_DESCRIPTION_CHARS)?;
    check_url(&state, &url)?;
    let secret = webhooks::new_secret();
    let new = NewEndpoint {
        user: caller.id,
        url,
        kinds: kinds.unwrap_or(DEFAULT_EVENTS.to_vec()),
        description: description.filter(|text| !text.is_empty()),
        secret: secret.clone(),
    };
    let id = state.database.create_endpoint(&new).await?.ok_or(EndpointError::TooMany)?;
    let endpoint = state.database.endpoint(id).await?.ok_or(EndpointError::NotFound)?;
    audit::note(&state, &caller, AuditAction::WebhookEndpointCreated, endpoint.url.clone()).await;
    let body = bodies(&state, &caller, vec![endpoint]).await?.pop().ok_or(EndpointError::NotFound)?;
    Ok(json::data(CreatedBody { endpoint: body, secret: secret.expose_secret().to_owned() }))
}
