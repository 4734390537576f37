//! Sessions: who owns them, who holds them, and how they are.

use std::sync::Arc;

use domain::{
    Fence, RunnerId, SessionId, Timestamp, UserId,
    session::{PairingCode, Session, SessionState},
};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    dialect::SKIP_LOCKED,
    driver::{Tx, with_conn},
    error::Error,
    fence::Allowed,
    group_commit::Write,
    media,
    rows::word,
    transitions,
    user_removal::fail_queued,
    users,
};

/// A session that a runner has just taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub fence: Fence,
    pub session: Session,
}

/// What became of a request to start a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It is this one, and it is wanted now.
    Session(Box<Session>),
    /// The name belongs to another user.
    Taken,
    /// The user is gone, or being removed.
    NoUser,
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "id, user_id, name, wanted, state, reason, since, credentials_present, phone, qr, qr_expires_at, \
         last_message_at, disconnected_since, created_at"
    };
}

#[derive(FromRow)]
pub(crate) struct Row {
    id: Uuid,
    user_id: i64,
    name: String,
    wanted: bool,
    state: String,
    reason: Option<String>,
    since: i64,
    credentials_present: bool,
    phone: Option<String>,
    qr: Option<String>,
    qr_expires_at: Option<i64>,
    last_message_at: Option<i64>,
    disconnected_since: Option<i64>,
    created_at: i64,
}

impl TryFrom<Row> for Session {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            user: UserId(row.user_id),
            name: row.name,
            wanted: row.wanted,
            state: word(&row.state)?,
            reason: row.reason,
            since: Timestamp(row.since),
            credentials_present: row.credentials_present,
            phone: row.phone,
            qr: row
                .qr
                .zip(row.qr_expires_at)
                .map(|(text, at)| PairingCode { text, expires_at: Timestamp(at) }),
            last_message_at: row.last_message_at.map(Timestamp),
            disconnected_since: row.disconnected_since.map(Timestamp),
            created_at: Timestamp(row.created_at),
        })
    }
}

#[derive(FromRow)]
struct ClaimedRow {
    token: i64,
    #[sqlx(flatten)]
    session: Row,
}

impl TryFrom<ClaimedRow> for Claimed {
    type Error = Error;

    fn try_from(row: ClaimedRow) -> Result<Self> {
        let session = Session::try_from(row.session)?;
        Ok(Self { fence: Fence { session: session.id, token: row.token }, session })
    }
}

/// A claim that is given up. Shares its transaction with others: a runner that stops gives up all of its claims.
#[derive(Debug)]
pub(crate) struct Release {
    fence: Fence,
    to: Option<RunnerId>,
}

impl Write for Release {
    type Output = ();

    fn fence(&self) -> Option<Fence> {
        Some(self.fence)
    }

    async fn apply(writes: &[&Self], allowed: &Allowed, _shared: &Shared, tx: &mut Tx) -> Result<Vec<()>> {
        for write in writes.iter().filter(|write| allowed.contains(write.fence)) {
            release(tx, write).await?;
        }
        Ok(vec![(); writes.len()])
    }
}

async fn release(tx: &mut Tx, Release { fence, to }: &Release) -> Result<()> {
    with_conn!(tx, conn => {
        match to {
            None => sqlx::query("UPDATE sessions SET runner_id = NULL WHERE id = $1 AND token = $2")
                .bind(fence.session.uuid())
                .bind(fence.token)
                .execute(conn)
                .await?
                .rows_affected(),
            // The token grows with every change of ownership.
            Some(runner) => sqlx::query(
                "UPDATE sessions SET token = token + 1,
                   runner_id = (SELECT id FROM runners WHERE id = $3 AND accepting)
                 WHERE id = $1 AND token = $2",
            )
            .bind(fence.session.uuid())
            .bind(fence.token)
            .bind(runner.uuid())
            .execute(conn)
            .await?
            .rows_affected(),
        };
    });
    Ok(())
}

