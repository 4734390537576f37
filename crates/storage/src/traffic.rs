//! What went through a session, stretch by stretch, for its chart.

use std::{fmt::Write as _, time::Duration};

use domain::{
    SessionId, Timestamp,
    traffic::{LATENCY_BOUNDS, Traffic},
};
use sqlx::AssertSqlSafe;

use crate::{Result, database::Database, driver::with_conn};

/// The classes of messages that have no latency.
const FAILED: i64 = -1;
const NOT_SENT: i64 = -2;

/// A statement that counts messages by stretch and class.
fn by_class() -> String {
    let mut sql = format!(
        "SELECT (accepted_at - $2) / $3, CAST(CASE WHEN state = 'failed' THEN {FAILED} WHEN sent_at IS NULL THEN {NOT_SENT}"
    );
    for (class, bound) in LATENCY_BOUNDS.iter().enumerate() {
        let _ = write!(sql, " WHEN sent_at - accepted_at < {bound} THEN {class}");
    }
    let _ = write!(
        sql,
        " ELSE {} END AS BIGINT), COUNT(*) FROM outbound WHERE session_id = $1 AND accepted_at >= $2 GROUP BY 1, 2",
        LATENCY_BOUNDS.len()
    );
    sql
}

/// Stretch, class, how many.
type Classed = (i64, i64, i64);

impl Database {
    /// What went through a session from `since` on, in `many` stretches of `width`; what is later belongs to the last.
    pub async fn traffic(
        &self,
        session: SessionId,
        since: Timestamp,
        width: Duration,
        many: usize,
    ) -> Result<Vec<Traffic>> {
        let millis = i64::try_from(width.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut stretches: Vec<Traffic> = (0..many)
            .map(|n| Traffic {
                at: since + width * u32::try_from(n).unwrap_or(u32::MAX),
                ..Traffic::default()
            })
            .collect();
        let mut reader = self.reader().await?;
        let (sent, received): (Vec<Classed>, Vec<(i64, i64)>) = with_conn!(&mut reader, conn => {
            let sent = sqlx::query_as(AssertSqlSafe(by_class()))
                .bind(session.uuid())
                .bind(since.0)
                .bind(millis)
                .fetch_all(&mut *conn)
                .await?;
            let received = sqlx::query_as(
                "SELECT (created_at - $2) / $3, COUNT(*) FROM events
                 WHERE session_id = $1 AND kind = 'message' AND created_at >= $2 GROUP BY 1",
            )
            .bind(session.uuid())
            .bind(since.0)
            .bind(millis)
            .fetch_all(conn)
            .await?;
            (sent, received)
        });
        let place = |stretch: i64| usize::try_from(stretch).unwrap_or(0).min(many.saturating_sub(1));
        for (stretch, class, count) in sent {
            let Some(traffic) = stretches.get_mut(place(stretch)) else { continue };
            let count = count.unsigned_abs();
            match (class, usize::try_from(class)) {
                (FAILED, _) => traffic.failed += count,
                (_, Ok(class)) => {
                    traffic.sent += count;
                    traffic.latencies.add(class, count);
                }
                (_, Err(_)) => {}
            }
        }
        for (stretch, count) in received {
            let Some(traffic) = stretches.get_mut(place(stretch)) else { continue };
            traffic.received += count.unsigned_abs();
        }
        Ok(stretches)
    }
}
