//! A message on its way to WhatsApp.

use serde::{Deserialize, Serialize};

use std::fmt;

use crate::{
    Degrees, MessageId, SessionId, Timestamp, UserId,
    media::{MediaSource, OutgoingMedia, StoredUpload},
    session::text_enum,
};

/// Longest text, in characters: what WhatsApp's own clients let a person send.
pub const MAX_TEXT_CHARS: usize = 65_536;

/// How many options a poll has.
pub const POLL_OPTIONS: std::ops::RangeInclusive<usize> = 2..=12;

/// Longest question of a poll, in characters: what WhatsApp's own clients let a person write.
pub const MAX_POLL_NAME_CHARS: usize = 255;

/// Longest option of a poll, in characters.
pub const MAX_POLL_OPTION_CHARS: usize = 100;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quoted: Option<Quote>,
        /// JIDs of people who are called in it; the text says `@` and the number.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<String>,
    },
    Location {
        latitude: Degrees,
        longitude: Degrees,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    Contact {
        name: String,
        vcard: String,
    },
    Poll {
        name: String,
        options: Vec<String>,
        /// How many may be chosen.
        selectable: u32,
        secret: PollSecret,
    },
    Reaction {
        to: Target,
        /// Empty takes an earlier reaction back.
        emoji: String,
    },
    Edit {
        of: Target,
        text: String,
    },
    Delete {
        of: Target,
    },
    /// A file.
    Media(OutgoingMedia),
}

impl Content {
    /// A text and nothing else.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), quoted: None, mentions: Vec::new() }
    }

    /// The word for this kind of message.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Location { .. } => "location",
            Self::Contact { .. } => "contact",
            Self::Poll { .. } => "poll",
            Self::Reaction { .. } => "reaction",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::Media(media) => media.kind.as_str(),
        }
    }

    /// What a quotation of it shows, when that is words.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } | Self::Edit { text, .. } => Some(text),
            Self::Contact { name, .. } | Self::Poll { name, .. } => Some(name),
            Self::Location { name, .. } => name.as_deref(),
            Self::Reaction { .. } | Self::Delete { .. } => None,
            Self::Media(media) => media.caption.as_deref(),
        }
    }

    /// The file that came with the request and waits in the media store.
    #[must_use]
    pub const fn stored_upload(&self) -> Option<&StoredUpload> {
        match self {
            Self::Media(OutgoingMedia { source: MediaSource::Stored(upload), .. }) => Some(upload),
            _ => None,
        }
    }
}

/// What votes in a poll are read with. Chosen with the poll, so that one that is sent twice is still the same poll.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PollSecret(pub [u8; 32]);

impl fmt::Debug for PollSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PollSecret")
    }
}

/// The message that a reaction, an edit or a deletion is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// WhatsApp's id of it.
    pub message_id: String,
    /// The session wrote it.
    pub from_me: bool,
    /// The JID of the member who wrote it, in a group and when it was not the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
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

