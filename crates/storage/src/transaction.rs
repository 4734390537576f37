//! Transactions, begun and ended in plain SQL: on a full disk SQLite ends one by itself, which a driver that counts them
//! would not notice.

use std::time::Instant;

use deadpool::managed::Object;
use tokio::runtime::Handle;

use crate::pool::{ACQUIRE_TIMEOUT, Poolable, Pooled};

/// A transaction; rolled back unless it is committed.
pub(crate) struct Transaction<C: Poolable + 'static> {
    /// There until this is dropped.
    connection: Option<Pooled<C>>,
}

impl<C: Poolable> Transaction<C> {
    /// Begins one with `statement`.
    pub(crate) async fn begin(
        mut connection: Pooled<C>,
        statement: &'static str,
    ) -> Result<Self, sqlx::Error> {
        connection.unfinished = true;
        connection.run(statement).await?;
        Ok(Self { connection: Some(connection) })
    }

    pub(crate) fn connection(&mut self) -> &mut C {
        self.pooled()
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let connection = self.pooled();
        connection.run("COMMIT").await?;
        connection.unfinished = false;
        connection.well = Instant::now();
        Ok(())
    }

    fn pooled(&mut self) -> &mut Pooled<C> {
        self.connection.as_mut().expect("it is there until this is dropped")
    }
}

impl<C: Poolable> Drop for Transaction<C> {
    fn drop(&mut self) {
        // Whoever takes the connection next would roll it back; nobody may come for long, and others wait for its locks.
        if let Some(mut connection) = self.connection.take_if(|connection| connection.unfinished)
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                let done = tokio::time::timeout(ACQUIRE_TIMEOUT, connection.roll_back()).await;
                if !matches!(done, Ok(Ok(()))) {
                    // The database rolls back what nobody is connected for.
                    drop(Object::take(connection));
                }
            });
        }
    }
}
