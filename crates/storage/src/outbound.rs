//! Messages on their way to WhatsApp: stored before the caller hears "yes", sent by whoever holds the session.

use std::collections::{HashMap, HashSet};

use domain::{
    Fence, MessageId, RunnerId, SessionId, Timestamp, UserId,
    message::{Failure, Idempotency, Message, NewMessage},
};
use sqlx::QueryBuilder;
use telemetry::trace;
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    dialect::KEEP_ROWS,
    driver::{Tx, runs, with_conn},
    error::Error,
    fence::Allowed,
    group_commit::Write,
    rows::word,
};

/// What became of a message that was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored: it will be sent, or its failure told.
    New {
        /// Its place in the session's queue.
        position: i64,
        /// No earlier message of its chat waits to be sent.
        first: bool,
    },
    /// The same request was stored before, as this message.
    Same(Box<Message>),
    /// The idempotency key was used for another request.
    KeyReused,
    /// There is no such session, or none any more: nothing was stored.
    NoSession,
}

/// How a message came further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// WhatsApp has it.
    Sent,
    /// It will not be sent.
    Failed(Failure),
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "id, position, session_id, user_id, wa_id, chat, body, state, failure_code, failure_reason, accepted_at, \
         expires_at, sent_at, delivered_at, read_at, traceparent"
    };
}

/// The columns that a [`Row`] is read from.
pub(crate) const COLUMNS: &str = columns!();

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: Uuid,
    position: i64,
    session_id: Uuid,
    user_id: i64,
    wa_id: String,
    chat: String,
    body: String,
    state: String,
    failure_code: Option<String>,
    failure_reason: Option<String>,
    accepted_at: i64,
    expires_at: i64,
    sent_at: Option<i64>,
    delivered_at: Option<i64>,
    read_at: Option<i64>,
    traceparent: Option<String>,
}

impl TryFrom<Row> for Message {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let failure = match (row.failure_code, row.failure_reason) {
            (Some(code), reason) => Some(Failure { code: word(&code)?, reason: reason.unwrap_or_default() }),
            (None, _) => None,
        };
        Ok(Self {
            id: row.id.into(),
            position: row.position,
            session: row.session_id.into(),
            user: UserId(row.user_id),
            wa_id: row.wa_id,
            chat: row.chat,
            content: serde_json::from_str(&row.body)
                .map_err(|error| Error::Unreadable { what: "message", reason: error.to_string() })?,
            state: word(&row.state)?,
            failure,
            accepted_at: Timestamp(row.accepted_at),
            expires_at: Timestamp(row.expires_at),
            sent_at: row.sent_at.map(Timestamp),
            delivered_at: row.delivered_at.map(Timestamp),
            read_at: row.read_at.map(Timestamp),
            traceparent: row.traceparent,
        })
    }
}

impl Database {
    /// Stores a message that is to be sent, with the trace that the caller is in. Returns after the commit.
    pub async fn accept_message(&self, message: NewMessage) -> Result<Accepted> {
        self.writes.write(Accept { message, traceparent: trace::current() }).await
    }

    /// Notes how a message came further, as the holder of its session.
    pub async fn advance_message(&self, fence: Fence, id: MessageId, progress: Progress) -> Result<()> {
        let at = self.now();
        if self.writes.write(Advance { fence, id, progress, at }).await? {
            Ok(())
        } else {
            Err(Error::LeaseLost)
        }
    }

