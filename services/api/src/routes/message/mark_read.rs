//! `POST /message/mark-read`: tells who wrote messages that they were read.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use bus::messages::{SessionCommand, SessionReply};
use utoipa::ToSchema;

use crate::{
    asking::{self, AskError},
    auth::Actor,
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    json,
    sending::{self, LONGEST_ID, SendError},
    state::ApiState,
};

/// Messages in one request.
const MOST: usize = 256;

/// What was read.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "message_ids": ["3EB0C431C26A1916E07A4D"]}))]
pub(crate) struct MarkRead {
    /// The session that received it.
    session: String,
    /// The chat: a phone number with its country code, a group's id, or a JID.
    to: String,
    /// WhatsApp's ids of the messages (`messageId` in the webhook), 1 to 256.
    #[schema(min_items = 1, max_items = 256)]
    message_ids: Vec<String>,
    /// The member of the group who wrote them; needed when the gateway does not know them.
    participant: Option<String>,
    /// `to` is a group's id.
    is_group: Option<bool>,
}

impl MarkRead {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            message_ids: fields.texts("message_ids", 1..=MOST)?,
            participant: fields.optional_text_up_to("participant", LONGEST_ID)?,
            is_group: fields.optional_flag("is_group")?,
        })
    }
}

/// Tells who wrote messages that they were read: blue ticks, unless the phone's privacy settings say otherwise.
#[utoipa::path(
    post, path = "/message/mark-read", tag = "message", operation_id = "markRead",
    request_body = MarkRead,
    responses(
        (status = 200, description = "WhatsApp has been told", body = Object, example = json!({"data": "success"})),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody,
            example = json!({"message": "Required field 'message_ids' on json", "code": "invalid_field"})),
        (status = 403, description = "It is another user's session", body = ProblemBody),
        (status = 503, description = "The session is not connected", body = ProblemBody,
            example = json!({"message": "The session is not connected: it is reconnecting",
                "code": "session_not_connected"})),
        (status = 504, description = "WhatsApp did not answer in time", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    JsonFields(fields): JsonFields,
) -> Result<Response, AskError> {
    let request = MarkRead::read(&fields)?;
    let address = sending::address(&state, &caller, &request.session, &request.to, request.is_group);
    let (session, chat) = address.await?;
    let fits =
        |id: &String| (1..=LONGEST_ID).contains(&id.chars().count()) && !id.chars().any(char::is_control);
    if !request.message_ids.iter().all(fits) {
        return Err(SendError::InvalidMessageId.into());
    }
    let said = request.participant.map(|given| sending::recipient(&given, false)).transpose()?;
    let known = state.database.origins(session.id, &request.message_ids).await?;
    // One receipt is about the messages of one author in one chat.
    let mut receipts: BTreeMap<(String, Option<String>), Vec<String>> = BTreeMap::new();
    for id in request.message_ids {
        let (chat, author) = match known.get(&id) {
            Some(origin) => (origin.chat.clone(), Some(origin.author.clone())),
            None => (chat.clone(), said.clone()),
        };
        let in_group = chat.ends_with("@g.us");
        if in_group && author.is_none() {
            return Err(SendError::AuthorUnknown.into());
        }
        receipts.entry((chat, author.filter(|_| in_group))).or_default().push(id);
    }
    for ((chat, author), messages) in receipts {
        let command = SessionCommand::MarkRead { chat, author, messages };
        match asking::ask(&state, &session, &command, state.settings.check_wait).await? {
            SessionReply::Done => {}
            other => return Err(asking::unexpected(&session, &other)),
        }
    }
    Ok(json::data("success"))
}

#[cfg(test)]
mod tests {
    use domain::event::InboundMessage;
    use serde_json::json;

    use super::*;
    use crate::testing::{Rig, received, with};

    const MARK: &str = "/message/mark-read";

    fn command(chat: &str, author: Option<&str>, ids: &[&str]) -> SessionCommand {
        SessionCommand::MarkRead {
            chat: chat.into(),
            author: author.map(Into::into),
            messages: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[tokio::test]
    async fn each_author_is_told_once() {
        let rig = Rig::new().await;
        let runner = rig.linked("shop").await;
        let group = "1203@g.us";
        let from = |sender: &str, id: &str| InboundMessage {
            chat: group.into(),
            sender: sender.into(),
            ..received(id, "hi")
        };
        let messages = vec![from("1@lid", "A"), from("2@lid", "B"), from("1@lid", "C"), received("D", "hi")];
        rig.database.commit_inbound(runner.fence("shop"), messages).await.unwrap();
        let body = json!({"session": "shop", "to": group, "message_ids": ["A", "B", "C"]});
        rig.post(MARK, &body).send().await.is(200, r#"{"data":"success"}"#);
        let told = [command(group, Some("1@lid"), &["A", "C"]), command(group, Some("2@lid"), &["B"])];
        assert_eq!(runner.heard(), told);
        // The chat is the one that the message came in by, which the caller may know by its other address.
        let body = json!({"session": "shop", "to": "62811", "message_ids": ["D", "X"]});
        rig.post(MARK, &body).send().await.is(200, r#"{"data":"success"}"#);
        let chat = received("D", "hi").chat;
        let expected = [command(&chat, None, &["D"]), command("62811@s.whatsapp.net", None, &["X"])];
        assert!(expected.iter().all(|told| runner.heard().contains(told)), "{:?}", runner.heard());
        let body = json!({"session": "shop", "to": group, "message_ids": ["X"], "participant": "62899"});
        rig.post(MARK, &body).send().await.is(200, r#"{"data":"success"}"#);
        assert_eq!(runner.heard().last(), Some(&command(group, Some("62899@s.whatsapp.net"), &["X"])));
    }

    #[tokio::test]
    async fn bad_input_and_sessions_that_are_off_are_refused() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let mark = |fields: serde_json::Value| {
            let body = with(&json!({"session": "shop", "to": "1203@g.us"}), &fields);
            rig.post(MARK, &body).send()
        };
        let words = "Required field 'message_ids' on json";
        mark(json!({})).await.fails(400, "invalid_field", words);
        let words = "Array must contain at least 1 element(s) field 'message_ids' on json";
        mark(json!({"message_ids": []})).await.fails(400, "invalid_field", words);
        let many: Vec<_> = (0..257).map(|n| n.to_string()).collect();
        assert_eq!(mark(json!({"message_ids": many})).await.status, 400);
        assert_eq!(mark(json!({"message_ids": [""]})).await.code(), "invalid_message_id");
        assert_eq!(mark(json!({"message_ids": ["X"]})).await.code(), "author_unknown");
        let off = mark(json!({"message_ids": ["X"], "participant": "62899"})).await;
        off.fails(503, "session_not_connected", "The session is not connected: it is connecting");
        assert_eq!(off.header("retry-after"), "10");
    }
}
