//! Removing what is old, in small batches: each is a short transaction, so that nobody waits for it.
//!
//! A sweep reads a table from its oldest end in the order of its key and needs no index of its own. It ends where
//! rows begin that are too young.

use domain::{EventId, Timestamp};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Result,
    database::Database,
    deliveries::{DISABLED, GIVES_UP},
    driver::{runs, with_conn},
};

/// What one batch of a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept<K> {
    pub removed: u64,
    /// Where the next batch goes on; `None` when the sweep is over.
    pub next: Option<K>,
}

/// Old enough to look at, in the order of a table's key.
struct Old<K> {
    keys: Vec<K>,
    next: Option<K>,
}

/// The part of a batch that is before `before`, and where to go on.
fn old<K: Copy>(rows: &[(K, i64)], before: Timestamp, limit: u32) -> Old<K> {
    let keys: Vec<K> = rows.iter().take_while(|(_, at)| *at < before.0).map(|(key, _)| *key).collect();
    let next = keys.last().copied().filter(|_| keys.len() == limit as usize);
    Old { keys, next }
}

impl Database {
    /// Removes deliveries that were delivered before `delivered`, or given up before `dead`, with their attempts;
    /// looks at `limit` rows behind the position `after`.
    pub async fn sweep_deliveries(
        &self,
        after: i64,
        delivered: Timestamp,
        dead: Timestamp,
        limit: u32,
    ) -> Result<Swept<i64>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(i64, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT position, created_at FROM deliveries WHERE position > $1 ORDER BY position LIMIT $2",
            )
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
        });
        drop(reader);
        let old = old(&rows, delivered.max(dead), limit);
        if old.keys.is_empty() {
            return Ok(Swept { removed: 0, next: None });
        }
        let mut removed = 0;
        let mut tx = self.begin().await?;
        for run in runs(&old.keys) {
            removed += with_conn!(&mut tx, conn => {
                let mut query = QueryBuilder::new("DELETE FROM deliveries WHERE ((state = 'delivered' AND finished_at < ");
                query.push_bind(delivered.0);
                query.push(") OR (state = 'dead' AND COALESCE(finished_at, created_at) < ").push_bind(dead.0);
                query.push(")) AND position IN (");
                let mut list = query.separated(", ");
                for position in run {
                    list.push_bind(*position);
                }
                query.push(")");
                query.build().execute(conn).await?.rows_affected()
            });
        }
        tx.commit().await?;
        Ok(Swept { removed, next: old.next })
    }

    /// Removes events from before `before` that no delivery is about; looks at `limit` rows behind `after`.
    pub async fn sweep_events(
        &self,
        after: Option<EventId>,
        before: Timestamp,
        limit: u32,
    ) -> Result<Swept<EventId>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(Uuid, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as("SELECT id, created_at FROM events WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(after.map_or(Uuid::nil(), EventId::uuid))
                .bind(i64::from(limit))
                .fetch_all(conn)
                .await?
        });
        drop(reader);
        let old = old(&rows, before, limit);
        if old.keys.is_empty() {
            return Ok(Swept { removed: 0, next: None });
        }
        let mut removed = 0;
        let mut tx = self.begin().await?;
        for run in runs(&old.keys) {
            removed += with_conn!(&mut tx, conn => {
                let mut query = QueryBuilder::new(
                    "DELETE FROM events WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = events.id)
                     AND id IN (",
                );
                let mut list = query.separated(", ");
                for id in run {
                    list.push_bind(*id);
                }
                query.push(")");
                query.build().execute(conn).await?.rows_affected()
            });
        }
        tx.commit().await?;
        Ok(Swept { removed, next: old.next.map(EventId::from) })
    }

    /// Removes messages on their way out that were accepted before `before` and have arrived wherever they could;
    /// looks at `limit` rows behind the position `after`.
    pub async fn sweep_messages(&self, after: i64, before: Timestamp, limit: u32) -> Result<Swept<i64>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(i64, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT position, accepted_at FROM outbound WHERE position > $1 ORDER BY position LIMIT $2",
            )
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
        });
        drop(reader);
        let old = old(&rows, before, limit);
        if old.keys.is_empty() {
            return Ok(Swept { removed: 0, next: None });
        }
        let mut removed = 0;
        let mut tx = self.begin().await?;
        for run in runs(&old.keys) {
            removed += with_conn!(&mut tx, conn => {
                let mut query = QueryBuilder::new("DELETE FROM outbound WHERE state <> 'queued' AND position IN (");
                let mut list = query.separated(", ");
                for position in run {
                    list.push_bind(*position);
                }
                query.push(")");
                query.build().execute(conn).await?.rows_affected()
            });
        }
        tx.commit().await?;
        Ok(Swept { removed, next: old.next })
    }

    /// Puts right what a change and a commit at the same moment, or a process of the version before, left behind:
    /// deliveries that wait for an endpoint that takes nothing, and deliveries without their owner. Returns how
    /// many were given up.
    pub async fn tidy_deliveries(&self, limit: u32) -> Result<u64> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let given_up = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE deliveries SET user_id = (SELECT v.user_id FROM events v WHERE v.id = deliveries.event_id)
                 WHERE position IN (SELECT position FROM deliveries WHERE user_id IS NULL LIMIT $1)",
            )
            .bind(i64::from(limit))
            .execute(&mut *conn)
            .await?;
            let mut query = QueryBuilder::new("UPDATE deliveries SET state = 'dead', finished_at = ");
            query.push_bind(now.0).push(", last_error = COALESCE(last_error, ").push_bind(DISABLED);
            query.push(
                ") WHERE state = 'pending' AND position IN (
                    SELECT d.position FROM endpoints o JOIN deliveries d ON d.endpoint_id = o.id
                    WHERE NOT o.enabled AND (o.layout <> 'base' OR o.disabled_reason IS NOT NULL)
                      AND d.state IN ('pending', 'claimed') LIMIT ",
            );
            query.push_bind(i64::from(limit)).push(") AND ").push(GIVES_UP);
            query.build().execute(conn).await?.rows_affected()
        });
        tx.commit().await?;
        Ok(given_up)
    }

    /// Forgets endpoints that were removed and whose deliveries are gone, and authorizations that came to nothing.
    pub async fn tidy_endpoints(&self) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM endpoints WHERE removed_at IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = endpoints.id)",
            )
            .execute(&mut *conn)
            .await?;
            sqlx::query("DELETE FROM oauth2_authorizations WHERE expires_at <= $1")
                .bind(now.0)
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_where_rows_are_too_young() {
        let table = [
            (vec![], 2, vec![], None),
            (vec![(1, 5), (2, 6)], 2, vec![1, 2], Some(2)),
            (vec![(1, 5), (2, 6)], 3, vec![1, 2], None),
            (vec![(1, 5), (2, 10), (3, 6)], 3, vec![1], None),
        ];
        for (rows, limit, keys, next) in table {
            let old = old(&rows, Timestamp(10), limit);
            assert_eq!((old.keys, old.next), (keys, next), "{rows:?}");
        }
    }
}
