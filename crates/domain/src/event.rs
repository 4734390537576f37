//! What happened, as it is told to webhooks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    MessageId, Timestamp,
    detail::Detail,
    media::{InboundMedia, MediaKind},
    message::MessageState,
    session::{SessionState, text_enum},
};

text_enum! {
    /// What an event is about; endpoints choose by it.
    EventKind {
        /// A message came in.
        Message = "message",
        /// A session changed its state.
        Session = "session",
        /// A message that was sent came further: it was delivered, or read.
        Receipt = "receipt",
    }
}

/// A message that came in, as the gateway's own words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// WhatsApp's id of it.
    pub message_id: String,
    /// The chat's JID: a person's, or a group's.
    pub chat: String,
    /// Who wrote it: the chat's JID again, or a member of the group.
    pub sender: String,
    /// The other address of the chat: the LID of a phone number, or the phone number of a LID.
    pub chat_alt: Option<String>,
    /// The other address of the sender.
    pub sender_alt: Option<String>,
    /// The name that the sender goes by.
    pub push_name: Option<String>,
    /// The contract's `message`: text, caption, contact name, or comment; else nothing.
    pub text: Option<String>,
    /// The word for what kind of message it is, such as `text` or `image`.
    pub kind: String,
    /// What it carries besides its text.
    pub detail: Option<Detail>,
    /// When it was sent, as WhatsApp says.
    pub sent_at: Timestamp,
    /// It came from the offline queue: it was sent while the session was not connected.
    pub replayed: bool,
    /// The file that it brought.
    pub media: Option<InboundMedia>,
}

/// The body of a message webhook: the Node gateway's four fields, then ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageWebhook<'a> {
    pub session: &'a str,
    pub from: &'a str,
    pub message: Option<&'a str>,
    pub media: Media<'a>,
    #[serde(rename = "messageId")]
    pub message_id: &'a str,
    /// Seconds since 1970, as WhatsApp counts.
    pub timestamp: i64,
    pub event: EventKind,
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Grows by one with each event of the session: a gap means that something is missing.
    pub sequence: i64,
    pub phone: Option<&'a str>,
    pub lid: Option<&'a str>,
    pub participant: Participant<'a>,
    pub replayed: bool,
    /// A link to the file that works without a login until it expires.
    pub media_url: Option<&'a str>,
    pub file: Option<File<'a>>,
    #[serde(flatten)]
    pub detail: Option<&'a Detail>,
}

/// The files that a message carries; every kind that it has not is null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Media<'a> {
    pub image: Option<&'a str>,
    pub video: Option<&'a str>,
    pub document: Option<&'a str>,
    pub audio: Option<&'a str>,
    pub sticker: Option<&'a str>,
}

/// The file that a message brought, or why it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum File<'a> {
    /// It is served at `/media/<name>`.
    Stored {
        kind: MediaKind,
        name: &'a str,
        mime_type: &'a str,
        /// In bytes.
        size: u64,
        /// Of its content, in hexadecimal digits.
        sha256: &'a str,
        /// What its sender calls it.
        file_name: Option<&'a str>,
    },
    /// It was not fetched yet. Webhooks wait for it, but not for ever.
    Pending { kind: MediaKind, file_name: Option<&'a str> },
    /// It could not be fetched.
    Missing { kind: MediaKind, file_name: Option<&'a str>, reason: &'a str },
}

/// The payload of a message's webhook with what has become of its file.
pub fn with_file(payload: &str, file: &File<'_>, url: Option<&str>) -> Result<String, serde_json::Error> {
    let mut payload: serde_json::Value = serde_json::from_str(payload)?;
    if let File::Stored { kind, name, .. } = file {
        payload["media"][kind.webhook_field()] = (*name).into();
    }
    payload["media_url"] = url.into();
    payload["file"] = serde_json::to_value(file)?;
    serde_json::to_string(&payload)
}

/// Who wrote a message, by every address that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Participant<'a> {
    pub phone: Option<&'a str>,
    pub lid: Option<&'a str>,
    #[serde(rename = "pushName")]
    pub push_name: Option<&'a str>,
}

/// The body of a session webhook: the Node gateway's two fields, then ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionWebhook<'a> {
    pub session: &'a str,
    pub status: &'a str,
    pub event: EventKind,
    pub state: SessionState,
    pub reason: Option<&'a str>,
    /// A human with the phone must scan a code.
    pub needs_qr: bool,
    /// A human must act, by scanning or otherwise.
    pub needs_person: bool,
    /// Since when it is in this state, RFC 3339.
    pub since: String,
    /// The linked phone number, digits only.
    pub number: Option<&'a str>,
    pub sequence: i64,
    /// Seconds since 1970.
    pub timestamp: i64,
}

