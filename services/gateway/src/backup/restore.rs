//! Putting a backup in place of a gateway that does not run.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use config::Config;
use domain::{Clock as _, SharedClock, SystemClock};
use secrets::{KeyRing, Unsealing};
use storage::{Contents, Database, OpenError, Options};
use tar::{Archive, Entry};
use tempfile::TempDir;
use whatsapp::backup::NOT_IN_BACKUPS;

use super::{
    BackupError, DATABASE, MANIFEST, MEDIA, Manifest, STREAM, TITLE, blocking, folder_of, keys, media_folder,
    sqlite_file,
};
use crate::open_database;

/// How to restore.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    /// Moves a database aside that is there already.
    pub replace: bool,
    /// Only says whether the backup could be restored.
    pub check: bool,
}

/// What was restored, to print.
#[derive(Debug)]
pub struct Restored {
    what: What,
    sessions: usize,
}

#[derive(Debug)]
enum What {
    Checked { manifest: Manifest, files: u64 },
    Placed { manifest: Manifest, files: u64, aside: Option<PathBuf> },
    Renewed,
}

/// Restores the backup `from`; `-` is standard input. Nothing changes unless all of it was there and is sound.
pub async fn restore(config: &Config, from: &Path, how: How) -> Result<Restored, BackupError> {
    let target = sqlite_file(config)?;
    let keys = keys(config)?;
    let folder = folder_of(&target).to_owned();
    let held = if how.check {
        None
    } else {
        fs::create_dir_all(&folder).map_err(BackupError::io(&folder))?;
        Some(storage::hold_sqlite(&target)?)
    };
    let there = if how.check { None } else { look(&target, how.replace).await? };
    let scratch = tempdir(&folder)?;
    let job = Unpacking {
        from: from.to_owned(),
        keys: Arc::clone(&keys),
        database: scratch.path().join(DATABASE),
        media: media_folder(config),
        refuse: there.filter(|_| !how.replace).map(|there| (target.clone(), there)),
        check: how.check,
    };
    let Unpacked { manifest, media, files } = blocking(move || job.run()).await?;

    let copy = scratch.path().join(DATABASE);
    let clock: SharedClock = Arc::new(SystemClock);
    let url = format!("sqlite:{}", copy.display());
    let database = Database::open(&Options::new(url), keys, clock).await?;
    let renewed = renew_sessions(&database).await;
    database.close().await;
    let sessions = renewed?;
    if how.check {
        return Ok(Restored { what: What::Checked { manifest, files }, sessions });
    }
    let aside = blocking(move || {
        if let Some((folder, files)) = &media {
            place_folder(files.path(), folder).map_err(BackupError::io(folder))?;
        }
        let aside = place(&copy, &target).map_err(BackupError::io(&target))?;
        drop((media, scratch, held));
        Ok(aside)
    })
    .await?;
    Ok(Restored { what: What::Placed { manifest, files, aside }, sessions })
}

/// Makes a database safe to go on with that came back by other means than [`restore`].
pub async fn renew(config: &Config) -> Result<Restored, BackupError> {
    keys(config)?;
    let database = open_database(config).await?;
    let renewed = async {
        let runners = database.runners().await?;
        // On SQLite nobody else has the database open.
        let alive = runners.iter().find(|runner| !database.is_embedded() && !runner.lease_left.is_zero());
        match alive {
            Some(runner) => Err(BackupError::Running(format!("the runner {}", runner.name))),
            None => renew_sessions(&database).await,
        }
    }
    .await;
    database.close().await;
    Ok(Restored { what: What::Renewed, sessions: renewed? })
}

/// Returns how many sessions there are.
async fn renew_sessions(database: &Database) -> Result<usize, BackupError> {
    let claims = database.begin_anew(NOT_IN_BACKUPS).await?;
    for claim in &claims {
        whatsapp::backup::renew(&database.session_store(*claim)).await?;
    }
    Ok(claims.len())
}

/// What is where the database goes.
async fn look(target: &Path, replace: bool) -> Result<Option<Contents>, BackupError> {
    if !target.exists() {
        return Ok(None);
    }
    match storage::sqlite_contents(target).await {
        Ok(contents) => Ok(contents),
        Err(OpenError::NotOurs { .. }) if replace => Ok(None),
        Err(OpenError::NotOurs { path, reason }) => Err(BackupError::Unreadable { path, reason }),
        Err(error) => Err(error.into()),
    }
}

fn tempdir(folder: &Path) -> Result<TempDir, BackupError> {
    // Names that begin with a dot are nobody's: neither the gateway nor a backup looks at them.
    tempfile::Builder::new().prefix(".restore-").tempdir_in(folder).map_err(BackupError::io(folder))
}

/// Reading a backup into a place beside the one it is for.
struct Unpacking {
    from: PathBuf,
    keys: Arc<KeyRing>,
    /// Where the database goes.
    database: PathBuf,
    /// The folder for files, if there is one.
    media: Option<PathBuf>,
    /// What is there and must not be replaced.
    refuse: Option<(PathBuf, Contents)>,
    check: bool,
}

struct Unpacked {
    manifest: Manifest,
    /// The folder for files, and a new one in it with those of the backup.
    media: Option<(PathBuf, TempDir)>,
    files: u64,
}

impl Unpacking {
    fn run(&self) -> Result<Unpacked, BackupError> {
        if self.from == Path::new(STREAM) {
            return self.unpack(io::stdin().lock());
        }
        let file = File::open(&self.from).map_err(BackupError::io(&self.from))?;
        self.unpack(BufReader::new(file))
    }

