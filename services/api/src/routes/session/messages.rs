//! `GET /session/{name}/messages`: a session's messages both ways, from the newest.

use axum::{extract::State, http::StatusCode, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    EventId, Timestamp,
    message::{Content, Failure, Message, MessageState},
};
use serde::{Deserialize, Serialize};
use storage::{MessageFilter, Part, Place, ReceivedMessage};
use utoipa::ToSchema;

use crate::{
    access::{self, PathName},
    auth::Caller,
    error::ProblemBody,
    fields::{Fields, Invalid, QueryFields},
    json,
    listing::{ListError, PageSize},
    sending,
    state::ApiState,
};

const PAGE: PageSize = PageSize { usual: 50, most: 100 };

/// The most characters that a list shows of a text.
const MAX_TEXT_CHARS: usize = 4096;

/// The word for the state of a message that came in.
const RECEIVED: &str = "received";

/// A message of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedMessage {
    /// `msg_…` of one that was sent, `evt_…` of one that came in.
    #[schema(example = "msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f")]
    id: String,
    /// `out` or `in`.
    #[schema(example = "out")]
    direction: &'static str,
    /// WhatsApp's id of it: what is quoted, reacted to, edited or deleted.
    #[schema(example = "3EB0C431C26A1916E07A4D")]
    message_id: String,
    /// The chat's JID.
    #[schema(example = "628123456789@s.whatsapp.net")]
    chat: String,
    /// The kind of message, such as `text`, `image` or `reaction`.
    #[schema(example = "text")]
    kind: String,
    /// Its words, up to 4,096 characters of them.
    text: Option<String>,
    /// There are more of them.
    text_cut: bool,
    /// `queued`, `sent`, `delivered`, `read` or `failed`; `received` of one that came in.
    #[schema(example = "delivered")]
    state: &'static str,
    /// When it came to that.
    #[schema(example = "2026-11-22T19:36:12Z")]
    state_at: String,
    /// Why it failed.
    #[schema(value_type = Option<Object>, example = json!(null))]
    error: Option<Failure>,
    /// When it was accepted, or came in.
    #[schema(example = "2026-11-22T19:36:11.5Z")]
    at: String,
    /// Who wrote it, of one that came in: a phone number's JID where it is known.
    sender: Option<String>,
    /// The name that the sender goes by.
    sender_name: Option<String>,
    media: Option<ListedMedia>,
}

