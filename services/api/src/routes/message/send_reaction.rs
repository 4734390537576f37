//! `POST /message/send-reaction`.

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

/// Longest emoji, in characters: some are put together from many.
const LONGEST_EMOJI: usize = 32;

/// An emoji and the message that it is put on.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "message_id": "3EB0C431C26A1916E07A4D",
    "emoji": "👍"}))]
pub(crate) struct SendReaction {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// WhatsApp's id of the message: `data.key.id` of what was sent, `messageId` of what came in.
    message_id: String,
    /// An emoji; an empty one takes the reaction back.
    emoji: String,
    /// Whether the session wrote that message; needed when the gateway does not know it.
    from_me: Option<bool>,
    /// The member of the group who wrote it; needed when the gateway does not know it.
    participant: Option<String>,
    /// `to` is a group's id.
    is_group: Option<bool>,
    /// Whether it may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

impl SendReaction {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            message_id: fields.text("message_id")?,
            emoji: fields.text_up_to("emoji", LONGEST_EMOJI)?,
            from_me: fields.optional_flag("from_me")?,
            participant: fields.optional_text_up_to("participant", LONGEST_ID)?,
            is_group: fields.optional_flag("is_group")?,
            queue: fields.optional_flag("queue")?,
        })
    }
}

/// Reacts to a message, or takes the reaction back.
#[utoipa::path(
    post, path = "/message/send-reaction", tag = "message", operation_id = "sendReaction",
    request_body = SendReaction,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key on the same request is the same message, however often it is sent")),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent when the session is connected", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody,
            example = json!({"message": "It is not known who wrote the message: say it with 'participant', or with 'from_me'", "code": "author_unknown"})),
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
    let request = SendReaction::read(&fields)?;
    let address = sending::address(&state, &caller, &request.session, &request.to, request.is_group);
    let (session, chat) = address.await?;
    let reference = Reference {
        message_id: request.message_id,
        from_me: request.from_me,
        participant: request.participant,
    };
    let to = reference.target(&state, &session, &chat, false).await?;
    let content = Content::Reaction { to, emoji: request.emoji };
    let (queue, idempotency) = (request.queue.unwrap_or(true), idempotency.key()?);
    let order = Order { session, chat, content, idempotency, queue, typing: false };
    sending::send(&state, &caller, order).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Rig, received, with};

    const SEND: &str = "/message/send-reaction";

    fn order(to: &str, fields: &Value) -> Value {
        with(&json!({"session": "shop", "to": to, "emoji": "👍"}), fields)
    }

    #[tokio::test]
    async fn who_wrote_the_message_is_looked_up_or_said() {
        let rig = Rig::new().await;
        let runner = rig.linked("shop").await;
        let group = "1203@g.us";
        let in_group = domain::event::InboundMessage {
            chat: group.into(),
            sender: "99@lid".into(),
            ..received("GROUP", "hi")
        };
        let messages = vec![in_group, received("DIRECT", "hi")];
        rig.database.commit_inbound(runner.fence("shop"), messages).await.unwrap();
        let own = json!({"session": "shop", "to": group, "text": "hi"});
        let own = rig.post("/message/send-text", &own).send().await.json()["data"]["key"]["id"].clone();
        let table = [
            (group, json!({"message_id": "GROUP"}), (false, json!("99@lid"))),
            (group, json!({"message_id": own}), (true, json!(null))),
            (
                group,
                json!({"message_id": "X", "participant": "+62 899"}),
                (false, json!("62899@s.whatsapp.net")),
            ),
            (group, json!({"message_id": "X", "from_me": true}), (true, json!(null))),
            ("62811", json!({"message_id": "DIRECT"}), (false, json!(null))),
            ("62811", json!({"message_id": "X"}), (false, json!(null))),
            ("62811", json!({"message_id": "X", "from_me": true}), (true, json!(null))),
        ];
        for (to, fields, (from_me, participant)) in table {
            let answer = rig.post(SEND, &order(to, &fields)).send().await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let reaction = answer.json()["data"]["message"]["reactionMessage"].clone();
            assert_eq!(reaction["text"], "👍");
            let key = &reaction["key"];
            assert_eq!((&key["id"], &key["fromMe"]), (&fields["message_id"], &json!(from_me)), "{fields}");
            assert_eq!(key["participant"], participant, "{fields}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_reacted_to_is_refused() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let unknown = rig.post(SEND, &order("1203@g.us", &json!({"message_id": "X"}))).send().await;
        let words = "It is not known who wrote the message: say it with 'participant', or with 'from_me'";
        unknown.fails(400, "author_unknown", words);
        for id in ["", "a\nb", &"x".repeat(129)] {
            let answer = rig.post(SEND, &order("62811", &json!({"message_id": id}))).send().await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_message_id"));
        }
        let missing = rig.post(SEND, &order("62811", &json!({}))).send().await;
        missing.fails(400, "invalid_field", "Required field 'message_id' on json");
        let long = json!({"message_id": "X", "emoji": "x".repeat(33)});
        let long = rig.post(SEND, &order("62811", &long)).send().await;
        long.fails(400, "invalid_field", "String must contain at most 32 character(s) field 'emoji' on json");
        let removal = json!({"message_id": "X", "emoji": ""});
        assert_eq!(rig.post(SEND, &order("62811", &removal)).send().await.status, 202);
    }
}
