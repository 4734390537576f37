//! SQLite's one connection that writes: writers wait in line for it instead of failing with "busy".

use sqlx::{SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    database::Synchronous,
    pool::{Pool, Poolable as _},
    transaction::Transaction,
};

/// Takes SQLite's write lock at once: a transaction that begins by reading could find it taken later.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The same, and before that what a commit is to wait for; in one go, as each is a round trip to SQLite's thread.
const BEGIN_FULL: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";
const BEGIN_NORMAL: &str = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";

/// When a commit is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// As the database was opened.
    Durable,
    /// When other connections see it: a power cut may undo it.
    Relaxed,
}

pub(crate) struct Writer {
    one: Pool<SqliteConnection>,
    synchronous: Synchronous,
}

impl Writer {
    pub(crate) async fn open(
        connect: SqliteConnectOptions,
        synchronous: Synchronous,
    ) -> Result<Self, sqlx::Error> {
        Ok(Self { one: Pool::open(connect, 1).await?, synchronous })
    }

    /// Begins a transaction as soon as nobody else has one.
    pub(crate) async fn begin(
        &self,
        durability: Durability,
    ) -> Result<Transaction<SqliteConnection>, sqlx::Error> {
        let mut connection = self.one.get().await?;
        let relaxed = durability == Durability::Relaxed;
        let begin = match (connection.relaxed == relaxed, relaxed, self.synchronous) {
            (true, ..) => BEGIN,
            (false, false, Synchronous::Full) => BEGIN_FULL,
            (false, true, _) | (false, false, Synchronous::Normal) => BEGIN_NORMAL,
        };
        connection.relaxed = relaxed;
        Transaction::begin(connection, begin).await
    }

    /// Runs a statement outside of a transaction.
    pub(crate) async fn execute(&self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.one.get().await?.run(statement).await
    }

    pub(crate) async fn close(&self) {
        self.one.close().await;
    }
}
