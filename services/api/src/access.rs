//! Which session a caller means, and whether it is theirs.

use axum::{
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
};
use domain::session::{InvalidName, Session, full_name};
use storage::Database;

use crate::{
    auth::Caller,
    error::{Problem, answers_as_problem},
};

/// What a caller's word for a session stands for.
#[derive(Debug)]
pub(crate) enum Named {
    /// One that the caller may use.
    Own(Box<Session>),
    /// One of another user, or a name that could not be the caller's: nobody learns which.
    Foreign,
    /// None, though the caller could have one of that name.
    Unknown,
}

/// Why a route does not go on with a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("You can only use your own sessions")]
    Foreign,
    #[error("Session does not exist")]
    Unknown,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let words = error.to_string();
        match error {
            AccessError::Foreign => Self::new(StatusCode::FORBIDDEN, "not_your_session", words),
            AccessError::Unknown => Self::new(StatusCode::BAD_REQUEST, "session_not_found", words),
            AccessError::Storage(error) => error.into(),
        }
    }
}

/// Why a route has nothing to show. What is another's is said to be not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("Session does not exist")]
    NoSession,
    #[error("Message not found")]
    NoMessage,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<LookupError> for Problem {
    fn from(error: LookupError) -> Self {
        let words = error.to_string();
        match error {
            LookupError::NoSession => Self::new(StatusCode::NOT_FOUND, "session_not_found", words),
            LookupError::NoMessage => Self::new(StatusCode::NOT_FOUND, "message_not_found", words),
            LookupError::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(LookupError);

/// Looks up what a caller calls `given`.
pub(crate) async fn named(database: &Database, caller: &Caller, given: &str) -> storage::Result<Named> {
    let full = match full_name(&caller.username, caller.is_admin, given) {
        Ok(full) => full,
        Err(InvalidName::Empty | InvalidName::TooLong | InvalidName::Forbidden) => return Ok(Named::Unknown),
    };
    Ok(match database.session_by_name(&full).await? {
        Some(session) if caller.may_use_sessions_of(session.user) => Named::Own(Box::new(session)),
        None if full == given => Named::Unknown,
        Some(_) | None => Named::Foreign,
    })
}

/// The session that a caller calls `given`, for the routes that need one.
pub(crate) async fn own(
    database: &Database,
    caller: &Caller,
    given: &str,
) -> Result<Box<Session>, AccessError> {
    match named(database, caller, given).await? {
        Named::Own(session) => Ok(session),
        Named::Foreign => Err(AccessError::Foreign),
        Named::Unknown => Err(AccessError::Unknown),
    }
}

/// A part of a route's path; one that is no text is nobody's name.
pub(crate) type PathName = Result<Path<String>, PathRejection>;

/// The session that a path names, for the routes under `/session/{name}`.
pub(crate) async fn visible(
    database: &Database,
    caller: &Caller,
    name: PathName,
) -> Result<Box<Session>, LookupError> {
    let Path(name) = name.map_err(|_| LookupError::NoSession)?;
    match named(database, caller, &name).await? {
        Named::Own(session) => Ok(session),
        Named::Foreign | Named::Unknown => Err(LookupError::NoSession),
    }
}