    fn unpack(&self, reader: impl Read) -> Result<Unpacked, BackupError> {
        let failed = || BackupError::reading(&self.from);
        let damaged =
            |reason: &str| BackupError::Damaged { path: self.from.clone(), reason: reason.to_owned() };
        let unsealing = Unsealing::begin(reader, &self.keys, TITLE).map_err(failed())?;
        let mut archive = Archive::new(unsealing);
        let (mut manifest, mut media, mut files, mut found) = (None, None, 0, false);
        for entry in archive.entries().map_err(failed())? {
            let mut entry = entry.map_err(failed())?;
            let path = entry.path().map_err(failed())?.into_owned();
            if manifest.is_none() {
                manifest = Some(self.manifest(&path, &mut entry)?);
            } else if path == Path::new(DATABASE) {
                self.write(&mut entry, &self.database)?;
                found = true;
            } else if let Ok(name) = path.strip_prefix(MEDIA) {
                if !name.components().all(|part| matches!(part, Component::Normal(_))) {
                    return Err(damaged("it has a file outside of its folder"));
                }
                files += 1;
                self.write_media(&mut entry, name, &mut media)?;
            }
        }
        // The archive ends before the sealed file does, and only there is it known to be whole.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(failed())?;
        match manifest {
            Some(manifest) if found => Ok(Unpacked { manifest, media, files }),
            _ => Err(damaged("it has no database")),
        }
    }

    /// The first entry says what the others are; here it is decided whether to read them.
    fn manifest(&self, path: &Path, entry: &mut Entry<'_, impl Read>) -> Result<Manifest, BackupError> {
        let mut bytes = Vec::new();
        entry.take(1 << 16).read_to_end(&mut bytes).map_err(BackupError::reading(&self.from))?;
        let manifest = (path == Path::new(MANIFEST)).then(|| serde_json::from_slice::<Manifest>(&bytes).ok());
        let manifest = manifest.flatten().ok_or_else(|| BackupError::Damaged {
            path: self.from.clone(),
            reason: "it does not say what is in it".to_owned(),
        })?;
        match &self.refuse {
            Some((path, there)) => {
                Err(BackupError::Newer { path: path.clone(), there: there.newest, backup: manifest.newest })
            }
            None => Ok(manifest),
        }
    }

    fn write_media(
        &self,
        entry: &mut Entry<'_, impl Read>,
        name: &Path,
        media: &mut Option<(PathBuf, TempDir)>,
    ) -> Result<(), BackupError> {
        let failed = || BackupError::reading(&self.from);
        let Some(folder) = self.media.as_ref().filter(|_| !self.check) else {
            return io::copy(entry, &mut io::sink()).map(drop).map_err(failed());
        };
        if media.is_none() {
            fs::create_dir_all(folder).map_err(BackupError::io(folder))?;
            *media = Some((folder.clone(), tempdir(folder)?));
        }
        let Some((_, scratch)) = media else { return Ok(()) };
        let file = scratch.path().join(name);
        fs::create_dir_all(folder_of(&file)).map_err(BackupError::io(folder))?;
        self.write(entry, &file)
    }

    /// Whether it was the backup or the disk that failed is told apart.
    fn write(&self, entry: &mut Entry<'_, impl Read>, to: &Path) -> Result<(), BackupError> {
        let failed = || BackupError::io(to);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(to).map_err(failed())?;
        let mut piece = vec![0; 1 << 16];
        loop {
            match entry.read(&mut piece).map_err(BackupError::reading(&self.from))? {
                0 => return file.sync_all().map_err(failed()),
                read => file.write_all(&piece[..read]).map_err(failed())?,
            }
        }
    }
}

/// Moves the files below one folder below another. A file that is there already is the same: its name is an id.
fn place_folder(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&to)?;
            place_folder(&entry.path(), &to)?;
        } else if !to.exists() {
            fs::rename(entry.path(), &to)?;
        }
    }
    File::open(to)?.sync_all()
}

/// Puts the database in place; returns where the one is that was there.
fn place(from: &Path, target: &Path) -> io::Result<Option<PathBuf>> {
    let aside = target.with_added_extension(format!("replaced-{}", SystemClock.now().seconds()));
    let mut moved = false;
    // The log of a database is known by its name.
    for end in ["-wal", "-shm", ""] {
        let with_end = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        match fs::rename(with_end(target), with_end(&aside)) {
            Ok(()) => moved = true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    fs::rename(from, target)?;
    File::open(folder_of(target))?.sync_all()?;
    Ok(moved.then_some(aside))
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions = self.sessions;
        let of = |manifest: &Manifest| {
            format!("of {} (version {})", manifest.made_at.to_rfc3339(), manifest.version)
        };
        match &self.what {
            What::Checked { manifest, files } => {
                write!(f, "The backup {} is whole: {sessions} sessions, {files} files.", of(manifest))
            }
            What::Placed { manifest, files, aside } => {
                write!(f, "The backup {} is in place: {sessions} sessions, {files} files.", of(manifest))?;
                if let Some(aside) = aside {
                    write!(f, "\nThe database that was there is now {}.", aside.display())?;
                }
                write!(f, "\nStart the gateway: what was linked then connects without a scan.")
            }
            What::Renewed => write!(f, "{sessions} sessions can be connected."),
        }
    }
}
