//! What the WhatsApp client library keeps for a session: sealed values under a kind and a key.
//!
//! Every write names the claim ([`Fence`]) it is made under and changes nothing once the claim is lost.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use domain::{Fence, SessionId};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    Result,
    database::{Database, Shared},
    driver::{Tx, runs, with_conn},
    error::Error,
    fence::{self, Allowed},
    group_commit::Write,
};

/// The kind whose rows are merged instead of replaced: the larger number stays, and the later expiry (none is the
/// latest).
const MERGED_KIND: &str = "msg_secret";

/// One change to a session's state.
#[derive(Clone)]
pub enum Change {
    /// Writes a value, over any that is there.
    Put { kind: &'static str, key: String, value: Vec<u8>, number: i64, expires_at: Option<i64> },
    /// Removes a value.
    Delete { kind: &'static str, key: String },
}

impl Change {
    /// Writes a value that has no number and does not expire.
    pub fn put(kind: &'static str, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self::Put { kind, key: key.into(), value: value.into(), number: 0, expires_at: None }
    }

    fn address(&self) -> (&'static str, &str) {
        match self {
            Self::Put { kind, key, .. } | Self::Delete { kind, key } => (kind, key),
        }
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key) = self.address();
        let verb = if matches!(self, Self::Put { .. }) { "Put" } else { "Delete" };
        write!(f, "{verb}({kind}/{key})")
    }
}

/// A stored value, opened.
#[derive(Clone, PartialEq, Eq)]
pub struct StateRow {
    pub key: String,
    pub value: Vec<u8>,
    pub number: i64,
}

impl fmt::Debug for StateRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateRow({}, {} bytes)", self.key, self.value.len())
    }
}

/// One session's state, under one claim.
#[derive(Clone)]
pub struct SessionStore {
    database: Database,
    fence: Fence,
}

impl Database {
    /// The state of a session for the holder of `fence`.
    #[must_use]
    pub fn session_store(&self, fence: Fence) -> SessionStore {
        SessionStore { database: self.clone(), fence }
    }
}

impl SessionStore {
    /// The claim that this store writes under.
    #[must_use]
    pub const fn fence(&self) -> Fence {
        self.fence
    }

    /// Carries out all changes, in their order, or none. Returns after the commit.
    pub async fn write(&self, changes: Vec<Change>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let allowed = self.database.writes.write(StateWrite { fence: self.fence, changes }).await?;
        if allowed { Ok(()) } else { Err(Error::LeaseLost) }
    }

    /// The same without waiting for the commit, which comes before that of any [`write`](Self::write) that begins after
    /// this has returned, or with it. Everything else may not see the changes until they have [settled](Self::settle). A
    /// failure is logged, and the changes are lost with it.
    pub async fn write_behind(&self, changes: Vec<Change>) -> Result<()> {
        self.database.writes.write_behind(StateWrite { fence: self.fence, changes }).await
    }

    /// Returns once everything is committed that was [written behind](Self::write_behind) before.
    pub async fn settle(&self) -> Result<()> {
        self.database.writes.write(StateWrite { fence: self.fence, changes: Vec::new() }).await.map(drop)
    }

    /// One value.
    pub async fn get(&self, kind: &'static str, key: &str) -> Result<Option<StateRow>> {
        Ok(self.get_many(kind, &[key]).await?.pop())
    }

    /// The values that are there, in no particular order.
    pub async fn get_many(&self, kind: &'static str, keys: &[&str]) -> Result<Vec<StateRow>> {
        let mut reader = self.database.reader().await?;
        let mut found = Vec::with_capacity(keys.len());
        for run in runs(keys) {
            let rows: Vec<(String, Vec<u8>, i64)> = with_conn!(&mut reader, conn => {
                let mut query =
                    QueryBuilder::new("SELECT key, value, number FROM session_state WHERE session_id = ");
                query.push_bind(self.uuid()).push(" AND kind = ").push_bind(kind).push(" AND key IN (");
                let mut list = query.separated(", ");
                for key in run {
                    list.push_bind((*key).to_owned());
                }
                query.push(")");
                query.build_query_as().fetch_all(conn).await?
            });
            for (key, sealed, number) in rows {
                found.push(self.open(kind, key, &sealed, number)?);
            }
        }
        Ok(found)
    }