/// The body of a receipt webhook: a message that was sent came further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptWebhook<'a> {
    pub session: &'a str,
    pub event: EventKind,
    /// Ours, as in the answer to sending it.
    pub id: MessageId,
    #[serde(rename = "messageId")]
    pub message_id: &'a str,
    /// Whom it was sent to.
    pub to: &'a str,
    /// `delivered` or `read`; in a group, by the first member.
    pub status: MessageState,
    pub sequence: i64,
    /// Seconds since 1970.
    pub timestamp: i64,
}

/// The part of an address pair that is a phone number's JID, and the part that is a LID.
#[must_use]
pub fn phone_and_lid<'a>(jid: &'a str, alt: Option<&'a str>) -> (Option<&'a str>, Option<&'a str>) {
    let find = |server: &str| [Some(jid), alt].into_iter().flatten().find(|jid| jid.ends_with(server));
    (find("@s.whatsapp.net"), find("@lid"))
}

impl InboundMessage {
    /// The body that goes out for this message.
    #[must_use]
    pub fn webhook<'a>(&'a self, session: &'a str, sequence: i64) -> MessageWebhook<'a> {
        let (phone, lid) = phone_and_lid(&self.chat, self.chat_alt.as_deref());
        let (sender_phone, sender_lid) = phone_and_lid(&self.sender, self.sender_alt.as_deref());
        MessageWebhook {
            session,
            // The Node gateway's receivers expect a phone number here wherever there is one.
            from: phone.unwrap_or(&self.chat),
            message: self.text.as_deref(),
            media: Media::default(),
            message_id: &self.message_id,
            timestamp: self.sent_at.seconds(),
            event: EventKind::Message,
            kind: &self.kind,
            sequence,
            phone,
            lid,
            participant: Participant {
                phone: sender_phone,
                lid: sender_lid,
                push_name: self.push_name.as_deref(),
            },
            replayed: self.replayed,
            media_url: None,
            file: self.media.as_ref().map(|media| File::Pending {
                kind: media.kind,
                file_name: media.claims.file_name.as_deref(),
            }),
            detail: self.detail.as_ref(),
        }
    }
}

