//! Opening a database: connections, pragmas, and the lock that keeps SQLite to one process.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};

use domain::SharedClock;
use secrets::KeyRing;
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, SqliteConnection,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    checkpoint,
    coalesce::Coalesce,
    driver::{PREPARED, Reader, Tx},
    error::Error,
    group_commit::GroupCommit,
    pool::Pool,
    schema,
    transaction::Transaction,
    writer::{Durability, Writer},
};

/// The oldest PostgreSQL that the statements here were tried on, as `server_version_num`.
const OLDEST_POSTGRES: i32 = 130_000;

/// After this many milliseconds PostgreSQL ends a transaction whose client says nothing: a process that is frozen or
/// cut off keeps nothing locked for longer. Shorter than the default life of a runner's lease, so that the sessions
/// of a runner that died in the middle of a write can be taken over as soon as those of any other.
const SILENT_TRANSACTION: &str = "5000";

/// When a commit counts as done on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// On the disk: survives a power cut.
    #[default]
    Full,
    /// In the operating system's hands: survives a crash of the process; a power cut may lose the last commits.
    Normal,
}

/// SQLite's page caches, as its pragma has it: KiB, negative. The operating system caches the file as well, so what
/// a reader keeps for itself is memory spent twice.
const WRITER_CACHE: &str = "-8192";
const READER_CACHE: &str = "-1024";

/// How to open a database.
#[derive(Debug, Clone)]
pub struct Options {
    /// `sqlite:path/to/file` or `postgres://…`.
    pub url: String,
    /// Connections to PostgreSQL; readers on SQLite.
    pub max_connections: u32,
    pub synchronous: Synchronous,
    /// Brings the schema up to date. Otherwise one that is not up to date is [`OpenError::Behind`].
    pub migrate: bool,
}

impl Options {
    /// Defaults for a URL: eight connections, commits on the disk, the schema brought up to date.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 8, synchronous: Synchronous::default(), migrate: true }
    }
}

/// Why a database cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("DATABASE_URL must start with `sqlite:` or `postgres://`")]
    UnknownScheme,
    #[error("the database URL cannot be read: {0}")]
    InvalidUrl(String),
    #[error(
        "{} is in use by another process. SQLite serves one process only: stop the other one, or use PostgreSQL",
        .0.display()
    )]
    InUse(PathBuf),
    #[error("{} cannot be used: {reason}", .path.display())]
    File { path: PathBuf, reason: String },
    #[error(
        "{} is not a database of this software, or it is damaged ({reason}). Move it away, or restore a backup",
        .path.display()
    )]
    NotOurs { path: PathBuf, reason: String },
    #[error("PostgreSQL {0} is too old: version 13 or later is needed")]
    TooOld(i32),
    #[error("the database was written by a newer version of this software (migration {0} is unknown here)")]
    Newer(i64),
    #[error(
        "the database's schema is not up to date: migration {missing} is missing. Run `wa-gateway migrate`, or set \
         MIGRATE_ON_START=true"
    )]
    Behind { missing: i64 },
    #[error("migrations could not be applied: {0}")]
    Migration(String),
    #[error("the database refused the connection: {0}")]
    Refused(String),
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
}

impl OpenError {
    /// Trying again later may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Behind { .. })
    }
}

pub(crate) enum Pools {
    Sqlite {
        writer: Writer,
        readers: Pool<SqliteConnection>,
        /// The one connection that [folds the log in](checkpoint).
        folder: Pool<SqliteConnection>,
        log: checkpoint::Log,
        /// The database file, to be synced. Below the connections, to be closed after them: with it go SQLite's own locks.
        file: Arc<File>,
        /// Held as long as the database is open.
        _lock: File,
    },
    Postgres {
        pool: Pool<PgConnection>,
        /// One connection that nothing else uses: a lease must not wait in line behind a thousand sessions that all want
        /// something at once.
        leases: Pool<PgConnection>,
    },
}

pub(crate) struct Shared {
    pub(crate) pools: Pools,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) clock: SharedClock,
    pub(crate) coalesce: Coalesce,
}

/// An open database. Cloning is cheap; all clones are the same.
#[derive(Clone)]
pub struct Database {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writes: GroupCommit,
}

impl Database {
    /// Opens a database, making it when it is a SQLite file that is not there, and brings its schema up to date.
    /// `keys` seals the values that are secret.
    pub async fn open(options: &Options, keys: Arc<KeyRing>, clock: SharedClock) -> Result<Self, OpenError> {
        let pools = if let Some(path) = sqlite_path(&options.url) {
            open_sqlite(path, options).await?
        } else if options.url.starts_with("postgres://") || options.url.starts_with("postgresql://") {
            open_postgres(options).await?
        } else {
            return Err(OpenError::UnknownScheme);
        };
        let shared = Arc::new(Shared { pools, keys, clock, coalesce: Coalesce::default() });
        Ok(Self { writes: GroupCommit::start(Arc::clone(&shared)), shared })
    }

