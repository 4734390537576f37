//! What a caller hears about a message that was accepted: the form of the Node gateway, with our id beside it.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    MessageId, Timestamp,
    media::{MediaKind, OutgoingMedia},
    message::{Content, Message, NewMessage, Target},
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::json::{self, Data};

/// A message that is stored.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(super) id: MessageId,
    wa_id: String,
    chat: String,
    content: Content,
    accepted_at: Timestamp,
}

/// A receipt, and how far the message had come when it was written.
#[derive(Debug)]
pub(crate) struct Sent {
    receipt: Receipt,
    queued: bool,
}

/// The answer's `data`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SentBody<'a> {
    /// Ours: ask for it at `GET /message/{id}`.
    #[schema(value_type = String, example = "msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    id: MessageId,
    key: MessageKey<'a>,
    /// The message as WhatsApp's clients write it.
    #[schema(value_type = Object, example = json!({"extendedTextMessage": {"text": "Hello"}}))]
    message: Value,
    /// Seconds since 1970, as a text.
    #[schema(example = "1795376171")]
    message_timestamp: String,
    /// `PENDING` when WhatsApp has it, `QUEUED` when it waits for its session.
    #[schema(example = "PENDING")]
    status: &'static str,
}

/// What WhatsApp knows a message by.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageKey<'a> {
    #[schema(example = "628123456789@s.whatsapp.net")]
    remote_jid: &'a str,
    from_me: bool,
    #[schema(example = "3EB0C431C26A1916E07A4D")]
    id: &'a str,
}

impl From<&NewMessage> for Receipt {
    fn from(message: &NewMessage) -> Self {
        Self {
            id: message.id,
            wa_id: message.wa_id.clone(),
            chat: message.chat.clone(),
            content: message.content.clone(),
            accepted_at: message.accepted_at,
        }
    }
}

impl From<&Message> for Receipt {
    fn from(message: &Message) -> Self {
        Self {
            id: message.id,
            wa_id: message.wa_id.clone(),
            chat: message.chat.clone(),
            content: message.content.clone(),
            accepted_at: message.accepted_at,
        }
    }
}

impl Receipt {
    pub(super) const fn sent(self) -> Sent {
        Sent { receipt: self, queued: false }
    }

    pub(super) const fn queued(self) -> Sent {
        Sent { receipt: self, queued: true }
    }
}

impl Sent {
    /// The message that it is about.
    pub(super) const fn id(&self) -> MessageId {
        self.receipt.id
    }
}

impl Serialize for Sent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { receipt, queued } = self;
        SentBody {
            id: receipt.id,
            key: MessageKey { remote_jid: &receipt.chat, from_me: true, id: &receipt.wa_id },
            message: as_whatsapp_writes_it(&receipt.content, &receipt.chat),
            message_timestamp: receipt.accepted_at.seconds().to_string(),
            status: if *queued { "QUEUED" } else { "PENDING" },
        }
        .serialize(serializer)
    }
}

impl IntoResponse for Sent {
    fn into_response(self) -> Response {
        let status = if self.queued { StatusCode::ACCEPTED } else { StatusCode::OK };
        json::answer(status, &Data { data: self })
    }
}

fn as_whatsapp_writes_it(content: &Content, chat: &str) -> Value {
    match content {
        Content::Text { text, quoted: None, mentions } if mentions.is_empty() => {
            json!({"extendedTextMessage": {"text": text}})
        }
        Content::Text { text, quoted, mentions } => {
            let mut about = Map::new();
            if let Some(quote) = quoted {
                let message = quote.text.as_ref().map(|text| json!({"conversation": text}));
                about.insert("stanzaId".into(), json!(quote.message_id));
                about.insert("participant".into(), json!(quote.participant));
                about.insert("quotedMessage".into(), json!(message));
            }
            if !mentions.is_empty() {
                about.insert("mentionedJid".into(), json!(mentions));
            }
            json!({"extendedTextMessage": {"text": text, "contextInfo": about}})
        }
        Content::Location { latitude, longitude, name, address } => json!({"locationMessage": {
            "degreesLatitude": latitude, "degreesLongitude": longitude, "name": name, "address": address,
        }}),
        Content::Contact { name, vcard } => json!({"contactMessage": {"displayName": name, "vcard": vcard}}),
        Content::Poll { name, options, selectable, secret: _ } => {
            let options: Vec<_> = options.iter().map(|option| json!({"optionName": option})).collect();
            json!({"pollCreationMessage": {
                "name": name, "options": options, "selectableOptionsCount": selectable,
            }})
        }
        Content::Reaction { to, emoji } => json!({"reactionMessage": {"key": key(to, chat), "text": emoji}}),
        Content::Edit { of, text } => json!({"protocolMessage": {
            "key": key(of, chat), "type": "MESSAGE_EDIT", "editedMessage": {"conversation": text},
        }}),
        Content::Delete { of } => json!({"protocolMessage": {"key": key(of, chat), "type": "REVOKE"}}),
        Content::Media(media) => file(media),
    }
}

fn key(target: &Target, chat: &str) -> Value {
    json!({
        "remoteJid": chat,
        "fromMe": target.from_me,
        "id": target.message_id,
        "participant": target.participant,
    })
}

/// What is known of a file before it is uploaded.
fn file(media: &OutgoingMedia) -> Value {
    let mut message = Map::new();
    if let Some(caption) = &media.caption {
        message.insert("caption".into(), json!(caption));
    }
    if let Some(name) = &media.file_name {
        message.insert("fileName".into(), json!(name));
    }
    if media.kind == MediaKind::Voice {
        message.insert("ptt".into(), json!(true));
    }
    let mut context = Map::new();
    if let Some(quote) = &media.quoted {
        context.insert("stanzaId".into(), json!(quote.message_id));
        context.insert("participant".into(), json!(quote.participant));
    }
    if !media.mentions.is_empty() {
        context.insert("mentionedJid".into(), json!(media.mentions));
    }
    if !context.is_empty() {
        message.insert("contextInfo".into(), Value::Object(context));
    }
    let name = match media.kind {
        MediaKind::Image => "imageMessage",
        MediaKind::Video => "videoMessage",
        MediaKind::Audio | MediaKind::Voice => "audioMessage",
        MediaKind::Document => "documentMessage",
        MediaKind::Sticker => "stickerMessage",
    };
    json!({ name: message })
}
