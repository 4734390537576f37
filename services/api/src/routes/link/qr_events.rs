//! `GET /link/{token}/qr/events`: what to scan, as it changes, until the session is linked.

use axum::{extract::State, response::Response};

use super::may_start;
use crate::{
    error::{Problem, ProblemBody, answers_as_problem},
    pairing::{self, StartError},
    routes::session::qr_events::{Listener, follow},
    shares::{Share, ShareError, TokenPath},
    state::ApiState,
    stream::TooManyStreams,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Share(#[from] ShareError),
    #[error(transparent)]
    TooMany(#[from] TooManyStreams),
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Share(error) => error.into(),
            Error::TooMany(error) => error.into(),
            // Removed since it was looked up, and perhaps made anew by somebody else.
            Error::Start(StartError::Removed | StartError::Foreign) => ShareError::Expired.into(),
            Error::Start(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// What to scan, as it changes: as `GET /session/{name}/qr/events`, without reasons and numbers. Starts the session when
/// it is not linked and not running.
#[utoipa::path(
    get, path = "/link/{token}/qr/events", tag = "link", operation_id = "followLinkQr", security(()),
    params(("token" = String, Path, description = "The last part of the link")),
    responses(
        (status = 200, description = "Server-sent events; they end when the session is linked, when it stopped and \
            nothing more will come, or with the link", content_type = "text/event-stream", body = String,
            example = "event: qr\ndata: {\"session\":\"shop\",\"state\":\"pairing\",\"qr\":\"2@3xWJ…\"}\n\n"),
        (status = 404, description = "The link has expired or was revoked", body = ProblemBody, example = json!({
            "message": "This link has expired or was revoked: ask for a new one", "code": "link_expired"})),
        (status = 503, description = "Too many streams are open, of this link or in all", body = ProblemBody),
        (status = 507, description = "The database has no room left", body = ProblemBody),
    )
)]
pub(crate) async fn handler(State(state): State<ApiState>, token: TokenPath) -> Result<Response, Error> {
    let (share, mut session) = Share::open(&state, token).await?;
    let place = state.guests.enter(session.id)?;
    if may_start(&session) {
        match pairing::begin(&state, session.user, &session.name).await {
            Ok(begun) => session = begun,
            // It was linked in this moment.
            Err(StartError::Exists) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(follow(state, Listener::Guest { share, _place: place }, session).await?)
}
