//! The end of a user, in two steps, so that a process may die between them: first the user is nobody any more,
//! then what they had goes, a part at a time.

use domain::{SessionId, Timestamp, UserId};
use uuid::Uuid;

use crate::{
    Result,
    accounts::Edited,
    database::Database,
    driver::{Tx, with_conn},
    logins,
};

/// Rows that go in one transaction: writers of hot paths wait for no more than that.
const BATCH: i64 = 500;

/// A well-formed hash that no password is known for. It shuts out processes of the version before, too, which do
/// not know what `deleted_at` means.
const NOBODY: &str = "$2b$04$.....................................................";

const EVENTS: &str = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE user_id = $1 LIMIT $2)";

/// Of one session: messages are found by theirs, the index by user would cost every message that is sent.
const MESSAGES: &str = "DELETE FROM outbound WHERE position IN (
    SELECT position FROM outbound WHERE session_id = $3 AND user_id = $1 LIMIT $2)";

const HISTORY: &str = "DELETE FROM session_events WHERE position IN (
    SELECT position FROM session_events WHERE user_id = $1 LIMIT $2)";

impl Database {
    /// Begins the removal of a user: from now on nobody gets in as them, and they are not listed.
    /// [`purge_user`](Self::purge_user) ends it, once their sessions are gone.
    pub async fn begin_user_removal(&self, user: UserId) -> Result<Edited> {
        let mut tx = self.begin().await?;
        let edited = with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE users SET deleted_at = $2, password_hash = $3, password_version = password_version + 1
                 WHERE id = $1 AND NOT is_admin AND deleted_at IS NULL",
            )
            .bind(user.0)
            .bind(self.now().0)
            .bind(NOBODY)
            .execute(conn)
            .await?
            .rows_affected()
        });
        logins::end_earlier(&mut tx, user).await?;
        tx.commit().await?;
        self.outcome(user, edited).await
    }

    /// The users whose removal began before `cutoff` and has not ended.
    pub async fn users_being_removed(&self, cutoff: Timestamp) -> Result<Vec<UserId>> {
        let mut reader = self.reader().await?;
        let ids: Vec<i64> = with_conn!(&mut reader, conn => {
            sqlx::query_scalar("SELECT id FROM users WHERE deleted_at < $1 ORDER BY id")
                .bind(cutoff.0)
                .fetch_all(conn)
                .await?
        });
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// Deletes all that a user had: messages, events and their deliveries, endpoints, history; then the user.
    /// Changes nothing while they have sessions, or their removal has not begun. Returns whether the user is gone.
    pub async fn purge_user(&self, user: UserId) -> Result<bool> {
        if !self.may_be_purged(user).await? {
            return self.is_gone(user).await;
        }
        for session in self.sessions_ever_of(user).await? {
            self.delete_all(MESSAGES, user, Some(session)).await?;
        }
        self.delete_all(EVENTS, user, None).await?;
        // Last: a removal that goes on after a crash finds the sessions by their history.
        self.delete_all(HISTORY, user, None).await?;
        let mut tx = self.begin().await?;
        let gone = with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM users WHERE id = $1 AND deleted_at IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM sessions WHERE user_id = $1)",
            )
            .bind(user.0)
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(gone == 1)
    }

    async fn may_be_purged(&self, user: UserId) -> Result<bool> {
        let mut reader = self.reader().await?;
        Ok(with_conn!(&mut reader, conn => {
            sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND deleted_at IS NOT NULL)
                   AND NOT EXISTS (SELECT 1 FROM sessions WHERE user_id = $1)",
            )
            .bind(user.0)
            .fetch_one(conn)
            .await?
        }))
    }

    async fn is_gone(&self, user: UserId) -> Result<bool> {
        let mut reader = self.reader().await?;
        Ok(with_conn!(&mut reader, conn => {
            sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM users WHERE id = $1)")
                .bind(user.0)
                .fetch_one(conn)
                .await?
        }))
    }

    async fn sessions_ever_of(&self, user: UserId) -> Result<Vec<SessionId>> {
        let mut reader = self.reader().await?;
        let ids: Vec<Uuid> = with_conn!(&mut reader, conn => {
            sqlx::query_scalar("SELECT DISTINCT session_id FROM session_events WHERE user_id = $1")
                .bind(user.0)
                .fetch_all(conn)
                .await?
        });
        Ok(ids.into_iter().map(Into::into).collect())
    }

    async fn delete_all(&self, sql: &'static str, user: UserId, session: Option<SessionId>) -> Result<()> {
        loop {
            let mut tx = self.begin().await?;
            let deleted = with_conn!(&mut tx, conn => {
                let mut query = sqlx::query(sql).bind(user.0).bind(BATCH);
                if let Some(session) = session {
                    query = query.bind(session.uuid());
                }
                query.execute(conn).await?.rows_affected()
            });
            tx.commit().await?;
            if deleted < BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }

    /// Fails messages that wait for a session that is gone: one can be accepted in the moment of its removal.
    /// Returns how many there were.
    pub async fn fail_messages_without_session(&self) -> Result<u64> {
        // Looked for without a lock: almost always there is none.
        let mut reader = self.reader().await?;
        let sessions: Vec<Uuid> = with_conn!(&mut reader, conn => {
            sqlx::query_scalar(
                "SELECT DISTINCT o.session_id FROM outbound o
                 WHERE o.state = 'queued' AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = o.session_id)",
            )
            .fetch_all(conn)
            .await?
        });
        drop(reader);
        let mut failed = 0;
        for session in sessions {
            let mut tx = self.begin().await?;
            failed += fail_queued(&mut tx, session.into()).await?;
            tx.commit().await?;
        }
        Ok(failed)
    }
}

/// Fails what a session that goes had not sent; returns how many messages that were.
pub(crate) async fn fail_queued(tx: &mut Tx, session: SessionId) -> Result<u64> {
    Ok(with_conn!(tx, conn => {
        sqlx::query(
            "UPDATE outbound SET state = 'failed', failure_code = 'session_gone',
               failure_reason = 'the session was removed before the message was sent'
             WHERE session_id = $1 AND state = 'queued'",
        )
        .bind(session.uuid())
        .execute(conn)
        .await?
        .rows_affected()
    }))
}
