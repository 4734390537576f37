//! Connections that rest between two uses.
//!
//! sqlx's own pool asks a connection whether it is well each time it comes back, which here costs as much as the
//! question before it: a round trip to SQLite's thread, or to the server. Here it is asked when it is taken out after a
//! while. And sqlx's takes the one that has rested longest; here it is the last one, whose thread and pages are warm.

use std::{
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use deadpool::managed::{Manager, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use sqlx::{ConnectOptions as _, Connection, Executor as _, PgConnection, SqliteConnection};

/// How long anybody waits for a connection before they hear "not available".
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is trusted after it was last asked whether it is well. For so long, those are still met that a
/// server's restart has broken.
const TRUSTED: Duration = Duration::from_secs(1);

/// What a pool asks of its connections.
pub(crate) trait Poolable: Connection {
    /// Runs a statement that has no parameters and gives no rows.
    fn run(&mut self, statement: &'static str) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

macro_rules! poolable {
    ($connection:ty) => {
        impl Poolable for $connection {
            async fn run(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
                self.execute(statement).await?;
                Ok(())
            }
        }
    };
}
poolable!(SqliteConnection);
poolable!(PgConnection);

/// A connection that was taken out of its pool; dropped, it goes back.
pub(crate) type Pooled<C> = Object<Opening<C>>;

/// How connections are opened.
pub(crate) struct Opening<C: Poolable>(C::Options);

/// A connection of a pool.
pub(crate) struct Resting<C> {
    connection: C,
    /// When it was last known to be well.
    pub(crate) well: Instant,
    /// A transaction was begun on it that was neither committed nor rolled back.
    pub(crate) unfinished: bool,
    /// SQLite: it was told not to wait for the disk.
    pub(crate) relaxed: bool,
}

impl<C> Deref for Resting<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> DerefMut for Resting<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.connection
    }
}

impl<C: Poolable> Resting<C> {
    /// Ends a transaction that nobody ended. One that the database has ended by itself, as SQLite does on a full disk, is
    /// refused, and over.
    pub(crate) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        if self.unfinished {
            match self.connection.run("ROLLBACK").await {
                Ok(()) | Err(sqlx::Error::Database(_)) => self.unfinished = false,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<C: Poolable> Manager for Opening<C> {
    type Type = Resting<C>;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Resting<C>, sqlx::Error> {
        // Boxed: everybody who waits for a connection would carry the room for this.
        let connection = Box::pin(self.0.connect()).await?;
        Ok(Resting { connection, well: Instant::now(), unfinished: false, relaxed: false })
    }

    /// An error closes it, and another one is taken or opened.
    async fn recycle(&self, resting: &mut Resting<C>, _: &Metrics) -> RecycleResult<sqlx::Error> {
        resting.roll_back().await.map_err(RecycleError::Backend)?;
        if resting.well.elapsed() >= TRUSTED {
            Box::pin(resting.connection.ping()).await.map_err(RecycleError::Backend)?;
            resting.well = Instant::now();
        }
        Ok(())
    }
}

pub(crate) struct Pool<C: Poolable>(deadpool::managed::Pool<Opening<C>>);

impl<C: Poolable> Pool<C> {
    /// Opens one, and more when they are needed, up to `most`.
    pub(crate) async fn open(connect: C::Options, most: u32) -> Result<Self, sqlx::Error> {
        let pool = Self::new(connect, most)?;
        drop(pool.get().await?);
        Ok(pool)
    }

    /// Opens none before the first is needed.
    pub(crate) fn new(connect: C::Options, most: u32) -> Result<Self, sqlx::Error> {
        let pool = deadpool::managed::Pool::builder(Opening(connect))
            .max_size(usize::try_from(most.max(1)).unwrap_or(usize::MAX))
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        Ok(Self(pool))
    }

    /// Takes one out, waiting in line when all are in use.
    pub(crate) async fn get(&self) -> Result<Pooled<C>, sqlx::Error> {
        let taken = tokio::time::timeout(ACQUIRE_TIMEOUT, self.0.get()).await;
        taken.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                sqlx::Error::PoolTimedOut
            }
        })
    }

    /// Closes those that nobody uses, and hands out no more.
    pub(crate) async fn close(&self) {
        let resting = self.0.retain(|_, _| false).removed;
        self.0.close();
        for mut resting in resting {
            // Nobody waits for what it might have to say.
            let _ = resting.roll_back().await;
            let _ = resting.connection.close().await;
        }
    }
}