    /// It is one file for one process, as opposed to a server.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.shared.pools, Pools::Sqlite { .. })
    }

    /// Asks the database for an answer; the way to learn whether it is there.
    pub async fn ping(&self) -> crate::Result<()> {
        let mut reader = self.reader().await?;
        crate::driver::with_conn!(&mut reader, conn => {
            sqlx::query("SELECT 1").execute(conn).await?;
        });
        Ok(())
    }

    /// Writes what is under way, then lets go of the database.
    pub async fn close(&self) {
        self.writes.stop().await;
        match &self.shared.pools {
            Pools::Sqlite { writer, readers, folder, .. } => {
                folder.close().await;
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { pool, leases } => {
                leases.close().await;
                pool.close().await;
            }
        }
    }

    pub(crate) async fn reader(&self) -> crate::Result<Reader> {
        Ok(match &self.shared.pools {
            Pools::Sqlite { readers, .. } => Reader::Sqlite(readers.get().await?),
            Pools::Postgres { pool, .. } => Reader::Postgres(pool.get().await?),
        })
    }

    pub(crate) async fn begin(&self) -> crate::Result<Tx> {
        self.shared.begin().await.map_err(Error::from)
    }

    pub(crate) fn now(&self) -> domain::Timestamp {
        self.shared.clock.now()
    }
}

impl Shared {
    /// A transaction that is durable once it is committed.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Ok(match &self.pools {
            Pools::Sqlite { writer, .. } => Tx::Sqlite(writer.begin(Durability::Durable).await?),
            Pools::Postgres { pool, .. } => {
                Tx::Postgres(Transaction::begin(pool.get().await?, "BEGIN").await?)
            }
        })
    }

    /// A transaction that renews a lease.
    pub(crate) async fn begin_renewal(&self) -> Result<Tx, sqlx::Error> {
        Ok(match &self.pools {
            Pools::Sqlite { .. } => self.begin().await?,
            Pools::Postgres { leases, .. } => {
                Tx::Postgres(Transaction::begin(leases.get().await?, "BEGIN").await?)
            }
        })
    }

    /// A transaction that other connections see once it is committed, and that a power cut may undo: nobody waits
    /// for the disk. For what is worth nothing after a restart, such as a claim.
    pub(crate) async fn begin_relaxed(&self) -> Result<Tx, sqlx::Error> {
        Ok(match &self.pools {
            Pools::Sqlite { writer, .. } => Tx::Sqlite(writer.begin(Durability::Relaxed).await?),
            Pools::Postgres { pool, .. } => {
                let begin = "BEGIN; SET LOCAL synchronous_commit = off";
                Tx::Postgres(Transaction::begin(pool.get().await?, begin).await?)
            }
        })
    }
}

/// The file of a SQLite URL: `sqlite:data/x.db`, `sqlite:///abs/x.db`.
fn sqlite_path(url: &str) -> Option<&Path> {
    let rest = url.strip_prefix("sqlite:")?;
    Some(Path::new(rest.strip_prefix("//").unwrap_or(rest)))
}

async fn open_sqlite(path: &Path, options: &Options) -> Result<Pools, OpenError> {
    let file = |error: std::io::Error| OpenError::File { path: path.to_owned(), reason: error.to_string() };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(file)?;
    }
    let lock = hold(path)?;
    let connect = SqliteConnectOptions::from_str("sqlite:")
        .map_err(|error| OpenError::InvalidUrl(error.to_string()))?
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match options.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
        })
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(PREPARED)
        .pragma("temp_store", "memory")
        .pragma("cache_size", WRITER_CACHE)
        .pragma("wal_autocheckpoint", checkpoint::BY_ITSELF);
    let not_ours = |error: sqlx::Error| match &error {
        sqlx::Error::Database(database) if database.code().as_deref() == Some("14") => {
            OpenError::File { path: path.to_owned(), reason: database.to_string() }
        }
        _ => OpenError::NotOurs { path: path.to_owned(), reason: error.to_string() },
    };
    if path.metadata().is_ok_and(|file| file.len() > 0) && !is_ours(path).await.map_err(not_ours)? {
        let reason = "it has tables of another program".to_owned();
        return Err(OpenError::NotOurs { path: path.to_owned(), reason });
    }
    let folder = Pool::open(connect.clone(), 1).await.map_err(not_ours)?;
    let mut connection = folder.get().await.map_err(not_ours)?;
    schema::prepare_sqlite(&mut connection, options.migrate).await.map_err(|error| match error {
        OpenError::Migration(reason) => OpenError::NotOurs { path: path.to_owned(), reason },
        other => other,
    })?;
    drop(connection);
    let writer = Writer::open(connect.clone(), options.synchronous).await.map_err(not_ours)?;
    let connect = connect.read_only(true).create_if_missing(false).pragma("cache_size", READER_CACHE);
    let readers = Pool::open(connect, options.max_connections).await.map_err(not_ours)?;
    let file = Arc::new(File::open(path).map_err(file)?);
    Ok(Pools::Sqlite { writer, readers, folder, log: checkpoint::Log::default(), file, _lock: lock })
}

