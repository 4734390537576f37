//! How much there is of what, for whoever runs it; for the metrics, one process counts for all.

use std::{collections::HashMap, time::Duration};

use domain::{ProcessId, Timestamp, session::SessionState};
use sqlx::AssertSqlSafe;

use crate::{Result, database::Database, dialect::DATABASE_NOW, driver::with_conn, rows::word};

/// What there is of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Sessions by state; states without a session are left out.
    pub sessions: HashMap<SessionState, i64>,
    /// Sessions that [should be on line](domain::session::Session::expected).
    pub expected: i64,
    /// Of those expected, the ones on line.
    pub connected: i64,
    /// Of those expected, the ones that [need a person](SessionState::needs_person).
    pub needing_person: i64,
    /// Sessions that a runner should hold and none does.
    pub unclaimed: i64,
    /// Runners with a lease that take sessions.
    pub runners_accepting: i64,
    /// Runners with a lease that take none.
    pub runners_leaving: i64,
    /// What those that take sessions can hold in all.
    pub capacity: i64,
    /// Messages still to be sent whose session is on line.
    pub outbound_online: Queue,
    /// Messages still to be sent whose session is not.
    pub outbound_offline: Queue,
    /// Deliveries that are due, to endpoints that take them.
    pub deliveries_due: Queue,
    /// Deliveries that come due later.
    pub deliveries_scheduled: i64,
    pub deliveries_claimed: i64,
    pub deliveries_dead: i64,
    /// Files that are still to be fetched.
    pub media_pending: i64,
}

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queue {
    pub waiting: i64,
    /// How long the oldest has waited, in milliseconds; 0 when nothing waits.
    pub oldest_ms: i64,
}

impl Census {
    /// Sessions that [need a person](SessionState::needs_person), expected or not.
    pub fn in_need(&self) -> i64 {
        self.sessions.iter().filter(|(state, _)| state.needs_person()).map(|(_, many)| many).sum()
    }

    /// All messages still to be sent.
    pub fn outbound(&self) -> Queue {
        let (online, offline) = (self.outbound_online, self.outbound_offline);
        Queue {
            waiting: online.waiting + offline.waiting,
            oldest_ms: online.oldest_ms.max(offline.oldest_ms),
        }
    }
}

impl Queue {
    /// Since when the oldest has waited.
    pub fn oldest_at(&self, now: Timestamp) -> Option<Timestamp> {
        (self.waiting > 0).then(|| Timestamp(now.0.saturating_sub(self.oldest_ms)))
    }
}

impl Database {
    /// Takes or keeps the census for as long as `hold`; `false` when another process has it. An embedded database has
    /// one process.
    pub async fn claim_census(&self, process: ProcessId, hold: Duration) -> Result<bool> {
        if self.is_embedded() {
            return Ok(true);
        }
        let mut tx = self.shared.begin_relaxed().await?;
        let now = DATABASE_NOW.of(&tx);
        let sql = format!(
            "UPDATE census SET holder = $1, held_until = {now} + $2 WHERE holder = $1 OR held_until < {now}"
        );
        let claimed = with_conn!(&mut tx, conn => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(process.uuid())
                .bind(i64::try_from(hold.as_millis()).unwrap_or(i64::MAX))
                .execute(conn)
                .await?
                .rows_affected()
        });
        tx.commit().await?;
        Ok(claimed == 1)
    }

    /// Gives the census back, if this process has it.
    pub async fn release_census(&self, process: ProcessId) -> Result<()> {
        if self.is_embedded() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query("UPDATE census SET holder = NULL, held_until = 0 WHERE holder = $1")
                .bind(process.uuid())
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }

    /// Counts. Each question reads a small table or a partial index: what is done with, almost everything, is not
    /// looked at.
    pub async fn census(&self) -> Result<Census> {
        let mut census = Census::default();
        self.sum_sessions(&mut census).await?;
        for runner in self.runners().await?.iter().filter(|runner| !runner.lease_left.is_zero()) {
            if runner.accepting {
                census.runners_accepting += 1;
                census.capacity += runner.capacity;
            } else {
                census.runners_leaving += 1;
            }
        }
        self.sum_outbound(&mut census).await?;
        self.sum_deliveries(&mut census).await?;
        Ok(census)
    }

    async fn sum_sessions(&self, census: &mut Census) -> Result<()> {
        let mut reader = self.reader().await?;
        let rows: Vec<(String, i64, i64, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT state, COUNT(*),
                   SUM(CASE WHEN wanted AND (credentials_present OR phone IS NOT NULL) THEN 1 ELSE 0 END),
                   SUM(CASE WHEN wanted AND runner_id IS NULL THEN 1 ELSE 0 END)
                 FROM sessions GROUP BY state",
            )
            .fetch_all(conn)
            .await?
        });
        for (state, all, expected, free) in rows {
            let state: SessionState = word(&state)?;
            census.sessions.insert(state, all);
            census.expected += expected;
            if state == SessionState::Connected {
                census.connected += expected;
            }
            if state.needs_person() {
                census.needing_person += expected;
            }
            if state.runs() {
                census.unclaimed += free;
            }
        }
        Ok(())
    }

    async fn sum_outbound(&self, census: &mut Census) -> Result<()> {
        let now = self.now();
        let mut reader = self.reader().await?;
        // The oldest by position, which the index has, and not by time.
        let rows: Vec<(i64, i64, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT q.online, q.waiting, m.accepted_at FROM (
                   SELECT CAST(CASE WHEN s.state = 'connected' THEN 1 ELSE 0 END AS BIGINT) AS online,
                     COUNT(*) AS waiting, MIN(o.position) AS oldest
                   FROM outbound o LEFT JOIN sessions s ON s.id = o.session_id
                   WHERE o.state = 'queued' GROUP BY 1
                 ) AS q JOIN outbound m ON m.position = q.oldest",
            )
            .fetch_all(conn)
            .await?
        });
        for (online, waiting, since) in rows {
            let queue = if online == 1 { &mut census.outbound_online } else { &mut census.outbound_offline };
            *queue = Queue { waiting, oldest_ms: now.0.saturating_sub(since).max(0) };
        }
        Ok(())
    }

    async fn sum_deliveries(&self, census: &mut Census) -> Result<()> {
        let now = self.now();
        let mut reader = self.reader().await?;
        let (due, since): (i64, Option<i64>) = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT COUNT(*), MIN(d.next_attempt_at) FROM deliveries d JOIN endpoints e ON e.id = d.endpoint_id
                 WHERE d.state = 'pending' AND d.next_attempt_at <= $1 AND e.enabled",
            )
            .bind(now.0)
            .fetch_one(conn)
            .await?
        });
        census.deliveries_due =
            Queue { waiting: due, oldest_ms: since.map_or(0, |since| now.0.saturating_sub(since).max(0)) };
        let (scheduled, claimed, dead, files) = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM deliveries WHERE state = 'pending' AND next_attempt_at > $1),
                   (SELECT COUNT(*) FROM deliveries WHERE state = 'claimed'),
                   (SELECT COUNT(*) FROM deliveries WHERE state = 'dead'),
                   (SELECT COUNT(*) FROM media WHERE state = 'pending')",
            )
            .bind(now.0)
            .fetch_one(conn)
            .await?
        });
        census.deliveries_scheduled = scheduled;
        census.deliveries_claimed = claimed;
        census.deliveries_dead = dead;
        census.media_pending = files;
        Ok(())
    }
}
