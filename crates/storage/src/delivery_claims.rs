//! Which deliveries a dispatcher takes, and in what order.
//!
//! Due ones are taken by the time they became due, so a claim reads one end of an index however long the backlog
//! is. Of one ordering key nothing is taken before its turn: while an earlier one is in other hands, or waits for
//! one of its first [`ORDERED_ATTEMPTS`] attempts. What is due but must wait for a retry is put off to the time of
//! that retry when it is first met, so that the backlog behind a dead endpoint is not looked at again and again.

use std::time::Duration;

use domain::{
    DeliveryId, EndpointId, Timestamp, UserId,
    webhook::{ClaimedDelivery, ORDERED_ATTEMPTS},
};
use sqlx::{Database as Driver, FromRow, QueryBuilder};
use uuid::Uuid;

use crate::{
    Result,
    database::Database,
    dialect::LOCK_CLAIMS,
    driver::{Tx, runs, with_conn},
    rows::word,
};

/// What a claim brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimedDeliveries {
    /// In the order in which those of one key are to be sent.
    pub deliveries: Vec<ClaimedDelivery>,
    /// Others are due: beyond the limit, behind one that is in somebody's hands, or of a busy endpoint.
    pub more: bool,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    event_id: Uuid,
    endpoint_id: Uuid,
    ordering_key: String,
    position: i64,
    attempts: i32,
    earlier_attempts: i32,
    kind: String,
    payload: String,
    owner: i64,
    url: String,
    layout: String,
    user_id: Option<i64>,
    secret: Option<Vec<u8>>,
    previous_secret: Option<Vec<u8>>,
    /// When the last of those before it that still go first is due.
    behind: Option<i64>,
    traceparent: Option<String>,
    /// Others are due.
    more: bool,
}

impl Database {
    /// Takes up to `limit` due deliveries for as long as `hold`, but none to the `busy` endpoints.
    pub async fn claim_deliveries(
        &self,
        limit: u32,
        hold: Duration,
        busy: &[EndpointId],
    ) -> Result<ClaimedDeliveries> {
        let now = self.now();
        // A claim that a power cut undoes is one that nobody holds any more.
        let mut tx = self.shared.begin_relaxed().await?;
        if let Some(lock) = LOCK_CLAIMS.of(&tx) {
            with_conn!(&mut tx, conn => {
                sqlx::query(lock).execute(conn).await?;
            });
        }
        let ids = take(&mut tx, limit, now, now + hold, busy).await?;
        let mut deliveries = Vec::with_capacity(ids.len());
        let mut too_early = Vec::new();
        let rows = load(&mut tx, &ids, now).await?;
        let others = match rows.first() {
            Some(row) => row.more,
            None => any_due(&mut tx, now).await?,
        };
        for row in rows {
            let id = row.id;
            match (row.behind, ClaimedDelivery::try_from(row)) {
                (Some(turn), _) => too_early.push((id, turn)),
                (None, Ok(delivery)) => deliveries.push(delivery),
                (None, Err(error)) => {
                    // Written by a newer version, whose dispatchers can read it.
                    tracing::warn!(%error, delivery.id = %DeliveryId::from(id), "left a delivery to others");
                    too_early.push((id, (now + hold).0));
                }
            }
        }
        for (id, turn) in &too_early {
            put_back(&mut tx, *id, *turn).await?;
        }
        let more = if ids.len() >= limit as usize || !too_early.is_empty() {
            true
        } else {
            others && (put_off(&mut tx, now, busy).await? == 0 || any_due(&mut tx, now).await?)
        };
        tx.commit().await?;
        deliveries.sort_by_key(|delivery| delivery.position);
        Ok(ClaimedDeliveries { deliveries, more })
    }
}

