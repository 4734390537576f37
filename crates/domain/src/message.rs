//! A message on its way to WhatsApp.

use serde::{Deserialize, Serialize};

use std::fmt;

use crate::{MessageId, SessionId, Timestamp, UserId, session::text_enum};

/// Longest text, in characters: what WhatsApp's own clients let a person send.
pub const MAX_TEXT_CHARS: usize = 65_536;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quoted: Option<Quote>,
    },
}

impl Content {
    /// The word for this kind of message.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
        }
    }
}

/// The message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// WhatsApp's id of it.
    pub message_id: String,
    /// Its author's JID.
    pub participant: String,
    /// Its text, as far as the gateway knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

text_enum! {
    /// How far a message has come.
    MessageState {
        /// Stored; WhatsApp does not have it yet.
        Queued = "queued",
        /// WhatsApp has it.
        Sent = "sent",
        /// The recipient's phone has it.
        Delivered = "delivered",
        /// The recipient has read it.
        Read = "read",
        /// It will not be sent; the code says why.
        Failed = "failed",
    }
}

/// A message that the gateway was asked to send, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    pub id: MessageId,
    pub session: SessionId,
    pub user: UserId,
    /// Chosen when the message is accepted: every retry is the same message to its recipient.
    pub wa_id: String,
    /// The recipient's JID.
    pub chat: String,
    pub content: Content,
    pub idempotency: Option<Idempotency>,
    pub accepted_at: Timestamp,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
}

/// A caller's `Idempotency-Key`, and what it stood on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    pub key: String,
    /// A hash of the request, so that the same key under another request is noticed.
    pub request_hash: Vec<u8>,
}

/// A message as storage knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    /// Its place in the session's queue: messages of one chat are sent in this order.
    pub position: i64,
    pub session: SessionId,
    pub user: UserId,
    pub wa_id: String,
    pub chat: String,
    pub content: Content,
    pub state: MessageState,
    pub failure: Option<Failure>,
    pub accepted_at: Timestamp,
    pub expires_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word for programs.
    pub code: FailureCode,
    /// A sentence for people.
    pub reason: String,
}

text_enum! {
    /// Why a message was not sent, as a stable word.
    FailureCode {
        /// It waited longer than its time to live.
        Expired = "expired",
        /// WhatsApp does not know the number.
        NotOnWhatsapp = "not_on_whatsapp",
        /// WhatsApp refused it.
        Refused = "refused",
        /// The session was logged out or removed while the message waited.
        SessionGone = "session_gone",
        /// It cannot be sent as it is, such as to a malformed JID.
        Invalid = "invalid",
    }
}

/// A WhatsApp message id made from 9 random bytes, in the form WhatsApp's web client uses: `3EB0` and
/// 18 hexadecimal digits.
#[must_use]
pub fn wa_message_id(random: [u8; 9]) -> String {
    use fmt::Write as _;
    random.iter().fold(String::from("3EB0"), |mut id, byte| {
        let _ = write!(id, "{byte:02X}");
        id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_those_of_whatsapp_web() {
        assert_eq!(wa_message_id([0, 1, 2, 3, 4, 5, 6, 7, 255]), "3EB0000102030405 0607FF".replace(' ', ""));
    }

    #[test]
    fn content_keeps_its_form_in_storage() {
        let content = Content::Text { text: "hi".into(), quoted: None };
        let json = serde_json::to_string(&content).unwrap();
        assert_eq!(json, r#"{"type":"text","text":"hi"}"#);
        assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content);
    }
}
