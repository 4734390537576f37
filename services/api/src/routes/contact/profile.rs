//! `POST /profile`: what somebody shows of themselves.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use bus::messages::{SessionCommand, SessionReply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{self, AccessError},
    asking::{self, AskError},
    auth::Actor,
    error::{Problem, ProblemBody, answers_as_problem},
    fields::{Fields, Invalid, JsonFields},
    json, sending,
    state::ApiState,
};

/// How long WhatsApp may take: it is asked several questions.
const WAIT: Duration = Duration::from_secs(15);

/// Whose profile.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "target": "628123456789@s.whatsapp.net"}))]
pub(crate) struct ProfileRequest {
    /// The session that asks.
    session: String,
    /// The JID of a person or a group.
    target: String,
}

impl ProfileRequest {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self { session: fields.text("session")?, target: fields.text("target")? })
    }
}

/// What somebody shows of themselves; null for what they do not show.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileBody {
    /// Where the picture can be fetched for a while.
    profile_picture_url: Option<String>,
    status: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("Target is not registered")]
    NotRegistered,
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Ask(invalid.into())
    }
}

impl From<AccessError> for Error {
    fn from(denied: AccessError) -> Self {
        Self::Ask(denied.into())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Ask(error) => error.into(),
            Error::NotRegistered => {
                Self::new(StatusCode::BAD_REQUEST, "target_not_registered", error.to_string())
            }
        }
    }
}

answers_as_problem!(Error);

/// What somebody shows of themselves: the address of their picture, and the text about them.
#[utoipa::path(
    post, path = "/profile", tag = "contact", operation_id = "profile",
    request_body = ProfileRequest,
    responses(
        (status = 200, description = "What they show, as `data`", body = ProfileBody, example = json!({"data": {
            "profilePictureUrl": "https://pps.whatsapp.net/v/t61/…", "status": "At work"}})),
        (status = 400, description = "WhatsApp does not know them", body = ProblemBody,
            example = json!({"message": "Target is not registered", "code": "target_not_registered"})),
        (status = 403, description = "It is another user's session", body = ProblemBody),
        (status = 502, description = "WhatsApp refused to answer", body = ProblemBody),
        (status = 503, description = "The session is not connected", body = ProblemBody),
        (status = 504, description = "WhatsApp did not answer in time", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, Error> {
    let request = ProfileRequest::read(&fields)?;
    let session = access::own(&state.database, &caller, &request.session).await?;
    // What cannot be anybody's address is not registered.
    let jid = sending::recipient(&request.target, false).map_err(|_| Error::NotRegistered)?;
    if !session.connected() {
        return Err(AskError::NotConnected { state: session.state }.into());
    }
    match asking::ask(&state, &session, &SessionCommand::Profile { jid }, WAIT).await? {
        SessionReply::Profile { profile: Some(profile) } => {
            Ok(json::data(ProfileBody { profile_picture_url: profile.picture_url, status: profile.status }))
        }
        SessionReply::Profile { profile: None } => Err(Error::NotRegistered),
        other => Err(asking::unexpected(&session, &other).into()),
    }
}

#[cfg(test)]
mod tests {
    use bus::messages::Profile;
    use serde_json::json;

    use super::*;
    use crate::testing::Rig;

    #[tokio::test]
    async fn it_answers_in_the_contracts_form() {
        let rig = Rig::new().await;
        let runner = rig.linked("shop").await;
        let ask = |target: &str| rig.post("/profile", &json!({"session": "shop", "target": target})).send();
        runner.shows_profile(Some(Profile { picture_url: Some("https://x/y".into()), status: None }));
        let answer = ask("62811@s.whatsapp.net").await;
        answer.is(200, r#"{"data":{"profilePictureUrl":"https://x/y","status":null}}"#);
        assert_eq!(runner.heard(), [SessionCommand::Profile { jid: "62811@s.whatsapp.net".into() }]);
        runner.shows_profile(None);
        for target in ["62800@s.whatsapp.net", "", "@", "hello", "a/b@s.whatsapp.net"] {
            ask(target).await.fails(400, "target_not_registered", "Target is not registered");
        }
    }

    #[tokio::test]
    async fn bad_input_and_sessions_that_are_off_are_refused() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let missing = rig.post("/profile", &json!({"session": "shop"})).send().await;
        missing.fails(400, "invalid_field", "Required field 'target' on json");
        let anna = rig.user("anna").await;
        let body = json!({"session": "shop", "target": "62811@s.whatsapp.net"});
        let foreign = rig.post("/profile", &body).by(&anna).send().await;
        foreign.fails(403, "not_your_session", "You can only use your own sessions");
        let unknown = json!({"session": "nothing", "target": "62811@s.whatsapp.net"});
        let unknown = rig.post("/profile", &unknown).send().await;
        unknown.fails(400, "session_not_found", "Session does not exist");
        let off = rig.post("/profile", &body).send().await;
        off.fails(503, "session_not_connected", "The session is not connected: it is connecting");
    }
}