impl Database {
    /// The session of that full name.
    pub async fn session_by_name(&self, name: &str) -> Result<Option<Session>> {
        let mut reader = self.reader().await?;
        let row: Option<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!("SELECT ", columns!(), " FROM sessions WHERE name = $1"))
                .bind(name)
                .fetch_optional(conn)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// The session of that id.
    pub async fn session(&self, id: SessionId) -> Result<Option<Session>> {
        let mut reader = self.reader().await?;
        let row: Option<Row> = with_conn!(&mut reader, conn => {
            sqlx::query_as(concat!("SELECT ", columns!(), " FROM sessions WHERE id = $1"))
                .bind(id.uuid())
                .fetch_optional(conn)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// A user's sessions, or everybody's, by name.
    pub async fn sessions(&self, of: Option<UserId>) -> Result<Arc<Vec<Session>>> {
        self.shared
            .coalesce
            .ask(("sessions", of.map_or(0, |user| user.0)), || async {
                let mut reader = self.reader().await?;
                let rows: Vec<Row> = with_conn!(&mut reader, conn => {
                    sqlx::query_as(concat!(
                        "SELECT ", columns!(), " FROM sessions WHERE $1 OR user_id = $2 ORDER BY name"
                    ))
                    .bind(of.is_none())
                    .bind(of.map_or(0, |user| user.0))
                    .fetch_all(conn)
                    .await?
                });
                rows.into_iter().map(TryInto::try_into).collect()
            })
            .await
    }

    /// The names of a user's sessions, or of everybody's, in order.
    pub async fn session_names(&self, of: Option<UserId>) -> Result<Arc<Vec<String>>> {
        self.shared
            .coalesce
            .ask(("session names", of.map_or(0, |user| user.0)), || async {
                let mut reader = self.reader().await?;
                Ok(with_conn!(&mut reader, conn => {
                    sqlx::query_scalar("SELECT name FROM sessions WHERE $1 OR user_id = $2 ORDER BY name")
                        .bind(of.is_none())
                        .bind(of.map_or(0, |user| user.0))
                        .fetch_all(conn)
                        .await?
                }))
            })
            .await
    }

    /// Makes the session if it is not there, and wants it to run. One that had stopped or given up tries again.
    pub async fn start_session(&self, user: UserId, name: &str) -> Result<Started> {
        let now = self.now();
        let mut tx = self.begin().await?;
        if !users::is_there(&mut tx, user).await? {
            return Ok(Started::NoUser);
        }
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "INSERT INTO sessions (id, user_id, name, wanted, state, since, disconnected_since, created_at)
                 VALUES ($1, $2, $3, FALSE, 'stopped', $4, $4, $4) ON CONFLICT (name) DO NOTHING",
            )
            .bind(SessionId::new().uuid())
            .bind(user.0)
            .bind(name)
            .bind(now.0)
            .execute(conn)
            .await?;
        });
        let row: Row = with_conn!(&mut tx, conn => {
            sqlx::query_as(concat!(
                "UPDATE sessions SET wanted = (wanted OR user_id = $2) WHERE name = $1 RETURNING ", columns!()
            ))
            .bind(name)
            .bind(user.0)
            .fetch_one(conn)
            .await?
        });
        let mut session = Session::try_from(row)?;
        if session.user != user {
            return Ok(Started::Taken);
        }
        if !session.state.runs() {
            transitions::unowned(&mut tx, session.id, SessionState::Connecting, Some("started"), now).await?;
            session.state = SessionState::Connecting;
            session.reason = Some("started".to_owned());
            session.since = now;
            session.qr = None;
        }
        tx.commit().await?;
        Ok(Started::Session(Box::new(session)))
    }

