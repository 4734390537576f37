//! `POST /message/send-contact`.

use axum::extract::State;
use domain::{
    message::Content,
    recipient::{parse_recipient, phone_of},
    vcard::{MAX_VCARD_CHARS, is_vcard, vcard},
};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    sending::{self, IdempotencyHeader, Order, SendError, Sent, SentBody},
    state::ApiState,
};

/// Longest name, in characters.
const LONGEST_NAME: usize = 256;

/// A visiting card and where it goes.
#[derive(ToSchema)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "name": "Budi", "phone": "628110000002"}))]
pub(crate) struct SendContact {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// What the contact is called.
    name: String,
    /// The contact's phone number with its country code; the card is made from it.
    phone: Option<String>,
    /// Where the contact works; part of a card that is made.
    organization: Option<String>,
    /// The card itself (vCard), instead of a phone number.
    vcard: Option<String>,
    /// `to` is a group's id.
    is_group: Option<bool>,
    /// Whether it may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

impl SendContact {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            name: fields.filled_text("name", LONGEST_NAME)?,
            phone: fields.optional_text_up_to("phone", LONGEST_NAME)?,
            organization: fields.optional_text_up_to("organization", LONGEST_NAME)?,
            vcard: fields.optional_text_up_to("vcard", MAX_VCARD_CHARS)?,
            is_group: fields.optional_flag("is_group")?,
            queue: fields.optional_flag("queue")?,
        })
    }
}

/// Sends a visiting card.
#[utoipa::path(
    post, path = "/message/send-contact", tag = "message", operation_id = "sendContact",
    request_body = SendContact,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key on the same request is the same message, however often it is sent")),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent when the session is connected", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody,
            example = json!({"message": "Required field 'phone' on json", "code": "invalid_field"})),
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
    let request = SendContact::read(&fields)?;
    let address = sending::address(&state, &caller, &request.session, &request.to, request.is_group);
    let (session, chat) = address.await?;
    let content = Content::Contact { vcard: card(&fields, &request)?, name: request.name };
    let (queue, idempotency) = (request.queue.unwrap_or(true), idempotency.key()?);
    let order = Order { session, chat, content, idempotency, queue, typing: false };
    sending::send(&state, &caller, order).await
}

/// The card that was given, or one that is made.
fn card(fields: &Fields, request: &SendContact) -> Result<String, Invalid> {
    if let Some(given) = &request.vcard {
        let card = is_vcard(given).then(|| given.clone());
        return card.ok_or_else(|| fields.unfit("Expected a vCard".to_owned(), "vcard"));
    }
    let phone = request.phone.clone().map_or_else(|| fields.text("phone"), Ok)?;
    let jid = parse_recipient(&phone, false).unwrap_or_default();
    let digits = phone_of(&jid).ok_or_else(|| fields.unfit("Expected a phone number".to_owned(), "phone"))?;
    Ok(vcard(&request.name, digits, request.organization.as_deref()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Rig, with};

    const SEND: &str = "/message/send-contact";

    #[tokio::test]
    async fn a_card_is_made_or_taken_as_it_is() {
        let rig = Rig::new().await;
        let _runner = rig.linked("shop").await;
        let made = json!({"session": "shop", "to": "62811", "name": "Budi", "phone": "+62 811-2"});
        let sent = rig.post(SEND, &made).send().await.json()["data"]["message"]["contactMessage"].clone();
        assert_eq!(sent["displayName"], "Budi");
        let card = sent["vcard"].as_str().unwrap();
        assert!(card.contains("FN:Budi\n") && card.contains("waid=628112:+628112"), "{card}");
        let given = "BEGIN:VCARD\nVERSION:3.0\nFN:Ani\nEND:VCARD";
        let given = json!({"session": "shop", "to": "62811", "name": "Ani", "vcard": given});
        let sent = rig.post(SEND, &given).send().await.json()["data"]["message"]["contactMessage"].clone();
        assert_eq!(sent, json!({"displayName": "Ani", "vcard": given["vcard"]}));
    }

    #[tokio::test]
    async fn cards_that_are_none_are_refused() {
        let rig = Rig::new().await;
        rig.session("shop").await;
        let table = [
            (json!({}), "Required field 'name' on json"),
            (json!({"name": ""}), "String must contain at least 1 character(s) field 'name' on json"),
            (json!({"name": "Budi"}), "Required field 'phone' on json"),
            (json!({"name": "Budi", "phone": "x"}), "Expected a phone number field 'phone' on json"),
            (json!({"name": "Budi", "vcard": "x"}), "Expected a vCard field 'vcard' on json"),
            (
                json!({"name": "Budi", "vcard": "x".repeat(16_385)}),
                "String must contain at most 16384 character(s) field 'vcard' on json",
            ),
        ];
        for (fields, words) in table {
            let body = with(&json!({"session": "shop", "to": "62811"}), &fields);
            rig.post(SEND, &body).send().await.fails(400, "invalid_field", words);
        }
    }
}