/// The file of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedMedia {
    /// `image`, `video`, `document`, `audio`, `voice` or `sticker`.
    #[schema(example = "image")]
    kind: String,
    /// Of a file that came in: `stored`, `pending` or `missing`.
    #[schema(example = "stored")]
    state: Option<String>,
    /// Where this API has a file that came in and is stored.
    #[schema(example = "/media/3EB0C431C26A1916E07A4D.jpg")]
    path: Option<String>,
    /// What its sender calls it.
    file_name: Option<String>,
    #[schema(example = "image/jpeg")]
    mime_type: Option<String>,
    /// In bytes.
    size: Option<u64>,
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessagePage {
    /// The newest first. Where a filter lets few through, a page may have fewer than were asked for, even none, and
    /// still not be the last one.
    data: Vec<ListedMessage>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

/// The messages of a session, sent and received, the newest first.
#[utoipa::path(
    get, path = "/session/{name}/messages", tag = "session", operation_id = "sessionMessages",
    params(
        ("name" = String, Path, description = "The session", example = "shop"),
        ("direction" = Option<String>, Query, description = "`in` or `out`; both when it is left out", example = "out"),
        ("state" = Option<String>, Query, description = "`queued`, `sent`, `delivered`, `read`, `failed` or `received`",
            example = "failed"),
        ("chat" = Option<String>, Query, description = "A phone number or a JID", example = "628123456789"),
        ("limit" = Option<u32>, Query, description = "1 to 100; 50 when it is left out", example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of them", body = MessagePage),
        (status = 400, description = "A filter that is none", body = ProblemBody),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    name: PathName,
    QueryFields(fields): QueryFields,
) -> Result<Response, ListError> {
    let wanted = Wanted::read(&fields)?;
    let session = access::visible(&state.database, &caller, name).await?;
    let (limit, filter) = (wanted.limit, &wanted.filter);
    let sent = match wanted.cursor.sent {
        Some(before) if wanted.sent => {
            state.database.sent_messages(session.id, filter, before, limit).await?
        }
        _ => Part { items: Vec::new(), next: None },
    };
    let received = match wanted.cursor.received {
        Some(before) if wanted.received => {
            state.database.received_messages(session.id, filter, before, limit).await?
        }
        _ => Part { items: Vec::new(), next: None },
    };
    let (data, next) = merge(sent, received, &wanted.cursor, limit as usize);
    let page = MessagePage { data, next_cursor: next.map(|next| next.written()) };
    Ok(json::answer(StatusCode::OK, &page))
}

/// What is asked for.
struct Wanted {
    sent: bool,
    received: bool,
    filter: MessageFilter,
    limit: u32,
    cursor: Cursor,
}

impl Wanted {
    fn read(fields: &Fields) -> Result<Self, Invalid> {
        let direction = fields.word_if_any("direction", &["in", "out"], |word| word)?;
        let mut states: Vec<&str> = MessageState::ALL.iter().map(|state| state.as_str()).collect();
        states.push(RECEIVED);
        let state = fields.optional_text("state")?.filter(|word| !word.is_empty());
        let state = match state.as_deref() {
            None => None,
            Some(word) if states.contains(&word) => Some(MessageState::parse(word)),
            Some(_) => {
                let rule = format!("Invalid enum value. Expected one of {}", states.join(", "));
                return Err(fields.unfit(rule, "state"));
            }
        };
        let chat = fields.optional_text_up_to("chat", 128)?.map(|chat| {
            sending::recipient(&chat, false)
                .map_err(|_| fields.unfit("Expected a phone number or a JID".to_owned(), "chat"))
        });
        Ok(Self {
            sent: direction != Some("in") && state != Some(None),
            received: direction != Some("out") && !matches!(state, Some(Some(_))),
            filter: MessageFilter { chat: chat.transpose()?, state: state.flatten() },
            limit: PAGE.read(fields)?,
            cursor: Cursor::read(fields)?,
        })
    }
}

/// Where a page begins in each of the two lists; `None` in one that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    sent: Option<Place<i64>>,
    received: Option<Place<EventId>>,
}

impl Cursor {
    fn newest() -> Self {
        Self { sent: Some(Place::NEWEST_SENT), received: Some(Place::newest_received()) }
    }

    /// A list that was read to its end goes on before everything.
    fn written(&self) -> String {
        let sent = self.sent.unwrap_or(Place { at: Timestamp(i64::MIN), key: 0 });
        let received =
            self.received.unwrap_or(Place { at: Timestamp(i64::MIN), key: uuid::Uuid::nil().into() });
        let id = received.key.uuid();
        let numbers = [sent.at.0, sent.key, received.at.0].map(i64::to_be_bytes);
        URL_SAFE_NO_PAD.encode([numbers.as_flattened(), id.as_bytes()].concat())
    }

    fn read(fields: &Fields) -> Result<Self, Invalid> {
        let Some(text) = fields.optional_text("cursor")?.filter(|text| !text.is_empty()) else {
            return Ok(Self::newest());
        };
        Self::parse(&text).ok_or_else(|| fields.unfit("Invalid cursor".to_owned(), "cursor"))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 40] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let number = |from: usize| bytes.get(from..from + 8)?.try_into().ok().map(i64::from_be_bytes);
        let id = uuid::Uuid::from_slice(bytes.get(24..)?).ok()?;
        let (sent, received) = (Timestamp(number(0)?), Timestamp(number(16)?));
        let open = |at: Timestamp| at.0 != i64::MIN;
        Some(Self {
            sent: open(sent).then_some(Place { at: sent, key: number(8)? }),
            received: open(received).then_some(Place { at: received, key: id.into() }),
        })
    }
}

