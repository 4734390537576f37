//! Deliveries as people look at them: listed from the newest, with their attempts, and sent again.

use std::time::Duration;

use domain::{
    DeliveryId, EndpointId, SessionId, Timestamp, UserId,
    webhook::{Delivery, DeliveryAttempt, DeliveryState},
};
use sqlx::{Database as Driver, QueryBuilder};
use uuid::Uuid;

use crate::{Result, database::Database, driver::with_conn, rows::word};

/// Which deliveries; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Whose events.
    pub user: Option<UserId>,
    pub state: Option<DeliveryState>,
    pub endpoint: Option<EndpointId>,
    pub session: Option<SessionId>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
}

/// What became of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It is due now.
    Due,
    /// A dispatcher is at it this moment.
    UnderWay,
    /// Its endpoint takes nothing.
    EndpointDisabled,
    /// There is no such delivery.
    Unknown,
}

/// What one batch of replays did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayBatch {
    pub replayed: u64,
    /// Where the next batch goes on; `None` when this was the last.
    pub next: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    position: i64,
    event_id: Uuid,
    kind: String,
    session_id: Uuid,
    session_name: Option<String>,
    endpoint_id: Uuid,
    url: String,
    user_id: i64,
    state: String,
    attempts: i32,
    next_attempt_at: i64,
    last_status: Option<i32>,
    last_error: Option<String>,
    created_at: i64,
    finished_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct AttemptRow {
    number: i32,
    at: i64,
    duration_ms: i64,
    status: Option<i32>,
    answer: Option<String>,
}

const SELECT: &str =
    "SELECT d.id, d.position, d.event_id, v.kind, v.session_id, s.name AS session_name, d.endpoint_id,
       e.url, v.user_id, d.state, d.attempts, d.next_attempt_at, d.last_status, d.last_error, d.created_at,
       d.finished_at
     FROM deliveries d JOIN events v ON v.id = d.event_id JOIN endpoints e ON e.id = d.endpoint_id
       LEFT JOIN sessions s ON s.id = v.session_id
     WHERE ";

fn status(stored: Option<i32>) -> Option<u16> {
    stored.and_then(|status| u16::try_from(status).ok())
}

impl TryFrom<Row> for Delivery {
    type Error = crate::Error;

    fn try_from(row: Row) -> Result<Self> {
        let state = word(&row.state)?;
        let waits = matches!(state, DeliveryState::Pending | DeliveryState::Claimed);
        Ok(Self {
            id: row.id.into(),
            position: row.position,
            event: row.event_id.into(),
            kind: row.kind,
            session: row.session_id.into(),
            session_name: row.session_name,
            endpoint: row.endpoint_id.into(),
            url: row.url,
            user: UserId(row.user_id),
            state,
            attempts: row.attempts,
            next_attempt_at: waits.then_some(Timestamp(row.next_attempt_at)),
            last_status: status(row.last_status),
            last_error: row.last_error,
            created_at: Timestamp(row.created_at),
            finished_at: row.finished_at.map(Timestamp),
        })
    }
}

/// Adds the conditions of a filter on the deliveries `d` and their events `v`.
fn push_filter<'a, D>(query: &mut QueryBuilder<D>, filter: &'a DeliveryFilter)
where
    D: Driver,
    i64: sqlx::Encode<'a, D> + sqlx::Type<D>,
    Uuid: sqlx::Encode<'a, D> + sqlx::Type<D>,
{
    query.push("TRUE");
    if let Some(user) = filter.user {
        query.push(" AND d.user_id = ").push_bind(user.0);
    }
    if let Some(state) = filter.state {
        // Not bound: as a constant it lets the database choose the index that has these only.
        query.push(" AND d.state = '").push(state.as_str()).push("'");
    }
    if let Some(endpoint) = filter.endpoint {
        query.push(" AND d.endpoint_id = ").push_bind(endpoint.uuid());
    }
    if let Some(session) = filter.session {
        query.push(" AND v.session_id = ").push_bind(session.uuid());
    }
    if let Some(since) = filter.since {
        query.push(" AND d.created_at >= ").push_bind(since.0);
    }
    if let Some(until) = filter.until {
        query.push(" AND d.created_at < ").push_bind(until.0);
    }
}