    /// The messages of a session that are still to be sent, from behind `position` on, in their order.
    pub async fn queued_messages(
        &self,
        session: SessionId,
        position: i64,
        limit: u32,
    ) -> Result<Vec<Message>> {
        let mut reader = self.reader().await?;
        let rows: Vec<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!(
                "SELECT ", columns!(), " FROM outbound
                 WHERE session_id = $1 AND position > $2 AND state = 'queued' ORDER BY position LIMIT $3"
            ))
            .bind(session.uuid())
            .bind(position)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The sessions of a runner that have messages still to be sent: what finds a message whose command was lost.
    pub async fn sessions_with_queued_messages(&self, runner: RunnerId) -> Result<Vec<SessionId>> {
        let mut reader = self.reader().await?;
        let ids: Vec<Uuid> = with_conn!(&mut reader, conn => {
            sqlx::query_scalar(
                "SELECT DISTINCT o.session_id FROM outbound o JOIN sessions s ON s.id = o.session_id
                 WHERE o.state = 'queued' AND s.runner_id = $1",
            )
            .bind(runner.uuid())
            .fetch_all(conn)
            .await?
        });
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// How many messages of a session are still to be sent; counting stops at `at_most`.
    pub async fn count_queued(&self, session: SessionId, at_most: u32) -> Result<u32> {
        let mut reader = self.reader().await?;
        let count: i64 = with_conn!(&mut reader, conn => {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM (
                   SELECT 1 FROM outbound WHERE session_id = $1 AND state = 'queued' LIMIT $2
                 ) AS queued",
            )
            .bind(session.uuid())
            .bind(i64::from(at_most))
            .fetch_one(conn)
            .await?
        });
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// One message.
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>> {
        let mut reader = self.reader().await?;
        let row: Option<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!("SELECT ", columns!(), " FROM outbound WHERE id = $1"))
                .bind(id.uuid())
                .fetch_optional(conn)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// The message of a session that WhatsApp knows by this id.
    pub async fn message_by_wa_id(&self, session: SessionId, wa_id: &str) -> Result<Option<Message>> {
        let mut reader = self.reader().await?;
        let row: Option<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!("SELECT ", columns!(), " FROM outbound WHERE session_id = $1 AND wa_id = $2"))
                .bind(session.uuid())
                .bind(wa_id)
                .fetch_optional(conn)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// What a user's idempotency key was used for, if it was: [`Accepted::Same`] or [`Accepted::KeyReused`]. Only
    /// [`accept_message`](Self::accept_message) decides; this spares a repeated request the checks before it.
    pub async fn accepted_before(&self, user: UserId, idempotency: &Idempotency) -> Result<Option<Accepted>> {
        let mut reader = self.reader().await?;
        let earlier: Option<Earlier> = with_conn!(&mut reader, conn => {
            sqlx::query_as(EARLIER).bind(user.0).bind(&idempotency.key).fetch_optional(conn).await?
        });
        earlier.map(|earlier| earlier.compared_with(idempotency)).transpose()
    }
}

pub(crate) struct Accept {
    message: NewMessage,
    traceparent: Option<String>,
}

impl Write for Accept {
    type Output = Accepted;

    fn fence(&self) -> Option<Fence> {
        None
    }

    async fn apply(
        writes: &[&Self],
        _allowed: &Allowed,
        _shared: &Shared,
        tx: &mut Tx,
    ) -> Result<Vec<Accepted>> {
        let mut rows = Vec::with_capacity(writes.len());
        for Self { message, traceparent } in writes {
            let body =
                serde_json::to_string(&message.content).map_err(|error| Error::Refused(error.to_string()))?;
            rows.push((message, body, traceparent));
        }
        let mut stored: HashMap<Uuid, (i64, bool)> = HashMap::with_capacity(rows.len());
        for run in runs(&rows) {
            stored
                .extend(insert(tx, run).await?.into_iter().map(|(id, place, behind)| (id, (place, behind))));
        }
        let mut met = HashSet::with_capacity(writes.len());
        let mut outputs = Vec::with_capacity(writes.len());
        for Self { message, .. } in writes {
            outputs.push(match stored.get(&message.id.uuid()) {
                Some((position, behind)) => {
                    let first = met.insert(message.chat_of_session()) && !behind;
                    Accepted::New { position: *position, first }
                }
                None => not_stored(tx, message).await?,
            });
        }
        Ok(outputs)
    }
}

/// Stores messages, without those of sessions that are gone and those that are there already; returns the id and the
/// position of each, and whether an earlier one of its chat waits. Of those in `run` PostgreSQL sees none here, SQLite
/// those before it. The sessions stay at least until the transaction ends: nothing is left queued for one that is being
/// removed.
async fn insert(
    tx: &mut Tx,
    run: &[(&NewMessage, String, &Option<String>)],
) -> Result<Vec<(Uuid, i64, bool)>> {
    let keep = KEEP_ROWS.of(tx);
    Ok(with_conn!(tx, conn => {
        let mut query = QueryBuilder::new(
            "INSERT INTO outbound (session_id, id, user_id, wa_id, chat, body, state, idempotency_key, request_hash,
               accepted_at, expires_at, traceparent)
             SELECT s.id, v.column2, v.column3, v.column4, v.column5, v.column6, 'queued', v.column7, v.column8,
               v.column9, v.column10, v.column11
             FROM (",
        );
        query.push_values(run.iter().zip(0_i64..), |mut values, ((message, body, traceparent), place)| {
            let idempotency = message.idempotency.as_ref();
            values
                .push_bind(message.session.uuid())
                .push_bind(message.id.uuid())
                .push_bind(message.user.0)
                .push_bind(message.wa_id.clone())
                .push_bind(message.chat.clone())
                .push_bind(body.clone())
                .push_bind(idempotency.map(|idempotency| idempotency.key.clone()))
                .push_bind(idempotency.map(|idempotency| idempotency.request_hash.clone()))
                .push_bind(message.accepted_at.0)
                .push_bind(message.expires_at.0)
                .push_bind((*traceparent).clone())
                .push_bind(place);
        });
        query.push(") AS v JOIN sessions s ON s.id = v.column1 ORDER BY s.id, v.column12").push(keep);
        query.push(
            " ON CONFLICT DO NOTHING RETURNING id, position, EXISTS (
                SELECT 1 FROM outbound q
                WHERE q.session_id = outbound.session_id AND q.chat = outbound.chat AND q.state = 'queued'
                  AND q.position < outbound.position
              )",
        );
        query.build_query_as().fetch_all(conn).await?
    }))
}

