//! What happened, read in its order: the events of users, the states of a session.

use std::time::Duration;

use domain::{EventId, SessionId, Timestamp, UserId, event::EventKind, session::SessionState};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{Result, database::Database, driver::with_conn, rows::word};

/// How long an event may be stored after a later one: with a database server several processes write, and each numbers
/// its events before it commits them. The one process that writes to SQLite numbers them under its lock.
const STORED_LATE: Duration = Duration::from_secs(5);

/// An event as webhooks tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    pub id: EventId,
    pub kind: EventKind,
    /// JSON.
    pub payload: String,
}

/// A state that a session was in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastState {
    /// Grows with time; names the row.
    pub position: i64,
    pub at: Timestamp,
    pub state: SessionState,
    pub reason: Option<String>,
}

impl Database {
    /// How far back an event may still appear before others that were read already.
    #[must_use]
    pub fn events_overlap(&self) -> Duration {
        if self.is_embedded() { Duration::ZERO } else { STORED_LATE }
    }

    /// The latest event of a user, or of everybody.
    pub async fn latest_event(&self, of: Option<UserId>) -> Result<Option<EventId>> {
        let mut reader = self.reader().await?;
        let id: Option<Uuid> = with_conn!(&mut reader, conn => {
            let mut query = QueryBuilder::new("SELECT id FROM events");
            if let Some(user) = of {
                query.push(" WHERE user_id = ").push_bind(user.0);
            }
            query.push(" ORDER BY id DESC LIMIT 1");
            query.build_query_scalar().fetch_optional(conn).await?
        });
        Ok(id.map(EventId::from))
    }

    /// Events of a user, or of everybody, behind `after`, in the order in which they were numbered.
    pub async fn events_after(
        &self,
        of: Option<UserId>,
        after: EventId,
        limit: u32,
    ) -> Result<Vec<StoredEvent>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(Uuid, String, String)> = with_conn!(&mut reader, conn => {
            let mut query = QueryBuilder::new("SELECT id, kind, payload FROM events WHERE id > ");
            query.push_bind(after.uuid());
            if let Some(user) = of {
                query.push(" AND user_id = ").push_bind(user.0);
            }
            query.push(" ORDER BY id LIMIT ").push_bind(i64::from(limit));
            query.build_query_as().fetch_all(conn).await?
        });
        rows.into_iter()
            .map(|(id, kind, payload)| Ok(StoredEvent { id: id.into(), kind: word(&kind)?, payload }))
            .collect()
    }

    /// The states that a session was in, the latest first, from before the row `before` on.
    pub async fn past_states(
        &self,
        session: SessionId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<PastState>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(i64, i64, String, Option<String>)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT position, at, state, reason FROM session_events
                 WHERE session_id = $1 AND position < $2 ORDER BY position DESC LIMIT $3",
            )
            .bind(session.uuid())
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
        });
        rows.into_iter()
            .map(|(position, at, state, reason)| {
                Ok(PastState { position, at: Timestamp(at), state: word(&state)?, reason })
            })
            .collect()
    }
}