    /// Every value of a kind, ordered by key.
    pub async fn list(&self, kind: &'static str) -> Result<Vec<StateRow>> {
        self.list_prefix(kind, "").await
    }

    /// Every value of a kind whose key begins with `prefix`, ordered by key.
    pub async fn list_prefix(&self, kind: &'static str, prefix: &str) -> Result<Vec<StateRow>> {
        let mut reader = self.database.reader().await?;
        let rows: Vec<(String, Vec<u8>, i64)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT key, value, number FROM session_state
                 WHERE session_id = $1 AND kind = $2 AND key >= $3 AND key < $4 ORDER BY key",
            )
            .bind(self.uuid())
            .bind(kind)
            .bind(prefix)
            .bind(after(prefix))
            .fetch_all(conn)
            .await?
        });
        rows.into_iter().map(|(key, sealed, number)| self.open(kind, key, &sealed, number)).collect()
    }

    /// Whether a value of the kind has a key that begins with `prefix`.
    pub async fn has_prefix(&self, kind: &'static str, prefix: &str) -> Result<bool> {
        let mut reader = self.database.reader().await?;
        let row: Option<(i64,)> = with_conn!(&mut reader, conn => {
            sqlx::query_as(
                "SELECT number FROM session_state
                 WHERE session_id = $1 AND kind = $2 AND key >= $3 AND key < $4 LIMIT 1",
            )
            .bind(self.uuid())
            .bind(kind)
            .bind(prefix)
            .bind(after(prefix))
            .fetch_optional(conn)
            .await?
        });
        Ok(row.is_some())
    }

    /// The largest key of a kind.
    pub async fn last_key(&self, kind: &'static str) -> Result<Option<String>> {
        self.key_by(
            kind,
            "SELECT key FROM session_state WHERE session_id = $1 AND kind = $2 ORDER BY key DESC LIMIT 1",
        )
        .await
    }

    /// The key with the largest number of a kind; of equal ones the largest key.
    pub async fn newest_key(&self, kind: &'static str) -> Result<Option<String>> {
        self.key_by(
            kind,
            "SELECT key FROM session_state WHERE session_id = $1 AND kind = $2 ORDER BY number DESC, key DESC LIMIT 1",
        )
        .await
    }

    /// Sets the number of those values that are there.
    pub async fn set_number(&self, kind: &'static str, keys: &[String], number: i64) -> Result<()> {
        let mut tx = self.fenced().await?;
        for run in runs(keys) {
            with_conn!(&mut tx, conn => {
                let mut query = QueryBuilder::new("UPDATE session_state SET number = ");
                query.push_bind(number).push(" WHERE session_id = ").push_bind(self.uuid());
                query.push(" AND kind = ").push_bind(kind).push(" AND key IN (");
                let mut list = query.separated(", ");
                for key in run {
                    list.push_bind(key.clone());
                }
                query.push(")");
                query.build().execute(conn).await?;
            });
        }
        Ok(tx.commit().await?)
    }

    /// Removes a value and gives it back: of two that ask, one gets it.
    pub async fn take(&self, kind: &'static str, key: &str) -> Result<Option<StateRow>> {
        let mut tx = self.fenced().await?;
        let row: Option<(Vec<u8>, i64)> = with_conn!(&mut tx, conn => {
            sqlx::query_as(
                "DELETE FROM session_state WHERE session_id = $1 AND kind = $2 AND key = $3
                 RETURNING value, number",
            )
            .bind(self.uuid())
            .bind(kind)
            .bind(key)
            .fetch_optional(conn)
            .await?
        });
        tx.commit().await?;
        row.map(|(sealed, number)| self.open(kind, key.to_owned(), &sealed, number)).transpose()
    }

    /// Removes every value of a kind whose key begins with `prefix`; returns how many there were.
    pub async fn delete_prefix(&self, kind: &'static str, prefix: &str) -> Result<u64> {
        let mut tx = self.fenced().await?;
        let removed = with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM session_state
                 WHERE session_id = $1 AND kind = $2 AND key >= $3 AND key < $4",
            )
            .bind(self.uuid())
            .bind(kind)
            .bind(prefix)
            .bind(after(prefix))
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(removed)
    }

    /// Removes the values of a kind that expired before `cutoff`; returns how many there were.
    pub async fn delete_expired(&self, kind: &'static str, cutoff: i64) -> Result<u64> {
        let mut tx = self.fenced().await?;
        let removed = with_conn!(&mut tx, conn => {
            sqlx::query(
                "DELETE FROM session_state WHERE session_id = $1 AND kind = $2 AND expires_at < $3",
            )
            .bind(self.uuid())
            .bind(kind)
            .bind(cutoff)
            .execute(conn)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(removed)
    }

    async fn key_by(&self, kind: &'static str, sql: &'static str) -> Result<Option<String>> {
        let mut reader = self.database.reader().await?;
        Ok(with_conn!(&mut reader, conn => {
            sqlx::query_scalar(sql).bind(self.uuid()).bind(kind).fetch_optional(conn).await?
        }))
    }

    /// A transaction in which the claim is known to hold until it ends.
    async fn fenced(&self) -> Result<Tx> {
        let mut tx = self.database.begin().await?;
        let allowed = fence::check(&mut tx, [self.fence]).await?;
        if allowed.contains(self.fence) { Ok(tx) } else { Err(Error::LeaseLost) }
    }

    fn uuid(&self) -> Uuid {
        self.fence.session.uuid()
    }

    fn open(&self, kind: &'static str, key: String, sealed: &[u8], number: i64) -> Result<StateRow> {
        let value = self
            .database
            .shared
            .keys
            .open(sealed, &address(self.fence.session, kind, &key))
            .map_err(|error| Error::Unreadable { what: "session state", reason: error.to_string() })?;
        Ok(StateRow { key, value, number })
    }
}

/// What a value is sealed to: moved to another place it cannot be opened.
fn address(session: SessionId, kind: &str, key: &str) -> Vec<u8> {
    let mut address = Vec::with_capacity(18 + kind.len() + key.len());
    address.extend_from_slice(session.uuid().as_bytes());
    address.extend_from_slice(kind.as_bytes());
    address.push(0);
    address.extend_from_slice(key.as_bytes());
    address
}

/// A key behind every key that begins with `prefix`.
fn after(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// Changes of one session that are carried out together. Its output: whether the claim held.
pub(crate) struct StateWrite {
    fence: Fence,
    changes: Vec<Change>,
}

/// A row as it is written.
struct Row<'a> {
    session: SessionId,
    kind: &'static str,
    key: &'a str,
    sealed: Vec<u8>,
    number: i64,
    expires_at: Option<i64>,
}

impl Write for StateWrite {
    type Output = bool;

    fn fence(&self) -> Option<Fence> {
        Some(self.fence)
    }

    async fn apply(writes: &[&Self], allowed: &Allowed, shared: &Shared, tx: &mut Tx) -> Result<Vec<bool>> {
        // Only the last change of a value is visible outside of the transaction, so only that one is made; of
        // merged rows all that came after the last removal.
        let mut settled: HashSet<(SessionId, &'static str, &str)> = HashSet::new();
        let mut changes: Vec<(SessionId, &Change)> = Vec::new();
        for write in writes.iter().rev().filter(|write| allowed.contains(write.fence)) {
            for change in write.changes.iter().rev() {
                let (kind, key) = change.address();
                let place = (write.fence.session, kind, key);
                let merged = kind == MERGED_KIND && matches!(change, Change::Put { .. });
                let counts = if merged { !settled.contains(&place) } else { settled.insert(place) };
                if counts {
                    changes.push((write.fence.session, change));
                }
            }
        }

        let mut puts = Vec::new();
        let mut deletes = Vec::new();
        let mut merges = Vec::new();
        for (session, change) in changes.into_iter().rev() {
            match change {
                Change::Put { kind, key, value, number, expires_at } => {
                    let sealed = shared.keys.seal(value, &address(session, kind, key));
                    let row = Row { session, kind, key, sealed, number: *number, expires_at: *expires_at };
                    if *kind == MERGED_KIND { merges.push(row) } else { puts.push(row) }
                }
                Change::Delete { kind, key } => deletes.push((session, *kind, key.as_str())),
            }
        }
        // Removals first: what is left of a place that has one and others is what came after it.
        delete(tx, &deletes).await?;
        // A statement must not meet the same row twice; of merged ones almost always none comes twice.
        let mut parts = distinct_rows(merges).into_iter();
        puts.extend(parts.next().unwrap_or_default());
        put(tx, &puts).await?;
        for distinct in parts {
            put(tx, &distinct).await?;
        }
        Ok(writes.iter().map(|write| allowed.contains(write.fence)).collect())
    }
}

/// Splits rows so that no part has two of the same place; almost always into one part.
fn distinct_rows(rows: Vec<Row<'_>>) -> Vec<Vec<Row<'_>>> {
    let mut met: HashMap<(SessionId, &str), usize> = HashMap::new();
    let mut parts: Vec<Vec<Row<'_>>> = Vec::new();
    for row in rows {
        let times = met.entry((row.session, row.key)).or_default();
        if parts.len() <= *times {
            parts.push(Vec::new());
        }
        parts[*times].push(row);
        *times += 1;
    }
    parts
}

async fn put(tx: &mut Tx, rows: &[Row<'_>]) -> Result<()> {
    for run in runs(rows) {
        with_conn!(tx, conn => {
            let mut query = QueryBuilder::new(
                "INSERT INTO session_state (session_id, kind, key, value, number, expires_at) ",
            );
            query.push_values(run, |mut values, row| {
                values
                    .push_bind(row.session.uuid())
                    .push_bind(row.kind)
                    .push_bind(row.key.to_owned())
                    .push_bind(row.sealed.clone())
                    .push_bind(row.number)
                    .push_bind(row.expires_at);
            });
            query.push(
                " ON CONFLICT (session_id, kind, key) DO UPDATE SET value = excluded.value,
                  number = CASE
                    WHEN excluded.kind = 'msg_secret' AND session_state.number > excluded.number
                    THEN session_state.number ELSE excluded.number END,
                  expires_at = CASE
                    WHEN excluded.kind <> 'msg_secret' THEN excluded.expires_at
                    WHEN session_state.expires_at > excluded.expires_at THEN session_state.expires_at
                    WHEN session_state.expires_at IS NULL THEN NULL
                    ELSE excluded.expires_at END",
            );
            query.build().execute(conn).await?;
        });
    }
    Ok(())
}

async fn delete(tx: &mut Tx, places: &[(SessionId, &'static str, &str)]) -> Result<()> {
    for run in runs(places) {
        with_conn!(tx, conn => {
            let mut query =
                QueryBuilder::new("DELETE FROM session_state WHERE (session_id, kind, key) IN (");
            query.push_values(run, |mut values, (session, kind, key)| {
                values.push_bind(session.uuid()).push_bind(*kind).push_bind((*key).to_owned());
            });
            query.push(")");
            query.build().execute(conn).await?;
        });
    }
    Ok(())
}
