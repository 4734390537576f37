//! Webhooks on their way: claimed, tried, settled; what fails comes due again, what is given up stays listed.

use std::{collections::HashSet, time::Duration};

use domain::{
    DeliveryId, EndpointId, Fence, Timestamp,
    webhook::{ClaimedDelivery, Next, ORDERED_ATTEMPTS},
};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    dialect::LOCK_CLAIMS,
    driver::{Tx, runs, with_conn},
    fence::Allowed,
    group_commit::Write,
    rows::word,
};

/// How an attempt ended and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub delivery: DeliveryId,
    pub endpoint: EndpointId,
    /// Counts this attempt.
    pub attempts: i32,
    pub at: Timestamp,
    pub duration: Duration,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The first bytes of the answer, or why there was none.
    pub answer: Option<String>,
    pub next: Next,
}

/// How many deliveries are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    pub pending: i64,
    pub claimed: i64,
    pub dead: i64,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    event_id: Uuid,
    endpoint_id: Uuid,
    ordering_key: String,
    position: i64,
    attempts: i32,
    kind: String,
    payload: String,
    url: String,
    layout: String,
    user_id: Option<i64>,
    secret: Option<Vec<u8>>,
}

impl Database {
    /// Takes up to `limit` due deliveries for as long as `hold`, oldest first, but none to the `busy` endpoints.
    ///
    /// Of one ordering key they are taken in order: nothing is taken while an earlier one is in other hands, or
    /// waits for one of its first [`ORDERED_ATTEMPTS`] attempts.
    pub async fn claim_deliveries(
        &self,
        limit: u32,
        hold: Duration,
        busy: &[EndpointId],
    ) -> Result<Vec<ClaimedDelivery>> {
        let now = self.now();
        let mut tx = self.begin().await?;
        if let Some(lock) = LOCK_CLAIMS.of(&tx) {
            with_conn!(&mut tx, conn => {
                sqlx::query(lock).execute(conn).await?;
            });
        }
        let ids: Vec<Uuid> = with_conn!(&mut tx, conn => {
            let mut query = QueryBuilder::new(
                "UPDATE deliveries SET state = 'claimed', claimed_until = ",
            );
            query.push_bind((now + hold).0).push(
                " WHERE id IN (
                    SELECT d.id FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id
                    WHERE d.state = 'pending' AND e.enabled AND d.next_attempt_at <= ",
            );
            query.push_bind(now.0);
            if !busy.is_empty() {
                query.push(" AND d.endpoint_id NOT IN (");
                let mut list = query.separated(", ");
                for endpoint in busy {
                    list.push_bind(endpoint.uuid());
                }
                query.push(")");
            }
            query.push(
                " AND NOT EXISTS (
                    SELECT 1 FROM deliveries p
                    WHERE p.endpoint_id = d.endpoint_id AND p.ordering_key = d.ordering_key
                      AND p.position < d.position AND p.state IN ('pending', 'claimed')
                      AND (p.state = 'claimed' OR (p.next_attempt_at > ",
            );
            query.push_bind(now.0).push(" AND p.attempts < ").push_bind(ORDERED_ATTEMPTS);
            query.push("))) ORDER BY d.position LIMIT ").push_bind(i64::from(limit));
            query.push(") RETURNING id");
            query.build_query_scalar().fetch_all(conn).await?
        });
        let mut claimed = Vec::with_capacity(ids.len());
        for run in runs(&ids) {
            let rows: Vec<Row> = with_conn!(&mut tx, conn => {
                let mut query = QueryBuilder::new(
                    "SELECT d.id, d.event_id, d.endpoint_id, d.ordering_key, d.position, d.attempts, v.kind, v.payload,
                       e.url, e.layout, e.user_id, e.secret
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
            for row in rows {
                claimed.push(ClaimedDelivery {
                    id: row.id.into(),
                    event: row.event_id.into(),
                    endpoint: row.endpoint_id.into(),
                    kind: word(&row.kind)?,
                    payload: row.payload,
                    url: row.url,
                    layout: word(&row.layout)?,
                    trusted: row.user_id.is_none(),
                    secret: row.secret,
                    ordering_key: row.ordering_key,
                    position: row.position,
                    attempts: row.attempts,
                });
            }
        }
        tx.commit().await?;
        claimed.sort_by_key(|delivery| delivery.position);
        Ok(claimed)
    }

    /// Notes how an attempt ended. Returns after the commit; `false` when the delivery was no longer claimed.
    pub async fn settle_delivery(&self, settlement: Settlement) -> Result<bool> {
        self.writes.write(Settle(settlement)).await
    }

    /// Gives deliveries back that were claimed and not tried.
    pub async fn return_deliveries(&self, deliveries: &[DeliveryId]) -> Result<()> {
        let mut tx = self.begin().await?;
        for run in runs(deliveries) {
            with_conn!(&mut tx, conn => {
                let mut query = QueryBuilder::new(
                    "UPDATE deliveries SET state = 'pending', claimed_until = NULL
                     WHERE state = 'claimed' AND id IN (",
                );
                let mut list = query.separated(", ");
                for id in run {
                    list.push_bind(id.uuid());
                }
                query.push(")");
                query.build().execute(conn).await?;
            });
        }
        Ok(tx.commit().await?)
    }

    /// Frees deliveries whose claim has run out: whoever held them has died. An embedded database has one
    /// process: what is claimed when it starts was claimed by the one before. Returns how many there were.
    pub async fn free_abandoned_deliveries(&self, all: bool) -> Result<u64> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let freed = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE deliveries SET state = 'pending', claimed_until = NULL
                 WHERE state = 'claimed' AND ($1 OR claimed_until < $2)",
            )
            .bind(all)
            .bind(now.0)
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(freed)
    }

    /// When the next waiting delivery comes due; `None` when none waits.
    pub async fn next_delivery_due(&self) -> Result<Option<Timestamp>> {
        let mut reader = self.reader().await?;
        let due: Option<i64> = with_conn!(&mut reader, conn => {
            sqlx::query_scalar("SELECT MIN(next_attempt_at) FROM deliveries WHERE state = 'pending'")
                .fetch_one(conn)
                .await?
        });
        Ok(due.map(Timestamp))
    }

    /// How many deliveries are where.
    pub async fn delivery_counts(&self) -> Result<DeliveryCounts> {
        let mut reader = self.reader().await?;
        let rows: Vec<(String, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT state, COUNT(*) FROM deliveries WHERE state <> 'delivered' GROUP BY state",
            )
            .fetch_all(conn)
            .await?
        });
        let mut counts = DeliveryCounts::default();
        for (state, count) in rows {
            match state.as_str() {
                "pending" => counts.pending = count,
                "claimed" => counts.claimed = count,
                _ => counts.dead = count,
            }
        }
        Ok(counts)
    }
}

pub(crate) struct Settle(Settlement);

impl Write for Settle {
    /// Whether the delivery was still claimed.
    type Output = bool;

    fn fence(&self) -> Option<Fence> {
        None
    }

    async fn apply(writes: &[&Self], _allowed: &Allowed, _shared: &Shared, tx: &mut Tx) -> Result<Vec<bool>> {
        let mut settled: HashSet<Uuid> = HashSet::with_capacity(writes.len());
        for run in runs(writes) {
            let ids: Vec<Uuid> = with_conn!(tx, conn => {
                let mut query = QueryBuilder::new(
                    "UPDATE deliveries SET state = v.column2, next_attempt_at = v.column3, finished_at = v.column4,
                       attempts = v.column5, last_status = v.column6, last_error = v.column7, claimed_until = NULL
                     FROM (",
                );
                query.push_values(run, |mut values, Self(settlement)| {
                    let (state, next_attempt_at, finished_at) = state_after(settlement);
                    values
                        .push_bind(settlement.delivery.uuid())
                        .push_bind(state)
                        .push_bind(next_attempt_at.0)
                        .push_bind(finished_at.map(|at| at.0))
                        .push_bind(settlement.attempts)
                        .push_bind(settlement.status.map(i32::from))
                        .push_bind(settlement.answer.clone().filter(|_| settlement.next != Next::Done));
                });
                query.push(
                    ") AS v WHERE deliveries.id = v.column1 AND deliveries.state = 'claimed' RETURNING deliveries.id",
                );
                query.build_query_scalar().fetch_all(conn).await?
            });
            settled.extend(ids);
        }
        let tried: Vec<_> =
            writes.iter().filter(|write| settled.contains(&write.0.delivery.uuid())).collect();
        for run in runs(&tried) {
            with_conn!(tx, conn => {
                let mut query = QueryBuilder::new(
                    "INSERT INTO attempts (delivery_id, number, at, duration_ms, status, answer) ",
                );
                query.push_values(run, |mut values, Self(settlement)| {
                    values
                        .push_bind(settlement.delivery.uuid())
                        .push_bind(settlement.attempts)
                        .push_bind(settlement.at.0)
                        .push_bind(i64::try_from(settlement.duration.as_millis()).unwrap_or(i64::MAX))
                        .push_bind(settlement.status.map(i32::from))
                        .push_bind(settlement.answer.clone());
                });
                query.push(" ON CONFLICT DO NOTHING");
                query.build().execute(conn).await?;
            });
        }
        for Self(settlement) in writes.iter().filter(|write| write.0.next == Next::DisableEndpoint) {
            disable(tx, settlement.endpoint).await?;
        }
        Ok(writes.iter().map(|write| settled.contains(&write.0.delivery.uuid())).collect())
    }
}

/// The state after an attempt, when the next one is due, and when it was over.
fn state_after(settlement: &Settlement) -> (&'static str, Timestamp, Option<Timestamp>) {
    let end = settlement.at + settlement.duration;
    match settlement.next {
        Next::Done => ("delivered", end, Some(end)),
        Next::RetryAfter(pause) => ("pending", end + pause, None),
        Next::Dead | Next::DisableEndpoint => ("dead", end, Some(end)),
    }
}

async fn disable(tx: &mut Tx, endpoint: EndpointId) -> Result<()> {
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE endpoints SET enabled = FALSE, disabled_reason = 'it answered 410 Gone' WHERE id = $1",
        )
        .bind(endpoint.uuid())
        .execute(conn)
        .await?;
    });
    Ok(())
}
