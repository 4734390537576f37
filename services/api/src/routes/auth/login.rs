//! `POST /auth/login`: a name and a password for a cookie.

use axum::{extract::State, http::header, response::Response};
use domain::{access::AuditAction, user::MAX_USERNAME_CHARS};
use serde::Serialize;
use storage::AuditRecord;
use utoipa::ToSchema;

use crate::{
    audit,
    auth::{AuthError, Origin},
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Invalid, JsonFields},
    json,
    state::ApiState,
};

/// The most characters of a password: more than any can have.
const MAX_PASSWORD_CHARS: usize = 256;

/// Who logs in.
#[derive(ToSchema)]
#[schema(example = json!({"username": "anna", "password": "correct horse"}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct LogIn {
    username: String,
    password: String,
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoggedIn<'a> {
    #[schema(example = "anna")]
    username: &'a str,
    is_admin: bool,
    /// When the login ends, unless it is used until then; at the latest a week after it was made.
    #[schema(example = "2026-11-23T07:36:11.5Z")]
    expires_at: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Auth(#[from] AuthError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::Auth(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Logs in: the answer sets the cookie `wag_session`, which opens everything that the name and the password open. It is
/// taken from pages of this gateway only (`Sec-Fetch-Site`, else `Origin`) where something is changed.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", operation_id = "logIn", security(()),
    request_body = LogIn,
    responses(
        (status = 200, description = "You are logged in; who you are, as `data`", body = LoggedIn,
            headers(("Set-Cookie" = String, description = "`wag_session`, `HttpOnly` and `SameSite=Strict`")),
            example = json!({"data": {"username": "anna", "is_admin": false,
                "expires_at": "2026-11-23T07:36:11.5Z"}})),
        (status = 401, description = "Not this name, or not this password", body = ProblemBody,
            example = json!({"message": "Invalid credentials", "code": "invalid_credentials"})),
        (status = 403, description = "A browser sent this request from another site", body = ProblemBody),
        (status = 429, description = "Too many failed logins from this address or for this name", body = ProblemBody,
            headers(("Retry-After" = String, description = "Seconds to wait"))),
        (status = 503, description = "The database or the process cannot serve this now", body = ProblemBody),
        (status = 507, description = "The database has no room left", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    origin: Origin,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, Error> {
    let username = fields.text_up_to("username", MAX_USERNAME_CHARS)?;
    let password = fields.text_up_to("password", MAX_PASSWORD_CHARS)?.into();
    let user = state.credentials.check_login(&username, &password, &origin).await?;
    let begun = state.credentials.log_in(&user, &origin).await?;
    let record = AuditRecord {
        actor: user.username.clone(),
        action: AuditAction::LogIn,
        target: None,
        address: origin.address,
        detail: None,
    };
    audit::write(&state, record).await;
    let mut response = json::data(LoggedIn {
        username: &user.username,
        is_admin: user.is_admin,
        expires_at: begun.ends_at.to_rfc3339(),
    });
    response.headers_mut().insert(header::SET_COOKIE, begun.cookie);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use serde_json::json;

    use crate::{
        auth::{LoginLimits, Peer},
        state::Settings,
        testing::Rig,
    };

    const LOGIN: &str = "/auth/login";

    #[tokio::test]
    async fn the_right_password_gets_a_cookie_that_opens_what_it_opens() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session_of(&anna, "anna_shop").await;
        let body = json!({"username": "anna", "password": "anna:pass"});
        let answer = rig.post(LOGIN, &body).anonymous().send().await;
        let end = (rig.now() + Duration::from_hours(12)).to_rfc3339();
        assert_eq!(
            answer.json(),
            json!({"data": {"username": "anna", "is_admin": false, "expires_at": end}})
        );
        let cookie = answer.header("set-cookie");
        assert!(cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap();
        let names = rig.get("/session").anonymous().header("cookie", cookie).send().await;
        names.is(200, r#"{"data":["anna_shop"]}"#);
        assert!(!rig.database.audit(&storage::AuditFilter::default(), 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn over_https_the_cookie_stays_there() {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let rig = Rig::with(Settings { trusted_proxies, ..Settings::default() }).await;
        let body = json!({"username": "admin", "password": "admin"});
        for (peer, expected) in [("10.0.0.1", true), ("192.0.2.1", false)] {
            let call = rig.post(LOGIN, &body).anonymous().extension(Peer(peer.parse().unwrap()));
            let answer = call.header("x-forwarded-proto", "https").send().await;
            assert_eq!(answer.header("set-cookie").ends_with("; Secure"), expected, "{peer}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_refused_without_a_challenge() {
        let most = |most| NonZeroU32::new(most).unwrap();
        let login_limits =
            LoginLimits { per_address: most(100), per_name: most(3), window: Duration::from_mins(5) };
        let rig = Rig::with(Settings { login_limits, ..Settings::default() }).await;
        for body in [json!({"username": "a:b", "password": "x"}), json!({"username": "", "password": ""})] {
            let answer = rig.post(LOGIN, &body).anonymous().send().await;
            answer.fails(401, "invalid_credentials", "Invalid credentials");
            assert_eq!((answer.header("www-authenticate"), answer.header("set-cookie")), ("", ""));
        }
        for (body, words) in [
            (json!({}), "Required field 'username' on json"),
            (json!({"username": "admin"}), "Required field 'password' on json"),
            (json!({"username": 1}), "Expected string, received number field 'username' on json"),
            (
                json!({"username": "admin", "password": "x".repeat(257)}),
                "String must contain at most 256 character(s) field 'password' on json",
            ),
        ] {
            rig.post(LOGIN, &body).anonymous().send().await.fails(400, "invalid_field", words);
        }
        let right = json!({"username": "admin", "password": "admin"});
        let forged = rig.post(LOGIN, &right).header("sec-fetch-site", "cross-site").send().await;
        assert_eq!((forged.status, forged.code().as_str()), (403, "cross_site"));
        for (n, status) in [401, 401, 401, 429].into_iter().enumerate() {
            let guess = json!({"username": "admin", "password": format!("guess {n}")});
            assert_eq!(rig.post(LOGIN, &guess).anonymous().send().await.status, status);
        }
        let late = rig.post(LOGIN, &right).anonymous().send().await;
        assert_eq!((late.status, late.code().as_str()), (429, "too_many_failures"));
        let refused = rig.get("/admin/audit?action=log_in_refused").send().await;
        assert!(refused.status == 429, "the name has to wait by Basic, too");
    }
}
