//! Problems: every error of every route becomes one of these, and only here one becomes an answer.
//!
//! A handler has its own error enum, which says what happened; its `From<Error> for Problem` says which status,
//! code and words that is on the wire.

use std::{borrow::Cow, fmt::Display, sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::json;

/// The header of a 401, word for word from the contract.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="WA Gateway""#);

/// What a caller is told when something went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    cause: Option<Arc<str>>,
    /// A 401 has a browser ask for a name and a password.
    challenges: bool,
}

/// The body of every error.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"message": "Session does not exist", "code": "session_not_found"}))]
pub(crate) struct ProblemBody<'a> {
    /// A sentence for people.
    message: &'a str,
    /// A stable word for programs.
    code: &'a str,
}

/// What lies behind a problem, for the log: it is not for callers.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) Arc<str>);

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, cause: None, challenges: true }
    }

    /// When the same request may go better.
    pub(crate) fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// Without asking for a name and a password.
    pub(crate) fn without_challenge(mut self) -> Self {
        self.challenges = false;
        self
    }

    /// What the log should say about it.
    pub(crate) fn caused_by(mut self, cause: impl Display) -> Self {
        self.cause = Some(cause.to_string().into());
        self
    }

    pub(crate) fn internal(cause: impl Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal server error")
            .caused_by(cause)
    }

    pub(crate) fn route_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "route_not_found", "Route not found")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response =
            json::answer(self.status, &ProblemBody { message: &self.message, code: self.code });
        if self.status == StatusCode::UNAUTHORIZED && self.challenges {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(pause) = self.retry_after {
            let seconds = pause.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

impl From<storage::Error> for Problem {
    fn from(error: storage::Error) -> Self {
        use storage::Error as E;
        match &error {
            E::Unavailable(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database_unavailable",
                "The database is not available, try again later",
            )
            .retry_after(Duration::from_secs(1))
            .caused_by(error),
            E::Full(_) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "database_full",
                "The database has no room left, nothing was stored",
            )
            .caused_by(error),
            E::LeaseLost | E::Unreadable { .. } | E::Refused(_) => Self::internal(error),
        }
    }
}

impl From<media::Error> for Problem {
    fn from(error: media::Error) -> Self {
        match &error {
            media::Error::Unavailable(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "media_store_unavailable",
                "The media store is not available, try again later",
            )
            .retry_after(Duration::from_secs(5))
            .caused_by(error),
            media::Error::Full(_) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "media_store_full",
                "The media store has no room left, nothing was stored",
            )
            .caused_by(error),
        }
    }
}

/// Makes a handler's error enum an answer, through its `From<Error> for Problem`.
macro_rules! answers_as_problem {
    ($error:ty) => {
        impl axum::response::IntoResponse for $error {
            fn into_response(self) -> axum::response::Response {
                crate::error::Problem::from(self).into_response()
            }
        }
    };
}
pub(crate) use answers_as_problem;
