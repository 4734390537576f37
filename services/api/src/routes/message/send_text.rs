//! `POST /message/send-text`.

use axum::extract::State;
use domain::message::{Content, MAX_TEXT_CHARS};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::{Actor, Caller},
    error::ProblemBody,
    fields::{Fields, Invalid, JsonFields},
    sending::{self, IdempotencyHeader, Order, SendError, Sent, SentBody},
    state::ApiState,
};

/// A text and where it goes.
#[derive(ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[schema(example = json!({"session": "shop", "to": "628123456789", "text": "Hello"}))]
pub(crate) struct SendText {
    /// The session that sends it.
    session: String,
    /// A phone number with its country code, a group's id, or a JID.
    to: String,
    /// At most 65536 characters.
    #[schema(max_length = 65536)]
    text: String,
    /// `to` is a group's id.
    is_group: Option<bool>,
    /// WhatsApp's id of the message that this one answers.
    quoted_message_id: Option<String>,
    /// Phone numbers or JIDs of people who are called in the text, which says `@` and the number; at most 256.
    mentions: Option<Vec<String>>,
    /// Whether the chat shows "typing" before it, a tenth of a second for each character up to five seconds; as
    /// `TYPING_INDICATOR` says when it is left out.
    typing: Option<bool>,
    /// Whether the message may wait when the session is not connected; it may, unless this says `false`.
    queue: Option<bool>,
}

/// The most people who are called in one message.
const MOST_MENTIONS: usize = 256;

impl SendText {
    pub(super) fn read(fields: &Fields) -> Result<Self, Invalid> {
        Ok(Self {
            session: fields.text("session")?,
            to: fields.text("to")?,
            text: fields.text_up_to("text", MAX_TEXT_CHARS)?,
            is_group: fields.optional_flag("is_group")?,
            quoted_message_id: fields.optional_text("quoted_message_id")?,
            mentions: Some(fields.optional_texts("mentions", MOST_MENTIONS)?),
            typing: fields.optional_flag("typing")?,
            queue: fields.optional_flag("queue")?,
        })
    }

    pub(super) async fn send(
        self,
        state: &ApiState,
        caller: &Caller,
        idempotency: IdempotencyHeader,
    ) -> Result<Sent, SendError> {
        let (session, chat) = sending::address(state, caller, &self.session, &self.to, self.is_group).await?;
        let mentions = sending::people(&self.mentions.unwrap_or_default())?;
        let quoted = match self.quoted_message_id.filter(|id| !id.is_empty()) {
            Some(id) => Some(sending::quote(state, &session, &chat, id).await?),
            None => None,
        };
        let content = Content::Text { text: self.text, quoted, mentions };
        let queue = self.queue.unwrap_or(true);
        let typing = self.typing.unwrap_or(state.settings.typing_indicator);
        let idempotency = idempotency.key()?;
        sending::send(state, caller, Order { session, chat, content, idempotency, queue, typing }).await
    }
}

/// Sends a text.
#[utoipa::path(
    post, path = "/message/send-text", tag = "message", operation_id = "sendText",
    request_body = SendText,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key on the same request is the same message, however often it is sent")),
    responses(
        (status = 200, description = "WhatsApp has it; the message, as `data`", body = SentBody),
        (status = 202, description = "It is stored and will be sent when the session is connected: `status` is \
            `QUEUED`", body = SentBody),
        (status = 400, description = "Not a request that can be carried out", body = ProblemBody, examples(
            ("Field" = (value = json!({"message": "Required field 'text' on json", "code": "invalid_field"}))),
            ("Session" = (value = json!({"message": "Session does not exist", "code": "session_not_found"}))),
            ("Number" = (value = json!({"message": "The number 628 is not on WhatsApp",
                "code": "not_on_whatsapp"}))),
        )),
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
    SendText::read(&fields)?.send(&state, &caller, idempotency).await
}

#[cfg(test)]
#[path = "send_text_tests.rs"]
mod tests;
