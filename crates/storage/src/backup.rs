//! Backups: a SQLite database copied while it is in use, and any database that has come back from one.
//!
//! Signal keys are used once. A session that goes on from an old state would encrypt with keys that it has used since,
//! and what it sends could not be read. So these parts are left out of a copy, and what comes back begins them anew.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use domain::{Fence, Timestamp};
use sqlx::{
    ConnectOptions as _, Connection as _, QueryBuilder, SqliteConnection, sqlite::SqliteConnectOptions,
};
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, OpenError, hold, is_ours},
    driver::with_conn,
};

/// What is in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    pub sessions: i64,
    /// When the newest of its rows was written.
    pub newest: Timestamp,
}

/// Keeps a SQLite database from being used as long as it lives.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "its lock counts")] File);

/// Keeps everybody else from using the SQLite database at this path, which may not be there yet;
/// [`OpenError::InUse`] while somebody does.
pub fn hold_sqlite(path: &Path) -> Result<Held, OpenError> {
    hold(path).map(Held)
}

/// What is in a SQLite database of ours; `None` when nothing is.
pub async fn sqlite_contents(path: &Path) -> Result<Option<Contents>, OpenError> {
    let mut connection = connect(path).await?;
    let contents = contents(&mut connection).await;
    // As the last one to close it, this folds in what a killed process left in its log.
    let closed = connection.close().await;
    let contents = contents.map_err(|error| not_ours(path, &error))?;
    closed.map_err(|error| not_ours(path, &error))?;
    Ok(contents)
}

/// Copies a SQLite database, which others may be using, as it is at one moment, into a file that is not there yet.
/// Leaves out session state of the kinds `left_out`.
pub async fn copy_sqlite(path: &Path, into: &Path, left_out: &[&str]) -> Result<Contents, OpenError> {
    let refused = |reason: String| OpenError::File { path: into.to_owned(), reason };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(into)
        .map_err(|error| refused(error.to_string()))?;
    let mut source = connect(path).await?;
    let copied = sqlx::query("VACUUM INTO $1")
        .bind(into.display().to_string())
        .execute(&mut source)
        .await
        .map_err(|error| refused(error.to_string()));
    source.close().await.map_err(|error| not_ours(path, &error))?;
    copied?;

    let options = SqliteConnectOptions::new()
        .filename(into)
        .pragma("journal_mode", "off")
        .pragma("synchronous", "off")
        // What is left out is not to be found in the file's unused pages either.
        .pragma("secure_delete", "on");
    let mut copy = options.connect().await.map_err(|error| refused(error.to_string()))?;
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut copy)
        .await
        .map_err(|error| not_ours(path, &error))?;
    if verdict != "ok" {
        return Err(OpenError::NotOurs { path: path.to_owned(), reason: verdict });
    }
    let contents = contents(&mut copy).await.map_err(|error| not_ours(path, &error))?;
    let contents = contents
        .ok_or_else(|| OpenError::NotOurs { path: path.to_owned(), reason: "it is empty".to_owned() })?;
    delete_kinds(left_out).build().execute(&mut copy).await.map_err(|error| refused(error.to_string()))?;
    copy.close().await.map_err(|error| refused(error.to_string()))?;
    Ok(contents)
}

impl Database {
    /// Makes a database that has come back from a backup safe to go on with, before anybody does: nobody owns a
    /// session, every claim from before is void, session state of the kinds `left_out` is gone, and events are
    /// counted from numbers that none had before. Returns a claim on each session, for whoever renews the rest.
    pub async fn begin_anew(&self, left_out: &[&str]) -> Result<Vec<Fence>> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let rows: Vec<(Uuid, i64)> = with_conn!(&mut tx, conn => {
            sqlx::query("DELETE FROM runners").execute(&mut *conn).await?;
            delete_kinds(left_out).build().execute(&mut *conn).await?;
            // Milliseconds: ahead of any session that has fewer than a thousand events a second, and of an earlier
            // return from the same backup.
            sqlx::query_as(
                "UPDATE sessions SET runner_id = NULL, token = token + 1, qr = NULL, qr_expires_at = NULL,
                   event_sequence = CASE WHEN event_sequence < $1 THEN $1 ELSE event_sequence END
                 RETURNING id, token",
            )
            .bind(now.0)
            .fetch_all(conn)
            .await?
        });
        tx.commit().await?;
        Ok(rows.into_iter().map(|(id, token)| Fence { session: id.into(), token }).collect())
    }
}

fn delete_kinds<DB: sqlx::Database>(kinds: &[&str]) -> QueryBuilder<DB>
where
    String: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut query = QueryBuilder::new("DELETE FROM session_state WHERE kind IN (");
    let mut list = query.separated(", ");
    for kind in kinds {
        list.push_bind((*kind).to_owned());
    }
    query.push(")");
    query
}

async fn connect(path: &Path) -> Result<SqliteConnection, OpenError> {
    if let Err(error) = File::open(path) {
        return Err(OpenError::File { path: path.to_owned(), reason: error.to_string() });
    }
    if !is_ours(path).await.map_err(|error| not_ours(path, &error))? {
        let reason = "it has tables of another program".to_owned();
        return Err(OpenError::NotOurs { path: path.to_owned(), reason });
    }
    SqliteConnectOptions::new().filename(path).connect().await.map_err(|error| not_ours(path, &error))
}

fn not_ours(path: &Path, error: &sqlx::Error) -> OpenError {
    OpenError::NotOurs { path: path.to_owned(), reason: error.to_string() }
}

async fn contents(connection: &mut SqliteConnection) -> Result<Option<Contents>, sqlx::Error> {
    let there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'session_events')")
            .fetch_one(&mut *connection)
            .await?;
    if !there {
        return Ok(None);
    }
    let (sessions, newest): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM sessions), MAX(
           COALESCE((SELECT MAX(created_at) FROM users), 0),
           COALESCE((SELECT at FROM session_events ORDER BY position DESC LIMIT 1), 0),
           COALESCE((SELECT created_at FROM events ORDER BY id DESC LIMIT 1), 0),
           COALESCE((SELECT accepted_at FROM outbound ORDER BY position DESC LIMIT 1), 0))",
    )
    .fetch_one(connection)
    .await?;
    Ok(Some(Contents { sessions, newest: Timestamp(newest) }))
}