text_enum! {
    /// What a chat shows of the one at the other side.
    Typing {
        /// A text is being written.
        Composing = "composing",
        /// A voice message is being recorded.
        Recording = "recording",
        /// No longer.
        Paused = "paused",
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

impl NewMessage {
    /// The chat that it goes to, which belongs to its session.
    #[must_use]
    pub fn chat_of_session(&self) -> (SessionId, &str) {
        (self.session, &self.chat)
    }

    /// As it was stored, at this `position`, in the trace that the caller was in.
    #[must_use]
    pub fn stored(self, position: i64, traceparent: Option<String>) -> Message {
        Message {
            id: self.id,
            position,
            session: self.session,
            user: self.user,
            wa_id: self.wa_id,
            chat: self.chat,
            content: self.content,
            state: MessageState::Queued,
            failure: None,
            accepted_at: self.accepted_at,
            expires_at: self.expires_at,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            traceparent,
        }
    }
}

/// A caller's `Idempotency-Key`, and what it stood on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    pub key: String,
    /// A hash of the request, so that the same key under another request is noticed.
    pub request_hash: Vec<u8>,
}

/// A message as storage knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The trace that it belongs to, as W3C's `traceparent`.
    pub traceparent: Option<String>,
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
        /// Its file is of a type that WhatsApp does not show as this kind of message.
        UnsupportedMediaType = "unsupported_media_type",
        /// Its file is larger than the limit for this kind of message.
        MediaTooLarge = "media_too_large",
        /// Its file could not be fetched from where it was said to be.
        MediaUnreachable = "media_unreachable",
        /// The URL of its file leads where URLs of users may not.
        MediaForbidden = "media_forbidden",
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
    use crate::media::MediaKind;

    #[test]
    fn ids_look_like_those_of_whatsapp_web() {
        assert_eq!(wa_message_id([0, 1, 2, 3, 4, 5, 6, 7, 255]), "3EB0000102030405 0607FF".replace(' ', ""));
    }

    #[test]
    fn content_keeps_its_form_in_storage() {
        let target = Target { message_id: "3EB0".into(), from_me: true, participant: None };
        let degrees = |degrees| Degrees::new(degrees).unwrap();
        let secret = PollSecret([7; 32]);
        let sevens = "[7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7]";
        let table = [
            (Content::plain("hi"), r#"{"type":"text","text":"hi"}"#.to_owned()),
            (
                Content::Location {
                    latitude: degrees(-6.5),
                    longitude: degrees(106.8),
                    name: None,
                    address: None,
                },
                r#"{"type":"location","latitude":-6.5,"longitude":106.8}"#.to_owned(),
            ),
            (
                Content::Contact { name: "Budi".into(), vcard: "x".into() },
                r#"{"type":"contact","name":"Budi","vcard":"x"}"#.to_owned(),
            ),
            (
                Content::Poll { name: "?".into(), options: vec!["a".into()], selectable: 1, secret },
                format!(r#"{{"type":"poll","name":"?","options":["a"],"selectable":1,"secret":{sevens}}}"#),
            ),
            (
                Content::Reaction { to: target.clone(), emoji: "👍".into() },
                r#"{"type":"reaction","to":{"message_id":"3EB0","from_me":true},"emoji":"👍"}"#.to_owned(),
            ),
            (
                Content::Edit { of: target.clone(), text: "ho".into() },
                r#"{"type":"edit","of":{"message_id":"3EB0","from_me":true},"text":"ho"}"#.to_owned(),
            ),
            (
                Content::Delete { of: target },
                r#"{"type":"delete","of":{"message_id":"3EB0","from_me":true}}"#.to_owned(),
            ),
        ];
        for (content, json) in table {
            assert_eq!(serde_json::to_string(&content).unwrap(), json);
            assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content);
            assert!(json.starts_with(&format!(r#"{{"type":"{}""#, content.kind())));
        }
    }

    #[test]
    fn a_file_is_kept_by_its_url_or_by_its_place() {
        let media = |source| {
            Content::Media(OutgoingMedia {
                kind: MediaKind::Image,
                source,
                caption: Some("look".into()),
                file_name: None,
                quoted: None,
                mentions: Vec::new(),
            })
        };
        let message: MessageId = "msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap();
        let upload = StoredUpload { message, size: 3, sha256: "ab".into() };
        let table = [
            (MediaSource::Url("http://h/a.png".into()), r#"{"url":"http://h/a.png"}"#.to_owned(), None),
            (
                MediaSource::Stored(upload.clone()),
                format!(r#"{{"stored":{{"message":"{message}","size":3,"sha256":"ab"}}}}"#),
                Some(&upload),
            ),
        ];
        for (source, written, kept) in table {
            let content = media(source);
            let json = serde_json::to_string(&content).unwrap();
            let expected =
                format!(r#"{{"type":"media","kind":"image","source":{written},"caption":"look"}}"#);
            assert_eq!(json, expected);
            assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content);
            assert_eq!(
                (content.kind(), content.words(), content.stored_upload()),
                ("image", Some("look"), kept)
            );
        }
    }
}
