//! `GET /message/{id}`: how far a message has come.

use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::{
    MessageId, Timestamp,
    message::{Failure, Message, MessageState},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{LookupError, PathName},
    auth::Caller,
    error::ProblemBody,
    json,
    state::ApiState,
};

/// A message and its times, each `null` until then.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageBody<'a> {
    #[schema(value_type = String, example = "msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    id: MessageId,
    /// The session's name; null when it has been removed since.
    session: Option<&'a str>,
    /// WhatsApp's id of it.
    #[schema(example = "3EB0C431C26A1916E07A4D")]
    wa_id: &'a str,
    #[schema(example = "628123456789@s.whatsapp.net")]
    to: &'a str,
    /// `queued`, `sent`, `delivered`, `read` or `failed`.
    #[schema(value_type = String, example = "sent")]
    state: MessageState,
    /// The kind of message, such as `text`, `poll` or `reaction`.
    #[schema(example = "text")]
    kind: &'a str,
    /// Why it failed.
    #[schema(value_type = Option<Object>)]
    failure: Option<&'a Failure>,
    accepted_at: String,
    /// Not sent by then, it fails.
    expires_at: String,
    sent_at: Option<String>,
    /// When a device of the recipient had it; in a group, of the first member.
    delivered_at: Option<String>,
    /// When the recipient saw it; in a group, the first member.
    read_at: Option<String>,
}

/// How far a message has come.
#[utoipa::path(
    get, path = "/message/{id}", tag = "message", operation_id = "getMessage",
    params(("id" = String, Path, description = "`data.id` of the answer to sending it",
        example = "msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")),
    responses(
        (status = 200, description = "The message, as `data`", body = MessageBody),
        (status = 404, description = "You have no such message", body = ProblemBody,
            example = json!({"message": "Message not found", "code": "message_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    id: PathName,
) -> Result<Response, LookupError> {
    let id = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or(LookupError::NoMessage)?;
    let message = state.database.message(id).await?.ok_or(LookupError::NoMessage)?;
    let session = state.database.session(message.session).await?;
    let owner = session.as_ref().map_or(message.user, |session| session.user);
    if message.user != caller.id && !caller.may_use_sessions_of(owner) {
        return Err(LookupError::NoMessage);
    }
    let name = session.as_ref().map(|session| &*session.name);
    Ok(json::data(body(&message, name)))
}

fn body<'a>(message: &'a Message, session: Option<&'a str>) -> MessageBody<'a> {
    let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
    MessageBody {
        id: message.id,
        session,
        wa_id: &message.wa_id,
        to: &message.chat,
        state: message.state,
        kind: message.content.kind(),
        failure: message.failure.as_ref(),
        accepted_at: message.accepted_at.to_rfc3339(),
        expires_at: message.expires_at.to_rfc3339(),
        sent_at: time(message.sent_at),
        delivered_at: time(message.delivered_at),
        read_at: time(message.read_at),
    }
}

#[cfg(test)]
mod tests {
    use domain::MessageId;
    use serde_json::json;

    use crate::testing::Rig;

    #[tokio::test]
    async fn a_message_is_seen_by_its_sender_its_sessions_owner_and_an_admin() {
        let rig = Rig::new().await;
        let (anna, bob) = (rig.user("anna").await, rig.user("bob").await);
        rig.session_of(&anna, "anna_shop").await;
        let order = json!({"session": "anna_shop", "to": "62811", "text": "hi"});
        let sent = rig.post("/message/send-text", &order).send().await.json();
        let id = sent["data"]["id"].as_str().unwrap();
        let url = format!("/message/{id}");
        for answer in [rig.get(&url).send().await, rig.get(&url).by(&anna).send().await] {
            let data = answer.json()["data"].clone();
            assert_eq!(
                (&data["id"], &data["session"], &data["state"], &data["to"], &data["sent_at"]),
                (
                    &json!(id),
                    &json!("anna_shop"),
                    &json!("queued"),
                    &json!("62811@s.whatsapp.net"),
                    &json!(null)
                )
            );
        }
        rig.get(&url).by(&bob).send().await.fails(404, "message_not_found", "Message not found");
        rig.get("/session/logout?session=anna_shop").send().await;
        let data = rig.get(&url).send().await.json()["data"].clone();
        assert_eq!((&data["session"], &data["state"]), (&json!(null), &json!("failed")));
        assert_eq!(data["failure"]["code"], "session_gone");
    }

    #[tokio::test]
    async fn ids_that_are_none_are_not_found() {
        let rig = Rig::new().await;
        let unknown = MessageId::new().to_string();
        for id in
            [unknown.as_str(), "1", "ses_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f", "%00", "%ff", "..", "msg_%2F"]
        {
            let answer = rig.get(&format!("/message/{id}")).send().await;
            answer.fails(404, "message_not_found", "Message not found");
        }
    }
}
