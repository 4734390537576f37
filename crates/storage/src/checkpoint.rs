//! Folding SQLite's write-ahead log into the database file, without anybody waiting for it.
//!
//! Left to itself SQLite does that in whichever commit makes the log too long, and everybody behind that commit waits
//! for tens of milliseconds. Here another connection does most of it while commits go on; what was committed in the
//! meantime is little, and the writer folds it in between two transactions. Then the log starts over.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sqlx::{Executor as _, SqlitePool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    database::{Pools, Shared},
    writer::Writer,
};

/// Writes after which the log is folded in: some 8 MiB.
const LONG: usize = 2_000;

/// Pages, 4 KiB each, after which a commit folds the log in by itself, should this task fall behind.
pub(crate) const BY_ITSELF: &str = "32768";

const FOLD: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// How far the log has grown.
#[derive(Debug, Default)]
pub(crate) struct Log {
    writes: AtomicUsize,
    long: Notify,
}

impl Log {
    /// So many writes were committed.
    pub(crate) fn grew(&self, writes: usize) {
        if self.writes.fetch_add(writes, Ordering::Relaxed) + writes >= LONG {
            self.long.notify_one();
        }
    }
}

/// Keeps the log short until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let Pools::Sqlite { writer, folder, log, .. } = &shared.pools else { return };
    while stop.run_until_cancelled(log.long.notified()).await.is_some() {
        log.writes.store(0, Ordering::Relaxed);
        if let Err(error) = fold(writer, folder).await {
            tracing::warn!(%error, "the write-ahead log could not be folded in; it grows until the next time");
        }
    }
}

async fn fold(writer: &Writer, folder: &SqlitePool) -> Result<(), sqlx::Error> {
    folder.execute(FOLD).await?;
    writer.execute(FOLD).await?;
    Ok(())
}