async fn take(
    tx: &mut Tx,
    limit: u32,
    now: Timestamp,
    until: Timestamp,
    busy: &[EndpointId],
) -> Result<Vec<Uuid>> {
    Ok(with_conn!(tx, conn => {
        let mut query = QueryBuilder::new("UPDATE deliveries SET state = 'claimed', claimed_until = ");
        query.push_bind(until.0).push(
            " WHERE id IN (
                SELECT d.id FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id
                WHERE d.state = 'pending' AND e.enabled AND d.next_attempt_at <= ",
        );
        query.push_bind(now.0);
        push_busy(&mut query, busy);
        query.push(
            " AND NOT EXISTS (
                SELECT 1 FROM deliveries p
                WHERE p.endpoint_id = d.endpoint_id AND p.ordering_key = d.ordering_key
                  AND p.position < d.position AND p.state IN ('pending', 'claimed')
                  AND (p.state = 'claimed' OR (p.next_attempt_at > ",
        );
        query.push_bind(now.0).push(" AND p.attempts < ").push_bind(ORDERED_ATTEMPTS);
        query.push("))) ORDER BY d.next_attempt_at, d.position LIMIT ").push_bind(i64::from(limit));
        query.push(") AND state = 'pending' RETURNING id");
        query.build_query_scalar().fetch_all(conn).await?
    }))
}

/// Leaves out the `busy` endpoints of the deliveries `d`.
fn push_busy<'a, D>(query: &mut QueryBuilder<D>, busy: &'a [EndpointId])
where
    D: Driver,
    Uuid: sqlx::Encode<'a, D> + sqlx::Type<D>,
{
    if busy.is_empty() {
        return;
    }
    query.push(" AND d.endpoint_id NOT IN (");
    let mut list = query.separated(", ");
    for endpoint in busy {
        list.push_bind(endpoint.uuid());
    }
    query.push(")");
}

async fn load(tx: &mut Tx, ids: &[Uuid], now: Timestamp) -> Result<Vec<Row>> {
    let mut loaded = Vec::with_capacity(ids.len());
    for run in runs(ids) {
        let rows: Vec<Row> = with_conn!(tx, conn => {
            let mut query = QueryBuilder::new(
                "SELECT d.id, d.event_id, d.endpoint_id, d.ordering_key, d.position, d.attempts, d.earlier_attempts,
                   v.kind, v.payload, v.traceparent, v.user_id AS owner, e.url, e.layout, e.user_id, e.secret,
                   CASE WHEN e.previous_secret_until > ",
            );
            query.push_bind(now.0).push(
                " THEN e.previous_secret END AS previous_secret,
                   (SELECT MAX(p.next_attempt_at) FROM deliveries p
                    WHERE p.endpoint_id = d.endpoint_id AND p.ordering_key = d.ordering_key
                      AND p.position < d.position AND p.state IN ('pending', 'claimed')
                      AND p.state = 'pending' AND p.attempts < ",
            );
            query.push_bind(ORDERED_ATTEMPTS).push(
                ") AS behind,
                   EXISTS (SELECT 1 FROM deliveries o WHERE o.state = 'pending' AND o.next_attempt_at <= ",
            );
            query.push_bind(now.0).push(
                ") AS more
                 FROM deliveries d JOIN events v ON v.id = d.event_id JOIN endpoints e ON e.id = d.endpoint_id
                 WHERE d.id IN (",
            );
            let mut list = query.separated(", ");
            for id in run {
                list.push_bind(*id);
            }
            query.push(")");
            query.build_query_as().fetch_all(conn).await?
        });
        loaded.extend(rows);
    }
    Ok(loaded)
}

/// Puts back one that became due before another that goes first, and that the limit left behind.
async fn put_back(tx: &mut Tx, id: Uuid, turn: i64) -> Result<()> {
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE deliveries SET state = 'pending', claimed_until = NULL, next_attempt_at = $2 WHERE id = $1",
        )
        .bind(id)
        .bind(turn)
        .execute(conn)
        .await?;
    });
    Ok(())
}

async fn any_due(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = with_conn!(tx, conn => {
        sqlx::query_as("SELECT position FROM deliveries WHERE state = 'pending' AND next_attempt_at <= $1 LIMIT 1")
            .bind(now.0)
            .fetch_optional(conn)
            .await?
    });
    Ok(row.is_some())
}

/// Puts off what is due but waits for the retry of an earlier one; returns how many there were.
async fn put_off(tx: &mut Tx, now: Timestamp, busy: &[EndpointId]) -> Result<u64> {
    Ok(with_conn!(tx, conn => {
        let mut query = QueryBuilder::new(
            "UPDATE deliveries AS d SET next_attempt_at = (
                SELECT MAX(p.next_attempt_at) FROM deliveries p
                WHERE p.endpoint_id = d.endpoint_id AND p.ordering_key = d.ordering_key
                  AND p.position < d.position AND p.state IN ('pending', 'claimed')
                  AND p.state = 'pending' AND p.attempts < ",
        );
        query.push_bind(ORDERED_ATTEMPTS).push(") WHERE d.state = 'pending' AND d.next_attempt_at <= ");
        query.push_bind(now.0);
        push_busy(&mut query, busy);
        query.push(
            " AND EXISTS (
                SELECT 1 FROM deliveries p
                WHERE p.endpoint_id = d.endpoint_id AND p.ordering_key = d.ordering_key
                  AND p.position < d.position AND p.state IN ('pending', 'claimed')
                  AND p.state = 'pending' AND p.next_attempt_at > ",
        );
        query.push_bind(now.0).push(" AND p.attempts < ").push_bind(ORDERED_ATTEMPTS).push(")");
        query.build().execute(conn).await?.rows_affected()
    }))
}

impl TryFrom<Row> for ClaimedDelivery {
    type Error = crate::Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            event: row.event_id.into(),
            endpoint: row.endpoint_id.into(),
            user: UserId(row.owner),
            kind: word(&row.kind)?,
            payload: row.payload,
            url: row.url,
            layout: word(&row.layout)?,
            trusted: row.user_id.is_none(),
            secret: row.secret,
            previous_secret: row.previous_secret,
            ordering_key: row.ordering_key,
            position: row.position,
            attempts: row.attempts,
            earlier_attempts: row.earlier_attempts,
            traceparent: row.traceparent,
        })
    }
}
