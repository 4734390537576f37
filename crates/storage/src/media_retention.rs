//! Which files are no longer kept. A file that a webhook still has to tell about is never among them.

use domain::{MediaId, SessionId, Timestamp};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Result,
    database::Database,
    driver::{runs, with_conn},
};

/// A file that need not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisposableMedia {
    pub id: MediaId,
    pub session: SessionId,
    /// In bytes.
    pub size: u64,
}

impl Database {
    /// Up to `limit` files that were stored before `before`, and those of users who are gone; the oldest first.
    pub async fn disposable_media(&self, before: Timestamp, limit: u32) -> Result<Vec<DisposableMedia>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(Uuid, Uuid, Option<i64>)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT m.id, m.session_id, m.size FROM media m
                 WHERE m.state = 'stored'
                   AND (m.stored_at < $1 OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = m.user_id))
                   AND NOT EXISTS (SELECT 1 FROM deliveries d
                                   WHERE d.event_id = m.event_id AND d.state IN ('pending', 'claimed'))
                 ORDER BY m.stored_at, m.id LIMIT $2",
            )
            .bind(before.0)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
        });
        let file = |(id, session, size): (Uuid, Uuid, Option<i64>)| DisposableMedia {
            id: id.into(),
            session: session.into(),
            size: size.and_then(|size| size.try_into().ok()).unwrap_or(0),
        };
        Ok(rows.into_iter().map(file).collect())
    }

    /// How many bytes the files take up that are kept.
    pub async fn media_bytes(&self) -> Result<u64> {
        let mut reader = self.reader().await?;
        let bytes: i64 = with_conn!(&mut reader, conn => {
            sqlx::query_scalar("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM media WHERE state = 'stored'")
                .fetch_one(conn)
                .await?
        });
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Notes that files are no longer in the media store. Call it after they are gone.
    pub async fn forget_media(&self, files: &[MediaId]) -> Result<()> {
        let mut tx = self.begin().await?;
        for run in runs(files) {
            with_conn!(&mut tx, conn => {
                let mut query =
                    QueryBuilder::new("UPDATE media SET state = 'removed' WHERE state = 'stored' AND id IN (");
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

    /// Forgets files of users who are gone that are not in the media store, or no longer are.
    pub async fn forget_media_of_nobody(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM media WHERE state IN ('missing', 'removed')
                   AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = media.user_id)",
            )
            .execute(conn)
            .await?;
        });
        Ok(tx.commit().await?)
    }
}
