//! SQLite's one connection that writes: writers wait in line for it instead of failing with "busy".
//!
//! A pool of one would do the same, but asks the connection whether it is well each time it comes back, and nobody
//! writes until it has answered. Transactions are begun and ended in plain SQL: on a full disk SQLite ends one by
//! itself, which a driver that counts them would not notice.

use std::sync::Arc;

use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, SqliteConnection, sqlite::SqliteConnectOptions,
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard},
};

use crate::database::{ACQUIRE_TIMEOUT, Synchronous};

/// Takes SQLite's write lock at once: a transaction that begins by reading could find it taken later.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// When a commit is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// As the database was opened.
    Durable,
    /// When other connections see it: a power cut may undo it.
    Relaxed,
}

#[derive(Clone)]
pub(crate) struct Writer {
    connect: Arc<SqliteConnectOptions>,
    synchronous: Synchronous,
    /// Whoever holds the lock has its turn. Nothing when the connection was of no use any more.
    open: Arc<Mutex<Option<Open>>>,
}

pub(crate) struct Open {
    connection: SqliteConnection,
    /// The last transaction was neither committed nor rolled back.
    unfinished: bool,
    /// What the connection was last told of commits.
    durability: Durability,
}

type Turn = OwnedMappedMutexGuard<Option<Open>, Open>;

impl Writer {
    pub(crate) async fn open(
        connect: SqliteConnectOptions,
        synchronous: Synchronous,
    ) -> Result<Self, sqlx::Error> {
        let writer = Self { connect: Arc::new(connect), synchronous, open: Arc::default() };
        drop(writer.turn().await?);
        Ok(writer)
    }

    /// Begins a transaction as soon as nobody else has one.
    pub(crate) async fn begin(&self, durability: Durability) -> Result<WriterTx, sqlx::Error> {
        let mut turn = self.turn().await?;
        if turn.durability != durability {
            let synchronous = match durability {
                Durability::Durable => self.synchronous,
                Durability::Relaxed => Synchronous::Normal,
            };
            turn.connection.execute(synchronous.pragma()).await?;
            turn.durability = durability;
        }
        turn.unfinished = true;
        turn.connection.execute(BEGIN).await?;
        Ok(WriterTx { turn, writer: self.clone() })
    }

    /// Runs a statement outside of a transaction.
    pub(crate) async fn execute(&self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.turn().await?.connection.execute(statement).await?;
        Ok(())
    }

    pub(crate) async fn close(&self) -> Result<(), sqlx::Error> {
        match self.open.lock().await.take() {
            Some(open) => open.connection.close().await,
            None => Ok(()),
        }
    }

    /// The connection, without a transaction.
    async fn turn(&self) -> Result<Turn, sqlx::Error> {
        let waiting = tokio::time::timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.open).lock_owned());
        let mut open = waiting.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if let Some(last) = &mut *open
            && last.unfinished
        {
            match last.connection.execute("ROLLBACK").await {
                // SQLite may have rolled it back by itself.
                Ok(_) | Err(sqlx::Error::Database(_)) => last.unfinished = false,
                Err(_) => *open = None,
            }
        }
        if open.is_none() {
            let connection = self.connect.connect().await?;
            *open = Some(Open { connection, unfinished: false, durability: Durability::Durable });
        }
        OwnedMutexGuard::try_map(open, Option::as_mut).map_err(|_| sqlx::Error::PoolClosed)
    }
}

/// A transaction of the writer; rolled back unless it is committed.
pub(crate) struct WriterTx {
    turn: Turn,
    writer: Writer,
}

impl WriterTx {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.turn.connection
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.turn.connection.execute("COMMIT").await?;
        self.turn.unfinished = false;
        Ok(())
    }
}

impl Drop for WriterTx {
    fn drop(&mut self) {
        // Whoever is next rolls it back; nobody may come for long, and other connections wait for its lock.
        if self.turn.unfinished
            && let Ok(runtime) = Handle::try_current()
        {
            let writer = self.writer.clone();
            runtime.spawn(async move { drop(writer.turn().await) });
        }
    }
}
