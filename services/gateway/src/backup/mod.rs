//! Backups of a gateway that is one process: its database and its files in one sealed file.
//!
//! [`back_up`] works while the gateway runs; [`restore`] puts one in place; [`renew`] is what a database needs that came
//! back by other means, such as PostgreSQL's.
//!
//! A backup is a tar archive within [`secrets::Sealer`]: `manifest.json`, `gateway.db`, `media/…`. Of the sessions it has
//! what logs them in, not what encrypts (see [`whatsapp::backup`]): a gateway that was restored connects without a scan
//! and never uses a message key twice.

mod create;
mod restore;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use config::{Config, DatabaseTarget};
use domain::Timestamp;
use secrets::{KeyFileError, KeyRing, OpenError, StreamError};
use serde::{Deserialize, Serialize};

pub use create::{BackedUp, back_up};
pub use restore::{How, Restored, renew, restore};

/// What a backup begins with, in plain text.
const TITLE: &str = "wa-gateway backup 1\n";
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "gateway.db";
const MEDIA: &str = "media";

/// The name that stands for standard output or input.
const STREAM: &str = "-";

/// The first entry of a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Manifest {
    /// Of the gateway that made it.
    version: String,
    made_at: Timestamp,
    /// When the newest row of its database was written.
    newest: Timestamp,
    sessions: i64,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "the database is a PostgreSQL server's: back it up with pg_dump or by archiving its log, and after a restore run \
         `wa-gateway restore --renew-only` (docs/operations.md)"
    )]
    Postgres,
    #[error("there are no keys: set SECRET_KEYS, or put the gateway's secret.key back to {}", .0.display())]
    NoKeys(PathBuf),
    #[error("{0}")]
    Keys(KeyFileError),
    #[error("{0}")]
    Start(#[from] crate::StartError),
    #[error("{0}")]
    Database(#[from] storage::OpenError),
    #[error("{0}")]
    Stored(#[from] storage::Error),
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is there already: choose another name", .0.display())]
    TargetExists(PathBuf),
    #[error("{} is not a backup of wa-gateway", .0.display())]
    Foreign(PathBuf),
    #[error(
        "{} was sealed with key {fingerprint}, which is not here: set SECRET_KEYS, or put secret.key in DATA_DIR, as \
         they were where it was made", .path.display()
    )]
    WrongKey { path: PathBuf, fingerprint: String },
    #[error("{} is damaged: {reason}. Nothing was restored", .path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error(
        "{} is there already, with data until {}; the backup ends at {}. Say --replace to move it aside and lose what \
         came in between", .path.display(), .there.to_rfc3339(), .backup.to_rfc3339()
    )]
    Newer { path: PathBuf, there: Timestamp, backup: Timestamp },
    #[error("{} is there already, and cannot be read: {reason}. Say --replace to move it aside", .path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{0} runs on this database: stop every process of the gateway first")]
    Running(String),
    #[error("it was ended")]
    Ended,
}

impl BackupError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// What an error means that came up while reading a backup.
    fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| {
            let path = path.to_owned();
            match StreamError::within(&error) {
                None => Self::Io { path, source: error },
                Some(StreamError::Foreign) => Self::Foreign(path),
                Some(StreamError::Sealed(OpenError::UnknownKey { fingerprint })) => {
                    Self::WrongKey { path, fingerprint: fingerprint.clone() }
                }
                Some(reason) => Self::Damaged { path, reason: reason.to_string() },
            }
        }
    }
}

/// The SQLite file that the settings name.
fn sqlite_file(config: &Config) -> Result<PathBuf, BackupError> {
    match config.database() {
        DatabaseTarget::Sqlite(path) => Ok(path),
        DatabaseTarget::Postgres(_) => Err(BackupError::Postgres),
    }
}

/// The keys that are there. A fresh one would open nothing, and would be in the way of the right one.
fn keys(config: &Config) -> Result<Arc<KeyRing>, BackupError> {
    if let Some(keys) = &config.access.secret_keys {
        return Ok(Arc::new(keys.clone()));
    }
    let path = config.storage.data_dir.join("secret.key");
    if !path.exists() {
        return Err(BackupError::NoKeys(path));
    }
    KeyRing::load(&path).map(Arc::new).map_err(BackupError::Keys)
}

/// The folder that files are kept in; `None` when they are in a bucket.
fn media_folder(config: &Config) -> Option<PathBuf> {
    match &config.media.url {
        None => Some(config.storage.data_dir.join("media")),
        Some(url) => {
            url::Url::parse(url.expose()).ok().filter(|url| url.scheme() == "file")?.to_file_path().ok()
        }
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Runs what blocks, such as files.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(BackupError::Ended))
}

/// A number of bytes, for people.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
