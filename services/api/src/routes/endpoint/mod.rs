//! Where webhooks go: a user's own endpoints, and the callback of the contract beside them.

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod rotate_secret;
pub(crate) mod send_test;
#[cfg(test)]
mod tests;
pub(crate) mod update;

use std::time::Duration;

use axum::{
    extract::{Path, rejection::PathRejection},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use domain::{
    EndpointId,
    event::EventKind,
    webhook::{Endpoint, MOST_ENDPOINTS, UrlLayout},
};
use serde::Serialize;
use storage::{EndpointHealth, endpoint_revision};
use url::Url;
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    error::{Problem, answers_as_problem},
    fields::Invalid,
    json,
    state::ApiState,
};

/// How far back the health of an endpoint goes.
const DAY: Duration = Duration::from_hours(24);

/// The most characters of a description.
const MAX_DESCRIPTION_CHARS: usize = 500;

/// An endpoint, and how it has been lately.
#[derive(Serialize, ToSchema)]
pub(crate) struct EndpointBody {
    #[schema(value_type = String, example = "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    id: EndpointId,
    /// `custom`; `callback`: the one that is set with `PUT /dashboard/callback`; `base`: the operator's.
    #[schema(example = "custom")]
    kind: &'static str,
    #[schema(example = "https://hooks.example/wa")]
    url: String,
    /// What it wants to hear of.
    #[schema(value_type = Vec<String>, example = json!(["message", "session"]))]
    events: Vec<EventKind>,
    description: Option<String>,
    enabled: bool,
    /// Why it is not enabled.
    disabled_reason: Option<String>,
    /// It has a signing secret.
    signed: bool,
    /// Until then the secret before the last `rotate-secret` signs as well.
    previous_secret_until: Option<String>,
    created_at: String,
    /// Webhooks that wait, counted up to 10,000.
    pending: i64,
    /// Webhooks that were given up, counted up to 10,000.
    dead: i64,
    last_delivery: Option<LastDeliveryBody>,
    health: HealthBody,
}

/// How an endpoint has been lately.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthBody {
    /// Webhooks made in the last 24 hours that were delivered.
    delivered_24h: u64,
    /// Webhooks made in the last 24 hours that were given up, or tried without success so far.
    failed_24h: u64,
    /// Both are counted from here on: later than 24 hours ago when there were very many.
    counted_since: String,
    /// Webhooks that were given up, counted up to 10,000.
    dead: i64,
    /// When the oldest webhook that waits is, or was, due.
    oldest_due_at: Option<String>,
    /// What came of the last try.
    last_answer: Option<LastAnswerBody>,
}

/// What came of a try.
#[derive(Serialize, ToSchema)]
pub(crate) struct LastAnswerBody {
    at: String,
    /// The status of the answer; null when there was none.
    status: Option<u16>,
    /// Why there was none, or the first bytes of an answer that was not a success.
    error: Option<String>,
    duration_ms: u64,
}

/// The newest webhook that was tried.
#[derive(Serialize, ToSchema)]
pub(crate) struct LastDeliveryBody {
    #[schema(value_type = String, example = "dlv_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    id: domain::DeliveryId,
    /// `pending`, `claimed`, `delivered` or `dead`.
    #[schema(value_type = String, example = "delivered")]
    state: domain::webhook::DeliveryState,
    /// The status of the last answer, when there was one.
    status: Option<u16>,
    /// What went wrong.
    error: Option<String>,
    at: String,
}

impl HealthBody {
    fn of(health: EndpointHealth, dead: i64) -> Self {
        let last_answer = health.last_answer.map(|last| {
            let success = last.status.is_some_and(|status| (200..300).contains(&status));
            LastAnswerBody {
                at: last.at.to_rfc3339(),
                status: last.status,
                error: last.answer.filter(|_| !success),
                duration_ms: u64::try_from(last.duration.as_millis()).unwrap_or(u64::MAX),
            }
        });
        Self {
            delivered_24h: health.delivered,
            failed_24h: health.failed,
            counted_since: health.since.to_rfc3339(),
            dead,
            oldest_due_at: health.oldest_due_at.map(domain::Timestamp::to_rfc3339),
            last_answer,
        }
    }
}