/// Puts two lists into one, from the newest. What one list has is told only as far back as the other one is known.
fn merge(
    sent: Part<Message, i64>,
    received: Part<ReceivedMessage, EventId>,
    from: &Cursor,
    limit: usize,
) -> (Vec<ListedMessage>, Option<Cursor>) {
    let known = |next: Option<Timestamp>| next.unwrap_or(Timestamp(i64::MIN));
    let horizon = known(sent.next.map(|next| next.at)).max(known(received.next.map(|next| next.at)));
    let mut next = Cursor { sent: from.sent, received: from.received };
    let mut items = Vec::with_capacity(limit);
    let (mut sent_items, mut received_items) =
        (sent.items.into_iter().peekable(), received.items.into_iter().peekable());
    while items.len() < limit {
        let (one, other) =
            (sent_items.peek().map(|one| one.accepted_at), received_items.peek().map(|one| one.at));
        let newest = one.max(other);
        if newest.is_none_or(|newest| newest < horizon) {
            break;
        }
        if one >= other
            && let Some(message) = sent_items.next()
        {
            next.sent = Some(Place { at: message.accepted_at, key: message.position });
            items.push(ListedMessage::sent(message));
        } else if let Some(message) = received_items.next() {
            next.received = Some(Place { at: message.at, key: message.id });
            items.push(ListedMessage::received(message));
        }
    }
    // What was looked at without result need not be looked at again.
    if sent_items.peek().is_none() {
        next.sent = sent.next;
    }
    if received_items.peek().is_none() {
        next.received = received.next;
    }
    let more = next.sent.is_some() || next.received.is_some();
    (items, more.then_some(next))
}

impl ListedMessage {
    fn sent(message: Message) -> Self {
        let (text, text_cut) = cut(message.content.words());
        let state_at = match message.state {
            MessageState::Queued | MessageState::Failed => None,
            MessageState::Sent => message.sent_at,
            MessageState::Delivered => message.delivered_at,
            MessageState::Read => message.read_at,
        };
        let media = match &message.content {
            Content::Media(media) => Some(ListedMedia {
                kind: media.kind.as_str().to_owned(),
                state: None,
                path: None,
                file_name: media.file_name.clone(),
                mime_type: None,
                size: None,
            }),
            _ => None,
        };
        Self {
            id: message.id.to_string(),
            direction: "out",
            kind: message.content.kind().to_owned(),
            message_id: message.wa_id,
            chat: message.chat,
            text,
            text_cut,
            state: message.state.as_str(),
            state_at: state_at.unwrap_or(message.accepted_at).to_rfc3339(),
            error: message.failure,
            at: message.accepted_at.to_rfc3339(),
            sender: None,
            sender_name: None,
            media,
        }
    }

    fn received(message: ReceivedMessage) -> Self {
        // Every version writes these fields; one that it does not know of is as good as none.
        let told: Told = serde_json::from_str(&message.payload).unwrap_or_default();
        let (text, text_cut) = cut(told.message.as_deref());
        let participant = told.participant.unwrap_or_default();
        let at = message.at.to_rfc3339();
        Self {
            id: message.id.to_string(),
            direction: "in",
            message_id: message.message_id,
            chat: told.from.unwrap_or_default(),
            kind: told.kind.unwrap_or_default(),
            text,
            text_cut,
            state: RECEIVED,
            state_at: at.clone(),
            error: None,
            at,
            sender: participant.phone.or(participant.lid),
            sender_name: participant.push_name,
            media: told.file.map(ListedMedia::from),
        }
    }
}

/// As much of a text as a list shows, and whether there is more.
fn cut(text: Option<&str>) -> (Option<String>, bool) {
    let Some(text) = text else { return (None, false) };
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => (Some(text[..end].to_owned()), true),
        None => (Some(text.to_owned()), false),
    }
}

/// What the webhook of a message tells.
#[derive(Debug, Default, Deserialize)]
struct Told {
    from: Option<String>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    participant: Option<ToldParticipant>,
    file: Option<ToldFile>,
}

#[derive(Debug, Default, Deserialize)]
struct ToldParticipant {
    phone: Option<String>,
    lid: Option<String>,
    #[serde(rename = "pushName")]
    push_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ToldFile {
    state: String,
    kind: String,
    name: Option<String>,
    file_name: Option<String>,
    mime_type: Option<String>,
    size: Option<u64>,
}

impl From<ToldFile> for ListedMedia {
    fn from(file: ToldFile) -> Self {
        Self {
            kind: file.kind,
            state: Some(file.state),
            path: file.name.map(|name| format!("/media/{name}")),
            file_name: file.file_name,
            mime_type: file.mime_type,
            size: file.size,
        }
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
