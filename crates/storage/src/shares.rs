//! Links that let somebody else scan a session's code: good for one version, which grows when they are revoked.

use domain::SessionId;

use crate::{Result, database::Database, driver::with_conn};

impl Database {
    /// The version that links to a session are good for; `None` when it is gone.
    pub async fn share_version(&self, session: SessionId) -> Result<Option<i64>> {
        let mut reader = self.reader().await?;
        Ok(with_conn!(&mut reader, conn => {
            sqlx::query_scalar("SELECT share_version FROM sessions WHERE id = $1")
                .bind(session.uuid())
                .fetch_optional(conn)
                .await?
        }))
    }

    /// Revokes all links to a session.
    pub async fn revoke_shares(&self, session: SessionId) -> Result<()> {
        let mut tx = self.begin().await?;
        with_conn!(&mut tx, conn => {
            sqlx::query("UPDATE sessions SET share_version = share_version + 1 WHERE id = $1")
                .bind(session.uuid())
                .execute(conn)
                .await?;
        });
        Ok(tx.commit().await?)
    }
}
