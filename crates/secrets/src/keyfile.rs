//! The key file that `wa-gateway all` makes for itself when `SECRET_KEYS` is not set.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::{InvalidKeys, KeyRing};

/// There is no usable key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or made.
    #[error("cannot use the key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is there, but not a list of keys. It is never overwritten: without it the database is unreadable.
    #[error("the key file {} is damaged: {source}; restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: InvalidKeys,
    },
}

impl KeyRing {
    /// Reads the keys from a file, or makes the file (mode 0600, with one fresh key) when there is none. Two
    /// processes that start at once end up with the same key. Blocks on the disk: call it at start.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        let fail = |source| KeyFileError::Io { path: path.to_owned(), source };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(fail)?;
                fs::read_to_string(path).map_err(fail)?
            }
            Err(error) => return Err(fail(error)),
        };
        read(text, path)
    }

    /// Reads the keys from a file that must be there.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let text =
            fs::read_to_string(path).map_err(|source| KeyFileError::Io { path: path.to_owned(), source })?;
        read(text, path)
    }
}

fn read(text: String, path: &Path) -> Result<KeyRing, KeyFileError> {
    KeyRing::parse(&SecretString::from(text))
        .map_err(|source| KeyFileError::Damaged { path: path.to_owned(), source })
}

/// Writes the file under another name first and links it into place, which fails if somebody was faster: the
/// file is never there in part, and never replaced.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unique = hex::encode(crate::random_bytes::<8>());
    let draft = folder.join(format!(".key-{unique}"));
    let written = write_draft(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    written?;
    removed?;
    File::open(folder)?.sync_all()
}

fn write_draft(draft: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    let line = Zeroizing::new(format!("{}\n", KeyRing::generate().expose_secret()));
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_first_start_makes_the_file_and_later_ones_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let sealed = KeyRing::load_or_create(&path).unwrap().seal(b"hello", b"");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(KeyRing::load_or_create(&path).unwrap().open(&sealed, b"").unwrap(), b"hello");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn starting_many_at_once_gives_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let rings: Vec<KeyRing> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| KeyRing::load_or_create(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let sealed = rings[0].seal(b"hello", b"");
        assert!(rings.iter().all(|ring| ring.open(&sealed, b"").is_ok()));
    }

    #[test]
    fn a_damaged_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        for content in ["", "half a key"] {
            fs::write(&path, content).unwrap();
            let error = KeyRing::load_or_create(&path).unwrap_err();
            assert!(matches!(error, KeyFileError::Damaged { .. }), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        let missing = folder.path().join("no/such/folder/secret.key");
        assert!(matches!(KeyRing::load_or_create(&missing), Err(KeyFileError::Io { .. })));
    }
}
