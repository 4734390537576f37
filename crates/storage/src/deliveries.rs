//! Webhooks on their way: claimed, tried, settled; what fails comes due again, what is given up stays listed.

use std::{collections::HashSet, time::Duration};

use domain::{DeliveryId, EndpointId, Fence, Timestamp, webhook::Next};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    driver::{Tx, runs, with_conn},
    fence::Allowed,
    group_commit::Write,
};

/// The endpoint of a delivery takes nothing more, so what waits for it is given up. What waits for the operator's
/// address stays while that is only not set.
pub(crate) const GIVES_UP: &str = "EXISTS (SELECT 1 FROM endpoints e WHERE e.id = deliveries.endpoint_id
    AND NOT e.enabled AND (e.layout <> 'base' OR e.disabled_reason IS NOT NULL))";

/// Why such a delivery is dead.
pub(crate) const DISABLED: &str = "the endpoint was disabled";

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

impl Database {
    /// Notes how an attempt ended. Returns after the commit; `false` when the delivery was no longer claimed.
    pub async fn settle_delivery(&self, settlement: Settlement) -> Result<bool> {
        self.writes.write(Settle(settlement)).await
    }

    /// Gives deliveries back that were claimed and not tried.
    pub async fn return_deliveries(&self, deliveries: &[DeliveryId]) -> Result<()> {
        let now = self.now();
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
        give_up_returned(&mut tx, deliveries, now).await?;
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

    /// When the next delivery comes due that is not due yet; `None` when there is none.
    pub async fn next_delivery_due(&self) -> Result<Option<Timestamp>> {
        let now = self.now();
        let mut reader = self.reader().await?;
        let due: Option<i64> = with_conn!(&mut reader, conn => {
            sqlx::query_scalar(
                "SELECT MIN(next_attempt_at) FROM deliveries WHERE state = 'pending' AND next_attempt_at > $1",
            )
            .bind(now.0)
            .fetch_one(conn)
            .await?
        });
        Ok(due.map(Timestamp))
    }

    /// How many deliveries are where.
    pub async fn delivery_counts(&self) -> Result<DeliveryCounts> {
        let mut reader = self.reader().await?;
        // Each is a partial index: what was delivered, almost everything, is not looked at.
        let (pending, claimed, dead) = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM deliveries WHERE state = 'pending'),
                   (SELECT COUNT(*) FROM deliveries WHERE state = 'claimed'),
                   (SELECT COUNT(*) FROM deliveries WHERE state = 'dead')",
            )
            .fetch_one(conn)
            .await?
        });
        Ok(DeliveryCounts { pending, claimed, dead })
    }
}

pub(crate) struct Settle(Settlement);

impl Write for Settle {
    /// Whether the delivery was still claimed.
    type Output = bool;

    fn fence(&self) -> Option<Fence> {
        None
    }

    async fn apply(writes: &[&Self], _allowed: &Allowed, shared: &Shared, tx: &mut Tx) -> Result<Vec<bool>> {
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
            disable(tx, settlement.endpoint, settlement.at).await?;
        }
        let retried = writes.iter().filter(|write| matches!(write.0.next, Next::RetryAfter(_)));
        let retried: Vec<DeliveryId> = retried.map(|write| write.0.delivery).collect();
        give_up_returned(tx, &retried, shared.clock.now()).await?;
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

/// Sends nothing more to an endpoint; what waits for it is given up.
async fn disable(tx: &mut Tx, endpoint: EndpointId, at: Timestamp) -> Result<()> {
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE endpoints SET enabled = FALSE, disabled_reason = 'it answered 410 Gone' WHERE id = $1",
        )
        .bind(endpoint.uuid())
        .execute(conn)
        .await?;
    });
    give_up_waiting(tx, endpoint, "the endpoint answered 410 Gone", at).await
}

/// Gives up what waits for an endpoint. What is in somebody's hands is given up when it comes back.
pub(crate) async fn give_up_waiting(
    tx: &mut Tx,
    endpoint: EndpointId,
    reason: &str,
    at: Timestamp,
) -> Result<()> {
    with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE deliveries SET state = 'dead', last_error = $3, finished_at = $2
             WHERE endpoint_id = $1 AND state IN ('pending', 'claimed') AND state = 'pending'",
        )
        .bind(endpoint.uuid())
        .bind(at.0)
        .bind(reason)
        .execute(conn)
        .await?;
    });
    Ok(())
}

/// Gives up those whose endpoint was disabled while they were in somebody's hands.
async fn give_up_returned(tx: &mut Tx, deliveries: &[DeliveryId], at: Timestamp) -> Result<()> {
    for run in runs(deliveries) {
        with_conn!(tx, conn => {
            let mut query = QueryBuilder::new("UPDATE deliveries SET state = 'dead', finished_at = ");
            query.push_bind(at.0).push(", last_error = COALESCE(last_error, ").push_bind(DISABLED);
            query.push(") WHERE state = 'pending' AND ").push(GIVES_UP).push(" AND id IN (");
            let mut list = query.separated(", ");
            for id in run {
                list.push_bind(id.uuid());
            }
            query.push(")");
            query.build().execute(conn).await?;
        });
    }
    Ok(())
}
