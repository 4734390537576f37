//! `POST /message/delete`.

use axum::extract::State;
use domain::message::Content;
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    sending::{self, IdempotencyHeader, LONGEST_ID, Order, Reference, SendError, Sent, SentBody},
    state::ApiState,
};

/// The message to take back.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "message_id": "3EB0C431C26A1916E07A4D"}))]
pub(crate) struct DeleteMessage {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// WhatsApp's id of the message: `data.key.id` of what was sent, `messageId` of what came in.
    message_id: String,
    /// Whether the session wrote that message; needed when the gateway does not know it.
    from_me: Option<bool>,
    /// The member of the group who wrote it; needed when the gateway does not know it.
    participant: Option<String>,
    /// `to` is a group's id.
    is_group: Option<bool>,
    /// Whether it may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

impl DeleteMessage {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            message_id: fields.text("message_id")?,
            from_me: fields.optional_flag("from_me")?,
            participant: fields.optional_text_up_to("participant", LONGEST_ID)?,
            is_group: fields.optional_flag("is_group")?,
            queue: fields.optional_flag("queue")?,
        })
    }
}

/// Takes a message back, for everyone. As an admin of a group also what others wrote there.
#[utoipa::path(
    post, path = "/message/delete", tag = "message", operation_id = "deleteMessage",
    request_body = DeleteMessage,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key on the same request is the same message, however often it is sent")),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent when the session is connected", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody,
            example = json!({"message": "Only a message that the session itself has sent can be deleted", "code": "not_own_message"})),
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
    let request = DeleteMessage::read(&fields)?;
    let address = sending::address(&state, &caller, &request.session, &request.to, request.is_group);
    let (session, chat) = address.await?;
    let reference = Reference {
        message_id: request.message_id,
        from_me: request.from_me,
        participant: request.participant,
    };
    let of = reference.target(&state, &session, &chat, true).await?;
    // In a group, its admins may take back what others wrote.
    if !of.from_me && of.participant.is_none() {
        return Err(SendError::NotOwnMessage { done: "deleted" });
    }
    let content = Content::Delete { of };
    let (queue, idempotency) = (request.queue.unwrap_or(true), idempotency.key()?);
    let order = Order { session, chat, content, idempotency, queue, typing: false };
    sending::send(&state, &caller, order).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Rig, received, with};

    const SEND: &str = "/message/delete";

    fn order(to: &str, fields: &Value) -> Value {
        with(&json!({"session": "shop", "to": to}), fields)
    }

    #[tokio::test]
    async fn only_what_the_session_wrote_is_deleted() {
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
            assert_eq!(protocol["type"], "REVOKE");
            assert_ne!(answer.json()["data"]["key"]["id"], id, "it has an id of its own");
        }
        let theirs = vec![received("THEIRS", "hi")];
        rig.database.commit_inbound(runner.fence("shop"), theirs).await.unwrap();
        for fields in [json!({"message_id": "THEIRS"}), json!({"message_id": "X", "from_me": false})] {
            let answer = rig.post(SEND, &order("62811", &fields)).send().await;
            let words = "Only a message that the session itself has sent can be deleted";
            answer.fails(400, "not_own_message", words);
        }
    }

    #[tokio::test]
    async fn an_admin_of_a_group_takes_back_what_others_wrote() {
        let rig = Rig::new().await;
        let _runner = rig.linked("shop").await;
        let fields = json!({"message_id": "X", "participant": "99@lid"});
        let answer = rig.post(SEND, &order("1203@g.us", &fields)).send().await;
        let key = answer.json()["data"]["message"]["protocolMessage"]["key"].clone();
        assert_eq!(
            (&key["fromMe"], &key["participant"]),
            (&json!(false), &json!("99@lid")),
            "{}",
            answer.body
        );
    }
}
