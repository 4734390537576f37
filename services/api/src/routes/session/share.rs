//! `POST /session/{name}/share`: a link with which somebody without an account can scan.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::access::AuditAction;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{self, LookupError, PathName},
    audit,
    auth::Actor,
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Invalid, JsonFields},
    json::{self, Data},
    shares::{Share, ShareError},
    state::ApiState,
};

/// How long a link works, at most and when nobody says.
const MOST_MINUTES: i64 = 1440;
const MINUTES: i64 = 30;

/// A link to be.
#[derive(ToSchema)]
#[schema(example = json!({"expires_in_minutes": 30}))]
#[expect(dead_code, reason = "describes the body")]
pub(crate) struct ShareRequest {
    /// 1 to 1440; 30 when it is left out.
    expires_in_minutes: Option<u32>,
}

/// A link.
#[derive(Serialize, ToSchema)]
pub(crate) struct SharedBody {
    /// Where it leads; without `PUBLIC_URL` it begins with the path.
    #[schema(example = "https://gateway.example/link/AZOz8KGyfD2OT1prfI2eDw…")]
    url: String,
    /// The last part of it.
    token: String,
    expires_at: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    Share(#[from] ShareError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::Lookup(error) => error.into(),
            // Removed since it was looked up.
            Error::Share(ShareError::Expired) => LookupError::NoSession.into(),
            Error::Share(error) => error.into(),
        }
    }
}

answers_as_problem!(Error);

/// Makes a link with which somebody without an account can link this session to their phone, and learns nothing else
/// of it. Whoever has the link can do that until it expires or is revoked.
#[utoipa::path(
    post, path = "/session/{name}/share", tag = "session", operation_id = "shareSession",
    params(("name" = String, Path, description = "The session", example = "shop")),
    request_body = ShareRequest,
    responses(
        (status = 201, description = "The link, as `data`", body = SharedBody),
        (status = 400, description = "Not a number of minutes", body = ProblemBody),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    name: PathName,
    JsonFields(fields): JsonFields,
) -> Result<Response, Error> {
    let minutes = fields.optional_count("expires_in_minutes", 1..=MOST_MINUTES)?.unwrap_or(MINUTES);
    let session = access::visible(&state.database, &caller, name).await?;
    let life = Duration::from_mins(minutes.unsigned_abs());
    let share = Share::new(&state, session.id, life).await?;
    let token = share.token(&state.keys);
    let expires_at = share.expires_at.to_rfc3339();
    let detail = format!("until {expires_at}");
    let target = Some(session.name.clone());
    audit::note_detail(&state, &caller, AuditAction::SessionShared, target, Some(detail)).await;
    let url = state.links.below(&format!("/link/{token}"));
    Ok(json::answer(StatusCode::CREATED, &Data { data: SharedBody { url, token, expires_at } }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn bad_input_and_others_get_no_link() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session("shop").await;
        let url = "/session/shop/share";
        for (minutes, words) in [
            (json!(0), "Number must be greater than or equal to 1 field 'expires_in_minutes' on json"),
            (json!(1441), "Number must be less than or equal to 1440 field 'expires_in_minutes' on json"),
            (json!("5"), "Expected number, received string field 'expires_in_minutes' on json"),
        ] {
            let answer = rig.post(url, &json!({"expires_in_minutes": minutes})).send().await;
            answer.fails(400, "invalid_field", words);
        }
        for method in ["POST", "DELETE"] {
            let answer = rig.request(method, url).by(&anna).send().await;
            answer.fails(404, "session_not_found", "Session does not exist");
        }
        let made = rig.request("POST", url).send().await;
        assert_eq!(made.status, 201, "without a body");
        let (url, token) = (made.json()["data"]["url"].clone(), made.json()["data"]["token"].clone());
        assert_eq!(url, format!("https://gateway.example/link/{}", token.as_str().unwrap()));
    }
}
