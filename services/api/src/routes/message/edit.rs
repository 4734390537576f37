//! `POST /message/edit`.

use axum::extract::State;
use domain::message::{Content, MAX_TEXT_CHARS};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    sending::{self, IdempotencyHeader, Order, Reference, SendError, Sent, SentBody},
    state::ApiState,
};

/// A message and its new text.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "message_id": "3EB0C431C26A1916E07A4D",
    "text": "Hello again"}))]
pub(crate) struct EditMessage {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// WhatsApp's id of the message: `data.key.id` of what was sent, `messageId` of what came in.
    message_id: String,
    /// The new text, at most 65536 characters.
    #[schema(max_length = 65536)]
    text: String,
    /// `true` for a message that was sent with the phone; it is taken for one when the gateway does not know it.
    from_me: Option<bool>,
    /// `to` is a group's id.
    is_group: Option<bool>,
    /// Whether it may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

impl EditMessage {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            message_id: fields.text("message_id")?,
            text: fields.text_up_to("text", MAX_TEXT_CHARS)?,
            from_me: fields.optional_flag("from_me")?,
            is_group: fields.optional_flag("is_group")?,
            queue: fields.optional_flag("queue")?,
        })
    }
}

/// Changes the text of a message that was sent; WhatsApp's clients show it for about 15 minutes after.
#[utoipa::path(
    post, path = "/message/edit", tag = "message", operation_id = "editMessage",
    request_body = EditMessage,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key on the same request is the same message, however often it is sent")),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent when the session is connected", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody,
            example = json!({"message": "Only a message that the session itself has sent can be edited", "code": "not_own_message"})),
        (status = 403, description = "It is another user's session", body = ProblemBody,
            example = json!({"message": "You can only use your own sessions", "code": "not_your_session"})),
        (status = 409, description = "The idempotency key was used for another request", body = ProblemBody),
        (status = 429, description = "Too many messages wait for the session", body = ProblemBody),
        (status = 503, description = "The session is not connected and the message must not wait",
            body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    idempotency: IdempotencyHeader,
    JsonFields(fields): JsonFields,
) -> Result<Sent, SendError> {
    let request = EditMessage::read(&fields)?;
    let address = sending::address(&state, &caller, &request.session, &request.to, request.is_group);
    let (session, chat) = address.await?;
    let reference = Reference { message_id: request.message_id, from_me: request.from_me, participant: None };
    let of = reference.target(&state, &session, &chat, true).await?;
    if !of.from_me {
        return Err(SendError::NotOwnMessage { done: "edited" });
    }
    let content = Content::Edit { of, text: request.text };
    let (queue, idempotency) = (request.queue.unwrap_or(true), idempotency.key()?);
    let order = Order { session, chat, content, idempotency, queue, typing: false };
    sending::send(&state, &caller, order).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Rig, received, with};

    const SEND: &str = "/message/edit";

    fn order(to: &str, fields: &Value) -> Value {
        with(&json!({"session": "shop", "to": to, "text": "better"}), fields)
    }

    #[tokio::test]
    async fn only_what_the_session_wrote_is_edited() {
        let rig = Rig::new().await;
        let runner = rig.linked("shop").await;
        let own = json!({"session": "shop", "to": "62811", "text": "hi"});
        let own = rig.post("/message/send-text", &own).send().await.json()["data"]["key"]["id"].clone();
        // One that the gateway does not know was sent with the phone.
        for id in [own, json!("PHONE")] {
            let answer = rig.post(SEND, &order("62811", &json!({"message_id": id}))).send().await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let protocol = answer.json()["data"]["message"]["protocolMessage"].clone();
            assert_eq!((&protocol["key"]["id"], &protocol["key"]["fromMe"]), (&id, &json!(true)));
            assert_eq!(protocol["type"], "MESSAGE_EDIT");
            assert_ne!(answer.json()["data"]["key"]["id"], id, "it has an id of its own");
        }
        let theirs = vec![received("THEIRS", "hi")];
        rig.database.commit_inbound(runner.fence("shop"), theirs).await.unwrap();
        for fields in [json!({"message_id": "THEIRS"}), json!({"message_id": "X", "from_me": false})] {
            let answer = rig.post(SEND, &order("62811", &fields)).send().await;
            let words = "Only a message that the session itself has sent can be edited";
            answer.fails(400, "not_own_message", words);
        }
    }

    #[tokio::test]
    async fn bad_input_is_refused() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let missing =
            rig.post(SEND, &json!({"session": "shop", "to": "62811", "message_id": "X"})).send().await;
        missing.fails(400, "invalid_field", "Required field 'text' on json");
        let id = rig.post(SEND, &order("62811", &json!({"message_id": ""}))).send().await;
        assert_eq!((id.status, id.code().as_str()), (400, "invalid_message_id"));
    }
}