    /// Takes up to `limit` free sessions for a runner, each under a new token.
    ///
    /// Those that are free are looked up once, in front: PostgreSQL, whose statistics are of a time when all sessions were
    /// owned, expects hardly any, and as a condition would look for them again for each.
    pub async fn claim_sessions(&self, runner: RunnerId, limit: u32) -> Result<Vec<Claimed>> {
        let mut tx = self.begin().await?;
        let sql = format!(
            concat!(
                "WITH free (free_id) AS (
                   SELECT id FROM sessions
                   WHERE runner_id IS NULL AND wanted
                     AND state IN ('pairing', 'connecting', 'connected', 'reconnecting')
                   LIMIT $2{}
                 )
                 UPDATE sessions SET runner_id = $1, token = token + 1 FROM free
                 WHERE id = free_id AND runner_id IS NULL RETURNING token, ",
                columns!()
            ),
            SKIP_LOCKED.of(&tx)
        );
        let rows: Vec<ClaimedRow> = with_conn!(&mut tx, conn => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(runner.uuid())
                .bind(i64::from(limit))
                .fetch_all(conn)
                .await?
        });
        tx.commit().await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Gives a session back, if the claim still holds; somebody else may take it.
    pub async fn release_session(&self, fence: Fence) -> Result<()> {
        self.writes.write(Release { fence, to: None }).await.map(drop)
    }

    /// Gives a session to a certain runner, if the claim still holds, under a new token: it finds the session among
    /// [its claims](Self::claims_of). A runner that takes no sessions or is not there any more does not get it: then
    /// anybody may take it.
    pub async fn hand_session_to(&self, fence: Fence, runner: RunnerId) -> Result<()> {
        self.writes.write(Release { fence, to: Some(runner) }).await.map(drop)
    }

    /// The claims that stand in a runner's name.
    pub async fn claims_of(&self, runner: RunnerId) -> Result<Vec<Fence>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(Uuid, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as("SELECT id, token FROM sessions WHERE runner_id = $1")
                .bind(runner.uuid())
                .fetch_all(conn)
                .await?
        });
        Ok(rows.into_iter().map(|(id, token)| Fence { session: id.into(), token }).collect())
    }

    /// Claims a session anew for the runner in whose name it stands already, under a new token; `None` when it does
    /// not any more, or is not to run.
    pub async fn adopt_session(&self, runner: RunnerId, fence: Fence) -> Result<Option<Claimed>> {
        let mut tx = self.begin().await?;
        let row: Option<ClaimedRow> = with_conn!(&mut tx, conn => {
            sqlx::query_as(concat!(
                "UPDATE sessions SET token = token + 1
                 WHERE id = $1 AND token = $2 AND runner_id = $3 AND wanted
                   AND state IN ('pairing', 'connecting', 'connected', 'reconnecting')
                 RETURNING token, ",
                columns!()
            ))
            .bind(fence.session.uuid())
            .bind(fence.token)
            .bind(runner.uuid())
            .fetch_optional(conn)
            .await?
        });
        tx.commit().await?;
        row.map(TryInto::try_into).transpose()
    }

    /// The runner that holds a session.
    pub async fn holder(&self, session: SessionId) -> Result<Option<RunnerId>> {
        let mut reader = self.reader().await?;
        let row: Option<Option<Uuid>> = with_conn!(&mut reader, conn => {
            sqlx::query_scalar("SELECT runner_id FROM sessions WHERE id = $1")
                .bind(session.uuid())
                .fetch_optional(conn)
                .await?
        });
        Ok(row.flatten().map(Into::into))
    }

    /// How many sessions should be held by somebody, and how many of them are free.
    pub async fn session_counts(&self) -> Result<(u64, u64)> {
        let mut reader = self.reader().await?;
        let (running, free): (i64, i64) = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT COUNT(*), COALESCE(SUM(CASE WHEN runner_id IS NULL THEN 1 ELSE 0 END), 0)
                 FROM sessions
                 WHERE wanted AND state IN ('pairing', 'connecting', 'connected', 'reconnecting')",
            )
            .fetch_one(conn)
            .await?
        });
        Ok((u64::try_from(running).unwrap_or(0), u64::try_from(free).unwrap_or(0)))
    }

    /// The claims of a runner's sessions that their owners no longer want to run.
    pub async fn unwanted_sessions(&self, runner: RunnerId) -> Result<Vec<Fence>> {
        let mut reader = self.reader().await?;
        let rows: Vec<(Uuid, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as("SELECT id, token FROM sessions WHERE runner_id = $1 AND NOT wanted")
                .bind(runner.uuid())
                .fetch_all(conn)
                .await?
        });
        Ok(rows.into_iter().map(|(id, token)| Fence { session: id.into(), token }).collect())
    }

    /// Wants a session to run no longer; its keys stay. With `force` it is also taken from whoever holds it, for when
    /// that one does not answer. Returns whether it was there.
    pub async fn stop_session(&self, id: SessionId, reason: &str, force: bool) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin().await?;
        if !transitions::unowned(&mut tx, id, SessionState::Stopped, Some(reason), now).await? {
            return Ok(false);
        }
        with_conn!(&mut tx, conn => {
            sqlx::query(
                "UPDATE sessions SET wanted = FALSE,
                   token = token + CASE WHEN $2 THEN 1 ELSE 0 END,
                   runner_id = CASE WHEN $2 THEN NULL ELSE runner_id END
                 WHERE id = $1",
            )
            .bind(id.uuid())
            .bind(force)
            .execute(conn)
            .await?;
        });
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a session with its keys; what it received is still delivered, what it had not sent fails. Returns
    /// whether it was there.
    pub async fn delete_session(&self, id: SessionId, reason: &str) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin().await?;
        if !transitions::unowned(&mut tx, id, SessionState::LoggedOut, Some(reason), now).await? {
            return Ok(false);
        }
        with_conn!(&mut tx, conn => {
            sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id.uuid()).execute(conn).await?;
        });
        // After the removal, which has waited for whoever was just storing a message for the session.
        fail_queued(&mut tx, id).await?;
        media::give_up_all(&mut tx, id, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