/// Why a message was not stored.
async fn not_stored(tx: &mut Tx, message: &NewMessage) -> Result<Accepted> {
    let session: Option<(Uuid,)> = with_conn!(tx, conn => {
        sqlx::query_as("SELECT id FROM sessions WHERE id = $1")
            .bind(message.session.uuid())
            .fetch_optional(conn)
            .await?
    });
    if session.is_some() { earlier(tx, message).await } else { Ok(Accepted::NoSession) }
}

#[derive(sqlx::FromRow)]
struct Earlier {
    request_hash: Option<Vec<u8>>,
    #[sqlx(flatten)]
    message: Row,
}

const EARLIER: &str = concat!(
    "SELECT request_hash, ",
    columns!(),
    " FROM outbound WHERE user_id = $1 AND idempotency_key = $2"
);

impl Earlier {
    fn compared_with(self, idempotency: &Idempotency) -> Result<Accepted> {
        if self.request_hash.as_ref() == Some(&idempotency.request_hash) {
            Ok(Accepted::Same(Box::new(self.message.try_into()?)))
        } else {
            Ok(Accepted::KeyReused)
        }
    }
}

/// The message that was stored under the same idempotency key before.
async fn earlier(tx: &mut Tx, message: &NewMessage) -> Result<Accepted> {
    let taken = || Error::Refused(format!("the message id {} is taken", message.wa_id));
    let idempotency = message.idempotency.as_ref().ok_or_else(taken)?;
    let earlier: Option<Earlier> = with_conn!(tx, conn => {
        sqlx::query_as(EARLIER).bind(message.user.0).bind(&idempotency.key).fetch_optional(conn).await?
    });
    earlier.ok_or_else(taken)?.compared_with(idempotency)
}

pub(crate) struct Advance {
    fence: Fence,
    id: MessageId,
    progress: Progress,
    at: Timestamp,
}

impl Write for Advance {
    /// Whether the claim held.
    type Output = bool;

    fn fence(&self) -> Option<Fence> {
        Some(self.fence)
    }

    async fn apply(writes: &[&Self], allowed: &Allowed, _shared: &Shared, tx: &mut Tx) -> Result<Vec<bool>> {
        let mut sent = Vec::new();
        let mut active: HashMap<SessionId, Timestamp> = HashMap::new();
        for write in writes.iter().filter(|write| allowed.contains(write.fence)) {
            match &write.progress {
                Progress::Sent => {
                    sent.push((write.fence.session, write.id, write.at));
                    let latest = active.entry(write.fence.session).or_insert(write.at);
                    *latest = (*latest).max(write.at);
                }
                Progress::Failed(failure) => fail(tx, write.fence.session, write.id, failure).await?,
            }
        }
        for run in runs(&sent) {
            with_conn!(tx, conn => {
                let mut query =
                    QueryBuilder::new("UPDATE outbound SET state = 'sent', sent_at = v.column2 FROM (");
                query.push_values(run, |mut values, (session, id, at)| {
                    values.push_bind(id.uuid()).push_bind(at.0).push_bind(session.uuid());
                });
                query.push(
                    ") AS v WHERE outbound.id = v.column1 AND outbound.session_id = v.column3
                       AND outbound.state = 'queued'",
                );
                query.build().execute(conn).await?;
            });
        }
        let active: Vec<_> = active.into_iter().collect();
        for run in runs(&active) {
            with_conn!(tx, conn => {
                let mut query =
                    QueryBuilder::new("UPDATE sessions SET last_message_at = v.column2 FROM (");
                query.push_values(run, |mut values, (session, at)| {
                    values.push_bind(session.uuid()).push_bind(at.0);
                });
                query.push(") AS v WHERE sessions.id = v.column1");
                query.build().execute(conn).await?;
            });
        }
        Ok(writes.iter().map(|write| allowed.contains(write.fence)).collect())
    }
}

async fn fail(tx: &mut Tx, session: SessionId, id: MessageId, failure: &Failure) -> Result<()> {
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE outbound SET state = 'failed', failure_code = $2, failure_reason = $3
             WHERE id = $1 AND session_id = $4 AND state = 'queued'",
        )
        .bind(id.uuid())
        .bind(failure.code.as_str())
        .bind(&failure.reason)
        .bind(session.uuid())
        .execute(conn)
        .await?;
    });
    Ok(())
}