/// Takes the lock that keeps a SQLite database to one process.
pub(crate) fn hold(path: &Path) -> Result<File, OpenError> {
    let file = |error: std::io::Error| OpenError::File { path: path.to_owned(), reason: error.to_string() };
    let lock = File::create(path.with_added_extension("lock")).map_err(file)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(file(error)),
    }
}

/// Whether a file is one of ours, or empty. Looks before anything in it is changed.
pub(crate) async fn is_ours(path: &Path) -> Result<bool, sqlx::Error> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await?;
    let (tables, migrated): (i64, bool) = sqlx::query_as(
        "SELECT COUNT(*), EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')
         FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(migrated || tables == 0)
}

async fn open_postgres(options: &Options) -> Result<Pools, OpenError> {
    let mut connect =
        PgConnectOptions::from_str(&options.url).map_err(|error| OpenError::InvalidUrl(error.to_string()))?;
    if connect.get_application_name().is_none() {
        connect = connect.application_name("wa-gateway");
    }
    let connect = connect
        .options([("idle_in_transaction_session_timeout", SILENT_TRANSACTION)])
        .statement_cache_capacity(PREPARED);
    let refused = |error: sqlx::Error| match &error {
        // invalid_authorization, invalid_catalog: waiting does not mend these.
        sqlx::Error::Database(database)
            if database.code().is_some_and(|code| code.starts_with("28") || code.starts_with("3D")) =>
        {
            OpenError::Refused(database.message().to_owned())
        }
        _ => OpenError::Unreachable(error.to_string()),
    };
    let leases = Pool::new(connect.clone(), 1).map_err(refused)?;
    let pool = Pool::open(connect, options.max_connections.max(2)).await.map_err(refused)?;
    let mut connection = pool.get().await.map_err(refused)?;
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut **connection)
        .await
        .map_err(|error| OpenError::Unreachable(error.to_string()))?;
    if version < OLDEST_POSTGRES {
        return Err(OpenError::TooOld(version / 10_000));
    }
    schema::prepare_postgres(&mut connection, options.migrate).await?;
    drop(connection);
    Ok(Pools::Postgres { pool, leases })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that is frozen in the middle of a transaction must not keep others from what it has locked.
    #[tokio::test]
    async fn postgres_ends_a_transaction_whose_client_is_silent() {
        let options = Options::new(scratch::postgres_url().unwrap());
        let keys = Arc::new(KeyRing::parse(&KeyRing::generate()).unwrap());
        let database = Database::open(&options, keys, Arc::new(domain::SystemClock)).await.unwrap();
        let Tx::Postgres(mut tx) = database.begin().await.unwrap() else { panic!("it is PostgreSQL") };
        let limit: String = sqlx::query_scalar("SHOW idle_in_transaction_session_timeout")
            .fetch_one(tx.connection())
            .await
            .unwrap();
        assert_eq!(limit, "5s");
    }
    /// Sessions by the thousand may want something at once; the runner that they all depend on must not wait behind them.
    #[tokio::test]
    async fn a_lease_is_renewed_while_every_connection_is_in_use() {
        let options = Options { max_connections: 2, ..Options::new(scratch::postgres_url().unwrap()) };
        let keys = Arc::new(KeyRing::parse(&KeyRing::generate()).unwrap());
        let database = Database::open(&options, keys, Arc::new(domain::SystemClock)).await.unwrap();
        let _in_use = (database.reader().await.unwrap(), database.reader().await.unwrap());
        let renewal = database.renew_runner(domain::RunnerId::new(), Duration::from_secs(6));
        let renewed = tokio::time::timeout(Duration::from_secs(5), renewal).await.expect("it waits in line");
        assert!(!renewed.unwrap(), "there is no such runner");
    }
}
