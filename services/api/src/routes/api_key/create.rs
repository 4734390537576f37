//! `POST /api-keys`: one more key.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use domain::access::{AuditAction, MAX_API_KEY_NAME_CHARS, MOST_API_KEYS, Scope};
use secrets::{TOKEN_PREFIX, Token};
use serde::Serialize;
use storage::{KeyMade, NewApiKey};
use utoipa::ToSchema;

use super::ApiKeyBody;
use crate::{
    audit,
    auth::{Actor, AuthError},
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Invalid, JsonFields},
    json::{self, Data},
    state::ApiState,
};

/// How much of a key its owner knows it by.
const SHOWN: usize = TOKEN_PREFIX.len() + 8;

/// The longest that a key can be made for, in days.
const MOST_DAYS: i64 = 3650;

const DAY: Duration = Duration::from_hours(24);

/// A key to be.
#[derive(ToSchema)]
#[schema(example = json!({"name": "shop backend", "scopes": ["messages:send", "messages:read"],
    "expires_in_days": 90}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct CreateApiKey {
    /// What you call it.
    #[schema(max_length = 100)]
    name: String,
    /// What it is for: `messages:send`, `messages:read`, `sessions:read`, `sessions:write`, `webhooks:read`,
    /// `webhooks:write`; for admins also `admin`, which opens the routes under `/admin/`.
    scopes: Vec<String>,
    /// 1 to 3650; never when it is left out.
    expires_in_days: Option<u32>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedApiKey {
    #[serde(flatten)]
    about: ApiKeyBody,
    /// The key itself: `Authorization: Bearer wag_…`. Shown this once.
    #[schema(example = "wag_Q7bXr2LpVw0mS3tYzA1bC4dE5fG6hI7jK8lM9nO0pQr")]
    key: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("The scope admin is for admins")]
    NotAdmin,
    #[error("A user can have at most {MOST_API_KEYS} API keys")]
    TooMany,
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::NotAdmin => Self::new(StatusCode::FORBIDDEN, "admin_required", words),
            Error::TooMany => Self::new(StatusCode::CONFLICT, "too_many_keys", words),
            Error::Auth(error) => error.into(),
            Error::Storage(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Makes an API key. It stands for you on the routes that its scopes open, until it is revoked, expires, or your
/// password changes. Keys cannot make keys.
#[utoipa::path(
    post, path = "/api-keys", tag = "auth", operation_id = "createApiKey",
    request_body = CreateApiKey,
    responses(
        (status = 201, description = "The key, as `data`", body = CreatedApiKey),
        (status = 400, description = "A field is wrong", body = ProblemBody, example = json!({"message":
            "Array must contain at least 1 element(s) field 'scopes' on json", "code": "invalid_field"})),
        (status = 403, description = "The scope `admin` is for admins", body = ProblemBody,
            example = json!({"message": "The scope admin is for admins", "code": "admin_required"})),
        (status = 409, description = "You have 100 already", body = ProblemBody,
            example = json!({"message": "A user can have at most 100 API keys", "code": "too_many_keys"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, Error> {
    let name = fields.filled_text("name", MAX_API_KEY_NAME_CHARS)?;
    if name.contains(char::is_control) {
        return Err(fields.unfit("String must not contain control characters".to_owned(), "name").into());
    }
    let scopes = fields.words_if_any("scopes", Scope::ALL, Scope::as_str)?;
    let scopes = scopes.ok_or_else(|| fields.missing("scopes"))?;
    let days = fields.optional_count("expires_in_days", 1..=MOST_DAYS)?;
    if scopes.contains(&Scope::Admin) && !caller.is_admin {
        return Err(Error::NotAdmin);
    }
    let token = Token::generate();
    let days = days.and_then(|days| u32::try_from(days).ok());
    let new = NewApiKey {
        name,
        prefix: token.expose().chars().take(SHOWN).collect(),
        token: token.hash(),
        scopes,
        expires_at: days.map(|days| state.clock.now() + DAY * days),
    };
    let key = match state.database.create_api_key(&caller, &new).await? {
        KeyMade::Done(key) => key,
        KeyMade::TooMany => return Err(Error::TooMany),
        // Since the credentials were checked.
        KeyMade::NoUser => return Err(AuthError::Wrong.into()),
    };
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let target = format!("{} ({})", key.name, key.prefix);
    audit::note_detail(&state, &caller, AuditAction::KeyCreated, Some(target), Some(scopes.join(", "))).await;
    let created = CreatedApiKey { about: key.into(), key: token.expose().to_owned() };
    let mut response = json::answer(StatusCode::CREATED, &Data { data: created });
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::testing::Rig;

    const KEYS: &str = "/api-keys";

    #[tokio::test]
    async fn a_key_is_shown_once_and_stands_for_its_user() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session_of(&anna, "anna_shop").await;
        let body = json!({"name": "<b>shop</b>", "scopes": ["sessions:read", "messages:send", "sessions:read"],
            "expires_in_days": 1});
        let answer = rig.post(KEYS, &body).by(&anna).send().await;
        assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"), "{}", answer.body);
        let made = answer.json()["data"].clone();
        let key = made["key"].as_str().unwrap();
        assert!(key.starts_with(made["prefix"].as_str().unwrap()) && key.len() == 47, "{made}");
        assert_eq!(
            (&made["name"], &made["scopes"]),
            (&json!("<b>shop</b>"), &json!(["messages:send", "sessions:read"]))
        );
        let end = rig.now() + Duration::from_hours(24);
        assert_eq!((&made["expires_at"], &made["last_used_at"]), (&json!(end.to_rfc3339()), &json!(null)));

        rig.get("/session").bearer(key).send().await.is(200, r#"{"data":["anna_shop"]}"#);
        let listed = rig.get(KEYS).by(&anna).send().await.json()["data"][0].clone();
        assert_eq!((&listed["id"], &listed["last_used_at"]), (&made["id"], &json!(rig.now().to_rfc3339())));
        rig.advance(Duration::from_hours(24));
        let late = rig.get("/session").bearer(key).send().await;
        late.fails(401, "invalid_credentials", "Invalid credentials");
    }

    #[tokio::test]
    async fn bad_input_and_keys_make_no_keys() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        let table = [
            (json!({}), "Required field 'name' on json"),
            (json!({"name": ""}), "String must contain at least 1 character(s) field 'name' on json"),
            (
                json!({"name": "x".repeat(101)}),
                "String must contain at most 100 character(s) field 'name' on json",
            ),
            (json!({"name": "a\u{0}b"}), "String must not contain control characters field 'name' on json"),
            (json!({"name": "x"}), "Required field 'scopes' on json"),
            (
                json!({"name": "x", "scopes": []}),
                "Array must contain at least 1 element(s) field 'scopes' on json",
            ),
            (
                json!({"name": "x", "scopes": ["admin"], "expires_in_days": 0}),
                "Number must be greater than or equal to 1 field 'expires_in_days' on json",
            ),
            (
                json!({"name": "x", "scopes": ["admin"], "expires_in_days": 3651}),
                "Number must be less than or equal to 3650 field 'expires_in_days' on json",
            ),
        ];
        for (body, words) in table {
            rig.post(KEYS, &body).by(&anna).send().await.fails(400, "invalid_field", words);
        }
        let weird = rig.post(KEYS, &json!({"name": "x", "scopes": ["all"]})).by(&anna).send().await;
        assert!(weird.message().starts_with("Invalid enum value. Expected 'messages:send' | "), "{weird:?}");
        let admin = json!({"name": "x", "scopes": ["admin"]});
        rig.post(KEYS, &admin).by(&anna).send().await.fails(
            403,
            "admin_required",
            "The scope admin is for admins",
        );
        let key = rig.key(&anna, &["messages:send"]).await;
        let by_key =
            rig.post(KEYS, &json!({"name": "x", "scopes": ["messages:send"]})).bearer(&key).send().await;
        by_key.fails(403, "login_required", "API keys cannot do this: log in");
        for _ in 1..100 {
            rig.key(&anna, &["messages:send"]).await;
        }
        let one_more =
            rig.post(KEYS, &json!({"name": "x", "scopes": ["messages:send"]})).by(&anna).send().await;
        one_more.fails(409, "too_many_keys", "A user can have at most 100 API keys");
    }
}