/// The body that goes out when a session changed its state.
#[must_use]
pub fn session_webhook<'a>(
    session: &'a str,
    state: SessionState,
    reason: Option<&'a str>,
    number: Option<&'a str>,
    sequence: i64,
    at: Timestamp,
) -> SessionWebhook<'a> {
    SessionWebhook {
        session,
        status: state.webhook_status(),
        event: EventKind::Session,
        state,
        reason,
        needs_qr: matches!(state, SessionState::Pairing | SessionState::LoggedOut),
        needs_person: state.needs_person(),
        since: at.to_rfc3339(),
        number,
        sequence,
        timestamp: at.seconds(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::media::{MediaClaims, RemoteFile};

    fn message() -> InboundMessage {
        InboundMessage {
            message_id: "3EB0AA".into(),
            chat: "100200@lid".into(),
            sender: "100200@lid".into(),
            chat_alt: Some("62811@s.whatsapp.net".into()),
            sender_alt: Some("62811@s.whatsapp.net".into()),
            push_name: Some("Budi".into()),
            text: Some("halo".into()),
            kind: "text".into(),
            detail: None,
            sent_at: Timestamp(1_700_000_000_123),
            replayed: false,
            media: None,
        }
    }

    #[test]
    fn a_message_webhook_has_the_contracts_fields_and_ours() {
        assert_eq!(
            serde_json::to_value(message().webhook("shop", 7)).unwrap(),
            json!({
                "session": "shop",
                "from": "62811@s.whatsapp.net",
                "message": "halo",
                "media": {"image": null, "video": null, "document": null, "audio": null, "sticker": null},
                "messageId": "3EB0AA",
                "timestamp": 1_700_000_000,
                "event": "message",
                "type": "text",
                "sequence": 7,
                "phone": "62811@s.whatsapp.net",
                "lid": "100200@lid",
                "participant": {"phone": "62811@s.whatsapp.net", "lid": "100200@lid", "pushName": "Budi"},
                "replayed": false,
                "media_url": null,
                "file": null
            })
        );
    }

    #[test]
    fn what_else_it_carries_is_a_field_of_its_own() {
        let degrees = |degrees| crate::Degrees::new(degrees).unwrap();
        let id = || "3EB0BB".to_owned();
        let table = [
            (
                Detail::Reaction { message_id: id(), emoji: "👍".into() },
                json!({"reaction": {"messageId": "3EB0BB", "emoji": "👍"}}),
            ),
            (
                Detail::Location {
                    latitude: degrees(-6.2),
                    longitude: degrees(106.8),
                    name: Some("Monas".into()),
                    address: None,
                    url: None,
                    live: false,
                },
                json!({"location": {"latitude": -6.2, "longitude": 106.8, "name": "Monas", "address": null,
                    "url": null, "live": false}}),
            ),
            (
                Detail::Contact(crate::detail::Card { name: Some("Ani".into()), vcard: None }),
                json!({"contact": {"name": "Ani", "vcard": null}}),
            ),
            (Detail::Contacts(Vec::new()), json!({"contacts": []})),
            (
                Detail::Poll { name: "When?".into(), options: vec!["now".into()], selectable: 1 },
                json!({"poll": {"name": "When?", "options": ["now"], "selectable": 1}}),
            ),
            (
                Detail::PollVote { message_id: id(), options: Some(vec!["now".into()]) },
                json!({"pollVote": {"messageId": "3EB0BB", "options": ["now"]}}),
            ),
            (Detail::Edited { message_id: Some(id()) }, json!({"edited": {"messageId": "3EB0BB"}})),
            (Detail::Deleted { message_id: id() }, json!({"deleted": {"messageId": "3EB0BB"}})),
        ];
        let plain = serde_json::to_value(message().webhook("shop", 7)).unwrap();
        for (detail, field) in table {
            let message = InboundMessage { detail: Some(detail), ..message() };
            let mut expected = plain.as_object().unwrap().clone();
            expected.extend(field.as_object().unwrap().clone());
            assert_eq!(serde_json::to_value(message.webhook("shop", 7)).unwrap(), json!(expected));
        }
    }

    #[test]
    fn a_webhook_tells_what_became_of_the_file() {
        let remote = RemoteFile {
            direct_path: String::new(),
            media_key: Vec::new(),
            file_sha256: Vec::new(),
            file_enc_sha256: Vec::new(),
            size: 9,
        };
        let claims = MediaClaims { mime_type: None, file_name: Some("a.ogg".into()) };
        let media = Some(InboundMedia { kind: MediaKind::Voice, claims, remote });
        let message = InboundMessage { media, ..message() };
        let payload = serde_json::to_string(&message.webhook("shop", 1)).unwrap();
        let waiting: Value = serde_json::from_str(&payload).unwrap();
        let pending = json!({"state": "pending", "kind": "voice", "file_name": "a.ogg"});
        assert_eq!((&waiting["file"], &waiting["media"]["audio"]), (&pending, &json!(null)));

        let stored = File::Stored {
            kind: MediaKind::Voice,
            name: "3EB0AA.ogg",
            mime_type: "audio/ogg",
            size: 9,
            sha256: "ab",
            file_name: None,
        };
        let payload = with_file(&payload, &stored, Some("https://h/media/3EB0AA.ogg")).unwrap();
        let body: Value = serde_json::from_str(&payload).unwrap();
        assert_eq!(body["media"]["audio"], "3EB0AA.ogg");
        assert_eq!(body["media_url"], "https://h/media/3EB0AA.ogg");
        assert_eq!(body["file"]["state"], "stored");
        assert_eq!((&body["message"], &body["messageId"]), (&json!("halo"), &json!("3EB0AA")));
    }

    #[test]
    fn a_group_message_comes_from_the_group() {
        let group = InboundMessage { chat: "1203@g.us".into(), chat_alt: None, ..message() };
        let webhook = group.webhook("shop", 1);
        assert_eq!((webhook.from, webhook.phone, webhook.lid), ("1203@g.us", None, None));
        assert_eq!(webhook.participant.phone, Some("62811@s.whatsapp.net"));
    }

    #[test]
    fn a_session_webhook_says_whether_a_person_is_needed() {
        let body = session_webhook(
            "shop",
            SessionState::LoggedOut,
            Some("the phone unlinked it"),
            Some("62811"),
            3,
            Timestamp(5000),
        );
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            json!({
                "session": "shop", "status": "disconnected", "event": "session", "state": "logged_out",
                "reason": "the phone unlinked it", "needs_qr": true, "needs_person": true,
                "since": "1970-01-01T00:00:05Z", "number": "62811", "sequence": 3, "timestamp": 5
            })
        );
    }
}