impl Database {
    /// The newest deliveries that match, at most `limit`; those `before` a position when it is given.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let mut reader = self.reader().await?;
        let rows: Vec<Row> = with_conn!(&mut reader, conn => {
            let mut query = QueryBuilder::new(SELECT);
            push_filter(&mut query, filter);
            if let Some(before) = before {
                query.push(" AND d.position < ").push_bind(before);
            }
            query.push(" ORDER BY d.position DESC LIMIT ").push_bind(i64::from(limit));
            query.build_query_as().fetch_all(conn).await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// One delivery.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        let mut reader = self.reader().await?;
        let row: Option<Row> = with_conn!(&mut reader, conn => {
            let mut query = QueryBuilder::new(SELECT);
            query.push("d.id = ").push_bind(id.uuid());
            query.build_query_as().fetch_optional(conn).await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// What a delivery carries, and every attempt at it so far; nothing when there is no such delivery.
    pub async fn delivery_details(&self, id: DeliveryId) -> Result<(Option<String>, Vec<DeliveryAttempt>)> {
        let mut reader = self.reader().await?;
        let (payload, rows): (Option<String>, Vec<AttemptRow>) = with_conn!(&mut reader, conn => {
            let payload = sqlx::query_scalar(
                "SELECT v.payload FROM deliveries d JOIN events v ON v.id = d.event_id WHERE d.id = $1",
            )
            .bind(id.uuid())
            .fetch_optional(&mut *conn)
            .await?;
            let rows = sqlx::query_as(
                "SELECT number, at, duration_ms, status, answer FROM attempts WHERE delivery_id = $1
                 ORDER BY number",
            )
            .bind(id.uuid())
            .fetch_all(conn)
            .await?;
            (payload, rows)
        });
        let attempt = |row: AttemptRow| DeliveryAttempt {
            number: row.number,
            at: Timestamp(row.at),
            duration: Duration::from_millis(u64::try_from(row.duration_ms).unwrap_or(0)),
            status: status(row.status),
            answer: row.answer,
        };
        Ok((payload, rows.into_iter().map(attempt).collect()))
    }

    /// Makes a delivery due now, with all its attempts before it. It keeps its place, but does not hold up those
    /// behind it for longer than its attempts so far allow.
    pub async fn replay_delivery(&self, id: DeliveryId) -> Result<Replayed> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let replayed = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE deliveries SET state = 'pending', next_attempt_at = $2, finished_at = NULL,
                   earlier_attempts = CASE WHEN state = 'pending' THEN earlier_attempts ELSE attempts END
                 WHERE id = $1 AND state <> 'claimed'
                   AND EXISTS (SELECT 1 FROM endpoints e WHERE e.id = deliveries.endpoint_id AND e.enabled)",
            )
            .bind(id.uuid())
            .bind(now.0)
            .execute(conn)
            .await?
            .rows_affected()
        });
        if replayed == 1 {
            tx.commit().await?;
            return Ok(Replayed::Due);
        }
        let state: Option<String> = with_conn!(&mut tx, conn => {
            sqlx::query_scalar("SELECT state FROM deliveries WHERE id = $1")
                .bind(id.uuid())
                .fetch_optional(conn)
                .await?
        });
        Ok(match state.as_deref().map(word).transpose()? {
            None => Replayed::Unknown,
            Some(DeliveryState::Claimed) => Replayed::UnderWay,
            Some(_) => Replayed::EndpointDisabled,
        })
    }

    /// Replays up to `limit` of the deliveries that match, were ended, and whose endpoints are enabled, in their
    /// order, from behind the position `after` on.
    pub async fn replay_deliveries(
        &self,
        filter: &DeliveryFilter,
        after: i64,
        limit: u32,
    ) -> Result<ReplayBatch> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let positions: Vec<i64> = with_conn!(&mut tx, conn => {
            let mut query = QueryBuilder::new("UPDATE deliveries SET state = 'pending', next_attempt_at = ");
            query.push_bind(now.0).push(
                ", finished_at = NULL, earlier_attempts = attempts
                 WHERE state IN ('dead', 'delivered') AND position IN (
                   SELECT d.position FROM deliveries d JOIN events v ON v.id = d.event_id
                     JOIN endpoints e ON e.id = d.endpoint_id
                   WHERE e.enabled AND d.state IN ('dead', 'delivered') AND d.position > ",
            );
            query.push_bind(after).push(" AND ");
            push_filter(&mut query, filter);
            query.push(" ORDER BY d.position LIMIT ").push_bind(i64::from(limit)).push(") RETURNING position");
            query.build_query_scalar().fetch_all(conn).await?
        });
        tx.commit().await?;
        let full = positions.len() >= limit as usize;
        Ok(ReplayBatch {
            replayed: positions.len() as u64,
            next: positions.iter().max().copied().filter(|_| full),
        })
    }
}
