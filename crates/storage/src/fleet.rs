//! How all of it is, for whoever runs it.

use domain::Timestamp;

use crate::{Result, database::Database, driver::with_conn};

/// Where counting stops.
const MOST_COUNTED: i64 = 100_000;

/// How much there is of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FleetCounts {
    /// Sessions that should be on line.
    pub expected: i64,
    pub connected: i64,
    pub needs_person: i64,
    /// Sessions that should be held by a runner and are by none.
    pub unowned: i64,
    /// Messages that wait to be sent, counted up to 100,000.
    pub queued: i64,
    pub oldest_queued_at: Option<Timestamp>,
    /// Webhooks that are due, counted up to 100,000.
    pub due: i64,
    /// Webhooks that were given up, counted up to 100,000.
    pub dead: i64,
    pub oldest_due_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Sessions {
    expected: i64,
    connected: i64,
    needs_person: i64,
    unowned: i64,
}

#[derive(sqlx::FromRow)]
struct Work {
    queued: i64,
    oldest_queued_at: Option<i64>,
    due: i64,
    dead: i64,
    oldest_due_at: Option<i64>,
}

impl Database {
    /// Counts what there is. Reads the table of sessions and the ends of partial indexes.
    pub async fn fleet_counts(&self) -> Result<FleetCounts> {
        let now = self.now();
        let mut reader = self.reader().await?;
        let (sessions, work): (Sessions, Work) = with_conn!(&mut reader, conn => {
            let sessions = sqlx::query_as(
                "SELECT COUNT(CASE WHEN wanted AND (credentials_present OR phone IS NOT NULL) THEN 1 END) AS expected,
                   COUNT(CASE WHEN state = 'connected' THEN 1 END) AS connected,
                   COUNT(CASE WHEN state IN ('pairing', 'logged_out', 'replaced', 'banned', 'outdated',
                     'needs_passkey') THEN 1 END) AS needs_person,
                   COUNT(CASE WHEN runner_id IS NULL AND wanted
                     AND state IN ('pairing', 'connecting', 'connected', 'reconnecting') THEN 1 END) AS unowned
                 FROM sessions",
            )
            .fetch_one(&mut *conn)
            .await?;
            let work = sqlx::query_as(
                "SELECT q.queued, q.oldest_queued_at,
                   (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries
                     WHERE state = 'pending' AND next_attempt_at <= $2 LIMIT $1) AS d) AS due,
                   (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE state = 'dead' LIMIT $1) AS d) AS dead,
                   (SELECT MIN(next_attempt_at) FROM deliveries
                     WHERE state = 'pending' AND next_attempt_at <= $2) AS oldest_due_at
                 FROM (SELECT COUNT(*) AS queued, MIN(accepted_at) AS oldest_queued_at
                   FROM (SELECT accepted_at FROM outbound WHERE state = 'queued' LIMIT $1) AS o) AS q",
            )
            .bind(MOST_COUNTED)
            .bind(now.0)
            .fetch_one(conn)
            .await?;
            (sessions, work)
        });
        Ok(FleetCounts {
            expected: sessions.expected,
            connected: sessions.connected,
            needs_person: sessions.needs_person,
            unowned: sessions.unowned,
            queued: work.queued,
            oldest_queued_at: work.oldest_queued_at.map(Timestamp),
            due: work.due,
            dead: work.dead,
            oldest_due_at: work.oldest_due_at.map(Timestamp),
        })
    }
}
