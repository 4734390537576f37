//! Webhooks on their way, and what became of them.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod replay;
pub(crate) mod replay_many;
#[cfg(test)]
mod tests;

use axum::{
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
};
use domain::{
    DeliveryId, EndpointId, EventId, Timestamp,
    webhook::{Delivery, DeliveryState},
};
use serde::Serialize;
use storage::DeliveryFilter;
use utoipa::ToSchema;

use crate::{
    access::{self, AccessError},
    auth::Caller,
    error::{Problem, answers_as_problem},
    fields::{Fields, Invalid},
    state::ApiState,
};

/// One event on its way to one endpoint.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryBody {
    #[schema(value_type = String, example = "dlv_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    id: DeliveryId,
    /// `webhook-id`: the same in every attempt and for every endpoint.
    #[schema(value_type = String, example = "evt_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    event_id: EventId,
    /// What the event is about.
    #[schema(example = "message")]
    event: String,
    /// The session's name; null when it has been removed since.
    session: Option<String>,
    #[schema(value_type = String, example = "end_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    endpoint_id: EndpointId,
    /// The endpoint's address.
    #[schema(example = "https://hooks.example/wa")]
    url: String,
    /// `pending`, `claimed` (a dispatcher is at it), `delivered` or `dead` (given up).
    #[schema(value_type = String, example = "dead")]
    state: DeliveryState,
    attempts: i32,
    /// When the next attempt is due, for one that waits.
    next_attempt_at: Option<String>,
    /// The status of the last answer, when there was one.
    last_status: Option<u16>,
    /// The first bytes of the last answer, or why there was none; null once it is delivered.
    last_error: Option<String>,
    created_at: String,
    finished_at: Option<String>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event,
            event: delivery.kind,
            session: delivery.session_name,
            endpoint_id: delivery.endpoint,
            url: delivery.url,
            state: delivery.state,
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at.map(Timestamp::to_rfc3339),
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at.to_rfc3339(),
            finished_at: delivery.finished_at.map(Timestamp::to_rfc3339),
        }
    }
}

/// What can be wrong about deliveries.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Session(#[from] AccessError),
    #[error("Delivery not found")]
    NotFound,
    #[error("A dispatcher is at it this moment")]
    UnderWay,
    #[error("Its endpoint is disabled or removed")]
    EndpointDisabled,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<DeliveryError> for Problem {
    fn from(error: DeliveryError) -> Self {
        use DeliveryError as E;
        let words = error.to_string();
        match error {
            E::Invalid(invalid) => invalid.into(),
            E::Session(error) => error.into(),
            E::NotFound => Self::new(StatusCode::NOT_FOUND, "delivery_not_found", words),
            E::UnderWay => Self::new(StatusCode::CONFLICT, "delivery_under_way", words),
            E::EndpointDisabled => Self::new(StatusCode::CONFLICT, "endpoint_disabled", words),
            E::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(DeliveryError);

/// A delivery's id from a path; what is none belongs to nobody.
type DeliveryPath = Result<Path<String>, PathRejection>;

/// The delivery of a path, if the caller may see it.
async fn own(state: &ApiState, caller: &Caller, path: DeliveryPath) -> Result<Delivery, DeliveryError> {
    let id = path.ok().and_then(|Path(id)| id.parse().ok()).ok_or(DeliveryError::NotFound)?;
    let delivery = state.database.delivery(id).await?.ok_or(DeliveryError::NotFound)?;
    if caller.may_use_sessions_of(delivery.user) { Ok(delivery) } else { Err(DeliveryError::NotFound) }
}

/// The deliveries that fields name, among those that the caller may see.
async fn filter(
    state: &ApiState,
    caller: &Caller,
    fields: &Fields,
    states: &[DeliveryState],
) -> Result<DeliveryFilter, DeliveryError> {
    let filter = DeliveryFilter {
        user: caller.scope(),
        state: fields.word_if_any("state", states, DeliveryState::as_str)?,
        endpoint: endpoint(fields)?,
        session: None,
        since: fields.time_if_any("since")?,
        until: fields.time_if_any("until")?,
    };
    match fields.optional_text("session")? {
        None => Ok(filter),
        Some(name) => {
            let session = access::own(&state.database, caller, &name).await?;
            Ok(DeliveryFilter { session: Some(session.id), ..filter })
        }
    }
}

fn endpoint(fields: &Fields) -> Result<Option<EndpointId>, Invalid> {
    let parse = |id: String| {
        id.parse().map_err(|_| fields.unfit("Expected an id such as end_…".to_owned(), "endpoint"))
    };
    fields.optional_text("endpoint")?.map(parse).transpose()
}
