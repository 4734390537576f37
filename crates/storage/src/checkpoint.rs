//! Folding SQLite's write-ahead log into the database file, without anybody waiting for it.
//!
//! Left to itself SQLite does that in whichever commit makes the log too long, and everybody behind that commit waits
//! for tens of milliseconds. Here another connection does most of it while commits go on, and another thread waits for the
//! disk; what was committed in the meantime is little, and the writer folds it in between two transactions. Then the log
//! starts over.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::SqliteConnection;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    database::{Pools, Shared},
    pool::{Pool, Poolable as _},
    writer::Writer,
};

/// Writes after which the log is folded in: some 64 MiB. Commits are slow while that goes on, for the disk has more to do,
/// and of all versions of a page only the last one is copied: seldom is better than often.
const LONG: usize = 16_000;

/// Pages, 4 KiB each, after which a commit folds the log in by itself, should this task fall behind.
pub(crate) const BY_ITSELF: &str = "65536";

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
    let Pools::Sqlite { writer, folder, log, file, .. } = &shared.pools else { return };
    while stop.run_until_cancelled(log.long.notified()).await.is_some() {
        log.writes.store(0, Ordering::Relaxed);
        if let Err(error) = fold(writer, folder, file).await {
            tracing::warn!(%error, "the write-ahead log could not be folded in; it grows until the next time");
        }
    }
}

async fn fold(writer: &Writer, folder: &Pool<SqliteConnection>, file: &Arc<File>) -> Result<(), sqlx::Error> {
    folder.get().await?.run(FOLD).await?;
    // SQLite syncs the file only when all of the log is in it, which is in the writer's turn.
    let file = Arc::clone(file);
    tokio::task::spawn_blocking(move || file.sync_data()).await.map_err(std::io::Error::other)??;
    writer.execute(FOLD).await?;
    Ok(())
}
