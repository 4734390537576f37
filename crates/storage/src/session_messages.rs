//! A session's messages as people look at them: both ways, from the newest.
//!
//! Each way is a list of its own, in the order of its index. A filter that few messages pass would read a long list to
//! its end, so a page looks at so many messages at most; then it is short, and the next one goes on behind them.

use domain::{
    EventId, SessionId, Timestamp,
    message::{Message, MessageState},
};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{Result, database::Database, driver::with_conn, outbound};

/// How many messages a page looks at.
const LOOKED_AT: i64 = 20_000;

/// A place in a list: what is told next lies before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<K> {
    pub at: Timestamp,
    /// Tells messages of the same moment apart.
    pub key: K,
}

impl Place<i64> {
    /// The beginning of the messages that were sent.
    pub const NEWEST_SENT: Self = Self { at: Timestamp(i64::MAX), key: i64::MAX };
}

impl Place<EventId> {
    /// The beginning of the messages that came in.
    #[must_use]
    pub fn newest_received() -> Self {
        Self { at: Timestamp(i64::MAX), key: Uuid::max().into() }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T, K> {
    /// From the newest.
    pub items: Vec<T>,
    /// Where it goes on; `None` at the end of the list.
    pub next: Option<Place<K>>,
}

/// Which messages; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// The JID of a chat.
    pub chat: Option<String>,
    /// Of those that were sent.
    pub state: Option<MessageState>,
}

impl MessageFilter {
    const fn is_empty(&self) -> bool {
        self.chat.is_none() && self.state.is_none()
    }
}

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    pub id: EventId,
    /// When it was stored.
    pub at: Timestamp,
    /// WhatsApp's id of it.
    pub message_id: String,
    /// What webhooks tell of it: JSON.
    pub payload: String,
}

impl Database {
    /// The messages that a session was to send, from before `before` on.
    pub async fn sent_messages(
        &self,
        session: SessionId,
        filter: &MessageFilter,
        before: Place<i64>,
        limit: u32,
    ) -> Result<Part<Message, i64>> {
        let mut reader = self.reader().await?;
        let rows: Vec<outbound::Row> = with_conn!(&mut reader, conn => {
            let mut query = QueryBuilder::new("SELECT * FROM (SELECT ");
            query.push(outbound::COLUMNS).push(" FROM outbound WHERE session_id = ").push_bind(session.uuid());
            query.push(" AND (accepted_at, position) < (").push_bind(before.at.0);
            query.push(", ").push_bind(before.key).push(") ORDER BY accepted_at DESC, position DESC LIMIT ");
            query.push_bind(LOOKED_AT).push(") AS m WHERE TRUE");
            if let Some(chat) = &filter.chat {
                query.push(" AND chat = ").push_bind(chat.clone());
            }
            if let Some(state) = filter.state {
                query.push(" AND state = ").push_bind(state.as_str());
            }
            query.push(" ORDER BY accepted_at DESC, position DESC LIMIT ").push_bind(i64::from(limit));
            query.build_query_as().fetch_all(conn).await?
        });
        let items: Vec<Message> = rows.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
        if items.len() >= limit as usize {
            let next = items.last().map(|last| Place { at: last.accepted_at, key: last.position });
            return Ok(Part { items, next });
        }
        if filter.is_empty() {
            return Ok(Part { items, next: None });
        }
        let last: Option<(i64, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT accepted_at, position FROM outbound
                 WHERE session_id = $1 AND (accepted_at, position) < ($2, $3)
                 ORDER BY accepted_at DESC, position DESC LIMIT 1 OFFSET $4",
            )
            .bind(session.uuid())
            .bind(before.at.0)
            .bind(before.key)
            .bind(LOOKED_AT - 1)
            .fetch_optional(conn)
            .await?
        });
        Ok(Part { items, next: last.map(|(at, key)| Place { at: Timestamp(at), key }) })
    }

    /// The messages that came in through a session, from before `before` on.
    pub async fn received_messages(
        &self,
        session: SessionId,
        filter: &MessageFilter,
        before: Place<EventId>,
        limit: u32,
    ) -> Result<Part<ReceivedMessage, EventId>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(Uuid, i64, Option<String>, String)> = with_conn!(&mut reader, conn => {
            let mut query = QueryBuilder::new(
                "SELECT id, created_at, message_id, payload FROM (
                   SELECT id, created_at, chat, message_id, payload FROM events
                   WHERE kind = 'message' AND session_id = ",
            );
            query.push_bind(session.uuid()).push(" AND (created_at, id) < (").push_bind(before.at.0);
            query.push(", ").push_bind(before.key.uuid()).push(") ORDER BY created_at DESC, id DESC LIMIT ");
            query.push_bind(LOOKED_AT).push(") AS m WHERE TRUE");
            if let Some(chat) = &filter.chat {
                query.push(" AND (chat = ").push_bind(chat.clone()).push(" OR payload LIKE ");
                query.push_bind(comes_from(chat)).push(" ESCAPE '!')");
            }
            query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(i64::from(limit));
            query.build_query_as().fetch_all(conn).await?
        });
        let items: Vec<ReceivedMessage> = rows
            .into_iter()
            .map(|(id, at, message_id, payload)| ReceivedMessage {
                id: id.into(),
                at: Timestamp(at),
                message_id: message_id.unwrap_or_default(),
                payload,
            })
            .collect();
        if items.len() >= limit as usize {
            let next = items.last().map(|last| Place { at: last.at, key: last.id });
            return Ok(Part { items, next });
        }
        if filter.chat.is_none() {
            return Ok(Part { items, next: None });
        }
        let last: Option<(i64, Uuid)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT created_at, id FROM events
                 WHERE kind = 'message' AND session_id = $1 AND (created_at, id) < ($2, $3)
                 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $4",
            )
            .bind(session.uuid())
            .bind(before.at.0)
            .bind(before.key.uuid())
            .bind(LOOKED_AT - 1)
            .fetch_optional(conn)
            .await?
        });
        Ok(Part { items, next: last.map(|(at, key)| Place { at: Timestamp(at), key: key.into() }) })
    }
}

/// What the payload of a message from this chat contains: events know chats by LIDs, too, and their payloads say the
/// phone number wherever there is one. Quotes in what people write are escaped there, so nobody else can say this.
fn comes_from(chat: &str) -> String {
    let chat: String = chat
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "@.-:_".contains(*c))
        .flat_map(|c| (c == '_').then_some('!').into_iter().chain([c]))
        .collect();
    format!(r#"%"from":"{chat}"%"#)
}