impl EndpointBody {
    fn of(endpoint: Endpoint, health: EndpointHealth) -> Self {
        Self {
            health: HealthBody::of(health, endpoint.dead),
            id: endpoint.id,
            kind: match endpoint.layout {
                UrlLayout::Plain => "custom",
                UrlLayout::Callback => "callback",
                UrlLayout::Base => "base",
            },
            url: endpoint.url,
            events: endpoint.kinds,
            description: endpoint.description,
            enabled: endpoint.enabled,
            disabled_reason: endpoint.disabled_reason,
            signed: endpoint.secret.is_some(),
            previous_secret_until: endpoint.previous_secret_until.map(domain::Timestamp::to_rfc3339),
            created_at: endpoint.created_at.to_rfc3339(),
            pending: endpoint.pending,
            dead: endpoint.dead,
            last_delivery: endpoint.last.map(|last| LastDeliveryBody {
                id: last.id,
                state: last.state,
                status: last.status,
                error: last.error,
                at: last.at.to_rfc3339(),
            }),
        }
    }
}

/// Endpoints with how they have been.
async fn bodies(
    state: &ApiState,
    caller: &Caller,
    endpoints: Vec<Endpoint>,
) -> storage::Result<Vec<EndpointBody>> {
    let since = state.clock.now() - DAY;
    // Whose webhooks went there: everybody's, to the operator's endpoint and to those of others that an admin sees.
    let of = endpoints.iter().all(|endpoint| endpoint.user == Some(caller.id)).then_some(caller.id);
    let mut health = state.database.endpoint_health(of, &endpoints, since).await?;
    let body = |endpoint: Endpoint| {
        let health = health.remove(&endpoint.id).unwrap_or_default();
        EndpointBody::of(endpoint, health)
    };
    Ok(endpoints.into_iter().map(body).collect())
}

/// The body of one endpoint, with its revision as `ETag`.
async fn answer(state: &ApiState, caller: &Caller, endpoint: Endpoint) -> Result<Response, EndpointError> {
    let etag = HeaderValue::try_from(format!("\"{}\"", endpoint_revision(&endpoint)));
    let body = bodies(state, caller, vec![endpoint]).await?.pop().ok_or(EndpointError::NotFound)?;
    let mut response = json::data(body);
    response.headers_mut().extend(etag.ok().map(|etag| (header::ETAG, etag)));
    Ok(response)
}

/// What can be wrong about endpoints.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("Endpoint not found")]
    NotFound,
    #[error("The URL must not contain a user name or a password")]
    Credentials,
    #[error("url: {0}")]
    Address(egress::Error),
    #[error("A user can have at most {MOST_ENDPOINTS} endpoints")]
    TooMany,
    #[error("The callback is set with PUT /dashboard/callback")]
    IsCallback,
    #[error("WEBHOOK_BASE_URL is set by the operator")]
    IsBase,
    #[error("It was changed in the meantime: look at it again")]
    Meanwhile,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<EndpointError> for Problem {
    fn from(error: EndpointError) -> Self {
        use EndpointError as E;
        let words = error.to_string();
        match error {
            E::Invalid(invalid) => invalid.into(),
            E::NotFound => Self::new(StatusCode::NOT_FOUND, "endpoint_not_found", words),
            E::Credentials => Self::new(StatusCode::BAD_REQUEST, "url_has_credentials", words),
            E::Address(_) => Self::new(StatusCode::BAD_REQUEST, "url_not_allowed", words),
            E::TooMany => Self::new(StatusCode::CONFLICT, "too_many_endpoints", words),
            E::IsCallback | E::IsBase => Self::new(StatusCode::CONFLICT, "not_a_custom_endpoint", words),
            E::Meanwhile => Self::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", words),
            E::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(EndpointError);

/// An endpoint's id from a path; what is none belongs to nobody.
type EndpointPath = Result<Path<String>, PathRejection>;

/// The endpoint of a path, if the caller may see it.
async fn own(state: &ApiState, caller: &Caller, path: EndpointPath) -> Result<Endpoint, EndpointError> {
    let id = path.ok().and_then(|Path(id)| id.parse().ok()).ok_or(EndpointError::NotFound)?;
    let endpoint = state.database.endpoint(id).await?.ok_or(EndpointError::NotFound)?;
    if caller.is_admin || endpoint.user == Some(caller.id) {
        Ok(endpoint)
    } else {
        Err(EndpointError::NotFound)
    }
}

/// Where an endpoint may lead, as far as that can be said now.
fn check_url(state: &ApiState, url: &str) -> Result<(), EndpointError> {
    let not_a_url = egress::Error::InvalidUrl { reason: "it cannot be read".to_owned() };
    let url = Url::parse(url).map_err(|_| EndpointError::Address(not_a_url))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::Credentials);
    }
    state.webhooks.check(&url).map_err(EndpointError::Address)
}
