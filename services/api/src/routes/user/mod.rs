//! Users, as an admin keeps them.

pub(crate) mod configure;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod set_password;

use axum::{
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
};
use domain::{UserId, session::InvalidName, user::Account};
use secrets::PasswordError;
use serde::Serialize;
use storage::Edited;
use utoipa::ToSchema;

use crate::{
    error::{Problem, answers_as_problem},
    fields::Invalid,
};

/// The shortest password, in characters.
const MIN_PASSWORD_CHARS: usize = 4;

/// The most characters of a password that are looked at before its bytes are counted.
const MAX_PASSWORD_CHARS: usize = 72;

/// A user. No secret is among it.
#[derive(Serialize, ToSchema)]
#[schema(as = User, example = json!({"id": 2, "username": "anna", "is_admin": 0, "session_name": "anna",
    "callback_url": "https://hooks.example/wa", "webhook_auth_type": "none", "created_at": "2026-11-22 19:36:11"}))]
pub(crate) struct Row<'a> {
    id: i64,
    username: &'a str,
    /// 1 for the admin.
    is_admin: u8,
    /// What the user's session is called when no name is given.
    session_name: &'a str,
    /// Where the user's webhooks go; null: to `WEBHOOK_BASE_URL`.
    callback_url: Option<&'a str>,
    /// `none`, `basic`, `bearer` or `oauth2`.
    webhook_auth_type: &'a str,
    /// UTC.
    created_at: String,
}

impl<'a> From<&'a Account> for Row<'a> {
    fn from(account: &'a Account) -> Self {
        let Account { user, session_name, callback_url, webhook_auth_type } = account;
        Self {
            id: user.id.0,
            username: &user.username,
            is_admin: u8::from(user.is_admin),
            session_name,
            callback_url: callback_url.as_deref(),
            webhook_auth_type,
            created_at: user.created_at.to_sql(),
        }
    }
}

/// Why a user is not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("User not found")]
    NotFound,
    #[error("{0}")]
    IsAdmin(&'static str),
    #[error("Invalid session name: {0}")]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        use EditError as E;
        let words = error.to_string();
        match error {
            E::Invalid(invalid) => invalid.into(),
            E::NotFound => Self::new(StatusCode::NOT_FOUND, "user_not_found", words),
            E::IsAdmin(_) => Self::new(StatusCode::BAD_REQUEST, "user_is_admin", words),
            E::Name(_) => Self::new(StatusCode::BAD_REQUEST, "invalid_session_name", words),
            E::Password(error) => password_problem(error),
            E::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(EditError);

/// What a password that cannot be hashed is answered with.
fn password_problem(error: PasswordError) -> Problem {
    match error {
        PasswordError::TooLong => Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_field",
            format!("{error} field 'password' on json"),
        ),
        PasswordError::InvalidHash | PasswordError::Stopping => Problem::internal(error),
    }
}

/// What a change came to; `of_admin` is what the contract says when it would be the admin's.
fn edited(edited: Edited, of_admin: &'static str) -> Result<(), EditError> {
    match edited {
        Edited::Done => Ok(()),
        Edited::NotFound => Err(EditError::NotFound),
        Edited::IsAdmin => Err(EditError::IsAdmin(of_admin)),
    }
}

/// A user's number from a path; what is none belongs to nobody.
type UserPath = Result<Path<i64>, PathRejection>;

fn user_id(path: UserPath) -> Result<UserId, EditError> {
    path.map(|Path(id)| UserId(id)).map_err(|_| EditError::NotFound)
}
