//! Making a backup, also while the gateway runs.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use config::Config;
use domain::{Clock as _, SystemClock};
use secrets::{KeyRing, Sealer};
use tar::{Builder, EntryType, Header};
use whatsapp::backup::NOT_IN_BACKUPS;

use super::{
    BackupError, DATABASE, MANIFEST, MEDIA, Manifest, STREAM, TITLE, blocking, folder_of, keys, media_folder,
    megabytes, sqlite_file,
};

/// What is in a backup, to print.
#[derive(Debug)]
pub struct BackedUp {
    to: PathBuf,
    manifest: Manifest,
    files: Files,
}

/// What became of the files of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    In {
        count: u64,
        bytes: u64,
    },
    /// As was asked.
    LeftOut,
    /// They are not in a folder.
    Bucket,
}

/// Backs up the database and, unless they are left out, the files to `to`, which must not be there; `-` is standard
/// output. Nothing is there under that name before it is whole.
pub async fn back_up(config: &Config, to: &Path, without_media: bool) -> Result<BackedUp, BackupError> {
    let database = sqlite_file(config)?;
    let keys = keys(config)?;
    let stream = to == Path::new(STREAM);
    if !stream && to.exists() {
        return Err(BackupError::TargetExists(to.to_owned()));
    }
    let folder = folder_of(&database).to_owned();
    let scratch =
        tempfile::Builder::new().prefix(".backup-").tempdir_in(&folder).map_err(BackupError::io(&folder))?;
    let copy = scratch.path().join(DATABASE);
    let made_at = SystemClock.now();
    let contents = storage::copy_sqlite(&database, &copy, NOT_IN_BACKUPS).await?;
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at,
        newest: contents.newest,
        sessions: contents.sessions,
    };
    // After the database: what it knows of is there, unless it was removed since.
    let media = match media_folder(config) {
        _ if without_media => Err(Files::LeftOut),
        None => Err(Files::Bucket),
        Some(folder) => Ok(folder),
    };
    let to = to.to_owned();
    blocking(move || {
        let parts = Parts { keys: &keys, manifest: &manifest, database: &copy, media: media.as_deref().ok() };
        let written = if stream {
            parts.write(io::stdout().lock()).map(|(count, _)| count)
        } else {
            parts.write_file(&to)
        };
        let (count, bytes) = written?;
        let files = media.map_or_else(|files| files, |_| Files::In { count, bytes });
        drop(scratch);
        Ok(BackedUp { to, manifest, files })
    })
    .await
}

/// What a backup is made of.
struct Parts<'a> {
    keys: &'a KeyRing,
    manifest: &'a Manifest,
    database: &'a Path,
    media: Option<&'a Path>,
}

impl Parts<'_> {
    fn write_file(&self, to: &Path) -> Result<(u64, u64), BackupError> {
        let failed = || BackupError::io(to);
        let draft =
            tempfile::Builder::new().prefix(".backup-").tempfile_in(folder_of(to)).map_err(failed())?;
        let (count, writer) = self.write(BufWriter::new(draft))?;
        let draft = writer.into_inner().map_err(|error| failed()(error.into_error()))?;
        draft.as_file().sync_all().map_err(failed())?;
        draft.persist_noclobber(to).map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => BackupError::TargetExists(to.to_owned()),
            _ => failed()(error.error),
        })?;
        File::open(folder_of(to)).and_then(|folder| folder.sync_all()).map_err(failed())?;
        Ok(count)
    }

    /// Returns how many files there were, and their bytes.
    fn write<W: Write>(&self, writer: W) -> Result<((u64, u64), W), BackupError> {
        let failed = || BackupError::io(Path::new("the backup"));
        let sealer = Sealer::begin(writer, self.keys, TITLE).map_err(failed())?;
        let mut archive = Builder::new(sealer);
        let manifest = serde_json::to_vec(self.manifest).map_err(|error| failed()(error.into()))?;
        append(&mut archive, Path::new(MANIFEST), manifest.len() as u64, &manifest[..]).map_err(failed())?;
        append_file(&mut archive, Path::new(DATABASE), self.database).map_err(failed())?;
        let mut count = (0, 0);
        if let Some(media) = self.media {
            append_folder(&mut archive, Path::new(MEDIA), media, &mut count).map_err(failed())?;
        }
        let sealer = archive.into_inner().map_err(failed())?;
        Ok((count, sealer.finish().map_err(failed())?))
    }
}

/// What lies in a folder and below. What is being written there is left out, and so is what goes meanwhile.
fn append_folder<W: Write>(
    archive: &mut Builder<W>,
    name: &Path,
    folder: &Path,
    count: &mut (u64, u64),
) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let file_name = entry.file_name();
        let (name, path, kind) = (name.join(&file_name), entry.path(), entry.file_type()?);
        if file_name.to_string_lossy().contains('#') || file_name.as_encoded_bytes().starts_with(b".") {
            // Being written.
        } else if kind.is_dir() {
            append_folder(archive, &name, &path, count)?;
        } else if kind.is_file()
            && let Some(size) = append_file(archive, &name, &path)?
        {
            *count = (count.0 + 1, count.1 + size);
        }
    }
    Ok(())
}

/// Returns its size; `None` when it is not there any more.
fn append_file<W: Write>(archive: &mut Builder<W>, name: &Path, path: &Path) -> io::Result<Option<u64>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let size = file.metadata()?.len();
    append(archive, name, size, file)?;
    Ok(Some(size))
}

fn append<W: Write>(archive: &mut Builder<W>, name: &Path, size: u64, from: impl io::Read) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    let mut counted = Counted { from: from.take(size), read: 0 };
    archive.append_data(&mut header, name, &mut counted)?;
    if counted.read == size {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::UnexpectedEof, format!("{} changed while it was read", name.display())))
    }
}

/// Counts what is read: an archive of files that are shorter than it says is none.
struct Counted<R> {
    from: R,
    read: u64,
}

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes)?;
        self.read += read as u64;
        Ok(read)
    }
}

impl BackedUp {
    /// It went to standard output, where nothing else belongs.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.to == Path::new(STREAM)
    }
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest { sessions, made_at, .. } = self.manifest;
        write!(f, "{sessions} sessions as of {}", made_at.to_rfc3339())?;
        match self.files {
            Files::In { count, bytes } => write!(f, ", and {count} files of {}", megabytes(bytes))?,
            Files::LeftOut => write!(f, ", without files")?,
            Files::Bucket => write!(f, "; the files are where MEDIA_URL says, and not in it")?,
        }
        if !self.is_stream() {
            write!(f, ", are in {}", self.to.display())?;
        }
        write!(
            f,
            ".\nIt opens with this gateway's keys only (SECRET_KEYS, or secret.key): keep these somewhere else."
        )
    }
}
