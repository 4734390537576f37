//! SQLite's connections that read.
//!
//! sqlx's own pool asks a connection whether it is well each time it comes back, which here costs as much as the
//! question before it: each is a round trip to the connection's thread. And it takes the one that has rested longest;
//! here it is the last one, whose thread and pages are warm.

use deadpool::{
    Runtime,
    managed::{Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleResult, TimeoutType},
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::database::ACQUIRE_TIMEOUT;

/// How often a connection comes back before it is asked whether it is well.
const ASKED_EVERY: usize = 1024;

pub(crate) type SqliteReader = Object<Opening>;

pub(crate) struct Opening(SqliteConnectOptions);

impl Manager for Opening {
    type Type = SqliteConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.0.connect().await
    }

    async fn recycle(
        &self,
        connection: &mut SqliteConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.recycle_count % ASKED_EVERY == ASKED_EVERY - 1 {
            connection.ping().await?;
        }
        Ok(())
    }
}

pub(crate) struct Readers(Pool<Opening>);

impl Readers {
    /// Opens one, and more when they are needed, up to `most`.
    pub(crate) async fn open(connect: SqliteConnectOptions, most: usize) -> Result<Self, sqlx::Error> {
        let pool = Pool::builder(Opening(connect))
            .max_size(most.max(1))
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let readers = Self(pool);
        drop(readers.get().await?);
        Ok(readers)
    }

    pub(crate) async fn get(&self) -> Result<SqliteReader, sqlx::Error> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            PoolError::Timeout(TimeoutType::Wait | TimeoutType::Create | TimeoutType::Recycle)
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => sqlx::Error::PoolTimedOut,
        })
    }

    /// Closes those that nobody uses, and hands out no more.
    pub(crate) async fn close(&self) {
        let idle = self.0.retain(|_, _| false).removed;
        self.0.close();
        for connection in idle {
            // It only read.
            let _ = connection.close().await;
        }
    }
}
