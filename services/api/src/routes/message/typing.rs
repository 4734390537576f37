//! `POST /message/typing`: shows in a chat that somebody is typing.

use axum::{extract::State, response::Response};
use bus::messages::{SessionCommand, SessionReply};
use domain::message::Typing;
use utoipa::ToSchema;

use crate::{
    asking::{self, AskError},
    auth::Actor,
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    json, sending,
    state::ApiState,
};

/// The longest that somebody is shown to type, in milliseconds.
const LONGEST: i64 = 60_000;

/// As long as WhatsApp's clients show it when nothing follows.
const USUAL: i64 = 25_000;

/// What a chat shows.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "state": "composing", "duration_ms": 3000}))]
pub(crate) struct ShowTyping {
    /// The session that is shown to type.
    session: String,
    /// The chat: a phone number with its country code, a group's id, or a JID.
    to: String,
    /// `composing`, `recording` (a voice message) or `paused`, which ends the others.
    #[schema(value_type = String)]
    state: Typing,
    /// When it ends by itself: 1 to 60000 milliseconds; 25000 when it is left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 60000)]
    duration_ms: i64,
    /// `to` is a group's id.
    is_group: Option<bool>,
}

impl ShowTyping {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            state: fields.word("state", Typing::ALL, Typing::as_str)?,
            duration_ms: fields.optional_count("duration_ms", 1..=LONGEST)?.unwrap_or(USUAL),
            is_group: fields.optional_flag("is_group")?,
        })
    }
}

/// Shows in a chat that somebody is typing. Answers at once; it ends with `paused`, by itself or by another call.
#[utoipa::path(
    post, path = "/message/typing", tag = "message", operation_id = "showTyping",
    request_body = ShowTyping,
    responses(
        (status = 200, description = "The chat shows it", body = Object, example = json!({"data": "success"})),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody,
            example = json!({"message": "Required field 'state' on json", "code": "invalid_field"})),
        (status = 403, description = "It is another user's session", body = ProblemBody),
        (status = 503, description = "The session is not connected", body = ProblemBody,
            example = json!({"message": "The session is not connected: it is reconnecting",
                "code": "session_not_connected"})),
        (status = 504, description = "The session did not answer in time", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, AskError> {
    let request = ShowTyping::read(&fields)?;
    let address = sending::address(&state, &caller, &request.session, &request.to, request.is_group);
    let (session, chat) = address.await?;
    if !session.connected() {
        return Err(AskError::NotConnected { state: session.state });
    }
    let for_ms = u64::try_from(request.duration_ms).ok();
    let command = SessionCommand::Typing { chat, typing: request.state, for_ms };
    match asking::ask(&state, &session, &command, state.settings.check_wait).await? {
        SessionReply::Done => Ok(json::data("success")),
        other => Err(asking::unexpected(&session, &other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Rig, with};

    const SHOW: &str = "/message/typing";

    #[tokio::test]
    async fn the_session_is_told_to_type() {
        let rig = Rig::new().await;
        let runner = rig.linked("shop").await;
        let body = json!({"session": "shop", "to": "62811", "state": "composing", "duration_ms": 1500});
        rig.post(SHOW, &body).send().await.is(200, r#"{"data":"success"}"#);
        let body = json!({"session": "shop", "to": "1203", "is_group": true, "state": "paused"});
        rig.post(SHOW, &body).send().await.is(200, r#"{"data":"success"}"#);
        let typing =
            |chat: &str, typing, for_ms| SessionCommand::Typing { chat: chat.into(), typing, for_ms };
        assert_eq!(
            runner.heard(),
            [
                typing("62811@s.whatsapp.net", Typing::Composing, Some(1500)),
                typing("1203@g.us", Typing::Paused, Some(25_000)),
            ]
        );
    }

    #[tokio::test]
    async fn bad_input_and_sessions_that_are_off_are_refused() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let table = [
            (json!({}), "Required field 'state' on json"),
            (
                json!({"state": "dancing"}),
                "Invalid enum value. Expected 'composing' | 'recording' | 'paused', received 'dancing' field 'state' \
                 on json",
            ),
            (
                json!({"state": "composing", "duration_ms": 60_001}),
                "Number must be less than or equal to 60000 field 'duration_ms' on json",
            ),
            (
                json!({"state": "composing", "duration_ms": "5"}),
                "Expected number, received string field 'duration_ms' on json",
            ),
        ];
        for (fields, words) in table {
            let body = with(&json!({"session": "shop", "to": "62811"}), &fields);
            rig.post(SHOW, &body).send().await.fails(400, "invalid_field", words);
        }
        let off = rig.post(SHOW, &json!({"session": "shop", "to": "62811", "state": "paused"})).send().await;
        off.fails(503, "session_not_connected", "The session is not connected: it is connecting");
        let anna = rig.user("anna").await;
        let foreign = json!({"session": "shop", "to": "62811", "state": "paused"});
        let foreign = rig.post(SHOW, &foreign).by(&anna).send().await;
        foreign.fails(403, "not_your_session", "You can only use your own sessions");
    }
}
