//! How endpoints have been lately, from the deliveries themselves: nothing is counted while they are made.

use std::{collections::HashMap, time::Duration};

use domain::{
    DeliveryId, EndpointId, Timestamp, UserId,
    webhook::{DeliveryAttempt, DeliveryState, Endpoint, MOST_COUNTED},
};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Result,
    database::Database,
    driver::{Reader, with_conn},
    rows::word,
};

/// How many of the newest deliveries are looked at.
const LOOKED_AT: i64 = 10_000;

/// How an endpoint has been.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Webhooks made since then are counted: the time that was asked for, or later when there were very many.
    pub since: Timestamp,
    pub delivered: u64,
    /// Given up, or tried without success so far.
    pub failed: u64,
    /// When the oldest one that waits is, or was, due.
    pub oldest_due_at: Option<Timestamp>,
    /// The last answer, or why there was none.
    pub last_answer: Option<DeliveryAttempt>,
}

impl Database {
    /// How endpoints have been since `since`: those of a user, or of everybody.
    pub async fn endpoint_health(
        &self,
        of: Option<UserId>,
        endpoints: &[Endpoint],
        since: Timestamp,
    ) -> Result<HashMap<EndpointId, EndpointHealth>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(Uuid, String, i32, i64)> = with_conn!(&mut reader, conn => {
            let mut query =
                QueryBuilder::new("SELECT endpoint_id, state, attempts, created_at FROM deliveries WHERE TRUE");
            if let Some(user) = of {
                query.push(" AND user_id = ").push_bind(user.0);
            }
            query.push(" ORDER BY position DESC LIMIT ").push_bind(LOOKED_AT);
            query.build_query_as().fetch_all(conn).await?
        });
        let full = i64::try_from(rows.len()).is_ok_and(|many| many >= LOOKED_AT);
        let reached = rows.last().filter(|_| full).map_or(since, |(_, _, _, at)| Timestamp(*at).max(since));
        let mut health: HashMap<EndpointId, EndpointHealth> = endpoints
            .iter()
            .map(|endpoint| (endpoint.id, EndpointHealth { since: reached, ..EndpointHealth::default() }))
            .collect();
        for (endpoint, state, attempts, _) in rows.iter().filter(|(_, _, _, at)| *at >= since.0) {
            let Some(health) = health.get_mut(&EndpointId::from(*endpoint)) else { continue };
            match word::<DeliveryState>(state)? {
                DeliveryState::Delivered => health.delivered += 1,
                DeliveryState::Dead => health.failed += 1,
                DeliveryState::Pending | DeliveryState::Claimed if *attempts > 0 => health.failed += 1,
                DeliveryState::Pending | DeliveryState::Claimed => {}
            }
        }
        for endpoint in endpoints {
            let Some(health) = health.get_mut(&endpoint.id) else { continue };
            let due: Option<i64> = with_conn!(&mut reader, conn => {
                sqlx::query_scalar(
                    "SELECT MIN(next_attempt_at) FROM (SELECT next_attempt_at FROM deliveries
                       WHERE endpoint_id = $1 AND state IN ('pending', 'claimed') LIMIT $2) AS d",
                )
                .bind(endpoint.id.uuid())
                .bind(MOST_COUNTED)
                .fetch_one(conn)
                .await?
            });
            health.oldest_due_at = due.map(Timestamp);
            if let Some(last) = &endpoint.last {
                health.last_answer = last_attempt(&mut reader, last.id).await?;
            }
        }
        Ok(health)
    }
}

/// The last attempt of a delivery.
async fn last_attempt(reader: &mut Reader, delivery: DeliveryId) -> Result<Option<DeliveryAttempt>> {
    type Row = (i32, i64, i64, Option<i32>, Option<String>);
    let row: Option<Row> = with_conn!(reader, conn => {
        sqlx::query_as(
            "SELECT number, at, duration_ms, status, answer FROM attempts WHERE delivery_id = $1
             ORDER BY number DESC LIMIT 1",
        )
        .bind(delivery.uuid())
        .fetch_optional(conn)
        .await?
    });
    Ok(row.map(|(number, at, duration, status, answer)| DeliveryAttempt {
        number,
        at: Timestamp(at),
        duration: Duration::from_millis(u64::try_from(duration).unwrap_or(0)),
        status: status.and_then(|status| u16::try_from(status).ok()),
        answer,
    }))
}
