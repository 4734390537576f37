//! `POST /admin/users`: a new user.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::access::AuditAction;
use domain::user::{InvalidUsername, MAX_USERNAME_CHARS, check_username};
use secrets::PasswordError;
use storage::NewUser;
use utoipa::ToSchema;

use super::{MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, Row, password_problem};
use crate::{
    audit,
    auth::{Actor, Admin},
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Invalid, JsonFields},
    json,
    state::ApiState,
};

/// The shortest user name, in characters.
const MIN_USERNAME_CHARS: usize = 3;

/// Who is to be made.
#[derive(ToSchema)]
#[schema(example = json!({"username": "anna", "password": "correct horse"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct CreateUser {
    /// Begins the names of the user's sessions. No colons, slashes or control characters.
    #[schema(min_length = 3, max_length = 64)]
    username: String,
    /// At most 72 bytes.
    #[schema(min_length = 4, max_length = 72)]
    password: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("Invalid username: {0}")]
    Name(#[from] InvalidUsername),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error("Username already exists")]
    Taken,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::Name(_) => Self::new(StatusCode::BAD_REQUEST, "invalid_username", words),
            Error::Password(error) => password_problem(error),
            Error::Taken => Self::new(StatusCode::BAD_REQUEST, "username_taken", words),
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Makes a user.
#[utoipa::path(
    post, path = "/admin/users", tag = "user", operation_id = "createUser",
    request_body = CreateUser,
    responses(
        (status = 200, description = "The user, as `data`", body = Row,
            example = json!({"data": {"id": 2, "username": "anna", "is_admin": 0, "session_name": "anna",
                "callback_url": null, "webhook_auth_type": "none", "created_at": "2026-11-22 19:36:11"}})),
        (status = 400, description = "Not a name or a password, or the name is taken", body = ProblemBody, examples(
            ("Taken" = (value = json!({"message": "Username already exists", "code": "username_taken"}))),
            ("Short" = (value = json!({"message":
                "String must contain at least 3 character(s) field 'username' on json", "code": "invalid_field"}))),
        )),
        (status = 403, description = "You are not an admin", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    Admin(caller): Admin<Actor>,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, Error> {
    let username = fields.text_within("username", MIN_USERNAME_CHARS, MAX_USERNAME_CHARS)?;
    let password = fields.text_within("password", MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS)?;
    check_username(&username)?;
    let password_hash = state.passwords.hash(&password.into()).await?;
    let user = state.database.create_user(&NewUser { username, password_hash }).await?.ok_or(Error::Taken)?;
    // Only another admin can have removed it in the meantime, and then the name can be had again.
    let account = state.database.account(user.id).await?.ok_or(Error::Taken)?;
    audit::note(&state, &caller, AuditAction::UserCreated, account.user.username.clone()).await;
    Ok(json::data(Row::from(&account)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Rig;

    const USERS: &str = "/admin/users";

    #[tokio::test]
    async fn a_user_is_made_once_and_logs_in() {
        let rig = Rig::new().await;
        let body = json!({"username": "ünal", "password": "a:b:", "is_admin": 1});
        let answer = rig.post(USERS, &body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let data = &answer.json()["data"];
        assert_eq!(
            data,
            &json!({"id": 2, "username": "ünal", "is_admin": 0, "session_name": "ünal", "callback_url": null,
                "webhook_auth_type": "none", "created_at": "2026-11-22 19:36:11"})
        );
        assert_eq!(rig.get("/session").basic("ünal", "a:b:").send().await.status, 200);
        rig.post(USERS, &body).send().await.fails(400, "username_taken", "Username already exists");
        let admin = json!({"username": "admin", "password": "other"});
        rig.post(USERS, &admin).send().await.fails(400, "username_taken", "Username already exists");
        assert_eq!(rig.get("/session").send().await.status, 200, "the admin's password is what it was");
    }

    #[tokio::test]
    async fn the_first_wrong_field_is_named() {
        let rig = Rig::new().await;
        let (long, bytes) = ("x".repeat(65), "é".repeat(40));
        let table = [
            (json!({}), "Required field 'username' on json"),
            (json!({"username": "anna"}), "Required field 'password' on json"),
            (
                json!({"username": 5, "password": "x"}),
                "Expected string, received number field 'username' on json",
            ),
            (
                json!({"username": "an", "password": "x"}),
                "String must contain at least 3 character(s) field 'username' on json",
            ),
            (
                json!({"username": "anna", "password": "abc"}),
                "String must contain at least 4 character(s) field 'password' on json",
            ),
            (
                json!({"username": "anna", "password": null}),
                "Expected string, received null field 'password' on json",
            ),
            (
                json!({"username": long, "password": "abcd"}),
                "String must contain at most 64 character(s) field 'username' on json",
            ),
            (
                json!({"username": "anna", "password": "x".repeat(73)}),
                "String must contain at most 72 character(s) field 'password' on json",
            ),
            (
                json!({"username": "anna", "password": bytes}),
                "a password has at most 72 bytes field 'password' on json",
            ),
        ];
        for (body, words) in table {
            rig.post(USERS, &body).send().await.fails(400, "invalid_field", words);
        }
        for name in ["a:b", "a/b", "../..", " anna", "anna\n", "a\u{202e}bc"] {
            let answer = rig.post(USERS, &json!({"username": name, "password": "abcd"})).send().await;
            assert_eq!((answer.status, answer.code()), (400, "invalid_username".to_owned()), "{name:?}");
        }
        let malformed = rig.request("POST", USERS).header("content-type", "application/json").body("{");
        malformed.send().await.fails(400, "malformed_json", "Malformed JSON in request body");
        assert_eq!(rig.database.accounts().await.unwrap().len(), 1);
    }
}
