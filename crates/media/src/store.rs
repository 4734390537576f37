//! The place where files are kept: a folder, or a bucket of S3, Google Cloud or Azure.

use std::{
    fs,
    io::{self, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use domain::Timestamp;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, buffered::BufWriter, local::LocalFileSystem,
    path::Path as ObjectPath,
};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::ObjectKey;

/// What is held in memory of a file on its way into a folder.
const FOLDER_BUFFER: usize = 512 * 1024;
/// The same for a bucket, where S3 takes no smaller parts.
const BUCKET_BUFFER: usize = 5 << 20;
/// Parts of one file that are sent to a bucket at the same time.
const PARTS_AT_ONCE: usize = 2;

/// The store did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no room left: an operator must act.
    #[error("the media store has no room left: {0}")]
    Full(String),
    /// It cannot be reached, or refuses: try again later.
    #[error("the media store is not available: {0}")]
    Unavailable(String),
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("MEDIA_URL cannot be used: {0}")]
    Url(String),
    #[error("the media folder {} cannot be used: {reason}", .path.display())]
    Folder { path: PathBuf, reason: String },
}

/// Files under keys. Cheap to clone.
#[derive(Clone)]
pub struct MediaStore {
    store: Arc<dyn ObjectStore>,
    root: ObjectPath,
    folder: Option<PathBuf>,
}

/// A stream of bytes.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// A file that is there, or the part of it that was asked for.
pub struct Found {
    /// Of the whole file, in bytes.
    pub size: u64,
    pub bytes: ByteStream,
}

/// A file in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: ObjectKey,
    pub written_at: Timestamp,
}

impl MediaStore {
    /// A folder, which is made if it is not there.
    pub fn in_folder(folder: &Path) -> Result<Self, OpenError> {
        let refused = |reason: String| OpenError::Folder { path: folder.to_owned(), reason };
        fs::create_dir_all(folder).map_err(|error| refused(error.to_string()))?;
        let folder = folder.canonicalize().map_err(|error| refused(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| refused(error.to_string()))?;
        // What the database says is stored must survive a power cut as the database does.
        let store = Arc::new(store.with_fsync(true).with_automatic_cleanup(true));
        Ok(Self { store, root: ObjectPath::default(), folder: Some(folder) })
    }

    /// What `MEDIA_URL` names: `file:///folder`, `s3://bucket/prefix`, `gs://…`, `az://…`. Credentials and the like
    /// come from `settings`, under the names that the tools of these services use (`AWS_ACCESS_KEY_ID`, …); those
    /// that mean nothing to the service are passed over.
    pub fn at(url: &str, settings: impl IntoIterator<Item = (String, String)>) -> Result<Self, OpenError> {
        let text = url;
        let url = Url::parse(url).map_err(|error| OpenError::Url(error.to_string()))?;
        if url.scheme() == "file" {
            // `file:media` would be read as `file:///media`.
            if !text.starts_with("file:///") {
                return Err(OpenError::Url("a folder is written as `file:///` and its path".to_owned()));
            }
            let folder = url.to_file_path().map_err(|()| OpenError::Url("it names no folder".to_owned()))?;
            return Self::in_folder(&folder);
        }
        // The configuration's names are in lower case; what else is in an environment may have the same name by chance.
        let settings = settings
            .into_iter()
            .filter(|(name, _)| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix)));
        let settings = settings.map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (store, root) = object_store::parse_url_opts(&url, settings)
            .map_err(|error| OpenError::Url(error.to_string()))?;
        Ok(Self { store: store.into(), root, folder: None })
    }

    /// Begins a file; nobody sees it before [`Upload::finish`]. What has the key already is replaced then.
    #[must_use]
    pub fn put(&self, key: &ObjectKey) -> Upload {
        let buffer = if self.folder.is_some() { FOLDER_BUFFER } else { BUCKET_BUFFER };
        let writer = BufWriter::with_capacity(Arc::clone(&self.store), key.below(&self.root), buffer);
        Upload { writer: writer.with_max_concurrency(PARTS_AT_ONCE), size: 0, hash: Sha256::new() }
    }

    /// A file, or a range of its bytes; `None` when it is not there.
    pub async fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Option<Found>, Error> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = match self.store.get_opts(&key.below(&self.root), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Found { size: found.meta.size, bytes: found.into_stream().map_err(Error::from).boxed() }))
    }

    /// Removes a file; it is no error that there is none.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        match self.store.delete(&key.below(&self.root)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The files below a prefix.
    pub fn list(&self, prefix: &str) -> impl Stream<Item = Result<Listed, Error>> + Send + use<> {
        let root = self.root.clone();
        let found = self.store.list(Some(&root.clone().join(prefix)));
        found
            .try_filter_map(move |found| {
                let listed = ObjectKey::listed(&found.location, &root)
                    .map(|key| Listed { key, written_at: Timestamp(found.last_modified.timestamp_millis()) });
                std::future::ready(Ok(listed))
            })
            .map_err(Error::from)
    }

    /// Removes what processes that were killed left of unfinished files, if it was not touched for `age`. Only a folder
    /// has such remains in our sight; buckets have rules for them.
    pub async fn remove_remains(&self, age: Duration) -> Result<usize, Error> {
        let Some(folder) = self.folder.clone() else { return Ok(0) };
        let removed = tokio::task::spawn_blocking(move || remove_remains(&folder, age));
        match removed.await {
            Ok(removed) => removed.map_err(|error| Error::Unavailable(error.to_string())),
            Err(error) => Err(Error::Unavailable(error.to_string())),
        }
    }
}

/// `object_store` writes to `<name>#<number>` until a file is finished.
fn is_unfinished(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[expect(clippy::disallowed_methods, reason = "compared with what the file system's clock wrote")]
fn remove_remains(folder: &Path, age: Duration) -> io::Result<usize> {
    let mut removed = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Another process may remove what this one has just seen.
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                folders.push(entry.path());
            } else if is_unfinished(&entry.file_name().to_string_lossy())
                && SystemTime::now().duration_since(about.modified()?).is_ok_and(|untouched| untouched >= age)
                && fs::remove_file(entry.path()).is_ok()
            {
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// A file on its way into the store. Dropped, it leaves nothing behind that anybody sees.
pub struct Upload {
    writer: BufWriter,
    size: u64,
    hash: Sha256,
}

/// A file that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// In bytes.
    pub size: u64,
    pub sha256: [u8; 32],
}

impl Written {
    /// The hash in hexadecimal digits.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        hex::encode(self.sha256)
    }
}

impl Upload {
    /// More of the file; waits while the store is behind.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        self.hash.update(&bytes);
        Ok(self.writer.put(bytes).await?)
    }

    /// Bytes so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The file is complete: from now on it is there.
    pub async fn finish(mut self) -> Result<Written, Error> {
        self.writer.shutdown().await?;
        Ok(Written { size: self.size, sha256: self.hash.finalize().into() })
    }

    /// The file will not be complete.
    pub async fn abort(mut self) {
        // What cannot be tidied up now is tidied up as remains.
        let _ = self.writer.abort().await;
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        if is_full(&error) { Self::Full(error.to_string()) } else { Self::Unavailable(error.to_string()) }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full(error.to_string()) } else { Self::Unavailable(error.to_string()) }
    }
}

fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
            return true;
        }
        // `io::Error` hides the one that it wraps from `source`.
        cause = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
